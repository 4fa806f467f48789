from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.retry import TELEGRAM_GROUP, TELEGRAM_PRIVATE, UNPACED, Pace, backoff, gives_up, next_slot

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def test_the_pause_doubles_from_a_second_to_ten_minutes() -> None:
    assert [backoff(n, 1.0) for n in (1, 2, 3, 10, 11, 10**6)] == [seconds(n) for n in (1, 2, 4, 512, 600, 600)]
    assert backoff(3, 0.0) == seconds(2)


def test_a_message_is_given_up_only_after_many_attempts_and_days() -> None:
    assert not gives_up(1000, 13 * DAY)
    assert not gives_up(1, 30 * DAY)  # the first attempt after a long absence of ours
    assert gives_up(100, 14 * DAY)


def test_a_free_slot_is_now() -> None:
    assert next_slot(TELEGRAM_GROUP, [], [], NOON) == NOON
    assert next_slot(UNPACED, [NOON] * 100, [NOON] * 100, NOON) == NOON


def test_a_chat_is_sent_to_once_a_second() -> None:
    assert next_slot(TELEGRAM_PRIVATE, [NOON - seconds(0.3)], [], NOON) == NOON + seconds(0.75)


def test_a_group_is_sent_to_twenty_times_a_minute() -> None:
    sent = [NOON + seconds(1.1 * n) for n in range(20)]
    assert next_slot(TELEGRAM_GROUP, sent, [], sent[-1] + seconds(2)) == NOON + seconds(60.005)
    assert next_slot(TELEGRAM_PRIVATE, sent, [], sent[-1] + seconds(2)) == sent[-1] + seconds(2)


def test_all_chats_together_get_30_a_second() -> None:
    assert next_slot(TELEGRAM_PRIVATE, [], [NOON] * 29, NOON) == NOON
    assert next_slot(TELEGRAM_PRIVATE, [], [NOON] * 30, NOON) == NOON + seconds(1.005)


def test_what_is_in_flight_counts_as_sent_now() -> None:
    sent = [NOON - seconds(0.5)] * 20
    assert next_slot(TELEGRAM_PRIVATE, [], sent, NOON, 9) == NOON
    assert next_slot(TELEGRAM_PRIVATE, [], sent, NOON, 10) == NOON + seconds(0.505)
    assert next_slot(TELEGRAM_PRIVATE, [], [], NOON, 30) == NOON + seconds(1.005)


@given(
    st.lists(st.floats(0, 10), max_size=120),
    st.sampled_from([TELEGRAM_PRIVATE, TELEGRAM_GROUP, Pace(seconds(0.2), 7, 3)]),
)
def test_whoever_keeps_to_the_slots_breaks_no_limit(pauses: list[float], pace: Pace) -> None:
    now, sent = NOON, list[datetime]()
    for pause in pauses:
        now = next_slot(pace, sent, sent, now + seconds(pause / 10))
        sent.append(now)
    assert all(later - earlier >= pace.gap for earlier, later in pairwise(sent))
    for limit, span in ((pace.per_minute, seconds(60)), (pace.all_per_second, seconds(1))):
        if limit is not None:
            assert all(later - earlier > span for earlier, later in zip(sent, sent[limit:], strict=False))
