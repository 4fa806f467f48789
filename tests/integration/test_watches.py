"""What people do with watches, over a real journal and the double of YouTube."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from virtual_clock import VirtualClock
from ytwatcher import config
from ytwatcher.app import App, open_app
from ytwatcher.core.model import Metric, TargetKind
from ytwatcher.errors import InputError, RuleError, TargetError
from ytwatcher.simulator import World, YouTubeDouble, make_channel_id, make_playlist_id, make_video_id, serve
from ytwatcher.simulator.youtube import API_KEY
from ytwatcher.store import recipients, watches
from ytwatcher.watches import Watches
from ytwatcher.youtube.faults import YouTubeError

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
VIDEO, OTHER, CHANNEL, PLAYLIST = make_video_id(1), make_video_id(2), make_channel_id(1), make_playlist_id(1)


@dataclass
class Place:
    app: App
    world: World
    youtube: YouTubeDouble
    clock: VirtualClock

    @property
    def watches(self) -> Watches:
        return self.app.watches

    async def rules(self, address: str | None = None) -> list[str]:
        return [rule.line for rule in await self.app.db.read(watches.rules, None, address)]

    async def targets(self) -> list[str]:
        return [target.id for target in await self.app.db.read(watches.targets)]


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    clock = VirtualClock(START)
    world = World(clock.now)
    youtube = YouTubeDouble(world, clock.now)
    old = START - timedelta(days=9)
    world.add_channel(CHANNEL, "Harbour TV", handle="@harbour", username="harbourtv", subscribers=12_300, published_at=old)
    world.add_video(VIDEO, title="A film", views=50_120, likes=2000, comments=30, published_at=old, channel_id=CHANNEL)
    world.add_video(OTHER, title="Another film", views=900, published_at=old, channel_id=CHANNEL)
    world.add_playlist(PLAYLIST, "Best of", video_ids=[VIDEO, OTHER])
    async with serve(youtube.app) as url:
        env = {"HOME": str(folder), "YTWATCHER_YOUTUBE__BASE_URL": f"{url}/youtube/v3", "YTWATCHER_YOUTUBE__API_KEY": API_KEY}
        async with open_app(config.load(None, folder, env), clock, look_every=None) as app:
            yield Place(app, world, youtube, clock)


def at(folder: Path, work: Callable[[Place], Awaitable[None]]) -> None:
    async def go() -> None:
        async with place(folder) as p:
            await work(p)

    asyncio.run(go())


def test_a_video_is_added_with_its_numbers_its_cost_and_the_usual_rules(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        added = await p.watches.add(f"https://youtu.be/{VIDEO}?list={PLAYLIST}", [], "console")
        assert (added.target.title, added.target.kind, added.target.also_playlist) == ("A film", TargetKind.VIDEO, PLAYLIST)
        assert (added.new, added.videos, added.address) == (True, 1, "console")
        assert (added.numbers[Metric.VIEWS], added.numbers[Metric.LIKES]) == (50_120, 2000)
        assert (added.units_a_day.statistics, added.units_a_day.default) == (288, 4)
        assert [(rule.line, rule.next_number) for rule in added.rules] == [
            ("views milestones", 100_000),
            ("likes milestones", 5000),
            ("availability", None),
        ]

    at(tmp_path, go)


@pytest.mark.parametrize(
    ("text", "target", "kind", "videos"),
    [
        ("@harbour", CHANNEL, TargetKind.CHANNEL, 2),
        ("https://www.youtube.com/user/harbourtv", CHANNEL, TargetKind.CHANNEL, 2),
        ("youtube.com/c/harbour", CHANNEL, TargetKind.CHANNEL, 2),
        ("youtube.com/c/harbourtv", CHANNEL, TargetKind.CHANNEL, 2),
        (CHANNEL, CHANNEL, TargetKind.CHANNEL, 2),
        (PLAYLIST, PLAYLIST, TargetKind.PLAYLIST, 2),
    ],
)
def test_a_channel_or_list_is_found_by_every_name_it_has(tmp_path: Path, text: str, target: str, kind: TargetKind, videos: int) -> None:
    async def go(p: Place) -> None:
        added = await p.watches.add(text, [], "console")
        assert (added.target.id, added.target.kind, added.videos) == (target, kind, videos)
        assert "new" in await p.rules()
        assert (added.numbers.get(Metric.SUBSCRIBERS) == 12_300) is (kind is TargetKind.CHANNEL)

    at(tmp_path, go)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (make_video_id(99), "no public video"),
        (make_playlist_id(99), "no public playlist"),
        (make_channel_id(99), "no channel at"),
        ("@nobody", "no channel at"),
        ("youtube.com/c/nobody", "use its @handle"),
        ("what is this", "no link, id or @handle"),
    ],
)
def test_what_youtube_does_not_know_is_said_and_nothing_is_stored(tmp_path: Path, text: str, named: str) -> None:
    async def go(p: Place) -> None:
        with pytest.raises(TargetError, match=named):
            await p.watches.add(text, [], "console")
        assert (await p.targets(), await p.rules()) == ([], [])

    at(tmp_path, go)


@pytest.mark.parametrize(
    ("line", "to"), [("views rech 5", "console"), ("new", "console"), ("subscribers change", "console"), ("title", "mail:x")]
)
def test_a_rule_or_address_that_is_not_right_stores_nothing(tmp_path: Path, line: str, to: str) -> None:
    async def go(p: Place) -> None:
        with pytest.raises(InputError):
            await p.watches.add(VIDEO, ["title", line], to)
        assert (await p.targets(), await p.rules()) == ([], [])

    at(tmp_path, go)


def test_a_reach_that_was_passed_is_refused_and_alone_it_makes_no_watch(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        with pytest.raises(RuleError, match="“views reach 1k” is refused, passed already: the highest number known is 50,120"):
            await p.watches.add(VIDEO, ["views reach 1k", "likes reach 10"], "console")
        assert (await p.targets(), await p.rules()) == ([], [])
        added = await p.watches.add(VIDEO, ["views reach 1k", "views reach 1M"], "console")
        assert [(rule.line, rule.refused is None) for rule in added.rules] == [("views reach 1k", False), ("views reach 1M", True)]
        assert await p.rules() == ["views reach 1M"]
        with pytest.raises(RuleError, match="refused"):
            await p.watches.add(VIDEO, ["views reach 1k"], "console")
        with pytest.raises(RuleError, match="refused"):
            await p.watches.add_rule(VIDEO, "views reach 2k", "console")
        assert (await p.targets(), await p.rules()) == ([VIDEO], ["views reach 1M"])

    at(tmp_path, go)


def test_on_a_list_the_videos_that_have_passed_a_reach_are_skipped_and_counted(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        added = await p.watches.add(PLAYLIST, ["views reach 1k"], "console")
        assert [(rule.refused, rule.skipped, rule.next_number) for rule in added.rules] == [(None, 1, None)]

    at(tmp_path, go)


def test_what_a_person_should_know_of_a_rule_is_in_the_answer(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        added = await p.watches.add(VIDEO, ["favorites change"], "console")
        assert "0 favorites" in str(added.rules[0].note)
        channel = await p.watches.add("@harbour", ["subscribers rise 5%"], "console")
        assert "three digits" in str(channel.rules[0].note)

    at(tmp_path, go)


def test_adding_again_keeps_the_rules_and_adds_only_what_is_new(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        first = await p.watches.add(VIDEO, ["views change"], "console")
        again = await p.watches.add(VIDEO, [], "console")
        assert ([rule.id for rule in again.rules], again.new) == ([first.rules[0].id], False)
        more = await p.watches.add(VIDEO, ["VIEWS  change", "title"], "console")
        assert [rule.line for rule in more.rules] == ["views change", "title"]
        assert await p.rules() == ["views change", "title"]
        with pytest.raises(RuleError, match="is a rule of this watch already"):
            await p.watches.add_rule(VIDEO, "view change", "console")

    at(tmp_path, go)


def test_rules_are_made_and_ended_one_by_one(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        with pytest.raises(InputError, match="is not watched"):
            await p.watches.add_rule(VIDEO, "title", "console")
        await p.watches.add(VIDEO, ["title"], "console")
        with pytest.raises(InputError, match="telegram:5 does not watch this"):
            await p.watches.add_rule(VIDEO, "views change", "telegram:5")
        made = await p.watches.add_rule("A film", "views every 10k", "console")
        assert made.next_number == 60_000
        await p.watches.remove_rule(made.id)
        with pytest.raises(InputError, match="there is no rule"):
            await p.watches.remove_rule(made.id)
        assert await p.rules() == ["title"]
        assert (await p.watches.add_rule(VIDEO, "views every 10k", "console")).id != made.id

    at(tmp_path, go)


def test_a_watch_is_ended_for_its_own_recipient_by_any_name(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        await p.watches.add("@harbour", [], "console")
        await p.watches.add("@harbour", ["title"], "telegram:5")
        with pytest.raises(InputError, match="telegram:6 does not watch “Harbour TV”"):
            await p.watches.remove("@harbour", "telegram:6")
        assert (await p.watches.remove("youtube.com/@harbour", "console")).id == CHANNEL
        assert await p.rules() == ["title"]
        await p.watches.remove("Harbour TV", "telegram:5")
        with pytest.raises(InputError, match="is not watched"):
            await p.watches.remove(CHANNEL, "telegram:5")
        assert (await p.targets(), await p.rules()) == ([], [])

    at(tmp_path, go)


def test_a_watched_channel_is_found_by_its_handle_without_asking_youtube(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        await p.watches.add(CHANNEL, ["title"], "console")
        asked = len(p.youtube.calls)
        assert (await p.watches.find("@Harbour")).id == CHANNEL
        assert (await p.watches.find("https://www.youtube.com/@harbour/videos")).handle == "@harbour"
        assert len(p.youtube.calls) == asked
        assert (await p.watches.find("youtube.com/c/harbour")).id == CHANNEL
        with pytest.raises(TargetError):
            await p.watches.find("@nobody")
        assert len(p.youtube.calls) > asked

    at(tmp_path, go)


def test_a_group_that_moved_keeps_its_watch_under_both_addresses(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        await p.watches.add(VIDEO, ["title"], "telegram:-5")
        await p.app.db.write(recipients.migrate, "telegram:-5", "telegram:-1005")
        added = await p.watches.add(VIDEO, ["title"], "telegram:-5")
        assert (added.new, await p.rules()) == (False, ["title"])
        await p.watches.add_rule(VIDEO, "views change", "telegram:-5")
        assert await p.rules("telegram:-1005") == ["title", "views change"]

    at(tmp_path, go)


def test_without_a_reading_the_watch_is_made_all_the_same(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        p.youtube.fail("videos.batchGetStats", "backend503")
        p.youtube.fail("videos.list", "backend503")
        added = await p.watches.add(PLAYLIST, ["views milestones", "views reach 1k"], "console")
        assert (added.new, added.videos) == (True, 2)
        assert [(rule.next_number, rule.refused, rule.skipped) for rule in added.rules] == [(None, None, 0), (None, None, 0)]

    at(tmp_path, go)


def test_when_youtube_cannot_be_asked_nothing_is_stored(tmp_path: Path) -> None:
    async def go(p: Place) -> None:
        p.youtube.fail("videos.list", "backend503")
        with pytest.raises(YouTubeError):
            await p.watches.add(VIDEO, [], "console")
        assert await p.targets() == []

    at(tmp_path, go)
