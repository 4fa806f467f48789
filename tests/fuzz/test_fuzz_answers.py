"""What YouTube and Telegram answer, changed a little: no answer ends in a traceback, and no answer tells a chat what it does not say."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import httpx
import pytest
from structlog.testing import capture_logs

from fuzz.fuzzing import fuzz
from fuzz.mutations import HOSTILE_VALUES, body, text
from journal import Journal
from virtual_clock import VirtualClock
from ytwatcher.core.addresses import check_address
from ytwatcher.core.model import BIGGEST, Alert, Lane, Metric, Reading, RuleKind, TargetKind
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing
from ytwatcher.pipeline import accept
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator import google_errors as errors
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.simulator.youtube import API_KEY
from ytwatcher.store.db import Database
from ytwatcher.telegram.sender import TelegramSender
from ytwatcher.telegram.setup import BotSetup, TelegramError, find_chats
from ytwatcher.telegram.updates import UpdatePoller
from ytwatcher.youtube import parse
from ytwatcher.youtube.client import BATCH_STATS, CHANNELS, METHODS, PLAYLIST_ITEMS, PLAYLISTS, VIDEOS
from ytwatcher.youtube.faults import YouTubeError, classify

pytestmark = pytest.mark.timeout(4 * 60 * 60)  # of the full form
T = TypeVar("T")
CHAT = 4242
NOW = datetime(2026, 10, 5, 17, tzinfo=UTC)
IDS = [make_video_id(n) for n in range(3)]
CHANNEL, PLAYLIST = make_channel_id(1), make_playlist_id(1)
LINES = ("views every 1", "views change", "likes change", "comments change", "views fall 1", "views rise 1", "availability", "title")
COUNTERS = {Metric.VIEWS: "viewCount", Metric.LIKES: "likeCount", Metric.COMMENTS: "commentCount"}
ASKED: dict[str, dict[str, str]] = {
    VIDEOS.path: {"id": ",".join(IDS)},
    BATCH_STATS.path: {"id": ",".join(IDS)},
    CHANNELS.path: {"id": CHANNEL},
}
ASKED |= {PLAYLISTS.path: {"id": PLAYLIST}, PLAYLIST_ITEMS.path: {"playlistId": PLAYLIST, "maxResults": "50"}}
URL = "http://double"
ERRORS = (
    *(errors.backend_500(), errors.quota_403(), errors.wrong_key(), errors.service_disabled(), errors.playlist_not_found()),
    errors.quota_429("default", "defaultPerDayPerProject", 10_000, NOW),
)


class Sample(NamedTuple):
    """An answer as the double gives it."""

    kind: str
    status: int
    value: Any


def _world() -> World:
    world = World(lambda: NOW)
    world.add_channel(CHANNEL, "A channel")
    for number, video in enumerate(IDS):
        world.add_video(
            video,
            views=60_000 + number,
            likes=900,
            comments=70,
            title=f"Video {number}",
            channel_id=CHANNEL,
            published_at=NOW - timedelta(days=400),
        )
    world.add_playlist(PLAYLIST, "A list", CHANNEL, IDS)
    return world


def _samples() -> dict[str, Sample]:
    """A true answer of each method, by its path."""
    double = YouTubeDouble(_world(), lambda: NOW)

    async def ask() -> dict[str, Sample]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(double.app), base_url=URL) as client:
            answers = {
                method.path: await client.get(
                    f"/youtube/v3/{method.path}", params=httpx.QueryParams({"part": method.part, "key": API_KEY}).merge(ASKED[method.path])
                )
                for method in METHODS
            }
        return {method.path: Sample(method.kind, answers[method.path].status_code, answers[method.path].json()) for method in METHODS}

    samples = asyncio.run(ask())
    assert {sample.status for sample in samples.values()} == {200}, samples
    return samples


def _readings(path: str, raw: bytes, at: datetime) -> Iterator[Reading]:
    """What the client makes of a body."""
    if path == BATCH_STATS.path:
        yield from (
            item.reading(at, Lane.STATISTICS) for item in parse.stats_answer(parse.decode(raw, BATCH_STATS.kind), IDS).items.values()
        )
    if path == VIDEOS.path:
        yield from (item.reading(at, Lane.METADATA) for item in parse.videos_answer(parse.decode(raw, VIDEOS.kind), IDS).items.values())


def _said(raw: bytes, alert: Alert) -> bool:
    """Whether the body itself holds what the alert tells."""
    for item in json.loads(raw)["items"]:
        statistics, snippet = item.get("statistics", {}), item.get("snippet", {})
        if item["id"] != alert.subject_id:
            continue
        if alert.kind is RuleKind.AVAILABILITY:
            return {"likes hidden": "likeCount", "comments turned off": "commentCount"}[alert.facts[0]] not in statistics
        if alert.kind is RuleKind.TITLE:
            return bool(snippet["title"].encode("utf-8", "replace").decode() == alert.facts[1])
        assert alert.metric is not None
        return bool(str(statistics[COUNTERS[alert.metric]]).rjust(19, "0") == str(alert.current).rjust(19, "0"))
    return False


def test_an_answer_about_videos_tells_nothing_but_what_it_says(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    """Each answer comes twice, four hours apart, so that all of it is taken as true that ever could be; then it is forgotten again."""
    samples = {path: sample for path, sample in _samples().items() if path in (BATCH_STATS.path, VIDEOS.path)}
    journal = Journal(tmp_path / "journal.db", PLAYLIST, TargetKind.PLAYLIST)
    journal.add_target(IDS, NOW)
    for line in LINES:
        journal.add_rule(line, NOW)
    journal.accept(list(_readings(VIDEOS.path, json.dumps(samples[VIDEOS.path].value).encode(), NOW)), NOW)
    told = 0

    def check(made: tuple[str, bytes]) -> None:
        nonlocal told
        path, raw = made
        journal.con.execute("BEGIN IMMEDIATE")
        try:
            for at in (NOW + timedelta(minutes=1), NOW + timedelta(hours=4)):
                for alert in accept(journal.con, list(_readings(path, raw, at)), at).alerts:
                    assert _said(raw, alert), alert
                    assert alert.current is None or 0 <= alert.current <= BIGGEST
                    told += 1
        except YouTubeError as error:
            assert error.reason == "malformed"
        finally:
            journal.con.execute("ROLLBACK")

    def make(dice: Random) -> tuple[str, bytes]:
        path = dice.choice(sorted(samples))
        return path, body(dice, samples[path].value)

    fuzz(sized(500, 40_000), make, check)
    assert told
    journal.con.close()


def test_any_answer_of_youtube_is_read_or_is_one_of_its_errors(sized: Callable[[int, int], int]) -> None:
    samples = _samples()

    def check(made: tuple[str, bytes]) -> None:
        path, raw = made
        try:
            answer = parse.decode(raw, samples[path].kind)
            match path:
                case PLAYLIST_ITEMS.path:
                    parse.page(answer)
                case CHANNELS.path:
                    parse.channels_answer(answer)
                case PLAYLISTS.path:
                    parse.playlists_answer(answer)
                case BATCH_STATS.path:
                    parse.stats_answer(answer, IDS)
                case _:
                    parse.videos_answer(answer, IDS)
        except YouTubeError as error:
            assert error.reason == "malformed"
            str(error).encode()

    def make(dice: Random) -> tuple[str, bytes]:
        path = dice.choice(sorted(samples))
        return path, body(dice, samples[path].value)

    fuzz(sized(1_500, 250_000), make, check)


def test_any_error_of_youtube_is_sorted(sized: Callable[[int, int], int]) -> None:
    samples = [error.body for error in ERRORS]

    def check(made: tuple[int, bytes, dict[str, str]]) -> None:
        error = classify(*made)
        str(error).encode()
        assert str(made[0]) in str(error)
        assert error.retry_after is None or timedelta(0) <= error.retry_after <= timedelta(days=1)

    def make(dice: Random) -> tuple[int, bytes, dict[str, str]]:
        words = [str(value) for value in HOSTILE_VALUES] + ["120", "Mon, 05 Oct 2026 17:00:00 GMT", "Mon, 05 Oct 2026 17:01:00 +9999"]
        headers = {name: text(dice, dice.choice(words)) for name in ("retry-after", "date")}
        return dice.choice((400, 401, 403, 404, 429, 500, 503, 302, 204)), body(dice, dice.choice(samples)), headers

    fuzz(sized(500, 120_000), make, check)


REFUSALS = (
    {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"},
    {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"},
    {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 5", "parameters": {"retry_after": 5}},
    {"ok": False, "error_code": 400, "description": "group upgraded", "parameters": {"migrate_to_chat_id": -1001234567890}},
    {"ok": True, "result": {"message_id": 7, "date": 1790000000, "chat": {"id": 5, "type": "private"}, "text": "hello"}},
)
"""As the official server writes them."""


def test_any_answer_to_a_message_says_what_became_of_it(sized: Callable[[int, int], int]) -> None:
    """What has `ok: true` was delivered, whatever else it says; of anything else the sender says what follows."""
    status, now = 200, b""
    runner = asyncio.Runner()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=now))

    async def send() -> None:
        async with TelegramSender(URL, BOT_TOKEN, transport=transport) as sender:
            repr((await sender.send("telegram:-1001234567890:5", Outgoing("<b>x</b>", "x"))).remote_id).encode()

    def check(made: tuple[int, bytes]) -> None:
        nonlocal now, status
        status, now = made
        try:
            runner.run(send())
        except DeliveryError as error:
            str(error).encode()
            assert error.failure in Failure
            assert error.retry_after is None or timedelta(0) <= error.retry_after
            if error.migrate_to is not None:
                check_address(error.migrate_to)
        else:
            assert json.loads(now)["ok"] is True

    with runner:
        fuzz(sized(500, 60_000), lambda dice: (dice.choice((200, 400, 403, 429, 502)), body(dice, dice.choice(REFUSALS))), check)


def _updates() -> list[dict[str, Any]]:
    """Some updates as the double makes them."""
    double = TelegramDouble(lambda: NOW)
    double.add_chat(CHAT, "private", "Somebody")
    double.add_chat(-100, "supergroup", "A group", {5: "A topic"})
    double.user_writes(CHAT, f"/add https://youtu.be/{IDS[0]}")
    double.user_writes(CHAT, "/list", language="de")
    double.user_writes(-100, "/quiet 22:00-07:00", thread=5)
    double.add_bot(-100)
    double.block(CHAT)
    return [update for _, update in double.updates.pending]


def test_updates_of_any_shape_stop_nothing_that_comes_behind_them(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    """Each answer of getUpdates is followed by a sound one, whose only update has to be handled, once."""
    samples, answers, handled = _updates(), list[bytes](), list[int]()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=answers.pop(0)))
    database = Database(tmp_path / "journal.db")
    number = 10**6

    async def handle(update: Mapping[str, Any]) -> None:
        handled.append(update["update_id"])
        if len(handled) % 2:
            raise ValueError("poison")

    async def nothing() -> None: ...

    async def notify(incident: str, said: str) -> None:
        said.encode()

    async def rounds(raw: bytes) -> None:
        nonlocal number
        async with BotSetup(URL, BOT_TOKEN, transport=transport) as setup:
            poller = UpdatePoller(setup, database, VirtualClock(NOW), nothing, handle, notify, lambda: None)
            number += 1
            answers[:] = [raw, json.dumps({"ok": True, "result": [{"update_id": number, "message": {}}]}).encode()]
            await poller._round()
            if answers:
                await poller._round()
            await poller._lanes.fewer_than(1)
            await poller._lanes.close()
            assert handled.count(number) == 1, handled[-5:]
            answers[:] = [raw, raw, raw]
            find_chats(await _or_none(setup.updates(0, 0)))
            await _or_none(setup.get_me())
            await _or_none(setup.webhook_info())

    def make(dice: Random) -> bytes:
        picked = dice.sample(samples, dice.randint(1, 3))
        return body(dice, {"ok": True, "result": picked})

    with asyncio.Runner() as runner, contextlib.closing(database), capture_logs():
        fuzz(sized(100, 10_000), make, lambda raw: runner.run(rounds(raw)))


async def _or_none(call: Awaitable[T]) -> T | Any:
    try:
        return await call
    except TelegramError as error:
        str(error).encode()
        return []
