"""Copies of a journal's file: made while others write to it, checked, and laid in its place."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ytwatcher.core.model import to_ms
from ytwatcher.store.subjects import at_or_none

_BESIDE = re.compile("-(journal|wal|shm)$")


class Contents(NamedTuple):
    """What a journal's file holds: its marks, the rows of every table, and when its newest reading was."""

    application_id: int
    schema: int
    rows: dict[str, int]
    newest_at: datetime | None


def contents(con: sqlite3.Connection) -> Contents:
    """Look at every table; of a file of another schema as well."""
    application_id, schema = (int(con.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version"))
    tables = [
        row[0] for row in con.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    ]
    rows = {table: int(con.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in tables}  # noqa: S608 - own names
    newest = con.execute("SELECT max(newest_at) FROM subject").fetchone()[0] if "subject" in rows else None
    return Contents(application_id, schema, rows, at_or_none(newest))


def faults(con: sqlite3.Connection, *, quick: bool = False) -> list[str]:
    """What SQLite finds wrong in the whole file; `quick` leaves out whether the indexes agree with their tables."""
    found = [row[0] for row in con.execute(f"PRAGMA {'quick_check' if quick else 'integrity_check'}(5)")]
    return [] if found == ["ok"] else found


def copy(source: sqlite3.Connection, target: Path) -> Contents:
    """Write one consistent snapshot of `source` to `target`, check it and only then give it its name. Other processes go on writing.

    Raises:
        sqlite3.DatabaseError: the source is damaged, or there is no room.
        OSError: the target cannot be written.
    """
    clear_up(target.parent, target.name)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # until we end, however we end: who clears up sees that somebody is at work
        with closing(sqlite3.connect(partial, isolation_level=None)) as made:
            with _snapshot(source):
                before = contents(source)
                source.backup(made)
            made.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
            found = faults(made)
            if found or contents(made) != before:
                raise sqlite3.DatabaseError(f"the copy is not like the journal: {'; '.join(found) or 'other rows'}")
        _name(partial, target)
    finally:
        _remove(partial)
        os.close(handle)
    return before


def clear_up(folder: Path, pattern: str) -> None:
    """Remove unfinished copies of that name that a killed process left. A container's processes have the same ids again and again."""
    for partial in {found.with_name(_BESIDE.sub("", found.name)) for found in folder.glob(f".{pattern}.*")}:
        try:
            handle = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:
            _remove(partial)  # only what was beside it is left
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(partial)
        except BlockingIOError:
            continue  # somebody is at work on it
        finally:
            os.close(handle)


def _remove(file: Path) -> None:
    """The file, and before it what SQLite keeps beside it."""
    for suffix in ("-journal", "-wal", "-shm", ""):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


@contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """A copy that nobody writes to, opened without leaving anything beside it."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)) as con:
        yield con


def put_in_place(file: Path, journal: Path, aside: Path | None) -> None:
    """Give a checked copy the journal's name; what had that name before gets the name `aside`, with what SQLite kept beside it.

    At every instant one of both is whole at its place: killed in between, it is done again.

    Raises:
        OSError: a file cannot be written or renamed.
    """
    if aside is not None:
        os.link(journal, aside)
        for suffix in ("-wal", "-shm"):
            # What is in a -wal belongs to the old file: beside the new one it would be written into it.
            beside = journal.with_name(journal.name + suffix)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + suffix))
    _name(file, journal)


def begin_anew(con: sqlite3.Connection, now: datetime) -> None:
    """Every rule takes the next reading for its baseline: what happened before `now` is told by nobody, for it may have been told.

    Messages that wait may have been sent since: they are sent, marked as perhaps a repetition.
    """
    con.execute("DELETE FROM rule_state")
    con.execute("UPDATE rule SET made_at = ? WHERE until_at IS NULL", (to_ms(now),))
    con.execute("UPDATE message SET unknowns = max(unknowns, 1) WHERE state IN ('pending', 'sending')")
    con.execute("UPDATE subject SET wanted_at = ?1, metadata_wanted_at = ?1 WHERE watched = 1", (to_ms(now),))


@contextmanager
def _snapshot(con: sqlite3.Connection) -> Iterator[None]:
    """One view of the file for all that is read of it; inside a transaction it is that one's."""
    if con.in_transaction:
        yield
        return
    con.execute("BEGIN")
    try:
        yield
    finally:
        con.execute("ROLLBACK")


def _name(file: Path, name: Path) -> None:
    """Rename for good: what has the name afterwards survives a power cut."""
    _sync(file)
    file.replace(name)
    _sync(name.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
