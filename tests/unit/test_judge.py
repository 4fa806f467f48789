"""What the vectors do not say of the judge: the arithmetic of the ladder, nearness, and what holds for every sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observed import any_reading
from ytwatcher.core.judge import (
    Outcome,
    next_number,
    next_rung,
    observe,
    observe_absence,
    passed,
    rung,
)
from ytwatcher.core.model import (
    PRESENT,
    Absence,
    Absent,
    Alert,
    Lane,
    Metric,
    MetricState,
    Presence,
    Reading,
    Rule,
    RuleId,
    RuleKind,
    RuleState,
    SubjectId,
    SubjectKind,
    SubjectState,
    Value,
)
from ytwatcher.core.rules import parse_rule
from ytwatcher.core.settle import Verdict

V1 = SubjectId("v1")
START = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LADDER = [first * 10**power for power in range(20) for first in (1, 2, 5)]


def rule(line: str, state: RuleState | None = None, rule_id: str = "r1") -> Rule:
    return Rule(RuleId(rule_id), parse_rule(line), state)


def reading(at: datetime, lane: Lane = Lane.STATISTICS, title: str | None = None, **values: Value) -> Reading:
    return Reading(V1, at, lane, {Metric(name.replace("_", " ")): value for name, value in values.items()}, title=title)


def test_an_outcome_says_what_became_of_each_raw_value() -> None:
    outcome = observe(SubjectState(V1), reading(START, views=5, likes=Absent.HIDDEN), [rule("views change")])
    assert outcome.verdicts == {Metric.VIEWS: Verdict.FIRST, Metric.LIKES: Verdict.UNSETTLED}
    assert outcome.moved == (rule("views change", RuleState(START + timedelta(milliseconds=1), 5)),)
    assert outcome.alerts == ()


def test_a_reading_keeps_what_its_lane_does_not_carry() -> None:
    published_at = START - timedelta(days=9)
    first = Reading(V1, START, Lane.METADATA, {Metric.LIKES: 3}, title="T", published_at=published_at)
    state = observe(observe(SubjectState(V1), first, []).state, reading(START + MINUTE, views=7), []).state
    assert (state.title, state.published_at, state.newest_at) == ("T", published_at, START + MINUTE)
    assert (state.metric(Metric.LIKES).value, state.metric(Metric.VIEWS).value) == (3, 7)


@pytest.mark.parametrize(("days", "settled"), [(1, 9_000), (9, 10)])
def test_the_age_of_a_video_is_known_from_an_earlier_reading(days: int, settled: int) -> None:
    before = SubjectState(
        V1, newest_at=START, published_at=START - timedelta(days=days), metrics={Metric.VIEWS: MetricState(10, None, START, 10)}
    )
    assert observe(before, reading(START + MINUTE, views=9_000), []).state.metric(Metric.VIEWS).value == settled


def test_a_channel_has_no_doubtful_rises() -> None:
    state = SubjectState(SubjectId("c1"), SubjectKind.CHANNEL)
    for after, subscribers in enumerate((10, 90_000)):
        seen = Reading(SubjectId("c1"), START + after * MINUTE, Lane.MEMBERSHIP, {Metric.SUBSCRIBERS: subscribers}, SubjectKind.CHANNEL)
        state = observe(state, seen, []).state
    assert state.metric(Metric.SUBSCRIBERS).value == 90_000


def test_a_rule_on_listings_finds_nothing_in_readings() -> None:
    before = SubjectState(V1, newest_at=START, title="A", metrics={Metric.LIKES: MetricState(1, Absent.HIDDEN, START, 1)})
    outcome = observe(before, reading(START + MINUTE, title="B", likes=1), [rule("new", RuleState(START))])
    assert (outcome.moved, outcome.alerts) == ((), ())


@pytest.mark.parametrize("title", [None, ""])
def test_an_empty_title_is_no_title(title: str | None) -> None:
    before = SubjectState(V1, newest_at=START, title="A")
    outcome = observe(before, reading(START + MINUTE, title=title, views=1), [rule("title"), rule("title", RuleState(START), "r2")])
    assert (outcome.moved, outcome.alerts, outcome.state.title) == ((), (), "A")


def test_another_title_is_told_with_the_one_before() -> None:
    before = SubjectState(V1, newest_at=START, title="A")
    outcome = observe(before, reading(START + MINUTE, title="B"), [rule("title", RuleState(START))])
    assert [alert.facts for alert in outcome.alerts] == [("A", "B")]


@pytest.mark.parametrize(("since", "told"), [(START, True), (START + 3 * MINUTE, False)])
def test_a_return_is_told_by_the_rule_that_told_the_vanishing(since: datetime, told: bool) -> None:
    gone = Presence(START, START + 2 * MINUTE, START + 4 * MINUTE)
    seen = reading(START + 14 * MINUTE, Lane.METADATA, views=1)
    outcome = observe(SubjectState(V1, newest_at=START, presence=gone), seen, [rule("availability", RuleState(since))])
    assert [alert.facts for alert in outcome.alerts] == ([("came back",)] if told else [])
    assert outcome.state.presence == PRESENT


def test_the_first_title_ever_is_no_change_of_title() -> None:
    outcome = observe(SubjectState(V1, newest_at=START), reading(START + MINUTE, title="A"), [rule("title", RuleState(START))])
    assert outcome.alerts == ()


def test_a_break_gives_a_rule_a_new_anchor_and_no_alert() -> None:
    old = datetime(2026, 8, 1, tzinfo=UTC)
    before = SubjectState(V1, newest_at=old, metrics={Metric.VIEWS: MetricState(100, None, old, 100)})
    outcome = observe(before, reading(START, views=900), [rule("views rise 10%", RuleState(old, 100))])
    assert outcome.moved == (rule("views rise 10%", RuleState(old, 900)),)
    assert outcome.alerts == ()


def test_without_an_earlier_row_there_is_no_rate_to_judge() -> None:
    before = SubjectState(V1, newest_at=START, metrics={Metric.VIEWS: MetricState(100, None, START, 100)})
    outcome = observe(before, reading(START + MINUTE, views=120), [rule("views faster 1/h", RuleState(START))])
    assert (outcome.moved, outcome.alerts) == ((), ())


def test_only_an_availability_rule_that_has_seen_the_video_tells_that_it_vanished() -> None:
    before = SubjectState(V1, newest_at=START, presence=Presence(START))
    rules = [rule("availability"), rule("availability", RuleState(START), "r2"), rule("views change", RuleState(START, 1), "r3")]
    alerts = observe_absence(before, Absence(V1, START + 10 * MINUTE), rules).alerts
    assert alerts == (Alert(RuleId("r2"), V1, RuleKind.AVAILABILITY, START + 10 * MINUTE, previous_at=START, facts=("vanished",)),)


def test_any_reading_ends_an_unconfirmed_absence() -> None:
    before = SubjectState(V1, newest_at=START, presence=Presence(START))
    assert observe(before, reading(START + MINUTE, views=1), []).state.presence == PRESENT


@pytest.mark.parametrize("value", [*range(1, 60), 99, 100, 199, 200, 499, 500, 2**63 - 1])
def test_a_rung_is_the_highest_of_the_ladder_up_to_a_value_and_the_next_one_is_above(value: int) -> None:
    assert rung(value) == max(number for number in LADDER if number <= value)
    assert next_rung(value) == min(number for number in LADDER if number > value)


def test_below_one_there_is_no_rung() -> None:
    assert rung(0) == 0
    assert next_rung(0) == 1


@given(
    st.sampled_from(["views every 7", "views every 1000", "views reach 1000", "views milestones", "likes milestones"]),
    st.one_of(st.integers(0, 6_000), st.integers(0, 2**63 - 1)),
    st.one_of(st.integers(0, 6_000), st.integers(0, 2**63 - 1)),
)
def test_the_next_number_is_told_exactly_when_it_is_reached(line: str, peak: int, current: int) -> None:
    some = rule(line)
    assert some.spec.n is not None
    following = next_number(some.spec.kind, some.spec.n, peak)
    mark = passed(some.spec, peak, current)
    assert (mark is not None) == (following is not None and current >= following)
    assert mark is None or (following is not None and following <= mark <= current)
    assert passed(some.spec, None, current) is None


@pytest.mark.parametrize(
    ("line", "values", "told"),
    [
        ("likes change", [5, 5, 6], [(5, 6, None)]),
        ("likes every 10", [9, 9, 31], [(9, 31, 30)]),
        ("likes milestones", [4, 9, 12], [(9, 12, 10)]),
        ("likes rise 10", [0, 0, 5, 14, 15], [(5, 15, None)]),
        ("likes rise 50%", [10, 14, 15], [(10, 15, None)]),
        ("likes fall 1", [10, 9, 9], [(10, 9, None)]),
    ],
)
def test_a_rule_tells_of_a_row_of_values(line: str, values: list[int], told: list[tuple[int, int, int | None]]) -> None:
    state, judged, alerts = SubjectState(V1), rule(line), []
    for step, value in enumerate(values):
        outcome = observe(state, reading(START + 5 * step * MINUTE, likes=value, views=1), [judged])
        state, judged = outcome.state, next(iter(outcome.moved), judged)
        alerts += [(alert.previous, alert.current, alert.mark) for alert in outcome.alerts]
    assert alerts == told


def test_likes_and_comments_are_switched_off_and_on_in_one_alert_each() -> None:
    on: dict[str, Value] = {"likes": 3, "comments": 4}
    off: dict[str, Value] = {"likes": Absent.HIDDEN, "comments": Absent.DISABLED}
    state, judged, facts = SubjectState(V1), rule("availability"), []
    for step, values in enumerate([on, off, off, on]):
        outcome = observe(state, reading(START + 5 * step * MINUTE, Lane.STATISTICS, None, **values), [judged])
        state, judged = outcome.state, next(iter(outcome.moved), judged)
        facts += [alert.facts for alert in outcome.alerts]
    assert facts == [("likes hidden", "comments turned off"), ("likes shown", "comments turned on")]


def test_two_answers_ten_minutes_apart_make_a_video_vanish_and_come_back() -> None:
    missing, gone = Presence(START), Presence(START, START + 10 * MINUTE)
    for before, after, presence in [
        (PRESENT, 0, missing),
        (missing, 9, missing),
        (missing, 10, gone),
        (gone._replace(back_at=START + 20 * MINUTE), 25, gone),
    ]:
        assert observe_absence(SubjectState(V1, presence=before), Absence(V1, START + after * MINUTE), []).state.presence == presence
    back = gone._replace(back_at=START + 20 * MINUTE)
    for before, after, lane, presence in [
        (gone, 20, Lane.STATISTICS, gone),
        (gone, 20, Lane.METADATA, back),
        (back, 29, Lane.METADATA, back),
        (back, 30, Lane.METADATA, PRESENT),
    ]:
        seen = reading(START + after * MINUTE, lane, views=1)
        assert observe(SubjectState(V1, presence=before), seen, []).state.presence == presence


LINES = (
    "views every 7",
    "views reach 1000",
    "views milestones",
    "likes milestones",
    "likes change",
    "views rise 10%",
    "likes fall 5",
    "availability",
    "title",
)
SEEN = any_reading([V1], START)
GAPS = st.timedeltas(timedelta(milliseconds=1), timedelta(hours=8))
EVENTS = st.lists(st.tuples(GAPS, st.one_of(SEEN, st.just(Absence(V1, START)))), max_size=25)


def run(events: Sequence[tuple[timedelta, Reading | Absence]], *, replay: bool = False) -> list[Outcome]:
    """Judge all lines on the events, each set to its time: the sum of the gaps."""
    at, state, rules, outcomes = START, SubjectState(V1), [rule(line, None, line) for line in LINES], []
    for gap, event in events:
        at += gap
        if isinstance(event, Absence):
            outcome = observe_absence(state, Absence(V1, at), rules)
        else:
            now = Reading(V1, at, event.lane, event.values, event.kind, event.title, event.published_at)
            outcome = observe(state, now, rules, next_row_settles=replay)
        moved = {rule.id: rule for rule in outcome.moved}
        state, rules = outcome.state, [moved.get(rule.id, rule) for rule in rules]
        outcomes.append(outcome)
    return outcomes


@given(EVENTS, st.booleans())
def test_each_number_is_told_at_most_once(events: list[tuple[timedelta, Reading | Absence]], replay: bool) -> None:
    marks = Counter((a.rule_id, a.mark) for outcome in run(events, replay=replay) for a in outcome.alerts if a.mark is not None)
    assert all(times == 1 for times in marks.values())


@given(EVENTS)
def test_a_rule_tells_at_most_one_thing_about_an_observation_and_nothing_about_the_first(
    events: list[tuple[timedelta, Reading | Absence]],
) -> None:
    outcomes = run(events)
    for outcome in outcomes:
        assert len({alert.id for alert in outcome.alerts}) == len(outcome.alerts)
    assert not outcomes or not outcomes[0].alerts


@given(EVENTS, st.booleans())
def test_what_is_told_of_a_metric_is_its_settled_value_at_that_reading(
    events: list[tuple[timedelta, Reading | Absence]], replay: bool
) -> None:
    for outcome in run(events, replay=replay):
        for alert in outcome.alerts:
            if alert.metric is not None:
                assert alert.current == outcome.state.metric(alert.metric).value
                assert alert.observed_at == outcome.state.newest_at


@given(EVENTS)
def test_vanished_and_came_back_take_turns(events: list[tuple[timedelta, Reading | Absence]]) -> None:
    told = [fact for outcome in run(events) for alert in outcome.alerts if alert.rule_id == "availability" for fact in alert.facts]
    turns = [fact for fact in told if fact in ("vanished", "came back")]
    assert turns == ["vanished", "came back"] * (len(turns) // 2) + ["vanished"] * (len(turns) % 2)
