"""The YouTube double, item by item as docs/simulator.md lists them."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ytwatcher.core.model import VideoId
from ytwatcher.simulator import World, YouTubeDouble, make_channel_id, make_playlist_id, make_video_id, serve
from ytwatcher.simulator.world import CHANNEL_ID, VIDEO_ID, WITNESSES
from ytwatcher.simulator.youtube import API_KEY
from ytwatcher.tls import trusted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONE, TWO, THREE = make_video_id(1), make_video_id(2), make_video_id(3)


@dataclass
class Stage:
    """A world under a clock that a test sets, its double, and a client of it."""

    at: datetime
    world: World
    double: YouTubeDouble
    http: httpx.AsyncClient

    async def get(self, method: str, *, key: str = API_KEY, etag: str = "", **params: str) -> httpx.Response:
        return await self.http.get(f"/{method}", params=params, headers={"X-Goog-Api-Key": key, "If-None-Match": etag})

    async def ok(self, method: str, **params: str) -> dict[str, Any]:
        response = await self.get(method, **params)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def refused(self, method: str, *, key: str = API_KEY, **params: str) -> tuple[int, dict[str, Any]]:
        response = await self.get(method, key=key, **params)
        error: dict[str, Any] = response.json()["error"]
        assert response.status_code == error["code"]
        return response.status_code, error


def staged(scene: Callable[[Stage], Awaitable[None]]) -> Callable[[], None]:
    async def play() -> None:
        hands: list[Stage] = []

        def now() -> datetime:
            return hands[0].at if hands else NOON

        world = World(now)
        double = YouTubeDouble(world, now)
        async with serve(double.app) as url, httpx.AsyncClient(base_url=f"{url}/youtube/v3", trust_env=False, verify=trusted()) as http:
            hands.append(Stage(NOON, world, double, http))
            await scene(hands[0])

    def test() -> None:
        asyncio.run(play())

    return test


def ids(body: dict[str, Any]) -> set[str]:
    return {item["id"] for item in body["items"]}


# 1: paths and keys


@staged
async def test_the_key_goes_in_the_header_or_in_the_query(s: Stage) -> None:
    s.world.add_video(ONE, views=5)
    assert ids(await s.ok("videos", part="statistics", id=ONE)) == {ONE}
    response = await s.http.get("videos", params={"part": "id", "id": ONE, "key": API_KEY})
    assert response.status_code == 200
    assert all(API_KEY not in str(call) for call in s.double.calls)


@staged
async def test_a_wrong_key_is_a_400_and_no_key_a_403_and_neither_costs(s: Stage) -> None:
    status, error = await s.refused("videos", key="other", part="id", id=ONE)
    assert (status, error["errors"][0]["reason"], error["details"][0]["reason"]) == (400, "badRequest", "API_KEY_INVALID")
    nothing = await s.http.get("videos", params={"part": "id", "id": ONE})
    assert (nothing.status_code, nothing.json()["error"]["errors"][0]["reason"]) == (403, "forbidden")
    assert s.double.used("default") == 0


# 2: forms of values


@staged
async def test_counters_are_strings_and_absent_when_hidden_or_turned_off(s: Stage) -> None:
    s.world.add_video(ONE, views=2**60, likes=None, comments=None)
    s.world.add_video(TWO, views=None, likes=3, comments=4)
    s.world.add_video(THREE).statistics = False
    body = await s.ok("videos", part="statistics", id=f"{ONE},{TWO},{THREE}")
    found = {item["id"]: item.get("statistics") for item in body["items"]}
    assert found[ONE] == {"viewCount": str(2**60), "favoriteCount": "0"}
    assert found[TWO] == {"likeCount": "3", "favoriteCount": "0", "commentCount": "4"}
    assert found[THREE] is None


@staged
async def test_subscribers_are_rounded_down_to_three_figures_or_hidden(s: Stage) -> None:
    open_id, hidden_id = make_channel_id(1), make_channel_id(2)
    channel = s.world.add_channel(open_id, subscribers=123_999, handle="@Open", username="opener")
    channel.total_views, channel.video_count = 77, 5
    s.world.add_channel(hidden_id, subscribers=None)
    body = await s.ok("channels", part="statistics,contentDetails,snippet", id=f"{open_id},{hidden_id}")
    found = {item["id"]: item["statistics"] for item in body["items"]}
    assert found[open_id] == {"viewCount": "77", "subscriberCount": "123000", "hiddenSubscriberCount": False, "videoCount": "5"}
    assert found[hidden_id] == {"viewCount": "0", "hiddenSubscriberCount": True, "videoCount": "0"}
    for how in ({"forHandle": "open"}, {"forHandle": "@OPEN"}, {"forUsername": "Opener"}):
        assert ids(await s.ok("channels", part="id", **how)) == {open_id}


@staged
async def test_what_is_live_or_to_come_lasts_p0d_and_thumbnails_may_be_empty(s: Stage) -> None:
    video = s.world.add_video(ONE, live="upcoming")
    video.thumbnails = False
    video.scheduled_start_at = NOON + timedelta(minutes=5)
    item = (await s.ok("videos", part="contentDetails,snippet,liveStreamingDetails", id=ONE))["items"][0]
    assert item["contentDetails"]["duration"] == "P0D"
    assert (item["snippet"]["liveBroadcastContent"], item["snippet"]["thumbnails"]) == ("upcoming", {})
    assert item["liveStreamingDetails"] == {"scheduledStartTime": "2026-11-24T12:05:00Z"}


@pytest.mark.parametrize(("seconds", "text"), [(213, "PT3M33S"), (86_400, "P1D"), (93_784, "P1DT2H3M4S"), (0, "PT0S")])
def test_durations_are_iso_8601(seconds: int, text: str) -> None:
    @staged
    async def scene(s: Stage) -> None:
        s.world.add_video(ONE).duration = timedelta(seconds=seconds)
        assert (await s.ok("videos", part="contentDetails", id=ONE))["items"][0]["contentDetails"]["duration"] == text

    scene()


# 3: what is left out, and the order


@staged
async def test_unknown_private_deleted_and_misshapen_ids_are_left_out_silently(s: Stage) -> None:
    s.world.add_video(ONE)
    s.world.add_video(TWO).state = "private"
    s.world.add_video(THREE).state = "deleted"
    for method in ("videos", "videos:batchGetStats"):
        assert ids(await s.ok(method, part="statistics", id=f"{ONE},{ONE},{TWO},{THREE},short,{make_video_id(9)}")) == {ONE}
    body = await s.ok("videos", part="statistics", id=TWO)
    assert (body["items"], body["pageInfo"]) == ([], {"totalResults": 0, "resultsPerPage": 0})


@staged
async def test_items_come_in_no_particular_order(s: Stage) -> None:
    asked = [s.world.add_video(make_video_id(n)).id for n in range(20)]
    orders = {tuple(item["id"] for item in (await s.ok("videos", part="id", id=",".join(asked)))["items"]) for _ in range(3)}
    assert len(orders) == 3


@staged
async def test_an_answer_without_channels_has_no_items_key(s: Stage) -> None:
    s.world.add_channel(make_channel_id(1)).state = "terminated"
    body = await s.ok("channels", part="id", id=make_channel_id(1))
    assert "items" not in body
    assert body["pageInfo"] == {"totalResults": 0, "resultsPerPage": 5}


@staged
async def test_channels_without_max_results_are_cut_at_five(s: Stage) -> None:
    asked = ",".join(s.world.add_channel(make_channel_id(n)).id for n in range(1, 9))
    assert len((await s.ok("channels", part="id", id=asked))["items"]) == 5
    assert len((await s.ok("channels", part="id", id=asked, maxResults="50"))["items"]) == 8


@staged
async def test_batch_statistics_come_in_every_form_that_is_not_settled(s: Stage) -> None:
    s.world.add_video(ONE, views=7, likes=None, comments=2)
    parts = {"part": "snippet,statistics,contentDetails", "id": f"{ONE},{TWO}"}
    plain = await s.ok("videos:batchGetStats", **parts)
    assert plain["items"][0]["statistics"] == {"viewCount": "7", "commentCount": "2"}
    assert plain["items"][0]["snippet"] == {"publishTime": "2026-11-24T12:00:00Z"}
    assert "summary" not in plain and "pageInfo" not in plain
    s.double.stats.summary = s.double.stats.numbers = True
    documented = await s.ok("videos:batchGetStats", **parts)
    assert documented["items"][0]["statistics"] == {"viewCount": 7, "commentCount": 2}
    assert documented["items"][0]["contentDetails"] == {"duration": "PT3M33S", "durationMillis": "213000"}
    assert documented["summary"] == {
        "requestedVideoCount": "2",
        "succeededVideoCount": "1",
        "failedVideoCount": "1",
        "failedVideoIds": [TWO],
    }
    s.double.stats.available = False
    absent = await s.get("videos:batchGetStats", **parts)
    assert (absent.status_code, absent.text.startswith("<!DOCTYPE html>")) == (404, True)


# 4: strict parameters, lists


@staged
async def test_bad_requests_are_refused_and_still_cost_a_unit(s: Stage) -> None:
    many = ",".join(make_video_id(n) for n in range(51))
    refusals: list[tuple[str, dict[str, str], str]] = [
        ("videos", {"part": "id", "id": many}, "invalidFilters"),
        ("videos:batchGetStats", {"part": "id", "id": many}, "invalidFilters"),
        ("videos", {"part": "id", "id": "a b"}, "invalidFilters"),
        ("videos", {"part": "id", "id": ""}, "missingRequiredParameter"),
        ("videos", {"part": "id"}, "missingRequiredParameter"),
        ("videos", {"part": "id", "id": ONE, "chart": "mostPopular"}, "incompatibleParameters"),
        ("videos", {"id": ONE}, "required"),
        ("videos", {"part": "snippet,nonsense", "id": ONE}, "unknownPart"),
        ("videos:batchGetStats", {"part": "status", "id": ONE}, "unknownPart"),
        ("videos", {"part": "id", "id": ONE, "maxResults": "51"}, "invalidParameter"),
        ("videos", {"part": "id", "id": ONE, "maxResults": "0"}, "invalidParameter"),
        ("videos", {"part": "id", "id": ONE, "maxResults": "many"}, "invalidParameter"),
        ("videos", {"part": "id", "id": ONE, "colour": "red"}, "badRequest"),
        ("videos", {"part": "id", "id": ONE, "fields": "items(id"}, "invalidParameter"),
        ("playlistItems", {"part": "id", "playlistId": "UU4QobU6STFB0P71PMvOGN5A", "pageToken": "next"}, "invalidPageToken"),
    ]
    for method, params, reason in refusals:
        status, error = await s.refused(method, **params)
        assert (status, error["errors"][0]["reason"]) == (400, reason), params
    assert s.double.used("default") + s.double.used("batchGetStats") == len(refusals)
    assert "Expected one of: myRating, id, chart" in (await s.refused("videos", part="id", id=""))[1]["message"]
    assert (await s.refused("videos", part="fileDetails", id=ONE))[0] == 403
    assert (await s.refused("channels", part="id", mine="true"))[0] == 401
    assert (await s.refused("videos", part="id", chart="mostPopular"))[0] == 501


@staged
async def test_a_list_is_read_in_pages_by_opaque_tokens(s: Stage) -> None:
    videos = [s.world.add_video(make_video_id(n)).id for n in range(12)]
    playlist = s.world.add_playlist(make_playlist_id(1), "Twelve", None, videos)
    params = {"part": "snippet,contentDetails", "playlistId": playlist.id, "maxResults": "5"}
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        body = await s.ok("playlistItems", **params, **token)
        seen += [item["contentDetails"]["videoId"] for item in body["items"]]
        assert body["pageInfo"] == {"totalResults": 12, "resultsPerPage": 5}
        if "nextPageToken" not in body:
            break
        token = {"pageToken": body["nextPageToken"]}
    assert seen == videos
    assert body["prevPageToken"]
    other = s.world.add_playlist(make_playlist_id(2))
    status, error = await s.refused("playlistItems", part="id", playlistId=other.id, **token)
    assert (status, error["errors"][0]["reason"]) == (400, "invalidPageToken")
    assert len((await s.ok("playlistItems", part="id", playlistId=playlist.id))["items"]) == 5
    one = await s.ok("playlistItems", part="contentDetails", playlistId=playlist.id, videoId=videos[7])
    assert [item["contentDetails"]["videoId"] for item in one["items"]] == [videos[7]]
    assert ids(await s.ok("playlistItems", part="id", id=one["items"][0]["id"])) == {one["items"][0]["id"]}


@staged
async def test_a_list_that_changes_between_pages_repeats_an_entry(s: Stage) -> None:
    playlist = s.world.add_playlist(make_playlist_id(1), video_ids=[ONE, TWO, THREE])
    first = await s.ok("playlistItems", part="contentDetails", playlistId=playlist.id, maxResults="2")
    playlist.add(make_video_id(4), position=0)
    second = await s.ok("playlistItems", part="contentDetails", playlistId=playlist.id, maxResults="2", pageToken=first["nextPageToken"])
    assert [item["contentDetails"]["videoId"] for item in second["items"]] == [TWO, THREE]


@staged
async def test_dead_entries_stay_in_an_ordinary_playlist_and_leave_the_uploads(s: Stage) -> None:
    channel = s.world.add_channel(make_channel_id(1), "Mine")
    for n, video_id in enumerate((ONE, TWO, THREE)):
        s.world.add_video(video_id, title=f"Number {n}", channel_id=channel.id, published_at=NOON + timedelta(minutes=n))
    playlist = s.world.add_playlist(make_playlist_id(1), "All", channel.id, [ONE, TWO, THREE])
    s.world.videos[ONE].state = "deleted"
    s.world.videos[TWO].state = "private"
    body = await s.ok("playlistItems", part="snippet,contentDetails,status", playlistId=playlist.id)
    deleted, private, alive = body["items"]
    assert (deleted["snippet"]["title"], private["snippet"]["title"]) == ("Deleted video", "Private video")
    assert deleted["snippet"]["thumbnails"] == {}
    assert "videoOwnerChannelId" not in deleted["snippet"] and "videoOwnerChannelId" not in private["snippet"]
    assert "videoPublishedAt" not in deleted["contentDetails"]
    assert [item["status"]["privacyStatus"] for item in body["items"]] == ["privacyStatusUnspecified", "private", "public"]
    assert alive["snippet"]["videoOwnerChannelId"] == channel.id
    s.world.videos[TWO].state = "public"
    uploads = await s.ok("playlistItems", part="contentDetails", playlistId=channel.uploads_id)
    assert [item["contentDetails"]["videoId"] for item in uploads["items"]] == [THREE, TWO]
    assert ids(await s.ok("playlists", part="snippet", id=channel.uploads_id)) == {channel.uploads_id}
    assert (await s.ok("playlists", part="contentDetails", id=playlist.id))["items"][0]["contentDetails"] == {"itemCount": 3}
    assert ids(await s.ok("playlists", part="id", channelId=channel.id)) == {playlist.id}
    playlist.remove(ONE)
    assert len((await s.ok("playlistItems", part="id", playlistId=playlist.id))["items"]) == 2


@staged
async def test_playlists_that_a_stranger_may_not_read_say_so(s: Stage) -> None:
    for state, status, reason in (("private", 404, "playlistNotFound"), ("closed", 403, "playlistItemsNotAccessible")):
        playlist = s.world.add_playlist(make_playlist_id(1))
        playlist.state = state  # type: ignore[assignment]  # one of its literals
        got, error = await s.refused("playlistItems", part="id", playlistId=playlist.id)
        assert (got, error["errors"][0]["reason"], error["errors"][0]["location"]) == (status, reason, "playlistId")
    for playlist_id, reason in (("WL", "watchLaterNotAccessible"), ("HL", "watchHistoryNotAccessible")):
        assert (await s.refused("playlistItems", part="id", playlistId=playlist_id))[1]["errors"][0]["reason"] == reason


# 5: quota and faults


@staged
async def test_an_empty_bucket_is_told_in_its_own_form_and_filled_at_pacific_midnight(s: Stage) -> None:
    s.at = datetime(2026, 11, 1, 6, 59, tzinfo=UTC)  # the last minute of 31 October in California; the next day has 25 hours
    s.double.bucket_limits.update(default=2, batchGetStats=1)
    for _ in range(2):
        await s.ok("videos", part="id", id=ONE)
    await s.ok("videos:batchGetStats", part="id", id=ONE)
    status, error = await s.refused("videos", part="id", id=ONE)
    assert (status, error["errors"][0]["reason"], "status" in error) == (403, "quotaExceeded", False)
    status, error = await s.refused("videos:batchGetStats", part="id", id=ONE)
    metadata = error["details"][0]["metadata"]
    assert (status, error["errors"][0]["reason"], metadata["quota_unit"]) == (429, "rateLimitExceeded", "1/d/{project}")
    assert metadata["window_start_time"] == str(int(datetime(2026, 10, 31, 7, tzinfo=UTC).timestamp()))
    assert (s.double.used("default"), s.double.used("batchGetStats")) == (2, 1)
    s.at = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
    assert s.double.used("default") == 0
    for _ in range(2):
        await s.ok("videos", part="id", id=ONE)
    for instant in (datetime(2026, 11, 2, 7, 59, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)):
        s.at = instant
        assert s.double.used("default") == (2 if instant.minute else 0)


@staged
async def test_each_fault_answers_in_its_form(s: Stage) -> None:
    forms: list[tuple[str, int, str]] = [
        ("quotaExceeded", 403, "quotaExceeded"),
        ("quotaExceeded429", 429, "rateLimitExceeded"),
        ("rateLimit", 429, "rateLimitExceeded"),
        ("backend500", 500, "backendError"),
        ("backend503", 503, "backendError"),
        ("notImplemented501", 501, "notImplemented"),
        ("badRequest400", 400, "invalidFilters"),
        ("badPageToken400", 400, "invalidPageToken"),
        ("keyInvalid", 400, "badRequest"),
        ("serviceDisabled", 403, "accessNotConfigured"),
    ]
    for kind, status, reason in forms:
        s.double.fail("videos.list", kind, times=1)
        got, error = await s.refused("videos", part="id", id=ONE)
        assert (got, error["errors"][0]["reason"]) == (status, reason)
        if kind == "rateLimit":
            assert error["details"][0]["metadata"]["quota_unit"] == "1/min/{project}"
        await s.ok("videos", part="id", id=ONE)
    for kind, status in (("html502", 502), ("notFound404", 404)):
        s.double.fail("*", kind, times=1)
        response = await s.get("channels", part="id", id=make_channel_id(1))
        assert (response.status_code, response.headers["content-type"].split(";")[0]) == (status, "text/html")
    s.double.fail("*", "notFound404", times=1, form="json")
    assert (await s.refused("videos", part="id", id=ONE))[1]["status"] == "NOT_FOUND"


@staged
async def test_faults_that_are_answers_lack_something(s: Stage) -> None:
    asked = ",".join(s.world.add_video(make_video_id(n), views=5, likes=2).id for n in range(8))
    s.double.fail("videos.batchGetStats", "empty200", times=1)
    assert (await s.ok("videos:batchGetStats", part="id", id=asked))["items"] == []
    s.double.fail("videos.list", "noItems", times=1)
    assert "items" not in await s.ok("videos", part="id", id=asked)
    s.double.fail("videos.batchGetStats", "missingLikes", times=1)
    body = await s.ok("videos:batchGetStats", part="statistics", id=asked)
    assert all(set(item["statistics"]) == {"viewCount", "commentCount"} for item in body["items"])
    s.double.fail("videos.list", "half")
    halves = [ids(await s.ok("videos", part="id", id=asked)) for _ in range(2)]
    assert len(halves[0]) == 4 and halves[0] == halves[1]
    s.double.clear()
    assert len(ids(await s.ok("videos", part="id", id=asked))) == 8


@staged
async def test_a_fault_ends_after_its_times_or_at_its_instant(s: Stage) -> None:
    s.double.fail("videos.list", "backend500", until=NOON + timedelta(minutes=5))
    s.double.fail("videos.list", "html502", times=2)
    statuses = []
    for minute in (0, 5, 6, 7):
        s.at = NOON + timedelta(minutes=minute)
        statuses.append((await s.get("videos", part="id", id=ONE)).status_code)
    assert statuses == [500, 502, 502, 200]
    with pytest.raises(ValueError, match="no fault is called"):
        s.double.fail("*", "fire")
    with pytest.raises(ValueError, match="no method is called"):
        s.double.fail("videos.rate", "cut")


@staged
async def test_answers_may_be_slow_or_break_off_in_the_middle(s: Stage) -> None:
    s.double.fail("videos.list", "cut", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await s.get("videos", part="id", id=ONE)
    s.double.fail("videos.list", "slow", times=1, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        await s.http.get("videos", params={"part": "id", "id": ONE}, headers={"X-Goog-Api-Key": API_KEY}, timeout=0.05)
    s.double.fail("videos.list", "slow", times=1, seconds=0.01)
    await s.ok("videos", part="id", id=ONE)
    assert [call.fault for call in s.double.calls] == ["cut", "slow", "slow"]


@staged
async def test_calls_are_recorded_with_what_they_cost(s: Stage) -> None:
    s.double.bucket_limits["default"] = 1
    await s.ok("videos", part="id", id=f"{ONE},{TWO}")
    await s.refused("videos", part="id", id=ONE)
    first, second = s.double.calls
    assert (first.method, first.ids, first.status, first.units, first.at) == ("videos.list", (ONE, TWO), 200, 1, NOON)
    assert (second.status, second.units) == (403, 0)


# 6: partial answers, transport


@staged
async def test_fields_select_parts_of_an_answer(s: Stage) -> None:
    s.world.add_video(ONE, views=5, title="Named")
    chosen = await s.ok("videos", part="snippet,statistics", id=ONE, fields="items(id,statistics/viewCount,snippet(title)),nextPageToken")
    assert chosen == {"items": [{"id": ONE, "statistics": {"viewCount": "5"}, "snippet": {"title": "Named"}}]}
    assert set(await s.ok("videos", part="id", id=ONE, fields="kind,pageInfo/totalResults")) == {"kind", "pageInfo"}
    assert (await s.ok("videos", part="id", id=ONE, fields="*"))["etag"]
    for wrong in ("items(", "items)", "items(id", "items(),kind", "a,,b", "a b", "/a", "items(id)x"):
        assert (await s.refused("videos", part="id", id=ONE, fields=wrong))[0] == 400, wrong


@staged
async def test_an_unchanged_answer_is_a_304_which_costs_too(s: Stage) -> None:
    video = s.world.add_video(ONE, views=5)
    first = await s.get("videos", part="statistics", id=ONE)
    assert first.headers["etag"] == f'"{first.json()["etag"]}"'
    again = await s.get("videos", etag=first.headers["etag"], part="statistics", id=ONE)
    assert (again.status_code, again.content, s.double.used("default")) == (304, b"", 2)
    video.views = 6
    changed = await s.get("videos", etag=first.headers["etag"], part="statistics", id=ONE)
    assert changed.status_code == 200


@staged
async def test_gzip_needs_the_word_in_the_user_agent_too(s: Stage) -> None:
    for agent, accepts, zipped in (("client (gzip)", "gzip", True), ("client", "gzip", False), ("client (gzip)", "identity", False)):
        headers = {"User-Agent": agent, "Accept-Encoding": accepts, "X-Goog-Api-Key": API_KEY}
        async with s.http.stream("GET", "videos", params={"part": "id", "id": ONE, "prettyPrint": "false"}, headers=headers) as response:
            raw = b"".join([chunk async for chunk in response.aiter_raw()])
        assert ("content-encoding" in response.headers) is zipped
        assert json.loads(gzip.decompress(raw) if zipped else raw)["kind"] == "youtube#videoListResponse"
        assert zipped or b"\n" not in raw


@staged
async def test_a_live_broadcast_starts_and_ends(s: Stage) -> None:
    video = s.world.add_video(ONE, live="upcoming")
    s.world.at(NOON + timedelta(minutes=5), lambda at: video.start_live(at, viewers=1888))
    s.world.at(NOON + timedelta(minutes=65), video.end_live)
    seen = []
    for minute in (0, 5, 65):
        s.at = NOON + timedelta(minutes=minute)
        item = (await s.ok("videos", part="snippet,liveStreamingDetails", id=ONE))["items"][0]
        seen.append((item["snippet"]["liveBroadcastContent"], item.get("liveStreamingDetails")))
    started = {"actualStartTime": "2026-11-24T12:05:00Z"}
    assert seen == [
        ("upcoming", None),
        ("live", {**started, "concurrentViewers": "1888"}),
        ("none", {**started, "actualEndTime": "2026-11-24T13:05:00Z"}),
    ]


# Field names against the official description of the API


def discovery() -> dict[str, Any]:
    package = importlib.util.find_spec("googleapiclient")
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "discovery_cache/documents/youtube.v3.json"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def unknown_fields(value: Any, schema: dict[str, Any], schemas: dict[str, Any], path: str) -> list[str]:
    """The fields of a value that its schema does not have."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        return [name for one in value for name in unknown_fields(one, schema["items"], schemas, path)]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    return [
        name
        for key, one in value.items()
        for name in (unknown_fields(one, known[key], schemas, f"{path}.{key}") if key in known else [f"{path}.{key}"])
    ]


@staged
async def test_every_field_is_one_that_the_discovery_document_knows(s: Stage) -> None:
    channel = s.world.add_channel(make_channel_id(1), "Mine", handle="@mine")
    video = s.world.add_video(ONE, channel_id=channel.id)
    video.start_live(NOON, viewers=5)
    s.world.add_video(TWO, channel_id=channel.id).state = "deleted"
    playlist = s.world.add_playlist(make_playlist_id(1), "Both", channel.id, [ONE, TWO, ONE, TWO, ONE, TWO])
    s.double.stats.summary = True
    calls = {
        ("videos", "list"): ("videos", {"part": "id,snippet,contentDetails,status,statistics,liveStreamingDetails", "id": ONE}),
        ("videos", "batchGetStats"): ("videos:batchGetStats", {"part": "id,snippet,contentDetails,statistics", "id": ONE}),
        ("channels", "list"): ("channels", {"part": "id,snippet,contentDetails,status,statistics", "id": channel.id}),
        ("playlists", "list"): ("playlists", {"part": "id,snippet,contentDetails,status", "id": playlist.id}),
        ("playlistItems", "list"): ("playlistItems", {"part": "id,snippet,contentDetails,status", "playlistId": playlist.id}),
    }
    document = discovery()
    unknown: list[str] = []
    for (resource, method), (path, params) in calls.items():
        described = document["resources"][resource]["methods"][method]
        assert described["path"] == f"youtube/v3/{path}"
        assert set(params) <= set(described["parameters"])
        unknown += unknown_fields(await s.ok(path, **params), described["response"], document["schemas"], path)
    assert unknown == ["videos:batchGetStats.items.contentDetails.durationMillis", "videos:batchGetStats.summary"]


# The world itself


def test_invented_ids_have_the_form_of_real_ones() -> None:
    assert all(VIDEO_ID.fullmatch(make_video_id(n)) and CHANNEL_ID.fullmatch(make_channel_id(n)) for n in range(500))
    assert len({make_video_id(n) for n in range(500)}) == len({make_channel_id(n) for n in range(500)}) == 500
    assert all(VIDEO_ID.fullmatch(video_id) for video_id in WITNESSES)


def test_a_world_refuses_what_cannot_be() -> None:
    world = World(lambda: NOON)
    with pytest.raises(ValueError, match="not a video id"):
        world.add_video("too-short")
    with pytest.raises(ValueError, match="not a channel id"):
        world.add_channel("UC")
    with pytest.raises(ValueError, match="add the channel"):
        world.add_video(ONE, channel_id=make_channel_id(5))


@staged
async def test_two_witnesses_of_two_channels_are_always_there(s: Stage) -> None:
    body = await s.ok("videos", part="snippet,statistics", id=",".join(WITNESSES))
    assert len({item["snippet"]["channelId"] for item in body["items"]}) == 2
    assert VideoId(body["items"][0]["id"]) in s.world.videos
