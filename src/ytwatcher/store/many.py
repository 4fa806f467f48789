"""Many rows at once: much of a short statement's time is its beginning and its end, so each is run for some rows together."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

TOGETHER = 50
"""Rows in a statement; more are hardly faster, and every SQLite takes so many values."""


def run(con: sqlite3.Connection, statement: str, rows: Sequence[Sequence[object]]) -> int:
    """Run a statement on all of these rows; returns how many rows of the table it made or changed.

    Args:
        statement: with `{rows}` in the place of the rows' values.
    """
    stored = 0
    for first in range(0, len(rows), TOGETHER):
        some = rows[first : first + TOGETHER]
        stored += con.execute(_with_marks(statement, len(some), len(some[0])), [value for row in some for value in row]).rowcount
    return stored


@lru_cache(maxsize=256)
def _with_marks(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([row] * rows))
