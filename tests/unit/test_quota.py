"""The quota day, the shares of a bucket, and what happens when YouTube closes one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.quota import (
    PROBE_EVERY,
    SHARES,
    Bucket,
    Ledger,
    Share,
    Why,
    after_quota_error,
    allowance,
    quota_day,
    reserve_of,
    share_limit,
    spent,
)

NOON = datetime(2026, 6, 10, 19, tzinfo=UTC)
END = datetime(2026, 6, 11, 7, tzinfo=UTC)


def ledger(bucket: Bucket = Bucket.DEFAULT, limit: int = 1000, reserve: int = 100, **used: int) -> Ledger:
    return Ledger(bucket, quota_day(NOON), limit, reserve, {Share(share): units for share, units in used.items()})


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        (date(2026, 3, 8), datetime(2026, 3, 8, 8, tzinfo=UTC), 23),
        (date(2026, 11, 1), datetime(2026, 11, 1, 7, tzinfo=UTC), 25),
        (date(2026, 6, 10), datetime(2026, 6, 10, 7, tzinfo=UTC), 24),
    ],
)
def test_a_quota_day_ends_at_midnight_pacific_time_however_long_it_is(day: date, start: datetime, hours: int) -> None:
    end = start + timedelta(hours=hours)
    assert quota_day(start) == (day, start, end)
    assert quota_day(end - timedelta(milliseconds=1)).day == day
    assert quota_day(end).day == day + timedelta(days=1)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - what `datetimes` asks for
def test_every_instant_lies_in_exactly_its_own_quota_day(now: datetime) -> None:
    day = quota_day(now)
    assert day.start_at <= now < day.end_at
    assert day.end_at - day.start_at in {timedelta(hours=hours) for hours in (23, 24, 25)}
    assert quota_day(day.end_at).start_at == day.end_at


def test_the_shares_of_a_bucket_are_all_of_it_without_its_reserve() -> None:
    for bucket, shares in SHARES.items():
        assert sum(shares.values()) == 1, bucket


def test_the_reserve_is_a_part_of_the_limit_and_at_least_one_unit() -> None:
    assert [reserve_of(limit, 0.05) for limit in (10_000, 100, 3, 0)] == [500, 5, 1, 0]


def test_a_lane_may_spend_its_share_and_no_more() -> None:
    assert allowance(ledger(), Share.METADATA, NOON) == (225, NOON, END, Why.OPEN)
    assert allowance(ledger(metadata=220), Share.METADATA, NOON).units == 5
    assert allowance(ledger(metadata=225), Share.METADATA, NOON) == (0, END, END, Why.SHARE_SPENT)
    assert allowance(ledger(Bucket.STATS), Share.STATISTICS, NOON).units == 900
    assert allowance(ledger(Bucket.STATS), Share.METADATA, NOON).why is Why.SHARE_SPENT


def test_commands_may_spend_whatever_is_left_and_lanes_leave_the_reserve_to_them() -> None:
    busy = ledger(metadata=225, membership=405, statistics=260)
    assert allowance(busy, Share.COMMANDS, NOON).units == 110
    assert allowance(busy, Share.STATISTICS, NOON).units == 10
    commanded = spent(busy, Share.COMMANDS, 105, NOON)
    assert allowance(commanded, Share.STATISTICS, NOON).units == 5
    assert allowance(spent(commanded, Share.COMMANDS, 5, NOON), Share.COMMANDS, NOON) == (0, END, END, Why.BUCKET_SPENT)
    assert share_limit(busy, Share.COMMANDS) == 1000


def test_an_allowance_permits_what_fits_while_it_lasts() -> None:
    allowed = allowance(ledger(metadata=223), Share.METADATA, NOON)
    assert allowed.permits(NOON, 2)
    assert not allowed.permits(NOON, 3)
    assert not allowed.permits(END)
    assert not allowed.permits(NOON - timedelta(seconds=1))


def test_a_bucket_that_youtube_closed_is_probed_with_one_call_an_hour() -> None:
    closed = after_quota_error(ledger(), NOON)
    probe_at = NOON + PROBE_EVERY
    assert closed.left == 0
    assert allowance(closed, Share.METADATA, NOON) == (1, probe_at, END, Why.CLOSED)
    assert allowance(closed, Share.METADATA, probe_at) == (1, probe_at, END, Why.PROBE)
    probed = spent(closed, Share.METADATA, 1, probe_at)
    assert not allowance(probed, Share.MEMBERSHIP, probe_at).permits(probe_at)
    assert allowance(probed, Share.MEMBERSHIP, probe_at).from_at == probe_at + PROBE_EVERY
    again = after_quota_error(probed, probe_at + timedelta(seconds=1))
    assert again.closed_at == NOON


def test_no_probe_is_planned_beyond_the_days_end() -> None:
    late = END - timedelta(minutes=10)
    assert allowance(after_quota_error(ledger(), late), Share.METADATA, late).from_at == END


@given(
    st.integers(1, 400),
    st.floats(0.0, 1.0),
    st.lists(st.tuples(st.sampled_from(Share), st.integers(1, 40))),
)
def test_whoever_spends_in_whatever_order_the_limit_holds_and_lanes_keep_off_the_reserve(
    limit: int, part: float, wishes: list[tuple[Share, int]]
) -> None:
    now = ledger(limit=limit, reserve=reserve_of(limit, part))
    for share, units in wishes:
        if allowance(now, share, NOON).permits(NOON, units):
            now = spent(now, share, units, NOON)
    assert now.total <= limit
    commands = now.used.get(Share.COMMANDS, 0)
    assert now.total - commands <= limit - now.reserve
    assert all(now.used.get(share, 0) <= share_limit(now, share) for share in Share)
