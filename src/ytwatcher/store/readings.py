"""Stored readings: settled values over time, with what YouTube said beside them where it differs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from ytwatcher.core import breaks
from ytwatcher.core.model import MILLISECOND, VIDEO_METRICS, Absent, Metric, SubjectState, Value, from_ms, to_ms
from ytwatcher.core.rates import ABOUT, Span
from ytwatcher.core.rehearse import UNSETTLED
from ytwatcher.store import many

ENDED_RULES_STAY = timedelta(days=1)
COLUMNS = {metric: metric.replace(" ", "_") for metric in Metric}
_METRICS = tuple(Metric)
_NAMES = ", ".join(COLUMNS.values())
_MARKS = ", ".join("?" * len(COLUMNS))
_ADD = f"INSERT INTO reading (subject_pk, from_at, to_at, {', '.join(VIDEO_METRICS)}) VALUES {{rows}}"  # noqa: S608 - own names
_EXTEND = (
    "UPDATE reading SET to_at = ?1 WHERE subject_pk = ?2 AND from_at = (SELECT max(from_at) FROM reading WHERE subject_pk = ?2)"  # noqa: S608 - own names
    f" AND raw IS NULL{''.join(f' AND {metric} IS ?{n}' for n, metric in enumerate(VIDEO_METRICS, start=3))}"
)


class Content(NamedTuple):
    """What makes a row: the settled value of every metric in the order of `Metric`, and the raw values that differ."""

    values: tuple[int | None, ...]
    raw: str | None


@dataclass(slots=True)
class Row:
    """The span over which a subject's readings said the same."""

    subject_pk: int
    from_at: int
    to_at: int
    content: Content
    stored: bool = False


def content(state: SubjectState, values: Mapping[Metric, Value]) -> Content:
    """The row content of a reading with these raw values, whose settling made `state`."""
    settled = {metric: known.number for metric, known in state.metrics.items() if known.absent is None}
    get = settled.get
    raw = {metric: value for metric, value in values.items() if get(metric) != value}
    return Content(tuple(map(get, _METRICS)), json.dumps(raw, sort_keys=True, separators=(",", ":")) if raw else None)


def newest(con: sqlite3.Connection, subject_pk: int) -> Row | None:
    """The newest stored row of a subject."""
    query = f"SELECT from_at, to_at, {_NAMES}, raw FROM reading WHERE subject_pk = ? ORDER BY from_at DESC LIMIT 1"  # noqa: S608 - own names
    found = con.execute(query, (subject_pk,)).fetchone()
    return None if found is None else Row(subject_pk, found[0], found[1], Content(tuple(found[2:-1]), found[-1]), stored=True)


def span(row: Row) -> Span:
    """A row as the start of a rate."""
    return Span(row.from_at, dict(zip(COLUMNS, row.content.values, strict=True)))


def trails(con: sqlite3.Connection, first: Mapping[int, int]) -> dict[int, list[Span]]:
    """What rates are measured from (core/rates.py): of each subject, before this instant (ms), the newest row that started an hour before
    or earlier, and all later ones; oldest first."""
    if not first:
        return {}
    rows = con.execute(
        f"SELECT r.subject_pk, r.from_at, {_NAMES} FROM json_each(?1) j JOIN reading r ON r.subject_pk = j.key AND r.from_at >="  # noqa: S608 - own names
        " coalesce((SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = j.key AND x.from_at <= j.value - ?2), j.value - ?2)"
        " ORDER BY r.subject_pk, r.from_at",
        (json.dumps(first), ABOUT // MILLISECOND),
    )
    found: dict[int, list[Span]] = {pk: [] for pk in first}
    for pk, from_at, *values in rows:
        found[pk].append(Span(from_at, dict(zip(COLUMNS, values, strict=True))))
    return found


def write(con: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Insert the new rows and extend the stored ones."""
    rows = list(rows)
    con.executemany(
        "UPDATE reading SET to_at = ? WHERE subject_pk = ? AND from_at = ?",
        [(row.to_at, row.subject_pk, row.from_at) for row in rows if row.stored],
    )
    con.executemany(
        f"INSERT INTO reading (subject_pk, from_at, to_at, {_NAMES}, raw) VALUES (?, ?, ?, {_MARKS}, ?)",  # noqa: S608 - own names
        [(row.subject_pk, row.from_at, row.to_at, *row.content.values, row.content.raw) for row in rows if not row.stored],
    )


def add_settled(con: sqlite3.Connection, rows: Iterable[tuple[int, int, bool, tuple[int | None, ...]]]) -> None:
    """Write readings of videos whose every value settled: (subject, when (ms), whether a value is another than before, `VIDEO_METRICS`)."""
    new = []
    for subject_pk, at, changed, values in rows:
        if changed or con.execute(_EXTEND, (at, subject_pk, *values)).rowcount == 0:
            new.append((subject_pk, at, at, *values))
    many.run(con, _ADD, new)


_WHY = frozenset({Absent.HIDDEN, Absent.DISABLED})


def past(
    con: sqlite3.Connection, subject_pk: int, metrics: Sequence[Metric], since_ms: int, *, why: bool
) -> Iterator[tuple[int | str | None, ...]]:
    """The stored rows of a subject that reach into the time since then, oldest first, as a rehearsal takes them (core/rehearse.py).

    Args:
        why: with the reason of a value that is hidden, turned off, or not settled.
    """
    columns = ", ".join(COLUMNS[metric] for metric in metrics)
    rows = con.execute(
        f"SELECT from_at, to_at, raw, {columns} FROM reading WHERE subject_pk = ?1 AND from_at >= coalesce("  # noqa: S608 - own names
        "(SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = ?1 AND x.from_at <= ?2), ?2) ORDER BY from_at",
        (subject_pk, since_ms),
    )
    rows.row_factory = None
    return map(partial(_with_reasons, metrics), rows) if why else rows


def _with_reasons(metrics: Sequence[Metric], row: tuple[Any, ...]) -> tuple[Any, ...]:
    if row[2] is None or None not in row[3:]:
        return row
    said = json.loads(row[2])
    return (*row[:3], *(_why_none(said.get(m)) if value is None else value for m, value in zip(metrics, row[3:], strict=True)))


def _why_none(said: int | str | None) -> str | None:
    if isinstance(said, int):
        return UNSETTLED
    return said if said in _WHY else None


def peaks(con: sqlite3.Connection, subject_pk: int, metrics: Sequence[Metric], before_ms: int) -> tuple[int | None, ...]:
    """The highest stored value of each metric before an instant."""
    columns = ", ".join(f"max({COLUMNS[metric]})" for metric in metrics)
    found: tuple[int | None, ...] = tuple(
        con.execute(f"SELECT {columns} FROM reading WHERE subject_pk = ? AND from_at < ?", (subject_pk, before_ms)).fetchone()  # noqa: S608 - own names
    )
    return found


def count_since(con: sqlite3.Connection, subject_pks: Sequence[int], since_ms: int) -> int:
    """How many rows of these subjects began since then."""
    query = "SELECT count(*) FROM json_each(?) j JOIN reading r ON r.subject_pk = j.value AND r.from_at >= ?"
    return int(con.execute(query, (json.dumps(list(subject_pks)), since_ms)).fetchone()[0])


def spans(con: sqlite3.Connection, subject_pk: int, first_at: datetime, last_at: datetime) -> list[tuple[int, int]]:
    """The stored spans of a subject that lie between two instants or reach into that time, in order; in ms."""
    return con.execute(
        "SELECT from_at, to_at FROM reading WHERE subject_pk = ?1 AND from_at <= ?3 AND from_at >= coalesce("
        "(SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = ?1 AND x.from_at <= ?2), ?2) ORDER BY from_at",
        (subject_pk, to_ms(first_at), to_ms(last_at)),
    ).fetchall()


class Point(NamedTuple):
    """One stored span as it is shown: settled values by metric, and the raw values that differ."""

    from_at: datetime
    to_at: datetime
    values: dict[Metric, int | None]
    raw: dict[str, int | str]


def history(con: sqlite3.Connection, subject_id: str, since: datetime | None = None, limit: int | None = None) -> list[Point]:
    """The stored spans of a subject, oldest first; `limit` keeps the newest ones."""
    rows = con.execute(
        f"SELECT from_at, to_at, {_NAMES}, raw FROM reading r JOIN subject s ON s.pk = r.subject_pk"  # noqa: S608 - own names
        " WHERE s.id = ? AND to_at >= ? ORDER BY from_at DESC LIMIT ?",
        (subject_id, to_ms(since) if since else 0, -1 if limit is None else limit),
    ).fetchall()
    return [_point(row) for row in reversed(rows)]


def after(con: sqlite3.Connection, subject_pk: int, at: datetime, most: int) -> list[Point]:
    """The first stored spans that begin after an instant, oldest first."""
    rows = con.execute(
        f"SELECT from_at, to_at, {_NAMES}, raw FROM reading WHERE subject_pk = ? AND from_at > ? ORDER BY from_at LIMIT ?",  # noqa: S608 - own names
        (subject_pk, to_ms(at), most),
    )
    return [_point(row) for row in rows]


def _point(row: tuple[Any, ...]) -> Point:
    values = dict(zip(COLUMNS, row[2:-1], strict=True))
    return Point(from_ms(row[0]), from_ms(row[1]), values, json.loads(row[-1]) if row[-1] else {})


def value_at(con: sqlite3.Connection, subject_pk: int, metric: Metric, at: datetime, older: timedelta) -> int | None:
    """The settled value at an instant, from a reading that was not made much before it, and not across a counting break since."""
    row = con.execute(
        f"SELECT to_at, {COLUMNS[metric]} FROM reading WHERE subject_pk = ? AND from_at <= ? ORDER BY from_at DESC LIMIT 1",  # noqa: S608 - own names
        (subject_pk, to_ms(at)),
    ).fetchone()
    if row is None or at - from_ms(row[0]) > older or breaks.between(metric, min(from_ms(row[0]), at), at + older * 2):
        return None
    value: int | None = row[1]
    return value


def unchanged_since(con: sqlite3.Connection, subject_id: str) -> dict[Metric, datetime]:
    """For each metric with a number: since when YouTube has not changed it (the start of the newest run of equal values)."""
    found: dict[Metric, datetime] = {}
    for point in history(con, subject_id, limit=1):
        for metric, value in point.values.items():
            if value is not None:
                found[metric] = _run_start(con, subject_id, COLUMNS[metric], value)
    return found


def _run_start(con: sqlite3.Connection, subject_id: str, column: str, value: int) -> datetime:
    row = con.execute(
        "SELECT min(from_at) FROM reading r JOIN subject s ON s.pk = r.subject_pk WHERE s.id = ?1 AND from_at > coalesce("  # noqa: S608 - own names
        f"(SELECT x.from_at FROM reading x WHERE x.subject_pk = s.pk AND x.{column} IS NOT ?2 ORDER BY x.from_at DESC LIMIT 1), -1)",
        (subject_id, value),
    ).fetchone()
    return from_ms(row[0])


def prune(con: sqlite3.Connection, now: datetime, retention: timedelta) -> int:
    """Delete readings that ended before the retention, and empty old alerts and messages of their values; their ids stay.

    Of a rule that ended a day ago nobody asks any more where it stood. Returns how many readings were deleted.
    """
    limit, ended = to_ms(now - retention), to_ms(now - ENDED_RULES_STAY)
    # Subject by subject, so that only old rows are looked at and not all there are.
    old = "subject_pk IN (SELECT pk FROM subject) AND from_at < ?1"
    deleted = con.execute(f"DELETE FROM reading WHERE {old} AND to_at < ?1", (limit,)).rowcount  # noqa: S608 - own words
    # A long unchanged span keeps only the part inside the retention.
    con.execute(f"UPDATE OR IGNORE reading SET from_at = ?1 WHERE {old}", (limit,))  # noqa: S608 - own words
    con.execute(
        "UPDATE alert SET previous = NULL, current = NULL, facts = NULL"
        " WHERE made_at < ? AND state IN ('suppressed', 'message') AND (previous IS NOT NULL OR current IS NOT NULL OR facts IS NOT NULL)"
        " AND (message_pk IS NULL OR message_pk IN (SELECT pk FROM message WHERE state IN ('sent', 'dead', 'dropped')))",
        (limit,),
    )
    con.execute(
        "UPDATE message SET text = NULL, plain = NULL WHERE made_at < ? AND state IN ('sent', 'dead', 'dropped') AND text IS NOT NULL",
        (limit,),
    )
    con.execute("DELETE FROM rule_state WHERE rule_pk NOT IN (SELECT pk FROM rule WHERE until_at IS NULL OR until_at >= ?)", (ended,))
    return deleted
