"""kill -9 in the middle of a batch of updates: what each of them does is done once, in its chat's order, and the rest is served."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kill_stage import nursery
from served import simulated
from ytwatcher.clock import SystemClock
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_video_id, serve
from ytwatcher.store import access
from ytwatcher.store.access import Limits, Role, Served
from ytwatcher.store.db import open_journal

EPOCH = datetime(2026, 10, 5, 17, tzinfo=UTC)
SPEED = 20.0
OPERATOR, FIRST = 99, 1000
ASKED = ("/add https://youtu.be/{video} views every 1000", "/timezone Berlin", "/timezone Tokyo", "/mute 8h")
"""What each chat writes, in one go."""
LINK = re.compile(r"\?start=(\S+)")


class Batch:
    """A batch of updates for many chats, and what came of it."""

    def __init__(self, folder: Path, chats: int) -> None:
        self.folder, self.chats = folder, range(FIRST, FIRST + chats)
        self.clock = SystemClock(SPEED, EPOCH, real_start := time.time())
        self.arguments = (folder, EPOCH.timestamp(), real_start, SPEED)
        self.world = World(self.clock.now)
        self.youtube, self.telegram = YouTubeDouble(self.world, self.clock.now), TelegramDouble(self.clock.now, burst=60)
        self.telegram.add_chat(OPERATOR)
        for chat in self.chats:
            self.telegram.add_chat(chat)
            self.world.add_video(make_video_id(chat), views=500, title=f"Video {chat}", published_at=EPOCH - timedelta(days=9))
        self._let_in()

    def _let_in(self) -> None:
        with closing(open_journal(self.folder / "ytwatcher.db")) as con:
            for chat in self.chats:
                access.put(con, Served(f"telegram:{chat}", Role.USER, "private", f"Chat {chat}", None, EPOCH, Limits(50, 250, 200)))

    def write(self) -> int:
        """Everybody writes; how many updates that is."""
        sent = [self.telegram.user_writes(chat, text.format(video=make_video_id(chat))) for text in ASKED for chat in self.chats]
        sent += [self.telegram.user_writes(OPERATOR, f"/invite {role}") for role in ("user", "manager")]
        return len(sent)

    @property
    def answers(self) -> int:
        return len(self.telegram.messages)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "ytwatcher.db", timeout=30)) as con:
            return con.execute(sql).fetchall()

    def left(self) -> list[int]:
        """The updates that were taken and not handled."""
        return [json.loads(body)["update_id"] for (body,) in self.ask("SELECT body FROM taken_update ORDER BY id")]


async def _until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 240
    while not condition():
        if time.monotonic() > ends_at:
            raise TimeoutError
        await asyncio.sleep(0.002)


async def _play(folder: Path, chats: int, kills: int) -> tuple[Batch, list[int]]:
    """Kill each time that a part of the batch was answered; what was left at each kill."""
    data = folder / "data"
    data.mkdir()
    batch = Batch(data, chats)
    async with AsyncExitStack() as stack:
        youtube_url = await stack.enter_async_context(serve(batch.youtube.app))
        telegram_url = await stack.enter_async_context(serve(batch.telegram.app))
        env = {
            **simulated(folder, youtube_url, telegram_url),
            "YTWATCHER_TELEGRAM__OPERATOR": f"telegram:{OPERATOR}",
        }
        born = await stack.enter_async_context(nursery(folder / "log.txt", env))
        asked, left = batch.write(), []
        for _ in range(kills):
            await born.bear("run", *batch.arguments)
            enough = batch.answers + asked // (2 * kills)
            await _until(lambda: batch.answers >= enough)  # noqa: B023 - awaited before it changes
            await born.kill()
            left.append(len(batch.left()))
        await born.bear("run", *batch.arguments)
        await _until(lambda: batch.ask("SELECT count(*) FROM handled_update") == [(asked,)] and not batch.left())
        born.send(signal.SIGTERM)
        await born.ended()
    return batch, left


def test_a_batch_that_was_killed_in_the_middle_is_done_to_its_end_and_nothing_of_it_twice(
    tmp_path: Path, sized: Callable[[int, int], int]
) -> None:
    chats, kills = sized(24, 24), sized(3, 12)
    batch, left = asyncio.run(_play(tmp_path, chats, kills))
    asked = chats * len(ASKED) + 2
    assert all(0 < one < asked for one in left), "each kill found a part of it answered, and a part not"
    watched = batch.ask(
        "SELECT r.address, t.id, u.line, r.timezone, r.muted_until IS NOT NULL FROM rule u JOIN watch w ON w.pk = u.watch_pk"
        " JOIN recipient r ON r.pk = w.recipient_pk JOIN target t ON t.pk = w.target_pk ORDER BY r.address"
    )
    assert watched == [(f"telegram:{chat}", make_video_id(chat), "views every 1000", "Asia/Tokyo", 1) for chat in batch.chats]
    assert batch.ask("SELECT role, count(*) FROM invitation GROUP BY role ORDER BY role") == [("manager", 1), ("user", 1)]
    assert batch.ask("SELECT count(*) FROM quarantined_update") == [(0,)]
    links = Counter(LINK.findall("\n".join(one.shown for one in batch.telegram.messages if one.chat_id == OPERATOR)))
    assert len(links) == 2, "a link that was told twice is the same one"
    told: Counter[int] = Counter(one.chat_id for one in batch.telegram.messages)
    assert all(len(ASKED) <= told[chat] <= len(ASKED) + kills for chat in batch.chats), "what was in hand at a kill is answered again"
    print(f"{kills} kills in {asked} updates, left at each: {left}; {sum(told.values())} answers")
