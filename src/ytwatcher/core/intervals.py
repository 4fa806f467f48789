"""How long until a subject's next reading: as long as the delay that is to be expected of waiting is worth less than a reading.

Each rule gives news at some pace: a plain change with the count's own rate, a number ahead when the count is expected to reach it, give or
take. The delay that piles up in a time `u` without a reading is the integral of the chance that news came by then. A reading is due when
that reaches its price. For news that comes at any time with a rate r this is the square-root law, u = sqrt(2 · price / r); for a number
ahead it is the price of an option, and its readings close in on the number as it nears. The price is the one factor that scales
everything to the bucket (core/schedule.py). Hours and news an hour throughout, milliseconds at the edges. docs/quota.md has it in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from ytwatcher.core.judge import next_number
from ytwatcher.core.model import Metric, MetricState, Rule, RuleKind, RuleSpec, SubjectState
from ytwatcher.core.rates import RATES

HOUR, HOUR_MS = timedelta(hours=1), 3_600_000
REFRESH_HOURS = 1 / 12
"""How often YouTube refreshes the counts of an active video: about every 5 minutes."""
PRICE_HOURS = 0.001 / 3600
"""The expected delay that one reading has to save where the bucket is ample; at a factor f it is f² times as much."""
IDLE = 2 * PRICE_HOURS / REFRESH_HOURS**2
"""The news an hour that any subject is taken to have: where the bucket is ample it is read every 5 minutes."""
MOST = 1 / REFRESH_HOURS
"""More news an hour than refreshes cannot be seen."""
TO_LEARN = 4
"""A count whose own rate is not known yet is read so many times as soon as an idle one, once: nothing else has to make room for that."""
FALLS = 0.05
"""The news an hour of a rule on a fall, which nothing foretells."""
OF_A_RATE = 9 * IDLE
"""The news an hour of a rule on a rate: such a subject is read three times as often as an idle one."""
YOUNG = 0.16
"""The variance of a rate that was seen for no time at all; it fades within hours."""
MEMORY_HOURS, MEMORY_EVENTS, LONGEST_MEMORY_HOURS = 1.5, 40.0, 240.0
STEPS_PER_DOUBLING = 4
# A member of an enumeration is looked up at every use, which planning does for every rule.
_CHANGE, _EVERY, _RISE, _FALL = RuleKind.CHANGE, RuleKind.EVERY, RuleKind.RISE, RuleKind.FALL


class Pace(NamedTuple):
    """How much the intervals are stretched to fit the bucket, and the bounds that they keep, in milliseconds."""

    factor: float = 1.0
    shortest_ms: int = 60_000
    longest_ms: int = 86_400_000

    @property
    def usual_ms(self) -> int:
        """The shortest interval where no number is near."""
        return min(max(self.shortest_ms, round(REFRESH_HOURS * HOUR_MS)), self.longest_ms)


PACE = Pace()


class Next(NamedTuple):
    """After what time to read again, and why: `near` because of a number ahead. `step` is the interval's size, for adding up what all
    subjects need: of a near one as it is, else without the factor."""

    interval_ms: int
    near: bool
    step: int


def step_of(hours: float) -> int:
    """The size of an interval: four steps to a doubling."""
    return round(STEPS_PER_DOUBLING * math.log2(hours / REFRESH_HOURS))


def step_ms(step: int) -> float:
    """The reverse."""
    return float(2 ** (step / STEPS_PER_DOUBLING) * REFRESH_HOURS * HOUR_MS)


def learned(before: SubjectState, after: SubjectState, rules: Iterable[Rule]) -> SubjectState:
    """`after` with the pace of each count that a rule asks for."""
    known: Mapping[Metric, MetricState] = after.metrics
    news: dict[Metric, MetricState] = {}
    for rule in rules:
        metric = rule.spec.metric
        if metric is not None and metric in known and metric not in news:
            news[metric] = learn(before.metric(metric), known[metric])
    if not news:
        return after
    metrics = {**known, **news}
    return SubjectState(after.subject_id, after.kind, after.newest_at, after.title, after.published_at, metrics, after.presence)


def learn(before: MetricState, after: MetricState) -> MetricState:
    """`after` with the count's pace: growth and hours, older ones fading, over about 40 events or at least an hour and a half."""
    if before.number is None or before.supported_at is None or after.number is None or after.supported_at is None:
        return after
    growth, hours = max(0, after.number - before.number), (after.supported_at - before.supported_at) / HOUR
    grown, seen = with_growth(before.grown, before.hours, growth, hours)
    return MetricState(after.number, after.absent, after.supported_at, after.peak, after.wait, grown, seen)


def with_growth(grown: float, seen: float, growth: int, hours: float) -> tuple[float, float]:
    """A pace (growth, and the hours in which it was seen), this growth in so many more hours added to it."""
    if hours <= 0:
        return grown, seen
    memory = MEMORY_EVENTS * seen / (grown + 1)
    if memory < MEMORY_HOURS:
        memory = MEMORY_HOURS
    elif memory > LONGEST_MEMORY_HOURS:
        memory = LONGEST_MEMORY_HOURS
    kept = math.exp(-hours / memory)
    # To thousandths and milliseconds, as it is stored; written out, since `round` to digits takes longer than all of the above.
    return int((grown * kept + growth) * 1000 + 0.5) / 1000, int((seen * kept + hours) * HOUR_MS + 0.5) / HOUR_MS


Course = tuple[RuleSpec, int | None, int, int | None, float, float]
"""A rule that has its baseline, with its anchor, and the count that it is judged on: its value, its peak, its pace (growth, hours)."""


def next_reading(rules: Iterable[Rule], state: SubjectState, pace: Pace) -> Next:
    """When the subject is to be read again, these rules being judged on it."""
    courses: list[Course] = []
    for rule in rules:
        if rule.spec.metric is None or rule.state is None:
            continue
        known = state.metric(rule.spec.metric)
        if known.value is not None:
            courses.append((rule.spec, rule.state.anchor, known.value, known.peak, known.grown, known.hours))
    return next_on(courses, pace)


def next_on(courses: Sequence[Course], pace: Pace) -> Next:
    """When to read again what is on these courses."""
    news, learning = IDLE, False
    numbers: list[tuple[float, float]] = []
    for spec, anchor, value, peak, grown, seen in courses:
        if seen == 0:
            learning = True
        more, ahead = _outlook(spec, anchor, value, peak, grown, seen)
        news += more
        if ahead is not None:
            numbers.append(ahead)
    hours, price, usual = _usual(news, learning, pace)
    near = False
    for median, spread in numbers:
        if _worth(hours, median, spread, price):
            hours, near = _when(price, median, spread), True
    if not near:
        return usual
    ms = _within(hours, pace)
    return Next(ms, near, step_of(ms / HOUR_MS))


# Remembered: most subjects have the news of an idle one, and all of a batch have one pace.
@lru_cache(maxsize=1024)
def _usual(news: float, learning: bool, pace: Pace) -> tuple[float, float, Next]:
    """Where no number is near: the hours until the next reading by the square-root law, the price of a reading, and that reading."""
    lawful = math.sqrt(2 * PRICE_HOURS / news)
    hours = lawful * pace.factor
    if learning:
        hours = min(hours, REFRESH_HOURS * pace.factor / TO_LEARN)
    hours = min(max(hours, pace.usual_ms / HOUR_MS), pace.longest_ms / HOUR_MS)
    return hours, PRICE_HOURS * pace.factor**2, Next(_within(hours, pace), near=False, step=step_of(max(lawful, 1e-4)))


def _within(hours: float, pace: Pace) -> int:
    return min(max(round(hours * HOUR_MS), pace.shortest_ms), pace.longest_ms)


def _outlook(
    spec: RuleSpec, anchor: int | None, value: int, peak: int | None, grown: float, hours: float
) -> tuple[float, tuple[float, float] | None]:
    """The news an hour that may come at any time, and a number ahead: the median of the hours until it, the spread of their logarithm."""
    kind = spec.kind
    if kind in RATES:
        return OF_A_RATE, None
    if kind is _FALL:
        return FALLS, None
    if hours == 0:
        return 0.0, None
    rate = (grown + 0.5) / hours
    if kind is _CHANGE:
        return min(rate, MOST), None
    target = _target(spec, anchor, peak)
    if target is None:
        return 0.0, None
    if kind is _EVERY and spec.n is not None and rate > spec.n * MOST / 6:
        return min(rate / spec.n, MOST), None  # so many that they come at any time
    left = max(1, target - value)
    return 0.0, (left / rate, _spread(left, left / rate, grown, hours))


def _target(spec: RuleSpec, anchor: int | None, peak: int | None) -> int | None:
    """The number that the rule tells next; None when there is none."""
    if spec.kind is _RISE:
        if not anchor:
            return None
        return anchor + (spec.n if spec.n is not None else math.ceil(anchor * (spec.percent or 0) / 100))
    return None if spec.n is None or peak is None else next_number(spec.kind, spec.n, peak)


def _spread(left: int, median: float, grown: float, hours: float) -> float:
    """How uncertain the time to a number is, as the standard deviation of its logarithm: chance in what is left, in what was seen, the
    refresh at both ends, and how much a rate drifts in that time."""
    drift = 0.10 + 0.10 * math.log1p(2 * median)
    chance = 1 / left + 1 / (grown + 1)
    before, then = REFRESH_HOURS / 2 / hours, REFRESH_HOURS / 3 / median
    young = YOUNG / (1 + 4 * hours)
    return min(math.sqrt(drift * drift + chance + before * before + then * then + young), 1.5)


def _worth(hours: float, median: float, spread: float, price: float) -> bool:
    """Whether the delay to be expected of a number in so many hours is more than the price; at most it is the hours times the chance."""
    late = math.log(hours / median) / spread
    if late < -6 and hours * 1e-9 < price:  # the chance is below 1e-9
        return False
    return delay(hours, median, spread)[0] > price


def delay(hours: float, median: float, spread: float) -> tuple[float, float]:
    """The delay to be expected of a number when nothing is read for so long, and the chance that it was passed by then."""
    late = math.log(hours / median) / spread
    chance = _normal(late)
    return hours * chance - median * math.exp(spread * spread / 2) * _normal(late - spread), chance


def _when(price: float, median: float, spread: float) -> float:
    """The hours after which the expected delay is the price; by Newton's method on its logarithm."""
    late = -2.0
    for _ in range(5):
        hours = median * math.exp(spread * late)
        expected, chance = delay(hours, median, spread)
        expected = max(expected, 1e-300)
        nearer = min(max(math.log(price / expected) * expected / (hours * spread * max(chance, 1e-300)), -2.0), 2.0)
        late += nearer
        if abs(nearer) < 1e-6:
            break
    return median * math.exp(spread * max(late, -8.0))


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x * 0.7071067811865476)


MEETINGS = 4
"""Where the bucket is ample, those near a number meet in so many calls per shortest interval, instead of having one each."""


def due_ms(at_ms: int, following: Next, pace: Pace) -> int:
    """When the reading after the one at `at_ms` is due."""
    due = at_ms + following.interval_ms
    return due + -due % (pace.shortest_ms // MEETINGS) if following.near and pace.factor == 1.0 else due


class Kind(NamedTuple):
    """Subjects that are alike to the plan: `near` and `step` as in `Next`."""

    near: bool
    step: int


class Need(NamedTuple):
    """What a group of subjects asks for: how many they are, and readings a millisecond."""

    subjects: int
    readings: float

    @property
    def interval_ms(self) -> float:
        return self.subjects / self.readings if self.readings else math.inf

    def calls(self, room: float = 0.0) -> float:
        """Calls a millisecond, `room` readings a millisecond having place in others."""
        return max(0.0, math.ceil(self.subjects / IDS_PER_CALL) / self.interval_ms - room / IDS_PER_CALL) if self.subjects else 0.0


IDS_PER_CALL = 50


def needs(load: Mapping[Kind, int], pace: Pace) -> tuple[Need, Need]:
    """What those near a number and those far from one ask for at this pace."""
    near = Need(sum(n for kind, n in load.items() if kind.near), sum(n / step_ms(kind.step) for kind, n in load.items() if kind.near))
    far = [(n, min(max(step_ms(kind.step) * pace.factor, pace.usual_ms), pace.longest_ms)) for kind, n in load.items() if not kind.near]
    return near, Need(sum(n for n, _ in far), sum(n / ms for n, ms in far))


def calls_needed(load: Mapping[Kind, int], pace: Pace) -> float:
    """Calls a millisecond; those for the near leave room for the far."""
    near, far = needs(load, pace)
    calls = min(near.readings, max(near.calls(), MEETINGS / pace.shortest_ms))
    return calls + far.calls(calls * IDS_PER_CALL - near.readings)


def fitting(load: Mapping[Kind, int], available: float, pace: Pace) -> Pace:
    """The pace at which all of it fits into so many calls a millisecond; at least a fifth of them is for the far."""
    near = calls_needed({kind: n for kind, n in load.items() if kind.near}, pace)
    limit = max(available, near + available / 5)
    low, high = 0.0, 20.0
    if calls_needed(load, pace._replace(factor=1.0)) <= limit:
        return pace._replace(factor=1.0)
    for _ in range(24):
        middle = (low + high) / 2
        if calls_needed(load, pace._replace(factor=2.0**middle)) > limit:
            low = middle
        else:
            high = middle
    return pace._replace(factor=2.0**high)
