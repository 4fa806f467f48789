"""A disk without room, and a journal that is moved away under a running process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from full_disk import make_room, run_out
from story import LOOPS, OPERATOR, SLOWLY, Story, story
from ytwatcher import backups
from ytwatcher.errors import StorageError
from ytwatcher.simulator import make_video_id
from ytwatcher.store.db import connect


async def ends_with(told: Story, work: Coroutine[Any, Any, None], text: str) -> None:
    """The process ends by itself, with these words."""
    with pytest.raises(BaseExceptionGroup) as ended:
        await work
    assert ended.group_contains(StorageError, match=text)
    told._running = None  # nothing is left to be stopped


def test_without_room_it_waits_says_so_and_goes_on_with_nothing_lost_or_false(tmp_path: Path) -> None:
    async def go() -> None:
        async with story(tmp_path) as told:
            video = told.video(1, views=900)
            await told.add(make_video_id(1), "views every 100")
            await told.until("17:30")
            await told.app.db.write(run_out)
            video.views = 1_050
            await told.until("20:00")
            assert told.told() == []
            assert told.calls(since="17:31") == [], "nothing is asked for what cannot be recorded"
            said = told.told(OPERATOR)
            assert len(said) == 1
            assert "the disk is full" in said[0]
            await told.app.db.write(make_room)
            await told.until("21:00")
            assert len([text for text in told.told() if "1,000" in text]) == 1
            ends = [text for text in told.told(OPERATOR)[1:] if "room on the disk again" in text]
            assert len(ends) == 1
            assert len(told.calls(since="20:00")) > 3
            await told.stop()

    asyncio.run(go())


def test_without_room_it_can_still_be_stopped(tmp_path: Path) -> None:
    async def go() -> None:
        async with story(tmp_path) as told:
            told.video(1, views=900)
            await told.add(make_video_id(1), "views every 100")
            await told.app.db.write(run_out)
            await told.until("19:00")
            await ends_with(told, told.stop(), "the disk is full")

    asyncio.run(go())


def test_a_journal_that_is_moved_away_ends_the_process_with_clear_words(tmp_path: Path) -> None:
    async def go() -> None:
        async with story(tmp_path) as told:
            told.video(1, views=900)
            await told.add(make_video_id(1), "views every 100")
            path = told.app.db.path
            path.rename(path.with_name("elsewhere.db"))
            await ends_with(told, told.until("19:00"), "was moved or replaced")
            assert not path.exists()

    asyncio.run(go())


def test_backups_are_made_in_time_and_the_newest_stay(tmp_path: Path) -> None:
    async def go() -> None:
        folder = tmp_path / "backups"
        settings = (*SLOWLY, ("BACKUP__EVERY", "6h"), ("BACKUP__KEEP", "3"), ("BACKUP__DIR", str(folder)))
        async with story(tmp_path, settings=settings) as told:
            told.clock.loops = LOOPS + 1
            told.video(1, views=900)
            await told.add(make_video_id(1), "views every 100")
            await told.until("+1 18:00")
            kept = [backups.made_at(file) - told.start_at for file in backups.kept(folder)]
            assert kept == [timedelta(hours=hours) for hours in (12, 18, 24)]
            newest = backups.newest(folder)
            assert newest is not None
            assert backups.check(newest).rows["subject"] == 1
            await told.stop()

    asyncio.run(go())


def test_a_backup_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    async def go() -> None:
        in_the_way = tmp_path / "file"
        in_the_way.touch()
        async with story(tmp_path, settings=(("BACKUP__EVERY", "6h"), ("BACKUP__DIR", str(in_the_way)))) as told:
            told.clock.loops = LOOPS + 1
            await told.until("19:30")
            assert len([text for text in told.told(OPERATOR) if "The backup could not be made" in text]) == 1
            in_the_way.unlink()
            await told.until("21:00")
            assert len(backups.kept(in_the_way)) == 1
            await told.stop()

    asyncio.run(go())


def test_a_backup_beside_a_busy_writer_is_one_moment_of_it(tmp_path: Path) -> None:
    """Two rows that are always written together are both in it or none is."""

    def two(con: sqlite3.Connection, n: int) -> None:
        con.executemany("INSERT INTO fact VALUES (?, ?)", [(f"a{n}", "x" * 300), (f"b{n}", "x" * 300)])

    async def go() -> None:
        async with story(tmp_path) as told:
            done = asyncio.Event()

            async def write() -> None:
                n = 0
                while not done.is_set():
                    await told.app.db.write(two, n)
                    n += 1

            writing = asyncio.create_task(write())
            for copy in range(3):
                file = tmp_path / f"copy{copy}.db"
                await asyncio.to_thread(backups.make, told.app.db.path, file)
                con = connect(file)
                assert con.execute("SELECT count(*) % 2 FROM fact").fetchone()[0] == 0
                con.close()
            done.set()
            await writing
            await told.stop()

    asyncio.run(go())
