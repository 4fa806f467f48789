"""Who is served: chats with their roles and limits, invitations, strangers, and the record of who changed what.

A chat is named by the first two parts of its address (`telegram:CHAT`); all topics of a group share its access.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ytwatcher.core.model import from_ms, to_ms
from ytwatcher.store import recipients
from ytwatcher.store.recipients import chat_of

STRANGERS = 1000
"""How many are remembered; while there are more, the newest get no answer."""
STRANGER_FOR = timedelta(days=1)
GUESSES = 5
"""How many wrong codes of one stranger are looked at in a day."""
OPEN_INVITATIONS = 200
LOGGED = timedelta(days=365)


class Role(StrEnum):
    """What a chat may do; each role may do what those before it may."""

    NONE = "none"
    USER = "user"
    MANAGER = "manager"
    OWNER = "owner"

    def covers(self, other: Role) -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Limits(NamedTuple):
    """How much a chat may have: watched targets, rules, and messages with alerts in 24 hours."""

    targets: int
    rules: int
    messages: int


@dataclass(frozen=True, slots=True)
class Served:
    """A chat that has access, or had it (`Role.NONE`). `by` let it in. `kind` is private, group or channel."""

    chat: str
    role: Role
    kind: str
    title: str
    by: str | None
    since: datetime
    limits: Limits


def find(con: sqlite3.Connection, address: str) -> Served | None:
    return _find(con, chat_of(recipients.current(con, address)))


def _find(con: sqlite3.Connection, chat: str) -> Served | None:
    row = con.execute("SELECT * FROM access WHERE chat = ?", (chat,)).fetchone()
    return _served(row) if row else None


def everyone(con: sqlite3.Connection) -> list[Served]:
    return [_served(row) for row in con.execute("SELECT * FROM access ORDER BY since, chat")]


def let_in_by(con: sqlite3.Connection, by: str) -> list[Served]:
    """The chats that one person let in, as long as they are served."""
    rows = con.execute("SELECT * FROM access WHERE by_chat = ? AND role <> 'none' ORDER BY since, chat", (by,))
    return [_served(row) for row in rows]


def _served(row: sqlite3.Row) -> Served:
    limits = Limits(row["targets"], row["rules"], row["messages"])
    return Served(row["chat"], Role(row["role"]), row["kind"], row["title"], row["by_chat"], from_ms(row["since"]), limits)


def role_of(con: sqlite3.Connection, address: str, operator: str) -> Role:
    """The operator's chat is an owner's. A chat that watches something without having been let in was named by the operator: a user's."""
    address = recipients.current(con, address)
    chat = chat_of(address)
    if chat == chat_of(recipients.current(con, operator)):
        return Role.OWNER
    if (served := find(con, address)) is not None:
        return served.role
    watching = con.execute(
        "SELECT 1 FROM recipient r JOIN watch w ON w.recipient_pk = r.pk WHERE r.address = ? OR r.address LIKE ? LIMIT 1",
        (chat, f"{chat}:%"),
    ).fetchone()
    return Role.USER if watching else Role.NONE


def limits_of(con: sqlite3.Connection, address: str) -> Limits | None:
    """None: as much as it likes, for it is an owner's or was never let in by the bot."""
    served = find(con, address)
    return served.limits if served is not None and served.role is not Role.OWNER else None


def put(con: sqlite3.Connection, served: Served) -> None:
    """Let a chat in, or change what it may do."""
    con.execute(
        "INSERT OR REPLACE INTO access VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (served.chat, served.role, served.kind, served.title, served.by, to_ms(served.since), *served.limits),
    )


class Use(NamedTuple):
    """How much a chat has at present."""

    targets: int
    rules: int
    messages: int


def use_of(con: sqlite3.Connection, address: str, now: datetime) -> Use:
    chat = chat_of(recipients.current(con, address))
    row = con.execute(
        "WITH mine AS (SELECT pk FROM recipient WHERE address = ?1 OR address LIKE ?2) SELECT"
        " (SELECT count(*) FROM watch WHERE recipient_pk IN mine),"
        " (SELECT count(*) FROM rule WHERE recipient_pk IN mine AND until_at IS NULL),"
        " (SELECT count(*) FROM message WHERE recipient_pk IN mine AND made_at > ?3)",
        (chat, f"{chat}:%", to_ms(now - timedelta(days=1))),
    ).fetchone()
    return Use(*row)


def full_until(con: sqlite3.Connection, address: str, now: datetime) -> datetime | None:
    """When the chat may get its next message, while it has had as many in 24 hours as it may; None: now. The address is a recipient's."""
    chat = chat_of(address)
    served = _find(con, chat)
    if served is None or served.role is Role.OWNER:
        return None
    row = con.execute(
        "SELECT made_at FROM message WHERE recipient_pk IN (SELECT pk FROM recipient WHERE address = ?1 OR address LIKE ?2)"
        " AND made_at > ?3 ORDER BY made_at DESC LIMIT 1 OFFSET ?4",
        (chat, f"{chat}:%", to_ms(now - timedelta(days=1)), served.limits.messages - 1),
    ).fetchone()
    return None if row is None else from_ms(row[0]) + timedelta(days=1)


# --- invitations ------------------------------------------------------------------------------------------------------


class Invitation(NamedTuple):
    role: Role
    by: str | None
    used_by: str | None


def invite(con: sqlite3.Connection, code_hash: str, role: Role, by: str | None, expires_at: datetime, now: datetime) -> bool:
    """Store an invitation; the expired ones go. False: there are too many open ones."""
    con.execute("DELETE FROM invitation WHERE expires_at <= ?", (to_ms(now),))
    if con.execute("SELECT count(*) FROM invitation WHERE used_by IS NULL").fetchone()[0] >= OPEN_INVITATIONS:
        return False
    con.execute("INSERT INTO invitation VALUES (?, ?, ?, ?, NULL)", (code_hash, role, by, to_ms(expires_at)))
    return True


def invitation(con: sqlite3.Connection, code_hash: str, now: datetime) -> Invitation | None:
    row = con.execute("SELECT role, by_chat, used_by FROM invitation WHERE hash = ? AND expires_at > ?", (code_hash, to_ms(now))).fetchone()
    return Invitation(Role(row[0]), row[1], row[2]) if row else None


def use(con: sqlite3.Connection, code_hash: str, chat: str) -> None:
    con.execute("UPDATE invitation SET used_by = ? WHERE hash = ?", (chat, code_hash))


# --- strangers --------------------------------------------------------------------------------------------------------


def greet(con: sqlite3.Connection, chat: str, now: datetime) -> bool:
    """Whether a stranger gets a line: the first time in a day."""
    return _count(con, chat, "greeted", now) == 1


def was_greeted(con: sqlite3.Connection, chat: str, now: datetime) -> bool:
    sql = "SELECT 1 FROM stranger WHERE chat = ? AND greeted > 0 AND since > ?"
    return con.execute(sql, (chat, to_ms(now - STRANGER_FOR))).fetchone() is not None


def guess(con: sqlite3.Connection, chat: str, now: datetime) -> int | None:
    """How many wrong codes the stranger has sent in a day, with this one; None where nobody can count them."""
    return _count(con, chat, "guesses", now)


def _count(con: sqlite3.Connection, chat: str, column: str, now: datetime) -> int | None:
    con.execute("DELETE FROM stranger WHERE since <= ?", (to_ms(now - STRANGER_FOR),))
    con.execute(
        "INSERT OR IGNORE INTO stranger (chat, since) SELECT ?, ? WHERE (SELECT count(*) FROM stranger) < ?", (chat, to_ms(now), STRANGERS)
    )
    # The columns are this module's own.
    row = con.execute(f"UPDATE stranger SET {column} = {column} + 1 WHERE chat = ? RETURNING {column}", (chat,)).fetchone()  # noqa: S608
    return None if row is None else int(row[0])


def guesses(con: sqlite3.Connection, chat: str, now: datetime) -> int:
    row = con.execute("SELECT guesses FROM stranger WHERE chat = ? AND since > ?", (chat, to_ms(now - STRANGER_FOR))).fetchone()
    return 0 if row is None else int(row[0])


def known(con: sqlite3.Connection, chat: str) -> None:
    """No stranger any more."""
    con.execute("DELETE FROM stranger WHERE chat = ?", (chat,))


# --- which chat commands are about --------------------------------------------------------------------------------------


def choose(con: sqlite3.Connection, chat: str, address: str | None, until_at: datetime) -> None:
    """What is written in a private chat is about that address for a while; None: about the chat itself."""
    con.execute("DELETE FROM chosen WHERE chat = ?", (chat,))
    if address is not None:
        con.execute("INSERT INTO chosen VALUES (?, ?, ?)", (chat, address, to_ms(until_at)))


def chosen(con: sqlite3.Connection, chat: str, now: datetime) -> str | None:
    row = con.execute("SELECT address FROM chosen WHERE chat = ? AND until_at > ?", (chat, to_ms(now))).fetchone()
    return None if row is None else recipients.current(con, row[0])


# --- who changed what ---------------------------------------------------------------------------------------------------


class Change(NamedTuple):
    at: datetime
    address: str
    user_id: int | None
    user_name: str
    what: str


def record(con: sqlite3.Connection, change: Change) -> None:
    """Note a change; those of more than a year ago are forgotten."""
    con.execute("INSERT INTO change_log (at, address, user_id, user_name, what) VALUES (?, ?, ?, ?, ?)", (to_ms(change.at), *change[1:]))
    con.execute("DELETE FROM change_log WHERE at < ?", (to_ms(change.at - LOGGED),))


def changes(con: sqlite3.Connection, most: int) -> list[Change]:
    """The newest changes, newest first."""
    rows = con.execute("SELECT at, address, user_id, user_name, what FROM change_log ORDER BY at DESC, pk DESC LIMIT ?", (most,))
    return [Change(from_ms(row[0]), *row[1:]) for row in rows]
