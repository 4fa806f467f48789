"""The pipeline on a real file: accepting twice equals once, splitting changes nothing, and what a batch leaves behind."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import Journal
from observed import any_reading
from ytwatcher import pipeline
from ytwatcher.core.model import (
    Absence,
    Absent,
    Entry,
    Lane,
    Listing,
    Metric,
    Reading,
    SubjectId,
    TargetKind,
    Value,
    VideoId,
    to_ms,
)
from ytwatcher.pipeline import Fate
from ytwatcher.store import readings, watches

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
V1, V2 = SubjectId("v1"), SubjectId("v2")
LINES = ("views milestones", "views every 7", "likes change", "views rise 10%", "likes fall 1", "availability", "title")
Observation = Reading | Absence


def reading(
    after: timedelta, subject_id: SubjectId = V1, lane: Lane = Lane.STATISTICS, title: str | None = None, **values: Value
) -> Reading:
    return Reading(subject_id, START + after, lane, {Metric(name): value for name, value in values.items()}, title=title)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A watch of v1 with all lines, made at START."""
    with opened(tmp_path) as journal:
        yield journal


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder / "journal.db")
    journal.add_target([V1], START)
    for line in LINES:
        journal.add_rule(line, START)
    yield journal
    journal.con.close()


def everything(journal: Journal) -> dict[str, list[tuple[Any, ...]]]:
    """All that the journal holds of readings, states and alerts."""
    tables = ("subject", "reading", "rule_state", "alert", "member", "target")
    return {table: [tuple(row) for row in journal.con.execute(f"SELECT * FROM {table} ORDER BY 1, 2")] for table in tables}


SEEN = any_reading([V1], START)
GAPS = st.one_of(st.timedeltas(timedelta(0), timedelta(milliseconds=3)), st.timedeltas(timedelta(0), timedelta(hours=4)))
EVENTS = st.lists(st.tuples(GAPS, st.one_of(SEEN, SEEN, st.just(Absence(V1, START)))), max_size=14)


def in_time(events: Sequence[tuple[timedelta, Observation]]) -> list[Observation]:
    """The events set to their times: the sums of the gaps."""
    at, observations = START, list[Observation]()
    for gap, event in events:
        at += gap
        observations.append(replace(event, observed_at=at))
    return observations


def accepted(batches: Iterable[Sequence[Observation]], *, replay: bool) -> dict[str, list[tuple[Any, ...]]]:
    """What a fresh journal holds after these batches, all accepted at one late instant."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as journal:
        for batch in batches:
            journal.accept(batch, START + timedelta(days=9), replay=replay)
        return everything(journal)


@settings(max_examples=40)
@given(EVENTS, st.booleans())
def test_accepting_a_batch_twice_is_accepting_it_once(events: list[tuple[timedelta, Observation]], replay: bool) -> None:
    batch = in_time(events)
    assert accepted([batch, batch], replay=replay) == accepted([batch], replay=replay)


@settings(max_examples=40)
@given(EVENTS, st.booleans(), st.data())
def test_a_batch_split_anywhere_is_the_same_batch(events: list[tuple[timedelta, Observation]], replay: bool, data: st.DataObject) -> None:
    batch = in_time(events)
    cut = data.draw(st.integers(0, len(batch)))
    assert accepted([batch[:cut], batch[cut:]], replay=replay) == accepted([batch], replay=replay)


@settings(max_examples=40)
@given(EVENTS.flatmap(lambda events: st.permutations(in_time(events))))
def test_readings_may_arrive_in_any_order(shuffled: list[Observation]) -> None:
    accepted([[observation] for observation in shuffled], replay=False)


def test_a_batch_is_taken_in_its_time_order_and_the_first_of_equal_instants_wins(journal: Journal) -> None:
    result = journal.accept([reading(5 * MINUTE, likes=12), reading(0 * MINUTE, likes=10), reading(5 * MINUTE, likes=99)], START + MINUTE)
    assert [(alert.previous, alert.current) for alert in result.alerts] == [(10, 12)]
    assert result.fates == {Fate.ACCEPTED: 2, Fate.LATE: 1}


def test_a_batch_counts_what_became_of_each_observation_and_value(journal: Journal) -> None:
    batch: list[Observation] = [
        reading(0 * MINUTE, views=5, likes=Absent.HIDDEN, comments=Absent.NOT_RETURNED),
        reading(0 * MINUTE, V2, views=5),
        reading(20 * MINUTE, views=6),
        Absence(V1, START - MINUTE),
    ]
    result = journal.accept(batch, START)
    assert result.fates == {Fate.ACCEPTED: 2, Fate.UNKNOWN: 1, Fate.FUTURE: 1}


def test_what_fails_after_a_batch_in_its_transaction_undoes_it(journal: Journal) -> None:
    def accept_and_fail(con: sqlite3.Connection) -> None:
        pipeline.accept(con, [reading(0 * MINUTE, views=5, likes=1), reading(MINUTE, views=7, likes=2)], START + MINUTE)
        raise RuntimeError("the power went out")

    before = everything(journal)
    with pytest.raises(RuntimeError):
        journal.write(accept_and_fail)
    assert everything(journal) == before


def test_finer_times_than_the_journal_keeps_are_no_newer_readings(journal: Journal) -> None:
    at = timedelta(microseconds=1_999)
    journal.accept([reading(at, views=5)], START + MINUTE)
    assert journal.accept([reading(at, views=6)], START + MINUTE).fates == {Fate.LATE: 1}


def test_unchanged_readings_extend_the_row_and_raw_values_stand_beside_settled_ones(journal: Journal) -> None:
    for batch in (
        [reading(0 * MINUTE, views=50, likes=5), reading(5 * MINUTE, views=50, likes=5)],
        [reading(10 * MINUTE, views=50, likes=5)],
        [reading(15 * MINUTE, views=49, likes=Absent.HIDDEN), reading(20 * MINUTE, views=49, likes=Absent.HIDDEN)],
    ):
        journal.accept(batch, START + 20 * MINUTE)
    points = readings.history(journal.con, V1)
    assert [(p.from_at, p.to_at, p.values[Metric.VIEWS], p.values[Metric.LIKES], p.raw) for p in points] == [
        (START, START + 10 * MINUTE, 50, 5, {}),
        (START + 15 * MINUTE, START + 15 * MINUTE, 50, 5, {"views": 49, "likes": "hidden"}),
        (START + 20 * MINUTE, START + 20 * MINUTE, 49, None, {"likes": "hidden"}),
    ]


def plan(journal: Journal) -> tuple[int | None, int | None, int | None, int | None]:
    row = journal.con.execute("SELECT read_at, wanted_at, metadata_at, metadata_wanted_at FROM subject WHERE id = 'v1'").fetchone()
    return row[0], row[1], row[2], row[3]


def ms(after: timedelta) -> int:
    return to_ms(START + after)


def test_a_reading_answers_what_was_wanted_and_an_unsettled_value_wants_another(journal: Journal) -> None:
    assert plan(journal) == (None, ms(0 * MINUTE), None, ms(0 * MINUTE))
    journal.accept([reading(1 * MINUTE, views=100, likes=10)], START + MINUTE)
    assert plan(journal) == (ms(1 * MINUTE), None, None, ms(0 * MINUTE))
    journal.accept([reading(2 * MINUTE, views=5, likes=9)], START + 2 * MINUTE)
    assert plan(journal)[:2] == (ms(2 * MINUTE), ms(7 * MINUTE))
    journal.accept([reading(7 * MINUTE, views=5, likes=9)], START + 7 * MINUTE)
    assert plan(journal)[:2] == (ms(7 * MINUTE), ms(182 * MINUTE))


def test_an_absence_wants_a_second_metadata_answer_and_a_return_likewise(journal: Journal) -> None:
    journal.accept([reading(0 * MINUTE, lane=Lane.METADATA, views=1), Absence(V1, START + MINUTE)], START + MINUTE)
    assert plan(journal)[2:] == (ms(1 * MINUTE), ms(11 * MINUTE))
    journal.accept([Absence(V1, START + 11 * MINUTE)], START + 11 * MINUTE)
    assert plan(journal)[2:] == (ms(11 * MINUTE), None)
    journal.accept([reading(20 * MINUTE, lane=Lane.METADATA, views=1)], START + 20 * MINUTE)
    assert plan(journal)[2:] == (ms(20 * MINUTE), ms(30 * MINUTE))
    journal.accept([reading(30 * MINUTE, lane=Lane.METADATA, views=1)], START + 30 * MINUTE)
    assert plan(journal)[2:] == (ms(30 * MINUTE), None)


def test_a_subject_is_near_while_a_rule_is_close_to_its_number(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.add_target([V1], START)
    journal.add_rule("views reach 1000", START)
    near = []
    for step, views in enumerate((800, 950, 1000)):
        journal.accept([reading(step * MINUTE, views=views)], START + step * MINUTE)
        near.append(journal.con.execute("SELECT near FROM subject").fetchone()[0])
    assert near == [0, 1, 0]
    journal.con.close()


def test_a_listing_joins_and_releases_videos(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", "p1", TargetKind.PLAYLIST)
    target_pk = journal.add_target([], START)
    journal.add_rule("new", START)

    def listed(after: timedelta, *entries: Entry, complete: bool = True) -> list[str]:
        return list(journal.list(Listing("p1", START + after, entries, complete), START + after).joined)

    one, two = Entry(VideoId("v1"), START - MINUTE, "One"), Entry(VideoId("v2"), None, "Two")
    gone = Entry(VideoId("v3"), START + MINUTE, "Private video", dead=True)
    assert listed(1 * MINUTE, two, one, gone) == ["v2", "v1"]
    assert listed(2 * MINUTE, one) == []
    assert listed(2 * MINUTE + DAY - MINUTE, one) == []
    assert watches.members(journal.con, target_pk)["v2"].left_at is None
    assert listed(2 * MINUTE + DAY, one) == []
    assert watches.members(journal.con, target_pk)["v2"].left_at == START + 2 * MINUTE + DAY
    assert listed(3 * MINUTE + DAY, one, two, complete=False) == ["v2"]
    assert watches.members(journal.con, target_pk)["v2"].left_at is None
    target = watches.find_target(journal.con, "p1")
    assert target is not None
    assert (target.listed_at, target.completed_at) == (START + 3 * MINUTE + DAY, START + 2 * MINUTE + DAY)
    journal.con.close()
