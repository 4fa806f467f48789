"""What is published of a reading: settled values, and the peaks before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ytwatcher.core.judge import observe
from ytwatcher.core.model import Absent, Lane, Metric, Reading, SubjectId, SubjectState, Value, to_ms
from ytwatcher.core.records import Record, baseline, records

V1 = SubjectId("v1")
START = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(*steps: tuple[datetime, Mapping[str, Value]], title: str = "T") -> list[list[Record]]:
    """The records of each of these readings, the subject being new before the first."""
    state, found = SubjectState(V1), []
    for at, values in steps:
        reading = Reading(V1, at, Lane.METADATA, {Metric(name): value for name, value in values.items()}, title=title, published_at=START)
        outcome = observe(state, reading, ())
        found.append(records(state, outcome.state, outcome.verdicts, "c1", "C"))
        state = outcome.state
    return found


def part(record: Record, *names: str) -> tuple[Any, ...]:
    return tuple(record[name] for name in names)


def test_a_first_reading_has_no_peaks_and_says_only_what_it_knows() -> None:
    (record,) = told((START, {"views": 1000, "likes": 0}))[0]
    assert record == {
        "VIDEO_TIMESTAMP": "2026-10-01T12:00:00Z",
        "TITLE": "T",
        "VIEWS": 1000,
        "LIKES": 0,
        "FAVORITES": None,
        "COMMENTS": None,
        "OBSERVED_AT": to_ms(START),
        "CHANNEL_ID": "c1",
        "CHANNEL_TITLE": "C",
        "PEAK_VIEWS": None,
        "PEAK_LIKES": None,
        "PEAK_FAVORITES": None,
        "PEAK_COMMENTS": None,
    }


def test_a_peak_is_the_one_before_the_reading() -> None:
    steps = told((START, {"views": 1000}), (START + HOUR, {"views": 1200}), (START + 2 * HOUR, {"views": 1300}))
    assert [part(record, "VIEWS", "PEAK_VIEWS") for (record,) in steps] == [(1000, None), (1200, 1000), (1300, 1200)]


def test_an_unsettled_value_is_not_published() -> None:
    low, high = {"views": 900}, {"views": 1000}
    steps = told((START, high), (START + HOUR, low), (START + 2 * HOUR, high), (START + 3 * HOUR, low), (START + 4 * HOUR, low))
    assert [record["VIEWS"] for (record,) in steps] == [1000, 1000, 1000, 1000, 900]


def test_what_a_reading_does_not_carry_is_carried_forward() -> None:
    steps = told((START, {"views": 10, "favorites": 3}), (START + HOUR, {"views": 12}), (START + 2 * HOUR, {"views": Absent.NOT_RETURNED}))
    assert [part(record, "VIEWS", "FAVORITES") for (record,) in steps] == [(10, 3), (12, 3), (12, 3)]


def test_what_is_settled_as_hidden_is_null_and_its_peak_stays() -> None:
    hidden = {"likes": Absent.HIDDEN}
    steps = told((START, {"likes": 10}), (START + HOUR, hidden), (START + 2 * HOUR, hidden), (START + 3 * HOUR, {"likes": 11}))
    assert [part(record, "LIKES", "PEAK_LIKES") for (record,) in steps] == [(10, None), (10, 10), (None, 10), (11, 10)]


BREAK = datetime(2026, 8, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_inside_a_counting_break_views_are_null_and_the_first_after_it_passes_nothing() -> None:
    steps = told(
        (BREAK - 3 * DAY, {"views": 10}), (BREAK, {"views": 500}), (BREAK + 4 * DAY, {"views": 600}), (BREAK + 5 * DAY, {"views": 700})
    )
    assert [[part(record, "VIEWS", "PEAK_VIEWS") for record in step] for step in steps] == [
        [(10, None)],
        [(None, 10)],
        [(600, 600)],
        [(700, 600)],
    ]


def test_across_a_break_without_a_reading_in_it_a_record_without_the_value_stands_between() -> None:
    steps = told((BREAK - 3 * DAY, {"views": 10, "likes": 1}), (BREAK + 4 * DAY, {"views": 600, "likes": 2}))
    assert [[part(record, "VIEWS", "PEAK_VIEWS", "LIKES", "OBSERVED_AT") for record in step] for step in steps] == [
        [(10, None, 1, to_ms(BREAK - 3 * DAY))],
        [(None, 600, 2, to_ms(BREAK + 4 * DAY)), (600, 600, 2, to_ms(BREAK + 4 * DAY))],
    ]


def test_without_a_publishing_time_and_an_instant_both_are_null() -> None:
    (record,) = records(SubjectState(V1), SubjectState(V1), {}, None, None)
    assert part(record, "VIDEO_TIMESTAMP", "OBSERVED_AT", "TITLE", "CHANNEL_ID") == (None, None, None, None)


def test_a_baseline_says_where_a_video_stands_and_that_nothing_is_new() -> None:
    reading = Reading(V1, START, Lane.METADATA, {Metric.VIEWS: 1000, Metric.LIKES: 7}, title="T", published_at=START)
    state = observe(SubjectState(V1), reading, ()).state
    first, second = baseline(state, "c1", "C")
    assert part(first, "VIEWS", "LIKES", "COMMENTS") == (None, None, None)
    assert part(second, "VIEWS", "LIKES", "COMMENTS") == (1000, 7, None)
    for record in (first, second):
        assert part(record, "PEAK_VIEWS", "PEAK_LIKES", "OBSERVED_AT", "CHANNEL_TITLE") == (1000, 7, to_ms(START), "C")
