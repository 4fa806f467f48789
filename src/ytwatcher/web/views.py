"""From stored rows to what a template shows; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ytwatcher.core import breaks
from ytwatcher.core.judge import next_number
from ytwatcher.core.model import Absent, Metric, MetricState, RuleKind, SubjectState
from ytwatcher.core.rules import parse_rule
from ytwatcher.store.gallery import MAIN, OTHERS, Before, Row

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPARK = tuple(timedelta(hours=6) * n for n in range(28, -1, -1))
"""How long before the newest reading the points of a sparkline are: a week, every six hours."""
WIDTH, HEIGHT = 112, 22
FARTHEST = 365 * DAY
"""A milestone that is farther away is not foreseen."""
ABSENT = {
    Absent.HIDDEN: "hidden",
    Absent.DISABLED: "turned off",
    Absent.NOT_RETURNED: "–",
    Absent.RECOUNTED: "recounted",
}


class Cell(NamedTuple):
    """A number as it is shown, or why there is none; `waits`: YouTube said something else that waits for a second reading."""

    metric: Metric
    value: int | None
    absent: str
    waits: bool


class Milestone(NamedTuple):
    """The next rung, and how long it takes at the pace of the last day (None: not foreseen)."""

    number: int
    within: timedelta | None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the overview."""

    id: str
    title: str | None
    channel: str | None
    group: str | None
    cells: Sequence[Cell]
    hour: int | None
    day: int | None
    spark: str
    milestone: Milestone | None
    read_at: datetime | None
    vanished_at: datetime | None
    live: bool


def line(row: Row, earlier: Mapping[tuple[int, timedelta], Before]) -> Line:
    """A row with what its main number was earlier (`earlier` is keyed by the subject's key and how long before)."""
    known, state = row.known, row.known.state
    main = MAIN[state.kind]
    own = state.metric(main)
    day = moved(state, main, earlier.get((known.pk, DAY)), DAY)
    return Line(
        state.subject_id,
        state.title,
        known.channel_title,
        row.group,
        [cell(metric, state.metric(metric)) for metric in (main, *OTHERS[state.kind])],
        moved(state, main, earlier.get((known.pk, HOUR)), HOUR),
        day,
        spark([found.value if (found := earlier.get((known.pk, span))) else None for span in SPARK[:-1]] + [own.value]),
        milestone(main, own, day),
        state.newest_at,
        state.presence.vanished_at,
        known.live == "live",
    )


def cell(metric: Metric, state: MetricState) -> Cell:
    return Cell(metric, state.value, ABSENT[state.absent or Absent.NOT_RETURNED], state.wait is not None)


def moved(state: SubjectState, metric: Metric, then: Before | None, span: timedelta) -> int | None:
    """How much it moved since about so long ago; None where that is not known, or where YouTube changed what it counts in between."""
    now, newest_at = state.metric(metric).value, state.newest_at
    if now is None or newest_at is None or then is None or then.value is None:
        return None
    stale = newest_at - then.seen_at > span * 1.5
    return None if stale or breaks.between(metric, then.seen_at, newest_at) else now - then.value


def milestone(metric: Metric, state: MetricState, day: int | None) -> Milestone | None:
    """The next number of the ladder, and when it is reached if all goes on as in the last day."""
    if state.value is None or state.peak is None:
        return None
    first = parse_rule(f"{metric} milestones").n
    number = next_number(RuleKind.MILESTONES, first or 1, state.peak)
    if number is None:
        return None
    within = DAY * ((number - state.value) / day) if day and day > 0 and (number - state.value) / day < FARTHEST / DAY else None
    return Milestone(number, within)


def spark(values: Sequence[int | None]) -> str:
    """The path of a small curve, as wide as `WIDTH` and as high as `HEIGHT`; empty where there is nothing to be seen. Gaps stay gaps."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    path, pen = "", "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        up = (value - low) / (high - low) if high > low else 0.5
        path += f"{pen}{round(place * WIDTH / (len(values) - 1))} {round(1 + (1 - up) * (HEIGHT - 2))}"
        pen = "L"
    return path
