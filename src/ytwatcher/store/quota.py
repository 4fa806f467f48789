"""The ledger in the journal: what was spent of each bucket on which Pacific day, and whether YouTube closed it.

`spend` runs before the call that it pays for: a call that was made and not counted could be one too many.
"""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from typing import NamedTuple

from ytwatcher.core.model import from_ms, to_ms
from ytwatcher.core.quota import Allowance, Bucket, Ledger, Share, after_quota_error, allowance, quota_day, reserve_of, spent


class Terms(NamedTuple):
    """What a bucket gives a day: Google's limit, and the part of it (0…1) that is kept for commands."""

    limit: int = 10_000
    reserve: float = 0.05


def load(connection: sqlite3.Connection, bucket: Bucket, terms: Terms, now: datetime) -> Ledger:
    """The bucket's ledger of the quota day that `now` lies in."""
    day = quota_day(now)
    key = (day.day.isoformat(), bucket)
    used = {
        Share(row["share"]): row["used"] for row in connection.execute("SELECT share, used FROM ledger WHERE day = ? AND bucket = ?", key)
    }
    closed = connection.execute("SELECT closed_at, probe_at FROM closed_bucket WHERE day = ? AND bucket = ?", key).fetchone()
    return Ledger(
        bucket,
        day,
        terms.limit,
        reserve_of(terms.limit, terms.reserve),
        used,
        from_ms(closed["closed_at"]) if closed else None,
        from_ms(closed["probe_at"]) if closed else None,
    )


class Day(NamedTuple):
    """What was spent of one bucket on one quota day; `closed_at`: when YouTube said that it is spent."""

    day: date
    bucket: Bucket
    used: int
    closed_at: datetime | None


def days(connection: sqlite3.Connection, since: date) -> list[Day]:
    """The quota days on which something was spent, newest first."""
    rows = connection.execute(
        "SELECT l.day, l.bucket, sum(l.used), c.closed_at FROM ledger l LEFT JOIN closed_bucket c ON c.day = l.day AND c.bucket = l.bucket"
        " WHERE l.day >= ? GROUP BY l.day, l.bucket ORDER BY l.day DESC, l.bucket",
        (since.isoformat(),),
    )
    return [Day(date.fromisoformat(row[0]), Bucket(row[1]), row[2], from_ms(row[3]) if row[3] is not None else None) for row in rows]


def spend(connection: sqlite3.Connection, bucket: Bucket, terms: Terms, share: Share, now: datetime, units: int = 1) -> Allowance:
    """Take the units if the share may have them: recorded exactly when the returned allowance permits them at `now`."""
    ledger = load(connection, bucket, terms, now)
    allowed = allowance(ledger, share, now)
    if allowed.permits(now, units):
        _record(connection, ledger, share, units)
        _keep_closure(connection, spent(ledger, share, units, now))
    return allowed


def close(connection: sqlite3.Connection, bucket: Bucket, terms: Terms, now: datetime) -> Ledger:
    """YouTube said that the bucket is spent. The ledger before tells whether that is news: `closed_at` is kept."""
    ledger = after_quota_error(load(connection, bucket, terms, now), now)
    _keep_closure(connection, ledger)
    return ledger


def reopen(connection: sqlite3.Connection, bucket: Bucket, now: datetime) -> bool:
    """A call was answered: the bucket is open. Whether it was closed before."""
    key = (quota_day(now).day.isoformat(), bucket)
    return connection.execute("DELETE FROM closed_bucket WHERE day = ? AND bucket = ?", key).rowcount > 0


def _record(connection: sqlite3.Connection, ledger: Ledger, share: Share, units: int) -> None:
    connection.execute(
        "INSERT INTO ledger (day, bucket, share, used) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (day, bucket, share) DO UPDATE SET used = used + excluded.used",
        (ledger.day.day.isoformat(), ledger.bucket, share, units),
    )


def _keep_closure(connection: sqlite3.Connection, ledger: Ledger) -> None:
    if ledger.closed_at is not None and ledger.probe_at is not None:
        connection.execute(
            "INSERT INTO closed_bucket (day, bucket, closed_at, probe_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (day, bucket) DO UPDATE SET probe_at = excluded.probe_at",
            (ledger.day.day.isoformat(), ledger.bucket, to_ms(ledger.closed_at), to_ms(ledger.probe_at)),
        )
