"""Targets, their members, and the watches and rules that recipients have on them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from ytwatcher.core.model import UNKNOWN, Alert, Rule, RuleId, RuleKind, RuleSpec, RuleState, SubjectKind, TargetKind, from_ms, to_ms
from ytwatcher.core.rules import applies_to, parse_rule
from ytwatcher.core.schedule import Listing
from ytwatcher.core.targets import HandleRef, TargetRef
from ytwatcher.store import many
from ytwatcher.store.subjects import at_or_none, decode_state, ms_or_none

ENTRIES_PER_PAGE = 50

spec_of = lru_cache(maxsize=4096)(parse_rule)
"""A stored line's rule; lines repeat across watches and batches."""


@lru_cache(maxsize=4096)
def spec_on(line: str, kind: SubjectKind) -> RuleSpec | None:
    """A stored line's rule, where it is judged on readings of such a subject."""
    spec = spec_of(line)
    return spec if applies_to(spec, kind) else None


@dataclass(frozen=True, slots=True)
class Target:
    """What a person named, as stored. `list_id` is the playlist that holds its videos; `handle` is a channel's, case-folded."""

    pk: int
    id: str
    kind: TargetKind
    title: str | None
    list_id: str | None
    newest_first: bool
    listed_at: datetime | None
    completed_at: datetime | None
    wanted_at: datetime | None
    fault: str | None
    handle: str | None


@dataclass(slots=True)
class RuleRow:
    """One rule on one subject, with where its alerts go; from `engine_since` on (ms) an engine judges it there."""

    pk: int
    rule: Rule
    recipient_pk: int
    target_pk: int
    engine_since: int | None = None


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule as a person made it."""

    id: str
    line: str
    target_id: str
    target_kind: TargetKind
    target_title: str | None
    address: str
    made_at: datetime

    @property
    def spec(self) -> RuleSpec:
        return spec_of(self.line)


def ensure_target(
    con: sqlite3.Connection,
    target_id: str,
    kind: TargetKind,
    title: str | None,
    list_id: str | None,
    newest_first: bool,
    now: datetime,
    *,
    handle: str | None = None,
) -> int:
    """The target's key; made when it is new. A channel or playlist wants to be listed at once."""
    folded = handle.casefold() if handle else None
    con.execute("UPDATE target SET handle = NULL WHERE handle = ? AND id <> ?", (folded, target_id))  # that channel gave it up
    con.execute(
        "INSERT INTO target (id, kind, title, list_id, newest_first, added_at, wanted_at, handle) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET title = coalesce(excluded.title, title), wanted_at = excluded.wanted_at, fault = NULL,"
        " handle = coalesce(excluded.handle, handle)",
        (target_id, kind, title, list_id, newest_first, to_ms(now), to_ms(now), folded),
    )
    return int(con.execute("SELECT pk FROM target WHERE id = ?", (target_id,)).fetchone()[0])


def targets(con: sqlite3.Connection) -> list[Target]:
    """Every target with a watch, in the order they were added."""
    rows = con.execute("SELECT * FROM target WHERE pk IN (SELECT target_pk FROM watch) ORDER BY pk")
    return [_target(row) for row in rows]


def named(con: sqlite3.Connection, text: str, ref: TargetRef | None) -> list[Target]:
    """The watched targets of this exact title, or that the text names as parsed (`ref`): by id, or by a handle that is known here."""
    target_id = getattr(ref, "id", None)
    handle = ref.handle.casefold() if isinstance(ref, HandleRef) else None
    found = [
        target
        for target in targets(con)
        if target.title == text or target.id == target_id or (handle is not None and target.handle == handle)
    ]
    return sorted(found, key=lambda target: target.id != target_id)  # a title may look like another's id


def watches(con: sqlite3.Connection) -> list[tuple[Target, str]]:
    """Every watch, in the order they were made: what is watched, and the address that is told."""
    rows = con.execute(
        "SELECT t.*, c.address FROM watch w JOIN target t ON t.pk = w.target_pk JOIN recipient c ON c.pk = w.recipient_pk ORDER BY w.pk"
    )
    return [(_target(row), row["address"]) for row in rows]


def find_target(con: sqlite3.Connection, target_id: str) -> Target | None:
    row = con.execute("SELECT * FROM target WHERE id = ?", (target_id,)).fetchone()
    return _target(row) if row else None


def _target(row: sqlite3.Row) -> Target:
    listed_at, completed_at, wanted_at = (
        from_ms(row[c]) if row[c] is not None else None for c in ("listed_at", "completed_at", "wanted_at")
    )
    return Target(
        row["pk"],
        row["id"],
        TargetKind(row["kind"]),
        row["title"],
        row["list_id"],
        bool(row["newest_first"]),
        listed_at,
        completed_at,
        wanted_at,
        row["fault"],
        row["handle"],
    )


def listings(con: sqlite3.Connection) -> list[Listing]:
    """The watched lists as the plan sees them; a list has as many pages as its known members fill."""
    rows = con.execute(
        "SELECT t.id, t.newest_first, t.listed_at, t.completed_at, t.wanted_at, t.fault, count(m.subject_pk) AS members FROM target t"
        " LEFT JOIN member m ON m.target_pk = t.pk AND m.left_at IS NULL"
        " WHERE t.list_id IS NOT NULL AND t.pk IN (SELECT target_pk FROM watch) GROUP BY t.pk"
    )
    return [
        Listing(
            row["id"],
            bool(row["newest_first"]),
            max(1, -(-row["members"] // ENTRIES_PER_PAGE)),
            row["listed_at"],
            row["completed_at"],
            row["wanted_at"],
            row["fault"] is not None,
        )
        for row in rows
    ]


def mark_fault(con: sqlite3.Connection, target_pk: int, fault: str | None, now: datetime) -> None:
    """Note why a target's list cannot be read at present (None: it can)."""
    con.execute("UPDATE target SET fault = ?, listed_at = ?, wanted_at = NULL WHERE pk = ?", (fault, to_ms(now), target_pk))


@dataclass(slots=True)
class Member:
    """A subject's place in a target."""

    subject_pk: int
    subject_id: str
    kind: SubjectKind
    missing_at: datetime | None
    left_at: datetime | None


def members(con: sqlite3.Connection, target_pk: int) -> dict[str, Member]:
    """All that ever were in the target, by subject id."""
    rows = con.execute(
        "SELECT s.pk, s.id, s.kind, m.missing_at, m.left_at FROM member m JOIN subject s ON s.pk = m.subject_pk WHERE m.target_pk = ?",
        (target_pk,),
    )
    return {
        row["id"]: Member(
            row["pk"],
            row["id"],
            SubjectKind(row["kind"]),
            from_ms(row["missing_at"]) if row["missing_at"] is not None else None,
            from_ms(row["left_at"]) if row["left_at"] is not None else None,
        )
        for row in rows
    }


class Joined(NamedTuple):
    """A video that joined a target, in ms: when it was added on YouTube, and when we first saw it there."""

    subject_id: str
    title: str | None
    added_at: int
    joined_at: int


def joined(con: sqlite3.Connection, target_pk: int, since_ms: int) -> list[Joined]:
    """The videos that were added to a target's list since then and since it was first watched, in the order in which they were seen."""
    rows = con.execute(
        "SELECT s.id, s.title, m.added_at, m.joined_at FROM member m JOIN subject s ON s.pk = m.subject_pk"
        " JOIN target t ON t.pk = m.target_pk WHERE m.target_pk = ?1 AND s.kind = 'video'"
        " AND m.added_at > max(?2, t.added_at) ORDER BY m.joined_at, s.pk",
        (target_pk, since_ms),
    )
    return [Joined(*row) for row in rows]


def join(con: sqlite3.Connection, target_pk: int, subject_pk: int, added_at: datetime | None, now: datetime) -> None:
    """Make the subject a member; one that had left or was missing is back, its row unchanged otherwise."""
    con.execute(
        "INSERT INTO member (target_pk, subject_pk, added_at, joined_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET missing_at = NULL, left_at = NULL",
        (target_pk, subject_pk, ms_or_none(added_at), to_ms(now)),
    )


def set_missing(con: sqlite3.Connection, target_pk: int, subject_pk: int, missing_at: datetime | None, left_at: datetime | None) -> None:
    con.execute(
        "UPDATE member SET missing_at = ?, left_at = ? WHERE target_pk = ? AND subject_pk = ?",
        (ms_or_none(missing_at), ms_or_none(left_at), target_pk, subject_pk),
    )


def set_listed(con: sqlite3.Connection, target_pk: int, now: datetime, *, complete: bool) -> None:
    con.execute(
        "UPDATE target SET listed_at = ?1, wanted_at = NULL, fault = NULL,"
        " completed_at = CASE WHEN ?2 THEN ?1 ELSE completed_at END WHERE pk = ?3",
        (to_ms(now), complete, target_pk),
    )


def ensure_watch(con: sqlite3.Connection, target_pk: int, recipient_pk: int, now: datetime) -> tuple[int, bool]:
    """The watch's key, and whether it is new. Members that nobody watched any longer are taken up again and want to be read."""
    row = con.execute("SELECT pk FROM watch WHERE target_pk = ? AND recipient_pk = ?", (target_pk, recipient_pk)).fetchone()
    if row:
        return int(row[0]), False
    con.execute(
        "UPDATE subject SET watched = 1, wanted_at = ?1, metadata_wanted_at = ?1 WHERE watched = 0"
        " AND pk IN (SELECT subject_pk FROM member WHERE target_pk = ?2 AND left_at IS NULL)",
        (to_ms(now), target_pk),
    )
    cursor = con.execute("INSERT INTO watch (target_pk, recipient_pk, added_at) VALUES (?, ?, ?)", (target_pk, recipient_pk, to_ms(now)))
    return int(cursor.lastrowid or 0), True


def find_watch(con: sqlite3.Connection, target_pk: int, address: str) -> int | None:
    row = con.execute(
        "SELECT w.pk FROM watch w JOIN recipient c ON c.pk = w.recipient_pk WHERE w.target_pk = ? AND c.address = ?", (target_pk, address)
    ).fetchone()
    return int(row[0]) if row else None


def remove_watch(con: sqlite3.Connection, target_pk: int, recipient_pk: int, now: datetime) -> bool:
    """End the watch and its rules; whether there was one."""
    con.execute(
        "UPDATE rule SET until_at = ? WHERE target_pk = ? AND recipient_pk = ? AND until_at IS NULL", (to_ms(now), target_pk, recipient_pk)
    )
    return con.execute("DELETE FROM watch WHERE target_pk = ? AND recipient_pk = ?", (target_pk, recipient_pk)).rowcount > 0


def add_rule(con: sqlite3.Connection, watch_pk: int, line: str, now: datetime, *, rule_id: str | None = None) -> str:
    """Store a rule line and return its id; ids are never used again."""
    cursor = con.execute(
        "INSERT INTO rule (watch_pk, recipient_pk, target_pk, line, made_at)"
        " SELECT pk, recipient_pk, target_pk, ?, ? FROM watch WHERE pk = ? RETURNING pk",
        (line, to_ms(now), watch_pk),
    )
    pk = cursor.fetchone()[0]
    rule_id = rule_id or f"r{pk}"
    con.execute("UPDATE rule SET id = ? WHERE pk = ?", (rule_id, pk))
    return rule_id


def end_rule(con: sqlite3.Connection, rule_id: str, now: datetime) -> bool:
    """Whether there was such a rule to end."""
    return con.execute("UPDATE rule SET until_at = ? WHERE id = ? AND until_at IS NULL", (to_ms(now), rule_id)).rowcount > 0


def rules(con: sqlite3.Connection, target_id: str | None = None, address: str | None = None) -> list[StoredRule]:
    """The rules in force, of one target or of one recipient where asked, in the order they were made."""
    rows = con.execute(
        "SELECT r.id, r.line, t.id AS target_id, t.kind, t.title, c.address, r.made_at FROM rule r JOIN target t ON t.pk = r.target_pk"
        " JOIN recipient c ON c.pk = r.recipient_pk"
        " WHERE r.until_at IS NULL AND (?1 IS NULL OR t.id = ?1) AND (?2 IS NULL OR c.address = ?2)"
        " ORDER BY r.pk",
        (target_id, address),
    )
    return [
        StoredRule(row["id"], row["line"], row["target_id"], TargetKind(row["kind"]), row["title"], row["address"], from_ms(row["made_at"]))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class PastRule:
    """A rule in force or ended, with what it is on."""

    id: str
    line: str
    target: Target
    address: str
    ended: bool


def rule(con: sqlite3.Connection, rule_id: str) -> PastRule | None:
    """A rule by its id, whether it is in force or not."""
    row = con.execute(
        "SELECT t.*, r.id AS rule_id, r.line, r.until_at, c.address FROM rule r JOIN target t ON t.pk = r.target_pk"
        " JOIN recipient c ON c.pk = r.recipient_pk WHERE r.id = ?",
        (rule_id,),
    ).fetchone()
    return None if row is None else PastRule(row["rule_id"], row["line"], _target(row), row["address"], row["until_at"] is not None)


RULES_IN_FORCE = (
    "FROM member m JOIN rule r ON r.target_pk = m.target_pk AND r.until_at IS NULL"
    " LEFT JOIN rule_state s ON s.subject_pk = m.subject_pk AND s.rule_pk = r.pk"
    " WHERE m.left_at IS NULL AND m.subject_pk IN (SELECT value FROM json_each(?))"
)
"""The rules on these subjects (their keys as JSON), with where each stands there."""


def rules_on(con: sqlite3.Connection, subjects: Iterable[tuple[int, SubjectKind]]) -> dict[int, list[RuleRow]]:
    """The rules in force that hold on these subjects (key and kind), with where each stands there."""
    kinds = dict(subjects)
    found: dict[int, list[RuleRow]] = defaultdict(list)
    rows = con.execute(
        f"SELECT m.subject_pk, r.pk, r.id, r.line, r.recipient_pk, r.target_pk, s.since_at, s.anchor, s.engine_since {RULES_IN_FORCE}",
        (json.dumps(list(kinds)),),
    )
    rows.row_factory = None
    for subject_pk, pk, rule_id, line, recipient_pk, target_pk, since_at, anchor, engine_since in rows:
        spec = spec_on(line, kinds[subject_pk])
        if spec is not None:
            state = None if since_at is None else RuleState(from_ms(since_at), anchor)
            found[subject_pk].append(RuleRow(pk, Rule(rule_id, spec, state), recipient_pk, target_pk, engine_since))
    for rules in found.values():
        if len(rules) > 1:
            rules.sort(key=attrgetter("pk"))  # cheaper here than by SQL: most subjects have few
    return found


def new_video_rules(con: sqlite3.Connection, target_pk: int) -> list[tuple[RuleRow, datetime]]:
    """The `new` rules of a target with the instant each was made."""
    rows = con.execute(
        "SELECT pk, id, line, recipient_pk, target_pk, made_at FROM rule WHERE target_pk = ? AND until_at IS NULL ORDER BY pk", (target_pk,)
    ).fetchall()
    return [
        (RuleRow(row["pk"], Rule(RuleId(row["id"]), spec_of(row["line"])), row["recipient_pk"], row["target_pk"]), from_ms(row["made_at"]))
        for row in rows
        if spec_of(row["line"]).kind is RuleKind.NEW
    ]


def save_rule_states(con: sqlite3.Connection, states: Iterable[tuple[int, int, RuleState]]) -> None:
    """Write where rules stand: (subject key, rule key, state)."""
    con.executemany(
        "INSERT INTO rule_state (subject_pk, rule_pk, since_at, anchor) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET since_at = excluded.since_at, anchor = excluded.anchor",
        [(subject_pk, rule_pk, to_ms(state.since_at), state.anchor) for subject_pk, rule_pk, state in states],
    )


def insert_alerts(con: sqlite3.Connection, alerts: Sequence[tuple[RuleRow, Alert]], now: datetime) -> list[Alert]:
    """Store alerts as waiting, each id once whatever path it came by; returns those that are new."""
    new: dict[str, tuple[RuleRow, Alert]] = {}
    for found in alerts:
        new.setdefault(found[1].id, found)
    if not new:
        return []
    newest = con.execute("SELECT coalesce(max(pk), 0) FROM alert").fetchone()[0]
    made_at = to_ms(now)
    stored = many.run(
        con,
        "INSERT INTO alert (id, recipient_pk, target_pk, rule_id, subject_id, kind, metric, previous, current, previous_at,"
        " observed_at, mark, facts, silent, made_at, lane) VALUES {rows} ON CONFLICT (id) DO NOTHING",
        [
            (
                alert_id,
                row.recipient_pk,
                row.target_pk,
                alert.rule_id,
                alert.subject_id,
                alert.kind,
                alert.metric,
                alert.previous,
                alert.current,
                ms_or_none(alert.previous_at),
                to_ms(alert.observed_at),
                alert.mark,
                json.dumps(alert.facts, ensure_ascii=False) if alert.facts else None,
                row.rule.spec.silent,
                made_at,
                alert.lane,
            )
            for alert_id, (row, alert) in new.items()
        ],
    )
    if stored < len(new):  # some were there before: those just stored are named by the journal
        just = {row[0] for row in con.execute("SELECT id FROM alert WHERE pk > ?", (newest,))}
        return [alert for alert_id, (_, alert) in new.items() if alert_id in just]
    return [alert for _, alert in new.values()]


def passed(con: sqlite3.Connection, rule: StoredRule) -> int:
    """On how many subjects a `reach` has nothing left to tell: its number was passed, told by it or known at its baseline."""
    if rule.spec.kind is not RuleKind.REACH:
        return 0
    return sum(1 for peak in peaks(con, rule.id) if peak >= (rule.spec.n or 0))


def peaks(con: sqlite3.Connection, rule_id: str) -> list[int]:
    """The peaks of the rule's metric on each subject where the rule has its baseline."""
    found = []
    for row in con.execute(
        "SELECT s.state, s.newest_at, r.line FROM rule r JOIN rule_state x ON x.rule_pk = r.pk JOIN subject s ON s.pk = x.subject_pk"
        " WHERE r.id = ?",
        (rule_id,),
    ):
        metric = spec_of(row["line"]).metric
        peak = decode_state(row["state"], at_or_none(row["newest_at"]))[0].get(metric, UNKNOWN).peak if metric else None
        if peak is not None:
            found.append(peak)
    return found
