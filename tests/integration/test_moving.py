"""Readings out of a journal and into one: history and state, never an alert, and one's own export changes nothing."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal import Journal
from ytwatcher import moving
from ytwatcher.core.model import Absent, Lane, Metric, Reading, SubjectId, SubjectKind, TargetKind, Value
from ytwatcher.errors import InputError
from ytwatcher.moving import Imported, Part
from ytwatcher.recorded import Refused
from ytwatcher.simulator import make_video_id
from ytwatcher.store import readings, subjects

NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
V1, V2, V3 = (SubjectId(make_video_id(n)) for n in (1, 2, 3))
CHANNEL = "UC" + "a" * 21 + "A"


def reading(at: datetime, views: Value, subject: SubjectId = V1, **values: Value) -> Reading:
    return Reading(subject, at, Lane.STATISTICS, {Metric.VIEWS: views, **{Metric(name): value for name, value in values.items()}})


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "journal.db", "PL of tests", TargetKind.PLAYLIST)
    made.add_target([V1, V2], NOW - timedelta(days=30))
    made.add_rule("views milestones", NOW - timedelta(days=30))
    made.add_rule("views change", NOW - timedelta(days=30))
    return made


def dump(journal: Journal) -> list[str]:
    return list(journal.con.iterdump())


def export(journal: Journal, file: Path, since: datetime | None = None) -> Path:
    rows = moving.export_rows(journal.con, subjects.watched(journal.con).values(), since)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def take(journal: Journal, file: Path, *, dry_run: bool = False, now: datetime = NOW) -> tuple[Imported, list[Refused]]:
    refused: list[Refused] = []
    return moving.import_file(journal.con, journal.path, file, now, refused.append, dry_run=dry_run), refused


def table(file: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["video_id", "observed_at", "views", "likes", "comments"])
        writer.writeheader()
        writer.writerows(rows)
    return file


def row(at: datetime, views: object, subject: str = V1) -> dict[str, Any]:
    return {"video_id": subject, "observed_at": at.isoformat(), "views": views}


def points(journal: Journal, subject: str = V1) -> list[tuple[datetime, datetime, int | None]]:
    return [(point.from_at, point.to_at, point.values[Metric.VIEWS]) for point in readings.history(journal.con, subject)]


def peak(journal: Journal, subject: SubjectId = V1) -> int | None:
    return subjects.load(journal.con, [subject])[subject].state.metric(Metric.VIEWS).peak


def alerts(journal: Journal) -> int:
    return int(journal.con.execute("SELECT count(*) FROM alert").fetchone()[0])


def test_older_rows_are_history_and_what_was_reached_in_them_is_not_told_again(journal: Journal, tmp_path: Path) -> None:
    journal.accept([reading(NOW - timedelta(hours=1), 4_990)], NOW)
    old = [NOW - timedelta(days=days) for days in (3, 2, 1)]
    taken, refused = take(journal, table(tmp_path / "old.csv", [row(old[0], 100), row(old[1], 5_100), row(old[2], 5_200)]))
    assert (taken.parts, refused) == ({Part.HISTORY: 3, Part.DUPLICATE: 0}, [])
    assert points(journal) == [*((at, at, views) for at, views in zip(old, (100, 5_100, 5_200), strict=True)), points(journal)[-1]]
    assert peak(journal) == 5_200
    state = subjects.load(journal.con, [V1])[V1].state
    assert (state.newest_at, state.metric(Metric.VIEWS).value) == (NOW - timedelta(hours=1), 4_990)
    done = journal.accept([reading(NOW, 5_050)], NOW)
    assert [alert.kind for alert in done.alerts] == ["change"], "5,000 was passed before"


def test_newer_rows_become_state_without_an_alert_and_a_reading_is_wanted(journal: Journal, tmp_path: Path) -> None:
    journal.accept([reading(NOW - timedelta(days=2), 900)], NOW - timedelta(days=2))
    rows = [row(NOW - timedelta(days=1), 1_500), row(NOW - timedelta(hours=2), 1_600)]
    taken, _ = take(journal, table(tmp_path / "new.csv", reversed(rows)))
    assert (taken.parts[Part.STATE], alerts(journal), peak(journal)) == (2, 0, 1_600)
    assert journal.con.execute("SELECT wanted_at FROM subject WHERE id = ?", (V1,)).fetchone()[0] == int(NOW.timestamp() * 1000)
    done = journal.accept([reading(NOW, 2_100)], NOW)
    assert sorted((alert.kind, alert.mark, alert.previous) for alert in done.alerts) == [
        ("change", None, 1_600),
        ("milestones", 2_000, 1_600),
    ]


def test_rows_are_settled_in_their_own_time_order(journal: Journal, tmp_path: Path) -> None:
    """A single fall is no news, also in a file."""
    journal.accept([reading(NOW, 5_000)], NOW)
    first = NOW - timedelta(days=1)
    views = [1_000, 10, 1_001, 1_002]
    rows = [row(first + timedelta(hours=hour), value) for hour, value in enumerate(views)]
    random.Random(4).shuffle(rows)
    take(journal, table(tmp_path / "old.csv", rows))
    assert [value for _, _, value in points(journal)] == [1_000, 1_000, 1_001, 1_002, 5_000]


def test_what_lies_in_a_stored_span_is_there_already(journal: Journal, tmp_path: Path) -> None:
    start = NOW - timedelta(hours=5)
    journal.accept([reading(start, 10), reading(NOW - timedelta(hours=3), 10), reading(NOW, 20)], NOW)
    before = dump(journal)
    rows = [row(start, 999), row(start + timedelta(hours=1), 7), row(NOW - timedelta(hours=3), 10), row(NOW, 5)]
    taken, _ = take(journal, table(tmp_path / "same.csv", rows))
    assert taken.parts == {Part.DUPLICATE: 4}
    assert dump(journal) == before


def test_refused_rows_are_named_and_the_rest_is_taken(journal: Journal, tmp_path: Path) -> None:
    rows = [
        row(NOW - timedelta(hours=1), 10),
        row(NOW + timedelta(minutes=6), 20),
        row(NOW + timedelta(minutes=4), 30),
        row(NOW, 40, V3),
        row(NOW, "many"),
        {"video_id": "no id", "observed_at": NOW.isoformat()},
    ]
    taken, refused = take(journal, table(tmp_path / "mixed.csv", rows))
    assert taken.parts[Part.STATE] == 2
    assert [(one.row, one.reason.partition(";")[0]) for one in refused] == [
        (3, "2026-10-20T12:06:00.000Z is more than 5 minutes in the future"),
        (5, f"{V3} is not watched"),
        (6, "views 'many' is not a whole number"),
        (7, "video_id 'no id' is not the id of a video"),
    ]
    with pytest.raises(InputError, match=r"nothing\.csv: cannot be read"):
        take(journal, tmp_path / "nothing.csv")


def test_a_dry_run_counts_the_same_and_keeps_nothing(journal: Journal, tmp_path: Path) -> None:
    journal.accept([reading(NOW - timedelta(hours=2), 10)], NOW)
    file = table(tmp_path / "both.csv", [row(NOW - timedelta(days=1), 5), row(NOW, 40), row(NOW, 41)])
    before = dump(journal)
    tried, _ = take(journal, file, dry_run=True)
    assert dump(journal) == before
    done, _ = take(journal, file)
    assert (tried.parts, sorted(tmp_path.iterdir())) == (done.parts, sorted(tmp_path.iterdir()))
    assert done.parts == {Part.HISTORY: 1, Part.STATE: 1, Part.DUPLICATE: 1}
    before = dump(journal)
    again, _ = take(journal, file)
    assert (again.parts, dump(journal)) == ({Part.DUPLICATE: 3}, before)


def eventful(seed: int, count: int) -> list[Reading]:
    """Readings with all that is not plain growth: falls, doubtful rises, hidden likes, comments that are off, pauses."""
    chance = random.Random(seed)
    at, views, found = NOW - timedelta(days=9), 10_000, []
    for _ in range(count):
        at += timedelta(minutes=chance.choice([1, 4, 6, 30, 240]), milliseconds=chance.randrange(1000))
        views += chance.choice([0, 0, 3, 50, 2_000, 9_000, -40, -5_000])
        said = max(0, views)
        likes: list[Value] = [Absent.HIDDEN, Absent.NOT_RETURNED, said // 20, said // 20]
        comments: list[Value] = [Absent.DISABLED, 5, 5, 6]
        subject = chance.choice([V1, V2])
        found.append(reading(at, said, subject, likes=chance.choice(likes), comments=chance.choice(comments)))
    return [one for one in found if one.observed_at <= NOW]


def channels(journal: Journal) -> None:
    """A channel with numbers of its own."""

    def add(con: Any) -> None:
        subjects.ensure(con, CHANNEL, SubjectKind.CHANNEL, NOW)

    journal.write(add)
    values = {Metric.SUBSCRIBERS: 1_230, Metric.VIDEOS: 7, Metric.TOTAL_VIEWS: 99_000}
    for hours in (30, 20):
        at = NOW - timedelta(hours=hours)
        journal.accept([Reading(SubjectId(CHANNEL), at, Lane.MEMBERSHIP, values, kind=SubjectKind.CHANNEL)], NOW)


@pytest.mark.parametrize("seed", range(3))
def test_importing_ones_own_export_changes_nothing(journal: Journal, tmp_path: Path, seed: int) -> None:
    channels(journal)
    for one in eventful(seed, 100):
        journal.accept([one], NOW)
    before = dump(journal)
    for since in (None, NOW - timedelta(days=2)):
        taken, refused = take(journal, export(journal, tmp_path / "own.jsonl", since))
        assert (set(taken.parts) - {Part.DUPLICATE}, refused, taken.renewed) == (set(), [], [])
        assert dump(journal) == before


@pytest.mark.parametrize("seed", range(2))
def test_an_export_makes_the_same_history_elsewhere(journal: Journal, tmp_path: Path, seed: int) -> None:
    channels(journal)
    for one in eventful(seed, 100):
        journal.accept([one], NOW)
    other = Journal(tmp_path / "other.db", "PL of tests", TargetKind.PLAYLIST)
    other.add_target([V1, V2], NOW)
    other.write(lambda con: subjects.ensure(con, CHANNEL, SubjectKind.CHANNEL, NOW))
    _, refused = take(other, export(journal, tmp_path / "own.jsonl"))
    assert refused == []
    for subject in (V1, V2, CHANNEL):
        assert readings.history(other.con, subject) == readings.history(journal.con, subject)
        assert peak(other, SubjectId(subject)) == peak(journal, SubjectId(subject))
    assert alerts(other) == 0


@pytest.mark.timeout(60 * 60)  # of the full form
def test_a_big_file_in_any_order_needs_little_memory(journal: Journal, tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    import tracemalloc

    count, file = sized(4_000, 1_000_000), tmp_path / "big.csv"
    start = NOW - timedelta(days=25)
    with file.open("w") as stream:
        stream.write("video_id,observed_at,views\n")
        for n in range(count):
            place = n * 7_919 % count  # every place once, in no order (the step is a prime that does not divide the count)
            at = start + timedelta(seconds=place * 2)
            stream.write(f"{(V1, V2)[place % 2]},{at:%Y-%m-%dT%H:%M:%SZ},{1000 + place}\n")
    tracemalloc.start()
    taken, refused = take(journal, file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (taken.parts[Part.STATE], refused) == (count, [])
    assert most < 30e6
    assert journal.con.execute("SELECT count(*) FROM reading").fetchone()[0] == count
