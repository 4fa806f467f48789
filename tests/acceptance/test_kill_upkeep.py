"""kill -9 and power cuts at random moments of a migration, a backup, a retention run and a restore: whole before, or whole after."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import power_cut
from kill_stage import Nursery, nursery
from ytwatcher import backups
from ytwatcher.core.model import to_ms
from ytwatcher.store.db import APPLICATION_ID, migrations, open_journal

pytestmark = pytest.mark.timeout(4 * 60 * 60)  # of the full form
SUBJECTS, READINGS = 100, 20
NOW = datetime(2026, 10, 5, 17, tzinfo=UTC)
OWN = {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}


def _fill(con: sqlite3.Connection) -> None:
    """Videos with a reading every three days up to now: half of them are older than the retention."""
    con.executemany("INSERT INTO subject (id, kind, state) VALUES (?, 'video', '{}')", [(f"v{n}",) for n in range(SUBJECTS)])
    times = [to_ms(NOW - timedelta(days=3 * age)) for age in range(READINGS)]
    rows = [(pk, at, at, at % 1_000_003) for pk in range(1, SUBJECTS + 1) for at in times]
    con.executemany("INSERT INTO reading (subject_pk, from_at, to_at, views) VALUES (?, ?, ?, ?)", rows)


def _of_schema(path: Path, version: int) -> None:
    """A journal as the program of that time left it."""
    with closing(sqlite3.connect(path)) as con:
        con.execute("PRAGMA journal_mode = WAL")
        for number, script in enumerate(migrations()[:version], start=1):
            con.executescript(script)
            con.execute(f"PRAGMA user_version = {number}")
        con.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        _fill(con)
        con.commit()


def _dump(path: Path) -> str:
    """All that is in a journal; it is looked at in a copy, so that looking mends nothing."""
    copy = path.parent.parent / "looked at"
    copy.mkdir()
    for suffix in ("", "-wal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            shutil.copy(beside, copy / beside.name)
    with closing(sqlite3.connect(copy / path.name)) as con:
        assert con.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = f"{con.execute('PRAGMA user_version').fetchone()[0]}\n" + "\n".join(con.iterdump())
    shutil.rmtree(copy)
    return found


def _left(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - OWN


class Bench:
    """A folder that is laid out anew for every round, and a nursery whose children work in it."""

    def __init__(self, home: Path, rng: random.Random, library: Path | None) -> None:
        self.master, self.folder, self.logs = home / "master", home / "data", home / "power"
        for folder in (self.master, self.logs):
            folder.mkdir()
        self.journal = self.folder / "journal.db"
        self.env = {"LD_PRELOAD": str(library), "POWER_DIR": str(self.folder), "POWER_LOG": str(self.logs)} if library else {}
        self.rng = rng
        self.born: Nursery

    def lay_out(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.master, self.folder)

    async def whole(self, job: str, *arguments: Any) -> float:
        """Do it without being killed; returns how long it took."""
        began = time.monotonic()
        await self.born.bear(job, *arguments)
        assert await self.born.ended() == 0, self.born.log.read_text()[-3000:]
        return time.monotonic() - began

    async def killed(self, lasts: float, job: str, *arguments: Any) -> None:
        """Do it and be killed somewhere in it, or just after it; with the recording library that is a power cut."""
        before, at_a_write = (power_cut.seen(self.folder), self.rng.random() < 0.7) if self.env else (None, False)
        (self.logs / "stop").write_text(str(int(2 ** (self.rng.random() * 9))) if at_a_write else "-1")
        child = await self.born.bear(job, *arguments)
        await asyncio.sleep(0 if at_a_write else self.rng.random() * 1.1 * lasts)
        await self.born.kill(within=1 if at_a_write else 0)
        (self.logs / "stop").unlink()
        if before is not None:
            power_cut.cut(self.folder, before, self.logs / str(child), self.rng)


def _played(home: Path, seed: int, go: Callable[[Bench], Awaitable[None]], library: Path | None = None) -> None:
    async def play() -> None:
        bench = Bench(home, random.Random(seed), library)
        async with nursery(home / "log.txt", bench.env) as bench.born:
            await go(bench)

    asyncio.run(play())


@pytest.fixture(params=["kill", "power cut"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """The recording library for the power cuts."""
    if request.param == "kill":
        return None
    built = power_cut.library(tmp_path)
    if built is None:
        pytest.skip("without a C compiler (cc, gcc) no writes can be recorded, so no power cut can be played; kills alone were tried")
    return built


def test_a_killed_migration_is_as_if_it_had_not_begun_or_had_ended(
    tmp_path: Path, sized: Callable[[int, int], int], library: Path | None
) -> None:
    async def go(bench: Bench) -> None:
        _of_schema(bench.master / "journal.db", 1)
        bench.lay_out()
        before = _dump(bench.journal)
        lasts = await bench.whole("migrate", bench.journal)
        after = _dump(bench.journal)
        for _ in range(sized(4, 60)):
            bench.lay_out()
            await bench.killed(lasts, "migrate", bench.journal)
            assert _dump(bench.journal) in (before, after)
            await bench.whole("migrate", bench.journal)
            assert _dump(bench.journal) == after
            assert _left(bench.folder) == {"journal.db.schema-1"}, "the copy of what was, and nothing half done"
            assert backups.check(bench.folder / "journal.db.schema-1").rows["reading"] == SUBJECTS * READINGS

    _played(tmp_path, 1, go, library)


def test_a_killed_retention_run_is_as_if_it_had_not_begun_or_had_ended(
    tmp_path: Path, sized: Callable[[int, int], int], library: Path | None
) -> None:
    async def go(bench: Bench) -> None:
        _of_schema(bench.master / "journal.db", len(migrations()))
        bench.lay_out()
        before = _dump(bench.journal)
        lasts = await bench.whole("retain", bench.journal, NOW.timestamp())
        after = _dump(bench.journal)
        assert after.count('INSERT INTO "reading"') < before.count('INSERT INTO "reading"')
        for _ in range(sized(4, 60)):
            bench.lay_out()
            await bench.killed(lasts, "retain", bench.journal, NOW.timestamp())
            assert _dump(bench.journal) in (before, after)
            await bench.whole("retain", bench.journal, NOW.timestamp())
            assert _dump(bench.journal) == after

    _played(tmp_path, 2, go, library)


def test_a_killed_backup_leaves_sound_ones_alone_and_the_next_one_clears_up(
    tmp_path: Path, sized: Callable[[int, int], int], library: Path | None
) -> None:
    async def go(bench: Bench) -> None:
        _of_schema(bench.master / "journal.db", len(migrations()))
        bench.lay_out()
        before = _dump(bench.journal)
        for number in range(sized(4, 60)):
            await bench.killed(0.5, "backup", bench.journal, bench.folder, (NOW + timedelta(days=number)).timestamp())
            assert _dump(bench.journal) == before
            for file in backups.kept(bench.folder):
                assert backups.check(file).rows["reading"] == SUBJECTS * READINGS
            made = backups.make_and_keep(bench.journal, bench.folder, 3, NOW + timedelta(days=number, hours=23))
            assert backups.newest(bench.folder) == made
            assert _left(bench.folder) == {file.name for file in backups.kept(bench.folder)}, "nothing half done stays"

    _played(tmp_path, 3, go, library)


def test_a_killed_restore_leaves_the_old_journal_or_the_restored_one_and_can_be_done_again(
    tmp_path: Path, sized: Callable[[int, int], int]
) -> None:
    async def go(bench: Bench) -> None:
        _of_schema(bench.master / "journal.db", len(migrations()) - 1)
        backups.make(bench.master / "journal.db", tmp_path / "old.db")
        with closing(open_journal(bench.master / "journal.db")) as con:
            con.execute("INSERT INTO fact VALUES ('newest', 'is in the -wal')")
            bench.lay_out()  # while it is open: the newest change is in the -wal alone, as a killed process leaves it
        before = _dump(bench.journal)
        assert "is in the -wal" in before
        lasts = await bench.whole("restore", bench.journal, tmp_path / "old.db", NOW.timestamp())
        after = _dump(bench.journal)
        for _ in range(sized(4, 80)):
            shutil.rmtree(bench.folder)
            with closing(open_journal(bench.master / "journal.db")) as con:
                con.execute("UPDATE fact SET value = 'is in the -wal'")
                bench.lay_out()
            await bench.killed(lasts, "restore", bench.journal, tmp_path / "old.db", NOW.timestamp())
            assert _dump(bench.journal) in (before, after)
            await bench.whole("restore", bench.journal, tmp_path / "old.db", NOW.timestamp() + 5)
            assert _dump(bench.journal) == after
            assert not [name for name in _left(bench.folder) if "restoring" in name]

    _played(tmp_path, 4, go)
