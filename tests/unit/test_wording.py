"""How many, and how long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ytwatcher.core.wording import age, counted, iso

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=119), "119 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_an_instant_is_so_long_ago(past: timedelta, said: str) -> None:
    assert age(NOW - past, NOW) == said


def test_what_never_was_is_not_yet() -> None:
    assert age(None, NOW) == "not yet"


def test_one_is_not_many() -> None:
    assert counted(1, "row") == "1 row"
    assert counted(1_200, "row") == "1,200 rows"
    assert counted(2, "reply", "replies") == "2 replies"


def test_programs_get_instants_in_utc() -> None:
    assert iso(NOW) == "2026-03-01T12:00:00.000Z"
    assert iso(None) is None
