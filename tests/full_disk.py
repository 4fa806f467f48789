"""A journal without room: SQLite itself says so, to everything that is written."""

from __future__ import annotations

import sqlite3


def run_out(con: sqlite3.Connection) -> None:
    """From here on SQLite itself says that the disk is full, to everything that is written: each row asks for a page, and there is none."""
    con.execute("CREATE TABLE IF NOT EXISTS ballast (bytes BLOB)")
    for table in ("reading", "subject", "ledger", "alert", "message"):
        for event in ("INSERT", "UPDATE"):
            con.execute(
                f"CREATE TRIGGER IF NOT EXISTS {event}_{table} AFTER {event} ON {table}"
                " BEGIN INSERT INTO ballast VALUES (zeroblob(20000)); END"
            )
    con.execute(f"PRAGMA max_page_count = {con.execute('PRAGMA page_count').fetchone()[0]}")


def make_room(con: sqlite3.Connection) -> None:
    con.execute("PRAGMA max_page_count = 1000000")
