"""What the vectors do not say of rates: that nothing is rounded, and that a row which gives no rate gives none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.model import ARMED, BIGGEST, TOLD, Metric, to_ms
from ytwatcher.core.rates import PER, Rate, Span, judged, rate, text
from ytwatcher.core.rules import parse_rule

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
V = Metric.VIEWS


def trail(*rows: tuple[int, int | None]) -> list[Span]:
    """Rows that start so many minutes after START."""
    return [Span(to_ms(START + timedelta(minutes=minutes)), {V: value}) for minutes, value in rows]


def test_a_rate_names_both_its_ends() -> None:
    assert rate(trail((0, 100), (30, 150)), V, 200, START + HOUR) == Rate(100, START, 100, HOUR)


@pytest.mark.parametrize(
    "rows",
    [
        trail(),
        trail((31, 100)),
        trail((-36 * 60 + 59, 100)),
        trail((0, None)),
        trail((0, 100), (10, None), (20, 100)),
        trail((0, 100), (10, 90), (20, 150)),
        trail((0, 100), (10, 250)),
        trail((0, 100), (10, 200)),
    ],
)
def test_without_a_way_back_over_known_rising_values_there_is_no_rate(rows: list[Span]) -> None:
    assert rate(rows, V, 200, START + HOUR) is None


@given(st.integers(1, BIGGEST), st.integers(1_800_000, 36 * 3_600_000), st.integers(1, BIGGEST), st.sampled_from(list(PER.values())))
def test_a_rate_is_compared_without_rounding(growth: int, elapsed_ms: int, n: int, per: timedelta) -> None:
    elapsed = timedelta(milliseconds=elapsed_ms)
    left, right = Rate(0, START, growth, elapsed).against(n, per)
    exact = Fraction(growth) * Fraction(per // timedelta(milliseconds=1), elapsed_ms)
    assert (left >= right) == (exact >= n)


def test_a_rule_that_is_not_armed_tells_nothing() -> None:
    fast = Rate(0, START, 100, HOUR)
    faster, slower = parse_rule("views faster 100/h"), parse_rule("views slower 100/h")
    assert [judged(faster, state, fast) for state in (None, TOLD, ARMED)] == [(None, False), (TOLD, False), (TOLD, True)]
    assert [judged(slower, state, fast) for state in (None, TOLD, ARMED)] == [(None, False), (TOLD, False), (TOLD, True)]


@pytest.mark.parametrize(
    ("line", "growth", "rearmed"), [("faster", 80, False), ("faster", 79, True), ("slower", 125, False), ("slower", 126, True)]
)
def test_a_rule_that_told_is_rearmed_with_a_margin(line: str, growth: int, rearmed: bool) -> None:
    found = Rate(0, START, growth, HOUR)
    assert judged(parse_rule(f"views {line} 100/h"), TOLD, found) == (ARMED if rearmed else TOLD, False)
    assert judged(parse_rule(f"views {line} 100/h"), None, found) == (ARMED, False)


def test_an_alert_names_the_rate_that_was_passed() -> None:
    assert [text(parse_rule(line)) for line in ("views faster 5k/h", "likes slower 3/d")] == ["5000/h", "3/d"]


def test_no_rate_is_measured_across_a_counting_break() -> None:
    older, at = datetime(2026, 8, 27, 23, 30, tzinfo=UTC), datetime(2026, 8, 28, 0, 30, tzinfo=UTC)
    assert rate([Span(to_ms(older), {Metric.VIEWS: 10})], Metric.VIEWS, 20, at) is None
