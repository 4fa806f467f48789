"""The journal's file: opening, migrating, one writer thread, one reader thread."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ytwatcher.errors import DamageError, DiskFullError, LeaseError, StorageError
from ytwatcher.store import snapshot

P = ParamSpec("P")
T = TypeVar("T")

APPLICATION_ID = 0x59545741  # "YTWA"
BUSY_MS = 10_000
ASK_AGAIN = 0.02
WHOLE_LOOK = 16 * 2**20
"""A command that only looks reads the whole file first up to this size; in a bigger one it finds damage where it comes across it."""
HOLDERS_LOOK = 64 * 2**20
"""Up to this size whoever holds the lease reads the whole file first in any case; a bigger one only where it was not closed properly."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}


MOST_TOGETHER = 32
"""How many brief writes share one transaction at most."""


@dataclass(slots=True)
class _Write:
    """A write that waits for its turn; a brief one may share its transaction with its neighbours."""

    work: Callable[[sqlite3.Connection], Any]
    brief: bool
    outcome: Future[Any] = field(default_factory=Future)


def migrations() -> list[str]:
    """The migration scripts, in order; the file's `user_version` is how many of them it has seen."""
    folder = resources.files("ytwatcher.store").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [folder.joinpath(name).read_text(encoding="utf-8") for name in names]


def tables_of(schema: int) -> set[str]:
    """The tables that a journal of this schema has."""
    with closing(sqlite3.connect(":memory:")) as con:
        for script in migrations()[:schema]:
            con.executescript(script)
        return {row[0] for row in con.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")}


class Database:
    """One SQLite file in WAL mode.

    Everything that touches SQL is a plain function whose first argument is a connection. `write` runs it on the one
    writer thread inside BEGIN IMMEDIATE, `write_brief` in one that is shared with other brief ones; `read` runs it on the reader thread
    in a transaction of its own.
    Whoever opens it holds the lease, or has the file alone: it is looked at first (`open_as_holder`), and its schema is brought to the
    newest one.

    `when_full` is awaited when there is no room for a write, which is then tried again; None: the caller gets the error.
    `written` is called after each write that was stored.

    Raises:
        StorageError: the file cannot be opened, is damaged, is not a journal, or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.when_full: Callable[[DiskFullError], Awaitable[None]] | None = None
        self.written: Callable[[], None] | None = None
        self._waiting: deque[_Write] = deque()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        try:
            self._write_con = self._writer.submit(open_as_holder, path).result()
            self._read_con = self._reader.submit(connect, path).result()
            self._place = _place(path)
        except BaseException:
            self._writer.shutdown()
            self._reader.shutdown()
            raise

    async def write(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(connection, …)` in one transaction; all of it is stored or nothing is.

        Raises:
            StorageError: it could not be stored, or the file is not at its place any more.
        """
        return await self._stored(lambda con: function(con, *args, **kwargs), brief=False)

    async def write_brief(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a write of a few rows: those that queue one behind the other are stored together, with one wait for the disk.

        Each is all stored or not at all, and none returns before it is on the disk.

        Raises:
            StorageError: as of `write`.
        """
        return await self._stored(lambda con: function(con, *args, **kwargs), brief=True)

    async def _stored(self, work: Callable[[sqlite3.Connection], T], *, brief: bool) -> T:
        while True:
            write = _Write(work, brief)
            self._waiting.append(write)
            self._writer.submit(self._write_next)
            try:
                # Shielded: a stopping loop must not lose the outcome of what was already decided.
                done: T = await asyncio.shield(asyncio.wrap_future(write.outcome))
                if self.written is not None:
                    self.written()
                return done
            except DiskFullError as error:
                if self.when_full is None:
                    raise
                await self.when_full(error)

    def _write_next(self) -> None:
        """On the writer thread, once for each write that was queued: do the oldest, with the brief ones that follow a brief one."""
        together: list[_Write] = []
        while self._waiting and len(together) < MOST_TOGETHER and (not together or (together[0].brief and self._waiting[0].brief)):
            write = self._waiting.popleft()
            write.outcome.set_running_or_notify_cancel()  # from here on nobody can call it off
            together.append(write)
        if not together:
            return  # done together with an earlier one
        try:
            if _place(self.path) != self._place:
                raise StorageError(f"{self.path}: was moved or replaced while this process works on it; put it back, or start anew")
            with transaction(self._write_con, self.path, "IMMEDIATE"):
                tell = _run(self._write_con, self.path, together)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the write was asked for
            tell = [partial(write.outcome.set_exception, error) for write in together]
        for one in tell:
            one()

    async def read(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(connection, …)` on one consistent snapshot."""

        def job() -> T:
            with transaction(self._read_con, self.path, "DEFERRED"):
                return function(self._read_con, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._reader, job)

    def close(self) -> None:
        """Wait for the writes in hand and close the file."""
        for executor, connection in ((self._reader, self._read_con), (self._writer, self._write_con)):
            executor.submit(connection.close).result()
            executor.shutdown()


def _run(connection: sqlite3.Connection, path: Path, writes: Sequence[_Write]) -> list[Callable[[], None]]:
    """Run the writes of one transaction; returns what tells each of them its outcome, for after the commit.

    A write that fails among others is undone alone, unless SQLite has undone the whole transaction: then all of them fail.
    """
    if len(writes) == 1:
        return [partial(writes[0].outcome.set_result, writes[0].work(connection))]
    tell: list[Callable[[], None]] = []
    for write in writes:
        connection.execute("SAVEPOINT one")
        try:
            with storage_errors(path):
                tell.append(partial(write.outcome.set_result, write.work(connection)))
        except Exception as error:
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO one")
            tell.append(partial(write.outcome.set_exception, error))
        connection.execute("RELEASE one")
    return tell


def open_journal(path: Path) -> sqlite3.Connection:
    """Open the file beside whoever holds the lease; where it is of an older schema and nobody does, bring it to the newest one.

    Raises:
        LeaseError: it is of an older schema, and the process that works on it is of that older version.
        StorageError: see `Database`.
    """
    connection = connect(path)
    try:
        if path.stat().st_size <= WHOLE_LOOK:
            _refuse_damaged(connection, path)
        if 0 < _schema(connection, path) < len(migrations()):
            _migrate_as_holder(connection, path)
        else:
            _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_as_holder(path: Path) -> sqlite3.Connection:
    """Open the file for the holder of the lease: all of it is looked at before anything is written.

    Of a big one that takes long. It is left out where the file was closed properly and its schema stays: then damage is found where it
    is come across, and by the next backup.

    Raises:
        StorageError: see `Database`.
    """
    closed = not _left_open(path)
    connection = connect(path)
    try:
        if not closed or path.stat().st_size <= HOLDERS_LOOK or _schema(connection, path) != len(migrations()):
            _refuse_damaged(connection, path)
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Open the file as it is, whatever its schema; one that is not there yet is made, empty.

    Raises:
        StorageError: see `Database`.
    """
    with storage_errors(path):
        new = not path.exists()
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=True, timeout=BUSY_MS / 1000)
        try:
            connection.row_factory = sqlite3.Row
            _refuse_foreign(connection, path)
            if new:
                path.chmod(0o600)  # chat ids and titles are nobody else's business
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """As `busy_timeout` would: where two processes open a new file at once, SQLite refuses one of them without waiting."""
    ends_at = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends_at:
                raise
            time.sleep(ASK_AGAIN)
        else:
            return


def _left_open(path: Path) -> bool:
    """Whether SQLite's log lies beside the file: the last process ended without closing it, or another one has it open."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > 0


def _place(path: Path) -> tuple[int, int] | None:
    """What the name stands for at present, as device and inode."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Before anything is written: somebody else's file must not even change its journal mode."""
    with transaction(connection, path, "DEFERRED"):  # another process may make a new file's tables between the two looks
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and tables:
        raise StorageError(f"{path}: this is an SQLite file, but not a journal of YT Watcher; name another with --data DIR")


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    with storage_errors(path):
        faults = snapshot.faults(connection, quick=True)
    if faults:
        raise _damage(path, faults[0].splitlines()[-1])


def _schema(connection: sqlite3.Connection, path: Path) -> int:
    with storage_errors(path):
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate_as_holder(connection: sqlite3.Connection, path: Path) -> None:
    """The schema is never changed under a running process: it would go on by the old one."""
    lease = Lease(path)
    try:
        if not lease.take():
            raise LeaseError(
                f"{path}: the process that works on it is of another version than this command (schema"
                f" {_schema(connection, path)}, here {len(migrations())}); restart it, or stop it, first"
            )
        _migrate(connection, path)
    finally:
        lease.release()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest schema in one transaction; a copy of it as it was is laid beside it before."""
    scripts, version = migrations(), _schema(connection, path)
    if version > len(scripts):
        raise StorageError(f"{path}: written by a newer YT Watcher (schema {version}, this one knows {len(scripts)}); upgrade the program")
    if version == len(scripts):
        return  # nothing to write: a look at the journal needs neither the writer's turn nor space on the disk
    if version:
        with storage_errors(path):
            snapshot.copy(connection, path.with_name(f"{path.name}.schema-{version}"))
    with transaction(connection, path, "IMMEDIATE"):
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have made a new file's tables meanwhile
        for number, script in enumerate(scripts[version:], start=version + 1):
            for statement in statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def statements(script: str) -> Iterator[str]:
    """The script's single statements: `executescript` would end the transaction that guards the migration."""
    buffer = ""
    for line in script.splitlines(keepends=True):
        buffer += line
        if sqlite3.complete_statement(buffer):
            yield buffer
            buffer = ""


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path, mode: str) -> Iterator[None]:
    with storage_errors(path):
        connection.execute(f"BEGIN {mode}")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Translate what SQLite says of the file or the disk; a programming error stays what it is."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        if isinstance(error, (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError)):
            raise
        raise _translated(path, error) from error


def _translated(path: Path, error: sqlite3.DatabaseError) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in _DAMAGED:
        return _damage(path, str(error))
    if code in _FULL:
        return DiskFullError(f"{path}: cannot be written, the disk is full or its quota is ({error}); make room")
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        return StorageError(f"{path}: {error}; see that this user may write the file and its folder, and that the disk is not read-only")
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return StorageError(f"{path}: {error}: another process has been writing to it for {BUSY_MS // 1000} seconds; try again")
    return StorageError(f"{path}: {error}")


def _damage(path: Path, what: str) -> DamageError:
    return DamageError(f"{path}: the file is damaged ({what}). Nothing was written to it")


class Lease:
    """The right to read, accept and send with one journal: a lock on a file beside it, gone with its process."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(path.suffix + ".lock")
        self._file: int | None = None

    def take(self) -> bool:
        """Whether the lease is ours now; False while another process holds it."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def take_or_refuse(self) -> None:
        """Take the lease.

        Raises:
            LeaseError: another process holds it.
        """
        if not self.take():
            raise LeaseError(f"{self._path}: another YT Watcher process works on this journal")

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
