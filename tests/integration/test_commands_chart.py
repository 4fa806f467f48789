"""`ytwatcher chart`: a PNG of what is watched, and clear words where there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from served import Home
from ytwatcher import pipeline
from ytwatcher.commands.words import machine_zone
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId, SubjectKind, TargetKind
from ytwatcher.simulator import make_video_id
from ytwatcher.store import recipients, subjects, watches
from ytwatcher.store.db import open_journal, transaction

ONE = make_video_id(1)


def test_a_watched_video_becomes_a_picture_and_mistakes_are_explained(tmp_path: Path) -> None:
    now, path = datetime.now(UTC), tmp_path / "ytwatcher.db"
    con = open_journal(path)
    target = watches.ensure_target(con, ONE, TargetKind.VIDEO, "A film", None, False, now)
    watches.join(con, target, subjects.ensure(con, ONE, SubjectKind.VIDEO, now, title="A film"), None, now)
    watches.ensure_watch(con, target, recipients.ensure(con, "console"), now)
    for hours, views in ((3, 900), (2, 950), (1, 1000)):
        at = now - timedelta(hours=hours)
        with transaction(con, path, "IMMEDIATE"):
            pipeline.accept(con, [Reading(SubjectId(ONE), at, Lane.STATISTICS, {Metric.VIEWS: views})], at)
    con.close()
    file, person = tmp_path / "chart.png", Home(tmp_path, {"HOME": str(tmp_path)})
    done = person.run("--data", str(tmp_path), "chart", "a film", "-o", str(file), "--dark")
    assert (done.returncode, file.read_bytes()[:4]) == (0, b"\x89PNG"), done.stderr
    for words, said in ((("nothing",), "is not watched"), (("a film", "--metric", "veiws"), "views"), (("a film", "--days", "0"), "1")):
        wrong = person.run("--data", str(tmp_path), "chart", *words, "-o", str(tmp_path / "no.png"))
        assert wrong.returncode != 0
        assert said in wrong.stderr
    onto_itself = person.run("--data", str(tmp_path), "chart", "a film", "-o", str(path))
    assert (onto_itself.returncode, "is YT Watcher's own journal" in onto_itself.stderr) == (2, True), onto_itself.stderr


@pytest.mark.parametrize("zone", ["JST-9", "CET-1CEST", "Nowhere/Atall"])
def test_a_time_zone_that_has_no_name_is_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    assert machine_zone() == "UTC"
