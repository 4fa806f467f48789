"""Files that a command writes: whole or not at all, and never over what the program lives by."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ytwatcher.app import journal_path
from ytwatcher.commands.context import Context
from ytwatcher.errors import InputError, StorageError

PRIVATE, PUBLIC = 0o600, 0o644


def check_output(here: Context, path: Path) -> None:
    """Raises InputError: the file is the journal, one beside it, or the configuration."""
    journal = journal_path(here.settings)
    own = {journal.with_name(journal.name + suffix): "journal" for suffix in ("", "-wal", "-shm", ".lock")}
    if here.settings.file is not None:
        own[here.settings.file] = "configuration"
    for one, what in own.items():
        if path.exists() and one.exists() and path.samefile(one):
            raise InputError(f"{path}: is YT Watcher's own {what}; name another file")


@contextmanager
def written(here: Context, path: Path, mode: int) -> Iterator[Path]:
    """The file to write to, which then takes the place of `path`; a pipe or a device is written to as it is.

    Raises:
        InputError: see `check_output`.
        StorageError: it cannot be written; what was there is there still.
    """
    check_output(here, path)
    try:
        if path.exists() and not path.is_file():
            yield path
            return
        path = path.resolve()  # what a link points at is meant
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            yield Path(name)
            Path(name).chmod(mode)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
