"""What the day's quota is spent on, and how often videos are read: looked at, never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ytwatcher.core.model import SubjectKind
from ytwatcher.core.quota import Bucket, Ledger, Share, allowance
from ytwatcher.core.schedule import Load, Plan, plan_channels, plan_membership, plan_metadata, plan_statistics
from ytwatcher.core.schedule import Settings as PollSettings
from ytwatcher.settings import Settings
from ytwatcher.store import quota as ledgers
from ytwatcher.store import subjects, watches
from ytwatcher.store.quota import Terms


def terms(settings: Settings) -> dict[Bucket, Terms]:
    """What each bucket gives a day."""
    return {
        Bucket.STATS: Terms(settings.youtube.daily_stats_units, settings.poll.reserve),
        Bucket.DEFAULT: Terms(settings.youtube.daily_units, settings.poll.reserve),
    }


@dataclass(frozen=True, slots=True)
class Budget:
    """One bucket today: its ledger, and the calls that each share is expected to make until the day ends."""

    ledger: Ledger
    planned: Mapping[Share, int]

    @property
    def closed(self) -> bool:
        return self.ledger.closed_at is not None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Both buckets, and how often videos are read: the next reading of `near` of them is for a number that they may pass."""

    budgets: Sequence[Budget]
    statistics: Plan
    videos: int
    near: int


def look_ahead(con: sqlite3.Connection, settings: Settings, now: datetime) -> Outlook:
    """The plan of every lane, as the poller would make it now."""
    stats, default = (ledgers.load(con, bucket, terms(settings)[bucket], now) for bucket in (Bucket.STATS, Bucket.DEFAULT))
    load = subjects.load_of(con, SubjectKind.VIDEO)
    poll = PollSettings(settings.poll.min_interval, settings.poll.max_interval)
    statistics, bucket = _statistics(con, load, (stats, default), poll, now)
    membership = allowance(default, Share.MEMBERSHIP, now)
    planned: dict[Bucket, dict[Share, int]] = {
        Bucket.STATS: {},
        Bucket.DEFAULT: {
            Share.METADATA: plan_metadata((), subjects.metadata_load(con), allowance(default, Share.METADATA, now), now).planned,
            Share.MEMBERSHIP: plan_membership(watches.listings(con), membership, now).planned
            + plan_channels((), subjects.load_of(con, SubjectKind.CHANNEL), membership, now).planned,
        },
    }
    planned[bucket][Share.STATISTICS] = statistics.planned
    budgets = [Budget(ledger, planned[ledger.bucket]) for ledger in (stats, default)]
    return Outlook(budgets, statistics, load.subjects + load.new, load.near)


def _statistics(
    con: sqlite3.Connection, load: Load, ledgers: tuple[Ledger, Ledger], poll: PollSettings, now: datetime
) -> tuple[Plan, Bucket]:
    """The statistics lane's plan, and the bucket it draws on: their own, or the default one while theirs gives nothing."""
    own, default = (allowance(ledger, Share.STATISTICS, now) for ledger in ledgers)
    allowed, bucket = (own, Bucket.STATS) if own.permits(now) else (default, Bucket.DEFAULT)
    return plan_statistics(subjects.due_statistics(con), load, allowed, now, poll), bucket
