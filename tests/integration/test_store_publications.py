"""Publication rows: written with their reading, sent in order, kept for a while after the acknowledgement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from ytwatcher import pipeline
from ytwatcher.core.model import Absence, Lane, Metric, Reading, SubjectId, SubjectKind, TargetKind, to_ms
from ytwatcher.store import publications, subjects

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
V1 = SubjectId("v1")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db", target="c1", kind=TargetKind.CHANNEL)
    journal.add_target([V1], START)
    yield journal
    journal.con.close()


def seen(minute: int, views: int, lane: Lane = Lane.STATISTICS, description: str | None = None) -> Reading:
    return Reading(V1, START + minute * MINUTE, lane, {Metric.VIEWS: views}, title="T", channel_title="C", description=description)


def accept(journal: Journal, *observations: Reading | Absence, publish: bool = True) -> None:
    journal.write(pipeline.accept, observations, START + timedelta(hours=9), publish=publish)


def waiting(journal: Journal, limit: int = 100) -> list[publications.Publication]:
    return publications.unacknowledged(journal.con, limit)


def test_each_accepted_reading_of_a_video_is_one_row(journal: Journal) -> None:
    accept(journal, seen(2, 30), seen(1, 20), seen(1, 99), Absence(V1, START + 3 * MINUTE))
    channel = Reading(SubjectId("c1"), START, Lane.MEMBERSHIP, {Metric.SUBSCRIBERS: 5}, SubjectKind.CHANNEL)
    accept(journal, channel)
    accept(journal, seen(2, 30))
    assert [(p.subject_id, p.record["VIEWS"], p.record["PEAK_VIEWS"], p.record["OBSERVED_AT"]) for p in waiting(journal)] == [
        (V1, 20, None, to_ms(START + MINUTE)),
        (V1, 30, 20, to_ms(START + 2 * MINUTE)),
    ]


def test_nothing_is_written_where_nothing_is_published(journal: Journal) -> None:
    accept(journal, seen(1, 20, description="D"), publish=False)
    assert not waiting(journal)
    assert journal.con.execute("SELECT count(*) FROM description").fetchone()[0] == 0


def test_the_rows_are_gone_with_a_transaction_that_failed(journal: Journal) -> None:
    def accept_and_fail(con: sqlite3.Connection) -> None:
        pipeline.accept(con, [seen(1, 20)], START + MINUTE, publish=True)
        raise ValueError

    with pytest.raises(ValueError):
        journal.write(accept_and_fail)
    assert not waiting(journal)


def test_a_record_has_the_newest_description_and_channel(journal: Journal) -> None:
    accept(journal, seen(1, 20))
    assert waiting(journal)[0].record["DESCRIPTION"] is None
    accept(journal, seen(2, 20, Lane.METADATA, "one"))
    accept(journal, seen(3, 20, Lane.METADATA, ""))
    assert [p.record["DESCRIPTION"] for p in waiting(journal)] == ["", "", ""]
    assert [p.record["CHANNEL_TITLE"] for p in waiting(journal)] == ["C", "C", "C"]
    journal.write(subjects.release_unwatched)
    assert journal.con.execute("SELECT count(*) FROM description").fetchone()[0] == 0
    assert len(waiting(journal)) == 3  # what was accepted is still told


def test_what_is_acknowledged_waits_no_more_and_is_kept_a_while(journal: Journal) -> None:
    accept(journal, *(seen(minute, minute) for minute in range(1, 6)))
    first, second, third, *_ = (p.seq for p in waiting(journal))
    assert publications.backlog(journal.con) == (5, START + MINUTE)
    journal.write(publications.acknowledge, first, second, START)
    assert [p.seq for p in waiting(journal, 2)] == [third, third + 1]
    later = START + timedelta(days=1)
    assert journal.write(publications.prune, START) == 0
    assert journal.write(publications.prune, later) == 2
    assert publications.backlog(journal.con) == (3, START + 3 * MINUTE)


def test_the_unacknowledged_stay_however_old_they_are(journal: Journal) -> None:
    accept(journal, seen(1, 1))
    assert journal.write(publications.prune, START + timedelta(days=999)) == 0
    assert publications.backlog(journal.con).waiting == 1


def test_what_is_sent_again_is_a_run_without_a_gap(journal: Journal) -> None:
    accept(journal, *(seen(minute, minute) for minute in range(1, 6)))
    first = waiting(journal)[0].seq
    journal.write(publications.acknowledge, first, first + 4, START)
    assert publications.backlog(journal.con) == (0, None)
    assert journal.write(publications.send_again, START + 3 * MINUTE) == 3
    assert [p.record["VIEWS"] for p in waiting(journal)] == [3, 4, 5]
    assert journal.write(publications.send_again) == 5
    journal.write(publications.acknowledge, first, first + 4, START)
    assert journal.write(publications.send_again, START + timedelta(days=1)) == 0


def test_a_topic_that_is_another_than_before_is_filled_again_and_has_no_engine_yet(journal: Journal) -> None:
    accept(journal, seen(1, 1))
    journal.write(publications.acknowledge, 0, waiting(journal)[0].seq, START)
    assert journal.write(publications.meet_topics, {"videos": "a", "rules": "b"}, "videos") == set(), "these are the first"
    assert journal.write(publications.meet_topics, {"videos": "a", "rules": "c"}, "videos") == {"rules"}
    assert not waiting(journal) and publications.astray(journal.con) is None
    assert journal.write(publications.meet_topics, {"videos": "d", "rules": "c"}, "videos") == {"videos"}
    assert len(waiting(journal)) == 1 and publications.astray(journal.con) == "runs"
    assert journal.write(publications.meet_topics, {"videos": "d", "rules": "c"}, "videos") == set()
    journal.write(publications.note_ended)
    assert publications.astray(journal.con) == "ended", "until one has begun with it"
    journal.write(publications.found_again)
    assert publications.astray(journal.con) is None


def test_a_new_version_begins_where_the_brokers_have_everything_before(journal: Journal) -> None:
    assert publications.cut(journal.con) is None
    accept(journal, seen(1, 1))
    assert publications.cut(journal.con) == START + MINUTE, "it waits"
    first = waiting(journal)[0].seq
    journal.write(publications.acknowledge, first, first, START)
    assert publications.cut(journal.con) == START + MINUTE + timedelta(milliseconds=1)
    accept(journal, seen(3, 3))
    assert publications.cut(journal.con) == START + MINUTE + timedelta(milliseconds=1), "another video may be a little behind"
    assert publications.kept(journal.con, START + 2 * MINUTE) == 1
    assert publications.kept(journal.con) == 2


def test_a_switch_that_was_begun_is_known_until_it_is_finished(journal: Journal) -> None:
    assert publications.unfinished_switch(journal.con) is None
    for at in (START, START + MINUTE):
        journal.write(publications.note_switch, at)
        assert publications.unfinished_switch(journal.con) == at
    journal.write(publications.note_switch, None)
    assert publications.unfinished_switch(journal.con) is None
