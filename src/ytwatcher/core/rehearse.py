"""What a rule would have told: stored rows, judged by the judge and told by the delivery policy that serve live readings."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ytwatcher.core import breaks
from ytwatcher.core.judge import finds, observe
from ytwatcher.core.model import (
    EPOCH,
    MILLISECOND,
    UNKNOWN,
    Absent,
    Alert,
    Lane,
    Metric,
    MetricState,
    Pending,
    Reading,
    Rule,
    RuleKind,
    RuleSpec,
    SubjectId,
    SubjectKind,
    SubjectState,
    Value,
    Wait,
    from_ms,
)
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.policy import Decision, Hold, Recipient, Suppress, decide
from ytwatcher.core.rates import FARTHEST, RATES, Span
from ytwatcher.core.settle import SECOND_READING

NIGHT_BEGINS, NIGHT_ENDS = time(22), time(7)
"""When people sleep, on their own clock."""
HOUR_MS = 3_600_000
_SECOND_MS = SECOND_READING // MILLISECOND
_WAITS = {Absent.HIDDEN: Pending.HIDDEN, Absent.DISABLED: Pending.DISABLED}
_ONCE = Suppress("once: told before")
_FAR = datetime(9999, 1, 1, tzinfo=UTC)

UNSETTLED = "unsettled"
Past = Sequence[int | str | None]
"""A stored row of a subject: the span (two instants, in ms) in which its readings said the same; what YouTube said where that is something
else, as JSON; and the settled values in the order of `asked`: a number, None, or for `availability` why there is none (`UNSETTLED`: a
number was said, and not taken as true)."""


def asked(spec: RuleSpec) -> tuple[Metric, ...]:
    """The metrics that the rule is judged on."""
    if spec.kind is RuleKind.AVAILABILITY:
        return (Metric.LIKES, Metric.COMMENTS)
    return (spec.metric,) if spec.metric is not None else ()


def caveat(spec: RuleSpec) -> Phrase | None:
    """What the stored rows do not say of the rule; None where they say all of it."""
    if spec.kind is RuleKind.TITLE:
        return Phrase("Earlier titles are not stored, so nothing can be said of them.")
    if spec.kind is RuleKind.AVAILABILITY:
        return Phrase("Only hidden likes and comments turned off are counted: when a video was away is not stored.")
    return None


def lead_ms(spec: RuleSpec) -> int:
    """How long before its start the rows are needed, too: a rate is measured from an earlier one, and they say what was settled."""
    if spec.kind is RuleKind.AVAILABILITY:
        return 24 * HOUR_MS
    return int(FARTHEST.total_seconds() * 1000) if spec.kind in RATES else 0


class Judging:
    """One rule on one subject. It begins at `since_ms` as a rule begins that is made then, and finds what it would have found live.

    Args:
        peaks: the highest numbers known before the first row, in the order of `asked`.
    """

    def __init__(self, rule: Rule, subject_id: SubjectId, kind: SubjectKind, since_ms: int, peaks: Sequence[int | None]) -> None:
        self._rule, self._since_ms, self._metrics = rule, since_ms, asked(rule.spec)
        known = {metric: MetricState(peak=peak) for metric, peak in zip(self._metrics, peaks, strict=True)}
        self._state = SubjectState(subject_id, kind, metrics=known)
        self._trail: list[Span] = []
        self._doubtful: dict[Metric, tuple[str, int]] = {}
        self._rated = rule.spec.kind in RATES
        self._reason = None if rule.spec.kind is RuleKind.AVAILABILITY else Absent.HIDDEN
        # Only where no counting break can lie between two rows is a number that finds nothing passed over.
        quick = len(self._metrics) == 1 and not self._rated
        self._quick = quick and not breaks.between(self._metrics[0], from_ms(since_ms), _FAR)
        self._number: int | None = None
        self._peak = -1

    def alerts(self, rows: Iterable[Past]) -> Iterator[Alert]:
        """Judge the rows, oldest first."""
        for row in rows:
            if self._number is not None and self._is_quiet(row):
                continue
            alert = self._take(row)
            if alert is not None:
                yield alert

    def _is_quiet(self, row: Past) -> bool:
        """Most rows bring a number in which the rule finds nothing: it is noted, and no more is done."""
        value, to_at = row[3], row[1]
        if not isinstance(value, int) or not isinstance(to_at, int):
            return False
        state = self._rule.state
        if finds(self._rule.spec, state.anchor if state is not None else None, self._number, self._peak, value):
            return False
        self._number, self._newest_ms = value, to_at
        if value > self._peak:
            self._peak = value
        return True

    def _take(self, row: Past) -> Alert | None:
        from_at, to_at = row[0], row[1]
        assert isinstance(from_at, int) and isinstance(to_at, int)  # a span has both its ends
        self._catch_up()
        begun, new = to_at >= self._since_ms, self._rule.state is None
        at = max(from_at, self._since_ms) if begun and new else from_at
        judged = begun and not (new and self._waits(row[2]))
        alert = self._observe(from_ms(at), self._settled(row[3:], from_at, to_at), (self._rule,) if judged else ())
        self._state = self._state._replace(newest_at=from_ms(to_at))
        if self._rated:
            self._note(from_at, row[3:])
        self._remember(to_at)
        return alert

    def _waits(self, raw: int | str | None) -> bool:
        """Whether YouTube said something of a number that was not taken as true: then it is no baseline."""
        return self._reason is not None and raw is not None and any(f'"{metric}"' in str(raw) for metric in self._metrics)

    def _settled(self, values: Past, from_at: int, to_at: int) -> Past:
        """The row's values without the reasons that were not settled yet, which look the same where no number stood before."""
        return [self._settled_one(metric, value, from_at, to_at) for metric, value in zip(self._metrics, values, strict=True)]

    def _settled_one(self, metric: Metric, value: int | str | None, from_at: int, to_at: int) -> int | str | None:
        known = self._state.metric(metric)
        if value is None:
            return None
        if isinstance(value, int) or value == UNSETTLED or known.value is not None or known.absent == value:
            self._doubtful.pop(metric, None)
            return None if value == UNSETTLED else value
        reason, since = self._doubtful.get(metric, (value, from_at))
        since = since if reason == value else from_at
        self._doubtful[metric] = value, since
        return value if to_at - since >= _SECOND_MS else None

    def _observe(self, at: datetime, values: Past, rules: Sequence[Rule]) -> Alert | None:
        said = {metric: self._reason if value is None else value for metric, value in zip(self._metrics, values, strict=True)}
        given: dict[Metric, Value] = {m: v if isinstance(v, int) else Absent(v) for m, v in said.items() if v is not None}
        waited = {metric: _waited(self._state.metric(metric), value) for metric, value in given.items()}
        # That the values settled is known: the video is taken to be as young as it has to be for that.
        before = self._state._replace(metrics={**self._state.metrics, **waited}, published_at=at)
        reading = Reading(before.subject_id, at, Lane.FILE, given, before.kind)
        outcome = observe(before, reading, rules, next_row_settles=True, trail=self._trail)
        self._state = outcome.state
        for moved in outcome.moved:
            self._rule = moved
        return outcome.alerts[0] if outcome.alerts else None

    def _note(self, from_at: int, values: Past) -> None:
        """The row is one that later rates may start from; of those an hour old or older the newest is enough."""
        known = {metric: value if isinstance(value, int) else None for metric, value in zip(self._metrics, values, strict=True)}
        self._trail.append(Span(from_at, known))
        while len(self._trail) > 1 and self._trail[1].from_ms <= from_at - HOUR_MS:
            del self._trail[0]

    def _remember(self, to_at: int) -> None:
        state = self._state.metric(self._metrics[0]) if self._quick and self._rule.state is not None else UNKNOWN
        self._number, self._peak, self._newest_ms = state.value, -1 if state.peak is None else state.peak, to_at

    def _catch_up(self) -> None:
        """The state as the rows that were passed over left it."""
        if self._number is not None:
            at = from_ms(self._newest_ms)
            metrics = {self._metrics[0]: MetricState(self._number, None, at, self._peak)}
            self._state = self._state._replace(newest_at=at, metrics=metrics)


def _waited(state: MetricState, value: Value) -> MetricState:
    """The state with the wait that the stored value has ended."""
    return state._replace(wait=Wait(_WAITS[value] if isinstance(value, Absent) else Pending.FALL, EPOCH, EPOCH))


class Message(NamedTuple):
    """The alerts that would have left together."""

    at: datetime
    alerts: tuple[Alert, ...]


@dataclass(slots=True)
class Delivered:
    """What would have been sent; alerts that would not have been, by the reason; and how many would still be held at the end."""

    messages: list[Message] = field(default_factory=list)
    suppressed: Counter[str] = field(default_factory=Counter)
    held: int = 0


def deliver(alerts: Iterable[Alert], spec: RuleSpec, recipient: Recipient, until_at: datetime) -> Delivered:
    """Tell the alerts of one rule as the outbox would have told them; what leaves at the same instant leaves as one message."""
    result = Delivered()
    told: dict[tuple[str, str], datetime] = {}
    due = [(alert.observed_at, place, alert) for place, alert in enumerate(alerts)]
    heapq.heapify(due)
    while due and due[0][0] <= until_at:
        now, leaving = due[0][0], dict[int, Alert]()
        for place, alert in _due_at(due, now):
            about = (alert.rule_id, alert.subject_id)
            if spec.once and told.get(about) == now:
                decision: Decision = _ONCE
            else:
                decision = decide(spec, recipient, told.get(about), now, found_at=alert.observed_at)
            if isinstance(decision, Hold):
                heapq.heappush(due, (decision.until, place, alert))
            elif isinstance(decision, Suppress):
                result.suppressed[decision.why] += 1
            else:
                leaving[place] = alert
                if spec.once:
                    told[about] = now
        if leaving:
            result.messages.append(Message(now, tuple(leaving.values())))
            told.update({(alert.rule_id, alert.subject_id): now for alert in leaving.values()})
    result.held = len(due)
    return result


def _due_at(due: list[tuple[datetime, int, Alert]], now: datetime) -> list[tuple[int, Alert]]:
    """What is due is taken out, in the order in which it was found."""
    found = []
    while due and due[0][0] <= now:
        _, place, alert = heapq.heappop(due)
        found.append((place, alert))
    return sorted(found, key=itemgetter(0))


def at_night(at: datetime, zone: str) -> bool:
    """Whether it is an hour at which people sleep, in the zone of this IANA name."""
    local = at.astimezone(ZoneInfo(zone)).time()
    return local >= NIGHT_BEGINS or local < NIGHT_ENDS
