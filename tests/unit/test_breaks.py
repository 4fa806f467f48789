from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ytwatcher.core.breaks import BREAKS, between, within
from ytwatcher.core.model import Metric

START, END = datetime(2026, 8, 24, tzinfo=UTC), datetime(2026, 8, 28, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("metric", [Metric.VIEWS, Metric.TOTAL_VIEWS])
def test_views_have_a_break_from_24_to_27_august_2026(metric: Metric) -> None:
    assert not within(metric, START - SECOND)
    assert within(metric, START)
    assert within(metric, END - SECOND)
    assert not within(metric, END)


@pytest.mark.parametrize("metric", [Metric.LIKES, Metric.COMMENTS, Metric.FAVORITES, Metric.SUBSCRIBERS, Metric.VIDEOS])
def test_other_metrics_have_none(metric: Metric) -> None:
    assert not within(metric, START)
    assert not between(metric, START - SECOND, END)


def test_a_break_lies_between_a_reading_before_it_and_the_first_one_after_it() -> None:
    assert between(Metric.VIEWS, START - SECOND, END)
    assert not between(Metric.VIEWS, START - SECOND, END - SECOND)
    assert not between(Metric.VIEWS, END, END + SECOND)


def test_every_break_says_why_and_ends_after_it_starts() -> None:
    assert all(b.why and b.metrics and b.start_at < b.end_at for b in BREAKS)
