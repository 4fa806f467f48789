"""Digests: when they come, and what waits for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from ytwatcher.core.policy import Digest, Hold, Recipient, Tell, decide, digest_at, digest_text, parse_digest, parse_quiet
from ytwatcher.core.rules import parse_rule
from ytwatcher.errors import InputError

PLAIN = parse_rule("views change")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""A Tuesday."""
DAILY = Digest(None, time(9))
ANNA = Recipient("telegram:1", digest=DAILY)


@pytest.mark.parametrize(
    ("typed", "normal"),
    [("daily 9:00", "daily 09:00"), (" Weekly  Monday 09:05 ", "weekly mon 09:05"), ("weekly sun 23:59", "weekly sun 23:59")],
)
def test_a_digest_is_read_and_written_back(typed: str, normal: str) -> None:
    assert digest_text(parse_digest(typed)) == normal
    assert parse_digest(normal) == parse_digest(typed)


@pytest.mark.parametrize("typed", ["", "daily", "9:00", "weekly 09:00", "weekly xyz 09:00", "daily 24:00", "hourly 09:00"])
def test_what_is_no_digest_is_refused_with_what_would_be(typed: str) -> None:
    with pytest.raises(InputError, match="daily 09:00"):
        parse_digest(typed)


def test_the_next_digest_is_today_or_tomorrow_or_next_week() -> None:
    utc = ZoneInfo("UTC")
    assert digest_at(DAILY, utc, NOON) == NOON + timedelta(hours=21)
    assert digest_at(DAILY, utc, NOON.replace(hour=9)) == NOON.replace(hour=9)
    assert digest_at(Digest(0, time(9)), utc, NOON) == datetime(2026, 11, 30, 9, tzinfo=UTC)
    assert digest_at(DAILY, ZoneInfo("Europe/Berlin"), NOON) == datetime(2026, 11, 25, 8, tzinfo=UTC)
    # In the night of the change to summer time 02:30 does not come: the first instant after it does.
    night = datetime(2026, 3, 29, 0, tzinfo=UTC)
    assert digest_at(Digest(None, time(2, 30)), ZoneInfo("Europe/Berlin"), night) == night.replace(hour=1)


def test_an_alert_waits_for_the_first_digest_after_it_was_found() -> None:
    at = NOON + timedelta(hours=21)
    assert decide(PLAIN, ANNA, None, NOON) == Hold(at, "digest")
    assert decide(PLAIN, ANNA, None, at - timedelta(seconds=1), found_at=NOON) == Hold(at, "digest")
    assert decide(PLAIN, ANNA, None, at, found_at=NOON) == Tell()
    assert decide(PLAIN, ANNA, None, at + timedelta(hours=5), found_at=NOON) == Tell()


def test_an_operators_notice_waits_for_no_digest() -> None:
    assert decide(None, ANNA, None, NOON) == Tell()


def test_a_cooldown_that_ends_after_a_digest_waits_for_the_next_one() -> None:
    calm = replace(PLAIN, cooldown=timedelta(hours=6))
    told_at = NOON.replace(hour=9)
    assert decide(calm, ANNA, told_at, NOON, found_at=NOON) == Hold(told_at + timedelta(hours=6), "cooldown")
    assert decide(calm, ANNA, told_at, told_at + timedelta(hours=6), found_at=NOON) == Hold(NOON + timedelta(hours=21), "digest")


def test_a_digest_within_quiet_hours_comes_at_their_end() -> None:
    sleeper = replace(ANNA, quiet=parse_quiet("08:00-10:00"))
    at = NOON + timedelta(hours=21)
    assert decide(PLAIN, sleeper, None, at, found_at=NOON) == Hold(at + timedelta(hours=1), "quiet hours")


def test_a_chat_that_had_its_messages_waits_until_there_is_room() -> None:
    plain = Recipient("telegram:1")
    until = NOON + timedelta(hours=2)
    held = decide(PLAIN, plain, None, NOON, full_until=until)
    assert held == Hold(until, "as many messages as it may get in 24 hours")
    assert decide(PLAIN, plain, None, until, full_until=until) == Tell()
    assert decide(None, plain, None, NOON, full_until=until) == Tell()
