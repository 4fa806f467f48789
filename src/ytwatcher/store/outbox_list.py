"""The outbox as it is looked at: messages and alerts in lists, what a message told, and where an alert is. Nothing here changes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert, from_ms
from ytwatcher.core.wording import quoted
from ytwatcher.errors import InputError
from ytwatcher.store.outbox import AT_ONCE, item_of, items_where
from ytwatcher.store.subjects import at_or_none


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is listed. `plain` is None once its values were forgotten."""

    pk: int
    address: str
    state: str
    plain: str | None
    attempts: int
    made_at: datetime
    next_at: datetime
    last_error: str | None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """An alert as it is listed: why it is held or suppressed, and until when it is held."""

    item: Item
    address: str
    state: str
    reason: str | None
    hold_until: datetime | None
    made_at: datetime


class Letter(NamedTuple):
    """A message with what was told in it, also as part of another's line. `sent_at` is None where nobody knows when, or whether."""

    address: str
    sent_at: datetime | None
    found: tuple[Finding, ...]


class Finding(NamedTuple):
    """An alert of a message. `emptied`: its values were deleted, as all are after a while."""

    alert: Alert
    title: str | None
    line: str | None
    emptied: bool


def letter(con: sqlite3.Connection, message_pk: int) -> Letter | None:
    """What a message told; None: there is no such message."""
    row = con.execute(
        "SELECT r.address, m.sent_at FROM message m JOIN recipient r ON r.pk = m.recipient_pk WHERE m.pk = ?", (message_pk,)
    ).fetchone()
    if row is None:
        return None
    found = [
        Finding(item.alert, item.title, item.rule, item.alert.current is None and not item.alert.facts)
        for item in items_where(con, "a.message_pk = ?", message_pk)
        if item.alert is not None
    ]
    return Letter(row[0], at_or_none(row[1]), tuple(found))


def messages(con: sqlite3.Connection, states: Iterable[str] = ("pending", "sending", "dead")) -> list[Message]:
    """Messages in these states, oldest first."""
    rows = con.execute(
        "SELECT m.*, r.address FROM message m JOIN recipient r ON r.pk = m.recipient_pk"
        " WHERE m.state IN (SELECT value FROM json_each(?)) ORDER BY m.pk",
        (json.dumps(list(states)),),
    )
    return [message_of(row) for row in rows]


def newest(con: sqlite3.Connection, states: Iterable[str], most: int, before: int | None = None) -> list[Message]:
    """The newest messages in these states, newest first; those `before` a message's number where the page goes on."""
    rows = con.execute(
        "SELECT m.*, r.address FROM message m JOIN recipient r ON r.pk = m.recipient_pk"
        " WHERE m.state IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR m.pk < ?2) ORDER BY m.pk DESC LIMIT ?3",
        (json.dumps(list(states)), before, most),
    )
    return [message_of(row) for row in rows]


def message_of(row: sqlite3.Row) -> Message:
    return Message(
        row["pk"],
        row["address"],
        row["state"],
        row["plain"],
        row["attempts"],
        from_ms(row["made_at"]),
        from_ms(row["next_at"]),
        row["last_error"],
        at_or_none(row["sent_at"]),
    )


def alerts(con: sqlite3.Connection, states: Iterable[str] = ("waiting", "held"), most: int = AT_ONCE) -> list[Aside]:
    """The newest alerts in these states that are in no message, oldest first."""
    rows = con.execute(
        "SELECT a.*, s.title AS title, r.line, t.title AS target_title, c.address FROM alert a JOIN recipient c ON c.pk = a.recipient_pk"
        " LEFT JOIN subject s ON s.id = a.subject_id LEFT JOIN rule r ON r.id = a.rule_id LEFT JOIN target t ON t.pk = a.target_pk"
        " WHERE a.state IN (SELECT value FROM json_each(?)) ORDER BY a.pk DESC LIMIT ?",
        (json.dumps(list(states)), most),
    ).fetchall()
    return [
        Aside(
            item_of(row),
            row["address"],
            row["state"],
            row["reason"],
            from_ms(row["hold_until"]) if row["state"] == "held" else None,
            from_ms(row["made_at"]),
        )
        for row in reversed(rows)
    ]


def counts(con: sqlite3.Connection) -> dict[str, int]:
    """How many alerts wait or are held, and how many messages are in each state: `{"waiting": 2, "sent": 40, …}`."""
    rows = con.execute(
        "SELECT state, count(*) FROM alert WHERE state IN ('waiting', 'held') GROUP BY state"
        " UNION ALL SELECT state, count(*) FROM message GROUP BY state"
    )
    return {row[0]: row[1] for row in rows}


def fate(con: sqlite3.Connection, alert_id: str) -> tuple[str, str | None]:
    """Where an alert is: waiting, held, suppressed, or its message's state; and why, or the last error.

    Raises:
        InputError: there is no such alert.
    """
    row = con.execute(
        "SELECT coalesce(m.state, a.state), coalesce(m.last_error, a.reason) FROM alert a"
        " LEFT JOIN message m ON m.pk = a.message_pk AND a.state = 'message' WHERE a.id = ?",
        (alert_id,),
    ).fetchone()
    if row is None:
        raise InputError(f"there is no alert {quoted(alert_id)}")
    return row[0], row[1]


def message_fate(con: sqlite3.Connection, message_pk: int) -> tuple[str, str | None]:
    """A message's state and its last error.

    Raises:
        InputError: there is no such message.
    """
    row = con.execute("SELECT state, last_error FROM message WHERE pk = ?", (message_pk,)).fetchone()
    if row is None:
        raise InputError(f"there is no message {message_pk}")
    return row[0], row[1]
