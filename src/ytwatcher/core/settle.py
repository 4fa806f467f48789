"""Settling: when a raw value is taken as true. Before anything judges, publishes or draws a value (docs/rules.md)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ytwatcher.core import breaks
from ytwatcher.core.model import Absent, Metric, MetricState, Pending, Value, Wait

SECOND_READING = timedelta(minutes=5)
DEEP_FALL = timedelta(hours=3)
RISE_WINDOW = timedelta(hours=6)
RISE_AGE = timedelta(hours=48)
ZERO_VIEWS_AGE = timedelta(hours=1)
_ABSENT_WAITS = {Absent.HIDDEN: Pending.HIDDEN, Absent.DISABLED: Pending.DISABLED}


class Verdict(StrEnum):
    """What became of one raw value, as it is logged and shown."""

    FIRST = "first value: the baseline"
    SETTLED = "settled"
    CONFIRMED = "settled by a second reading"
    REBASED = "first value after a counting break: a new baseline"
    ABSENT = "settled as absent"
    UNSETTLED = "waits for a second reading"
    CARRIED = "not returned: the last value is carried forward"
    RECOUNTED = "inside a counting break"


NUMBER_SETTLES = frozenset({Verdict.FIRST, Verdict.SETTLED, Verdict.CONFIRMED, Verdict.REBASED})
_SETTLED = Verdict.SETTLED  # the member of an enumeration is looked up at every use


class Step(NamedTuple):
    """The metric's state after a reading, and why."""

    state: MetricState
    verdict: Verdict


class Moment(NamedTuple):
    """When, and of what, a raw value was read.

    `age` is the video's age, None where it is not known (then the careful branch is taken); `video` is False for
    a channel. `next_row_settles` is set for a replayed file, whose second reading is simply its next row.
    """

    at: datetime
    age: timedelta | None
    video: bool = True
    next_row_settles: bool = False


def settle(metric: Metric, state: MetricState, raw: Value, moment: Moment) -> Step:
    """Settle one raw value against what is known of its metric."""
    number, supported_at = state.number, state.supported_at
    if (
        raw.__class__ is int and number is not None and supported_at is not None and supported_at >= breaks.LAST_END and steady(number, raw)
    ):  # nearly every reading: what is below would say the same
        peak = state.peak
        return Step(MetricState(raw, None, moment.at, raw if peak is None or raw > peak else peak), _SETTLED)
    if breaks.within(metric, moment.at):
        return Step(state._replace(absent=Absent.RECOUNTED, wait=None), Verdict.RECOUNTED)
    if raw is Absent.HIDDEN or raw is Absent.DISABLED:
        return _settle_absent(state, raw, moment)
    if not isinstance(raw, int):
        return Step(state, Verdict.CARRIED)
    return _settle_number(metric, state, raw, moment)


def steady(number: int, raw: int) -> bool:
    """Whether a raw value settles at once whatever else is known: at least the settled one, and by no more than half above it."""
    return number <= raw and (raw - number) * 2 <= number


def _settle_absent(state: MetricState, reason: Absent, moment: Moment) -> Step:
    if state.absent is reason:
        return Step(state._replace(wait=None), Verdict.ABSENT)
    return _second_reading(state, _ABSENT_WAITS[reason], SECOND_READING, moment, state._replace(absent=reason, wait=None), Verdict.ABSENT)


def _settle_number(metric: Metric, state: MetricState, raw: int, moment: Moment) -> Step:
    number, peak = state.number, state.peak
    settled = MetricState(raw, None, moment.at, raw if peak is None or raw > peak else peak)
    rebased = state.supported_at is not None and breaks.between(metric, state.supported_at, moment.at)
    if number is None or state.supported_at is None or rebased:
        if raw == 0 and metric is Metric.VIEWS and _older_than(moment.age, ZERO_VIEWS_AGE):
            return Step(state, Verdict.CARRIED)
        return Step(settled, Verdict.REBASED if rebased else Verdict.FIRST)
    if raw < number:
        deep = raw * 10 < number * 9
        return _second_reading(state, Pending.FALL, DEEP_FALL if deep else SECOND_READING, moment, settled, Verdict.CONFIRMED)
    if (raw - number) * 2 > number and moment.video and _doubtful_rise(metric, raw - number, state.supported_at, moment):
        return _second_reading(state, Pending.RISE, SECOND_READING, moment, settled, Verdict.CONFIRMED)
    return Step(settled, Verdict.SETTLED)


def _second_reading(state: MetricState, kind: Pending, need: timedelta, moment: Moment, settled: MetricState, verdict: Verdict) -> Step:
    wait = state.wait
    if wait is None or wait.kind is not kind:
        return Step(state._replace(wait=Wait(kind, moment.at, moment.at + need)), Verdict.UNSETTLED)
    if moment.next_row_settles or moment.at - wait.since_at >= need:
        return Step(settled, verdict)
    return Step(state._replace(wait=wait._replace(until_at=wait.since_at + need)), Verdict.UNSETTLED)


def _doubtful_rise(metric: Metric, growth: int, supported_at: datetime, moment: Moment) -> bool:
    """Of a growth by more than half."""
    return (
        growth >= (1000 if metric is Metric.VIEWS else 100)
        and moment.at - supported_at <= RISE_WINDOW
        and _older_than(moment.age, RISE_AGE)
    )


def _older_than(age: timedelta | None, limit: timedelta) -> bool:
    return age is None or age > limit
