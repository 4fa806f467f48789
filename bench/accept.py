"""Readings a second through `pipeline.accept`, beside the store alone and beside a naive loop, all on files of the same run."""

from __future__ import annotations

import gc
import resource
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure, Figures, megabytes, of_rounds
from bench.journals import MINUTE, START, World, batches, fill
from ytwatcher import pipeline
from ytwatcher.core.model import Metric, Reading, to_ms
from ytwatcher.store.db import open_journal, transaction

BATCH, WANTED = 1_000, 25_000
ROUND = 5 * MINUTE
Row = tuple[object, ...]


def run(folder: Path, *, videos: int = 100_000, many: int = 1_000_000, read: int = 100_000, rounds: int = 9) -> Figures:
    """Rounds of readings of `read` videos, of `videos` known ones and again of `many`."""
    rows: list[Figure] = []
    missed = ""
    for known, target in {videos: f"≥ {WANTED:,}", many: ""}.items():
        took = _measure(folder, known, min(read, known), rounds)
        if target and statistics.median(took.accepted) < WANTED:
            missed = ", which misses the target on this machine"
        store_only = f"{of_rounds(took.store_only)}: store only"
        rows.append(Figure(f"accept, {known:,} known videos: readings/s", of_rounds(took.accepted), store_only, target))
        rows.append(Figure("its process's peak memory; the file", f"{megabytes(took.memory)}; {megabytes(took.size)}"))
    rows.append(Figure("the naive SQLite loop: readings/s", of_rounds(_naive(folder, min(read, videos), rounds))))
    return Figures(
        "Accepting readings",
        f"Batches of {BATCH:,}, one rule (`views milestones`) a video, every counter changed in every reading, videos in the order they are"
        " known; each batch one transaction, WAL, `synchronous=FULL`. The median of"
        f" {rounds} rounds and between what they lay, since a shared machine is not always as fast; a round reads each of {read:,} videos"
        " once. *Store only* writes the very same rows with prepared statements and judges nothing. The *naive loop* reads the last row,"
        " compares and inserts, row by row, in transactions of the same size, without settling, rules or alerts.",
        rows,
        f"Python{missed}. Nearly all of these readings are quiet (docs/architecture.md). What the store alone takes for one is the smaller"
        " part of its time; in the other part its stored counts and the rules on it are looked up, it is decided on, and it is worked out"
        " when to read again.",
    )


class Measured(NamedTuple):
    """Readings a second in each round, the process's peak memory in bytes, and the file's size."""

    accepted: Sequence[float]
    store_only: Sequence[float]
    memory: int
    size: int


def _measure(folder: Path, known: int, read: int, rounds: int) -> Measured:
    path, copy = folder / f"journal-{known}.db", folder / "copy.db"
    con = open_journal(path)
    fill(con, known)
    world, accepted, store_only = World(read), [], []
    _timed([partial(_accept, con, path, readings) for readings in batches(world, read, BATCH, START)])  # first readings are baselines
    for number in range(1, rounds + 1):
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(path, copy)
        at = START + number * ROUND
        accepted.append(read / _timed([partial(_accept, con, path, readings) for readings in batches(world, read, BATCH, at)]))
        rows, other = _written(con, to_ms(at)), open_journal(copy)
        store_only.append(read / _timed([partial(_store, other, copy, rows[i : i + BATCH]) for i in range(0, read, BATCH)]))
        other.close()
        copy.unlink()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    con.close()
    return Measured(accepted, store_only, memory, path.stat().st_size)


def _timed(jobs: Sequence[Callable[[], None]]) -> float:
    gc.collect()
    began = time.perf_counter()
    for job in jobs:
        job()
    return time.perf_counter() - began


def _accept(con: sqlite3.Connection, path: Path, readings: Sequence[Reading]) -> None:
    with transaction(con, path, "IMMEDIATE"):
        pipeline.accept(con, readings, readings[0].observed_at)


def _written(con: sqlite3.Connection, at: int) -> list[tuple[Row, Row]]:
    """What the last round wrote: of each subject its row's state, and the row of its reading."""
    subjects = con.execute("SELECT newest_at, state, near, read_at, due_at, step, pk FROM subject WHERE newest_at = ? ORDER BY pk", (at,))
    readings = con.execute("SELECT * FROM reading WHERE from_at = ? ORDER BY subject_pk", (at,))
    return [(tuple(subject), tuple(reading)) for subject, reading in zip(subjects, readings, strict=True)]


def _store(con: sqlite3.Connection, path: Path, rows: Sequence[tuple[Row, Row]]) -> None:
    with transaction(con, path, "IMMEDIATE"):
        update = "UPDATE subject SET newest_at = ?, state = ?, near = ?, read_at = ?, due_at = ?, step = ? WHERE pk = ?"
        con.executemany(update, [subject for subject, _ in rows])
        con.executemany(f"INSERT INTO reading VALUES ({', '.join('?' * len(rows[0][1]))})", [reading for _, reading in rows])  # noqa: S608 - own words


def _naive(folder: Path, read: int, rounds: int) -> Sequence[float]:
    """What a first script does: a table of readings, the last row of each video looked up and compared, a row inserted."""
    path, rates = folder / "naive.db", []
    con = sqlite3.connect(path, isolation_level=None)
    con.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        " CREATE TABLE reading (video TEXT, at INTEGER, views INTEGER, likes INTEGER, comments INTEGER, PRIMARY KEY (video, at));"
    )
    world = World(read)
    for number in range(rounds + 1):
        took = _timed([partial(_naive_batch, con, path, readings) for readings in batches(world, read, BATCH, START + number * ROUND)])
        rates.append(read / took)
    con.close()
    return rates[1:]


def _naive_batch(con: sqlite3.Connection, path: Path, readings: Sequence[Reading]) -> None:
    with transaction(con, path, "IMMEDIATE"):
        for one in readings:
            values = tuple(one.values[metric] for metric in (Metric.VIEWS, Metric.LIKES, Metric.COMMENTS))
            last = con.execute(
                "SELECT views, likes, comments FROM reading WHERE video = ? ORDER BY at DESC LIMIT 1", (one.subject_id,)
            ).fetchone()
            if last != values:
                con.execute("INSERT INTO reading VALUES (?, ?, ?, ?, ?)", (one.subject_id, to_ms(one.observed_at), *values))
