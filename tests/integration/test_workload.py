"""What a lane has to read is counted bit by bit, so that no plan waits for a count of everything."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from ytwatcher.core.intervals import Kind
from ytwatcher.core.model import Lane
from ytwatcher.core.schedule import Load
from ytwatcher.store.db import Database
from ytwatcher.workload import AT_ONCE, COUNT_EVERY, Workload

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
IDLE, BUSY = Kind(near=False, step=3), Kind(near=False, step=-2)


def add(con: sqlite3.Connection, videos: int) -> None:
    con.executemany(
        "INSERT INTO subject (id, kind, read_at, due_at, step) VALUES (?, 'video', 1, 2, 3)", [(f"v{n}",) for n in range(videos)]
    )
    con.execute("INSERT INTO subject (id, kind, read_at, due_at) VALUES ('c', 'channel', 1, 2)")


def test_many_videos_are_counted_over_several_plans(tmp_path: Path) -> None:
    async def go() -> list[Load]:
        db = Database(tmp_path / "journal.db")
        await db.write(add, AT_ONCE + 10)
        workload = Workload()
        seen = [await db.read(workload.of, Lane.STATISTICS, NOW)]
        await db.write(lambda con: con.execute("UPDATE subject SET step = -2 WHERE pk > ?", (AT_ONCE - 10,)))
        seen += [await db.read(workload.of, Lane.STATISTICS, NOW + COUNT_EVERY) for _ in range(2)]
        seen.append(await db.read(workload.of, Lane.STATISTICS, NOW + COUNT_EVERY))
        db.close()
        return seen

    first, halfway, whole, still = asyncio.run(go())
    assert first == halfway == Load({IDLE: AT_ONCE + 10}, 0, 1)
    assert whole == still == Load({IDLE: AT_ONCE - 10, BUSY: 20}, 0, 1)


def test_what_was_new_at_the_last_count_and_is_read_now_counts_as_read(tmp_path: Path) -> None:
    async def go() -> Load:
        db = Database(tmp_path / "journal.db")
        await db.write(add, AT_ONCE + 10)
        await db.write(lambda con: con.execute("UPDATE subject SET due_at = NULL, read_at = NULL WHERE pk <= 7"))
        workload = Workload()
        await db.read(workload.of, Lane.STATISTICS, NOW)
        await db.write(lambda con: con.execute("UPDATE subject SET due_at = 2, read_at = 1 WHERE pk <= 5"))
        found = await db.read(workload.of, Lane.STATISTICS, NOW)
        db.close()
        return found

    assert asyncio.run(go()) == Load({IDLE: AT_ONCE + 3, Kind(near=False, step=0): 5}, 2, 1)
