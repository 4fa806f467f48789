"""Backups of the journal: made while others write to it, kept by number, and put back in its place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ytwatcher.errors import InputError, StorageError
from ytwatcher.store import snapshot
from ytwatcher.store.db import APPLICATION_ID, connect, migrations, open_journal, storage_errors, tables_of, transaction
from ytwatcher.store.snapshot import Contents

PATTERN = "ytwatcher-????????T??????Z.db"
"""The names of backups that nobody gave a name to: only those are ever deleted."""


class Restored(NamedTuple):
    """What was put in the journal's place, and where the file is that was there (None: there was none)."""

    contents: Contents
    aside: Path | None


def name_for(now: datetime) -> str:
    return f"ytwatcher-{now:%Y%m%dT%H%M%SZ}.db"


def kept(folder: Path) -> list[Path]:
    """The backups in the folder, oldest first."""
    return sorted(folder.glob(PATTERN)) if folder.is_dir() else []


def made_at(backup: Path) -> datetime:
    """When a backup of such a name was made."""
    return datetime.strptime(f"{backup.name.removeprefix('ytwatcher-')[:15]}+0000", "%Y%m%dT%H%M%S%z")


def newest(folder: Path) -> Path | None:
    found = kept(folder)
    return found[-1] if found else None


def advice(folder: Path) -> str:
    """What to do about a journal that cannot be used."""
    backup = newest(folder)
    if backup is None:
        return f"There is no backup in {folder}. Restore a copy of your own: ytwatcher restore FILE"
    return f"The newest backup is {backup}, of {made_at(backup):%Y-%m-%d %H:%M} UTC. To put it back: ytwatcher restore {backup}"


def make(journal: Path, target: Path) -> Contents:
    """Write a checked copy of the journal to `target`. Whoever works on the journal goes on meanwhile.

    Raises:
        StorageError: there is no journal, it is damaged, or the copy cannot be written.
    """
    if not journal.exists():
        raise StorageError(f"{journal}: there is no journal yet, so there is nothing to copy")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(connect(journal)) as connection, storage_errors(journal):
            return snapshot.copy(connection, target)
    except OSError as error:
        raise StorageError(f"{target}: the backup cannot be written: {error.strerror}") from error


def make_and_keep(journal: Path, folder: Path, keep: int, now: datetime) -> Path:
    """One more backup in the folder; of all those in it the newest `keep` stay.

    Raises:
        StorageError: see `make`; nothing was deleted.
    """
    target = folder / name_for(now)
    make(journal, target)
    snapshot.clear_up(folder, PATTERN)
    for old in kept(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return target


def check(file: Path) -> Contents:
    """Look at all of a backup, and say what it holds. Nothing is written.

    Raises:
        InputError: it is no backup that could be restored here.
    """
    try:
        size = file.stat().st_size
        with snapshot.read_only(file) as con:
            found, faults = snapshot.contents(con), snapshot.faults(con)
    except (OSError, sqlite3.DatabaseError) as error:
        raise InputError(f"{file}: cannot be read as a backup: {getattr(error, 'strerror', None) or error}") from error
    if not size or found.application_id != APPLICATION_ID:
        raise InputError(f"{file}: is not a backup of YT Watcher's journal")
    if found.schema > len(migrations()):
        raise InputError(f"{file}: was made by a newer YT Watcher (schema {found.schema}, this one knows {len(migrations())}); upgrade it")
    lost = sorted(tables_of(found.schema) - found.rows.keys())
    if lost or not found.schema:
        what = f"the table “{lost[0]}” is missing" if lost else "its schema (PRAGMA user_version) is not set"
        raise InputError(f"{file}: is not a whole journal: {what}")
    if faults:
        raise InputError(f"{file}: is damaged ({faults[0].splitlines()[-1]}); take another one")
    return found


def restore(journal: Path, file: Path, now: datetime, *, moved: bool) -> Restored:
    """Put a backup in the journal's place; the caller holds the lease. The file that was there is kept under another name.

    Args:
        moved: nothing was read or told since the backup was made: rules go on where they stood. Otherwise each begins anew with
            the next reading.

    Raises:
        InputError: it is no backup that could be restored here; nothing was changed.
        StorageError: a file cannot be written.
    """
    found = check(file)
    fresh = journal.with_name(f"{journal.name}.restoring")
    aside = journal.with_name(f"{journal.name}.replaced-{now:%Y%m%dT%H%M%SZ}") if journal.exists() else None
    _forget(fresh)  # a killed one's -wal would be written into ours
    try:
        with snapshot.read_only(file) as source, storage_errors(fresh):
            snapshot.copy(source, fresh)
        with closing(open_journal(fresh)) as con:  # of an older schema, too
            if not moved:
                with transaction(con, fresh, "IMMEDIATE"):
                    snapshot.begin_anew(con, now)
            with storage_errors(fresh):
                con.execute("PRAGMA journal_mode = DELETE")
        snapshot.put_in_place(fresh, journal, aside)
    except OSError as error:
        raise StorageError(f"{journal}: the backup cannot be put in its place: {error.strerror}") from error
    finally:
        _forget(fresh)
    return Restored(found, aside)


def _forget(fresh: Path) -> None:
    for leftover in fresh.parent.glob(f"{fresh.name}*"):
        leftover.unlink(missing_ok=True)
