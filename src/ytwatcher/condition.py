"""How all is: one look at the journal, and what in it needs a person's hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import SubjectKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.quota import Bucket, Ledger
from ytwatcher.core.reasons import STATES
from ytwatcher.core.reasons import reason as known_reason
from ytwatcher.core.wording import age, elapsed
from ytwatcher.outlook import terms
from ytwatcher.settings import Settings
from ytwatcher.store import outbox_list, overview, quota, recipients, subjects, watches
from ytwatcher.store.overview import Notice, Stuck, Unsettled

LATEST = 3
SILENT = timedelta(hours=1)
UNSENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Status:
    """One look at the journal."""

    now: datetime
    running: bool
    targets: Sequence[watches.Target]
    videos: int
    channels: int
    since_at: datetime | None
    read_at: datetime | None
    unsettled: Unsettled
    outbox: dict[str, int]
    unsent: Stuck | None
    buckets: Sequence[Ledger]
    away: Sequence[recipients.Stored]
    notices: Sequence[Notice]


def look(con: sqlite3.Connection, settings: Settings, running: bool, now: datetime) -> Status:
    return Status(
        now,
        running,
        watches.targets(con),
        subjects.counted(con, SubjectKind.VIDEO),
        subjects.counted(con, SubjectKind.CHANNEL),
        overview.oldest_reading_at(con),
        subjects.last_read_at(con),
        overview.unsettled(con),
        outbox_list.counts(con),
        overview.oldest_unsent(con),
        [quota.load(con, bucket, terms(settings)[bucket], now) for bucket in Bucket],
        _away(con, settings.telegram.operator),
        overview.notices(con, LATEST),
    )


def _away(con: sqlite3.Connection, operator: str) -> list[recipients.Stored]:
    """Who cannot be reached of those that are told something; an address that was only tried is not missed."""
    told = {address for _, address in watches.watches(con)} | {recipients.current(con, operator)}
    return [one for one in recipients.everyone(con) if one.state != "active" and one.recipient.address in told]


def needs(found: Status, settings: Settings) -> Iterator[Phrase]:
    """What needs a person's hand, and what to do. A closed bucket does not: it opens by itself."""
    if found.targets and settings.youtube.api_key is None:
        yield Phrase("youtube.api_key is not set, so nothing can be read: ytwatcher init asks for it")
    if found.targets and not found.running:
        yield Phrase("nothing is read and nothing is sent: ytwatcher run starts it")
    open_buckets = all(bucket.closed_at is None for bucket in found.buckets)
    silent = max(SILENT, 2 * settings.poll.min_interval)
    if found.targets and found.running and open_buckets and found.read_at is not None and found.now - found.read_at > silent:
        yield Phrase("nothing was read for {span}: ytwatcher doctor looks for the cause", span=elapsed(found.now - found.read_at))
    for target in found.targets:
        if target.fault is not None:
            what = {"title": clean(target.title or target.id), "fault": target.fault, "id": target.id}
            yield Phrase("“{title}” cannot be listed ({fault}): ytwatcher remove {id} ends it", **what)
    for one in found.away:
        who = {"address": one.recipient.address, "state": STATES.get(one.state, one.state), "reason": _in_brackets(one.reason)}
        yield Phrase("{address} is {state}{reason}: ytwatcher outbox test {address} tries it again", **who)
    if found.running and found.unsent is not None and found.now - found.unsent.since_at > UNSENT:
        made, why = age(found.unsent.since_at, found.now), _in_brackets(found.unsent.error)
        yield Phrase("news made {age} is not sent yet{why}: ytwatcher doctor looks for the cause", age=made, why=why)
    if dead := found.outbox.get("dead", 0):
        many = Phrase("{n} messages could not be delivered: ytwatcher outbox list shows why", n=dead)
        yield Phrase("1 message could not be delivered: ytwatcher outbox list shows why") if dead == 1 else many


def _in_brackets(reason: str | None) -> str:
    return Phrase(" ({reason})", reason=known_reason(clean(reason))) if reason else ""
