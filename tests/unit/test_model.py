from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.model import (
    EPOCH,
    UNKNOWN,
    Absent,
    Alert,
    Metric,
    MetricState,
    RuleId,
    RuleKind,
    SubjectId,
    SubjectState,
    first_ms,
    from_ms,
    to_ms,
)

AT = datetime(2026, 10, 1, 12, 5, tzinfo=UTC)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_milliseconds_and_times_are_each_other(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_never_becomes_later_by_storing_it(at: datetime) -> None:
    assert timedelta(0) <= at - from_ms(to_ms(at)) < timedelta(milliseconds=1)


@given(st.integers(0, 10**16))
def test_what_may_not_happen_earlier_never_becomes_earlier_by_storing_it(microseconds: int) -> None:
    at = EPOCH + timedelta(microseconds=microseconds)
    assert timedelta(0) <= from_ms(first_ms(at)) - at < timedelta(milliseconds=1)


def test_a_time_in_another_zone_is_the_same_instant() -> None:
    assert to_ms(AT.astimezone(timezone(timedelta(hours=5, minutes=30)))) == to_ms(AT)
    assert from_ms(0) == EPOCH


def test_an_alert_id_is_made_of_rule_subject_and_milliseconds() -> None:
    alert = Alert(RuleId("r7"), SubjectId("v1"), RuleKind.CHANGE, AT)
    assert alert.id == "r7:v1:1790856300000"


def test_a_metric_that_was_never_read_is_unknown_and_not_zero() -> None:
    assert SubjectState(SubjectId("v1")).metric(Metric.LIKES) is UNKNOWN
    assert UNKNOWN.value is None


def test_the_settled_value_is_the_number_unless_something_says_why_there_is_none() -> None:
    assert MetricState(0, None).value == 0
    assert MetricState(7, Absent.HIDDEN).value is None
    assert SubjectState(SubjectId("v1"), metrics={Metric.LIKES: MetricState(7, None)}).metric(Metric.LIKES).value == 7
