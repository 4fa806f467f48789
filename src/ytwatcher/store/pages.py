"""Long lists in parts: each query is given the key that the part before ended with, and how many rows it may give."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.findings import Item
from ytwatcher.core.model import SubjectKind, TargetKind, from_ms, to_ms
from ytwatcher.store.outbox import item_of
from ytwatcher.store.outbox_list import Message, message_of
from ytwatcher.store.readings import COLUMNS, Point
from ytwatcher.store.subjects import COLUMNS as SUBJECT_COLUMNS
from ytwatcher.store.subjects import Known, at_or_none, known_of

_NAMES = ", ".join(COLUMNS.values())


class WatchRow(NamedTuple):
    """A watch; `subjects` are those that its target holds now, `fault` says why its list cannot be read."""

    pk: int
    target_id: str
    kind: TargetKind
    title: str | None
    address: str
    added_at: datetime
    subjects: int
    rules: int
    fault: str | None


def watches(con: sqlite3.Connection, after: int, most: int, address: str | None = None, target_id: str | None = None) -> list[WatchRow]:
    """In the order they were made; of one recipient, or on one target, where asked."""
    rows = con.execute(
        "SELECT w.pk, t.id, t.kind, t.title, c.address, w.added_at, t.fault,"
        " (SELECT count(*) FROM member m WHERE m.target_pk = t.pk AND m.left_at IS NULL) AS subjects,"
        " (SELECT count(*) FROM rule r WHERE r.target_pk = t.pk AND r.recipient_pk = c.pk AND r.until_at IS NULL) AS rules"
        " FROM watch w JOIN target t ON t.pk = w.target_pk JOIN recipient c ON c.pk = w.recipient_pk"
        " WHERE w.pk > ?1 AND (?2 IS NULL OR c.address = ?2) AND (?3 IS NULL OR t.id = ?3) ORDER BY w.pk LIMIT ?4",
        (after, address, target_id, most),
    )
    return [
        WatchRow(
            row["pk"],
            row["id"],
            TargetKind(row["kind"]),
            row["title"],
            row["address"],
            from_ms(row["added_at"]),
            row["subjects"],
            row["rules"],
            row["fault"],
        )
        for row in rows
    ]


def subjects(con: sqlite3.Connection, after: int, most: int, kind: SubjectKind | None = None, target_id: str | None = None) -> list[Known]:
    """The watched subjects in the order they were first seen; of one kind, or that one target holds, where asked."""
    rows = con.execute(
        f"SELECT {SUBJECT_COLUMNS} FROM subject WHERE watched = 1 AND pk > ?1 AND (?2 IS NULL OR kind = ?2)"  # noqa: S608 - own names
        " AND (?3 IS NULL OR pk IN (SELECT m.subject_pk FROM member m JOIN target t ON t.pk = m.target_pk WHERE t.id = ?3"
        " AND m.left_at IS NULL)) ORDER BY pk LIMIT ?4",
        (after, kind, target_id, most),
    )
    rows.row_factory = None
    return [known_of(row) for row in rows]


def readings(con: sqlite3.Connection, subject_pk: int, since: datetime, until: datetime, most: int) -> list[Point]:
    """The newest stored spans of a subject that reach into that time, oldest first."""
    rows = con.execute(
        f"SELECT from_at, to_at, {_NAMES}, raw FROM reading WHERE subject_pk = ? AND to_at >= ? AND from_at <= ?"  # noqa: S608 - own names
        " ORDER BY from_at DESC LIMIT ?",
        (subject_pk, to_ms(since), to_ms(until), most),
    )
    rows.row_factory = None
    return [
        Point(from_ms(from_at), from_ms(to_at), dict(zip(COLUMNS, values, strict=True)), json.loads(raw) if raw else {})
        for from_at, to_at, *values, raw in reversed(rows.fetchall())
    ]


class AlertRow(NamedTuple):
    """An alert with what became of it: `state` is waiting, held, suppressed, or its message's; `reason` says why, or the last error."""

    item: Item
    address: str
    state: str
    reason: str | None
    hold_until: datetime | None
    message: int | None
    made_at: datetime


class Wanted(NamedTuple):
    """Which alerts; None: of any."""

    subject_id: str | None = None
    rule_id: str | None = None
    address: str | None = None
    target_id: str | None = None
    state: str | None = None


def alerts(con: sqlite3.Connection, before: int | None, most: int, wanted: Wanted) -> list[AlertRow]:
    """Newest first; notices to the operator about the service itself are not among them."""
    rows = con.execute(
        "SELECT a.*, s.title AS title, r.line, t.title AS target_title, c.address,"
        " CASE WHEN a.state = 'message' THEN coalesce(m.state, a.state) ELSE a.state END AS fate,"
        " CASE WHEN a.state = 'message' THEN m.last_error ELSE a.reason END AS why"
        " FROM alert a JOIN recipient c ON c.pk = a.recipient_pk LEFT JOIN subject s ON s.id = a.subject_id"
        " LEFT JOIN rule r ON r.id = a.rule_id LEFT JOIN target t ON t.pk = a.target_pk LEFT JOIN message m ON m.pk = a.message_pk"
        " WHERE a.kind <> 'notice' AND (?1 IS NULL OR a.pk < ?1) AND (?2 IS NULL OR a.subject_id = ?2) AND (?3 IS NULL OR a.rule_id = ?3)"
        " AND (?4 IS NULL OR c.address = ?4) AND (?5 IS NULL OR t.id = ?5) AND (?6 IS NULL OR fate = ?6) ORDER BY a.pk DESC LIMIT ?7",
        (before, *wanted, most),
    )
    return [
        AlertRow(
            item_of(row),
            row["address"],
            row["fate"],
            row["why"],
            at_or_none(row["hold_until"]) if row["state"] == "held" else None,
            row["message_pk"],
            from_ms(row["made_at"]),
        )
        for row in rows
    ]


def messages(con: sqlite3.Connection, before: int | None, most: int, state: str | None = None, address: str | None = None) -> list[Message]:
    """Newest first; in one state, or to one recipient, where asked."""
    rows = con.execute(
        "SELECT m.*, c.address FROM message m JOIN recipient c ON c.pk = m.recipient_pk"
        " WHERE (?1 IS NULL OR m.pk < ?1) AND (?2 IS NULL OR m.state = ?2) AND (?3 IS NULL OR c.address = ?3) ORDER BY m.pk DESC LIMIT ?4",
        (before, state, address, most),
    )
    return [message_of(row) for row in rows]


def message(con: sqlite3.Connection, pk: int) -> Message | None:
    row = con.execute("SELECT m.*, c.address FROM message m JOIN recipient c ON c.pk = m.recipient_pk WHERE m.pk = ?", (pk,)).fetchone()
    return None if row is None else message_of(row)
