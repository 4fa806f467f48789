"""What a command wants from the process that holds the lease, and its answer."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ytwatcher.core.model import to_ms

KEPT = timedelta(days=1)


class Request(NamedTuple):
    pk: int
    kind: str
    payload: dict[str, Any]


def put(con: sqlite3.Connection, kind: str, payload: dict[str, Any], now: datetime) -> int:
    """Write down what is wanted; returns its number."""
    cursor = con.execute(
        "INSERT INTO request (kind, payload, made_at) VALUES (?, ?, ?)", (kind, json.dumps(payload, ensure_ascii=False), to_ms(now))
    )
    return int(cursor.lastrowid or 0)


def waiting(con: sqlite3.Connection) -> list[Request]:
    """The requests without an answer, oldest first."""
    rows = con.execute("SELECT pk, kind, payload FROM request WHERE done_at IS NULL ORDER BY pk")
    return [Request(row["pk"], row["kind"], json.loads(row["payload"])) for row in rows]


def answer(con: sqlite3.Connection, pk: int, result: dict[str, Any], now: datetime) -> None:
    """Store the answer, and forget requests of the day before."""
    con.execute("UPDATE request SET result = ?, done_at = ? WHERE pk = ?", (json.dumps(result, ensure_ascii=False), to_ms(now), pk))
    con.execute("DELETE FROM request WHERE done_at < ?", (to_ms(now - KEPT),))


def withdraw(con: sqlite3.Connection, pk: int) -> None:
    """Take a request back."""
    con.execute("DELETE FROM request WHERE pk = ?", (pk,))


def result(con: sqlite3.Connection, pk: int) -> dict[str, Any] | None:
    """The answer, or None while there is none."""
    row = con.execute("SELECT result FROM request WHERE pk = ?", (pk,)).fetchone()
    found: dict[str, Any] | None = json.loads(row["result"]) if row and row["result"] else None
    return found
