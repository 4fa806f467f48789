"""What the bot asked somebody and waits to be answered in a message: it survives a restart, and it expires."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ytwatcher.core.model import to_ms

MOST = 10_000
"""However many people are asked at once; then the oldest questions are forgotten."""


class Question(NamedTuple):
    """`topic` says who takes the answer, `facts` what it is about."""

    topic: str
    facts: Mapping[str, Any]


def ask(con: sqlite3.Connection, address: str, user_id: int, question: Question, until_at: datetime, now: datetime) -> None:
    """The next message of that person there is the answer; an older question is forgotten."""
    con.execute("DELETE FROM question WHERE until_at <= ?", (to_ms(now),))
    con.execute(
        "INSERT OR REPLACE INTO question VALUES (?, ?, ?, ?, ?)",
        (address, user_id, question.topic, json.dumps(question.facts, ensure_ascii=False), to_ms(until_at)),
    )
    con.execute(
        "DELETE FROM question WHERE (address, user_id) IN (SELECT address, user_id FROM question ORDER BY until_at DESC LIMIT -1 OFFSET ?)",
        (MOST,),
    )


def asked(con: sqlite3.Connection, address: str, user_id: int, now: datetime) -> Question | None:
    """What that person was asked there, and has not answered."""
    row = con.execute(
        "SELECT topic, facts FROM question WHERE address = ? AND user_id = ? AND until_at > ?", (address, user_id, to_ms(now))
    ).fetchone()
    return None if row is None else Question(row[0], json.loads(row[1]))


def forget(con: sqlite3.Connection, address: str, user_id: int) -> None:
    """It was answered, or is not wanted any more."""
    con.execute("DELETE FROM question WHERE address = ? AND user_id = ?", (address, user_id))
