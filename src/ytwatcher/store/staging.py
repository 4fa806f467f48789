"""Readings of a file on their way into the journal: put in order of subject and time on the disk, however many they are."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ytwatcher.core.model import Absent, Lane, Metric, Reading, SubjectId, SubjectKind, Value, from_ms, to_ms
from ytwatcher.store.db import storage_errors
from ytwatcher.store.subjects import at_or_none, ms_or_none

CACHE_KIB = 32_000


class Staging:
    """A file of our own that holds readings in order; made by `staging`."""

    def __init__(self, con: sqlite3.Connection, path: Path) -> None:
        self._con, self._path = con, path
        con.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        con.execute("PRAGMA journal_mode = OFF")
        con.execute("PRAGMA synchronous = OFF")
        con.execute("CREATE TABLE staged (subject_id TEXT, at INTEGER, reading TEXT, PRIMARY KEY (subject_id, at)) WITHOUT ROWID")

    def put(self, readings: Iterable[Reading]) -> int:
        """Keep these; of two of one subject and instant the first. Returns how many were kept."""
        rows = [(reading.subject_id, to_ms(reading.observed_at), _encode(reading)) for reading in readings]
        with storage_errors(self._path):
            before = self._con.total_changes
            self._con.execute("BEGIN")
            self._con.executemany("INSERT OR IGNORE INTO staged VALUES (?, ?, ?)", rows)
            self._con.execute("COMMIT")
            return self._con.total_changes - before

    def in_order(self, size: int) -> Iterator[list[Reading]]:
        """All of them in batches, subject by subject, each in its time order."""
        with storage_errors(self._path):
            rows = self._con.execute("SELECT subject_id, at, reading FROM staged ORDER BY subject_id, at")
            while batch := rows.fetchmany(size):
                yield [_decode(*row) for row in batch]


@contextmanager
def staging(folder: Path) -> Iterator[Staging]:
    """A place for readings in `folder`, where there is room for them twice; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as made:
        path = Path(made) / "staged.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as con:
            yield Staging(con, path)


def _encode(reading: Reading) -> str:
    return json.dumps([reading.kind, reading.title, ms_or_none(reading.published_at), reading.values], separators=(",", ":"))


def _decode(subject_id: str, at: int, text: str) -> Reading:
    kind, title, published_at, said = json.loads(text)
    values: dict[Metric, Value] = {Metric(name): Absent(value) if isinstance(value, str) else value for name, value in said.items()}
    return Reading(
        SubjectId(subject_id), from_ms(at), Lane.FILE, values, kind=SubjectKind(kind), title=title, published_at=at_or_none(published_at)
    )
