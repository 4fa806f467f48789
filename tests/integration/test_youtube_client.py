"""The client over real HTTP: against the double of YouTube, and against answers no well-behaved server gives."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ytwatcher import __version__
from ytwatcher.core.model import Absent, ChannelId, Metric, PlaylistId, VideoId
from ytwatcher.errors import InputError
from ytwatcher.simulator.server import serve
from ytwatcher.simulator.world import World, make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator.youtube import YouTubeDouble
from ytwatcher.youtube import parse
from ytwatcher.youtube.client import METHODS, YouTubeClient
from ytwatcher.youtube.faults import Act, YouTubeError, classify

T = TypeVar("T")
KeyPlace = Literal["header", "query"]
KEY_PLACES: tuple[KeyPlace, ...] = ("header", "query")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = "AIzaCANARY-key_0123456789"
A, B, GONE = (make_video_id(n) for n in (1, 2, 3))
CHANNEL, LIST = make_channel_id(1), make_playlist_id(1)
EMPTY = b'{"kind": "youtube#videoListResponse", "items": []}'


def now() -> datetime:
    return NOW


def double() -> YouTubeDouble:
    world = World(now, seed=1)
    world.add_channel(CHANNEL, title="Tea", subscribers=12_345, handle="@tea")
    world.add_video(A, views=999, likes=7, comments=0, title="One", channel_id=CHANNEL, published_at=NOW - timedelta(days=3))
    world.add_video(B, views=2**40, likes=None, comments=None, title="Two", channel_id=CHANNEL, published_at=NOW - timedelta(days=2))
    world.add_video(GONE, views=5, title="Gone", channel_id=CHANNEL, published_at=NOW - timedelta(days=1)).state = "deleted"
    world.add_playlist(LIST, title="Teas", channel_id=CHANNEL, video_ids=[A, GONE])
    return YouTubeDouble(world, now, api_keys={KEY})


@asynccontextmanager
async def asking(youtube: YouTubeDouble, key: str, seconds: float) -> AsyncIterator[YouTubeClient]:
    async with serve(youtube.app) as url, YouTubeClient(f"{url}/youtube/v3", key, timeout=seconds) as client:
        yield client


def ask(youtube: YouTubeDouble, question: Callable[[YouTubeClient], Awaitable[T]], key: str = KEY, timeout: float = 30.0) -> T:
    async def go() -> T:
        async with asking(youtube, key, timeout) as client:
            return await question(client)

    return asyncio.run(go())


def refusal(
    youtube: YouTubeDouble, question: Callable[[YouTubeClient], Awaitable[object]], key: str = KEY, timeout: float = 30.0
) -> YouTubeError:
    with pytest.raises(YouTubeError) as caught:
        ask(youtube, question, key, timeout)
    return caught.value


def ask_raw(answer: Callable[[Request], Response], question: Callable[[YouTubeClient], Awaitable[T]], key_in: KeyPlace = "header") -> T:
    """Put a question to a server that answers what it likes."""

    async def go() -> T:
        app = Starlette(routes=[Route("/{path:path}", answer)])
        async with serve(app) as url, YouTubeClient(url, KEY, key_in=key_in) as client:
            return await question(client)

    return asyncio.run(go())


# Answers


@pytest.mark.parametrize(("summary", "numbers"), [(False, False), (True, True)])
def test_statistics_come_with_what_is_missing_in_every_known_form(summary: bool, numbers: bool) -> None:
    youtube = double()
    youtube.stats.summary, youtube.stats.numbers = summary, numbers
    answer = ask(youtube, lambda client: client.batch_stats([A, GONE, B]))
    assert answer.items[A].values == {Metric.VIEWS: 999, Metric.LIKES: 7, Metric.COMMENTS: 0}
    assert answer.items[B].values == {Metric.VIEWS: 2**40, Metric.LIKES: Absent.HIDDEN, Metric.COMMENTS: Absent.DISABLED}
    assert answer.items[A].published_at == NOW - timedelta(days=3)
    assert answer.missing == (GONE,)
    assert (youtube.used("batchGetStats"), youtube.used("default")) == (1, 0)


def test_metadata_comes_with_favorites_title_channel_and_live_state() -> None:
    found = ask(double(), lambda client: client.videos([A, GONE]))
    item = found.items[A]
    assert item.values == {Metric.VIEWS: 999, Metric.LIKES: 7, Metric.COMMENTS: 0, Metric.FAVORITES: 0}
    assert (item.title, item.channel_id, item.channel_title, item.live) == ("One", CHANNEL, "Tea", "none")
    assert found.missing == (GONE,)


def test_fifty_videos_fit_in_one_call_and_more_are_refused() -> None:
    ids = [make_video_id(n) for n in range(51)]
    assert len(ask(double(), lambda client: client.batch_stats(ids[:50])).missing) == 48
    with pytest.raises(ValueError, match="at most 50 ids, not 51"):
        ask(double(), lambda client: client.batch_stats(ids))


def test_what_cannot_be_an_id_is_never_sent_and_missing() -> None:
    youtube = double()
    odd = [VideoId("no,id&key=x"), A, VideoId("")]
    assert ask(youtube, lambda client: client.videos(odd)).missing == (odd[0], odd[2])
    assert ask(youtube, lambda client: client.videos(odd[:1])).missing == (odd[0],)
    assert ask(youtube, lambda client: client.channels(ids=[ChannelId("x")])) == ()
    assert ask(youtube, lambda client: client.playlists([PlaylistId("x y")])) == ()
    assert [call.ids for call in youtube.calls] == [(A,)]


def test_channels_are_found_by_id_by_handle_and_not_at_all() -> None:
    youtube = double()
    (by_id,) = ask(youtube, lambda client: client.channels(ids=[CHANNEL]))
    assert by_id.values == {Metric.SUBSCRIBERS: 12_300, Metric.VIDEOS: 2, Metric.TOTAL_VIEWS: 999 + 2**40}
    assert (by_id.title, by_id.uploads) == ("Tea", "UU" + CHANNEL[2:])
    assert ask(youtube, lambda client: client.channels(handle="@tea")) == (by_id,)
    assert ask(youtube, lambda client: client.channels(username="nobody")) == ()


def test_more_than_five_channels_come_in_one_answer() -> None:
    youtube = double()
    ids = [make_channel_id(n) for n in range(2, 22)]
    for channel_id in ids:
        youtube.world.add_channel(channel_id)
    assert {found.id for found in ask(youtube, lambda client: client.channels(ids=ids))} == set(ids)


def test_a_playlist_and_its_entries_dead_ones_marked() -> None:
    youtube = double()
    (playlist,) = ask(youtube, lambda client: client.playlists([LIST]))
    assert (playlist.title, playlist.channel_id, playlist.size) == ("Teas", CHANNEL, 2)
    page = ask(youtube, lambda client: client.playlist_page(LIST))
    assert [(entry.video_id, entry.dead) for entry in page.entries] == [(A, False), (GONE, True)]
    assert page.entries[0].added_at == NOW
    assert page.next_token is None


def test_a_long_list_comes_page_by_page() -> None:
    youtube = double()
    ids = [make_video_id(100 + n) for n in range(120)]
    for video_id in ids:
        youtube.world.add_video(video_id)
    youtube.world.add_playlist(make_playlist_id(2), video_ids=ids)

    async def whole(client: YouTubeClient) -> list[int]:
        sizes: list[int] = []
        token: str | None = None
        while not sizes or token:
            page = await client.playlist_page(make_playlist_id(2), token)
            sizes.append(len(page.entries))
            token = page.next_token
        return sizes

    assert ask(youtube, whole) == [50, 50, 20]


# Requests


def test_a_request_is_small_says_who_asks_and_shows_the_key_only_in_its_header() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(EMPTY)

    ask_raw(answer, lambda client: client.videos([A]))
    ask_raw(answer, lambda client: client.videos([A]), "query")
    first, second = seen
    assert first.headers["user-agent"] == f"ytwatcher/{__version__} (gzip)"
    assert first.headers["accept-encoding"] == "gzip"
    assert first.headers["x-goog-api-key"] == KEY
    assert KEY not in str(first.url)
    assert first.query_params["prettyPrint"] == "false"
    assert "maxResults" not in first.query_params
    assert second.query_params["key"] == KEY
    assert "x-goog-api-key" not in second.headers


@pytest.mark.parametrize("key", ["", "two words", "schlüssel", "line\n"])
def test_what_cannot_be_a_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(InputError, match=r"youtube\.api_key") as caught:
        YouTubeClient("http://127.0.0.1:1", key)
    assert not key or key not in str(caught.value)


# Refusals


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        ("quotaExceeded", Act.CLOSE_BUCKET),
        ("quotaExceeded429", Act.CLOSE_BUCKET),
        ("rateLimit", Act.BACK_OFF),
        ("html502", Act.BACK_OFF),
        ("backend500", Act.BACK_OFF),
        ("backend503", Act.BACK_OFF),
        ("cut", Act.BACK_OFF),
        ("notFound404", Act.METHOD_ABSENT),
        ("notImplemented501", Act.METHOD_ABSENT),
        ("keyInvalid", Act.STOP),
        ("serviceDisabled", Act.STOP),
    ],
)
def test_every_refusal_says_what_to_do(kind: str, act: Act) -> None:
    youtube = double()
    youtube.fail("videos.batchGetStats", kind)
    assert refusal(youtube, lambda client: client.batch_stats([A])).act is act


def test_a_wrong_key_stops_everything() -> None:
    error = refusal(double(), lambda client: client.videos([A]), key="AIzaWRONG")
    assert (error.act, error.reason) == (Act.STOP, "API_KEY_INVALID")


def test_an_unknown_playlist_is_marked_and_a_stale_page_token_restarts_the_listing() -> None:
    assert refusal(double(), lambda client: client.playlist_page(make_playlist_id(9))).act is Act.MARK_TARGET
    assert refusal(double(), lambda client: client.playlist_page(LIST, "stale")).act is Act.RESTART_LISTING


def test_a_slow_answer_is_given_up() -> None:
    youtube = double()
    youtube.fail("*", "slow", seconds=20)
    assert refusal(youtube, lambda client: client.videos([A]), timeout=0.2).reason == "timeout"


def test_nobody_at_home_is_asked_again_later() -> None:
    async def go() -> None:
        async with YouTubeClient("http://127.0.0.1:9", KEY) as client:
            await client.videos([A])

    with pytest.raises(YouTubeError) as caught:
        asyncio.run(go())
    assert (caught.value.act, caught.value.reason) == (Act.BACK_OFF, "network")


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", EMPTY[:-5], b"[]", b'{"kind": "youtube#channelListResponse"}'])
def test_a_200_that_is_no_answer_is_a_fault_and_not_an_empty_answer(body: bytes) -> None:
    with pytest.raises(YouTubeError) as caught:
        ask_raw(lambda request: Response(body), lambda client: client.videos([A]))
    assert caught.value.reason == "malformed"


def test_a_body_that_does_not_unpack_is_a_broken_connection() -> None:
    with pytest.raises(YouTubeError) as caught:
        ask_raw(lambda request: Response(b"no gzip", headers={"Content-Encoding": "gzip"}), lambda client: client.videos([A]))
    assert caught.value.reason == "network"


def test_empty_answers_leave_every_video_missing() -> None:
    youtube = double()
    for kind in ("empty200", "noItems"):
        youtube.fail("videos.list", kind, times=1)
        assert ask(youtube, lambda client: client.videos([A, B])).missing == (A, B)


def test_an_empty_page_without_items_is_a_fault() -> None:
    youtube = double()
    youtube.fail("playlistItems.list", "noItems")
    assert refusal(youtube, lambda client: client.playlist_page(LIST)).reason == "malformed"


def test_an_error_never_repeats_the_key_however_it_is_sent_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    echo = b'{"error": {"code": 400, "message": "bad: /v3/videos?key=%s", "errors": [{"reason": "%s"}]}}' % (KEY.encode(), KEY.encode())
    for body in (echo, b"<p>/videos?key=" + KEY.encode() + b"</p>"):
        for key_in in KEY_PLACES:
            with pytest.raises(YouTubeError) as caught:
                ask_raw(lambda request, body=body: Response(body, 400), lambda client: client.videos([A]), key_in)  # type: ignore[misc]  # a default in a lambda
            assert caught.value.act is Act.OUR_BUG
            error: BaseException | None = caught.value
            while error is not None:
                assert "CANARY" not in f"{error!r} {error} {vars(error)}"
                error = None if error.__suppress_context__ else error.__context__
    assert "CANARY" not in caplog.text


# The contract with Google's own description of the API


def test_everything_asked_for_and_read_is_in_the_discovery_document() -> None:
    document = discovery()
    for method in METHODS:
        resource, verb = method.name.split(".")
        described = document["resources"][resource]["methods"][verb]
        assert described["path"].endswith("/" + method.path)
        schema = document["schemas"][described["response"]["$ref"]]
        assert schema["properties"]["kind"]["default"] == method.kind
        item = schema["properties"]["items"]["items"]["$ref"]
        assert set(method.part.split(",")) <= set(document["schemas"][item]["properties"])
        for path in leaves(method.fields):
            assert known(document, schema, path), f"{method.name}: {path}"


@pytest.mark.parametrize(
    ("question", "name"),
    [
        (lambda client: client.batch_stats([A]), "videos.batchGetStats"),
        (lambda client: client.videos([A]), "videos.list"),
        (lambda client: client.channels(ids=[CHANNEL]), "channels.list"),
        (lambda client: client.channels(handle="@tea"), "channels.list"),
        (lambda client: client.channels(username="tea"), "channels.list"),
        (lambda client: client.playlists([LIST]), "playlists.list"),
        (lambda client: client.playlist_page(LIST, "token"), "playlistItems.list"),
    ],
)
def test_every_parameter_sent_is_in_the_discovery_document(question: Callable[[YouTubeClient], Awaitable[object]], name: str) -> None:
    sent: set[str] = set()

    def answer(request: Request) -> Response:
        sent.update(request.query_params)
        return Response(b"", 500)

    with pytest.raises(YouTubeError):
        ask_raw(answer, question, "query")
    document = discovery()
    resource, verb = name.split(".")
    described = document["resources"][resource]["methods"][verb]["parameters"]
    assert {"part", "fields", "key", "prettyPrint"} < sent <= set(described) | set(document["parameters"])


def discovery() -> Any:
    folder = resources.files("googleapiclient").joinpath("discovery_cache", "documents", "youtube.v3.json")
    return json.loads(folder.read_text(encoding="utf-8"))


def leaves(fields: str) -> list[tuple[str, ...]]:
    """The paths of a field mask: "a,b(c,d)" names a, b.c and b.d."""
    found: list[tuple[str, ...]] = []
    stack: list[str] = []
    for name, mark in re.findall(r"([A-Za-z]*)([(),]|$)", fields):
        if name and mark != "(":
            found.append((*stack, name))
        elif mark == "(":
            stack.append(name)
        if mark == ")":
            stack.pop()
    return found


def known(document: Any, schema: Any, path: Sequence[str]) -> bool:
    if not path:
        return True
    member = schema.get("properties", {}).get(path[0])
    if member is None:
        return False
    member = member.get("items", member)
    return known(document, document["schemas"][member["$ref"]] if "$ref" in member else member, path[1:])


def test_the_field_masks_are_taken_apart_rightly() -> None:
    assert leaves("kind,items(id,a(b,c(d))),e") == [("kind",), ("items", "id"), ("items", "a", "b"), ("items", "a", "c", "d"), ("e",)]


# Recorded answers, where they are at hand

RECORDED = Path(__file__).parents[2].parent / "shared" / "fixtures" / "youtube"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not here")
def test_every_recorded_answer_is_read_without_a_fault() -> None:
    readers: dict[str, Callable[[Any], object]] = {
        "youtube#videoListResponse": lambda body: len(parse.videos_answer(body, [item["id"] for item in body["items"]]).items),
        "youtube#batchGetStatsResponse": lambda body: len(parse.stats_answer(body, [item["id"] for item in body["items"]]).items),
        "youtube#channelListResponse": lambda body: len(parse.channels_answer(body)),
        "youtube#playlistListResponse": lambda body: len(parse.playlists_answer(body)),
        "youtube#playlistItemListResponse": lambda body: len(parse.page(body).entries),
    }
    read = 0
    for _, body in recorded():
        reader = readers.get(body.get("kind", ""))
        if reader is not None:
            assert reader(body) == len(body.get("items", [])), body
            read += 1
    assert read >= 10


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not here")
def test_every_recorded_refusal_is_understood() -> None:
    expected = {
        "quotaExceeded": Act.CLOSE_BUCKET,
        "dailyLimitExceeded": Act.CLOSE_BUCKET,
        "RATE_LIMIT_EXCEEDED": Act.CLOSE_BUCKET,
        "API_KEY_INVALID": Act.STOP,
        "keyInvalid": Act.STOP,
        "SERVICE_DISABLED": Act.STOP,
        "API_KEY_SERVICE_BLOCKED": Act.STOP,
        "forbidden": Act.STOP,
        "playlistNotFound": Act.MARK_TARGET,
        "commentsDisabled": Act.MARK_TARGET,
        "badRequest": Act.OUR_BUG,
        "missingRequiredParameter": Act.OUR_BUG,
        "invalidFilters": Act.OUR_BUG,
        "unknownPart": Act.OUR_BUG,
        "backendError": Act.BACK_OFF,
        "SERVICE_UNAVAILABLE": Act.BACK_OFF,
    }
    seen = set()
    for status, body in recorded():
        if isinstance(body.get("error"), dict):
            error = classify(body["error"].get("code", status), json.dumps(body).encode(), {})
            assert error.act is expected[error.reason], body
            assert "<" not in str(error)
            seen.add(error.reason)
    assert len(seen) >= 14


def recorded() -> Iterator[tuple[int, dict[str, Any]]]:
    for path in sorted(RECORDED.rglob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "responses.json":
            yield from ((entry["http_status"], entry["body"]) for entry in body.values() if isinstance(entry["body"], dict))
        elif "discovery" not in path.parts:
            yield 200, body
