"""export and import as a person runs them: from one home to another, beside a running process."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import CHAT, Served, home, served
from ytwatcher.simulator import make_video_id

VIDEOS = [make_video_id(n) for n in range(3)]


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        running.do(lambda: [running.world.add_video(video, title=f"=Video {n}", views=900 + n) for n, video in enumerate(VIDEOS)])
        yield running


def test_watches_and_readings_go_from_one_machine_to_another(tmp_path: Path, services: Served) -> None:
    one, two = (home(tmp_path / name, services) for name in ("one", "two"))
    for person in (one, two):
        person.folder.mkdir()
    one.ok("add", VIDEOS[0], "--rule", "views milestones", "--rule", "likes rise 5%")
    one.ok("add", VIDEOS[1], "--rule", "views change", "--to", "console")
    one.ok("recipients", "set", "console", "--quiet", "23:00-07:30", "--digest", "weekly mon 09:00", "--timezone", "Europe/Berlin")
    one.ok("export", "watches", "watches.csv")
    one.ok("export", "readings", "readings.csv.gz")
    files = {name: one.folder / name for name in ("watches.csv", "readings.csv.gz")}
    table = list(csv.DictReader(files["watches.csv"].read_text().splitlines()))
    assert [(row["target"], row["title"], row["to"], row["rule"]) for row in table] == [
        (VIDEOS[0], "'=Video 0", f"telegram:{CHAT}", "views milestones"),
        (VIDEOS[0], "'=Video 0", f"telegram:{CHAT}", "likes rise 5%"),
        (VIDEOS[1], "'=Video 1", "console", "views change"),
    ]

    with files["watches.csv"].open("a") as stream:
        stream.write(f"{VIDEOS[2]},,,,nobody,,,,,views change,,\n{VIDEOS[2]},,,,console,,,,,views chnge,,\nnothing,,,,,,,,,,,\n")
    tried = two.run("import", "watches", str(files["watches.csv"]), "--dry-run")
    assert (tried.returncode, two.json("list")) == (1, [])
    running = two.start("run")
    running.wait_for("Nothing is watched yet")
    done = two.run("import", "watches", str(files["watches.csv"]))
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines() if line.startswith("row")] == ["row 5", "row 6", "row 7"], (
        done.stderr
    )
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == ["row 2", "row 4"], done.stdout
    assert {(rule["target"], rule["to"], rule["rule"]) for rule in two.json("rules", "list")} == {
        (row["target"], row["to"], row["rule"]) for row in table
    }
    (console,) = [each for each in two.json("recipients", "list") if each["address"] == "console"]
    assert (console["quiet"], console["digest"], console["timezone"]) == ("23:00-07:30", "weekly mon 09:00", "Europe/Berlin")
    again = two.run("import", "watches", str(files["watches.csv"]))
    assert all(line.endswith("is there already") for line in again.stdout.splitlines()), again.stdout

    beside = two.run("import", "readings", str(files["readings.csv.gz"]))
    assert (beside.returncode, "stop it, import, and start it again" in beside.stderr) == (4, True)
    assert running.end() == 0
    taken = two.ok("import", "readings", str(files["readings.csv.gz"]))
    assert "Taken: 2 readings of history" in taken, taken
    rows = [json.loads(line) for line in two.ok("export", "readings", "-", "--format", "json", "--target", VIDEOS[0]).splitlines()]
    assert {(row["video_id"], row["views"]) for row in rows} == {(VIDEOS[0], 900)}
    assert len(rows) >= 2, "the one from the file, and those of this machine"


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path, services: Served) -> None:
    person = home(tmp_path, services)
    (tmp_path / "other.csv").write_text("name\nAda\n")
    (tmp_path / "comma.csv").write_text(f"target,rule\n{VIDEOS[0]},views every 1,000\n")
    journal = ".local/share/ytwatcher/ytwatcher.db"
    person.ok("list")
    before = (tmp_path / journal).read_bytes()
    for arguments, code, words in (
        (("import", "watches", "other.csv"), 2, "other.csv: has no column target"),
        (("import", "readings", "other.csv"), 2, "other.csv: has no column video_id and observed_at"),
        (("import", "watches", "comma.csv"), 1, "row 2: has more fields than the first line has columns"),
        (("export", "watches", "no/where.csv"), 3, "no/where.csv: cannot be written"),
        (("export", "readings", journal), 2, f"{journal}: is YT Watcher's own journal; name another file"),
        (("backup", journal, "--force"), 2, f"{journal}: is YT Watcher's own journal"),
        (("export", "readings", "-", "--format", "xml"), 2, "--format xml: there are csv and json"),
    ):
        done = person.run(*arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert (tmp_path / journal).read_bytes() == before
    assert person.json("list") == []


def test_a_pipe_is_written_to_and_a_links_file_is_replaced(tmp_path: Path, services: Served) -> None:
    person = home(tmp_path, services)
    person.ok("list")
    (tmp_path / "there.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("there.csv")
    person.ok("export", "watches", "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "there.csv").read_text().startswith("target,")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    person.ok("export", "watches", "pipe")
    assert os.read(reader, 7) == b"target,"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only where there is a /dev/full")
def test_an_output_without_room_ends_with_3(tmp_path: Path, services: Served) -> None:
    person = home(tmp_path, services)
    for command in (("list",), ("export", "watches", "-"), ("export", "watches", "/dev/full")):
        with Path("/dev/full").open("w") as full:
            words = [sys.executable, "-m", "ytwatcher", *command]
            done = subprocess.run(words, env=person.env, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr.count("\n"), "No space left on device" in done.stderr) == (3, 1, True), done.stderr


def test_a_reader_that_went_away_is_no_fault(tmp_path: Path, services: Served) -> None:
    person = home(tmp_path, services)
    for command in (("list",), ("export", "watches", "-"), ("--help",)):
        reader, writer = os.pipe()
        os.close(reader)
        words = [sys.executable, "-m", "ytwatcher", *command]
        done = subprocess.run(words, env=person.env, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writer)
        assert done.returncode in (1, 141), command
        assert done.stderr == ""


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_terminal_that_lacks_a_character_shows_another(tmp_path: Path, services: Served, env: dict[str, str]) -> None:
    person = home(tmp_path, services)
    person.ok("add", VIDEOS[0], "--rule", "views milestones")
    words = [sys.executable, "-m", "ytwatcher", "list"]
    done = subprocess.run(words, env={**person.env, **env}, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr, b"views milestones" in done.stdout) == (0, b"", True)
