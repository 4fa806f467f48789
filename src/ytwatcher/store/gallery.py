"""The watched subjects as the overview lists them: filtered, sorted, a page at a time, with what their main number was before.

A page costs a look at every watched subject's own row for the order, and index lookups for its readings; no reading is scanned.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from ytwatcher.core.model import MILLISECOND, Metric, SubjectKind, TargetKind, from_ms
from ytwatcher.store.readings import COLUMNS as READING_COLUMNS
from ytwatcher.store.subjects import COLUMNS, Known, known_of

MOST_LISTS = 200
MAIN = {SubjectKind.VIDEO: Metric.VIEWS, SubjectKind.CHANNEL: Metric.SUBSCRIBERS}
"""The number whose course is shown."""
OTHERS = {SubjectKind.VIDEO: (Metric.LIKES, Metric.COMMENTS), SubjectKind.CHANNEL: (Metric.TOTAL_VIEWS, Metric.VIDEOS)}


class Order(StrEnum):
    ADDED = "added"
    TITLE = "title"
    MAIN = "main"
    SECOND = "second"
    THIRD = "third"
    HOUR = "hour"
    DAY = "day"
    READ = "read"


class Only(StrEnum):
    ALL = "all"
    VANISHED = "vanished"
    UNSETTLED = "unsettled"
    NEVER = "unread"


class Group(StrEnum):
    NONE = "none"
    TARGET = "target"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which subjects, in which order. `text`: in the title or the channel's; `target`: of this target; `to`: of this recipient."""

    kind: SubjectKind = SubjectKind.VIDEO
    text: str = ""
    target: str = ""
    to: str = ""
    only: Only = Only.ALL
    group: Group = Group.NONE
    order: Order = Order.ADDED
    falling: bool = False


class Row(NamedTuple):
    """A subject; `group` is the title, or the address, under which it stands."""

    known: Known
    group: str | None


class Before(NamedTuple):
    """The main number as it was in force at an instant: what it was, and the last reading that said so."""

    value: int | None
    seen_at: datetime


class Named(NamedTuple):
    id: str
    title: str | None


_ONLY = {
    Only.VANISHED: "json_extract(s.state, '$.presence[1]') IS NOT NULL",
    Only.UNSETTLED: "EXISTS (SELECT 1 FROM json_each(s.state) m WHERE m.key <> 'presence' AND json_extract(m.value, '$[6]') IS NOT NULL)",
    Only.NEVER: "s.newest_at IS NULL",
}
_GROUPS = {
    Group.NONE: "NULL",
    Group.TARGET: "CASE t.kind WHEN 'video' THEN 'Single videos' ELSE coalesce(t.title, t.id) END",
    Group.RECIPIENT: "c.address",
}
_WATCHES = (
    "watch w JOIN recipient c ON c.pk = w.recipient_pk JOIN target t ON t.pk = w.target_pk"
    " JOIN member m ON m.target_pk = t.pk AND m.left_at IS NULL"
)


def page(con: sqlite3.Connection, wanted: Wanted, offset: int, most: int) -> tuple[list[Row], int]:
    """So many rows from `offset` on, and how many there are in all."""
    source, values = _source(wanted)
    direction = "DESC" if wanted.falling else "ASC"
    group = _GROUPS[wanted.group]
    names = ", ".join(f"s.{name.strip()}" for name in COLUMNS.split(","))
    rows = con.execute(
        f"SELECT DISTINCT {names}, {group} AS grouped, {_order(wanted)} AS place FROM {source}"  # noqa: S608 - own names
        f" ORDER BY grouped COLLATE NOCASE, place IS NULL, place {direction}, s.pk LIMIT :most OFFSET :offset",
        {**values, "most": most, "offset": offset},
    )
    rows.row_factory = None
    found = [Row(known_of(row[:-2]), row[-2]) for row in rows]
    total = con.execute(f"SELECT count(*) FROM (SELECT DISTINCT s.pk, {group} FROM {source})", values).fetchone()[0]  # noqa: S608 - own names
    return found, total


def some(con: sqlite3.Connection, ids: Iterable[str]) -> list[Row]:
    """The watched subjects of these ids."""
    query = f"SELECT {COLUMNS} FROM subject WHERE watched = 1 AND id IN (SELECT value FROM json_each(?))"  # noqa: S608 - own names
    rows = con.execute(query, (json.dumps(list(ids)),))
    rows.row_factory = None
    return [Row(known_of(row), None) for row in rows]


def before(
    con: sqlite3.Connection, pks: Sequence[int], metric: Metric, spans: Sequence[timedelta]
) -> Mapping[tuple[int, timedelta], Before]:
    """The metric of each subject so long before its newest reading, where there was a reading by then."""
    by_ms = {span // MILLISECOND: span for span in spans}
    rows = con.execute(
        f"SELECT p.value, i.value, r.{READING_COLUMNS[metric]}, min(r.to_at, s.newest_at - i.value)"  # noqa: S608 - own names
        " FROM json_each(?) p CROSS JOIN subject s ON s.pk = p.value CROSS JOIN json_each(?) i"
        " CROSS JOIN reading r ON r.subject_pk = p.value AND r.from_at ="
        " (SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = p.value AND x.from_at <= s.newest_at - i.value)",
        (json.dumps(list(pks)), json.dumps(list(by_ms))),
    )
    return {(pk, by_ms[ms]): Before(value, from_ms(seen)) for pk, ms, value, seen in rows}


def lists(con: sqlite3.Connection) -> list[Named]:
    """The watched channels and playlists, by title, as something to choose from."""
    rows = con.execute(
        "SELECT id, title FROM target WHERE kind <> ? AND pk IN (SELECT target_pk FROM watch) ORDER BY title COLLATE NOCASE LIMIT ?",
        (TargetKind.VIDEO, MOST_LISTS),
    )
    return [Named(*row) for row in rows]


def addresses(con: sqlite3.Connection) -> list[str]:
    """The recipients that watch something, as something to choose from."""
    rows = con.execute("SELECT address FROM recipient WHERE pk IN (SELECT recipient_pk FROM watch) ORDER BY address LIMIT ?", (MOST_LISTS,))
    return [row[0] for row in rows]


def _source(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The tables with their conditions, and the values for these."""
    conditions = ["s.watched = 1", "s.kind = :kind"]
    values: dict[str, Any] = {"kind": wanted.kind}
    through_watches = wanted.group is not Group.NONE or wanted.target or wanted.to
    if wanted.text:
        conditions.append(
            "(instr(lower(coalesce(s.title, '')), :text) OR instr(lower(coalesce(s.channel_title, '')), :text) OR s.id = :id)"
        )
        values |= {"text": wanted.text.lower(), "id": wanted.text}
    if wanted.target:
        conditions.append("t.id = :target")
        values["target"] = wanted.target
    if wanted.to:
        conditions.append("c.address = :to")
        values["to"] = wanted.to
    if wanted.only in _ONLY:
        conditions.append(_ONLY[wanted.only])
    tables = f"{_WATCHES} JOIN subject s ON s.pk = m.subject_pk" if through_watches else "subject s"
    return f"{tables} WHERE {' AND '.join(conditions)}", values


def _order(wanted: Wanted) -> str:
    main = MAIN[wanted.kind]
    second, third = OTHERS[wanted.kind]
    number = f"json_extract(s.state, '$.\"{main}\"[0]')"
    ago = (
        f"(SELECT r.{READING_COLUMNS[main]} FROM reading r WHERE r.subject_pk = s.pk AND r.from_at <= s.newest_at - {{}}"  # noqa: S608 - own names
        " ORDER BY r.from_at DESC LIMIT 1)"
    )
    return {
        Order.ADDED: "s.pk",
        Order.TITLE: "lower(coalesce(s.title, s.id))",
        Order.MAIN: number,
        Order.SECOND: f"json_extract(s.state, '$.\"{second}\"[0]')",
        Order.THIRD: f"json_extract(s.state, '$.\"{third}\"[0]')",
        Order.HOUR: f"{number} - {ago.format(3_600_000)}",
        Order.DAY: f"{number} - {ago.format(86_400_000)}",
        Order.READ: "s.newest_at",
    }[wanted.order]
