"""State that lies ahead of the clock: it was wrong once, and is right now. Left alone, nothing would be read, told or sent until then."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from types import MappingProxyType

from ytwatcher.core.model import PRESENT, Presence, to_ms
from ytwatcher.core.quota import quota_day
from ytwatcher.store import subjects
from ytwatcher.store.subjects import COLUMNS, Known, known_of

AHEAD = timedelta(minutes=5)
_PAST = MappingProxyType(
    {
        "target": ("listed_at", "completed_at", "wanted_at"),
        "member": ("joined_at", "missing_at", "left_at"),
        "rule": ("made_at", "until_at"),
        "rule_state": ("since_at",),
        "alert": ("made_at",),
        "message": ("made_at", "claimed_at", "sent_at"),
        "publication": ("acked_at",),
    }
)
"""Instants of what has happened, by table: none of them can lie in the future."""


def rebase_future(con: sqlite3.Connection, now: datetime) -> int:
    """Pull state that lies more than 5 minutes ahead of the clock back to now; returns how many subjects that were.

    Values, peaks and anchors stay; waits start anew with the next reading, and so do the outbox's.
    """
    limit, at = to_ms(now + AHEAD), to_ms(now)
    query = f"SELECT {COLUMNS} FROM subject WHERE newest_at > ?1 OR read_at > ?1 OR metadata_at > ?1"  # noqa: S608 - own names
    rows = con.execute(query, (limit,)).fetchall()
    subjects.save(con, [_rebased(known_of(row), now) for row in rows])
    for row in rows:
        con.execute("DELETE FROM reading WHERE subject_pk = ? AND from_at > ?", (row["pk"], at))
        con.execute("UPDATE reading SET to_at = ? WHERE subject_pk = ? AND to_at > ?", (at, row["pk"], at))
    pulled = 0
    for table, columns in _PAST.items():
        for column in columns:
            pulled += con.execute(f"UPDATE {table} SET {column} = ? WHERE {column} > ?", (at, limit)).rowcount  # noqa: S608 - own names
    if rows or pulled:
        _end_waits(con, now)
    return len(rows)


def _rebased(known: Known, now: datetime) -> Known:
    metrics = {
        metric: state._replace(wait=None, supported_at=min(state.supported_at, now) if state.supported_at else None)
        for metric, state in known.state.metrics.items()
    }
    vanished_at, newest_at = known.state.presence.vanished_at, known.state.newest_at
    presence = Presence(vanished_at=min(vanished_at, now)) if vanished_at else PRESENT
    known.state = known.state._replace(newest_at=min(newest_at, now) if newest_at else None, metrics=metrics, presence=presence)
    known.read_at = known.metadata_at = None
    known.wanted_at = known.metadata_wanted_at = to_ms(now)
    return known


def _end_waits(con: sqlite3.Connection, now: datetime) -> None:
    """What waits for an instant by the wrong clock is decided on anew; what was spent on days to come is not theirs."""
    at, today = to_ms(now), quota_day(now).day.isoformat()
    con.execute("UPDATE alert SET state = 'waiting' WHERE state = 'held'")
    con.execute("UPDATE message SET next_at = ?1 WHERE state = 'pending' AND next_at > ?1", (at,))
    con.execute("UPDATE recipient SET not_before = NULL")
    con.execute("DELETE FROM ledger WHERE day > ?", (today,))
    con.execute("DELETE FROM closed_bucket WHERE day > ?", (today,))
