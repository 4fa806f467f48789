from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ytwatcher.core.model import Metric
from ytwatcher.core.sparkline import Stretch, in_force, sparkline

START = datetime(2026, 1, 1, tzinfo=UTC)
BREAK = datetime(2026, 8, 23, tzinfo=UTC)


def points(*values: int | None, start: datetime = START, hours: int = 24) -> list[Stretch]:
    at = [start + timedelta(hours=hours) * n for n in range(len(values))]
    return [Stretch(when, when, value) for when, value in zip(at, values, strict=True)]


def test_the_lowest_and_the_highest_value_have_the_lowest_and_the_highest_block() -> None:
    assert sparkline(points(0, 10, 20, 30, 40, 50, 60, 70), Metric.VIEWS, 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(points(70, 35, 0), Metric.VIEWS, 2) == "█▁"


def test_a_value_that_is_not_known_is_a_gap() -> None:
    assert sparkline(points(0, 0, None, 7), Metric.VIEWS, 4) == "▁▁ █"
    assert sparkline(points(None, None), Metric.VIEWS, 2) == "  "


def test_a_value_that_never_moves_is_a_flat_line_and_a_single_reading_one_block() -> None:
    assert sparkline(points(5, 5, 5), Metric.VIEWS, 4) == "▁▁▁▁"
    assert sparkline(points(5), Metric.VIEWS, 4) == "▁"


def test_the_line_runs_over_the_time_not_over_the_rows() -> None:
    rows = [*points(0, 1, 2, 3, hours=1), *points(10, start=START + timedelta(hours=10))]
    assert sparkline(rows, Metric.VIEWS, 11) == "▁▁▂▃▃▃▃▃▃▃█"


def test_a_counting_break_is_a_bar() -> None:
    line = sparkline(points(1, None, None, None, None, 9, 9, start=BREAK), Metric.VIEWS, 7)
    assert line == "▁    ┊█"


def test_before_the_first_value_none_is_in_force() -> None:
    assert in_force(points(5, 6), START - timedelta(hours=1)) is None
    assert in_force(points(5, 6), START + timedelta(hours=1)) == 5
