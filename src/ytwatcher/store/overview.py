"""What a look at the whole journal shows: for `ytwatcher status`."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import NamedTuple

from ytwatcher.core.model import from_ms, to_ms
from ytwatcher.core.phrases import put_together
from ytwatcher.store.db import migrations
from ytwatcher.store.subjects import at_or_none


class Notice(NamedTuple):
    """What the operator was told about the service itself."""

    at: datetime
    text: str


class Unsettled(NamedTuple):
    """Videos of which a value waits for a second reading, that are missing and wait for proof, and that have vanished."""

    waiting: int
    missing: int
    vanished: int


def oldest_reading_at(con: sqlite3.Connection) -> datetime | None:
    """Since when there are readings."""
    return at_or_none(con.execute("SELECT min(from_at) FROM reading").fetchone()[0])


def notices(con: sqlite3.Connection, most: int) -> list[Notice]:
    """The newest notices, newest first; test messages are not among them."""
    rows = con.execute(
        "SELECT made_at, facts FROM alert WHERE kind = 'notice' AND facts IS NOT NULL AND id NOT LIKE 'notice:test:%'"
        " ORDER BY pk DESC LIMIT ?",
        (most,),
    )
    return [Notice(from_ms(row["made_at"]), put_together(json.loads(row["facts"])[0])) for row in rows]


def unsettled(con: sqlite3.Connection) -> Unsettled:
    """How many watched subjects are not as they seem; their state is JSON (see store/subjects.py)."""
    row = con.execute(
        "SELECT coalesce(sum(EXISTS (SELECT 1 FROM json_each(s.state) m WHERE m.key <> 'presence' AND json_extract(m.value, '$[6]')"
        " IS NOT NULL)), 0), coalesce(sum(json_extract(s.state, '$.presence[0]') IS NOT NULL AND json_extract(s.state, '$.presence[1]')"
        " IS NULL), 0), coalesce(sum(json_extract(s.state, '$.presence[1]') IS NOT NULL), 0) FROM subject s WHERE s.watched = 1"
    ).fetchone()
    return Unsettled(*row)


class Stuck(NamedTuple):
    """Since when the oldest news waits to be sent, and what went wrong with it last."""

    since_at: datetime
    error: str | None


def oldest_unsent(con: sqlite3.Connection) -> Stuck | None:
    """The oldest alert or message that may leave and has not; what is held until an instant is not meant."""
    row = con.execute(
        "SELECT made_at, last_error FROM message WHERE state IN ('pending', 'sending')"
        " UNION ALL SELECT made_at, NULL FROM alert WHERE state IN ('waiting', 'held') AND state = 'waiting' ORDER BY 1 LIMIT 1"
    ).fetchone()
    return None if row is None else Stuck(from_ms(row[0]), row[1])


class Inspection(NamedTuple):
    """The journal's file as SQLite sees it; `faults` is empty where all is well."""

    schema: int
    newest_schema: int
    mode: str
    faults: tuple[str, ...]


def inspect(con: sqlite3.Connection) -> Inspection:
    """Look the file through; on a large one that takes a moment."""
    found = [str(row[0]) for row in con.execute("PRAGMA quick_check(5)")]
    return Inspection(
        con.execute("PRAGMA user_version").fetchone()[0],
        len(migrations()),
        con.execute("PRAGMA journal_mode").fetchone()[0],
        tuple(text for text in found if text != "ok"),
    )


class Lane(NamedTuple):
    """One kind of API work: over how many subjects or lists, when it was last done, and how much of it is asked for out of turn."""

    name: str
    of: int
    last_at: datetime | None
    wanted: int


def lanes(con: sqlite3.Connection, now: datetime) -> list[Lane]:
    """Each lane, as the journal has it; looks at every subject, so not for every call."""
    what = "FROM subject WHERE watched = 1 AND kind ="
    lists = "FROM target WHERE list_id IS NOT NULL AND pk IN (SELECT target_pk FROM watch)"
    rows = con.execute(
        # The columns and tables are this module's own.
        f"SELECT 'statistics', count(*), max(read_at), coalesce(sum(wanted_at <= ?1), 0) {what} 'video'"
        f" UNION ALL SELECT 'metadata', count(*), max(metadata_at), coalesce(sum(metadata_wanted_at <= ?1), 0) {what} 'video'"
        f" UNION ALL SELECT 'channels', count(*), max(read_at), coalesce(sum(wanted_at <= ?1), 0) {what} 'channel'"
        f" UNION ALL SELECT 'membership', count(*), max(listed_at), coalesce(sum(wanted_at <= ?1), 0) {lists}",
        (to_ms(now),),
    )
    return [Lane(row[0], row[1], at_or_none(row[2]), row[3]) for row in rows]


class File(NamedTuple):
    """The journal's file: its size in bytes, how much of that is free inside, and the version of its schema."""

    size: int
    free: int
    schema: int


def file(con: sqlite3.Connection) -> File:
    pages, free, size, schema = (
        con.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size", "user_version")
    )
    return File(pages * size, free * size, schema)
