"""`ytwatcher replay` as a person and as a program sees it."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from served import CHAT, KEY, TOKEN, Home, Served, home, served

SHARED = Path(__file__).parents[3] / "shared" / "data"
V1, V2 = "jNQXAC9IVRw", "dQw4w9WgXcQ"
HEAD = "video_id,observed_at,title,views,likes,comments"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, services: Served) -> Home:
    return home(tmp_path, services)


def csv_file(folder: Path, *rows: str, name: str = "r.csv") -> str:
    (folder / name).write_text("\n".join([HEAD, *rows, ""]), encoding="utf-8")
    return name


def line(day: int, views: int, title: str = "A film", video: str = V1) -> str:
    return f"{video},{(START + timedelta(days=day)).isoformat()},{title},{views},10,1"


def alerts(text: str) -> list[dict[str, Any]]:
    return [json.loads(one) for one in text.splitlines()]


@pytest.mark.skipif(not SHARED.exists(), reason="the recorded readings are not here")
@pytest.mark.parametrize(("name", "counts"), [("trending_us_fr_2017_cc0", (848, 2736, 2461)), ("trending_demo_cc0", (288, 1263, 1104))])
def test_real_recordings_give_as_many_alerts_as_ever_and_a_second_time_none(person: Home, name: str, counts: tuple[int, ...]) -> None:
    rules = ("views milestones", "likes change", "comments change")
    command = [
        "replay",
        str(SHARED / f"{name}.csv.gz"),
        *(part for rule in rules for part in ("--rule", rule)),
        "--to",
        "console",
        "--json",
    ]
    told = alerts(person.ok(*command))
    assert Counter(alert["rule"] for alert in told) == dict(zip(rules, counts, strict=True))
    assert len({alert["id"] for alert in told}) == len(told)
    assert person.ok(*command) == ""


def test_a_person_reads_messages_and_a_count_of_rows_on_the_other_channel(person: Home) -> None:
    file = csv_file(person.folder, line(0, 900, "A [bold]film[/bold]"), line(1, 1100, "A [bold]film[/bold]"))
    done = person.run("replay", file)
    assert done.returncode == 0
    assert done.stdout.startswith("A [bold]film[/bold]\nhttps://youtu.be/jNQXAC9IVRw\n🎉 Views passed 1,000: 900 → 1,100 (+200 in 24 hr")
    assert done.stderr.splitlines() == [
        "No --rule was given, so it is “views milestones”.",
        "2 rows judged, 0 late or duplicate",
        "1 new alert, 1 message sent",
    ]


def test_a_program_reads_only_alerts_one_a_line(person: Home) -> None:
    file = csv_file(person.folder, line(0, 900), line(1, 1100), line(2, 1100), line(0, 5, video=V2))
    done = person.run("--data", "elsewhere", "replay", file, "--rule", "views milestones", "--rule", "views change", "--json")
    assert alerts(done.stdout) == [
        {
            "id": f"replay-{digest}:{V1}:1767312000000",
            "rule": rule,
            "video_id": V1,
            "metric": "views",
            "previous": 900,
            "current": 1100,
            "observed_at": "2026-01-02T00:00:00.000Z",
            "text": f"Video: A film | Views {what} | https://youtu.be/{V1}",
        }
        for digest, rule, what in (
            ("07adf38c98d4", "views milestones", "passed 1000: now 1100"),
            (alerts(done.stdout)[1]["id"][7:19], "views change", "changed: 900 -> 1100"),
        )
    ]
    assert (person.folder / "elsewhere" / "replay.db").exists()
    assert not (person.folder / "elsewhere" / "ytwatcher.db").exists()


def test_every_row_is_accounted_for(person: Home) -> None:
    bad = [f"x{n},2026-01-01,[red]T[/red],1,1,1" for n in range(12)]
    rows = [line(0, 900), *bad, line(0, 901), line(1, 1100), f"{V1},2054-05-05T00:00:00Z,T,9000,1,1", f"{V1},2026-01-03,T,many,1,1"]
    done = person.run("replay", csv_file(person.folder, *rows), "--rule", "views change", "--json")
    assert done.returncode == 0
    assert len(alerts(done.stdout)) == 1
    said = done.stderr.splitlines()
    assert said[0] == "2 rows judged, 1 late or duplicate, 1 in the future, 13 refused"
    assert said[1] == "  row 3: video_id 'x0' is not the id of a video"
    assert said[11:] == ["  and 3 more rows", "1 new alert, 1 message sent"]


def test_a_gzipped_file_is_read_as_well(person: Home) -> None:
    (person.folder / "r.csv.gz").write_bytes(gzip.compress("\n".join([HEAD, line(0, 900), line(1, 1100), ""]).encode()))
    assert [alert["current"] for alert in alerts(person.ok("replay", "r.csv.gz", "--rule", "views milestones", "--json"))] == [1100]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((".",), "cannot be read: Is a directory"),
        (("fake.csv.gz",), "cannot be read: Not a gzipped file"),
        (("good.csv", "--rule", "views rech 5"), "did you mean “reach”?"),
        (("good.csv", "--rule", "subscribers change"), "only a channel has “subscribers”"),
        (("good.csv", "--speed", "nan"), "at least 1"),
    ],
)
def test_what_cannot_be_replayed_is_named_in_a_line_and_ends_with_2(person: Home, arguments: tuple[str, ...], named: str) -> None:
    csv_file(person.folder, line(0, 900), name="good.csv")
    (person.folder / "fake.csv.gz").write_text(HEAD)
    done = person.run("replay", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_token_nobody_on_telegram_can_be_told(tmp_path: Path, services: Served) -> None:
    person = home(tmp_path, services, keys=False)
    done = person.run("replay", csv_file(tmp_path, line(0, 900)), "--to", "telegram:5")
    assert done.returncode == 2
    assert "telegram.bot_token is not set" in done.stderr


def test_a_chat_is_told_by_the_real_sender_and_a_lost_one_when_it_can_be_reached_again(person: Home, services: Served) -> None:
    file = csv_file(person.folder, line(0, 900), line(1, 1100, "A <b>film"))
    before = services.do(lambda: len(services.telegram.messages))
    services.do(lambda: services.telegram.block(CHAT))
    done = person.run("replay", file, "--to", f"telegram:{CHAT}")
    assert done.returncode == 5
    assert "not everything was delivered: Forbidden: bot was blocked by the user" in done.stderr
    services.do(lambda: services.telegram.unblock(CHAT))
    assert person.run("replay", file, "--to", f"telegram:{CHAT}").returncode == 0
    assert person.run("replay", file, "--to", f"telegram:{CHAT}").returncode == 0
    (told,) = services.do(lambda: services.telegram.messages[before:])
    assert "A <b>film" in told.shown
    assert "passed 1,000: 900 → 1,100" in told.shown


def many(folder: Path) -> tuple[str, int]:
    """A file with more alerts than a pipe holds."""
    rows = [line(day - 2000, 100 + day, "A film with a title that is not short", video) for day in range(1500) for video in (V1, V2)]
    return csv_file(folder, *rows), 2 * 1499


def start(person: Home, file: str) -> subprocess.Popen[bytes]:
    command = person.command("replay", file, "--rule", "views change", "--json")
    return subprocess.Popen(command, env=person.env, cwd=person.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_replay_that_was_killed_and_begun_again_has_printed_every_alert_and_another_had_to_wait(person: Home) -> None:
    file, expected = many(person.folder)
    running = start(person, file)
    assert running.stdout is not None
    assert running.stderr is not None
    first = running.stdout.readline()  # the pipe is full by now or soon: it is in the middle of it
    second = person.run("replay", file)
    assert second.returncode == 4
    assert "another YT Watcher process works on this journal" in second.stderr
    running.kill()
    seen = {json.loads(one)["id"] for one in (first + running.stdout.read()).splitlines() if one.endswith(b"}")}
    running.stderr.close()
    running.stdout.close()
    running.wait()
    assert 0 < len(seen) < expected
    again = {alert["id"] for alert in alerts(person.ok("replay", file, "--rule", "views change", "--json"))}
    assert len(seen | again) == expected
    assert person.ok("replay", file, "--rule", "views change", "--json") == ""


def test_a_reader_that_has_read_enough_is_no_fault_and_misses_nothing_the_next_time(person: Home) -> None:
    file, expected = many(person.folder)
    running = start(person, file)
    assert running.stdout is not None
    assert running.stderr is not None
    seen = {json.loads(running.stdout.readline())["id"]}
    running.stdout.close()
    said = running.stderr.read().decode()
    running.stderr.close()
    assert running.wait() == 141
    assert "rror" not in said
    again = {alert["id"] for alert in alerts(person.ok("replay", file, "--rule", "views change", "--json"))}
    assert len(seen | again) == expected


def test_no_secret_is_printed_or_stored(person: Home) -> None:
    file = csv_file(person.folder, line(0, 900), line(1, 1100))
    done = person.run("replay", file, "--to", "telegram:999")
    assert done.returncode == 5
    for secret in (KEY, TOKEN):
        assert secret not in done.stdout + done.stderr
        assert not [path for path in person.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
