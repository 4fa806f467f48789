"""A curve of eight block levels on one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core import breaks
from ytwatcher.core.model import Metric

LEVELS = "▁▂▃▄▅▆▇█"
GAP, BREAK = " ", "┊"


class Stretch(NamedTuple):
    """A time in which a metric had one settled value; None: it is not known."""

    from_at: datetime
    to_at: datetime
    value: int | None


def sparkline(stretches: Sequence[Stretch], metric: Metric, width: int) -> str:
    """The metric over the time of the stretches (oldest first, at least one), at most `width` characters: a blank where it is not known,
    a bar at a counting break.

    The characters stand for instants that are equally far apart, the first and the last included; each shows the value in force.
    """
    start_at, end_at = stretches[0].from_at, stretches[-1].to_at
    step = (end_at - start_at) / (width - 1)
    times = [*(start_at + step * n for n in range(width - 1)), end_at] if step else [end_at]
    values = [in_force(stretches, at) for at in times]
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    signs, previous_at = [], start_at
    for at, value in zip(times, values, strict=True):
        signs.append(BREAK if breaks.between(metric, previous_at, at) else _sign(value, low, high))
        previous_at = at
    return "".join(signs)


def in_force(stretches: Sequence[Stretch], at: datetime) -> int | None:
    """The value that was the newest one at an instant; None: it was not known, or that is not."""
    return next((one.value for one in reversed(stretches) if one.from_at <= at), None)


def _sign(value: int | None, low: int, high: int) -> str:
    if value is None:
        return GAP
    return LEVELS[(value - low) * (len(LEVELS) - 1) // (high - low)] if high > low else LEVELS[0]
