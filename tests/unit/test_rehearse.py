"""A rehearsal's judging row by row; tests/integration/test_rehearsal.py holds it against a live journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ytwatcher.core.model import Alert, Metric, Rule, RuleId, RuleKind, SubjectId, SubjectKind, to_ms
from ytwatcher.core.policy import Recipient, parse_quiet
from ytwatcher.core.rehearse import UNSETTLED, Judging, Past, asked, at_night, caveat, deliver, lead_ms
from ytwatcher.core.rules import parse_rule

BEGIN = datetime(2026, 10, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(*values: int | str | None, raw: str | None = None) -> list[Past]:
    return [(to_ms(BEGIN + n * HOUR), to_ms(BEGIN + n * HOUR), raw, value) for n, value in enumerate(values)]


def found(line: str, rows: Sequence[Past], peak: int | None = None, since: datetime = BEGIN) -> list[tuple[int | None, int | None]]:
    rule = Rule(RuleId("r"), parse_rule(line))
    judging = Judging(rule, SubjectId("v"), SubjectKind.VIDEO, to_ms(since), [peak])
    return [(alert.previous, alert.current) for alert in judging.alerts(rows)]


@pytest.mark.parametrize(
    ("line", "values", "alerts"),
    [
        ("views every 1k", [900, 950, 980, 1020, 1010, 990, 1030, 2000], [(980, 1020), (1030, 2000)]),
        ("views reach 1k", [10, 20, 1000, 1001], [(20, 1000)]),
        ("views rise 50", [100, 120, 150, 199, 200], [(100, 150), (150, 200)]),
        ("views fall 10", [100, 120, 95, 91, 90, 79], [(100, 90), (90, 79)]),
        ("likes change", [1, 1, 2, None, 3, 4], [(1, 2), (3, 4)]),
        ("views faster 100/h", [0, 10, 20, 200, 210], [(20, 200)]),
    ],
)
def test_the_stored_rows_tell_what_their_readings_told(
    line: str, values: list[int | str | None], alerts: list[tuple[int | None, int | None]]
) -> None:
    assert found(line, hourly(*values)) == alerts


def test_what_was_reached_before_is_not_told() -> None:
    assert found("views every 1k", hourly(900, 1100, 2100), peak=1500) == [(1100, 2100)]


def test_the_first_number_that_was_taken_as_true_is_the_baseline() -> None:
    waiting, settled = hourly(100, raw='{"views":90}'), hourly(None, 90, 80)[1:]
    assert found("views change", [*waiting, *settled]) == [(90, 80)]


def test_rows_before_the_beginning_tell_nothing_and_the_one_in_force_is_the_baseline() -> None:
    before, lasting, after = hourly(1, 500, 600)
    assert found("views change", [before, (lasting[0], to_ms(BEGIN + 1.5 * HOUR), None, 500), after], since=BEGIN + 1.2 * HOUR) == [
        (500, 600)
    ]


def test_night_is_on_the_readers_own_clock() -> None:
    evening = datetime(2026, 10, 2, 21, tzinfo=UTC)
    assert (at_night(evening, "UTC"), at_night(evening, "Europe/Vienna"), at_night(evening, "America/New_York")) == (False, True, False)


def test_what_the_stored_rows_do_not_say_is_said() -> None:
    title, away = caveat(parse_rule("title")), caveat(parse_rule("availability"))
    assert caveat(parse_rule("views milestones")) is None
    assert title is not None
    assert "titles are not stored" in title
    assert away is not None
    assert "when a video was away is not stored" in away


def test_a_rule_is_judged_on_what_it_asks_for_and_a_rate_on_earlier_rows_too() -> None:
    assert asked(parse_rule("views milestones")) == (Metric.VIEWS,)
    assert asked(parse_rule("availability")) == (Metric.LIKES, Metric.COMMENTS)
    assert asked(parse_rule("title")) == ()
    assert lead_ms(parse_rule("views milestones")) == 0
    assert lead_ms(parse_rule("views faster 100/h")) >= 3_600_000
    assert lead_ms(parse_rule("availability")) >= 3_600_000


@pytest.mark.parametrize(
    ("likes", "alerts"),
    [
        ([(0, 5), (1, "hidden"), (2, 6)], 2),  # the stored row says hidden only when that had settled
        ([(0, "hidden"), (1, 6)], 0),  # no number before: this row says what one reading said
        ([(0, "hidden"), (1, "hidden"), (7, 6)], 0),
        ([(0, "hidden"), (7, "hidden"), (8, 6)], 1),
        ([(0, "hidden"), (7, "disabled"), (8, 6)], 0),
        ([(0, "hidden"), (3, None), (7, "hidden"), (8, 6)], 1),
        ([(0, "hidden"), (3, UNSETTLED), (7, "hidden"), (8, 6)], 0),
    ],
)
def test_a_reason_counts_from_its_second_reading(likes: list[tuple[int, int | str | None]], alerts: int) -> None:
    at = to_ms(BEGIN)
    rows: list[Past] = [(at + minute * 60_000, at + minute * 60_000, None, value, 1) for minute, value in likes]
    judging = Judging(Rule(RuleId("r"), parse_rule("availability")), SubjectId("v"), SubjectKind.VIDEO, at, [None, None])
    assert len(list(judging.alerts(rows))) == alerts


def test_once_tells_one_of_two_that_leave_at_the_same_instant() -> None:
    at = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    alerts = [
        Alert(RuleId("r1"), SubjectId("v1"), RuleKind.CHANGE, at + timedelta(minutes=5 * n), Metric.VIEWS, n, n + 1) for n in range(2)
    ]
    quiet = Recipient("telegram:1", quiet=parse_quiet("23:00-07:00"))
    assert len(deliver(alerts, parse_rule("views change once"), quiet, at + timedelta(days=1)).messages) == 1


def test_what_falls_into_quiet_hours_that_have_not_ended_is_held() -> None:
    at = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    alert = Alert(RuleId("r1"), SubjectId("v1"), RuleKind.CHANGE, at, Metric.VIEWS, 1, 2)
    result = deliver([alert], parse_rule("views change"), Recipient("telegram:1", quiet=parse_quiet("23:00-07:00")), at + HOUR)
    assert (result.messages, result.held) == ([], 1)
    assert len(deliver([alert], parse_rule("views change"), Recipient("telegram:1"), at + HOUR).messages) == 1
