"""When a subject is read again: the square-root law for plain changes, and readings that close in on a number as it nears."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.intervals import (
    PACE,
    PRICE_HOURS,
    Kind,
    Next,
    Pace,
    calls_needed,
    delay,
    due_ms,
    fitting,
    learn,
    learned,
    next_reading,
    step_ms,
    step_of,
    with_growth,
)
from ytwatcher.core.model import Absent, Metric, MetricState, Rule, RuleId, RuleState, SubjectId, SubjectState
from ytwatcher.core.rules import parse_rule

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
V = Metric.VIEWS
SCARCE = Pace(12.0)


def counted(value: int, rate: float, hours: float = 10.0, peak: int | None = None) -> MetricState:
    """A count that has grown at so many an hour."""
    return MetricState(value, None, START, value if peak is None else peak, None, rate * hours, hours)


def reading_after(line: str, known: MetricState, pace: Pace = SCARCE, anchor: int | None = None) -> Next:
    rule = Rule(RuleId("r1"), parse_rule(line), RuleState(START, anchor))
    metric = rule.spec.metric
    return next_reading([rule], SubjectState(SubjectId("v1"), metrics={metric: known} if metric else {}), pace)


def test_where_the_bucket_is_ample_everything_is_read_every_five_minutes() -> None:
    for line in ("views milestones", "likes change", "title", "views faster 5k/h", "comments fall 5"):
        following = reading_after(line, counted(120_000, 5), PACE)
        assert (following.interval_ms, following.near) == (5 * MINUTE_MS, False)


def test_the_interval_of_a_plain_change_follows_the_square_root_of_its_rate() -> None:
    slow, fast = (reading_after("likes change", counted(50_000, rate, 1000), Pace(300)).interval_ms for rate in (0.02, 0.32))
    assert slow / fast == pytest.approx(4, rel=0.05)


def test_more_changes_than_refreshes_are_not_worth_more_readings() -> None:
    assert reading_after("likes change", counted(50_000, 500)) == reading_after("likes change", counted(50_000, 5_000))


def test_readings_close_in_on_a_number_as_it_nears() -> None:
    waits = [reading_after("views milestones", counted(100_000 - left, 1_000)).interval_ms for left in (40_000, 10_000, 2_000, 300, 20)]
    assert waits == sorted(waits, reverse=True)
    assert all(reading_after("views milestones", counted(100_000 - left, 1_000)).near for left in (300, 20))
    assert waits[-1] == MINUTE_MS
    assert 2 * HOUR_MS < reading_after("views milestones", counted(90_000, 1_000), Pace(100)).interval_ms < 10 * HOUR_MS


def test_a_number_that_is_days_away_leaves_its_subject_idle() -> None:
    assert reading_after("views milestones", counted(110_000, 10)) == reading_after("title", counted(110_000, 10))


@pytest.mark.parametrize("line", ["views every 100k", "views reach 200k", "views rise 100k", "views rise 100%", "views milestones"])
def test_all_rules_with_a_number_ahead_are_alike(line: str) -> None:
    there = reading_after("views reach 200k", counted(199_000, 1_000), anchor=100_000)
    assert reading_after(line, counted(199_000, 1_000), anchor=100_000) == there
    assert there.near


def test_a_step_that_is_passed_again_and_again_is_a_plain_change() -> None:
    assert not reading_after("views every 100", counted(199_950, 1_000)).near
    assert reading_after("views every 100", counted(199_950, 1_000)) == reading_after("views change", counted(199_950, 10))


@pytest.mark.parametrize(
    ("line", "known", "anchor"),
    [
        ("views reach 1000", counted(5_000, 100), 0),
        ("views rise 10", counted(5_000, 100), None),
        ("views rise 10", counted(5_000, 100), 0),
        ("views change", counted(5_000, 100)._replace(absent=Absent.HIDDEN), 0),
        ("views milestones", MetricState(5, None, START, None, None, 5, 1), 0),
    ],
)
def test_a_rule_that_has_nothing_ahead_asks_for_nothing(line: str, known: MetricState, anchor: int | None) -> None:
    assert reading_after(line, known, anchor=anchor) == reading_after("title", known)


def test_a_rule_without_a_baseline_asks_for_nothing() -> None:
    state = SubjectState(SubjectId("v1"), metrics={V: counted(99_990, 1_000)})
    assert next_reading([Rule(RuleId("r1"), parse_rule("views milestones"))], state, SCARCE) == next_reading([], state, SCARCE)


def test_a_count_whose_rate_is_not_known_is_read_again_soon() -> None:
    unknown = MetricState(5_000, None, START, 5_000)
    assert reading_after("views milestones", unknown).interval_ms < reading_after("title", unknown).interval_ms


def test_rules_on_rates_and_falls_are_read_more_often_than_nothing() -> None:
    idle = reading_after("title", counted(5_000, 1)).interval_ms
    assert reading_after("views faster 5k/h", counted(5_000, 1)).interval_ms == pytest.approx(idle / 3, rel=0.06)
    assert reading_after("views fall 10", counted(5_000, 1)).interval_ms < idle


def test_no_interval_leaves_its_bounds() -> None:
    assert reading_after("title", counted(1, 0), Pace(1e9)).interval_ms == DAY_MS
    assert reading_after("views milestones", counted(99_999, 9_000), Pace(1.0, 90_000, DAY_MS)).interval_ms == 90_000
    assert reading_after("title", counted(1, 0), Pace(1.0, MINUTE_MS, 2 * MINUTE_MS)).interval_ms == 2 * MINUTE_MS


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1e7), st.floats(1e-3, 1e4), st.floats(1, 1e6))
def test_whatever_is_known_an_interval_comes_of_it(value: int, left: int, rate: float, hours: float, factor: float) -> None:
    following = reading_after(f"views reach {value + left}", counted(value, rate, hours), Pace(factor))
    assert MINUTE_MS <= following.interval_ms <= DAY_MS


def test_the_expected_delay_is_the_integral_of_the_chance() -> None:
    median, spread, steps = 3.0, 0.4, 20_000
    for hours in (1.0, 3.0, 6.0):
        chance = (0.5 * math.erfc(-math.log(hours * (k + 0.5) / steps / median) / spread / math.sqrt(2)) for k in range(steps))
        assert delay(hours, median, spread)[0] == pytest.approx(sum(chance) * hours / steps, rel=1e-3)


def test_a_reading_is_due_when_the_expected_delay_is_its_price() -> None:
    following = reading_after("views reach 100k", counted(95_000, 1_000, 100), Pace(50))
    hours, price = following.interval_ms / HOUR_MS, PRICE_HOURS * 50**2
    low, high = (delay(hours, 5 * 100 * 1000 / (100 * 1000 + 0.5), spread)[0] for spread in (0.2, 0.5))
    assert low < price < high


def test_a_pace_is_learned_and_older_growth_fades() -> None:
    first = MetricState(1_000, None, START, 1_000)
    second = learn(first, MetricState(1_600, None, START + timedelta(hours=1), 1_600))
    assert (second.grown, second.hours) == (600, 1)
    later = learn(second, MetricState(1_600, None, START + timedelta(hours=40), 1_600))
    assert later.grown / later.hours < 1
    assert learn(second, second) == second
    assert learn(MetricState(), first) == first
    assert learn(second, MetricState(1_500, None, START + timedelta(hours=2), 1_600)).grown < 600


def test_only_what_a_rule_asks_for_is_learned() -> None:
    before = SubjectState(SubjectId("v1"), metrics={m: MetricState(10, None, START, 10) for m in (V, Metric.LIKES)})
    after = before._replace(metrics={m: MetricState(20, None, START + timedelta(hours=1), 20) for m in (V, Metric.LIKES)})
    rules = [Rule(RuleId("r1"), parse_rule(line)) for line in ("views change", "comments change", "title")]
    assert {m: s.grown for m, s in learned(before, after, rules).metrics.items()} == {V: 10, Metric.LIKES: 0}
    assert learned(before, after, rules[2:]) is after


def test_those_near_a_number_meet_in_common_calls_where_the_bucket_is_ample() -> None:
    assert due_ms(100_001, Next(60_000, True, -9), PACE) == 165_000
    assert due_ms(100_001, Next(60_000, True, -9), SCARCE) == due_ms(100_001, Next(60_000, False, -9), PACE) == 160_001


@given(st.integers(-20, 40))
def test_a_step_names_an_interval(step: int) -> None:
    assert step_of(step_ms(step) / HOUR_MS) == step


@given(st.dictionaries(st.builds(Kind, st.booleans(), st.integers(-12, 30)), st.integers(1, 20_000), max_size=12), st.floats(1, 20_000))
def test_the_pace_that_fits_is_the_fastest_one(load: dict[Kind, int], calls_a_day: float) -> None:
    available = calls_a_day / DAY_MS
    pace = fitting(load, available, PACE)
    near = calls_needed({kind: n for kind, n in load.items() if kind.near}, pace)
    limit = max(available, near + available / 5)
    slowest = calls_needed(load, PACE._replace(factor=1e9))
    assert pace.factor == 1.0 or calls_needed(load, pace) <= limit * 1.01 or calls_needed(load, pace) <= slowest * 1.01
    if pace.factor > 1.01:
        assert calls_needed(load, pace._replace(factor=pace.factor * 0.99)) >= limit * 0.99


def test_a_pace_is_forgotten_over_ten_days_at_the_latest() -> None:
    grown, hours = with_growth(0.0, 1_000.0, 0, 240.0)
    assert (grown, hours) == (0, round((1_000 / math.e + 240) * HOUR_MS) / HOUR_MS)
