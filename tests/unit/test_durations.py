"""Durations as people type them, and how they are written back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.durations import LONGEST, duration_text, duration_words, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("6h", 21_600), ("30d", 2_592_000), ("1h30m", 5400), ("1d2h3m4s", 93_784), (" 6H ", 21_600), ("90m", 5400)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", " ", "6", "6x", "-6h", "1.5h", "30m1h", "1h 30m", "1h1h", "6 h", "٦h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write 90s, 15m, 6h, 30d or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0s", "36501d", "99999999d99999999h99999999m99999999s"])
def test_a_duration_has_a_range(text: str) -> None:
    with pytest.raises(ValueError, match="at least 1s and at most 36500d"):
        parse_duration(text)


def test_a_duration_is_said_in_words() -> None:
    assert duration_words(timedelta(hours=1, minutes=30)) == "1 hour 30 minutes"
    assert duration_words(timedelta(days=30, seconds=1)) == "30 days 1 second"


@given(st.integers(1, int(LONGEST.total_seconds())))
def test_the_normal_text_reads_back(seconds: int) -> None:
    assert parse_duration(duration_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
