"""What charts are drawn from: the readings of what a recipient watches, the alerts told about it, and how it wants its pictures."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.model import Metric, RuleKind, SubjectId, SubjectKind, TargetKind, from_ms, to_ms
from ytwatcher.store.readings import COLUMNS
from ytwatcher.store.recipients import current


class Wishes(NamedTuple):
    """How a recipient wants its pictures: on a dark background, and with its alerts."""

    dark: bool = False
    with_alerts: bool = False


class Drawable(NamedTuple):
    """A subject that a line can be drawn of, with the newest settled value of the metric asked for."""

    pk: int
    id: SubjectId
    title: str | None
    newest: int | None


class Named(NamedTuple):
    """Something watched, as a person may name it: a target, or a video of one."""

    id: str
    kind: TargetKind
    title: str | None
    handle: str | None


class Told(NamedTuple):
    """An alert that a recipient was told."""

    at: datetime
    kind: RuleKind
    mark: int | None


_WATCHED = (
    " FROM watch w JOIN recipient c ON c.pk = w.recipient_pk JOIN target t ON t.pk = w.target_pk"
    " JOIN member m ON m.target_pk = t.pk AND m.left_at IS NULL JOIN subject s ON s.pk = m.subject_pk"
    " WHERE (?1 IS NULL OR c.address = ?1)"
)


def wishes(con: sqlite3.Connection, address: str) -> Wishes:
    row = con.execute("SELECT dark, pictures FROM recipient WHERE address = ?", (current(con, address),)).fetchone()
    return Wishes() if row is None else Wishes(bool(row[0]), bool(row[1]))


def save_wishes(con: sqlite3.Connection, recipient_pk: int, wanted: Wishes) -> None:
    con.execute("UPDATE recipient SET dark = ?, pictures = ? WHERE pk = ?", (wanted.dark, wanted.with_alerts, recipient_pk))


def drawable(con: sqlite3.Connection, about: str, kind: SubjectKind, metric: Metric, address: str | None) -> list[Drawable]:
    """The subjects of a kind that an id names, itself or as a target that holds them, among what the recipient watches (None: anybody);
    the largest first."""
    rows = con.execute(
        f"SELECT DISTINCT s.pk, s.id, s.title, json_extract(s.state, ?4) AS newest{_WATCHED}"
        " AND (t.id = ?2 OR s.id = ?2) AND s.kind = ?3 ORDER BY newest DESC, s.pk",
        (None if address is None else current(con, address), about, kind, f'$."{metric}"[0]'),
    )
    return [Drawable(*row) for row in rows]


def named(con: sqlite3.Connection, address: str | None) -> list[Named]:
    """All that a recipient watches (None: all that is watched): targets in the order they were added."""
    rows = con.execute(
        "SELECT DISTINCT t.id, t.kind, t.title, t.handle FROM watch w JOIN recipient c ON c.pk = w.recipient_pk"
        " JOIN target t ON t.pk = w.target_pk WHERE ?1 IS NULL OR c.address = ?1 ORDER BY w.pk",
        (None if address is None else current(con, address),),
    )
    return [Named(row[0], TargetKind(row[1]), row[2], row[3]) for row in rows]


def videos(con: sqlite3.Connection, address: str | None, subject_id: str, title: str) -> list[Named]:
    """The videos among what a recipient watches of this id, or of this exact title without regard to ASCII case; ten at most."""
    rows = con.execute(
        f"SELECT DISTINCT s.id, s.title{_WATCHED} AND s.kind = 'video' AND (s.id = ?2 OR s.title = ?3 COLLATE NOCASE) LIMIT 10",
        (None if address is None else current(con, address), subject_id, title),
    )
    return [Named(row[0], TargetKind.VIDEO, row[1], None) for row in rows]


def line(con: sqlite3.Connection, subject_pk: int, metric: Metric, since: datetime) -> list[tuple[int, int, int | None]]:
    """The stored spans that reach into the time from `since` on, oldest first: from, to (ms), settled value."""
    return con.execute(
        f"SELECT from_at, to_at, {COLUMNS[metric]} FROM reading WHERE subject_pk = ?1 AND to_at >= ?2"  # noqa: S608 - own names
        " AND from_at >= coalesce((SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = ?1 AND x.from_at <= ?2), ?2)"
        " ORDER BY from_at",
        (subject_pk, to_ms(since)),
    ).fetchall()


def told(con: sqlite3.Connection, address: str, ids: Sequence[SubjectId], metric: Metric, since: datetime, most: int) -> list[Told]:
    """The newest alerts about a metric of these subjects, and about their titles, that the recipient was told; newest first."""
    rows = con.execute(
        "SELECT a.observed_at, a.kind, a.mark FROM alert a JOIN recipient c ON c.pk = a.recipient_pk"
        " WHERE c.address = ? AND a.state = 'message' AND a.observed_at >= ? AND (a.metric = ? OR a.kind = 'title')"
        " AND a.subject_id IN (SELECT value FROM json_each(?)) ORDER BY a.observed_at DESC LIMIT ?",
        (current(con, address), to_ms(since), metric, json.dumps(list(ids)), most),
    )
    return [Told(from_ms(row[0]), RuleKind(row[1]), row[2]) for row in rows]
