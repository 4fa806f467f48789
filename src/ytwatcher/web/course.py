"""Charts of the pages: stored spans become lines of at most so many points, with marks; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from ytwatcher.charts import Mark, MarkKind, Point, Series, human, rates
from ytwatcher.core import breaks
from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import Metric, RuleKind, from_ms, to_ms
from ytwatcher.store.dossier import Told

MOST_POINTS, MOST_MARKS = 1_200, 12
RATE_STEPS = 200
"""Into so many steps the time is cut where rates are shown: between neighbours they would show only when YouTube counts."""
Span = tuple[int, int, int | None]
"""From, to (ms), value."""
_Place = tuple[int, int | None]


def course(spans: Iterable[Span], metric: Metric, since: datetime, most: int) -> list[Point]:
    """The line of one subject: the ends of its spans, thinned without losing a peak or a gap, parted where YouTube changed what it counts.

    It works on milliseconds and makes instants only of what is left: there may be tens of thousands.
    """
    start = to_ms(since)
    places: list[_Place] = []
    for first, last, value in spans:
        places.append((max(first, start), value))
        if last > first:
            places.append((max(last, start), value))
    return list(_parted([Point(from_ms(at), value) for at, value in _thinned(places, most)], metric))


def paces(points: Sequence[Point], since: datetime, until: datetime) -> list[Point]:
    """The growth per hour, measured between points that are at least a step of the time shown apart."""
    step = (until - since) / RATE_STEPS
    chosen: list[Point] = []
    for point in points:
        if point.value is None or not chosen or chosen[-1].value is None or point.at - chosen[-1].at >= step:
            chosen.append(point)
    return rates(chosen)


def marks(told: Iterable[Told], metric: Metric, since: datetime, until: datetime) -> list[Mark]:
    """What happened in the time shown: the newest alerts about the metric, new titles, and counting breaks."""
    found = [Mark(b.end_at, MarkKind.BREAK, "counted anew") for b in breaks.BREAKS if metric in b.metrics and since <= b.end_at <= until]
    seen: dict[tuple[datetime, str], Mark] = {}
    for one in told:
        if since <= one.at <= until and (one.metric is metric or one.kind is RuleKind.TITLE):
            mark = _mark(one)
            seen.setdefault((mark.at, mark.text), mark)
    return found + list(seen.values())[:MOST_MARKS]


def named(lines: Iterable[tuple[str, str, Sequence[Point]]]) -> list[Series]:
    """Lines (id, title, points) under names that are told apart."""
    found: list[Series] = []
    for subject_id, title, points in lines:
        name = clean(title) or subject_id
        found.append(Series(f"{name} ({subject_id})" if any(one.name == name for one in found) else name, points))
    return found


def _mark(one: Told) -> Mark:
    if one.kind is RuleKind.TITLE:
        return Mark(one.at, MarkKind.TITLE, "new title")
    return Mark(one.at, MarkKind.ALERT, human(one.mark) if one.mark is not None else one.kind.value)


def _thinned(places: Sequence[_Place], most: int) -> Sequence[_Place]:
    """Of every stretch of equal count its first, lowest, highest and last place, and the first unknown one."""
    if len(places) <= most:
        return places
    size = -(-len(places) * 4 // most)
    kept: list[_Place] = []
    for start in range(0, len(places), size):
        stretch = places[start : start + size]
        known = [place for place in stretch if place[1] is not None]
        extremes = [min(known, key=itemgetter(1)), max(known, key=itemgetter(1))] if known else []
        gaps = [place for place in stretch if place[1] is None][:1] if len(known) < len(stretch) else []
        kept += sorted({stretch[0], stretch[-1], *extremes, *gaps}, key=itemgetter(0))
    return kept


def _parted(points: Sequence[Point], metric: Metric) -> Iterable[Point]:
    before: Point | None = None
    for point in points:
        if before is not None and breaks.between(metric, before.at, point.at):
            yield Point(before.at + timedelta(milliseconds=1), None)
        yield point
        before = point
