"""Readings out of the journal into a file, and from a file into the journal.

Readings from a file are settled in their own time order. Those older than the subject's newest are history: they are drawn, and the
numbers that they reached count as reached. Newer ones become the subject's state. Neither makes alerts.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from ytwatcher.core.judge import Outcome, observe
from ytwatcher.core.model import Metric, Reading, SubjectId, SubjectKind, SubjectState, to_ms
from ytwatcher.core.settle import NUMBER_SETTLES
from ytwatcher.pipeline import FUTURE
from ytwatcher.recorded import Refused, read_rows
from ytwatcher.store import readings as stored
from ytwatcher.store import subjects
from ytwatcher.store.db import transaction
from ytwatcher.store.staging import Staging, staging
from ytwatcher.store.subjects import Known

BATCH = 2000
COLUMNS = ("video_id", "channel_id", "title", "observed_at", "observed_until", *stored.COLUMNS.values(), "raw")


class Part(StrEnum):
    """What became of a reading from a file."""

    HISTORY = "history"
    STATE = "state"
    DUPLICATE = "duplicate"


@dataclass(slots=True)
class Imported:
    """What an import did: readings by what became of them, refused rows, the oldest reading taken, and subjects with a newer state."""

    parts: Counter[Part] = field(default_factory=Counter)
    refused: int = 0
    oldest_at: datetime | None = None
    renewed: list[SubjectId] = field(default_factory=list)


def export_rows(con: sqlite3.Connection, chosen: Iterable[Known], since: datetime | None) -> Iterator[dict[str, Any]]:
    """One row for each span in which a subject's readings said the same, oldest first; as values for JSON."""
    for known in chosen:
        for point in stored.history(con, known.state.subject_id, since=since):
            yield export_row(known, point)


def export_row(known: Known, point: stored.Point) -> dict[str, Any]:
    """One span of a subject as values for JSON."""
    subject = known.state
    video = subject.kind is SubjectKind.VIDEO
    return {
        "video_id": subject.subject_id if video else None,
        "channel_id": known.channel_id if video else subject.subject_id,
        "title": subject.title,
        "observed_at": _iso(point.from_at),
        "observed_until": _iso(point.to_at),
        **{stored.COLUMNS[metric]: number for metric, number in point.values.items()},
        "raw": point.raw or None,
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def import_file(
    con: sqlite3.Connection,
    journal: Path,
    file: Path,
    now: datetime,
    refused: Callable[[Refused], None],
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Imported:
    """Take the readings of a file; the caller holds the lease. Killed in between, it is simply done again.

    Args:
        refused: called with each row that is not taken.
        dry_run: nothing is kept.
        progress: called with the number of readings done.

    Raises:
        InputError: the file cannot be read.
        StorageError: there is no room.
    """
    result = Imported()
    with transaction(con, journal, "DEFERRED"):
        watched = {str(subject_id) for subject_id in subjects.watched(con)}
    with staging(journal.parent) as staged:
        _stage(staged, file, watched, now, result, refused)
        importer = _Importer(con, result)
        for batch in staged.in_order(BATCH):
            with transaction(con, journal, "IMMEDIATE"):
                con.execute("SAVEPOINT batch")
                importer.take(batch)
                if dry_run:
                    con.execute("ROLLBACK TO batch")
            progress(result.parts.total())
    if result.renewed and not dry_run:
        with transaction(con, journal, "IMMEDIATE"):
            subjects.want(con, result.renewed, now)  # what is next is judged on a reading of our own
    return result


def _stage(staged: Staging, file: Path, watched: set[str], now: datetime, result: Imported, refused: Callable[[Refused], None]) -> None:
    def accepted() -> Iterator[Reading]:
        for row in read_rows(file):
            one = row if isinstance(row, Refused) else _refusal(row.row, row.readings, watched, now)
            if one is not None:
                result.refused += 1
                refused(one)
            elif not isinstance(row, Refused):
                yield from row.readings

    rows = accepted()
    while batch := list(islice(rows, BATCH)):
        result.parts[Part.DUPLICATE] += len(batch) - staged.put(batch)


def _refusal(row: int, readings: Sequence[Reading], watched: set[str], now: datetime) -> Refused | None:
    if readings[0].subject_id not in watched:
        return Refused(row, f"{readings[0].subject_id} is not watched; add it first: its readings would be deleted again")
    if readings[-1].observed_at > now + FUTURE:
        return Refused(row, f"{_iso(readings[-1].observed_at)} is more than 5 minutes in the future")
    return None


class _Importer:
    """Takes readings in order of subject and time, batch by batch. Of the subject in hand it remembers what the file said of it so far."""

    def __init__(self, con: sqlite3.Connection, result: Imported) -> None:
        self._con, self._result = con, result
        self._chain = SubjectState(SubjectId(""))
        self._last: stored.Row | None = None

    def take(self, batch: Sequence[Reading]) -> None:
        known = subjects.load(self._con, (reading.subject_id for reading in batch))
        changed = []
        for subject_id, group in groupby(batch, key=lambda reading: reading.subject_id):
            one, readings = known[subject_id], list(group)
            if self._chain.subject_id != subject_id:
                self._chain, self._last = SubjectState(subject_id, one.state.kind, published_at=one.state.published_at), None
            before, newest_at = one.state, one.state.newest_at
            older = [reading for reading in readings if newest_at is not None and reading.observed_at <= newest_at]
            self._take_history(one, older)
            self._take_state(one, readings[len(older) :])
            if one.state != before:
                changed.append(one)
        subjects.save(self._con, changed)

    def _take_history(self, known: Known, readings: Sequence[Reading]) -> None:
        """Readings older than the newest one lie between and before the stored spans; inside of one they are known already."""
        spans = stored.spans(self._con, known.pk, readings[0].observed_at, readings[-1].observed_at) if readings else []
        starts, rows, peaks = [span[0] for span in spans], [], dict[Metric, int]()
        for reading in readings:
            outcome = observe(self._chain, reading, ())
            self._chain = outcome.state
            at, place = to_ms(reading.observed_at), bisect_right(starts, to_ms(reading.observed_at)) - 1
            if place >= 0 and at <= spans[place][1]:
                self._result.parts[Part.DUPLICATE] += 1
                continue
            self._note(Part.HISTORY, reading)
            rows.append(self._row(known.pk, at, _content(outcome, reading), starts[place] if place >= 0 else None))
            for metric in reading.values:
                value = self._chain.metric(metric).value
                if value is not None:
                    peaks[metric] = max(value, peaks.get(metric, value))
        self._write(rows)
        known.state = _reached(known.state, peaks)

    def _take_state(self, known: Known, readings: Sequence[Reading]) -> None:
        newest = stored.newest(self._con, known.pk) if readings else None
        rows = []
        for reading in readings:
            outcome = observe(known.state, reading, ())
            known.state = outcome.state
            at, content = to_ms(reading.observed_at), _content(outcome, reading)
            if newest is not None and newest.content == content:
                newest.to_at = at
            else:
                newest = stored.Row(known.pk, at, at, content)
            rows.append(newest)
            self._note(Part.STATE, reading)
        self._write(rows)
        if readings:
            self._result.renewed.append(known.state.subject_id)

    def _row(self, subject_pk: int, at: int, content: stored.Content, stored_before: int | None) -> stored.Row:
        """The file's last row goes on where it says the same and nothing stored lies between."""
        last = self._last
        if last is None or last.content != content or (stored_before is not None and stored_before > last.from_at):
            last = self._last = stored.Row(subject_pk, at, at, content)
        last.to_at = at
        return last

    def _write(self, rows: Iterable[stored.Row]) -> None:
        unique = list({id(row): row for row in rows}.values())
        stored.write(self._con, unique)
        for row in unique:
            row.stored = True

    def _note(self, part: Part, reading: Reading) -> None:
        self._result.parts[part] += 1
        oldest_at = self._result.oldest_at
        self._result.oldest_at = reading.observed_at if oldest_at is None else min(oldest_at, reading.observed_at)


def _content(outcome: Outcome, reading: Reading) -> stored.Content:
    unsettled = {metric: reading.values[metric] for metric, step in outcome.steps.items() if step.verdict not in NUMBER_SETTLES}
    return stored.content(outcome.state, unsettled)


def _reached(state: SubjectState, peaks: dict[Metric, int]) -> SubjectState:
    """A number that was reached before is told by nobody."""
    higher = {metric: peak for metric, peak in peaks.items() if peak > (state.metric(metric).peak or -1)}
    if not higher:
        return state
    metrics = {**state.metrics, **{metric: state.metric(metric)._replace(peak=peak) for metric, peak in higher.items()}}
    return SubjectState(state.subject_id, state.kind, state.newest_at, state.title, state.published_at, metrics, state.presence)
