"""How long a plan takes: the statistics lane's, with the journal's queries, beside one that looks at every subject."""

from __future__ import annotations

import random
import sqlite3
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.figures import Figure, Figures, milliseconds
from bench.journals import START, fill
from ytwatcher.core.model import SubjectKind, to_ms
from ytwatcher.core.quota import Allowance, Why
from ytwatcher.core.schedule import Load, Plan, Settings, plan_metadata, plan_statistics
from ytwatcher.store import subjects
from ytwatcher.store.db import open_journal
from ytwatcher.workload import AT_ONCE

DAY_MS = 86_400_000


def run(folder: Path, *, videos: int = 100_000, repeats: int = 50) -> Figures:
    """Plans with so many subjects, read at random times of the last day, one in a hundred near a number."""
    con = open_journal(folder / "plans.db")
    fill(con, videos)
    dice, now_ms = random.Random(7), to_ms(START)
    con.execute("BEGIN")
    con.executemany(
        "UPDATE subject SET read_at = ?, metadata_at = ?, due_at = ?, near = ?, step = ? WHERE pk = ?",
        (_times(dice, now_ms, pk) for pk in range(1, videos + 1)),
    )
    con.commit()
    load, metadata = subjects.load_of(con, SubjectKind.VIDEO), subjects.metadata_load(con)
    rows = [
        Figure(f"statistics, {videos:,} subjects", _timed(lambda: _plan(con, load), repeats), _timed(lambda: _scan(con), 5), "< 10 ms"),
        Figure("metadata", _timed(lambda: plan_metadata(subjects.due_metadata(con), metadata, _open(), START), repeats)),
        Figure(
            f"counting {AT_ONCE:,} subjects by size, for some of the plans",
            _timed(lambda: subjects.count_some(con, SubjectKind.VIDEO, videos // 2, AT_ONCE), 5),
            _timed(lambda: subjects.load_of(con, SubjectKind.VIDEO), 5) + " (all at once)",
        ),
    ]
    con.close()
    return Figures(
        "Planning",
        f"The next call of a lane with {videos:,} videos: the queries on the journal and the decision; median of {repeats}. The baseline"
        " reads every subject and looks for the first ones, as one has to without an index on what is due.",
        rows,
        "SQLite's first steps in an index, and working out the factor; neither grows with what is watched.",
    )


def _times(dice: random.Random, now_ms: int, pk: int) -> tuple[int, int, int, int, int, int]:
    near, read = pk % 100 == 0, now_ms - int(dice.random() * DAY_MS)
    due = now_ms + int((dice.random() - 0.001) * (600_000 if near else DAY_MS))
    return read, now_ms - int(dice.random() * DAY_MS / 4), due, near, dice.randrange(-9, 0) if near else dice.randrange(-8, 30), pk


def _open() -> Allowance:
    return Allowance(9_500, START, START + timedelta(days=1), Why.OPEN)


def _plan(con: sqlite3.Connection, load: Load) -> Plan:
    new = subjects.never_read(con)
    return plan_statistics(subjects.due_statistics(con), load._replace(new=new), _open(), START, Settings())


def _scan(con: sqlite3.Connection) -> list[tuple[int, str]]:
    rows = con.execute("SELECT due_at, id, read_at, wanted_at, near FROM subject WHERE watched = 1 AND kind = 'video'").fetchall()
    return sorted((row[0], row[1]) for row in rows)[:50]


def _timed(job: Callable[[], object], repeats: int) -> str:
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        job()
        took.append(time.perf_counter() - began)
    return milliseconds(statistics.median(took))
