"""kill -9 and power cuts at random moments: every alert arrives, in order, and what arrives twice says so."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import power_cut
from kill_stage import Nursery, nursery
from served import simulated
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import SubjectKind, TargetKind
from ytwatcher.core.render import REPEAT
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_video_id, serve
from ytwatcher.store import recipients, subjects, watches
from ytwatcher.store.db import open_journal

pytestmark = pytest.mark.timeout(4 * 60 * 60)  # of the full form
CHATS, VIDEOS, FIRST = 10, 10, 1000
SPEED = 300.0
EPOCH = datetime(2026, 10, 5, 17, tzinfo=UTC)
CHANGE = re.compile(r"^(.+)\n🔄 Views: ([\d,]+) → ([\d,]+) ", re.MULTILINE)
NUMBER_OF = {name: number for number in range(VIDEOS) for name in (f"Video {number}", make_video_id(number))}
"""What a video is called in a message, once its title is known and before."""


@dataclass
class Stage:
    """Doubles of both services in this process, a journal in which every chat watches every video, and what was seen at each kill."""

    folder: Path
    rng: random.Random
    real_start: float
    clock: SystemClock
    world: World
    youtube: YouTubeDouble
    telegram: TelegramDouble
    in_flight: Counter[str] = field(default_factory=Counter)
    """By address: at how many kills a message to it was being sent."""
    values: dict[int, list[int]] = field(default_factory=lambda: {number: [FIRST] for number in range(VIDEOS)})
    """What each video's counter truly was, in order."""

    @property
    def calls(self) -> int:
        return len(self.youtube.calls) + len(self.telegram.calls)

    @property
    def arguments(self) -> tuple[object, ...]:
        return self.folder, EPOCH.timestamp(), self.real_start, SPEED

    def grow(self) -> None:
        number = self.rng.randrange(VIDEOS)
        self.values[number].append(self.values[number][-1] + self.rng.randrange(1, 50))
        self.world.videos[make_video_id(number)].views = self.values[number][-1]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "ytwatcher.db", timeout=30)) as con:
            return con.execute(sql).fetchall()

    def count_in_flight(self) -> None:
        sending = Counter(str(row[0]) for row in self.ask(_SENDING))
        assert all(count == 1 for count in sending.values()), "one message in hand for each chat"
        self.in_flight += sending


_SENDING = "SELECT r.address FROM message m JOIN recipient r ON r.pk = m.recipient_pk WHERE m.state = 'sending'"
_NEWEST = "SELECT s.id, (SELECT views FROM reading r WHERE r.subject_pk = s.pk ORDER BY to_at DESC LIMIT 1) FROM subject s"
_OPEN = (
    "SELECT (SELECT count(*) FROM alert WHERE state IN ('waiting', 'held') AND kind <> 'notice')"
    " + (SELECT count(*) FROM message WHERE state IN ('pending', 'sending'))"
)


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look until it is so, at most for that long; whether it came to it."""
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            return False
        await asyncio.sleep(0.002)
    return True


def _watch_everything(folder: Path, now: datetime) -> None:
    """Every chat watches every video, as `ytwatcher add` would have stored it."""
    with closing(open_journal(folder / "ytwatcher.db")) as con:
        for number in range(VIDEOS):
            video = make_video_id(number)
            target = watches.ensure_target(con, video, TargetKind.VIDEO, f"Video {number}", None, False, now)
            watches.join(con, target, subjects.ensure(con, video, SubjectKind.VIDEO, now), None, now)
            for chat in range(CHATS):
                watch, _ = watches.ensure_watch(con, target, recipients.ensure(con, f"telegram:{1000 + chat}"), now)
                watches.add_rule(con, watch, "views change", now)


async def _a_random_moment(stage: Stage) -> None:
    """Somewhere in the start, in the work of any loop, or just after a message left, whose answer takes 0.3 s."""
    rng, before, sent = stage.rng, stage.calls, len(stage.telegram.calls)
    where = rng.random()
    if where < 0.2:
        await asyncio.sleep(rng.random() * 0.5)
    elif where < 0.6:
        await _until(lambda: stage.calls > before, 60)
        await asyncio.sleep(rng.random() * 1.5)
    else:
        later = sent + rng.randrange(1, 3 * CHATS)
        await _until(lambda: len(stage.telegram.calls) >= later, 5)
        await asyncio.sleep(rng.random() * 0.35)


async def _growing(stage: Stage) -> None:
    """The world goes on, whoever is dead."""
    while True:
        stage.grow()
        await stage.clock.wait(stage.clock.now() + timedelta(seconds=75))


async def _baselines(stage: Stage, born: Nursery) -> None:
    await born.bear("run", *stage.arguments)
    whole = await _until(lambda: stage.ask("SELECT count(*) FROM rule_state")[0][0] == CHATS * VIDEOS, 120)
    assert whole, born.log.read_text()[-3000:]
    await born.kill()


async def _end_well(stage: Stage, born: Nursery) -> None:
    """A last process reads what there is, sends what is left, and is told to stop."""
    await born.bear("run", *stage.arguments)
    wanted = {make_video_id(number): values[-1] for number, values in stage.values.items()}

    def done() -> bool:
        return dict(stage.ask(_NEWEST)) == wanted and stage.ask(_OPEN) == [(0,)]

    ended = await _until(done, 240)
    born.send(signal.SIGTERM)
    await born.ended()
    assert ended, born.log.read_text()[-3000:]


async def _play(folder: Path, rounds: int, seed: int, library: Path | None) -> tuple[Stage, int]:
    """Kill `rounds` times; with the recording library each kill is a power cut. Returns how many writes those lost, too."""
    data, logs = folder / "data", folder / "power"
    data.mkdir()
    logs.mkdir()
    real_start = time.time()
    clock = SystemClock(SPEED, EPOCH, real_start)
    world = World(clock.now)
    stage = Stage(data, random.Random(seed), real_start, clock, world, YouTubeDouble(world, clock.now), TelegramDouble(clock.now, burst=5))
    for chat in range(CHATS):
        stage.telegram.add_chat(1000 + chat)
    for number in range(VIDEOS):
        world.add_video(make_video_id(number), views=FIRST, title=f"Video {number}", published_at=EPOCH - timedelta(days=9))
    stage.telegram.fail("sendMessage", "slow", seconds=0.3, delivered=True)  # a wide window between the delivery and its record
    _watch_everything(data, clock.now())
    lost = 0
    async with AsyncExitStack() as stack:
        youtube_url = await stack.enter_async_context(serve(stage.youtube.app))
        telegram_url = await stack.enter_async_context(serve(stage.telegram.app))
        env = simulated(folder, youtube_url, telegram_url)
        recorded = {"LD_PRELOAD": str(library), "POWER_DIR": str(data), "POWER_LOG": str(logs)} if library else {}
        born = await stack.enter_async_context(nursery(folder / "log.txt", {**env, **recorded}))
        await _baselines(stage, born)
        growing = asyncio.create_task(_growing(stage))
        for _ in range(rounds):
            before, at_a_write = (power_cut.seen(data), stage.rng.random() < 0.7) if library else (None, False)
            (logs / "stop").write_text(str(int(2 ** (stage.rng.random() * 9))) if at_a_write else "-1")
            child = await born.bear("run", *stage.arguments)
            if not at_a_write:
                await _a_random_moment(stage)
            assert await born.kill(within=5 if at_a_write else 0), born.log.read_text()[-3000:]
            if before is not None:
                lost += power_cut.cut(data, before, logs / str(child), stage.rng)
                (logs / str(child)).unlink(missing_ok=True)
            stage.count_in_flight()
        growing.cancel()
        (logs / "stop").unlink(missing_ok=True)
        await _end_well(stage, born)
    return stage, lost


def _judge(stage: Stage) -> str:
    """See that each chat was told every change of every video, whole and in order, and nothing else; returns the figures."""
    told: dict[tuple[int, int], int] = {(chat, video): FIRST for chat in range(1000, 1000 + CHATS) for video in range(VIDEOS)}
    seen: set[tuple[int, str]] = set()
    repeats: Counter[str] = Counter()
    lines = 0
    for message in stage.telegram.messages:
        if message.chat_id >= 1000 + CHATS:
            continue
        body = message.shown.removeprefix(f"{REPEAT}\n\n")
        if (message.chat_id, body) in seen:
            assert message.shown.startswith(REPEAT), "what arrives again says so"
            repeats[f"telegram:{message.chat_id}"] += 1
            continue
        seen.add((message.chat_id, body))
        changes = CHANGE.findall(body)
        assert len(changes) == body.count("→"), body
        for name, *numbers in changes:
            video = NUMBER_OF[name]
            previous, current = (int(number.replace(",", "")) for number in numbers)
            assert previous == told[message.chat_id, video], f"a change is missing or out of order: {body}"
            assert current in stage.values[video], f"never so: {body}"
            told[message.chat_id, video] = current
            lines += 1
    for (_, video), value in told.items():
        assert value == stage.values[video][-1], "the last change was told, too"
    assert all(count <= stage.in_flight[chat] for chat, count in repeats.items()), (repeats, stage.in_flight)
    assert lines > 0
    marked = sum(message.shown.startswith(REPEAT) for message in stage.telegram.messages)
    return (
        f"{lines} changes told in {len(stage.telegram.messages)} messages; {sum(stage.in_flight.values())} in flight at a kill,"
        f" {sum(repeats.values())} arrived twice, {marked} marked"
    )


def test_kills_at_random_moments_lose_nothing_and_repeat_only_what_was_in_flight_marked(
    tmp_path: Path, sized: Callable[[int, int], int]
) -> None:
    rounds = sized(15, 350)
    stage, _ = asyncio.run(_play(tmp_path, rounds, 20, None))
    print(f"{rounds} kills: {_judge(stage)}")


def test_power_cuts_at_random_moments_lose_nothing_either(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    library = power_cut.library(tmp_path)
    if library is None:
        pytest.skip("without a C compiler (cc, gcc) no writes can be recorded, so no power cut can be played; kills alone were tried")
    rounds = sized(10, 150)
    stage, lost = asyncio.run(_play(tmp_path, rounds, 21, library))
    print(f"{rounds} power cuts, {lost} writes lost or torn: {_judge(stage)}")
