"""Commands that meet on one journal: each gets its turn, whoever holds the lease and however that one ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import GLANCE, PATIENCE, Home, Served, home, served
from ytwatcher.simulator import make_video_id
from ytwatcher.store import requests
from ytwatcher.store.db import Lease, open_journal

VIDEOS = [make_video_id(n) for n in range(4)]


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        running.do(lambda: [running.world.add_video(video, views=900) for video in VIDEOS])
        yield running


@pytest.fixture
def person(tmp_path: Path, services: Served) -> Home:
    return home(tmp_path, services)


def path_of(person: Home) -> Path:
    folder = person.folder / ".local/share/ytwatcher"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "ytwatcher.db"


def until_asked(path: Path) -> None:
    con = open_journal(path)
    ends_at = time.monotonic() + PATIENCE
    while not requests.waiting(con):
        assert time.monotonic() < ends_at, "nothing was asked"
        time.sleep(GLANCE)
    con.close()


def test_commands_that_come_at_the_same_time_all_get_their_turn(person: Home) -> None:
    commands = [person.start("add", video, "--rule", "views change") for video in VIDEOS]
    assert [command.ended() for command in commands] == [0] * len(VIDEOS), [command.printed for command in commands]
    assert {rule["target"] for rule in person.json("rules", "list")} == set(VIDEOS)


def test_what_was_asked_of_a_process_that_ends_is_done_by_the_command_itself(person: Home) -> None:
    path = path_of(person)
    holder = Lease(path)
    assert holder.take()
    command = person.start("add", VIDEOS[0])
    until_asked(path)
    holder.release()
    assert command.ended() == 0, command.printed
    con = open_journal(path)
    assert con.execute("SELECT count(*) FROM request").fetchone()[0] == 0, "nobody does it a second time"
    con.close()


def test_a_process_that_holds_the_journal_and_never_answers_ends_a_command_with_4(person: Home) -> None:
    path = path_of(person)
    holder = Lease(path)
    assert holder.take()
    done = person.run("add", VIDEOS[0])
    assert (done.returncode, "within 10 seconds" in done.stderr) == (4, True), done.stderr
    holder.release()
    assert person.json("list") == []
