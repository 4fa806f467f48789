"""The plan: what is read next, and when, so that a quota day ends inside its bucket (docs/quota.md).

Everything follows from what is stored: when each subject was read, and what is left of the bucket. So a restart changes
nothing, and a day of 23 hours, a bucket that closes early or a thousand new videos need no rule of their own: the next
call is planned from what is there then.

What is stored is in integer milliseconds since 1970, as the journal has it: a plan looks at every subject.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ytwatcher.core.intervals import IDS_PER_CALL, PACE, Kind, Pace, calls_needed, fitting, needs
from ytwatcher.core.model import MILLISECOND, SubjectId, from_ms, to_ms
from ytwatcher.core.quota import Allowance, Why

REFRESH = timedelta(minutes=5)
"""How often YouTube refreshes the counts of an active video; it states no figure, observers saw about this one."""

METADATA_EVERY = timedelta(hours=6)
CHANNELS_EVERY = timedelta(minutes=15)
UPLOADS_EVERY = timedelta(minutes=5)
PLAYLIST_EVERY = timedelta(minutes=15)
WHOLE_LIST_EVERY = timedelta(days=1)
UNREADABLE_EVERY = timedelta(hours=1)
MIN_INTERVAL = timedelta(minutes=1)
MAX_INTERVAL = timedelta(days=1)


class Reason(StrEnum):
    """Why a call is made now, or why it waits."""

    NEW = "never read before"
    WANTED = "a reading is wanted"
    OVERDUE = "not read for the longest interval"
    DUE = "the interval is over"
    NOT_DUE = "nothing is due yet"
    PACED = "calls are spread over the rest of the quota day"
    NOTHING = "nothing is watched"


class Due(NamedTuple):
    """A subject as the plan sees it.

    `read_ms`: the last answered call that asked for it, whether or not it was in the answer (else an id that is gone would
    be asked for for ever). `wanted_ms`: a reading is wanted from then on. `due_ms`: when its next reading is due by its own rules
    (core/intervals.py), None in a lane whose subjects all have one interval; `near`: because of a number that it may pass.
    """

    subject_id: SubjectId
    read_ms: int | None
    wanted_ms: int | None = None
    near: bool = False
    due_ms: int | None = None


class Load(NamedTuple):
    """All that is watched, for working out how much of it the day allows.

    `kinds`: how many subjects there are of each kind; `new`: how many were never read. `last_ms`: the lane's last call.
    """

    kinds: Mapping[Kind, int]
    new: int = 0
    last_ms: int | None = None

    @property
    def subjects(self) -> int:
        return sum(self.kinds.values())

    @property
    def near(self) -> int:
        return sum(count for kind, count in self.kinds.items() if kind.near)


class Settings(NamedTuple):
    """The statistics lane's shortest and longest interval."""

    min_interval: timedelta = MIN_INTERVAL
    max_interval: timedelta = MAX_INTERVAL


class Plan(NamedTuple):
    """The next call of a lane.

    `ids`: to be read now, at most 50, the most urgent first; empty: plan again at `at` (None: when something is watched).
    `interval` is in force where no number is near, on average; readings close in on a number down to `near_interval`; `planned` is the
    number of calls expected until the quota day ends; `pace` is for planning what is read now.
    """

    ids: tuple[SubjectId, ...]
    at: datetime | None
    reason: Reason | Why
    interval: timedelta
    near_interval: timedelta
    planned: int
    pace: Pace = PACE


class Listing(NamedTuple):
    """A list of videos as the plan sees it.

    `newest_first`: an uploads list, whose new entries are on its first page. `pages`: of the whole list, as far as known; at
    least 1. `listed_ms`, `completed_ms`: the last reading, and the last one of the whole list; `wanted_ms` as in `Due`.
    `faulty`: it could not be read the last time.
    """

    target_id: str
    newest_first: bool
    pages: int
    listed_ms: int | None
    completed_ms: int | None
    wanted_ms: int | None = None
    faulty: bool = False


class ListPlan(NamedTuple):
    """The next list to read: `whole` to its end, or up to the first known entry. Else None, and `at` as in `Plan`.

    `interval` is in force for uploads lists, `planned` the number of pages expected until the quota day ends.
    """

    target_id: str | None
    whole: bool
    at: datetime | None
    reason: Reason | Why
    interval: timedelta
    planned: int


class _Terms(NamedTuple):
    """What a lane's calls follow from: its mean interval in milliseconds, the calls until the day ends, and the pace."""

    usual: float
    needed: float
    pace: Pace


class _Turn(NamedTuple):
    """When it is whose turn; turns are taken in this order."""

    rank: int
    due_ms: int
    position: int


_NEW, _URGENT, _NEAR, _ROUTINE = 0, 1, 2, 3
_JUST_ADDED = Kind(near=False, step=0)


def plan_statistics(subjects: Sequence[Due], load: Load, allowance: Allowance, now: datetime, settings: Settings) -> Plan:
    """The statistics lane's next call.

    Each subject is due when its own rules make a reading worth its price (core/intervals.py), not more often than every `min_interval`,
    and every 5 minutes where no number is near. If the day has not enough calls for that, one factor stretches everything, never beyond
    `max_interval`, and the calls are spread evenly, except for a first reading of what was added (it may take half of what is left at
    once). First come subjects never read, then those wanted or overdue, those near a number, and then whatever is due; a call that is made
    is filled with those due next, except when they were read less than `min_interval` ago.

    Args:
        subjects: at least the first 50 of each of these, in the order of their turns.
    """
    bounds = Pace(1.0, _ms(settings.min_interval), _ms(settings.max_interval))
    day = to_ms(allowance.until_at) - to_ms(now)
    kinds = {**load.kinds, _JUST_ADDED: load.kinds.get(_JUST_ADDED, 0) + load.new}
    pace = fitting(kinds, allowance.units / day, bounds) if allowance.why is Why.OPEN and allowance.units else bounds
    far = needs(kinds, pace)[1]
    terms = _Terms(far.interval_ms if far.subjects else pace.usual_ms, calls_needed(kinds, bounds) * day, pace)
    return _plan(subjects, load, allowance, now, terms)


def plan_metadata(subjects: Sequence[Due], load: Load, allowance: Allowance, now: datetime) -> Plan:
    """The metadata lane's next call: every 6 hours, at once where something is odd. `read_ms` is the last metadata answer."""
    return _plan(subjects, load, allowance, now, _steady(METADATA_EVERY, load, allowance, now))


def plan_channels(subjects: Sequence[Due], load: Load, allowance: Allowance, now: datetime) -> Plan:
    """The next call for channels' own numbers, every 15 minutes: they move slowly, and are rounded."""
    return _plan(subjects, load, allowance, now, _steady(CHANNELS_EVERY, load, allowance, now))


def expected_delay(interval: timedelta) -> timedelta:
    """How long after a number was passed it is read, as a rule: half an interval, and YouTube's own refresh."""
    return interval / 2 + REFRESH


def _steady(usual: timedelta, load: Load, allowance: Allowance, now: datetime) -> _Terms:
    """A lane whose subjects all have the same interval."""
    needed = -(-(load.subjects + load.new) // IDS_PER_CALL) / _ms(usual) * (to_ms(allowance.until_at) - to_ms(now))
    factor = _factor(needed, allowance)
    interval = min(_ms(usual) * factor, _ms(MAX_INTERVAL))
    return _Terms(interval, needed, Pace(factor, _ms(MIN_INTERVAL), _ms(MAX_INTERVAL)))


def _plan(subjects: Sequence[Due], load: Load, allowance: Allowance, now: datetime, terms: _Terms) -> Plan:
    now_ms, pace = to_ms(now), terms.pace
    planned = min(allowance.units, round(terms.needed))

    def plan(ids: tuple[SubjectId, ...], at: datetime | None, reason: Reason | Why) -> Plan:
        return Plan(ids, at, reason, _delta(terms.usual), pace.shortest_ms * MILLISECOND, planned, pace)

    if not subjects:
        return plan((), None, Reason.NOTHING)
    if allowance.units == 0:
        return plan((), allowance.until_at, allowance.why)
    turns = [_turn(subject, index, now_ms, terms) for index, subject in enumerate(subjects)]
    first = min(turns)
    at_once = 0 < load.new * 2 <= allowance.units * IDS_PER_CALL
    scarce = allowance.why is Why.OPEN and terms.needed > allowance.units and not at_once
    at_ms, wait = _opens(first, load.last_ms, allowance, now_ms, scarce=scarce)
    if at_ms > now_ms:
        return plan((), from_ms(at_ms), wait)
    rested = now_ms - pace.shortest_ms
    free = (turn for turn in turns if turn.rank == _NEW or (subjects[turn.position].read_ms or 0) <= rested)
    ids = tuple(subjects[turn.position].subject_id for turn in heapq.nsmallest(IDS_PER_CALL, free))
    return plan(ids, now, _reason(first, subjects[first.position].wanted_ms, now_ms, allowance))


def _factor(needed: float, allowance: Allowance) -> float:
    """By how much intervals are stretched. A closed bucket stretches nothing: it is asked once an hour, for the most urgent."""
    if allowance.why is not Why.OPEN:
        return 1.0
    return max(1.0, needed / allowance.units) if allowance.units else 1.0


def _turn(subject: Due, index: int, now_ms: int, terms: _Terms) -> _Turn:
    read_ms = subject.read_ms
    if read_ms is None:
        return _Turn(_NEW, 0, index)
    rested_ms = read_ms + terms.pace.shortest_ms
    due_ms = max(rested_ms, subject.due_ms if subject.due_ms is not None else read_ms + int(terms.usual))
    if subject.wanted_ms is not None:
        wanted_ms = max(subject.wanted_ms, rested_ms)
        if wanted_ms <= now_ms:
            return _Turn(_URGENT, wanted_ms, index)
        due_ms = min(due_ms, wanted_ms)
    if read_ms + terms.pace.longest_ms <= now_ms:
        return _Turn(_URGENT, read_ms + terms.pace.longest_ms, index)
    return _Turn(_NEAR if subject.near and due_ms <= now_ms else _ROUTINE, due_ms, index)


def _opens(first: _Turn, last_ms: int | None, allowance: Allowance, now_ms: int, *, scarce: bool) -> tuple[int, Reason | Why]:
    """When the first turn can be taken, and what it waits for until then."""
    waits: list[tuple[int, Reason | Why]] = [
        (first.due_ms if first.rank == _ROUTINE else now_ms, Reason.NOT_DUE),
        (to_ms(allowance.from_at), allowance.why),
    ]
    if scarce and last_ms is not None:
        waits.append((last_ms + (to_ms(allowance.until_at) - last_ms) // allowance.units, Reason.PACED))
    return max(waits, key=lambda wait: wait[0])


def _reason(first: _Turn, wanted_ms: int | None, now_ms: int, allowance: Allowance) -> Reason | Why:
    if allowance.why is Why.PROBE:
        return Why.PROBE
    if first.rank == _NEW:
        return Reason.NEW
    if wanted_ms is not None and wanted_ms <= now_ms:
        return Reason.WANTED
    return Reason.OVERDUE if first.rank == _URGENT else Reason.DUE


def plan_membership(listings: Sequence[Listing], allowance: Allowance, now: datetime) -> ListPlan:
    """The membership lane's next list.

    An uploads list is wanted every 5 minutes up to the first known entry, and wholly once a day; a playlist, whose new
    entries may be anywhere, wholly every 15 minutes; one that could not be read, every hour. If the day has not enough pages,
    all of it is stretched alike. Of an uploads list too long for what is left today only the newest end is read; a playlist
    too long for it waits.
    """
    now_ms = to_ms(now)
    needed = sum(map(_pages, listings)) * (to_ms(allowance.until_at) - now_ms)
    factor = _factor(needed, allowance)
    planned = min(allowance.units, round(needed))

    def plan(job: _Job | None, at: datetime | None, reason: Reason | Why) -> ListPlan:
        target_id, whole = (listings[job.turn.position].target_id, job.whole) if job else (None, False)
        return ListPlan(target_id, whole, at, reason, UPLOADS_EVERY * factor, planned)

    if not listings:
        return plan(None, None, Reason.NOTHING)
    # The one call that probes a closed bucket may be the first page of any list; the rest follows if it is answered.
    units = max(listing.pages for listing in listings) if allowance.why in (Why.CLOSED, Why.PROBE) else allowance.units
    jobs = [job for index, listing in enumerate(listings) if (job := _job(listing, index, now_ms, factor, units)) is not None]
    if not jobs or not allowance.units:
        return plan(None, allowance.until_at, Why.SHARE_SPENT if allowance.why is Why.OPEN else allowance.why)
    first = min(jobs)
    last_ms = max((listing.listed_ms for listing in listings if listing.listed_ms is not None), default=None)
    at_ms, wait = _opens(first.turn, last_ms, allowance, now_ms, scarce=factor > 1.0)
    if at_ms > now_ms:
        return plan(None, from_ms(at_ms), wait)
    return plan(first, now, _reason(first.turn, listings[first.turn.position].wanted_ms, now_ms, allowance))


class _Job(NamedTuple):
    turn: _Turn
    whole: bool


def _pages(listing: Listing) -> float:
    """The pages a millisecond that a list is worth."""
    if listing.faulty:
        return 1 / _ms(UNREADABLE_EVERY)
    if listing.newest_first:
        return 1 / _ms(UPLOADS_EVERY) + listing.pages / _ms(WHOLE_LIST_EVERY)
    return listing.pages / _ms(PLAYLIST_EVERY)


def _job(listing: Listing, index: int, now_ms: int, factor: float, units: int) -> _Job | None:
    """What is to be read of a list next, and its turn; None where the units left are too few."""
    whole = not listing.newest_first or _whole_due(listing, now_ms, factor)
    if whole and listing.pages > units:
        if not listing.newest_first:
            return None
        whole = False
    every = UNREADABLE_EVERY if listing.faulty else UPLOADS_EVERY if listing.newest_first else PLAYLIST_EVERY
    return _Job(_list_turn(listing, int(_ms(every) * factor), index, now_ms), whole)


def _whole_due(listing: Listing, now_ms: int, factor: float) -> bool:
    return listing.completed_ms is None or listing.completed_ms + int(_ms(WHOLE_LIST_EVERY) * factor) <= now_ms


def _list_turn(listing: Listing, interval: int, index: int, now_ms: int) -> _Turn:
    if listing.listed_ms is None:
        return _Turn(_NEW, 0, index)
    due_ms = listing.listed_ms + interval
    if listing.wanted_ms is not None:
        wanted_ms = max(listing.wanted_ms, listing.listed_ms + _ms(UNREADABLE_EVERY if listing.faulty else MIN_INTERVAL))
        if wanted_ms <= now_ms:
            return _Turn(_URGENT, wanted_ms, index)
        due_ms = min(due_ms, wanted_ms)
    return _Turn(_ROUTINE, due_ms, index)


def _ms(span: timedelta) -> int:
    return span // MILLISECOND


def _delta(ms: float) -> timedelta:
    return round(min(ms, _ms(MAX_INTERVAL))) * MILLISECOND


class DailyCost(NamedTuple):
    """What watching a target costs a day, in units of each bucket, when nothing else is watched."""

    statistics: int
    default: int


def daily_cost(videos: int, *, listed: bool, newest_first: bool) -> DailyCost:
    """The units a day for a target of so many videos at the usual pace, its list read as `plan_membership` does.

    Calls are shared between targets, so several cost less than their sum.
    """
    calls = -(-videos // IDS_PER_CALL)
    default = calls * _per_day(METADATA_EVERY)
    if listed:
        pages = max(1, calls)
        default += _per_day(UPLOADS_EVERY) + pages + _per_day(CHANNELS_EVERY) if newest_first else pages * _per_day(PLAYLIST_EVERY)
    return DailyCost(calls * _per_day(REFRESH), default)


def _per_day(interval: timedelta) -> int:
    return timedelta(days=1) // interval
