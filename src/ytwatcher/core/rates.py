"""Rates over about an hour, for `faster` and `slower`: measured between stored rows, judged with a margin so that nothing flutters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ytwatcher.core import breaks
from ytwatcher.core.model import ARMED, TOLD, Metric, RuleKind, RuleSpec, from_ms, to_ms

RATES = frozenset({RuleKind.FASTER, RuleKind.SLOWER})
PER: Mapping[str, timedelta] = MappingProxyType({"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)})
ABOUT = timedelta(hours=1)
NEAREST, FARTHEST = timedelta(minutes=30), timedelta(hours=36)


class Span(NamedTuple):
    """The start of a stored row (ms since 1970), and the settled values from then on."""

    from_ms: int
    values: Mapping[Metric, int | None]


class Rate(NamedTuple):
    """Growth from `older`, known at `older_at`, by `growth` > 0 in `elapsed`."""

    older: int
    older_at: datetime
    growth: int
    elapsed: timedelta

    def against(self, n: int, per: timedelta) -> tuple[int, int]:
        """Two integers that compare as the rate does with `n` a `per`: nothing is rounded."""
        return self.growth * (per // timedelta(microseconds=1)), n * (self.elapsed // timedelta(microseconds=1))


def text(spec: RuleSpec) -> str:
    """The number of a `faster` or `slower` rule as an alert names it: `5000/h`."""
    return f"{spec.n}/{next(unit for unit, per in PER.items() if per == spec.per)}"


def rate(trail: Sequence[Span], metric: Metric, current: int, at: datetime) -> Rate | None:
    """The rate that a reading of a higher settled value brings; None where it cannot be judged.

    It is measured from the start of the row nearest to an hour back (of two as near, the older one), 30 minutes to 36 hours back, and
    never across a fall, a `None` or a counting break.

    Args:
        trail: the subject's rows before this reading, oldest first; those that `needed_from` names are enough.
    """
    start = _nearest(trail, to_ms(at))
    if start is None:
        return None
    older_at = from_ms(trail[start].from_ms)
    if breaks.between(metric, older_at, at):
        return None
    values = [span.values.get(metric) for span in trail[start:]]
    below: int | None = 0
    for value in (*values, current):
        if value is None or below is None or value < below:
            return None
        below = value
    older = values[0]
    if older is None or values[-1] == current:
        return None
    return Rate(older, older_at, current - older, at - older_at)


def _nearest(trail: Sequence[Span], at_ms: int) -> int | None:
    def ages() -> Iterator[tuple[timedelta, int]]:
        for index, span in enumerate(trail):
            age = timedelta(milliseconds=at_ms - span.from_ms)
            if NEAREST <= age <= FARTHEST:
                yield abs(age - ABOUT), index

    return min(ages(), default=(ABOUT, None))[1]


def judged(spec: RuleSpec, state: int | None, found: Rate) -> tuple[int | None, bool]:
    """Where a `faster` or `slower` rule stands after this rate, and whether it tells of it.

    A rule is armed by a rate on the other side; once it has told, by one below 80 % (`slower`: above 125 %) of its number.
    """
    assert spec.n is not None and spec.per is not None  # the parser gives both kinds a number and a span
    is_rate, number = found.against(spec.n, spec.per)
    faster = spec.kind is RuleKind.FASTER
    if is_rate >= number if faster else is_rate <= number:
        return (TOLD, True) if state == ARMED else (state, False)
    rearmed = is_rate * 5 < number * 4 if faster else is_rate * 4 > number * 5
    return (ARMED if state is None or rearmed else state), False
