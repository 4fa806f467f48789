"""Where a subject stands, for the terminal and for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ytwatcher.commands.words import age, iso, local
from ytwatcher.core.model import CHANNEL_METRICS, VIDEO_METRICS, SubjectKind
from ytwatcher.standing import Standing


def as_json(one: Standing) -> dict[str, Any]:
    """For programs; times are UTC."""
    numbers = {}
    for metric in VIDEO_METRICS if one.state.kind is SubjectKind.VIDEO else CHANNEL_METRICS:
        state = one.state.metric(metric)
        numbers[str(metric)] = {
            "value": state.value,
            "absent": state.absent,
            "waiting_since": iso(state.wait.since_at) if state.wait else None,
            "raw": one.raw.get(metric, state.value),
            "hour_ago": one.hour_ago.get(metric),
            "day_ago": one.day_ago.get(metric),
            "unchanged_since": iso(one.unchanged.get(metric)),
        }
    return {
        "id": one.state.subject_id,
        "kind": one.state.kind,
        "title": one.state.title,
        "url": one.url,
        "read_at": iso(one.state.newest_at),
        "vanished_at": iso(one.state.presence.vanished_at),
        "numbers": numbers,
    }


def still_text(since: datetime, now: datetime) -> str:
    return f"not changed by YouTube since {local(since)} ({age(since, now)})"
