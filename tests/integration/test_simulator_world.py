"""The simulated world: growth, what happens by itself, the demo, and how the doubles are served and controlled."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import statistics
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, demo, make_channel_id, make_playlist_id, make_video_id, serve
from ytwatcher.simulator.growth import BREAK_FACTOR, COUNTING_BREAK_AT, STEP, Growth, calibrated, poisson
from ytwatcher.simulator.world import SimVideo
from ytwatcher.simulator.youtube import API_KEY
from ytwatcher.tls import trusted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = make_video_id(1)


class Hands:
    """A clock that a test sets."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def series(growth: Growth, hours: int, *, start_at: datetime = NOON, age: timedelta = 24 * HOUR, every: timedelta = STEP) -> list[SimVideo]:
    """What a video of 100,000 views goes through, looked at `every` so often."""
    hands = Hands(start_at)
    world = World(hands.now)
    video = world.add_video(ONE, views=100_000, likes=3000, comments=340, published_at=start_at - age, growth=growth)
    seen = []
    while hands.at < start_at + hours * HOUR:
        hands.at += every
        world.advance()
        seen.append(SimVideo(ONE, "", video.channel_id, video.published_at, video.views, video.likes, video.comments))
    return seen


def falls(values: list[int | None]) -> float:
    known = [value or 0 for value in values]
    return sum(after < before for before, after in itertools.pairwise(known)) / (len(known) - 1)


def test_counters_move_every_five_minutes_and_not_in_between() -> None:
    seen = series(Growth(1e6), 2, every=timedelta(minutes=1))
    changes = [n for n, (a, b) in enumerate(itertools.pairwise(seen)) if a.likes != b.likes]
    assert len(changes) in (23, 24)
    assert {b - a for a, b in itertools.pairwise(changes)} == {5}


def test_the_numbers_do_not_depend_on_how_often_one_looks() -> None:
    often, seldom = series(Growth(1e6), 24), series(Growth(1e6), 24, every=6 * HOUR)
    assert often[-1] == seldom[-1]
    assert series(Growth(1e6, seed=2), 24)[-1] != often[-1]


def test_growth_follows_the_recorded_rates_by_age() -> None:
    rates = {hours: Growth(1e6).views_per_hour(hours, NOON) / BREAK_FACTOR for hours in (0.5, 9, 36, 168, 720)}
    recorded = {0.5: 16_900, 9: 8_400, 36: 3_700, 168: 1_300, 720: 500}
    for hours, rate in rates.items():
        assert 0.5 < rate / recorded[hours] < 2, (hours, rate)
    assert Growth.of_rate(3600, 30 * HOUR).views_per_hour(30, datetime(2025, 1, 1, tzinfo=UTC)) == pytest.approx(3600)


def test_likes_and_comments_step_back_now_and_then_and_views_seldom() -> None:
    seen = series(Growth(3e5), 24 * 60, age=300 * HOUR, every=5 * STEP)
    assert 0.01 < falls([video.likes for video in seen]) < 0.08
    assert 0.01 < falls([video.comments for video in seen]) < 0.12
    assert 0 < falls([video.views for video in seen]) < 0.03


def test_young_views_freeze_and_catch_up() -> None:
    seen = series(Growth(1e6), 20, age=HOUR)
    views = [video.views or 0 for video in seen]
    steps = [after - before for before, after in itertools.pairwise(views)]
    still = sum(step == 0 for step in steps) / len(steps)
    assert 0.05 < still < 0.5
    assert max(steps) > 3 * statistics.median(steps)


def test_a_waiting_premiere_gets_likes_but_no_views() -> None:
    seen = series(Growth(1e6, waiting=True), 2)
    assert {video.views for video in seen} == {100_000}
    assert (seen[-1].likes or 0) > 3100


def test_views_jump_at_the_counting_break_and_run_faster_after_it() -> None:
    start_at = COUNTING_BREAK_AT - 12 * HOUR
    views = [video.views or 0 for video in series(Growth(1e5), 24, start_at=start_at, age=900 * HOUR)]
    jump = max(after / before for before, after in itertools.pairwise(views))
    assert jump == pytest.approx(BREAK_FACTOR, abs=0.01)


def test_what_is_hidden_or_turned_off_stays_so_while_the_rest_grows() -> None:
    hands = Hands()
    world = World(hands.now)
    video = world.add_video(ONE, views=10, likes=None, comments=None, growth=Growth(1e6))
    hands.at += HOUR
    world.advance()
    assert (video.likes, video.comments) == (None, None)
    assert (video.views or 0) > 10


def test_releases_are_spread_as_the_recorded_ones() -> None:
    rng = random.Random(1)
    starts = sorted((calibrated(rng, 100 * HOUR, 1) for _ in range(2000)), key=lambda start: start.views)
    for share, recorded in ((0.1, 2.7e4), (0.5, 2.9e5), (0.9, 3.2e6)):
        assert 0.6 < starts[int(share * 2000)].views / recorded < 1.6
    assert statistics.median(start.likes / start.views for start in starts if start.views > 1000) == pytest.approx(0.03, rel=0.2)
    assert statistics.mean(poisson(rng, 3.0) for _ in range(4000)) == pytest.approx(3.0, rel=0.1)


def test_what_is_on_the_agenda_happens_in_its_order_however_late_one_looks() -> None:
    hands = Hands()
    world = World(hands.now)
    happened: list[tuple[str, datetime]] = []
    world.at(NOON + 3 * HOUR, lambda at: happened.append(("late", at)))
    world.at(NOON + HOUR, lambda at: happened.append(("early", at)))
    world.every(2 * HOUR, lambda at: happened.append(("again", at)))
    hands.at = NOON + 5 * HOUR
    world.advance()
    assert [(name, (at - NOON) // HOUR) for name, at in happened] == [("early", 1), ("again", 2), ("late", 3), ("again", 4)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_within_the_demos_first_hour_all_sorts_of_things_happen(seed: int) -> None:
    hands = Hands()
    play = demo.build(hands.now, seed=seed)
    world = play.world
    before = {video.id: (video.views or 0, video.likes, video.title) for video in world.videos.values()}
    hands.at += HOUR
    world.advance()
    after = world.videos
    passed = [
        rung
        for video_id, (views, _, _) in before.items()
        for rung in (10_000, 100_000, 500_000)
        if views < rung <= (after[video_id].views or 0)
    ]
    assert len(passed) >= 2
    assert len(after) == len(before) + 1
    assert sum(video.title != before[video.id][2] for video in after.values() if video.id in before) == 2
    assert sum(video.state == "private" for video in after.values()) == 1
    assert [sum(count is None for count in counts) for counts in zip(*((v.likes, v.comments) for v in after.values()), strict=True)] == [
        1,
        1,
    ]
    assert any((channel.subscribers or 0) >= 100_000 for channel in world.channels.values())
    assert any(entry.added_at > NOON for playlist in world.playlists.values() for entry in playlist.entries)
    assert play.youtube.faults.planned
    assert len(play.suggested) >= 12 and len(play.telegram.chats) == 1


def test_in_the_demo_a_video_comes_back_and_the_channel_goes_on_publishing() -> None:
    hands = Hands()
    world = demo.build(hands.now).world
    count = len(world.videos)
    hands.at += 13 * HOUR
    world.advance()
    assert [video.state for video in world.videos.values() if video.state == "private"] == []
    newest = max(world.videos.values(), key=lambda video: video.published_at)
    assert (len(world.videos) - count, newest.published_at) == (3, NOON + 12 * HOUR + timedelta(minutes=20))


def test_a_fixed_port_can_be_served_again_at_once_and_open_calls_end_with_the_server() -> None:
    async def go() -> None:
        double = TelegramDouble(lambda: NOON)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        async with httpx.AsyncClient(trust_env=False, verify=trusted(), timeout=60) as http:
            for _ in range(2):
                async with serve(double.app, port) as url:
                    assert url == f"http://127.0.0.1:{port}"
                    poll = asyncio.create_task(http.get(f"{url}/bot{double.token}/getUpdates?timeout=50"))
                    while not double.updates.polled:
                        await http.get(f"{url}/bot{double.token}/getMe")
                with pytest.raises(httpx.TransportError):
                    await poll

    asyncio.run(go())


def controlled(scene: Callable[[httpx.AsyncClient, httpx.AsyncClient, str], Awaitable[None]]) -> None:
    async def go() -> None:
        youtube = YouTubeDouble(World(lambda: NOON), lambda: NOON, control=True)
        telegram = TelegramDouble(lambda: NOON, control=True)
        async with (
            serve(youtube.app) as y,
            serve(telegram.app) as t,
            httpx.AsyncClient(base_url=y, trust_env=False, verify=trusted()) as a,
            httpx.AsyncClient(base_url=t, trust_env=False, verify=trusted()) as b,
        ):
            await scene(a, b, f"/bot{telegram.token}")

    asyncio.run(go())


def test_another_process_controls_the_youtube_double_over_http() -> None:
    async def scene(http: httpx.AsyncClient, _: httpx.AsyncClient, __: str) -> None:
        channel, playlist = make_channel_id(1), make_playlist_id(1)
        assert (await http.put(f"/control/channels/{channel}", json={"title": "Mine"})).status_code == 200
        made = await http.put(
            f"/control/videos/{ONE}", json={"views": 5, "channel_id": channel, "published_at": "2026-01-01T00:00:00+00:00"}
        )
        assert made.json()["published_at"] == "2026-01-01T00:00:00+00:00"
        assert (await http.patch(f"/control/videos/{ONE}", json={"views": 999, "likes": None})).json()["views"] == 999
        assert (await http.patch(f"/control/channels/{channel}", json={"subscribers": 5})).json()["subscribers"] == 5
        assert (await http.put(f"/control/playlists/{playlist}", json={"title": "List"})).json() == []
        assert (await http.post(f"/control/playlists/{playlist}/entries", json={"video_id": ONE})).json()["video_id"] == ONE
        await http.post("/control/faults", json={"method": "*", "kind": "html502", "until": "2026-11-24T13:00:00+00:00"})
        await http.patch("/control/limits", json={"default": 2})
        params = {"part": "statistics", "id": ONE, "key": API_KEY}
        assert (await http.get("/youtube/v3/videos", params=params)).status_code == 502
        await http.delete("/control/faults")
        assert (await http.get("/youtube/v3/videos", params=params)).json()["items"][0]["statistics"]["viewCount"] == "999"
        assert (await http.get("/youtube/v3/videos", params=params)).status_code == 403
        assert (await http.get("/control/used")).json()["default"] == 2
        assert [call["status"] for call in (await http.get("/control/calls")).json()] == [502, 200, 403]
        wrong = await http.patch(f"/control/videos/{ONE}", json={"colour": "red"})
        assert (wrong.status_code, "colour" in wrong.json()["error"]) == (400, True)

    controlled(scene)


def test_another_process_controls_the_telegram_double_over_http() -> None:
    async def scene(_: httpx.AsyncClient, http: httpx.AsyncClient, bot: str) -> None:
        await http.put("/control/chats/-1007", json={"kind": "supergroup", "title": "Forum", "topics": {"3": "News"}})
        message = {"chat_id": -1007, "text": "<i>Hi</i>", "parse_mode": "HTML", "message_thread_id": 3}
        assert (await http.post(f"{bot}/sendMessage", json=message)).json()["ok"]
        delivered = (await http.get("/control/messages")).json()
        assert [(one["shown"], one["thread"], one["at"]) for one in delivered] == [("Hi", 3, NOON.isoformat())]
        assert not (await http.post(f"{bot}/sendMessage", json=message)).json()["ok"]
        assert (await http.get("/control/violations")).json() == 1
        await http.post("/control/chats/-1007/kick")
        assert (await http.post(f"{bot}/sendMessage", json=message)).status_code == 403
        await http.put("/control/chats/5", json={})
        await http.post("/control/chats/5/user_writes", json={"text": "hello"})
        await http.post("/control/updates", json={"news": {}})
        assert len((await http.post(f"{bot}/getUpdates")).json()["result"]) == 3
        await http.post("/control/lose_answers", json={"times": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post(f"{bot}/sendMessage", json={"chat_id": 5, "text": "x"})
        await http.post("/control/faults", json={"method": "getMe", "kind": "restart500"})
        assert (await http.post(f"{bot}/getMe")).status_code == 500
        await http.delete("/control/faults")
        assert (await http.post(f"{bot}/getMe")).status_code == 200
        assert (await http.get("/control/calls")).json()[-1]["method"] == "getMe"
        assert (await http.post("/control/chats/5/dance")).status_code == 400

    controlled(scene)


def test_without_the_switch_there_is_no_control() -> None:
    async def go() -> None:
        async with (
            serve(YouTubeDouble(World(lambda: NOON), lambda: NOON).app) as url,
            httpx.AsyncClient(trust_env=False, verify=trusted()) as http,
        ):
            assert (await http.get(f"{url}/control/calls")).status_code == 404

    asyncio.run(go())
