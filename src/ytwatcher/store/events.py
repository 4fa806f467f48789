"""What happened, in order, for who listens: readings accepted, alerts and messages with every state they come to.

While the site is on, the writer's connection has triggers that write a row for each in the transaction that made it so; nothing is written
for a journal without a site. A row only points at what it is about: its words are made when it is told.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from ytwatcher.core.model import Metric, from_ms
from ytwatcher.store.readings import COLUMNS

KEPT = 100_000
"""The newest so many: of 3,000 videos read every five minutes the last two and a half hours."""
_NAMES = ", ".join(f"r.{column}" for column in COLUMNS.values())
_WRITE = "INSERT INTO event (kind, ref, detail) VALUES"
_TRIGGERS = (
    f"event_reading AFTER UPDATE OF newest_at ON main.subject WHEN new.newest_at IS NOT NULL AND new.newest_at IS NOT old.newest_at"
    f" BEGIN {_WRITE} ('reading', new.pk, new.newest_at); END",
    f"event_alert AFTER INSERT ON main.alert BEGIN {_WRITE} ('alert', new.pk, new.state); END",
    f"event_alert_state AFTER UPDATE OF state ON main.alert WHEN new.state <> old.state BEGIN {_WRITE} ('alert', new.pk, new.state); END",
    f"event_message AFTER INSERT ON main.message BEGIN {_WRITE} ('message', new.pk, new.state); END",
    f"event_message_state AFTER UPDATE OF state ON main.message WHEN new.state <> old.state"
    f" BEGIN {_WRITE} ('message', new.pk, new.state); END",
    f"event_bound AFTER INSERT ON main.event BEGIN DELETE FROM event WHERE seq <= new.seq - {KEPT}; END",  # noqa: S608 - own names
)


class EventKind(StrEnum):
    """`started`: from here on it is written again; what happened before, while nobody wrote, is not among the events."""

    READING = "reading"
    ALERT = "alert"
    MESSAGE = "message"
    STARTED = "started"


class Event(NamedTuple):
    """`at` is the instant of a reading, an alert's reading or a message's making; `facts` has what there is to say, by name."""

    seq: int
    kind: EventKind
    at: datetime | None
    facts: dict[str, Any]


class Span(NamedTuple):
    """Which events there are: from the oldest kept to the newest (0, 0: none)."""

    oldest: int
    newest: int


def record(con: sqlite3.Connection) -> None:
    """From now on what is written on this connection is recorded."""
    con.execute(f"{_WRITE} ('started', 0, NULL)")
    for trigger in _TRIGGERS:
        con.execute(f"CREATE TEMP TRIGGER IF NOT EXISTS {trigger}")


def kept(con: sqlite3.Connection) -> Span:
    return Span(*con.execute("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM event").fetchone())


class Page(NamedTuple):
    """Events, oldest first, and up to which one that is; what nobody watches any longer is left out."""

    events: list[Event]
    last: int


def after(con: sqlite3.Connection, seq: int, most: int) -> Page:
    """The events that come after one."""
    rows = con.execute("SELECT seq, kind, ref, detail FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (seq, most)).fetchall()
    return Page([event for row in rows if (event := _event(con, *row)) is not None], rows[-1][0] if rows else seq)


def _event(con: sqlite3.Connection, seq: int, kind: str, ref: int, detail: Any) -> Event | None:
    """None: what it was about is there no longer, since nobody watches it."""
    if kind == EventKind.STARTED:
        return Event(seq, EventKind.STARTED, None, {})
    if kind == EventKind.READING:
        found = _reading(con, ref, detail)
    else:
        found = _alert(con, ref, detail) if kind == EventKind.ALERT else _message(con, ref, detail)
    return None if found is None else Event(seq, EventKind(kind), *found)


def _reading(con: sqlite3.Connection, pk: int, at: int) -> tuple[datetime, dict[str, Any]] | None:
    row = con.execute(
        f"SELECT s.id, s.kind, s.title, {_NAMES} FROM subject s LEFT JOIN reading r ON r.subject_pk = s.pk AND r.from_at ="  # noqa: S608 - own names
        " (SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = s.pk AND x.from_at <= ?2) WHERE s.pk = ?1 AND s.watched = 1",
        (pk, at),
    ).fetchone()
    if row is None:
        return None
    values: dict[Metric, int] = {metric: row[name] for metric, name in COLUMNS.items() if row[name] is not None}
    return from_ms(at), {"subject": row["id"], "kind": row["kind"], "title": row["title"], "values": values}


def _alert(con: sqlite3.Connection, pk: int, state: str) -> tuple[datetime, dict[str, Any]] | None:
    row = con.execute(
        "SELECT a.id, a.rule_id, a.subject_id, s.title, a.kind, a.metric, a.previous, a.current, a.mark, a.observed_at,"
        " CASE WHEN a.state = ?2 THEN a.reason END AS reason, c.address FROM alert a JOIN recipient c ON c.pk = a.recipient_pk"
        " LEFT JOIN subject s ON s.id = a.subject_id WHERE a.pk = ?1",
        (pk, state),
    ).fetchone()
    if row is None:
        return None
    names = {"id": "id", "rule": "rule_id", "subject": "subject_id", "title": "title", "kind": "kind", "metric": "metric"}
    names |= {"previous": "previous", "current": "current", "mark": "mark", "to": "address", "reason": "reason"}
    return from_ms(row["observed_at"]), {"state": state, **{name: row[column] for name, column in names.items()}}


def _message(con: sqlite3.Connection, pk: int, state: str) -> tuple[datetime, dict[str, Any]] | None:
    row = con.execute(
        "SELECT m.made_at, m.sent_at, m.attempts, m.last_error, c.address, (SELECT min(a.observed_at) FROM alert a"
        " WHERE a.message_pk = m.pk AND a.state = 'message' AND a.kind <> 'notice') AS found_at"
        " FROM message m JOIN recipient c ON c.pk = m.recipient_pk WHERE m.pk = ?",
        (pk,),
    ).fetchone()
    if row is None:
        return None
    facts = {"message": pk, "state": state, "to": row["address"], "attempts": row["attempts"], "last_error": row["last_error"]}
    if state == "sent" and row["sent_at"] is not None and row["found_at"] is not None:
        facts["lag"] = (row["sent_at"] - row["found_at"]) / 1000
    return from_ms(row["made_at"]), facts
