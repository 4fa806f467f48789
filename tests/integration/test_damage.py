"""A journal that cannot be used: every command and `run` refuse it by name, point to the newest backup, and write nothing to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from served import Home, Served, home, served
from ytwatcher import backups
from ytwatcher.errors import DamageError, LeaseError, StorageError
from ytwatcher.simulator import make_video_id
from ytwatcher.store.db import HOLDERS_LOOK, Database, Lease, migrations, open_journal

PAGE = 4096
Spoil = Callable[[Path], None]


def filled(path: Path) -> None:
    """A sound journal of some pages, closed."""
    con = open_journal(path)
    con.execute("BEGIN")
    con.executemany("INSERT INTO fact VALUES (?, ?)", [(f"key {n}", "x" * 400) for n in range(200)])
    con.execute("COMMIT")
    con.close()


def damaged_header(path: Path) -> None:
    path.write_bytes(b"\x00" * 16 + path.read_bytes()[16:])


def damaged_page_in_the_middle(path: Path) -> None:
    data = path.read_bytes()
    middle = len(data) // PAGE // 2 * PAGE
    path.write_bytes(data[:middle] + b"\xa5" * PAGE + data[middle + PAGE :])


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: PAGE * 10 + 100])


def another_programs_text(path: Path) -> None:
    path.write_text("[settings]\nname = value\n" * 500)


def another_programs_database(path: Path) -> None:
    path.unlink()
    con = sqlite3.connect(path)
    con.execute("CREATE TABLE recipe (name TEXT)")
    con.close()


def of_a_newer_program(path: Path) -> None:
    con = open_journal(path)
    con.execute(f"PRAGMA user_version = {len(migrations()) + 7}")
    con.close()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "kept").write_text("somebody's")


SPOILT = [
    damaged_header,
    damaged_page_in_the_middle,
    truncated,
    another_programs_text,
    another_programs_database,
    of_a_newer_program,
    a_folder,
]


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("spoil", SPOILT)
def test_it_is_refused_by_name_and_stays_as_it_is(tmp_path: Path, spoil: Spoil) -> None:
    path = tmp_path / "journal.db"
    filled(path)
    spoil(path)
    before = everything_in(tmp_path)
    for open_it in (Database, open_journal):
        with pytest.raises(StorageError, match=r"journal\.db"):
            open_it(path)
    assert everything_in(tmp_path) == before


def test_a_big_file_is_looked_at_whole_only_where_it_was_not_closed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    open_journal(path).close()
    first = path.stat().st_size
    filled(path)
    con = open_journal(path)
    con.execute("INSERT INTO fact VALUES ('big', zeroblob(?))", (HOLDERS_LOOK,))
    con.close()
    with path.open("r+b") as file:
        file.seek(first)
        file.write(b"\xa5" * PAGE * 8)
    db = Database(path)
    with pytest.raises(DamageError, match=r"journal\.db"):
        asyncio.run(db.read(lambda con: con.execute("SELECT count(value) FROM fact").fetchall()))
    db.close()
    path.with_name("journal.db-wal").write_bytes(b"of a process that was killed")
    with pytest.raises(DamageError, match=r"journal\.db"):
        Database(path)


@pytest.mark.parametrize("spoil", [damaged_header, damaged_page_in_the_middle, truncated])
def test_damage_is_told_from_everything_else(tmp_path: Path, spoil: Spoil) -> None:
    path = tmp_path / "journal.db"
    filled(path)
    spoil(path)
    with pytest.raises(DamageError, match="Nothing was written to it"):
        Database(path)


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        running.do(lambda: running.world.add_video(make_video_id(1), views=900))
        yield running


@pytest.fixture
def person(tmp_path: Path, services: Served) -> Home:
    return home(tmp_path, services)


@pytest.mark.parametrize("spoil", [damaged_page_in_the_middle, Path.unlink, lambda path: path.write_bytes(b"")])
def test_commands_and_run_name_the_newest_backup_and_it_can_be_restored(person: Home, spoil: Spoil) -> None:
    person.ok("add", make_video_id(1), "--rule", "views change")
    backup = person.json("backup")["file"]
    path = person.folder / ".local/share/ytwatcher/ytwatcher.db"
    spoil(path)
    before = path.read_bytes() if path.exists() else None
    for command in ("list", "run"):
        done = person.run(command)
        assert (done.returncode, str(path) in done.stderr, f"ytwatcher restore {backup}" in done.stderr) == (3, True, True), done.stderr
        assert (path.read_bytes() if path.exists() else None) == before
    restored = person.json("restore", backup)
    assert (restored["replaced"] is None) == (before is None)
    assert restored["newest_at"] is not None
    assert [one["id"] for one in person.json("list")] == [make_video_id(1)]


def test_without_a_backup_it_says_so(person: Home) -> None:
    person.ok("list")
    path = person.folder / ".local/share/ytwatcher/ytwatcher.db"
    damaged_header(path)
    done = person.run("list")
    assert (done.returncode, "There is no backup in" in done.stderr) == (3, True), done.stderr


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root keeps to permissions by setpriv (util-linux)")
@pytest.mark.parametrize("command", ["status", "run", "doctor"])
def test_a_folder_of_another_user_is_named(person: Home, command: str) -> None:
    folder = person.folder / "anothers"
    folder.mkdir(mode=0o700)
    held = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    else:
        held = []
        folder.chmod(0)
    environment = {**person.env, "YTWATCHER_DATA__DIR": str(folder)}
    words = [*held, sys.executable, "-m", "ytwatcher", command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    folder.chmod(0o700)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert f"{folder}/ytwatcher.db: Permission denied" in done.stderr


def of_schema(path: Path, version: int) -> None:
    """A journal as the program of that time left it, with a line in it."""
    con = sqlite3.connect(path)
    for number, script in enumerate(migrations()[:version], start=1):
        con.executescript(script)
        con.execute(f"PRAGMA user_version = {number}")
    con.execute(f"PRAGMA application_id = {0x59545741}")
    con.execute("INSERT INTO subject (id, kind, state) VALUES ('v1', 'video', '{\"views\":[5,null,1000,5,null]}')")
    con.execute("INSERT INTO reading (subject_pk, from_at, to_at, views) VALUES (1, 1000, 2000, 5)")
    con.execute("INSERT INTO target (id, kind, added_at) VALUES ('v1', 'video', 1)")
    con.execute("INSERT INTO rule_state (subject_pk, rule_pk, since_at, anchor) VALUES (1, 1, 1001, 5)")
    con.commit()
    con.close()


def schema(path: Path) -> list[tuple[str, ...]]:
    con = sqlite3.connect(path)
    tables = [row[0] for row in con.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    found = [(table, *map(str, row[1:])) for table in tables for row in con.execute(f"PRAGMA table_info({table})")]
    con.close()
    return found


@pytest.mark.parametrize("version", range(1, len(migrations())))
def test_every_earlier_schema_is_upgraded_to_the_fresh_one_with_a_copy_beside_it(tmp_path: Path, version: int) -> None:
    path, fresh = tmp_path / "journal.db", tmp_path / "fresh.db"
    of_schema(path, version)
    open_journal(fresh).close()
    con = open_journal(path)
    assert con.execute("SELECT views FROM reading").fetchall()[0][0] == 5
    assert con.execute("SELECT since_at, anchor FROM rule_state").fetchone()[:] == (1001, 5)
    con.close()
    assert schema(path) == schema(fresh)
    copied = backups.check(tmp_path / f"journal.db.schema-{version}")
    assert (copied.schema, copied.rows["reading"]) == (version, 1)


def test_a_command_does_not_change_the_schema_under_a_running_process(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    of_schema(path, 1)
    lease = Lease(path)
    assert lease.take()
    with pytest.raises(LeaseError, match="another version than this command"):
        open_journal(path)
    lease.release()
    assert sqlite_schema(path) == 1
    open_journal(path).close()
    assert sqlite_schema(path) == len(migrations())


def sqlite_schema(path: Path) -> int:
    con = sqlite3.connect(path)
    version: int = con.execute("PRAGMA user_version").fetchone()[0]
    con.close()
    return version
