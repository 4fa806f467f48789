"""Quiet readings (core/quiet.py) are taken as they are stored: two queries for a batch, a look at each reading, and its rows written."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ytwatcher.core.intervals import Pace, due_ms
from ytwatcher.core.model import VIDEO_METRICS, Absence, Metric, Reading, RuleSpec, SubjectId, SubjectKind, to_ms
from ytwatcher.core.quiet import NO_PACE, Count, Left, left_by, says_counts_only
from ytwatcher.store import readings
from ytwatcher.store.subjects import UPDATE, count_as_stored, count_text, parsed
from ytwatcher.store.watches import RULES_IN_FORCE, spec_on

_COUNTS = frozenset(map(str, VIDEO_METRICS))
_VIDEO = SubjectKind.VIDEO
Rules = Sequence[tuple[int, RuleSpec, int | None]]
"""The rules on a video in the order of their keys: each one's key, what it asks, its anchor."""


class Video(NamedTuple):
    """A watched video that was read before, is there, and of which no reading is wanted; times in ms."""

    pk: int
    newest_at: int
    published_at: int | None
    counts: Mapping[Metric, Count]


def take(con: sqlite3.Connection, observations: Sequence[Reading | Absence], latest: datetime, pace: Pace) -> list[Reading | Absence]:
    """Store the quiet readings among these; returns the other observations, in their order.

    Where a batch has several of one video, they are all left: each changes what the next is compared with.
    """
    videos = _videos(con, (one for one, times in Counter([one.subject_id for one in observations]).items() if times == 1))
    rules = _rules(con, [video.pk for video in videos.values()])
    rest: list[Reading | Absence] = []
    subject_rows: list[tuple[object, ...]] = []
    reading_rows: list[tuple[int, int, bool, tuple[int | None, ...]]] = []
    for one in observations:
        video, at = videos.get(one.subject_id), to_ms(one.observed_at)
        if video is None or not isinstance(one, Reading) or at <= video.newest_at or one.observed_at > latest:
            rest.append(one)
            continue
        left = _left_by(one, at, video, rules.get(video.pk, ()), pace)
        if left is None:
            rest.append(one)
            continue
        following, counts, values = left.following, video.counts, one.values
        text = _state(counts, values, at, left.paces)
        subject_rows.append((at, text, following.near, at, due_ms(at, following, pace), following.step, video.pk))
        reading_rows.append((video.pk, at, left.changed, _settled(counts, values)))
    con.executemany(UPDATE, subject_rows)
    readings.add_settled(con, reading_rows)
    return rest


def _videos(con: sqlite3.Connection, ids: Iterable[SubjectId]) -> dict[SubjectId, Video]:
    # Told to begin with the ids, as in subjects.load.
    rows = con.execute(
        "SELECT id, state, pk, newest_at, published_at FROM (SELECT value AS asked FROM json_each(?)) CROSS JOIN subject ON id = asked"
        " WHERE watched = 1 AND kind = 'video' AND newest_at IS NOT NULL AND wanted_at IS NULL",
        (json.dumps(list(ids)),),
    )
    rows.row_factory = None
    found = rows.fetchall()
    states = parsed(row[1] for row in found)
    return {row[0]: Video(row[2], row[3], row[4], state) for row, state in zip(found, states, strict=True) if state.keys() <= _COUNTS}


def _rules(con: sqlite3.Connection, subject_pks: Sequence[int]) -> dict[int, Rules | None]:
    """The rules in force on these videos, with their anchors; None where one has no baseline yet, or an engine judges it."""
    found: dict[int, list[tuple[int, RuleSpec, int | None]]] = defaultdict(list)
    unjudged = set()
    rows = con.execute(
        f"SELECT m.subject_pk, r.pk, r.line, s.anchor, s.since_at IS NOT NULL AND s.engine_since IS NULL {RULES_IN_FORCE}",
        (json.dumps(subject_pks),),
    )
    rows.row_factory = None
    for subject_pk, pk, line, anchor, judged in rows:
        spec = spec_on(line, _VIDEO)
        if spec is not None:
            found[subject_pk].append((pk, spec, anchor))
            if not judged:
                unjudged.add(subject_pk)
    for rules in found.values():
        if len(rules) > 1:
            rules.sort()  # by their keys
    return {**found, **dict.fromkeys(unjudged)}


def _left_by(reading: Reading, at: int, video: Video, rules: Rules | None, pace: Pace) -> Left | None:
    if rules is None or not says_counts_only(reading, video.published_at):
        return None
    return left_by(reading.values, at, video.counts, rules, pace)


def _state(counts: Mapping[Metric, Count], values: Mapping[Metric, Any], at: int, paces: Mapping[Metric, tuple[float, float]]) -> str:
    """The counts of a video as they are stored after a quiet reading."""
    parts = []
    for metric, count in counts.items():
        if metric not in values:
            parts.append(count_as_stored(metric, count))
            continue
        raw, peak = values[metric], count[3]
        grown, hours = paces.get(metric, NO_PACE)
        parts.append(count_text(metric, raw, at, raw if raw > peak else peak, grown, hours))
    return f"{{{','.join(parts)}}}"


def _settled(counts: Mapping[Metric, Count], values: Mapping[Metric, Any]) -> tuple[int | None, ...]:
    """The settled values after a quiet reading."""
    return tuple([values[metric] if metric in values else _value(counts.get(metric)) for metric in VIDEO_METRICS])


def _value(count: Count | None) -> int | None:
    value: int | None = None if count is None or count[1] is not None else count[0]
    return value
