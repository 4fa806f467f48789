"""The rules as an engine is to see them, and the instant at which each rule moves to it.

A rule is judged embedded until its mirror, with the instant of its move in it, was acknowledged early enough; then that instant is written
here and holds for both sides. Should both judge a reading all the same, they find the same alert under the same id, and it is stored once.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ytwatcher.core.model import Alert, Metric, Rule, RuleId, RuleKind, SubjectId, from_ms, to_ms
from ytwatcher.core.streams import engine_judges, mark_of, stays_because
from ytwatcher.store import publications
from ytwatcher.store.watches import RuleRow, insert_alerts, spec_of

MOVE_AFTER = timedelta(seconds=120)
ACKNOWLEDGED_BEFORE = timedelta(seconds=60)
ENDED_STAYS = timedelta(minutes=10)
"""How long an ended rule stays in the record, so that its end cannot overtake readings on their way."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A video whose record is not what it should be: all its rules, and those that move with it."""

    subject_pk: int
    video_id: str
    rules: list[dict[str, Any]]
    moves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What decides whether an engine may judge a rule.

    With Connect's delivery, only what needs nothing of ours. A record must not outgrow what a topic takes: of a video's rules only so
    many are in it, and the others stay with the embedded judge.
    """

    connect: bool = False
    most_rules: int = 1000


def set_engine(con: sqlite3.Connection, engine: str) -> bool:
    """Note which engine judges. With another one than before every rule is embedded again, and moves anew; whether it is another."""
    before = con.execute("SELECT value FROM fact WHERE key = 'engine'").fetchone()
    if (before["value"] if before else "embedded") == engine:
        return False
    con.execute("UPDATE rule_state SET engine_since = NULL")
    con.execute("DELETE FROM mirror")
    con.execute("INSERT INTO fact (key, value) VALUES ('engine', ?) ON CONFLICT DO UPDATE SET value = excluded.value", (engine,))
    return True


def forget(con: sqlite3.Connection) -> None:
    """The topic of rules was lost: everything is mirrored again."""
    con.execute("DELETE FROM mirror")


def any_moved(con: sqlite3.Connection) -> bool:
    """Whether an engine judges any rule."""
    return con.execute("SELECT 1 FROM rule_state WHERE engine_since IS NOT NULL LIMIT 1").fetchone() is not None


def stale(con: sqlite3.Connection, now: datetime, options: Options, *, moving: bool) -> list[Wanted]:
    """The videos whose record has to be written. `moving`: the engine runs, so that rules may be handed to it."""
    move_at = to_ms(now + MOVE_AFTER)
    records: dict[int, list[dict[str, Any]]] = defaultdict(list)
    moves: dict[int, list[int]] = defaultdict(list)
    names: dict[int, str] = {}
    known = {row["subject_pk"]: row["rules"] for row in con.execute("SELECT subject_pk, rules FROM mirror")}
    for row in _candidates(con, to_ms(now - ENDED_STAYS)):
        subject_pk, spec = row["subject_pk"], spec_of(row["line"])
        if not engine_judges(spec, _recipient(row), connect=options.connect):
            continue
        moves_now = row["engine_since"] is None
        if (moves_now and (not moving or row["until_at"] is not None)) or len(records[subject_pk]) >= options.most_rules:
            continue
        names[subject_pk] = row["video_id"]
        if moves_now:
            moves[subject_pk].append(row["pk"])
        records[subject_pk].append(
            {
                "RULE_ID": row["id"],
                "CHAT_ID": chat_id(row["address"], row["recipient_pk"]),
                "METRIC": spec.metric,
                "KIND": spec.kind,
                "N": spec.n or 0,
                "SINCE": move_at if moves_now else row["engine_since"],
                "UNTIL": row["until_at"],
            }
        )
    for subject_pk in known.keys() - records.keys():
        names[subject_pk] = con.execute("SELECT id FROM subject WHERE pk = ?", (subject_pk,)).fetchone()["id"]
    wanted = {pk: records.get(pk, []) for pk in names}
    return [
        Wanted(pk, names[pk], rules, tuple(moves.get(pk, ())))
        for pk, rules in wanted.items()
        if (rules or pk in known) and known.get(pk, "[]") != _text(rules)
    ]


@dataclass(frozen=True, slots=True)
class Staying:
    """A rule that no engine gets, and why."""

    id: str
    line: str
    address: str
    why: str


def staying(con: sqlite3.Connection, *, connect: bool) -> list[Staying]:
    """The rules in force that the embedded judge keeps, in the order they were made."""
    rows = con.execute(
        "SELECT r.id, r.line, c.address, c.quiet, c.muted_until, c.digest FROM rule r JOIN recipient c ON c.pk = r.recipient_pk"
        " WHERE r.until_at IS NULL ORDER BY r.pk"
    )
    found = [
        Staying(row["id"], row["line"], row["address"], stays_because(spec_of(row["line"]), _recipient(row), connect=connect))
        for row in rows
    ]
    return [one for one in found if one.why]


@dataclass(frozen=True, slots=True)
class Judged:
    """How many rules one judge has: the engine, or the embedded one with the reason. A rule on many videos counts wherever it has some."""

    judge: str
    why: str
    rules: int


def judges(con: sqlite3.Connection, now: datetime, options: Options, *, engine: bool) -> list[Judged]:
    """Who judges the rules in force. `engine`: one is configured."""
    rows = con.execute(
        "SELECT r.pk, r.line, c.address, c.quiet, c.muted_until, c.digest, x.subject_pk, x.engine_since FROM rule r"
        " JOIN recipient c ON c.pk = r.recipient_pk LEFT JOIN rule_state x ON x.rule_pk = r.pk WHERE r.until_at IS NULL ORDER BY r.pk"
    )
    found: dict[str, set[int]] = defaultdict(set)
    places: Counter[int] = Counter()
    for row in rows:
        why = stays_because(spec_of(row["line"]), _recipient(row), connect=options.connect) if engine else "no engine is configured"
        if not why:
            places[row["subject_pk"]] += 1
            why = _not_yet(row, to_ms(now), full=places[row["subject_pk"]] > options.most_rules, most=options.most_rules)
        found[why].add(row["pk"])
    return sorted(
        (Judged("embedded" if why else "engine", why, len(pks)) for why, pks in found.items()), key=lambda one: (-one.rules, one.why)
    )


def _not_yet(row: sqlite3.Row, now: int, *, full: bool, most: int) -> str:
    """Why a rule that an engine can judge is not judged there; empty where it is."""
    if row["subject_pk"] is None:
        return "waits for its baseline"
    if row["engine_since"] is None:
        return f"more than {most:,} rules on one video" if full else "waits to be handed to the engine"
    return "moves within two minutes" if row["engine_since"] > now else ""


def newest_from_engine(con: sqlite3.Connection) -> datetime | None:
    """When the newest of an engine's alerts was stored."""
    row = con.execute(
        "SELECT max(a.made_at) FROM alert a JOIN rule r ON r.id = a.rule_id JOIN subject s ON s.id = a.subject_id"
        " JOIN rule_state x ON x.rule_pk = r.pk AND x.subject_pk = s.pk WHERE a.observed_at >= x.engine_since"
    ).fetchone()
    return None if row[0] is None else from_ms(row[0])


def _candidates(con: sqlite3.Connection, ended_after: int) -> Iterable[sqlite3.Row]:
    """Every rule with a baseline on a watched video, and those that ended not long ago where an engine judged them.

    On a video that left the list that is watched, a rule ended then; the video may be in another one.
    """
    return con.execute(
        "SELECT * FROM (SELECT s.pk AS subject_pk, s.id AS video_id, r.pk, r.id, r.line, r.recipient_pk, c.address, c.quiet, c.muted_until,"
        " c.digest, x.engine_since, coalesce(min(r.until_at, m.left_at), r.until_at, m.left_at) AS until_at"
        " FROM rule_state x JOIN rule r ON r.pk = x.rule_pk JOIN subject s ON s.pk = x.subject_pk"
        " JOIN recipient c ON c.pk = r.recipient_pk JOIN member m ON m.target_pk = r.target_pk AND m.subject_pk = s.pk"
        " WHERE s.kind = 'video') WHERE until_at IS NULL OR (engine_since IS NOT NULL AND until_at > ?) ORDER BY pk",
        (ended_after,),
    )


def _recipient(row: sqlite3.Row) -> tuple[str, bool]:
    return row["address"], any(row[column] is not None for column in ("quiet", "muted_until", "digest"))


def chat_id(address: str, recipient_pk: int) -> str:
    """The recipient on Kafka: a Telegram chat's own id, or an opaque one; never an address."""
    scheme, _, chat = address.partition(":")
    return chat if scheme == "telegram" and ":" not in chat else f"r{recipient_pk}"


def confirm(con: sqlite3.Connection, acknowledged: Sequence[Wanted], now: datetime, retention: timedelta = timedelta(days=7)) -> int:
    """The records are in the topic. A rule moves at the instant in its record, unless that is too near by now; how many moved.

    With it goes what its video's next reading is compared with, where the topic of readings (which has this `retention`) lacks it.
    """
    earliest = to_ms(now + ACKNOWLEDGED_BEFORE)
    moved: list[int] = []
    for wanted in acknowledged:
        con.execute(
            "INSERT INTO mirror (subject_pk, rules) VALUES (?, ?) ON CONFLICT DO UPDATE SET rules = excluded.rules",
            (wanted.subject_pk, _text(wanted.rules)),
        )
        since = {rule["RULE_ID"]: rule["SINCE"] for rule in wanted.rules}
        for pk in wanted.moves:
            rule_id = con.execute("SELECT id FROM rule WHERE pk = ?", (pk,)).fetchone()["id"]
            if since[rule_id] >= earliest:
                con.execute(
                    "UPDATE rule_state SET engine_since = ? WHERE subject_pk = ? AND rule_pk = ?", (since[rule_id], wanted.subject_pk, pk)
                )
                moved.append(wanted.subject_pk)
    if moved:
        publications.add_baselines(con, moved, now, retention)
    return len(moved)


def add_baselines(con: sqlite3.Connection, now: datetime, retention: timedelta) -> int:
    """A new deployment reads the topic anew: where that lacks the newest reading of a video whose rules an engine has, it is added."""
    on_engine = con.execute("SELECT DISTINCT subject_pk FROM rule_state WHERE engine_since IS NOT NULL")
    return publications.add_baselines(con, [row["subject_pk"] for row in on_engine], now, retention)


def _text(rules: Sequence[dict[str, Any]]) -> str:
    return json.dumps(list(rules), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an engine's alerts: new ones, those known already, and those of no rule in force."""

    new: list[Alert]
    known: int
    stray: int


def take_alerts(con: sqlite3.Connection, alerts: Sequence[Alert], now: datetime) -> Taken:
    """Store what an engine found as waiting alerts, each id once; a rule that is gone or had ended then tells nothing."""
    rows, stray = [], 0
    for alert in alerts:
        rule = con.execute(
            "SELECT r.pk, r.line, r.recipient_pk, r.target_pk, coalesce(min(r.until_at, m.left_at), r.until_at, m.left_at) AS until_at"
            " FROM rule r LEFT JOIN subject s ON s.id = ? LEFT JOIN member m ON m.target_pk = r.target_pk AND m.subject_pk = s.pk"
            " WHERE r.id = ?",
            (alert.subject_id, alert.rule_id),
        ).fetchone()
        if rule is None or (rule["until_at"] is not None and to_ms(alert.observed_at) >= rule["until_at"]):
            stray += 1
            continue
        rows.append((RuleRow(rule["pk"], Rule(alert.rule_id, spec_of(rule["line"])), rule["recipient_pk"], rule["target_pk"]), alert))
    new = insert_alerts(con, rows, now)
    return Taken(new, len(rows) - len(new), stray)


def alert_of(record: Mapping[str, Any]) -> Alert:
    """The alert that a record of telegram_outbound stands for.

    Raises:
        ValueError: it stands for none: a field is missing, or holds what is none of ours.
    """
    missing = [name for name in ("rule_id", "video_id", "metric", "kind", "current", "observed_at") if record.get(name) is None]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    kind, current, previous_at = RuleKind(record["kind"]), record["current"], record.get("previous_at")
    return Alert(
        RuleId(record["rule_id"]),
        SubjectId(record["video_id"]),
        kind,
        from_ms(record["observed_at"]),
        Metric(record["metric"]),
        record.get("previous"),
        current,
        None if previous_at is None else from_ms(previous_at),
        mark_of(kind, record.get("n") or 1, current),
    )
