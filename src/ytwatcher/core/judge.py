"""The embedded judge: what the rules find in one observation. Pure: a state and an observation become a state and alerts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from ytwatcher.core.model import (
    MILLISECOND,
    PRESENT,
    UNKNOWN,
    Absence,
    Absent,
    Alert,
    Lane,
    Metric,
    MetricState,
    Presence,
    Reading,
    Rule,
    RuleKind,
    RuleSpec,
    RuleState,
    SubjectKind,
    SubjectState,
)
from ytwatcher.core.rates import RATES, Span, judged, rate, text
from ytwatcher.core.settle import NUMBER_SETTLES, Moment, Step, Verdict, settle

TWO_ANSWERS = timedelta(minutes=10)
CAME_BACK = "came back"
_LADDER: tuple[int, ...] = (0, *(first * 10**zeros for zeros in range(20) for first in (1, 2, 5)))
"""Past the biggest counter."""
# A member of an enumeration is looked up at every use, which judging does for every rule.
_CHANGE, _EVERY, _REACH = RuleKind.CHANGE, RuleKind.EVERY, RuleKind.REACH
_FROM_ANCHOR = frozenset({RuleKind.RISE, RuleKind.FALL})
_REBASED, _VIDEO, _METADATA = Verdict.REBASED, SubjectKind.VIDEO, Lane.METADATA
_SWITCHES = (
    (Metric.LIKES, Absent.HIDDEN, "likes hidden", "likes shown"),
    (Metric.COMMENTS, Absent.DISABLED, "comments turned off", "comments turned on"),
)


class Outcome(NamedTuple):
    """What an observation did to its subject: the new state, the rules whose state moved, the alerts, what became of each raw value."""

    state: SubjectState
    moved: tuple[Rule, ...]
    alerts: tuple[Alert, ...]
    steps: Mapping[Metric, Step] = MappingProxyType({})

    @property
    def verdicts(self) -> dict[Metric, Verdict]:
        return {metric: step.verdict for metric, step in self.steps.items()}


def observe(
    before: SubjectState, reading: Reading, rules: Sequence[Rule], *, next_row_settles: bool = False, trail: Sequence[Span] = ()
) -> Outcome:
    """Settle a reading that is newer than its subject's newest, and judge the rules on it.

    Args:
        trail: the subject's last stored rows, for rules on rates (core/rates.py).
    """
    at = reading.observed_at
    published_at = reading.published_at or before.published_at
    moment = Moment(at, at - published_at if published_at else None, reading.kind is _VIDEO, next_row_settles)
    steps: dict[Metric, Step] = {}
    metrics = {**before.metrics}
    for metric, raw in reading.values.items():
        steps[metric] = step = settle(metric, metrics.get(metric, UNKNOWN), raw, moment)
        metrics[metric] = step.state
    presence, seen = _seen(before.presence, reading)
    after = SubjectState(
        before.subject_id,
        reading.kind,
        at,
        reading.title or before.title,
        published_at,
        metrics,
        presence,
    )
    moved, alerts = [], []
    for rule in rules:
        state, alert = _judge(rule, before, after, steps, seen, reading, trail)
        if state is not rule.state:
            moved.append(rule._replace(state=state))
        if alert is not None:
            alerts.append(alert)
    return Outcome(after, tuple(moved), tuple(alerts), steps)


def observe_absence(before: SubjectState, absence: Absence, rules: Sequence[Rule]) -> Outcome:
    """Take note that a metadata answer lacked the subject; the second one, 10 minutes on, makes it vanished."""
    at, presence = absence.observed_at, before.presence
    if presence.vanished_at is not None:
        return Outcome(before._replace(presence=presence._replace(back_at=None)), (), ())
    if presence.missing_at is None:
        return Outcome(before._replace(presence=Presence(missing_at=at)), (), ())
    if at - presence.missing_at < TWO_ANSWERS:
        return Outcome(before, (), ())
    after = before._replace(presence=Presence(missing_at=presence.missing_at, vanished_at=at))
    alerts = tuple(
        Alert(rule.id, before.subject_id, RuleKind.AVAILABILITY, at, previous_at=before.newest_at, facts=("vanished",), lane=_METADATA)
        for rule in rules
        if rule.spec.kind is RuleKind.AVAILABILITY and rule.state is not None
    )
    return Outcome(after, (), alerts)


def _seen(presence: Presence, reading: Reading) -> tuple[Presence, tuple[str, ...]]:
    """A reading proves the video is there: at once where it was only missing, by two metadata answers once it was told."""
    if presence.vanished_at is None:
        return PRESENT, ()
    if reading.lane is not _METADATA:
        return presence, ()
    if presence.back_at is None:
        return presence._replace(back_at=reading.observed_at), ()
    if reading.observed_at - presence.back_at < TWO_ANSWERS:
        return presence, ()
    return PRESENT, (CAME_BACK,)


def _switches(before: SubjectState, steps: Mapping[Metric, Step]) -> tuple[str, ...]:
    """Likes hidden or shown, comments turned off or on; from never known to absent is a baseline, not news."""
    facts: list[str] = []
    for metric, absent, off, on in _SWITCHES:
        if metric not in steps:
            continue
        old, new = before.metric(metric).absent, steps[metric].state.absent
        if new is absent and old is None:
            facts.append(off)
        elif old is absent and new is None:
            facts.append(on)
    return tuple(facts)


def _judge(
    rule: Rule,
    before: SubjectState,
    after: SubjectState,
    steps: dict[Metric, Step],
    seen: tuple[str, ...],
    reading: Reading,
    trail: Sequence[Span],
) -> tuple[RuleState | None, Alert | None]:
    """The rule's state after the reading, and its alert. The first reading that says what the rule asks for is its baseline."""
    metric, at = rule.spec.metric, reading.observed_at
    if metric is None:
        return _judge_facts(rule, before, after, steps, seen, reading)
    step = steps.get(metric)
    if step is None or step.verdict not in NUMBER_SETTLES:
        return rule.state, None
    value, of_a_rate = step.state.number, rule.spec.kind in RATES
    if rule.state is None:
        return RuleState(at + MILLISECOND, None if of_a_rate else value), None
    if step.verdict is _REBASED:
        return rule.state._replace(anchor=None if of_a_rate else value), None
    if of_a_rate:
        return _judge_rate(rule, rule.state, before, step.state, reading, trail)
    return _judge_number(rule, rule.state, before, step.state, reading)


def _judge_facts(
    rule: Rule, before: SubjectState, after: SubjectState, steps: Mapping[Metric, Step], seen: tuple[str, ...], reading: Reading
) -> tuple[RuleState | None, Alert | None]:
    kind, at = rule.spec.kind, reading.observed_at
    if kind is RuleKind.TITLE and not reading.title:
        return rule.state, None
    if rule.state is None:
        return RuleState(at + MILLISECOND), None
    found: tuple[str, ...] = ()
    if kind is RuleKind.AVAILABILITY:
        vanished_at = before.presence.vanished_at
        untold = vanished_at is not None and rule.state.since_at > vanished_at  # this rule never said that it vanished
        found = (*(() if untold else seen), *_switches(before, steps))
    elif kind is RuleKind.TITLE and before.title and after.title and before.title != after.title:
        found = (before.title, after.title)
    if not found:
        return rule.state, None
    return rule.state, Alert(rule.id, before.subject_id, kind, at, previous_at=before.newest_at, facts=found, lane=reading.lane)


def _judge_number(
    rule: Rule, state: RuleState, before: SubjectState, after: MetricState, reading: Reading
) -> tuple[RuleState, Alert | None]:
    metric, current, at, lane = rule.spec.metric, after.number, reading.observed_at, reading.lane
    assert metric is not None and current is not None  # the caller has seen to both
    old = before.metric(metric)
    if rule.spec.kind in _FROM_ANCHOR:
        if not state.anchor:
            return (state._replace(anchor=current) if current > 0 else state), None
        if not _moved_enough(rule.spec, state.anchor, current):
            return state, None
        alert = Alert(rule.id, before.subject_id, rule.spec.kind, at, metric, state.anchor, current, lane=lane)
        return state._replace(anchor=current), alert
    mark = None
    if rule.spec.kind is _CHANGE:
        if old.value is None or old.value == current:
            return state, None
    else:
        mark = passed(rule.spec, old.peak, current)
        if mark is None:
            return state, None
    alert = Alert(rule.id, before.subject_id, rule.spec.kind, at, metric, old.value, current, before.newest_at, mark, lane=lane)
    return state, alert


def _judge_rate(
    rule: Rule, state: RuleState, before: SubjectState, after: MetricState, reading: Reading, trail: Sequence[Span]
) -> tuple[RuleState, Alert | None]:
    spec, current, at = rule.spec, after.number, reading.observed_at
    assert spec.metric is not None and current is not None  # the caller has seen to both
    found = rate(trail, spec.metric, current, at)
    if found is None:
        return state, None
    armed, tells = judged(spec, state.anchor, found)
    alert = None
    if tells:
        facts = (text(spec),)
        alert = Alert(
            rule.id, before.subject_id, spec.kind, at, spec.metric, found.older, current, found.older_at, facts=facts, lane=reading.lane
        )
    return (state if armed == state.anchor else state._replace(anchor=armed)), alert


def finds(spec: RuleSpec, anchor: int | None, previous: int | None, peak: int, current: int) -> bool:
    """Whether a rule on a number, which has its baseline, would tell or move at this settled value; `rise` and `fall` know their anchor.

    Of rules on rates, which know more than two values, nothing is said here.
    """
    kind = spec.kind
    if kind is _CHANGE:
        return current != previous
    if kind in _FROM_ANCHOR:
        return not anchor or _moved_enough(spec, anchor, current)
    return current > peak and passed(spec, peak, current) is not None


def _moved_enough(spec: RuleSpec, anchor: int, current: int) -> bool:
    moved = current - anchor if spec.kind is RuleKind.RISE else anchor - current
    if spec.percent is not None:
        return bool(moved > 0 and moved * 100 >= spec.percent * anchor)
    assert spec.n is not None  # the parser gives `rise` and `fall` a number or a percentage
    return moved >= spec.n


def passed(spec: RuleSpec, peak: int | None, current: int) -> int | None:
    """The highest number of an `every`, `reach` or `milestones` rule with peak < number ≤ current."""
    if peak is None or current <= peak:
        return None
    n = spec.n or 0
    if spec.kind is _EVERY:
        mark = current // n * n
    elif spec.kind is _REACH:
        mark = n
    else:
        mark = rung(current)
        if mark < n:
            return None
    return mark if peak < mark <= current else None


def rung(value: int) -> int:
    """The highest of 1, 2, 5, 10, 20, 50, … that is ≤ value; 0 when there is none."""
    return _LADDER[bisect_right(_LADDER, value) - 1]


def next_rung(value: int) -> int:
    """The lowest of 1, 2, 5, 10, … that is > value."""
    return _LADDER[bisect_right(_LADDER, value)]


def next_number(spec_kind: RuleKind, n: int, peak: int) -> int | None:
    """The next number that would be told with this peak; None when `reach` has been passed."""
    if spec_kind is _EVERY:
        return (peak // n + 1) * n
    if spec_kind is _REACH:
        return n if peak < n else None
    return max(n, next_rung(peak))
