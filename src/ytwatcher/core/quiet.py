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
"""A metric as it is stored: number, grown (in thousandths) in so many ms, peak, supported_at (ms), absent, wait; see `MetricState`.

What is at the end as it usually is is left out: nothing is waited for or absent, the subject's newest reading supported the number, it is
its peak, and no rule asks for its pace."""
GROWN = 1000
AS_USUAL, THERE, ABSENT = 3, 5, 5
"""How long a count is at most whose number is its peak and supported by the newest reading; and one that has a value and waits for nothing;
where it is said why it is absent."""
_METADATA, _VIDEO, _VIEWS = Lane.METADATA, SubjectKind.VIDEO, Metric.VIEWS
_LAST_BREAK_MS = to_ms(breaks.LAST_END)


class Left(NamedTuple):
    """What a quiet reading leaves: whether a count is another than before, the counts as they are stored, their settled values, and when to
    read again."""

    changed: bool
    counts: Mapping[str, Count]
    settled: Mapping[Metric, int | None]
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
    values: Mapping[Metric, Any],
    at_ms: int,
    counts: Mapping[str, Count],
    newest_ms: int,
    rules: Sequence[tuple[int, RuleSpec, int | None]],
    pace: Pace,
) -> Left | None:
    """What a reading leaves that says counts only; None where it is not quiet.

    Args:
        values: what it says of each metric; of a quiet one they are all numbers.
        counts: all that is stored of the video; its newest reading was at `newest_ms`.
        rules: those on the video: key, what it asks, anchor; each has its baseline and is judged here.
    """
    settled = _settled(values, counts, newest_ms)
    if settled is None:
        return None
    changed, after, known = settled
    courses: list[Course] = []
    paces: dict[Metric, tuple[float, float]] = {}
    for _, spec, anchor in rules:
        asked = spec.metric
        if asked is None:
            continue  # availability and title: nothing of them changed
        if asked not in values or spec.kind in RATES:
            return None
        raw, count = values[asked], counts[asked]
        number = count[0]
        peak, supported_ms = _support(count, newest_ms)
        if finds(spec, anchor, number, peak, raw):
            return None
        if asked not in paces:
            grown, seen = count[1:3] or (0, 0)
            paces[asked] = grown, hours = with_growth(grown / GROWN, seen / HOUR_MS, raw - number, (at_ms - supported_ms) / HOUR_MS)
            after[asked] = [raw, round(grown * GROWN), round(hours * HOUR_MS), *after[asked][3:]]
        courses.append((spec, anchor, raw, raw if raw > peak else peak, *paces[asked]))
    return Left(changed, after, known, next_on(courses, pace))


def _settled(
    values: Mapping[Metric, Any], counts: Mapping[str, Count], newest_ms: int
) -> tuple[bool, dict[str, Count], Mapping[Metric, int | None]] | None:
    """What the values of a reading make of the counts, as in `Left`; None where one of them does not settle at once, or not as a count that
    was known."""
    if newest_ms < _LAST_BREAK_MS:
        return None
    after: dict[str, Count] = {}
    changed, known, unread = False, values, 0
    for metric, count in counts.items():
        raw = values.get(metric)  # type: ignore[call-overload]  # metrics are known by their names
        if raw is None:
            unread += 1
            after[metric] = _dated(count, newest_ms)
            known = {**known, Metric(metric): _value(count)}
            continue
        number = peak = count[0]
        if len(count) > AS_USUAL:
            peak, supported_ms = _support(count, newest_ms)
            if len(count) > THERE or number is None or peak is None or supported_ms is None or supported_ms < _LAST_BREAK_MS:
                return None
        if raw.__class__ is not int or not steady(number, raw):
            return None
        if raw > number:
            changed = True
        after[metric] = [raw] if raw >= peak else [raw, 0, 0, peak]
    if len(values) + unread > len(counts):
        return None  # a value is the first of its metric
    return changed, after, known


def _support(count: Count, newest_ms: int) -> tuple[Any, Any]:
    """The peak of a count, and what reading last supported it."""
    if len(count) <= AS_USUAL:
        return count[0], newest_ms
    return count[3], count[4] if len(count) >= THERE else newest_ms


def _dated(count: Count, newest_ms: int) -> Count:
    """A count of which a newer reading than this says nothing."""
    if len(count) >= THERE:
        return count
    return [count[0], *(count[1:3] or (0, 0)), *_support(count, newest_ms)]


def _value(count: Count) -> int | None:
    value: int | None = count[0] if len(count) <= ABSENT or count[ABSENT] is None else None
    return value
