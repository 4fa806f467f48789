"""When to send: backoff after a failure, and the slots that a service's rate limits leave open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=10)
GIVE_UP_AGE = timedelta(days=14)
"""Longer than any outage that a service may have: three days once, and a week away would have lost what was in hand."""
GIVE_UP_ATTEMPTS = 100
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def backoff(attempts: int, jitter: float) -> timedelta:
    """The pause after the n-th failed attempt: doubling from 1 s to 10 min, between half of it and all of it (jitter in [0, 1))."""
    doublings = min(max(attempts, 1) - 1, 16)
    pause = min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
    return pause * (1 + jitter) / 2


def gives_up(attempts: int, age: timedelta) -> bool:
    """Whether a message that fails for a passing reason is dead: tried often AND for days, so neither a long outage
    of a service nor our own long absence loses anything."""
    return attempts >= GIVE_UP_ATTEMPTS and age >= GIVE_UP_AGE


class Pace(NamedTuple):
    """How fast one chat, and one service in all, may be sent to."""

    gap: timedelta = timedelta(0)
    per_minute: int | None = None
    all_per_second: int | None = None


UNPACED = Pace()
TELEGRAM_PRIVATE = Pace(SECOND * 1.05, None, 30)
TELEGRAM_GROUP = Pace(SECOND * 1.05, 20, 30)
"""Telegram's own figures are 1 a second in a chat, 20 a minute in a group and about 30 a second in all. Whether
the 20 hold for channels is not said anywhere: they are kept there too."""

_MARGIN = timedelta(milliseconds=5)


def next_slot(pace: Pace, chat_sent: Sequence[datetime], all_sent: Sequence[datetime], now: datetime, in_flight: int = 0) -> datetime:
    """The first instant from `now` on at which one more message to the chat breaks no limit.

    Both histories are in rising order, and say when the answers came: the service counted the message at some earlier instant, however
    slow the network was, so that no span of its own holds more than one of ours. What is `in_flight` may be counted as late as now.
    """
    slot = now
    if chat_sent:
        slot = max(slot, chat_sent[-1] + pace.gap)
    if pace.per_minute is not None and len(chat_sent) >= pace.per_minute:
        slot = max(slot, chat_sent[-pace.per_minute] + MINUTE + _MARGIN)
    if pace.all_per_second is not None:
        free = pace.all_per_second - in_flight
        if free <= 0:
            slot = max(slot, now + SECOND + _MARGIN)
        elif len(all_sent) >= free:
            slot = max(slot, all_sent[-free] + SECOND + _MARGIN)
    return slot
