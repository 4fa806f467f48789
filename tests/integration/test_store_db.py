"""The journal's file: opening, refusing, migrating, transactions and the lease."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ytwatcher.errors import DamageError, LeaseError, StorageError
from ytwatcher.store.db import APPLICATION_ID, Database, Lease, migrations, open_journal, statements


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def pragma(con: sqlite3.Connection, name: str) -> object:
    return con.execute(f"PRAGMA {name}").fetchone()[0]


def put(con: sqlite3.Connection, key: str, value: str) -> None:
    con.execute("INSERT INTO fact (key, value) VALUES (?, ?)", (key, value))


def facts(con: sqlite3.Connection) -> dict[str, str]:
    return {row["key"]: row["value"] for row in con.execute("SELECT key, value FROM fact")}


def test_a_new_journal_has_the_newest_schema_and_is_its_owners_alone(path: Path) -> None:
    con = open_journal(path)
    assert pragma(con, "application_id") == APPLICATION_ID
    assert pragma(con, "user_version") == len(migrations())
    assert (pragma(con, "journal_mode"), pragma(con, "foreign_keys"), pragma(con, "synchronous")) == ("wal", 1, 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    con.close()


def test_opening_again_changes_neither_schema_nor_contents(path: Path) -> None:
    def schema(con: sqlite3.Connection) -> list[str]:
        return [row[0] for row in con.execute("SELECT sql FROM sqlite_schema ORDER BY name")]

    con = open_journal(path)
    put(con, "a", "1")
    before = schema(con)
    con.close()
    con = open_journal(path)
    assert (schema(con), facts(con)) == (before, {"a": "1"})
    con.close()


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()
    con = open_journal(path)
    assert pragma(con, "application_id") == APPLICATION_ID
    con.close()


def test_a_new_file_that_another_process_is_writing_to_is_waited_for(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.3, lambda: other.execute("COMMIT"))  # SQLite itself would not wait here, however short that is
    ending.start()
    con = open_journal(path)
    ending.join()
    assert pragma(con, "journal_mode") == "wal"
    con.close()
    other.close()


def test_somebody_elses_database_is_refused_and_stays_as_it_is(path: Path) -> None:
    con = sqlite3.connect(path)
    con.execute("CREATE TABLE recipe (name TEXT)")
    con.commit()
    con.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a journal of YT Watcher"):
        open_journal(path)
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_program_is_refused(path: Path) -> None:
    con = open_journal(path)
    con.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    con.close()
    with pytest.raises(StorageError, match="newer YT Watcher"):
        open_journal(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def garbage(path: Path) -> None:
    path.write_bytes(b"these are not the bytes of a database\n" * 200)


def torn(path: Path) -> None:
    """A journal whose pages after the first were overwritten."""
    open_journal(path).close()
    data = path.read_bytes()
    path.write_bytes(data[:200] + b"\xff" * (len(data) - 200))


@pytest.mark.parametrize("spoil", [a_folder, garbage, torn])
def test_a_file_that_cannot_be_used_is_named(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    with pytest.raises(StorageError, match=r"journal\.db: "):
        Database(path)


@pytest.mark.parametrize("parent", ["missing", "a file"])
def test_a_journal_in_no_folder_is_named(tmp_path: Path, parent: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(StorageError, match=r"journal\.db: "):
        Database(tmp_path / parent / "journal.db")


def test_pages_that_break_later_are_reported_by_the_files_name(path: Path) -> None:
    con = open_journal(path)
    for number in range(50):
        put(con, f"key {number}", "x" * 500)
    con.close()

    def spoil(con: sqlite3.Connection) -> None:
        data = path.read_bytes()
        pages = [data[i : i + 4096] for i in range(0, len(data), 4096)]
        path.write_bytes(b"".join(b"\xff" * 4096 if b"x" * 500 in page else page for page in pages))

    async def go() -> None:
        db = Database(path)
        await db.read(spoil)
        await db.write(lambda con: con.execute("PRAGMA shrink_memory"))  # pages of the whole file that it had looked at
        with pytest.raises(DamageError, match=r"journal\.db: the file is damaged"):
            await db.read(facts)
        with pytest.raises(DamageError, match=r"journal\.db: the file is damaged"):
            await db.write(put, "key 1", "y")
        db.close()

    asyncio.run(go())


def test_a_file_that_may_only_be_read_is_named_with_what_to_see_to(path: Path) -> None:
    async def go() -> None:
        db = Database(path)
        await db.write(lambda con: con.execute("PRAGMA query_only = ON"))
        with pytest.raises(StorageError, match=r"journal\.db: .*see that this user may write the file and its folder"):
            await db.write(put, "a", "1")
        db.close()

    asyncio.run(go())


def test_a_script_is_cut_into_its_statements() -> None:
    script = "CREATE TABLE a (t TEXT DEFAULT ';'); -- one; two\nCREATE TRIGGER b AFTER INSERT ON a BEGIN\n  DELETE FROM a;\nEND;\n"
    cut = list(statements(script))
    assert len(cut) == 2
    assert "".join(cut) == script
    assert cut[1].startswith("CREATE TRIGGER")


def test_all_of_a_write_is_stored_or_nothing_is(path: Path) -> None:
    def put_and_fail(con: sqlite3.Connection) -> None:
        put(con, "b", "2")
        raise ValueError("no")

    async def go() -> None:
        db = Database(path)
        await db.write(put, "a", "1")
        with pytest.raises(ValueError, match="no"):
            await db.write(put_and_fail)
        with pytest.raises(sqlite3.IntegrityError):
            await db.write(put, "a", "again")
        await db.write(put, "c", "3")
        assert await db.read(facts) == {"a": "1", "c": "3"}
        db.close()

    asyncio.run(go())


async def queued(db: Database, *writes: Callable[[sqlite3.Connection], object]) -> list[object]:
    """Brief writes that all wait while another one is at work; their results or what they raised."""
    waiting = threading.Event()

    def in_hand(con: sqlite3.Connection) -> None:
        assert waiting.wait(120)

    first = asyncio.create_task(db.write(in_hand))
    others = [asyncio.create_task(db.write_brief(write)) for write in writes]
    await asyncio.sleep(0)  # each task runs up to where it waits for its outcome
    waiting.set()
    await first
    return await asyncio.gather(*others, return_exceptions=True)


def test_brief_writes_that_queue_share_a_transaction_and_one_that_fails_is_undone_alone(path: Path) -> None:
    said: list[str] = []

    def fails(con: sqlite3.Connection) -> None:
        put(con, "b", "half")
        raise LookupError

    async def play() -> None:
        db = Database(path)
        await db.write(lambda con: con.set_trace_callback(said.append))
        done = await queued(db, lambda con: put(con, "a", "1"), fails, lambda con: put(con, "c", "3"), lambda con: put(con, "c", "twice"))
        await db.write(lambda con: con.set_trace_callback(None))
        assert [type(one) for one in done] == [type(None), LookupError, type(None), sqlite3.IntegrityError]
        assert await db.read(facts) == {"a": "1", "c": "3"}
        db.close()

    asyncio.run(play())
    assert said.count("BEGIN IMMEDIATE") == 3  # of the write in hand, of the four together, and of the last one


def test_what_keeps_a_shared_transaction_from_being_stored_fails_all_of_it(path: Path) -> None:
    def breaks_at_the_commit(con: sqlite3.Connection) -> None:
        con.execute("PRAGMA defer_foreign_keys = ON")
        con.execute("INSERT INTO watch (target_pk, recipient_pk, added_at) VALUES (1, 1, 0)")

    def ends_the_transaction(con: sqlite3.Connection) -> None:
        con.execute("ROLLBACK")  # as SQLite does by itself when the disk fails
        raise LookupError

    async def play() -> None:
        db = Database(path)
        done = await queued(db, lambda con: put(con, "a", "1"), breaks_at_the_commit)
        assert [type(one) for one in done] == [sqlite3.IntegrityError] * 2
        done = await queued(db, lambda con: put(con, "a", "1"), ends_the_transaction, lambda con: put(con, "b", "2"))
        assert [type(one) for one in done] == [LookupError] * 3
        await db.write_brief(put, "c", "3")
        assert await db.read(facts) == {"c": "3"}
        db.close()

    asyncio.run(play())


def test_a_reader_sees_what_is_committed_while_a_write_is_going_on(path: Path) -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow(con: sqlite3.Connection) -> None:
        put(con, "b", "2")
        written.set()
        assert go_on.wait(120)

    async def go() -> None:
        db = Database(path)
        await db.write(put, "a", "1")
        writing = asyncio.create_task(db.write(slow))
        assert await asyncio.to_thread(written.wait, 10)
        assert await db.read(facts) == {"a": "1"}
        go_on.set()
        await writing
        assert await db.read(facts) == {"a": "1", "b": "2"}
        db.close()

    asyncio.run(go())


def test_a_write_in_hand_is_finished_when_its_caller_is_cancelled(path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(con: sqlite3.Connection) -> None:
        started.set()
        assert go_on.wait(120)
        put(con, "a", "1")

    async def go() -> None:
        db = Database(path)
        writing = asyncio.create_task(db.write(slow))
        assert await asyncio.to_thread(started.wait, 10)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        go_on.set()
        await db.write(put, "b", "2")
        assert await db.read(facts) == {"a": "1", "b": "2"}
        db.close()

    asyncio.run(go())


HOLDER = """
import sys
from pathlib import Path
from ytwatcher.store.db import Lease

print(Lease(Path(sys.argv[1])).take(), flush=True)
sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that tries to take the lease, says whether it has it, and keeps it until its input ends."""
    return subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_one_process_holds_the_lease_and_its_end_frees_it(path: Path) -> None:
    lease = Lease(path)
    with holder(path) as other:
        assert answer(other) == "True"
        assert not lease.take()
        with pytest.raises(LeaseError, match="another YT Watcher process"):
            lease.take_or_refuse()
        other.kill()
    lease.take_or_refuse()
    with holder(path) as third:
        assert answer(third) == "False"
    lease.release()
    lease.release()
    with holder(path) as fourth:
        assert answer(fourth) == "True"


def test_a_lease_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"journal\.db\.lock: "):
        Lease(tmp_path / "missing" / "journal.db").take()
