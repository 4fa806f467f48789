"""Where the talk with Telegram stands: which updates were taken, which of them were handled, and which could not be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ytwatcher.core.model import to_ms

KEPT = 100
LARGEST_KEPT = 20_000
REMEMBERED = timedelta(days=2)
"""Telegram keeps updates for 24 hours; after a week without any their numbers may begin anew, and lower."""


class Handled(NamedTuple):
    """An update that is done with; `fault` names the error of one that could not be handled."""

    update_id: int
    fault: str | None = None


def offset(con: sqlite3.Connection) -> int:
    """The first update that is wanted; 0: whatever Telegram has."""
    row = con.execute("SELECT id FROM handled_update ORDER BY handled_at DESC, id DESC LIMIT 1").fetchone()
    return 0 if row is None else int(row[0]) + 1


def new(con: sqlite3.Connection, numbers: Iterable[int]) -> list[int]:
    """Which of these updates were not taken before."""
    return [one for one in numbers if con.execute("SELECT 1 FROM handled_update WHERE id = ?", (one,)).fetchone() is None]


def take(con: sqlite3.Connection, updates: Mapping[int, str], now: datetime) -> None:
    """New updates came, by number, as JSON: they are kept until they were handled.

    The offset is behind all of them from now on. A clock that was set back does not move it back.
    """
    newest = con.execute("SELECT max(handled_at) FROM handled_update").fetchone()[0]
    at = max(to_ms(now), newest or 0)
    con.executemany("INSERT OR REPLACE INTO handled_update VALUES (?, ?)", [(number, at) for number in updates])
    con.executemany("INSERT OR REPLACE INTO taken_update VALUES (?, ?)", updates.items())
    con.execute("DELETE FROM handled_update WHERE handled_at < ?", (to_ms(now - REMEMBERED),))


def taken(con: sqlite3.Connection) -> list[str]:
    """The updates that were taken and not handled, in their order."""
    return [str(row[0]) for row in con.execute("SELECT body FROM taken_update ORDER BY id")]


def done(con: sqlite3.Connection, handled: Sequence[Handled], now: datetime) -> None:
    """These updates were handled; those that could not be are kept aside, the newest hundred of them."""
    for one in handled:
        if one.fault is not None:
            _quarantine(con, one, now)
    con.executemany("DELETE FROM taken_update WHERE id = ?", [(one.update_id,) for one in handled])


def _quarantine(con: sqlite3.Connection, one: Handled, now: datetime) -> None:
    con.execute(
        "INSERT OR REPLACE INTO quarantined_update SELECT id, ?, ?, substr(body, 1, ?) FROM taken_update WHERE id = ?",
        (to_ms(now), one.fault, LARGEST_KEPT, one.update_id),
    )
    con.execute("DELETE FROM quarantined_update WHERE id NOT IN (SELECT id FROM quarantined_update ORDER BY at DESC LIMIT ?)", (KEPT,))


def quarantined(con: sqlite3.Connection) -> int:
    """How many updates could not be handled."""
    return int(con.execute("SELECT count(*) FROM quarantined_update").fetchone()[0])


def note_of(con: sqlite3.Connection, key: str) -> str | None:
    """What was last told to Telegram under this key."""
    row = con.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def keep_note(con: sqlite3.Connection, key: str, value: str) -> None:
    con.execute("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)", (key, value))
