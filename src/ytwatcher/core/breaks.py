"""Counting breaks: spans in which YouTube changed what a number counts. Nothing is compared across one."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from typing import NamedTuple

from ytwatcher.core.model import Metric


class Break(NamedTuple):
    """Within [start_at, end_at) the metrics settle as `None`; the first value from end_at on is a baseline."""

    metrics: frozenset[Metric]
    start_at: datetime
    end_at: datetime
    why: str


# In their order; two of one metric do not overlap.
BREAKS: tuple[Break, ...] = (
    Break(
        frozenset({Metric.VIEWS, Metric.TOTAL_VIEWS}),
        datetime(2026, 8, 24, tzinfo=UTC),
        datetime(2026, 8, 28, tzinfo=UTC),
        "since August 2026 YouTube counts a view when playback starts, in every format",
    ),
)

_EDGES = {metric: [edge for b in BREAKS if metric in b.metrics for edge in (b.start_at, b.end_at)] for metric in Metric}
_ENDS = {metric: edges[1::2] for metric, edges in _EDGES.items()}


LAST_END = max(b.end_at for b in BREAKS)
"""From then on nothing lies within a break, and none lies between two readings."""


def within(metric: Metric, at: datetime) -> bool:
    """Whether `at` lies in a break of the metric."""
    return bisect_right(_EDGES[metric], at) % 2 == 1


def between(metric: Metric, older_at: datetime, newer_at: datetime) -> bool:
    """Whether a break of the metric lies between two readings, neither of them inside it."""
    ends = _ENDS[metric]
    return bisect_right(ends, older_at) < bisect_right(ends, newer_at)
