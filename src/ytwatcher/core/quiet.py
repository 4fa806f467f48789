"""Quiet readings: most say no more than that every count grew a little, and no rule finds anything in it.

What becomes of such a reading follows from a few comparisons: every value settles at once (core/settle.py), no rule tells or moves
(core/judge.py), and what is left is the new counts, their pace and when to read again (core/intervals.py). So they are looked at in the
form in which the journal keeps them (store/quiet.py), and no state, step or outcome is made that nobody asks for.

A reading is quiet when all of this holds:

- it says nothing but counts, of a video that is known to be there, and nothing else was wanted of it;
- each count is known, waits for nothing, was last supported after the last counting break, and is at least the settled value and by no
  more than half above it: such a value settles whatever else is known;
- each rule on the video has its baseline, is judged here, and asks for something that did not change or for a count of this reading in
  which it finds nothing. A rule on a rate looks at more than two values, so it is never quiet.

Any other reading takes the long way (pipeline.py), which would come to the same for a quiet one, to the last byte: a property that is
tested. Nothing is kept from one reading to the next: the rules are looked at as they are now, so whatever changes them need tell nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ytwatcher.core import breaks
from ytwatcher.core.intervals import HOUR_MS, Course, Next, Pace, next_on, with_growth
from ytwatcher.core.judge import finds
from ytwatcher.core.model import Lane, Metric, Reading, RuleSpec, SubjectKind, to_ms
from ytwatcher.core.rates import RATES
from ytwatcher.core.settle import steady

Count = Sequence[Any]
"""A metric as it is stored: number, absent, supported_at (ms), peak, wait, and where they are known grown and hours; see `MetricState`."""
_METADATA, _VIDEO, _VIEWS = Lane.METADATA, SubjectKind.VIDEO, Metric.VIEWS
NO_PACE = (0.0, 0.0)
_LAST_BREAK_MS = to_ms(breaks.LAST_END)


class Left(NamedTuple):
    """What a quiet reading leaves: whether a count is another than before, the pace (grown, hours) of those that rules ask for, and when
    to read again."""

    changed: bool
    paces: Mapping[Metric, tuple[float, float]]
    following: Next


def says_counts_only(reading: Reading, published_ms: int | None) -> bool:
    """Whether a reading has nothing in it but counts of a video, the views among them, and a publication that is known."""
    return (
        reading.lane is not _METADATA
        and reading.kind is _VIDEO
        and _VIEWS in reading.values
        and not (reading.title or reading.channel_id or reading.channel_title or reading.live)
        and reading.description is None
        and (reading.published_at is None or to_ms(reading.published_at) == published_ms)
    )


def left_by(
    values: Mapping[Metric, Any], at_ms: int, counts: Mapping[Metric, Count], rules: Sequence[tuple[int, RuleSpec, int | None]], pace: Pace
) -> Left | None:
    """What a reading leaves that says counts only; None where it is not quiet.

    Args:
        values: what it says of each metric; of a quiet one they are all numbers.
        counts: all that is stored of the video.
        rules: those on the video: key, what it asks, anchor; each has its baseline and is judged here.
    """
    changed = _grew(values, counts)
    if changed is None:
        return None
    paces: dict[Metric, tuple[float, float]] = {}
    courses = []
    for _, spec, anchor in rules:
        asked = spec.metric
        if asked is None:
            continue  # availability and title: nothing of them changed
        if asked not in values or spec.kind in RATES:
            return None
        raw, count = values[asked], counts[asked]
        number, peak = count[0], count[3]
        if finds(spec, anchor, number, peak, raw):
            return None
        if asked not in paces:
            grown, hours = count[5:] or NO_PACE
            paces[asked] = with_growth(grown, hours, raw - number, (at_ms - count[2]) / HOUR_MS)
        courses.append(Course(spec, anchor, raw, raw if raw > peak else peak, *paces[asked]))
    return Left(changed, paces, next_on(courses, pace))


def _grew(values: Mapping[Metric, Any], counts: Mapping[Metric, Count]) -> bool | None:
    """Whether a value is above the settled one; None where one of them does not settle at once, or not as a count that was known."""
    grew = False
    for metric, raw in values.items():
        count = counts.get(metric)
        if count is None or raw.__class__ is not int:
            return None
        number, absent, supported_ms, peak, wait = count[:5]
        if number is None or peak is None or absent is not None or wait is not None:
            return None
        if supported_ms is None or supported_ms < _LAST_BREAK_MS or not steady(number, raw):
            return None
        grew |= raw > number
    return grew
