"""Who is told: recipients, their preferences, and what becomes of one that cannot be reached or has moved.

An address is `console`, `telegram:CHAT` or `telegram:CHAT:TOPIC`; its first two parts name the chat.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.addresses import CONSOLE
from ytwatcher.core.model import first_ms, from_ms, to_ms
from ytwatcher.core.phrases import Phrase, taken_apart
from ytwatcher.core.policy import Recipient, digest_text, parse_digest, parse_quiet, quiet_text
from ytwatcher.store.subjects import ms_or_none

NOBODY = 0
"""A key that no recipient ever has, while those of removed ones may be given again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A recipient as it is listed. `state` is active, paused (an admin's hand is needed) or lost; `reason` says why."""

    pk: int
    state: str
    reason: str | None
    recipient: Recipient


def ensure(con: sqlite3.Connection, address: str, *, language: str = "en", timezone: str = "UTC") -> int:
    """The recipient's key; made when it is new. The address of a group that became a supergroup names the supergroup."""
    address = current(con, address)
    con.execute(
        "INSERT INTO recipient (address, language, timezone) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (address, language, timezone)
    )
    return int(con.execute("SELECT pk FROM recipient WHERE address = ?", (address,)).fetchone()[0])


def current(con: sqlite3.Connection, address: str) -> str:
    """The address under which a chat is reached now."""
    row = con.execute("SELECT value FROM fact WHERE key = ?", (f"moved:{chat_of(address)}",)).fetchone()
    return address if row is None else current(con, row[0] + address.removeprefix(chat_of(address)))


def chat_of(address: str) -> str:
    """The chat of an address, without its topic: what a service's rate limits and moves are about."""
    return ":".join(address.split(":")[:2])


def load(con: sqlite3.Connection, pk: int) -> Stored:
    return _stored(con.execute("SELECT * FROM recipient WHERE pk = ?", (pk,)).fetchone())


def find(con: sqlite3.Connection, address: str) -> Stored | None:
    row = con.execute("SELECT * FROM recipient WHERE address = ?", (current(con, address),)).fetchone()
    return _stored(row) if row else None


def of_chat(con: sqlite3.Connection, chat: str) -> list[Stored]:
    """The recipients in a chat: itself and its topics."""
    chat = current(con, chat)
    return [_stored(row) for row in con.execute("SELECT * FROM recipient WHERE address = ? OR address LIKE ?", (chat, f"{chat}:%"))]


def everyone(con: sqlite3.Connection) -> list[Stored]:
    return [_stored(row) for row in con.execute("SELECT * FROM recipient ORDER BY pk")]


def _stored(row: sqlite3.Row) -> Stored:
    recipient = Recipient(
        row["address"],
        row["state"] == "lost",
        row["language"],
        row["timezone"],
        parse_quiet(row["quiet"]) if row["quiet"] else None,
        from_ms(row["muted_until"]) if row["muted_until"] is not None else None,
        parse_digest(row["digest"]) if row["digest"] else None,
    )
    return Stored(row["pk"], row["state"], row["reason"], recipient)


def save_preferences(con: sqlite3.Connection, pk: int, wanted: Recipient) -> None:
    """Store language, time zone, quiet hours, mute and digest; what was held by the old ones is decided anew."""
    quiet, digest = quiet_text(wanted.quiet) if wanted.quiet else None, digest_text(wanted.digest) if wanted.digest else None
    con.execute(
        "UPDATE recipient SET language = ?, timezone = ?, quiet = ?, muted_until = ?, digest = ? WHERE pk = ?",
        (wanted.language, wanted.timezone, quiet, ms_or_none(wanted.muted_until), digest, pk),
    )
    con.execute("UPDATE alert SET state = 'waiting' WHERE recipient_pk = ? AND state = 'held'", (pk,))


class Dropped(NamedTuple):
    """What was open for a recipient when it was removed."""

    messages: int
    alerts: int


def remove(con: sqlite3.Connection, pk: int) -> Dropped:
    """Forget a recipient without watches: what is open for it is given up, its ended rules go, what it was told is nobody's."""
    messages = con.execute(
        "UPDATE message SET state = 'dropped' WHERE recipient_pk = ? AND state IN ('pending', 'sending', 'dead')", (pk,)
    ).rowcount
    alerts = con.execute(
        "UPDATE alert SET state = 'suppressed', reason = 'recipient removed' WHERE recipient_pk = ? AND state IN ('waiting', 'held')", (pk,)
    ).rowcount
    for table in ("alert", "message"):
        con.execute(f"UPDATE {table} SET recipient_pk = ? WHERE recipient_pk = ?", (NOBODY, pk))  # noqa: S608 - a fixed table name
    con.execute("DELETE FROM rule WHERE recipient_pk = ?", (pk,))
    con.execute("DELETE FROM recipient WHERE pk = ?", (pk,))
    return Dropped(messages, alerts)


def watches_of(con: sqlite3.Connection, pk: int) -> int:
    """How many watches a recipient has."""
    return int(con.execute("SELECT count(*) FROM watch WHERE recipient_pk = ?", (pk,)).fetchone()[0])


def add_notice(con: sqlite3.Connection, key: str, text: str, operator: str, now: datetime) -> bool:
    """Tell the operator something about the service itself, once per `key`: name the incident in it. Whether it is new.

    A phrase is told in the language that the operator's chat has when it leaves.
    """
    return _insert_notice(con, f"notice:{key}", ensure(con, operator), text, now)


def add_test(con: sqlite3.Connection, address: str, now: datetime) -> str:
    """A message to try the way to a recipient, which is taken to be reachable again; returns the alert's id."""
    pk = ensure(con, address)
    revive(con, pk)
    alert_id = f"notice:test:{pk}:{to_ms(now)}"
    _insert_notice(con, alert_id, pk, Phrase("This is a test: messages from YT Watcher arrive here."), now)
    return alert_id


def _insert_notice(con: sqlite3.Connection, alert_id: str, recipient_pk: int, text: str, now: datetime) -> bool:
    cursor = con.execute(
        "INSERT OR IGNORE INTO alert (id, recipient_pk, kind, observed_at, made_at, facts) VALUES (?1, ?2, 'notice', ?3, ?3, ?4)",
        (alert_id, recipient_pk, to_ms(now), json.dumps([taken_apart(text)], ensure_ascii=False)),
    )
    return cursor.rowcount > 0


def lose(con: sqlite3.Connection, pk: int, reason: str, operator: str, now: datetime) -> None:
    """The recipient cannot be reached any more: nothing more is sent, its watches and rules stay, the operator is told.

    Not of itself, and not of the console: whoever closed the pipe knows.
    """
    address = _set_state(con, pk, "lost", reason)
    con.execute(
        "UPDATE message SET state = 'dead', last_error = ? WHERE recipient_pk = ? AND state IN ('pending', 'sending')", (reason, pk)
    )
    if address not in (None, CONSOLE, current(con, operator)):
        text = Phrase(
            "{address} cannot be reached any more: {reason}. Its watches are kept; “ytwatcher outbox test {address}” tries it again.",
            address=address,
            reason=reason,
        )
        add_notice(con, f"lost:{pk}:{to_ms(now)}", text, operator, now)


def pause(con: sqlite3.Connection, pk: int, reason: str, operator: str, now: datetime) -> None:
    """The recipient needs an admin's hand: it is tried hourly, the operator is told once."""
    address = _set_state(con, pk, "paused", reason)
    if address not in (None, current(con, operator)):
        text = Phrase(
            "{address} does not take messages: {reason}. An admin of the chat can change that; it is tried again every hour.",
            address=address,
            reason=reason,
        )
        add_notice(con, f"paused:{pk}:{to_ms(now)}", text, operator, now)


def revive(con: sqlite3.Connection, pk: int) -> None:
    """Take a lost or paused recipient to be reachable again; a pause that its service asked for is kept to the end."""
    con.execute("UPDATE recipient SET state = 'active', reason = NULL WHERE pk = ?", (pk,))


def _set_state(con: sqlite3.Connection, pk: int, state: str, reason: str) -> str | None:
    """The address when this is news, None when it was in that state already."""
    row = con.execute(
        "UPDATE recipient SET state = ?1, reason = ?2 WHERE pk = ?3 AND state <> ?1 RETURNING address", (state, reason, pk)
    ).fetchone()
    return None if row is None else str(row[0])


def throttle(con: sqlite3.Connection, chat: str, until: datetime) -> None:
    """Nothing is sent to the chat, in any of its topics, before `until`."""
    con.execute("UPDATE recipient SET not_before = ? WHERE address = ? OR address LIKE ?", (first_ms(until), chat, f"{chat}:%"))


def migrate(con: sqlite3.Connection, old_chat: str, new_chat: str) -> None:
    """A group became a supergroup: all its recipients get the new address; one that has it already takes everything over."""
    if new_chat == old_chat:
        return
    con.execute("DELETE FROM fact WHERE key = ?", (f"moved:{new_chat}",))  # no two chats may point at each other
    con.execute("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)", (f"moved:{old_chat}", new_chat))
    rows = con.execute("SELECT pk, address FROM recipient WHERE address = ? OR address LIKE ?", (old_chat, f"{old_chat}:%")).fetchall()
    for row in rows:
        address = new_chat + row["address"].removeprefix(old_chat)
        other = con.execute("SELECT pk FROM recipient WHERE address = ?", (address,)).fetchone()
        if other is None:
            con.execute("UPDATE recipient SET address = ?, state = 'active', reason = NULL WHERE pk = ?", (address, row["pk"]))
        else:
            _merge(con, row["pk"], other["pk"])
    con.execute("UPDATE OR IGNORE access SET chat = ? WHERE chat = ?", (new_chat, old_chat))
    con.execute("DELETE FROM access WHERE chat = ?", (old_chat,))


def _merge(con: sqlite3.Connection, old: int, new: int) -> None:
    """Give everything of one recipient to another; where both watch a target, the rules join in one watch."""
    for table in ("alert", "message"):
        con.execute(f"UPDATE {table} SET recipient_pk = ? WHERE recipient_pk = ?", (new, old))  # noqa: S608 - a fixed table name
    con.execute("UPDATE OR IGNORE watch SET recipient_pk = ? WHERE recipient_pk = ?", (new, old))
    con.execute(
        "UPDATE rule SET recipient_pk = ?1, watch_pk = coalesce("
        " (SELECT w.pk FROM watch w WHERE w.target_pk = rule.target_pk AND w.recipient_pk = ?1), watch_pk) WHERE recipient_pk = ?2",
        (new, old),
    )
    con.execute("DELETE FROM watch WHERE recipient_pk = ?", (old,))
    con.execute("DELETE FROM recipient WHERE pk = ?", (old,))
