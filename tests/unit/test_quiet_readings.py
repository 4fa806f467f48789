"""Which readings are quiet, and what they leave, where the stories on a file (tests/integration/test_quiet.py) do not say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ytwatcher.core.breaks import LAST_END
from ytwatcher.core.intervals import PACE
from ytwatcher.core.model import Absent, Lane, Metric, Reading, SubjectId, to_ms
from ytwatcher.core.quiet import Left, left_by, says_counts_only
from ytwatcher.core.rules import parse_rule

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
V, L = Metric.VIEWS, Metric.LIKES
SUPPORTED, AT = to_ms(START), to_ms(START + timedelta(hours=1))
HOUR_MS = 3_600_000
KNOWN = [1_000, 20_000, 2 * HOUR_MS, 1_100]


def left(raw: int | Absent, known: list[Any] | None, *lines: str, anchor: int | None = None) -> Left | None:
    """What a reading of so many views leaves, an hour after this was known of them."""
    rules = [(number, parse_rule(line), anchor) for number, line in enumerate(lines)]
    return left_by({V: raw}, AT, {} if known is None else {V: known}, SUPPORTED, rules, PACE)


def test_a_quiet_reading_leaves_the_pace_of_what_rules_ask_for() -> None:
    quiet = left(1_050, KNOWN, "views milestones", "views every 7000", "availability", "title")
    assert quiet is not None and quiet.changed
    assert quiet.counts == {V: [1_050, 65_383, 9_137_710, 1_100]}
    assert quiet.settled == {V: 1_050}
    unasked = left(1_000, KNOWN)
    assert unasked is not None and not unasked.changed and unasked.counts == {V: [1_000, 0, 0, 1_100]}
    first = left(1_150, [1_000], "views milestones")
    assert first is not None and first.counts == {V: [1_150, 150_000, HOUR_MS]}


@pytest.mark.parametrize(
    ("known", "then", "value"),
    [
        ([10], [10, 0, 0, 10, SUPPORTED], 10),
        ([10, 500, 600], [10, 500, 600, 10, SUPPORTED], 10),
        ([10, 0, 0, 20], [10, 0, 0, 20, SUPPORTED], 10),
        ([10, 0, 0, 20, 5], [10, 0, 0, 20, 5], 10),
        ([10, 0, 0, 20, 5, "hidden"], [10, 0, 0, 20, 5, "hidden"], None),
        ([10, 0, 0, 20, 5, None, ["fall", 5, 6]], [10, 0, 0, 20, 5, None, ["fall", 5, 6]], 10),
    ],
)
def test_a_count_of_which_a_reading_says_nothing_stays_and_is_dated(known: list[Any], then: list[Any], value: int | None) -> None:
    quiet = left_by({V: 1_050}, AT, {L: known, V: [1_000]}, SUPPORTED, [], PACE)
    assert quiet is not None and quiet.counts == {L: then, V: [1_050]} and quiet.settled == {V: 1_050, L: value}


def test_nothing_is_quiet_after_a_counting_break() -> None:
    assert left_by({V: 1_050}, AT, {V: [1_000]}, to_ms(LAST_END) - 1, [], PACE) is None


def test_the_first_value_of_a_metric_is_not_quiet() -> None:
    assert left_by({V: 1_050, L: 5}, AT, {V: [1_000], Metric.COMMENTS: [3]}, SUPPORTED, [], PACE) is None


@pytest.mark.parametrize(
    "known",
    [
        None,
        [None, 0, 0, 1_100, SUPPORTED],
        [1_000, 0, 0, 1_100, SUPPORTED, "hidden"],
        [1_000, 0, 0, 1_100, None],
        [1_000, 0, 0, 1_100, to_ms(LAST_END) - 1],
        [1_000, 0, 0, None],
        [1_000, 0, 0, 1_100, SUPPORTED, None, ["fall", SUPPORTED, SUPPORTED]],
    ],
)
def test_a_count_about_which_anything_is_odd_is_not_quiet(known: list[Any] | None) -> None:
    assert left(1_050, known) is None


@pytest.mark.parametrize("raw", [999, 1_501, Absent.HIDDEN, Absent.NOT_RETURNED])
def test_a_value_that_does_not_settle_at_once_is_not_quiet(raw: int | Absent) -> None:
    assert left(raw, KNOWN) is None


@pytest.mark.parametrize(
    ("line", "anchor"),
    [
        ("views change", None),
        ("views every 50", None),
        ("views rise 10", 1_040),
        ("views rise 10", None),
        ("views faster 1/h", 1),
        ("likes change", 1),
    ],
)
def test_a_rule_that_finds_something_or_looks_at_more_makes_it_loud(line: str, anchor: int | None) -> None:
    assert left(1_150, KNOWN, "views milestones", line, anchor=anchor) is None


def test_a_number_that_was_passed_before_a_dip_is_told_no_more() -> None:
    assert left(1_090, [900, 0, 0, 1_100], "views every 1000") is not None


def test_a_publication_that_is_known_is_no_news() -> None:
    reading = Reading(SubjectId("v1"), START, Lane.STATISTICS, {V: 1}, published_at=START)
    assert says_counts_only(reading, to_ms(START))
    assert not says_counts_only(reading, None)
    assert not says_counts_only(Reading(SubjectId("v1"), START, Lane.STATISTICS, {L: 1}), None)
