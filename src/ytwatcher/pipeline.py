"""accept: settle, judge and store a batch of observations with the alerts they cause, in ONE transaction.

Accepting the same observation twice is the same as accepting it once.
"""

from __future__ import annotations

import gc
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter

from ytwatcher.core.intervals import PACE, Pace, due_ms, learned, next_reading
from ytwatcher.core.judge import TWO_ANSWERS, Outcome, observe, observe_absence
from ytwatcher.core.model import (
    EPOCH,
    Absence,
    Alert,
    Entry,
    Lane,
    Listing,
    Metric,
    Reading,
    Rule,
    RuleKind,
    RuleState,
    SubjectId,
    SubjectKind,
    SubjectState,
    from_ms,
    to_ms,
)
from ytwatcher.core.rates import RATES
from ytwatcher.core.records import Record, records
from ytwatcher.store import publications, quiet, subjects, watches
from ytwatcher.store import readings as stored
from ytwatcher.store.subjects import Known

FUTURE = timedelta(minutes=5)
LEFT_AFTER = timedelta(days=1)


class Fate(StrEnum):
    """What became of one observation."""

    ACCEPTED = "accepted"
    LATE = "late or duplicate"
    FUTURE = "more than 5 minutes in the future"
    UNKNOWN = "of a subject that nobody watches"


# A member of an enumeration is looked up at every use, which a batch does for every observation.
_ACCEPTED, _METADATA, _VIEWS, _CHANNEL = Fate.ACCEPTED, Lane.METADATA, Metric.VIEWS, SubjectKind.CHANNEL
_NO_RULES: Sequence[watches.RuleRow] = ()


@dataclass(slots=True)
class Accepted:
    """What a batch did: the fate of each observation, and the new alerts."""

    fates: Counter[Fate] = field(default_factory=Counter)
    alerts: list[Alert] = field(default_factory=list)
    joined: list[SubjectId] = field(default_factory=list)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: a batch makes none, and where one reading makes many alerts, walking through them again and again
    takes a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def accept(
    con: sqlite3.Connection,
    observations: Sequence[Reading | Absence],
    now: datetime,
    *,
    next_row_settles: bool = False,
    publish: bool = False,
    pace: Pace = PACE,
) -> Accepted:
    """Take observations in their time order; all of it is stored or nothing is.

    Args:
        publish: accepted readings of videos are to be published as well (store/publications.py).
        pace: of the plan, for when to read again.
    """
    in_order = sorted(map(_in_milliseconds, observations), key=attrgetter("observed_at"))
    rest = in_order if publish else quiet.take(con, in_order, now + FUTURE, pace)
    result = Accepted(Counter([_ACCEPTED] * (len(in_order) - len(rest))))
    if rest:
        batch = _Batch(con, rest, now, next_row_settles, publish, pace)
        result.fates.update([batch.take(one) for one in rest])
        result.alerts = batch.store()
    return result


def _in_milliseconds(observation: Reading | Absence) -> Reading | Absence:
    """The journal keeps milliseconds: a finer time would be newer than its own stored self."""
    at = observation.observed_at
    return replace(observation, observed_at=from_ms(to_ms(at))) if at.microsecond % 1000 else observation


class _Batch:
    """The subjects and rules that a batch touches, read once, changed in memory, written once."""

    def __init__(
        self,
        con: sqlite3.Connection,
        observations: Sequence[Reading | Absence],
        now: datetime,
        next_row_settles: bool,
        publish: bool,
        pace: Pace,
    ) -> None:
        self._pace = pace
        self._con, self._now, self._latest, self._next_row_settles, self._publish = con, now, now + FUTURE, next_row_settles, publish
        self._known = subjects.load(con, (o.subject_id for o in observations))
        self._rules = watches.rules_on(con, ((k.pk, k.state.kind) for k in self._known.values()))
        self._trails = stored.trails(con, self._first_of_rated(observations))
        self._changed: dict[int, Known] = {}
        self._newest: dict[int, stored.Row] = {}
        self._rows: list[stored.Row] = []
        self._moved: dict[tuple[int, int], RuleState] = {}
        self._alerts: list[tuple[watches.RuleRow, Alert]] = []
        self._records: list[tuple[int, int, list[Record]]] = []
        self._descriptions: dict[int, str] = {}

    def take(self, observation: Reading | Absence) -> Fate:
        known = self._known.get(observation.subject_id)
        if known is None:
            return Fate.UNKNOWN
        if observation.observed_at > self._latest:
            return Fate.FUTURE
        newest_at = known.state.newest_at
        if newest_at is not None and observation.observed_at <= newest_at:
            return Fate.LATE
        self._changed[known.pk] = known
        rows, at = self._rules.get(known.pk, _NO_RULES), to_ms(observation.observed_at)
        rules = [row.rule for row in rows if row.engine_since is None or at < row.engine_since]
        if isinstance(observation, Absence):
            self._apply(known, rows, observe_absence(known.state, observation, rules))
            _schedule_absence(known, observation)
        else:
            self._take_reading(known, rows, rules, observation, at)
        return _ACCEPTED

    def _take_reading(self, known: Known, rows: Sequence[watches.RuleRow], rules: list[Rule], reading: Reading, at: int) -> None:
        before, trail = known.state, self._trails.get(known.pk, ())
        outcome = observe(before, reading, rules, next_row_settles=self._next_row_settles, trail=trail)
        self._apply(known, rows, outcome)
        counts = _VIEWS in reading.values or reading.kind is _CHANNEL
        _schedule_reading(known, reading, outcome, at, counts)
        if self._publish:
            self._add_records(known, before, outcome, reading)
        if counts:
            planned = rules if not outcome.moved and len(rules) == len(rows) else [row.rule for row in rows]
            _plan_next(known, before, planned, at, self._pace)
        self._add_row(known, before, outcome, reading, at)

    def _first_of_rated(self, observations: Sequence[Reading | Absence]) -> dict[int, int]:
        """Subjects with a rule on a rate, and their first instant in the batch."""
        rated = {pk for pk, rows in self._rules.items() if any(row.rule.spec.kind in RATES for row in rows)}
        first: dict[int, int] = {}
        for observation in observations if rated else ():
            known = self._known.get(observation.subject_id)
            if known is not None and known.pk in rated:
                at = to_ms(observation.observed_at)
                first[known.pk] = min(at, first.get(known.pk, at))
        return first

    def _apply(self, known: Known, rows: Sequence[watches.RuleRow], outcome: Outcome) -> None:
        known.state = outcome.state
        if not outcome.moved and not outcome.alerts:
            return
        by_id = {row.rule.id: row for row in rows}
        for rule in outcome.moved:
            row = by_id[rule.id]
            row.rule = rule
            assert rule.state is not None  # a rule moves to a state
            self._moved[known.pk, row.pk] = rule.state
        self._alerts += [(by_id[alert.rule_id], alert) for alert in outcome.alerts]

    def _add_row(self, known: Known, before: SubjectState, outcome: Outcome, reading: Reading, at: int) -> None:
        content, last = stored.content(known.state, reading.values), self._newest.get(known.pk)
        if last is None and _unchanged(before, outcome):
            last = stored.newest(self._con, known.pk)  # only a reading that changed no value can continue the stored row
        if last is not None and last.content == content:
            last.to_at = at
            self._newest[known.pk] = last
        else:
            last = self._newest[known.pk] = stored.Row(known.pk, at, at, content)
            if self._trails and known.pk in self._trails:
                self._trails[known.pk].append(stored.span(last))
        if not self._rows or self._rows[-1] is not last:
            self._rows.append(last)

    def _add_records(self, known: Known, before: SubjectState, outcome: Outcome, reading: Reading) -> None:
        if reading.kind is SubjectKind.VIDEO:
            found = records(before, outcome.state, outcome.verdicts, known.channel_id, known.channel_title)
            self._records.append((known.pk, to_ms(reading.observed_at), found))
        if reading.description is not None:
            self._descriptions[known.pk] = reading.description

    def store(self) -> list[Alert]:
        """Write what the batch made; returns the alerts that are new."""
        stored.write(self._con, {id(row): row for row in self._rows}.values())
        subjects.save(self._con, self._changed.values())
        watches.save_rule_states(self._con, ((s, r, state) for (s, r), state in self._moved.items()))
        publications.describe(self._con, self._descriptions)
        for subject_pk, observed_at, found in self._records:
            publications.add(self._con, subject_pk, observed_at, found)
        return watches.insert_alerts(self._con, self._alerts, self._now)


def _unchanged(before: SubjectState, outcome: Outcome) -> bool:
    """Whether no value of the reading is another than before."""
    for metric, step in outcome.steps.items():  # noqa: SIM110 - a generator costs more than the first comparison, which mostly ends it
        if step.state.value != before.metric(metric).value:
            return False
    return True


def _schedule_reading(known: Known, reading: Reading, outcome: Outcome, at: int, counts: bool) -> None:
    """A reading answers what was wanted; an unsettled value wants another when its wait may end. `counts`: it has those of the plan."""
    known.channel_id = reading.channel_id or known.channel_id
    known.channel_title = reading.channel_title or known.channel_title
    known.live = reading.live or known.live
    if reading.lane is _METADATA:
        known.metadata_at = at
        back_at = known.state.presence.back_at
        known.metadata_wanted_at = to_ms(back_at + TWO_ANSWERS) if back_at is not None else None
    if counts:
        known.read_at = at
        ends = [step.state.wait.until_at for step in outcome.steps.values() if step.state.wait is not None]
        known.wanted_at = to_ms(min(ends)) if ends else None
    presence = known.state.presence
    if presence.vanished_at is not None and presence.back_at is None and reading.lane is not _METADATA:
        known.metadata_wanted_at = at  # it seems to be back: only the metadata lane can prove it


def _plan_next(known: Known, before: SubjectState, rules: Sequence[Rule], at: int, pace: Pace) -> None:
    known.state = learned(before, known.state, rules)
    following = next_reading(rules, known.state, pace)
    known.near, known.step, known.due_at = following.near, following.step, due_ms(at, following, pace)


def _schedule_absence(known: Known, absence: Absence) -> None:
    at, presence = to_ms(absence.observed_at), known.state.presence
    known.near, known.due_at = False, at + max(PACE.usual_ms, (known.due_at or 0) - (known.read_at or 0))
    known.metadata_at = known.read_at = at
    known.wanted_at = None
    unconfirmed = presence.vanished_at is None and presence.missing_at is not None
    known.metadata_wanted_at = to_ms(presence.missing_at + TWO_ANSWERS) if unconfirmed and presence.missing_at else None


def accept_listing(con: sqlite3.Connection, target_pk: int, listing: Listing, now: datetime) -> Accepted:
    """Take the entries of a channel's uploads or a playlist: new ones join, those missing from complete listings for a day leave.

    Until then they are watched as before, since a list may come back by halves for hours. A listing with nothing in it proves nothing.
    """
    result = Accepted()
    members = watches.members(con, target_pk)
    at = listing.observed_at
    listed = {entry.video_id for entry in listing.entries}
    joining = _joining(listing.entries, members)
    rules = watches.new_video_rules(con, target_pk) if joining else []
    alerts = []
    for entry in joining:
        subject_pk = subjects.ensure(con, entry.video_id, SubjectKind.VIDEO, now, title=entry.title)
        watches.join(con, target_pk, subject_pk, entry.added_at, now)
        result.joined.append(SubjectId(entry.video_id))
        if entry.video_id not in members and entry.added_at is not None:
            alerts += [
                (row, Alert(row.rule.id, SubjectId(entry.video_id), RuleKind.NEW, at, facts=(entry.title or "",), lane=Lane.MEMBERSHIP))
                for row, made_at in rules
                if entry.added_at > made_at
            ]
    for member in members.values():
        if member.kind is SubjectKind.CHANNEL or member.left_at is not None:
            continue
        if member.subject_id in listed:
            if member.missing_at is not None:
                watches.set_missing(con, target_pk, member.subject_pk, None, None)
        elif listing.complete and listing.entries:
            confirmed = member.missing_at is not None and at - member.missing_at >= LEFT_AFTER
            watches.set_missing(con, target_pk, member.subject_pk, member.missing_at or at, at if confirmed else None)
    watches.set_listed(con, target_pk, at, complete=listing.complete)
    result.alerts = watches.insert_alerts(con, alerts, now)
    return result


def _joining(entries: Iterable[Entry], members: Mapping[str, watches.Member]) -> list[Entry]:
    """The entries of videos that are not in the target, oldest first; of a video that is listed twice the older entry counts."""
    found: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda e: e.added_at or EPOCH):
        member = members.get(entry.video_id)
        if not entry.dead and (member is None or member.left_at is not None):
            found.setdefault(entry.video_id, entry)
    return list(found.values())
