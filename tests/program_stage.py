"""A program with a token, and the locked site that it asks: what the tests of the API stand on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from web_stage import Site, site
from ytwatcher.core.model import to_ms
from ytwatcher.simulator import make_video_id
from ytwatcher.store import tokens
from ytwatcher.store.tokens import Scope
from ytwatcher.tls import trusted

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PASSWORD = "a long enough password"
HOSTILE = "</title><script>alert(1)</script>\u202e\u0007😀 ]]> &amp; \"'\uffff"


def add_tokens(con: sqlite3.Connection) -> None:
    for scope in Scope:
        tokens.add_token(con, f"for {scope}", f"secret-{scope}", scope, NOW)


def add_alerts(con: sqlite3.Connection, count: int = 5) -> None:
    """So many alerts of the first video's first rule, an hour apart; the second of them went to a message that is dead."""
    recipient = con.execute("SELECT pk FROM recipient").fetchone()[0]
    con.execute(
        "INSERT INTO message (pk, recipient_pk, text, plain, state, attempts, made_at, next_at, last_error)"
        " VALUES (7, ?, 'x', 'x', 'dead', 3, ?2, ?2, 'refused')",
        (recipient, to_ms(NOW)),
    )
    for n in range(count):
        at = to_ms(NOW) + n * 3_600_000
        con.execute(
            "INSERT INTO alert (id, recipient_pk, target_pk, rule_id, subject_id, kind, metric, previous, current, observed_at, mark,"
            " made_at, state, message_pk) VALUES (?, ?, 1, 'r1', ?, 'milestones', 'views', 900, 1000, ?, 1000, ?, ?, ?)",
            (f"r1:x:{n}", recipient, make_video_id(1), at, at, "message" if n == 1 else "waiting", 7 if n == 1 else None),
        )


@contextmanager
def locked(folder: Path, scope: Scope | None = Scope.ADMIN, **more: Any) -> Iterator[tuple[Site, httpx.Client]]:
    """A site that others can reach, with three tokens; and a program that has one of them, or none."""

    def prepare(con: sqlite3.Connection) -> None:
        add_tokens(con)
        if more.get("videos"):
            add_alerts(con)

    headers = {"authorization": f"Bearer secret-{scope}"} if scope else {}
    wanted = {"WEB__PASSWORD": PASSWORD, **more.pop("more_settings", {})}
    with (
        site(folder, settings=wanted, listen_on="0.0.0.0", prepare=prepare, **more) as s,
        httpx.Client(base_url=s.url, headers=headers, timeout=30, verify=trusted()) as program,
    ):
        yield s, program
