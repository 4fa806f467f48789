"""Backups: checked, kept by number, and put back so that nothing that was told is told again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from ytwatcher import backups
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.errors import InputError, StorageError
from ytwatcher.pipeline import Accepted
from ytwatcher.store.db import migrations, open_journal

START = datetime(2026, 10, 5, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def read(journal: Journal, hours: float, views: int) -> Accepted:
    observed_at = at(hours)
    return journal.accept([Reading(SubjectId("v1"), observed_at, Lane.STATISTICS, {Metric.VIEWS: views})], observed_at)


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    try:
        yield journal
    finally:
        journal.con.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a watched video of 900 views, and one that was told 1,000 after its backup."""
    path = tmp_path / "data" / "ytwatcher.db"
    path.parent.mkdir()
    with opened(path) as journal:
        journal.add_target([], at(0))
        journal.add_rule("views milestones", at(0))
        journal.add_rule("views change", at(0))
        read(journal, 0, 900)
        read(journal, 1, 950)
        backups.make(path, tmp_path / "backup.db")
        assert [alert.mark for alert in read(journal, 2, 1_010).alerts] == [1_000, None]
    return path


def test_a_backup_is_like_the_journal_and_one_file_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "copy.db"
    made = backups.make(path, file)
    assert made == backups.check(file)
    assert (made.schema, made.rows["reading"], made.newest_at) == (len(migrations()), 3, at(2))
    assert [one.name for one in file.parent.iterdir()] == ["copy.db"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_newest_are_kept_and_what_somebody_named_is_never_deleted(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "my own.db").touch()
    made = [backups.make_and_keep(path, folder, 3, at(hours)) for hours in range(5)]
    assert backups.kept(folder) == made[2:]
    assert backups.newest(folder) == made[-1]
    assert backups.made_at(made[-1]) == at(4)
    assert (folder / "my own.db").exists()


def test_a_backup_that_cannot_be_written_leaves_nothing_and_names_its_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/copy\.db: the backup cannot be written"):
        backups.make(path, tmp_path / "file" / "copy.db")
    with pytest.raises(StorageError, match="there is no journal yet"):
        backups.make(tmp_path / "nothing.db", tmp_path / "copy.db")
    assert not (tmp_path / "nothing.db").exists()


CHANGED = {
    "newer": "PRAGMA user_version = 99",
    "saved without its schema": "PRAGMA user_version = 0",
    "saved without a table": "DROP TABLE rule_state",
}


def spoilt(tmp_path: Path, what: str) -> Path:
    file = tmp_path / f"{what}.db"
    good = (tmp_path / "backup.db").read_bytes()
    if what == "damaged":
        file.write_bytes(good[: 4096 * 6] + b"\xa5" * 4096 + good[4096 * 7 :])
    elif what == "truncated":
        file.write_bytes(good[:10_000])
    elif what == "empty":
        file.touch()
    elif what == "a folder":
        file.mkdir()
    elif what == "of another program":
        sqlite3.connect(file).execute("CREATE TABLE recipe (name TEXT)").connection.close()
    elif what in CHANGED:
        file.write_bytes(good)
        con = sqlite3.connect(file, isolation_level=None)
        con.execute(CHANGED[what])
        con.close()
    return file


@pytest.mark.parametrize("what", ["damaged", "truncated", "empty", "a folder", "of another program", *CHANGED, "not there"])
def test_what_is_no_sound_backup_is_refused_by_name_and_the_journal_stays(path: Path, tmp_path: Path, what: str) -> None:
    file, before = spoilt(tmp_path, what), path.read_bytes()
    with pytest.raises(InputError, match=f"{what}\\.db: "):
        backups.restore(path, file, at(3), moved=False)
    assert (path.read_bytes(), [one.name for one in path.parent.iterdir()]) == (before, [path.name])


def test_after_a_restore_no_number_is_told_twice(path: Path, tmp_path: Path) -> None:
    restored = backups.restore(path, tmp_path / "backup.db", at(3), moved=False)
    assert restored.contents.newest_at == at(1)
    with opened(path) as journal:
        assert journal.con.execute("SELECT wanted_at FROM subject").fetchone()[0] is not None
        assert read(journal, 4, 1_020).alerts == [], "the first reading is the baseline"
        assert [alert.mark for alert in read(journal, 5, 2_001).alerts] == [2_000, None]


def test_a_moved_journal_goes_on_where_it_stood(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "ytwatcher.db"
    elsewhere.parent.mkdir()
    restored = backups.restore(elsewhere, tmp_path / "backup.db", at(3), moved=True)
    assert restored.aside is None
    with opened(elsewhere) as journal:
        assert [alert.mark for alert in read(journal, 4, 1_020).alerts] == [1_000, None]


def test_what_was_replaced_is_kept_whole_and_can_be_put_back(path: Path, tmp_path: Path) -> None:
    """Also what is only in its -wal as yet: it must neither be lost nor be written into the new file."""
    con = open_journal(path)
    con.execute("PRAGMA wal_autocheckpoint = 0")
    con.execute("INSERT INTO fact VALUES ('late', 'only in the -wal')")
    wal = path.with_name(path.name + "-wal")
    copy = {file: file.read_bytes() for file in (path, wal)}
    con.close()
    for file, data in copy.items():  # as a killed process leaves them
        file.write_bytes(data)
    restored = backups.restore(path, tmp_path / "backup.db", at(3), moved=False)
    assert restored.aside is not None
    assert not wal.exists()
    assert facts(path) == []
    assert facts(restored.aside) == ["late"]


def facts(path: Path) -> list[str]:
    con = open_journal(path)
    found = [row["key"] for row in con.execute("SELECT key FROM fact")]
    con.close()
    return found


def test_messages_that_wait_in_a_backup_are_marked_as_perhaps_a_repetition(path: Path, tmp_path: Path) -> None:
    con = open_journal(path)
    con.execute("INSERT INTO message (recipient_pk, text, state, made_at, next_at) VALUES (1, 'Hello', 'pending', 1, 1)")
    con.close()
    backups.make(path, tmp_path / "second.db")
    backups.restore(path, tmp_path / "second.db", at(3), moved=False)
    con = open_journal(path)
    assert con.execute("SELECT state, unknowns FROM message").fetchone()[:] == ("pending", 1)
    con.close()


def test_a_backup_of_an_older_schema_is_brought_to_the_newest_one(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    con = sqlite3.connect(old)
    con.executescript(migrations()[0])
    con.executescript(f"PRAGMA user_version = 1; PRAGMA application_id = {0x59545741}")
    con.close()
    restored = backups.restore(path, old, at(3), moved=False)
    assert restored.contents.schema == 1
    con = open_journal(path)
    assert con.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
    con.close()
    assert sorted(one.name for one in path.parent.iterdir() if "restoring" in one.name) == []


def test_a_restore_that_was_killed_between_two_steps_is_done_again(path: Path, tmp_path: Path) -> None:
    """At every step there is a journal at its place, or the old one beside it."""
    os.link(path, path.with_name(f"{path.name}.replaced-earlier"))
    restored = backups.restore(path, tmp_path / "backup.db", at(3), moved=False)
    again = backups.restore(path, tmp_path / "backup.db", at(4), moved=False)
    assert (restored.contents, restored.aside != again.aside) == (again.contents, True)
