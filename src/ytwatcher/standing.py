"""Where a subject stands: its settled numbers with their reasons, how they moved, and since when YouTube has not changed them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ytwatcher.core import breaks
from ytwatcher.core.model import CHANNEL_METRICS, VIDEO_METRICS, Metric, SubjectKind, SubjectState
from ytwatcher.core.targets import channel_url, video_url
from ytwatcher.store import readings
from ytwatcher.store.readings import Point
from ytwatcher.store.subjects import Known

WAITS = "waits for a second reading"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STILL = HOUR
"""A count that stood still for longer is worth a word."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One subject. `raw` holds what YouTube said last where that is not the settled value."""

    state: SubjectState
    raw: dict[str, int | str]
    unchanged: dict[Metric, datetime]
    hour_ago: dict[Metric, int]
    day_ago: dict[Metric, int]

    @property
    def url(self) -> str:
        named = self.state.subject_id
        return video_url(named) if self.state.kind is SubjectKind.VIDEO else channel_url(named)  # type: ignore[arg-type]  # by its kind

    @property
    def metrics(self) -> Sequence[Metric]:
        """Those of its kind; favorites, which are 0 for everybody, only where they are not."""
        kind = VIDEO_METRICS if self.state.kind is SubjectKind.VIDEO else CHANNEL_METRICS
        return [metric for metric in kind if metric is not Metric.FAVORITES or self.state.metric(metric).value]

    def moved(self, metric: Metric, before: dict[Metric, int]) -> int | None:
        """The difference to an earlier value; None where either is not known."""
        now = self.state.metric(metric).value
        return None if now is None or metric not in before else now - before[metric]

    def waits(self, metric: Metric) -> str | None:
        """What waits for a second reading, with what YouTube said."""
        if self.state.metric(metric).wait is None:
            return None
        raw = self.raw.get(metric)
        said = f"{raw:,}" if isinstance(raw, int) else raw
        return WAITS if said is None else f"{WAITS} (raw {said})"

    def still_since(self, metric: Metric) -> datetime | None:
        """Since when YouTube has not changed the count, where that is long."""
        since, newest_at = self.unchanged.get(metric), self.state.newest_at
        return since if since is not None and newest_at is not None and newest_at - since > STILL else None


def standing(con: sqlite3.Connection, known: Known) -> Standing:
    """Read from the journal where the subject stands."""
    state = known.state
    newest_at = state.newest_at
    points = readings.history(con, state.subject_id, since=newest_at - DAY * 1.5) if newest_at else []
    raw = points[-1].raw if points else {}
    unchanged = readings.unchanged_since(con, state.subject_id)
    return Standing(state, raw, unchanged, _before(points, HOUR), _before(points, DAY))


def _before(points: Sequence[Point], span: timedelta) -> dict[Metric, int]:
    """The values that were in force about `span` before the newest reading (up to half of it longer), not across a counting break."""
    if not points:
        return {}
    newest_at = points[-1].to_at
    at = newest_at - span
    point = next((p for p in reversed(points) if p.from_at <= at and at - p.to_at <= span / 2), None)
    if point is None:
        return {}
    seen_at = min(point.to_at, at)
    return {m: v for m, v in point.values.items() if v is not None and not breaks.between(m, seen_at, newest_at)}
