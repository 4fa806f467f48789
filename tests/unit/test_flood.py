from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ytwatcher.telegram.flood import BURST, CHATS, REFILL, Flood, Verdict

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_burst_is_answered_then_one_word_is_said_then_nothing() -> None:
    flood = Flood()
    found = [flood.judge("a", NOW) for _ in range(BURST + 5)]
    assert found == [Verdict.ANSWER] * BURST + [Verdict.SAY_SLOWER] + [Verdict.DROP] * 4
    assert flood.judge("b", NOW) is Verdict.ANSWER


def test_each_refill_gives_one_back_and_the_word_is_not_said_anew_before_it_was_quiet() -> None:
    flood = Flood()
    for _ in range(BURST + 1):
        flood.judge("a", NOW)
    later = NOW + REFILL
    assert [flood.judge("a", later) for _ in range(2)] == [Verdict.ANSWER, Verdict.DROP]
    quiet = later + REFILL * BURST * 2
    assert [flood.judge("a", quiet) for _ in range(BURST + 1)][-1] is Verdict.SAY_SLOWER


def test_what_is_remembered_is_bounded() -> None:
    flood = Flood()
    for number in range(CHATS + 10):
        flood.judge(str(number), NOW + timedelta(seconds=number))
    assert len(flood._full_at) == CHATS  # its bound is what this test is about
