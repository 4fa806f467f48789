"""The quota: what each kind of work may still spend of a bucket today (docs/quota.md).

YouTube tells nobody with an API key how much is used, so we count ourselves, before each call, and believe YouTube when it
says that a bucket is spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ytwatcher.core.phrases import Phrase

PROBE_EVERY = timedelta(hours=1)


class Bucket(StrEnum):
    """The daily quotas that are drawn on; searching and uploading have two more, which are never used here."""

    STATS = "videos.batchGetStats"
    DEFAULT = "default"


class Share(StrEnum):
    """Who spends: the three lanes, and a person's commands. Statistics in the default bucket are the fallback."""

    STATISTICS = "statistics"
    METADATA = "metadata"
    MEMBERSHIP = "membership"
    COMMANDS = "commands"


SHARES: Mapping[Bucket, Mapping[Share, Fraction]] = {
    Bucket.STATS: {Share.STATISTICS: Fraction(1)},
    Bucket.DEFAULT: {
        Share.METADATA: Fraction(25, 100),
        Share.MEMBERSHIP: Fraction(45, 100),
        Share.STATISTICS: Fraction(30, 100),
    },
}
"""Each lane's part of what is left of a bucket without its reserve. The reserve is for commands: somebody waits for them."""


class QuotaDay(NamedTuple):
    """The Pacific day `day`: [start_at, end_at) in UTC, 23, 24 or 25 hours."""

    day: date
    start_at: datetime
    end_at: datetime


def quota_day(now: datetime) -> QuotaDay:
    """The quota day that `now` lies in."""
    day = now.astimezone(_pacific()).date()
    return QuotaDay(day, _midnight(day), _midnight(day + timedelta(days=1)))


def _pacific() -> ZoneInfo:
    return ZoneInfo("America/Los_Angeles")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), _pacific()).astimezone(UTC)


class Why(StrEnum):
    """Why a share may spend, or may not; the phrases are said to people who add something."""

    OPEN = "the bucket is open"
    SHARE_SPENT = Phrase("the share is spent until midnight Pacific time")
    BUCKET_SPENT = Phrase("the bucket is spent until midnight Pacific time")
    CLOSED = Phrase("YouTube said that the bucket is spent; it is asked again once an hour")
    PROBE = "YouTube said that the bucket is spent; this call asks whether it still is"


class Allowance(NamedTuple):
    """What a share may spend, and why: `units` from `from_at` on, until `until_at`, the end of the quota day."""

    units: int
    from_at: datetime
    until_at: datetime
    why: Why

    def permits(self, now: datetime, units: int = 1) -> bool:
        return units <= self.units and self.from_at <= now < self.until_at


@dataclass(frozen=True, slots=True)
class Ledger:
    """One bucket on one quota day. `limit` is Google's, `reserve` our units for commands, `used` is counted before each call."""

    bucket: Bucket
    day: QuotaDay
    limit: int
    reserve: int
    used: Mapping[Share, int]
    closed_at: datetime | None = None
    probe_at: datetime | None = None

    @property
    def total(self) -> int:
        """What is used of the bucket."""
        return sum(self.used.values())

    @property
    def left(self) -> int:
        """What Google would still give, the reserve included; 0 while the bucket is closed."""
        return 0 if self.closed_at is not None else max(0, self.limit - self.total)


def reserve_of(limit: int, part: float) -> int:
    """The units of a bucket that are kept for commands; at least one."""
    return min(limit, max(1, round(limit * part)))


def share_limit(ledger: Ledger, share: Share) -> int:
    """The most that a share may use in a day; commands may use all that is there."""
    if share is Share.COMMANDS:
        return ledger.limit
    return int((ledger.limit - ledger.reserve) * SHARES[ledger.bucket].get(share, Fraction(0)))


def allowance(ledger: Ledger, share: Share, now: datetime) -> Allowance:
    """What the share may spend from now on.

    A lane leaves alone what commands have not used of the reserve. A closed bucket gives one unit an hour, to whoever asks
    first: now and then YouTube closes one in error.
    """
    kept = 0 if share is Share.COMMANDS else max(0, ledger.reserve - ledger.used.get(Share.COMMANDS, 0))
    of_share = share_limit(ledger, share) - ledger.used.get(share, 0)
    of_bucket = ledger.limit - kept - ledger.total
    end_at = ledger.day.end_at
    if of_bucket <= 0:
        return Allowance(0, end_at, end_at, Why.BUCKET_SPENT)
    if of_share <= 0:
        return Allowance(0, end_at, end_at, Why.SHARE_SPENT)
    if ledger.probe_at is not None:
        why = Why.PROBE if ledger.probe_at <= now else Why.CLOSED
        return Allowance(1, max(now, min(ledger.probe_at, end_at)), end_at, why)
    return Allowance(min(of_share, of_bucket), now, end_at, Why.OPEN)


def spent(ledger: Ledger, share: Share, units: int, now: datetime) -> Ledger:
    """The ledger with a call about to be made; in a closed bucket it is the probe, and the next one is an hour away."""
    used = {**ledger.used, share: ledger.used.get(share, 0) + units}
    return replace(ledger, used=used, probe_at=None if ledger.closed_at is None else now + PROBE_EVERY)


def after_quota_error(ledger: Ledger, now: datetime) -> Ledger:
    """Closed until the day ends, whatever we counted; probed in an hour."""
    return replace(ledger, closed_at=ledger.closed_at or now, probe_at=now + PROBE_EVERY)
