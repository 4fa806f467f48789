"""All about one subject: its targets and rules, what was told about it, and what YouTube said beside the settled values."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.model import Metric, RuleKind, SubjectId, SubjectKind, TargetKind, from_ms, to_ms
from ytwatcher.core.rules import applies_to
from ytwatcher.store.readings import COLUMNS as READINGS
from ytwatcher.store.readings import Point
from ytwatcher.store.subjects import COLUMNS, Known, known_of
from ytwatcher.store.watches import StoredRule, spec_of


class Place(NamedTuple):
    """A target that holds the subject, with who watches it."""

    id: str
    kind: TargetKind
    title: str | None
    addresses: tuple[str, ...]


class Told(NamedTuple):
    """An alert about the subject. `state` is that of the alert, or of the message that it is in."""

    at: datetime
    kind: RuleKind
    metric: Metric | None
    previous: int | None
    current: int | None
    mark: int | None
    facts: tuple[str, ...]
    line: str | None
    rule_id: str | None
    address: str
    state: str
    reason: str | None
    sent_at: datetime | None


class Remark(NamedTuple):
    """A span in which YouTube said something else than the settled values."""

    from_at: datetime
    to_at: datetime
    raw: Mapping[str, int | str]


def find(con: sqlite3.Connection, subject_id: str) -> Known | None:
    """The watched subject of this id."""
    row = con.execute(f"SELECT {COLUMNS} FROM subject WHERE watched = 1 AND id = ?", (subject_id,)).fetchone()  # noqa: S608 - own names
    return known_of(tuple(row)) if row else None


def places(con: sqlite3.Connection, pk: int) -> list[Place]:
    """The watched targets that hold the subject."""
    rows = con.execute(
        "SELECT t.id, t.kind, t.title, json_group_array(c.address) FROM member m JOIN target t ON t.pk = m.target_pk"
        " JOIN watch w ON w.target_pk = t.pk JOIN recipient c ON c.pk = w.recipient_pk"
        " WHERE m.subject_pk = ? AND m.left_at IS NULL GROUP BY t.pk ORDER BY t.pk",
        (pk,),
    )
    return [Place(row[0], TargetKind(row[1]), row[2], tuple(json.loads(row[3]))) for row in rows]


def rules(con: sqlite3.Connection, pk: int, kind: SubjectKind) -> list[StoredRule]:
    """The rules in force that are judged on the subject."""
    rows = con.execute(
        "SELECT r.id, r.line, t.id AS target_id, t.kind, t.title, c.address, r.made_at FROM member m"
        " JOIN rule r ON r.target_pk = m.target_pk AND r.until_at IS NULL JOIN target t ON t.pk = r.target_pk"
        " JOIN recipient c ON c.pk = r.recipient_pk WHERE m.subject_pk = ? AND m.left_at IS NULL ORDER BY r.pk",
        (pk,),
    )
    found = [
        StoredRule(rule_id, line, target_id, TargetKind(target_kind), title, address, from_ms(made_at))
        for rule_id, line, target_id, target_kind, title, address, made_at in rows
    ]
    return [rule for rule in found if applies_to(spec_of(rule.line), kind) or rule.spec.kind is RuleKind.NEW]


def told(con: sqlite3.Connection, subject_id: str, most: int, since: datetime | None = None) -> list[Told]:
    """The newest alerts about the subject, newest first, whatever became of them."""
    rows = con.execute(
        "SELECT a.observed_at, a.kind, a.metric, a.previous, a.current, a.mark, a.facts, r.line, a.rule_id, c.address,"
        " CASE a.state WHEN 'message' THEN m.state ELSE a.state END AS fate,"
        " CASE a.state WHEN 'message' THEN m.last_error ELSE a.reason END AS why,"
        " m.sent_at FROM alert a JOIN recipient c ON c.pk = a.recipient_pk LEFT JOIN rule r ON r.id = a.rule_id"
        " LEFT JOIN message m ON m.pk = a.message_pk AND a.state = 'message'"
        " WHERE a.rule_id IN (SELECT x.id FROM rule x JOIN member y ON y.target_pk = x.target_pk JOIN subject s ON s.pk = y.subject_pk"
        " WHERE s.id = ?1) AND a.subject_id = ?1 AND a.observed_at >= ?2 ORDER BY a.observed_at DESC, a.pk DESC LIMIT ?3",
        (subject_id, to_ms(since) if since else 0, most),
    )
    return [
        Told(
            from_ms(row["observed_at"]),
            RuleKind(row["kind"]),
            Metric(row["metric"]) if row["metric"] else None,
            row["previous"],
            row["current"],
            row["mark"],
            tuple(json.loads(row["facts"])) if row["facts"] else (),
            row["line"],
            row["rule_id"],
            row["address"],
            row["fate"],
            row["why"],
            from_ms(row["sent_at"]) if row["sent_at"] is not None else None,
        )
        for row in rows
    ]


def remarks(con: sqlite3.Connection, pk: int, most: int) -> list[Remark]:
    """The newest spans in which YouTube said something else than the settled values, newest first."""
    rows = con.execute(
        "SELECT from_at, to_at, raw FROM reading WHERE subject_pk = ? AND raw IS NOT NULL ORDER BY from_at DESC LIMIT ?", (pk, most)
    )
    return [Remark(from_ms(row[0]), from_ms(row[1]), json.loads(row[2])) for row in rows]


def rows(con: sqlite3.Connection, pk: int, offset: int, most: int) -> list[Point]:
    """So many rows of readings from `offset` on, newest first."""
    names = ", ".join(READINGS.values())
    found = con.execute(
        f"SELECT from_at, to_at, {names}, raw FROM reading WHERE subject_pk = ? ORDER BY from_at DESC LIMIT ? OFFSET ?",  # noqa: S608 - own names
        (pk, most, offset),
    )
    return [
        Point(from_ms(row[0]), from_ms(row[1]), dict(zip(READINGS, row[2:-1], strict=True)), json.loads(row[-1]) if row[-1] else {})
        for row in found
    ]


def counted(con: sqlite3.Connection, pk: int) -> int:
    """How many rows of readings there are."""
    return int(con.execute("SELECT count(*) FROM reading WHERE subject_pk = ?", (pk,)).fetchone()[0])


def known_id(con: sqlite3.Connection, subject_id: str) -> SubjectId | None:
    """The id, where it is that of a watched video."""
    row = con.execute("SELECT id FROM subject WHERE watched = 1 AND kind = 'video' AND id = ?", (subject_id,)).fetchone()
    return SubjectId(row[0]) if row else None
