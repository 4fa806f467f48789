"""The outbox: alerts that wait, and the messages made from them. A message is a row; whoever sends it claims it first.

pending ──take──▶ sending ──record_sent──▶ sent
   ▲                 ├──record_retry, record_unknown──▶ pending
   └──── recover ────┤
                     └──record_dead──▶ dead ──retry──▶ pending
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ytwatcher.core.addresses import CONSOLE
from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert, Lane, Metric, RuleId, RuleKind, SubjectId, first_ms, from_ms, to_ms
from ytwatcher.core.phrases import Phrase, Spoken, in_english, put_together
from ytwatcher.core.policy import Decision, Hold, Recipient, Suppress, Tell, decide
from ytwatcher.core.reasons import ENDED
from ytwatcher.core.render import Composed, Limits, compose
from ytwatcher.core.words import USUAL, Text
from ytwatcher.store import access, recipients
from ytwatcher.store.watches import spec_of

AT_ONCE = 1000
"""How many waiting alerts are looked at for one message, and how many recipients for the next one."""
_ONCE = Suppress("once: told before")


@dataclass(frozen=True, slots=True)
class Errand:
    """What is next for one recipient: from `due_at` on its oldest message, or (`message_pk` None) a message yet to be made."""

    recipient_pk: int
    address: str
    due_at: datetime
    message_pk: int | None = None
    unknowns: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed message. `unknowns` counts its attempts of unknown outcome, `attempts` includes this one; `pictured`: with its chart."""

    pk: int
    recipient_pk: int
    address: str
    text: str
    plain: str
    as_plain: bool
    silent: bool
    attempts: int
    unknowns: int
    made_at: datetime
    items: tuple[Item, ...]
    pictured: bool = False
    language: str = "en"


def agenda(con: sqlite3.Connection, schemes: Iterable[str]) -> list[Errand]:
    """One errand for each recipient of these schemes with something open and nothing in hand: the soonest thousand."""
    reachable = "substr(r.address, 1, instr(r.address || ':', ':') - 1) IN (SELECT value FROM json_each(?1))"
    # An index of a part of a table (message_open, alert_open) is used only where the query repeats its condition word for word.
    rows = con.execute(
        "SELECT r.pk, r.address, max(m.next_at, coalesce(r.not_before, 0)) AS due_at, m.pk AS message_pk, m.unknowns"  # noqa: S608 - own words
        " FROM message m JOIN recipient r ON r.pk = m.recipient_pk"
        f" WHERE m.state IN ('pending', 'sending') AND m.state = 'pending' AND {reachable} AND m.pk ="
        " (SELECT min(x.pk) FROM message x WHERE x.recipient_pk = m.recipient_pk AND x.state IN ('pending', 'sending'))"
        " UNION ALL SELECT r.pk, r.address, max(min(CASE a.state WHEN 'held' THEN a.hold_until ELSE a.made_at END),"
        " coalesce(r.not_before, 0)), NULL, 0 FROM alert a JOIN recipient r ON r.pk = a.recipient_pk"
        f" WHERE a.state IN ('waiting', 'held') AND {reachable} AND a.recipient_pk NOT IN"
        " (SELECT recipient_pk FROM message WHERE state IN ('pending', 'sending')) GROUP BY a.recipient_pk"
        f" ORDER BY 3, 1 LIMIT {AT_ONCE}",
        (json.dumps(list(schemes)),),
    )
    rows.row_factory = None
    return [Errand(pk, address, from_ms(due_at), message_pk, unknowns) for pk, address, due_at, message_pk, unknowns in rows]


def take(
    con: sqlite3.Connection,
    recipient_pk: int,
    now: datetime,
    limits: Limits,
    texts: Mapping[RuleKind, Text] = USUAL,
    spoken: Spoken = in_english,
) -> Job | None:
    """Claim the recipient's oldest open message; where there is none, make one from the alerts that may leave now.

    None when there is nothing to send: all of it is held or suppressed, or the message is in hand or not due.
    """
    row = con.execute("SELECT min(pk) FROM message WHERE recipient_pk = ? AND state IN ('pending', 'sending')", (recipient_pk,)).fetchone()
    message_pk = row[0] if row[0] is not None else _make(con, recipient_pk, now, limits, texts, spoken)
    return None if message_pk is None else _claim(con, message_pk, now)


def _claim(con: sqlite3.Connection, message_pk: int, now: datetime) -> Job | None:
    row = con.execute(
        "UPDATE message SET state = 'sending', attempts = attempts + 1, claimed_at = ?1"
        " WHERE pk = ?2 AND state = 'pending' AND next_at <= ?1 RETURNING *",
        (to_ms(now), message_pk),
    ).fetchone()
    if row is None:
        return None
    address, pictured, language = con.execute(
        "SELECT address, pictures, language FROM recipient WHERE pk = ?", (row["recipient_pk"],)
    ).fetchone()
    return Job(
        message_pk,
        row["recipient_pk"],
        address,
        row["text"],
        row["plain"],
        bool(row["as_plain"]),
        bool(row["silent"]),
        row["attempts"],
        row["unknowns"],
        from_ms(row["made_at"]),
        tuple(items_where(con, "a.message_pk = ?", message_pk)),
        bool(pictured),
        language,
    )


def _make(
    con: sqlite3.Connection, recipient_pk: int, now: datetime, limits: Limits, texts: Mapping[RuleKind, Text], spoken: Spoken
) -> int | None:
    due = "a.recipient_pk = ? AND a.state IN ('waiting', 'held') AND (a.state = 'waiting' OR a.hold_until <= ?)"
    items = items_where(con, due, recipient_pk, to_ms(now))
    if not items:
        return None  # the recipient may have been removed meanwhile
    recipient = recipients.load(con, recipient_pk).recipient
    leaving = _apply_policy(con, items, recipient, now)
    if not leaving:
        return None
    composed = compose(leaving, recipient, now, limits, texts, spoken(recipient.language))
    cursor = con.execute(
        "INSERT INTO message (recipient_pk, text, plain, silent, made_at, next_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        (recipient_pk, composed.text, composed.plain, composed.silent, to_ms(now)),
    )
    message_pk = cursor.lastrowid
    assert message_pk is not None  # an INSERT that did not raise has a row
    _link(con, composed, message_pk)
    return message_pk


def _apply_policy(con: sqlite3.Connection, items: Sequence[Item], recipient: Recipient, now: datetime) -> list[Item]:
    """The alerts that may leave now, with their sound; what is held or suppressed is written down with its reason."""
    leaving, told_once = [], set()
    full_until = access.full_until(con, recipient.address, now)
    for item in items:
        decision = _decide(con, item, recipient, now, full_until)
        if isinstance(decision, Tell):
            about = (item.alert.rule_id, item.alert.subject_id) if item.alert else None
            if about is None or about not in told_once:
                leaving.append(replace(item, silent=item.silent or decision.silent))
                if about is not None and spec_of(item.rule).once:
                    told_once.add(about)
                continue
            decision = _ONCE
        _set_aside(con, item.pk, decision)
    return leaving


def _decide(con: sqlite3.Connection, item: Item, recipient: Recipient, now: datetime, full_until: datetime | None) -> Decision:
    if item.alert is None:
        return decide(None, recipient, None, now)
    spec = spec_of(item.rule)
    told_at = _told_at(con, item.alert) if spec.once or spec.cooldown else None
    found_at = _found_at(con, item.pk) if recipient.digest else None
    return decide(spec, recipient, told_at, now, found_at=found_at, full_until=full_until)


def _found_at(con: sqlite3.Connection, alert_pk: int) -> datetime:
    return from_ms(con.execute("SELECT made_at FROM alert WHERE pk = ?", (alert_pk,)).fetchone()[0])


def _told_at(con: sqlite3.Connection, alert: Alert) -> datetime | None:
    """When the rule last told something of the subject, in a line of its own or named in another rule's line."""
    row = con.execute(
        "SELECT max(m.made_at) FROM alert a JOIN message m ON m.pk = a.message_pk WHERE a.rule_id = ? AND a.subject_id = ?",
        (alert.rule_id, alert.subject_id),
    ).fetchone()
    return None if row[0] is None else from_ms(row[0])


def _set_aside(con: sqlite3.Connection, pk: int, decision: Hold | Suppress) -> None:
    held = isinstance(decision, Hold)
    con.execute(
        "UPDATE alert SET state = ?, reason = ?, hold_until = ? WHERE pk = ?",
        ("held" if held else "suppressed", decision.why, to_ms(decision.until) if isinstance(decision, Hold) else None, pk),
    )


def _link(con: sqlite3.Connection, composed: Composed, message_pk: int) -> None:
    """Alerts told in the message, and those whose news is in another's line of it."""
    rows: list[tuple[str, str | None, int, int]] = [("message", None, message_pk, pk) for pk in composed.told]
    rows += [("suppressed", why, message_pk, pk) for pk, why in composed.suppressed.items()]
    con.executemany("UPDATE alert SET state = ?, reason = ?, message_pk = ? WHERE pk = ?", rows)


def items_where(con: sqlite3.Connection, condition: str, *values: int) -> list[Item]:
    """Alerts with all that their words need, oldest first. `condition` is one of this module's own."""
    rows = con.execute(
        "SELECT a.*, s.title AS title, r.line, t.title AS target_title FROM alert a LEFT JOIN subject s ON s.id = a.subject_id"  # noqa: S608 - see above
        f" LEFT JOIN rule r ON r.id = a.rule_id LEFT JOIN target t ON t.pk = a.target_pk WHERE {condition} ORDER BY a.pk LIMIT {AT_ONCE}",
        values,
    )
    return [item_of(row) for row in rows]


def item_of(row: sqlite3.Row) -> Item:
    facts = tuple(json.loads(row["facts"])) if row["facts"] else ()
    if row["kind"] == "notice":
        return Item(row["pk"], row["id"], None, text=next(map(put_together, facts), ""), silent=bool(row["silent"]))
    alert = Alert(
        RuleId(row["rule_id"]),
        SubjectId(row["subject_id"]),
        RuleKind(row["kind"]),
        from_ms(row["observed_at"]),
        Metric(row["metric"]) if row["metric"] else None,
        row["previous"],
        row["current"],
        from_ms(row["previous_at"]) if row["previous_at"] is not None else None,
        row["mark"],
        facts,
        Lane(row["lane"]) if row["lane"] else None,
    )
    return Item(
        row["pk"],
        row["id"],
        alert,
        title=row["title"],
        rule=row["line"] or row["kind"],
        target_pk=row["target_pk"],
        target_title=row["target_title"],
        silent=bool(row["silent"]),
    )


def record_sent(con: sqlite3.Connection, message_pk: int, now: datetime, remote_id: str | None) -> None:
    """The service has it. A recipient that was paused takes messages again."""
    con.execute(
        "UPDATE message SET state = 'sent', sent_at = ?, remote_id = ?, last_error = NULL WHERE pk = ?",
        (to_ms(now), remote_id, message_pk),
    )
    con.execute(
        "UPDATE recipient SET state = 'active', reason = NULL, not_before = NULL"
        " WHERE pk = (SELECT recipient_pk FROM message WHERE pk = ?) AND (state = 'paused' OR not_before IS NOT NULL)",
        (message_pk,),
    )


def record_retry(con: sqlite3.Connection, message_pk: int, next_at: datetime, error: str, *, as_plain: bool = False) -> None:
    """It was not sent; it is tried again from `next_at` on, as plain text where its markup was refused."""
    con.execute(
        "UPDATE message SET state = 'pending', next_at = ?, last_error = ?, as_plain = max(as_plain, ?)"
        " WHERE pk = ? AND state IN ('pending', 'sending')",
        (first_ms(next_at), error, as_plain, message_pk),
    )


def record_unknown(con: sqlite3.Connection, message_pk: int, next_at: datetime, error: str) -> None:
    """Nobody knows whether it was sent; it is sent again, marked."""
    con.execute("UPDATE message SET unknowns = unknowns + 1 WHERE pk = ? AND state = 'sending'", (message_pk,))
    record_retry(con, message_pk, next_at, error)


def record_dead(con: sqlite3.Connection, message_pk: int, error: str, operator: str, now: datetime) -> None:
    """It is not tried any more; its text is kept and the operator is told, unless the operator is who it was for."""
    con.execute("UPDATE message SET state = 'dead', last_error = ? WHERE pk = ? AND state <> 'dropped'", (error, message_pk))
    row = con.execute("SELECT r.address FROM message m JOIN recipient r ON r.pk = m.recipient_pk WHERE m.pk = ?", (message_pk,)).fetchone()
    if row is not None and row[0] != recipients.current(con, operator):
        text = Phrase(
            "Message {message} to {address} could not be delivered: {error}. “ytwatcher outbox retry {message}” sends it again.",
            message=str(message_pk),
            address=row[0],
            error=error,
        )
        recipients.add_notice(con, f"dead:{message_pk}", text, operator, now)


def recover(con: sqlite3.Connection, now: datetime) -> int:
    """At start: what was being sent when the last process ended has an unknown outcome. Returns how many there were.

    A lost console was the closed pipe of an earlier process.
    """
    con.execute("UPDATE recipient SET state = 'active', reason = NULL WHERE address = ? AND state = 'lost'", (CONSOLE,))
    return con.execute(
        "UPDATE message SET state = 'pending', unknowns = unknowns + 1, next_at = ?, last_error = ? WHERE state = 'sending'",
        (to_ms(now), ENDED),
    ).rowcount


def history(con: sqlite3.Connection, since: datetime) -> list[tuple[str, datetime]]:
    """Address and instant of each message's last attempt since then, in order: what the rate limits count."""
    rows = con.execute(
        "SELECT r.address, coalesce(m.sent_at, m.claimed_at) FROM message m JOIN recipient r ON r.pk = m.recipient_pk"
        " WHERE m.claimed_at >= ? ORDER BY 2",
        (to_ms(since),),
    )
    return [(row[0], from_ms(row[1])) for row in rows]


def retry(con: sqlite3.Connection, message_pk: int, now: datetime) -> bool:
    """Send a dead message again, its recipient taken to be reachable; whether there was such a message."""
    row = con.execute(
        "UPDATE message SET state = 'pending', next_at = ? WHERE pk = ? AND state = 'dead' AND text IS NOT NULL RETURNING recipient_pk",
        (to_ms(now), message_pk),
    ).fetchone()
    if row is not None:
        recipients.revive(con, row[0])
    return row is not None


def drop(con: sqlite3.Connection, message_pk: int) -> bool:
    """Give up a dead or pending message; its text is kept. Whether there was such a message."""
    return con.execute("UPDATE message SET state = 'dropped' WHERE pk = ? AND state IN ('dead', 'pending')", (message_pk,)).rowcount > 0
