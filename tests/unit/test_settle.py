"""What the vectors do not say of settling: verdicts, waits and the properties that hold for every sequence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.model import UNKNOWN, Absent, Metric, MetricState, Pending, Value, Wait
from ytwatcher.core.settle import NUMBER_SETTLES, Moment, Step, Verdict, settle

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE, HOUR, OLD = timedelta(minutes=1), timedelta(hours=1), timedelta(days=30)
BREAK = datetime(2026, 8, 25, tzinfo=UTC)


def moment(after: timedelta, age: timedelta | None = OLD, *, video: bool = True, replay: bool = False) -> Moment:
    return Moment(START + after, age, video, replay)


def known(number: int, metric: Metric = Metric.VIEWS) -> MetricState:
    return settle(metric, UNKNOWN, number, moment(timedelta(0))).state


def test_a_first_value_is_the_baseline_and_the_peak() -> None:
    assert settle(Metric.VIEWS, UNKNOWN, 5, moment(HOUR)) == Step(MetricState(5, None, START + HOUR, 5), Verdict.FIRST)


def test_a_first_value_below_the_latch_does_not_lower_it() -> None:
    state = settle(Metric.VIEWS, MetricState(peak=100), 5, moment(HOUR)).state
    assert (state.value, state.peak) == (5, 100)


@pytest.mark.parametrize("age", [None, HOUR + timedelta(seconds=1)])
def test_a_first_zero_of_views_is_not_returned(age: timedelta | None) -> None:
    assert settle(Metric.VIEWS, UNKNOWN, 0, moment(HOUR, age)) == Step(UNKNOWN, Verdict.CARRIED)


@pytest.mark.parametrize(("metric", "age"), [(Metric.VIEWS, HOUR), (Metric.LIKES, OLD)])
def test_a_first_zero_else_is_a_value(metric: Metric, age: timedelta) -> None:
    assert settle(metric, UNKNOWN, 0, moment(HOUR, age)).verdict is Verdict.FIRST


def test_what_is_not_returned_changes_nothing() -> None:
    state = known(10)
    assert settle(Metric.VIEWS, state, Absent.NOT_RETURNED, moment(HOUR)) == Step(state, Verdict.CARRIED)


@pytest.mark.parametrize(
    ("raw", "kind", "need"),
    [
        (9_999, Pending.FALL, 5 * MINUTE),
        (9_000, Pending.FALL, 5 * MINUTE),
        (8_999, Pending.FALL, 3 * HOUR),
        (15_001, Pending.RISE, 5 * MINUTE),
        (Absent.HIDDEN, Pending.HIDDEN, 5 * MINUTE),
        (Absent.DISABLED, Pending.DISABLED, 5 * MINUTE),
    ],
)
def test_an_unsettled_value_says_until_when_it_waits(raw: Value, kind: Pending, need: timedelta) -> None:
    step = settle(Metric.VIEWS, known(10_000), raw, moment(HOUR))
    assert step.verdict is Verdict.UNSETTLED
    assert step.state == known(10_000)._replace(wait=Wait(kind, START + HOUR, START + HOUR + need))


def test_a_deep_second_reading_lengthens_the_wait_of_a_small_first_one() -> None:
    first = settle(Metric.VIEWS, known(10_000), 9_999, moment(HOUR)).state
    second = settle(Metric.VIEWS, first, 100, moment(HOUR + 6 * MINUTE))
    assert second == Step(first._replace(wait=Wait(Pending.FALL, START + HOUR, START + 4 * HOUR)), Verdict.UNSETTLED)


def test_a_second_reading_settles_with_its_own_value_and_supports_it() -> None:
    first = settle(Metric.VIEWS, known(10_000), 9_999, moment(HOUR)).state
    step = settle(Metric.VIEWS, first, 9_998, moment(HOUR + 5 * MINUTE))
    assert step == Step(MetricState(9_998, None, START + HOUR + 5 * MINUTE, 10_000), Verdict.CONFIRMED)


def test_absent_settles_and_keeps_the_number_and_the_peak() -> None:
    first = settle(Metric.LIKES, known(10), Absent.HIDDEN, moment(HOUR)).state
    step = settle(Metric.LIKES, first, Absent.HIDDEN, moment(2 * HOUR))
    assert step == Step(MetricState(10, Absent.HIDDEN, START, 10), Verdict.ABSENT)
    assert settle(Metric.LIKES, step.state, Absent.HIDDEN, moment(3 * HOUR)) == step
    assert settle(Metric.LIKES, step.state, 10, moment(3 * HOUR)).state.value == 10


def test_a_rise_of_a_channel_is_never_doubtful() -> None:
    step = settle(Metric.SUBSCRIBERS, known(10, Metric.SUBSCRIBERS), 10_000, moment(MINUTE, video=False))
    assert step.verdict is Verdict.SETTLED


@pytest.mark.parametrize(("age", "verdict"), [(None, Verdict.UNSETTLED), (timedelta(hours=48), Verdict.SETTLED)])
def test_a_rise_of_unknown_age_is_treated_as_one_of_an_old_video(age: timedelta | None, verdict: Verdict) -> None:
    assert settle(Metric.VIEWS, known(10), 10_000, moment(MINUTE, age)).verdict is verdict


def test_in_a_file_the_next_row_is_the_second_reading() -> None:
    first = settle(Metric.VIEWS, known(10_000), 1, moment(MINUTE, replay=True)).state
    assert settle(Metric.VIEWS, first, 2, moment(MINUTE + timedelta(seconds=1), replay=True)).state.value == 2


def test_within_a_break_views_are_recounted_and_their_wait_is_dropped() -> None:
    waiting = MetricState(10, None, BREAK - 2 * OLD, 10, Wait(Pending.FALL, BREAK - OLD, BREAK))
    step = settle(Metric.VIEWS, waiting, 9, Moment(BREAK, OLD))
    assert step == Step(MetricState(10, Absent.RECOUNTED, BREAK - 2 * OLD, 10), Verdict.RECOUNTED)


@pytest.mark.parametrize("raw", [1, 10, 10**9])
def test_the_first_value_after_a_break_settles_whatever_it_is(raw: int) -> None:
    state = MetricState(10, Absent.RECOUNTED, BREAK - 2 * OLD, 10)
    step = settle(Metric.VIEWS, state, raw, Moment(BREAK + OLD, OLD))
    assert step == Step(MetricState(raw, None, BREAK + OLD, max(raw, 10)), Verdict.REBASED)


def test_a_zero_after_a_break_is_not_returned() -> None:
    state = MetricState(10, Absent.RECOUNTED, BREAK - 2 * OLD, 10)
    assert settle(Metric.VIEWS, state, 0, Moment(BREAK + OLD, OLD)) == Step(state, Verdict.CARRIED)


class Raw(NamedTuple):
    """One raw value and the time since the one before it."""

    gap: timedelta
    value: Value


RAWS = st.lists(
    st.builds(
        Raw,
        st.timedeltas(timedelta(seconds=1), timedelta(hours=8)),
        st.one_of(st.integers(0, 3_000), st.integers(0, 2**63 - 1), st.sampled_from([a for a in Absent if a is not Absent.RECOUNTED])),
    ),
    max_size=30,
)
METRICS = st.sampled_from(Metric)


def run(metric: Metric, raws: list[Raw], *, replay: bool = False) -> list[tuple[datetime, Value, MetricState, Step]]:
    """Each raw value with the state before it and the step it made."""
    at, state, steps = START, UNKNOWN, []
    for raw in raws:
        at += raw.gap
        step = settle(metric, state, raw.value, Moment(at, OLD, next_row_settles=replay))
        steps.append((at, raw.value, state, step))
        state = step.state
    return steps


@given(METRICS, RAWS, st.booleans())
def test_the_peak_never_sinks_and_is_never_below_the_number(metric: Metric, raws: list[Raw], replay: bool) -> None:
    for _, _, before, step in run(metric, raws, replay=replay):
        assert step.state.number is None or (step.state.peak is not None and step.state.peak >= step.state.number)
        assert before.peak is None or (step.state.peak is not None and step.state.peak >= before.peak)


@given(METRICS, RAWS)
def test_a_settled_number_never_comes_from_a_single_low_reading(metric: Metric, raws: list[Raw]) -> None:
    last_low: datetime | None = None
    for at, raw, before, step in run(metric, raws):
        low = isinstance(raw, int) and before.number is not None and raw < before.number
        if low and step.verdict in NUMBER_SETTLES:
            assert last_low is not None
            assert at - last_low >= 5 * MINUTE
            last_low = None
        elif low:
            last_low = last_low or at
        elif raw is not Absent.NOT_RETURNED:
            last_low = None


@given(METRICS, RAWS, st.booleans())
def test_a_settled_value_is_the_raw_one_or_the_one_before(metric: Metric, raws: list[Raw], replay: bool) -> None:
    for at, raw, before, step in run(metric, raws, replay=replay):
        if step.verdict in NUMBER_SETTLES:
            assert step.state.value == raw
            assert step.state.supported_at == at
            assert step.state.wait is None
        else:
            assert step.state[:1] == before[:1]
            assert step.state.value in (before.value, None)


@given(METRICS, RAWS, st.booleans())
def test_an_unsettled_value_always_waits_and_nothing_else_starts_a_wait(metric: Metric, raws: list[Raw], replay: bool) -> None:
    for at, _, before, step in run(metric, raws, replay=replay):
        wait = step.state.wait
        if step.verdict is Verdict.UNSETTLED:
            assert wait is not None
            assert wait.since_at <= at < wait.until_at
        else:
            assert wait in (None, before.wait)
