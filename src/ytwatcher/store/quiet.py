"""Quiet readings (core/quiet.py) are taken as they are stored: two queries for a batch, a look at each reading, and its rows written."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.intervals import Pace, due_ms
from ytwatcher.core.model import VIDEO_METRICS, Absence, Reading, RuleSpec, SubjectId, SubjectKind, to_ms
from ytwatcher.core.quiet import Count, Left, left_by, says_counts_only
from ytwatcher.store import many, readings
from ytwatcher.store.subjects import UPDATE, parsed, state_text
from ytwatcher.store.watches import RULES_IN_FORCE, spec_on

_VIDEO = SubjectKind.VIDEO
Rules = Sequence[tuple[int, RuleSpec, int | None]]
"""The rules on a video in the order of their keys: each one's key, what it asks, its anchor."""


class Video(NamedTuple):
    """A watched video that was read before, is there, and of which no reading is wanted; times in ms."""

    pk: int
    newest_at: int
    published_at: int | None
    counts: Mapping[str, Count]


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
        video = videos.get(one.subject_id)
        left = None if video is None or one.observed_at > latest else _left_by(one, video, rules.get(video.pk, ()), pace)
        if video is None or left is None:
            rest.append(one)
            continue
        at, following = to_ms(one.observed_at), left.following
        subject_rows.append((state_text(left.counts), at, int(following.near), at, due_ms(at, following, pace), following.step, video.pk))
        reading_rows.append((video.pk, at, left.changed, tuple(map(left.settled.get, VIDEO_METRICS))))
    many.run(con, UPDATE, subject_rows)
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
    return {row[0]: Video(row[2], row[3], row[4], state) for row, state in zip(found, states, strict=True) if "presence" not in state}


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


def _left_by(one: Reading | Absence, video: Video, rules: Rules | None, pace: Pace) -> Left | None:
    if rules is None or not isinstance(one, Reading) or not says_counts_only(one, video.published_at):
        return None
    at = to_ms(one.observed_at)
    return left_by(one.values, at, video.counts, video.newest_at, rules, pace) if at > video.newest_at else None
