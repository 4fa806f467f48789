"""What programs show to the API, and links that show something without login: only hashes of them are stored.

A secret has 256 random bits, so that its hash needs no salt and need not be slow.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from ytwatcher.core.model import from_ms, to_ms
from ytwatcher.errors import InputError
from ytwatcher.store import recipients


class Scope(StrEnum):
    """What a token may do; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Token(NamedTuple):
    name: str
    scope: Scope
    made_at: datetime


class ShareKind(StrEnum):
    WATCH = "watch"
    FEED = "feed"


class Share(NamedTuple):
    """A link: of a recipient's watch on `target_id`, or to a feed of a recipient's alerts (`address` None: everybody's)."""

    pk: int
    kind: ShareKind
    target_id: str | None
    address: str | None
    made_at: datetime


def hashed(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def add_token(con: sqlite3.Connection, name: str, secret: str, scope: Scope, now: datetime) -> None:
    """Store a token.

    Raises:
        InputError: there is one of this name.
    """
    row = (name, hashed(secret), scope, to_ms(now))
    if not con.execute("INSERT OR IGNORE INTO token (name, hash, scope, made_at) VALUES (?, ?, ?, ?)", row).rowcount:
        raise InputError(f"there is a token “{name}” already; `ytwatcher web token revoke {name}` ends it")


def scope_of(con: sqlite3.Connection, secret: str) -> Scope | None:
    row = con.execute("SELECT scope FROM token WHERE hash = ?", (hashed(secret),)).fetchone()
    return Scope(row[0]) if row else None


def tokens(con: sqlite3.Connection) -> list[Token]:
    rows = con.execute("SELECT name, scope, made_at FROM token ORDER BY made_at, name")
    return [Token(row["name"], Scope(row["scope"]), from_ms(row["made_at"])) for row in rows]


def revoke_token(con: sqlite3.Connection, name: str) -> bool:
    """Whether there was such a token."""
    return con.execute("DELETE FROM token WHERE name = ?", (name,)).rowcount > 0


def add_share(con: sqlite3.Connection, secret: str, target_id: str | None, address: str | None, now: datetime) -> Share:
    """Make a link to a watch, or, without a target, to a feed."""
    kind = ShareKind.FEED if target_id is None else ShareKind.WATCH
    row = (hashed(secret), kind, target_id, address, to_ms(now))
    cursor = con.execute("INSERT INTO share (hash, kind, target_id, address, made_at) VALUES (?, ?, ?, ?, ?)", row)
    return Share(int(cursor.lastrowid or 0), kind, target_id, address, now)


def shares(con: sqlite3.Connection) -> list[Share]:
    """Every link, in the order they were made."""
    return [_share(row) for row in con.execute("SELECT * FROM share ORDER BY pk")]


def find_share(con: sqlite3.Connection, secret: str, kind: ShareKind) -> Share | None:
    """The link of a secret, while what it shows is there: with a watch its link ends, also where it is made again later."""
    row = con.execute("SELECT * FROM share WHERE hash = ? AND kind = ?", (hashed(secret), kind)).fetchone()
    if row is None:
        return None
    found = _share(row)
    if found.kind is ShareKind.WATCH:
        assert found.target_id is not None and found.address is not None  # `add_share`'s callers name both
        watch = con.execute(
            "SELECT w.added_at FROM watch w JOIN target t ON t.pk = w.target_pk JOIN recipient c ON c.pk = w.recipient_pk"
            " WHERE t.id = ? AND c.address = ?",
            (found.target_id, recipients.current(con, found.address)),
        ).fetchone()
        return found if watch is not None and watch[0] <= to_ms(found.made_at) else None
    return found if found.address is None or recipients.find(con, found.address) is not None else None


def revoke_share(con: sqlite3.Connection, pk: int) -> bool:
    """Whether there was such a link."""
    return con.execute("DELETE FROM share WHERE pk = ?", (pk,)).rowcount > 0


def _share(row: sqlite3.Row) -> Share:
    return Share(row["pk"], ShareKind(row["kind"]), row["target_id"], row["address"], from_ms(row["made_at"]))
