"""Stored readings: spans, history, since when nothing changed, and what the retention leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from ytwatcher.core.model import Absent, Lane, Metric, Reading, SubjectId, Value, to_ms
from ytwatcher.store import readings, subjects, watches

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
V1 = SubjectId("v1")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    journal.add_target([V1], START)
    yield journal
    journal.con.close()


def see(journal: Journal, at: datetime, **values: Value) -> None:
    journal.accept([Reading(V1, at, Lane.STATISTICS, {Metric(name): value for name, value in values.items()})], at)


def spans(journal: Journal) -> list[tuple[datetime, datetime, int | None]]:
    return [(p.from_at, p.to_at, p.values[Metric.VIEWS]) for p in readings.history(journal.con, V1)]


def test_an_unchanged_reading_extends_the_span(journal: Journal) -> None:
    for hour, views in enumerate((1, 1, 1, 2, 2)):
        see(journal, START + hour * HOUR, views=views)
    assert spans(journal) == [(START, START + 2 * HOUR, 1), (START + 3 * HOUR, START + 4 * HOUR, 2)]


def test_history_can_be_cut_at_a_time_and_to_the_newest_spans(journal: Journal) -> None:
    for hour in range(5):
        see(journal, START + hour * HOUR, views=hour)
    assert [p.values[Metric.VIEWS] for p in readings.history(journal.con, V1, since=START + 3 * HOUR)] == [3, 4]
    assert [p.values[Metric.VIEWS] for p in readings.history(journal.con, V1, limit=3)] == [2, 3, 4]
    assert readings.history(journal.con, "nobody") == []


def test_each_metric_tells_since_when_it_has_not_changed(journal: Journal) -> None:
    see(journal, START, views=1, likes=5, comments=7)
    see(journal, START + HOUR, views=2, likes=5, comments=Absent.DISABLED)
    see(journal, START + 2 * HOUR, views=3, likes=5, comments=Absent.DISABLED)
    see(journal, START + 3 * HOUR, views=3, likes=5, comments=Absent.DISABLED)
    assert readings.unchanged_since(journal.con, V1) == {Metric.VIEWS: START + 2 * HOUR, Metric.LIKES: START}
    assert readings.unchanged_since(journal.con, "nobody") == {}


def test_the_retention_deletes_old_readings_and_shortens_a_span_that_reaches_into_it(journal: Journal) -> None:
    for day, views in ((0, 1), (1, 2), (29, 2), (31, 2), (35, 3)):
        see(journal, START + day * DAY, views=views)
    assert journal.write(readings.prune, START + 40 * DAY, 30 * DAY) == 1
    assert spans(journal) == [(START + 10 * DAY, START + 31 * DAY, 2), (START + 35 * DAY, START + 35 * DAY, 3)]
    see(journal, START + 40 * DAY, views=3)
    assert spans(journal)[-1] == (START + 35 * DAY, START + 40 * DAY, 3)


def test_the_newest_state_of_a_watched_subject_outlasts_its_readings(journal: Journal) -> None:
    see(journal, START, views=123)
    assert journal.write(readings.prune, START + 99 * DAY, 30 * DAY) == 1
    assert spans(journal) == []
    assert subjects.load(journal.con, [V1])[V1].state.metric(Metric.VIEWS).peak == 123


def test_old_alerts_and_messages_lose_their_values_and_keep_their_ids_once_they_are_done(journal: Journal) -> None:
    journal.add_rule("views every 10", START, "r1")
    journal.add_rule("title", START, "r2")
    for day, views in enumerate((5, 15, 25, 35, 45)):
        see(journal, START + day * DAY, views=views)
    for pk, (state, message_pk) in enumerate({"suppressed": None, "message": 1, "waiting": None, "held": None}.items(), start=1):
        made = (state, message_pk, json.dumps(["A", "B"]), to_ms(START), pk)
        journal.con.execute("UPDATE alert SET state = ?, message_pk = ?, facts = ?, made_at = ? WHERE pk = ?", made)
    journal.con.execute(
        "INSERT INTO message (pk, recipient_pk, text, plain, state, made_at, next_at) VALUES (1, 1, 't', 'p', 'pending', ?, 0)",
        (to_ms(START),),
    )
    assert left(journal) == ["suppressed", "message", "waiting", "held", "text"]
    journal.write(readings.prune, START + 40 * DAY, 30 * DAY)
    assert left(journal) == ["message", "waiting", "held", "text"]
    journal.con.execute("UPDATE message SET state = 'sent'")
    journal.write(readings.prune, START + 40 * DAY, 30 * DAY)
    assert left(journal) == ["waiting", "held"]
    assert journal.con.execute("SELECT count(*), count(id), count(mark) FROM alert").fetchone()[:] == (4, 4, 4)


def test_where_a_rule_stood_is_forgotten_a_day_after_its_end(journal: Journal) -> None:
    for line in ("views change", "views rise 5"):
        journal.add_rule(line, START)
    see(journal, START, views=1)
    journal.write(watches.end_rule, "r1", START)

    def standing(after: timedelta) -> list[int]:
        journal.write(readings.prune, START + after, 30 * DAY)
        return [row[0] for row in journal.con.execute("SELECT rule_pk FROM rule_state ORDER BY rule_pk")]

    assert (standing(DAY), standing(DAY + HOUR)) == ([1, 2], [2])


def left(journal: Journal) -> list[str]:
    """The states of the alerts that still have values, then whether a message still has its text."""
    whole = "previous IS NOT NULL AND current IS NOT NULL AND facts IS NOT NULL"
    alerts = [row[0] for row in journal.con.execute(f"SELECT state FROM alert WHERE {whole} ORDER BY pk")]
    return alerts + ["text" for _ in journal.con.execute("SELECT 1 FROM message WHERE text IS NOT NULL AND plain IS NOT NULL")]
