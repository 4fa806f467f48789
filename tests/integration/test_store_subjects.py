"""Subjects in the journal: their encoded state, what an unwatched one keeps, and state from a clock that ran ahead."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal import Journal
from ytwatcher.core.model import (
    PRESENT,
    Absence,
    Absent,
    Lane,
    Metric,
    MetricState,
    Pending,
    Presence,
    Reading,
    SubjectId,
    SubjectKind,
    SubjectState,
    TargetKind,
    Value,
    Wait,
    from_ms,
    to_ms,
)
from ytwatcher.store import readings, rebase, subjects
from ytwatcher.store.db import APPLICATION_ID, migrations, open_journal

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
V1 = SubjectId("v1")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    journal.add_target([V1], START)
    yield journal
    journal.con.close()


def see(journal: Journal, at: datetime, lane: Lane = Lane.STATISTICS, title: str | None = None, **values: Value) -> None:
    journal.accept([Reading(V1, at, lane, {Metric(name): value for name, value in values.items()}, title=title)], at)


def state(journal: Journal) -> SubjectState:
    return subjects.load(journal.con, [V1])[V1].state


TIMES = st.integers(0, 2**42).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
COUNTS = st.none() | st.integers(0, 2**63 - 1)
METRIC_STATES = st.builds(
    MetricState,
    COUNTS,
    st.none() | st.sampled_from(Absent),
    st.none() | TIMES,
    COUNTS,
    st.none() | st.builds(Wait, st.sampled_from(Pending), TIMES, TIMES),
    st.integers(0, 2**50).map(lambda thousandths: thousandths / 1000),
    st.integers(0, 2**40).map(lambda ms: ms / 3_600_000),
)
OPTIONAL_TIMES = st.none() | TIMES


@given(
    st.dictionaries(st.sampled_from(Metric), METRIC_STATES),
    st.builds(Presence, OPTIONAL_TIMES, OPTIONAL_TIMES, OPTIONAL_TIMES),
    OPTIONAL_TIMES,
)
def test_a_state_survives_being_stored(metrics: dict[Metric, MetricState], presence: Presence, newest_at: datetime | None) -> None:
    assert subjects.decode_state(subjects.encode_state(metrics, presence, newest_at), newest_at) == (metrics, presence)


def test_what_is_saved_is_what_is_loaded(journal: Journal) -> None:
    seen = Reading(
        V1,
        START,
        Lane.METADATA,
        {Metric.VIEWS: 2**63 - 1, Metric.LIKES: Absent.HIDDEN},
        title="“T” <ü> 🎵",
        published_at=START - HOUR,
        channel_id="c1",
        channel_title="C",
        live="upcoming",
    )
    journal.accept([seen], START)
    known = subjects.load(journal.con, [V1])[V1]
    assert (known.state.title, known.state.published_at, known.state.newest_at) == ("“T” <ü> 🎵", START - HOUR, START)
    assert (known.channel_id, known.channel_title, known.live) == ("c1", "C", "upcoming")
    assert known.state.metrics == {
        Metric.VIEWS: MetricState(2**63 - 1, None, START, 2**63 - 1),
        Metric.LIKES: MetricState(wait=Wait(Pending.HIDDEN, START, START + 5 * MINUTE)),
    }


def test_a_new_subject_wants_to_be_read_at_once_and_stays_one_row(journal: Journal) -> None:
    first = journal.write(subjects.ensure, "v2", SubjectKind.VIDEO, START, title="B")
    assert journal.write(subjects.ensure, "v2", SubjectKind.VIDEO, START + HOUR) == first
    row = journal.con.execute("SELECT title, wanted_at, metadata_wanted_at FROM subject WHERE id = 'v2'").fetchone()
    assert tuple(row) == ("B", to_ms(START), to_ms(START))


def test_the_sooner_wish_for_a_reading_wins(journal: Journal) -> None:
    see(journal, START, views=1)
    wishes = []
    for after in (10, 20, 5):
        journal.write(subjects.want, [V1], START + after * MINUTE)
        wishes.append(journal.con.execute("SELECT wanted_at FROM subject").fetchone()[0])
    assert wishes == [to_ms(START + after * MINUTE) for after in (10, 10, 5)]
    journal.write(subjects.want, [V1], START - HOUR, metadata=True)
    assert journal.con.execute("SELECT metadata_wanted_at FROM subject").fetchone()[0] == to_ms(START - HOUR)


def test_an_unwatched_subject_keeps_only_the_highest_number_told(journal: Journal) -> None:
    journal.add_rule("views every 1000", START)
    journal.add_rule("likes change", START)
    for step, views in enumerate((900, 1100, 1990)):
        see(journal, START + step * MINUTE, Lane.METADATA, "T", views=views, likes=step)
    journal.unwatch(START + HOUR)
    assert subjects.load(journal.con, [V1]) == {}
    row = journal.con.execute("SELECT * FROM subject").fetchone()
    known = subjects.known_of([row[name] for name in subjects.COLUMNS.split(", ")])
    assert known.state == SubjectState(V1, title="T", metrics={Metric.VIEWS: MetricState(peak=1000)})
    assert not row["watched"]
    assert [row[name] for name in ("read_at", "wanted_at", "metadata_at", "metadata_wanted_at")] == [None] * 4
    assert journal.con.execute("SELECT (SELECT count(*) FROM reading) + (SELECT count(*) FROM rule_state)").fetchone()[0] == 0


def test_a_subject_of_two_watches_stays_until_the_last_one_goes(journal: Journal) -> None:
    journal.add_rule("views change", START, to="a")
    journal.add_rule("views change", START, to="b")
    see(journal, START, views=5)
    journal.unwatch(START + MINUTE, "a")
    assert state(journal).metric(Metric.VIEWS).value == 5
    journal.unwatch(START + MINUTE, "b")
    assert subjects.load(journal.con, [V1]) == {}


def test_a_latch_outlasts_the_alert_it_came_from(journal: Journal) -> None:
    journal.add_rule("views every 1000", START)
    see(journal, START, views=900)
    see(journal, START + MINUTE, views=1100)
    journal.unwatch(START + HOUR)
    journal.con.execute("DELETE FROM alert")
    for day in (1, 2):
        at = START + timedelta(days=day)
        journal.add_rule("views every 1000", at)
        assert state(journal).metric(Metric.VIEWS).peak == 1000
        journal.unwatch(at + HOUR)
    row = journal.con.execute("SELECT state FROM subject").fetchone()
    assert subjects.decode_state(row[0], None) == ({Metric.VIEWS: MetricState(peak=1000)}, PRESENT)


def test_a_re_added_list_takes_up_the_videos_it_still_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "list.db", "p1", TargetKind.PLAYLIST)
    journal.add_target(["v1", "v2"], START)
    journal.add_rule("views change", START)
    journal.con.execute("UPDATE member SET left_at = 1 WHERE subject_pk = (SELECT pk FROM subject WHERE id = 'v2')")
    journal.unwatch(START + HOUR)
    journal.add_rule("views change", START + 2 * HOUR)
    rows = journal.con.execute("SELECT id, watched, wanted_at FROM subject ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [("v1", 1, to_ms(START + 2 * HOUR)), ("v2", 0, None)]
    journal.con.close()


def test_state_ahead_of_the_clock_is_pulled_back_and_keeps_its_values(journal: Journal) -> None:
    journal.add_rule("views rise 10%", START)
    see(journal, START, views=1000)
    see(journal, START + 2 * HOUR, views=1050)
    see(journal, START + 3 * HOUR, views=1040)
    now = START + HOUR
    assert journal.write(rebase.rebase_future, now) == 1
    after = state(journal)
    assert after.newest_at == now
    assert after.metric(Metric.VIEWS)[:5] == MetricState(1050, None, now, 1050)[:5]
    assert [(p.from_at, p.to_at) for p in readings.history(journal.con, V1)] == [(START, START)]
    assert journal.write(rebase.rebase_future, now) == 0
    see(journal, now + MINUTE, views=1101)
    assert journal.con.execute("SELECT previous, current FROM alert").fetchone()[:] == (1000, 1101)


def test_rebasing_frees_a_message_that_waits_by_the_wrong_clock_where_nothing_was_read_meanwhile(journal: Journal) -> None:
    ahead = to_ms(START + 30 * timedelta(days=1))
    journal.con.execute("INSERT INTO recipient (pk, address, not_before) VALUES (1, 'telegram:1', ?)", (ahead,))
    journal.con.execute(
        "INSERT INTO message (recipient_pk, text, plain, state, attempts, made_at, next_at) VALUES (1, 'x', 'x', 'pending', 1, ?, ?)",
        (to_ms(START), ahead),
    )
    assert journal.write(rebase.rebase_future, START) == 0, "no subject lies ahead"
    assert journal.con.execute("SELECT next_at FROM message").fetchone()[0] == ahead, "a long pause is none of the clock's"
    journal.con.execute("UPDATE message SET claimed_at = ?", (ahead,))
    journal.write(rebase.rebase_future, START)
    assert journal.con.execute("SELECT claimed_at, next_at FROM message").fetchone()[:] == (to_ms(START), to_ms(START))
    assert journal.con.execute("SELECT not_before FROM recipient").fetchone()[0] is None


def test_rebasing_makes_waits_for_presence_start_anew_too(journal: Journal) -> None:
    see(journal, START + 5 * HOUR, views=1)
    journal.accept([Absence(V1, START + 6 * HOUR)], START + 6 * HOUR)
    journal.write(rebase.rebase_future, START)
    assert state(journal).presence == PRESENT


def test_rebasing_forgets_neither_a_vanishing_nor_who_told_it(journal: Journal) -> None:
    journal.add_rule("availability", START)
    see(journal, START + 5 * HOUR, views=1)
    for after in (6, 7):
        journal.accept([Absence(V1, START + after * HOUR)], START + after * HOUR)
    journal.write(rebase.rebase_future, START)
    assert state(journal).presence == Presence(vanished_at=START)
    for later in (MINUTE, HOUR):
        see(journal, START + later, Lane.METADATA, views=1)
    assert [row[0] for row in journal.con.execute("SELECT facts FROM alert ORDER BY pk")] == ['["vanished"]', '["came back"]']


def test_state_up_to_five_minutes_ahead_is_left_alone(journal: Journal) -> None:
    see(journal, START + 5 * MINUTE, views=1)
    assert journal.write(rebase.rebase_future, START) == 0
    assert state(journal).newest_at == START + 5 * MINUTE


def test_a_journal_with_counts_of_the_older_form_is_brought_to_this_one(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    con = sqlite3.connect(path, isolation_level=None)
    for script in migrations()[:11]:
        con.executescript(script)
    con.executescript(f"PRAGMA user_version = 11; PRAGMA application_id = {APPLICATION_ID}")
    known = (
        '{"views":[9,null,5000,12,null,1.5,2.25],"likes":[3,"hidden",4000,3,["fall",4000,7000]],"comments":[4,null,5000,4,null],'
        '"presence":[1000,null,null]}'
    )
    con.executemany("INSERT INTO subject (id, kind, newest_at, state) VALUES (?, 'video', 5000, ?)", [("v1", known), ("v2", "{}")])
    con.close()
    new = open_journal(path)
    found = subjects.load(new, ["v1", "v2"])
    new.close()
    assert not found[SubjectId("v2")].state.metrics
    state = found[SubjectId("v1")].state
    assert state.metrics == {
        Metric.VIEWS: MetricState(9, None, from_ms(5000), 12, None, 1.5, 2.25),
        Metric.LIKES: MetricState(3, Absent.HIDDEN, from_ms(4000), 3, Wait(Pending.FALL, from_ms(4000), from_ms(7000))),
        Metric.COMMENTS: MetricState(4, None, from_ms(5000), 4),
    }
    assert state.presence == Presence(from_ms(1000))
