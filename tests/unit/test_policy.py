from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.model import Metric, RuleKind, RuleSpec
from ytwatcher.core.policy import Hold, Quiet, Recipient, Suppress, Tell, decide, instant, parse_quiet, quiet_text
from ytwatcher.errors import InputError

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
PLAIN = RuleSpec(RuleKind.CHANGE, Metric.LIKES)
ANNA = Recipient("telegram:1")
SLEEPER = replace(ANNA, quiet=Quiet(time(23), time(7, 30)))


def test_an_alert_is_told_at_once_unless_something_speaks_against_it() -> None:
    assert decide(PLAIN, ANNA, None, NOON) == Tell()
    assert decide(PLAIN, SLEEPER, NOON - timedelta(minutes=1), NOON) == Tell()
    assert decide(replace(PLAIN, silent=True), ANNA, None, NOON) == Tell(silent=True)


def test_a_lost_recipient_is_told_nothing_not_even_notices() -> None:
    gone = replace(ANNA, lost=True)
    assert decide(PLAIN, gone, None, NOON) == decide(None, gone, None, NOON) == Suppress("recipient lost")


def test_once_suppresses_what_follows_a_told_one() -> None:
    once = replace(PLAIN, once=True)
    assert decide(once, ANNA, None, NOON) == Tell()
    assert decide(once, ANNA, NOON, NOON) == Suppress("once: told before")


def test_cooldown_holds_until_the_last_telling_is_that_long_ago() -> None:
    calm, told_at = replace(PLAIN, cooldown=timedelta(hours=6)), NOON - timedelta(hours=2)
    assert decide(calm, ANNA, told_at, NOON) == Hold(NOON + timedelta(hours=4), "cooldown")
    assert decide(calm, ANNA, NOON - timedelta(hours=6), NOON) == Tell()
    assert decide(calm, ANNA, None, NOON) == Tell()


def test_mute_suppresses_until_it_ends() -> None:
    muted = replace(ANNA, muted_until=NOON + timedelta(hours=1))
    assert decide(PLAIN, muted, None, NOON) == Suppress("muted")
    assert decide(PLAIN, muted, None, NOON + timedelta(hours=1)) == Tell()


def test_quiet_hours_hold_until_they_end_over_midnight_too() -> None:
    end = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)
    assert decide(PLAIN, SLEEPER, None, NIGHT) == Hold(end, "quiet hours")
    assert decide(PLAIN, SLEEPER, None, datetime(2026, 11, 25, 3, tzinfo=UTC)) == Hold(end, "quiet hours")
    assert decide(PLAIN, SLEEPER, None, end) == Tell()
    assert decide(PLAIN, replace(ANNA, quiet=parse_quiet("11:00-13:00")), None, NOON) == Hold(NOON + timedelta(hours=1), "quiet hours")


def test_a_notice_is_neither_muted_nor_held_but_makes_no_sound_in_quiet_hours() -> None:
    assert decide(None, replace(ANNA, muted_until=NIGHT), None, NOON) == Tell()
    assert decide(None, SLEEPER, None, NIGHT) == Tell(silent=True)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-29 01:59", "2026-03-29 00:59"),
        ("2026-03-29 02:00", "2026-03-29 01:00"),
        ("2026-03-29 02:30", "2026-03-29 01:00"),
        ("2026-03-29 03:00", "2026-03-29 01:00"),
        ("2026-10-25 02:30", "2026-10-25 00:30"),
    ],
)
def test_a_skipped_local_time_is_the_first_instant_after_it_and_a_doubled_one_the_first(local: str, utc: str) -> None:
    assert instant(datetime.fromisoformat(local), ZoneInfo("Europe/Berlin")) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_quiet_hours_that_end_in_the_skipped_hour_end_at_its_end() -> None:
    berliner = replace(ANNA, timezone="Europe/Berlin", quiet=parse_quiet("22:00-02:30"))
    end = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert decide(PLAIN, berliner, None, end - timedelta(seconds=1)) == Hold(end, "quiet hours")
    assert decide(PLAIN, berliner, None, end) == Tell()


@given(st.integers(0, 5_000_000), st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]))
def test_an_instant_reads_as_its_local_time_or_later(minutes: int, name: str) -> None:
    local, zone = datetime.fromisoformat("2020-01-01") + timedelta(minutes=minutes), ZoneInfo(name)
    shown = instant(local, zone).astimezone(zone).replace(tzinfo=None)
    assert local <= shown <= local + timedelta(hours=1)


@given(st.times(), st.times(), st.integers(-400_000, 400_000))
def test_whatever_is_held_is_held_until_later_and_told_then(start: time, end: time, minutes: int) -> None:
    now = NOON + timedelta(minutes=minutes)
    someone = Recipient("telegram:1", timezone="Europe/Berlin", quiet=Quiet(start.replace(second=0), end.replace(second=0)))
    decision = decide(PLAIN, someone, None, now)
    if isinstance(decision, Hold):
        assert now < decision.until <= now + timedelta(hours=25)
        assert start >= end or isinstance(decide(PLAIN, someone, None, decision.until), Tell)


def test_quiet_hours_are_typed_and_written_back_in_one_form() -> None:
    assert quiet_text(parse_quiet(" 9:05 – 17:00")) == "09:05-17:00"


@pytest.mark.parametrize("text", ["", "23-7", "24:00-07:00", "08:00-08:00", "23:00-07:60"])
def test_what_is_no_span_of_hours_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_quiet(text)
