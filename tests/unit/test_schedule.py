"""The plan: single decisions by example, whole quota days by simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ytwatcher.core.intervals import Kind, Pace, next_reading, step_of
from ytwatcher.core.model import SubjectId, SubjectState, from_ms, to_ms
from ytwatcher.core.quota import Allowance, Bucket, Ledger, Share, Why, after_quota_error, allowance, quota_day, spent
from ytwatcher.core.schedule import (
    METADATA_EVERY,
    PLAYLIST_EVERY,
    UNREADABLE_EVERY,
    UPLOADS_EVERY,
    WHOLE_LIST_EVERY,
    Due,
    Listing,
    ListPlan,
    Load,
    Plan,
    Reason,
    Settings,
    daily_cost,
    expected_delay,
    plan_channels,
    plan_membership,
    plan_metadata,
    plan_statistics,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 6, 10, 19, tzinfo=UTC)
END = datetime(2026, 6, 11, 7, tzinfo=UTC)
DEFAULTS = Settings()


def open_for(units: int, now: datetime = NOW) -> Allowance:
    return Allowance(units, now, quota_day(now).end_at, Why.OPEN)


def ms(ago: timedelta | None) -> int | None:
    return None if ago is None else to_ms(NOW - ago)


def due(name: str, ago: timedelta | None, *, wanted: timedelta | None = None, near: bool = False, every: timedelta = 5 * MINUTE) -> Due:
    """A subject read `ago`, with a reading wanted since (negative: in) `wanted`, due in any case when `every` is over."""
    return Due(SubjectId(name), ms(ago), ms(wanted), near, None if ago is None else ms(ago - (MINUTE if near else every)))


def load_of(subjects: Iterable[Due]) -> Load:
    read = [one for one in subjects if one.read_ms is not None]
    kinds = Counter(Kind(one.near, step_of(1 / 60) if one.near else 0) for one in read)
    return Load(kinds, len(list(subjects)) - len(read), max((one.read_ms or 0 for one in read), default=None))


def statistics(*subjects: Due, units: int = 9_500) -> Plan:
    return plan_statistics(subjects, load_of(subjects), open_for(units), NOW, DEFAULTS)


def steady(one: Due) -> Due:
    """A subject of a lane in which all have the same interval."""
    return one._replace(due_ms=None)


def test_a_load_counts_those_near_a_number() -> None:
    load = load_of([due("a", MINUTE, near=True), due("b", MINUTE), due("c", None)])
    assert (load.near, load.subjects, load.new) == (1, 2, 1)


def seen(plan: Plan) -> tuple[object, ...]:
    """A plan without its pace."""
    return plan[:-1]


# One call


def test_nothing_watched_waits_until_something_is() -> None:
    assert seen(statistics()) == ((), None, Reason.NOTHING, 5 * MINUTE, MINUTE, 0)
    assert membership() == (None, False, None, Reason.NOTHING, UPLOADS_EVERY, 0)


def test_a_subject_never_read_is_read_at_once_and_before_all_others() -> None:
    plan = statistics(due("wanted", HOUR, wanted=HOUR), due("old", HOUR), due("new", None))
    assert plan.ids == ("new", "wanted", "old")
    assert (plan.at, plan.reason) == (NOW, Reason.NEW)


def test_a_subject_is_due_five_minutes_after_its_reading() -> None:
    plan = statistics(due("a", 3 * MINUTE))
    assert seen(plan) == ((), NOW + 2 * MINUTE, Reason.NOT_DUE, 5 * MINUTE, MINUTE, 144)
    assert statistics(due("a", 5 * MINUTE)).reason is Reason.DUE


def test_a_subject_near_a_rules_number_is_due_after_one_minute() -> None:
    assert statistics(due("a", MINUTE, near=True)).ids == ("a",)
    assert statistics(due("a", MINUTE)).ids == ()


def test_a_wanted_reading_is_made_as_soon_as_it_is_wanted() -> None:
    assert statistics(due("a", 2 * MINUTE, wanted=timedelta(0))).reason is Reason.WANTED
    assert statistics(due("a", 2 * MINUTE, wanted=-MINUTE)).at == NOW + MINUTE


def test_a_wanted_reading_waits_for_the_shortest_interval() -> None:
    assert statistics(due("a", MINUTE / 2, wanted=MINUTE / 4)).at == NOW + MINUTE / 2


def test_what_is_due_sooner_than_it_may_be_read_waits_until_then() -> None:
    """As after a longer `min_interval` was set: a plan that said "now" with nothing to ask would be made again and again."""
    plan = statistics(due("a", MINUTE / 2)._replace(due_ms=ms(MINUTE / 4)))
    assert (plan.ids, plan.at, plan.reason) == ((), NOW + MINUTE / 2, Reason.NOT_DUE)


def test_a_call_is_filled_with_those_due_next_but_not_with_those_just_read() -> None:
    plan = statistics(due("just", MINUTE / 2), due("next", 2 * MINUTE), due("due", 6 * MINUTE), due("later", MINUTE))
    assert plan.ids == ("due", "next", "later")


def test_a_call_asks_for_fifty_at_most() -> None:
    assert len(statistics(*(due(str(n), None) for n in range(120))).ids) == 50


def test_one_factor_stretches_all_intervals_when_the_day_has_too_few_calls() -> None:
    plan = statistics(*(due(f"f{n}", timedelta(0)) for n in range(100)), units=144)
    assert plan.interval == pytest.approx(10 * MINUTE, rel=0.01)
    assert plan.pace.factor == pytest.approx(2, rel=0.01)
    assert plan.planned == 144


def test_those_near_a_number_leave_the_others_at_least_a_fifth_of_the_calls() -> None:
    subjects = [*(due(f"n{n}", timedelta(0), near=True) for n in range(500)), *(due(f"f{n}", timedelta(0)) for n in range(100))]
    plan = statistics(*subjects, units=720)
    assert plan.interval == pytest.approx(10 * MINUTE, rel=0.1)


def test_room_in_the_calls_for_the_near_is_used_for_the_far() -> None:
    near = due("near", timedelta(0), near=True)
    assert statistics(near).planned == statistics(near, *(due(f"f{n}", timedelta(0)) for n in range(200))).planned < 730
    assert statistics(near, *(due(f"f{n}", timedelta(0)) for n in range(300))).planned > 730


def test_no_interval_is_stretched_beyond_the_longest() -> None:
    plan = statistics(*(due(str(n), timedelta(0)) for n in range(500)), units=1)
    assert plan.interval == timedelta(days=1)


def test_a_subject_not_read_for_the_longest_interval_is_as_urgent_as_a_wanted_one() -> None:
    plan = statistics(due("wanted", 2 * HOUR, wanted=HOUR), due("overdue", timedelta(days=2)))
    assert (plan.ids, plan.reason) == (("overdue", "wanted"), Reason.OVERDUE)


def test_when_calls_are_scarce_they_are_spread_over_the_rest_of_the_day() -> None:
    assert statistics(due("a", HOUR), units=13).ids == ("a",)
    assert statistics(due("a", HOUR), units=12)[:3] == ((), NOW - HOUR + 13 * HOUR / 12, Reason.PACED)


def test_first_readings_are_not_spread_while_they_take_at_most_half_of_what_is_left() -> None:
    added = [due(f"new{n}", None) for n in range(300)]
    assert statistics(due("a", HOUR), *added, units=12).reason is Reason.NEW
    assert statistics(due("a", HOUR), *added, due("more", None), units=12).reason is Reason.PACED


def test_a_spent_share_waits_for_the_next_quota_day() -> None:
    plan = plan_statistics([due("a", None)], Load({}, 1), Allowance(0, END, END, Why.SHARE_SPENT), NOW, DEFAULTS)
    assert (plan.ids, plan.at, plan.reason, plan.planned) == ((), END, Why.SHARE_SPENT, 0)


def test_a_closed_bucket_waits_for_its_probe_and_probes_with_the_most_urgent() -> None:
    subjects = [due(str(n), HOUR) for n in range(60)]
    closed = Allowance(1, NOW + HOUR, END, Why.CLOSED)
    assert plan_statistics(subjects, load_of(subjects), closed, NOW, DEFAULTS).at == NOW + HOUR
    assert plan_statistics(subjects, load_of(subjects), closed, NOW, DEFAULTS).reason is Why.CLOSED
    probe = plan_statistics(subjects, load_of(subjects), Allowance(1, NOW, END, Why.PROBE), NOW, DEFAULTS)
    assert (len(probe.ids), probe.reason) == (50, Why.PROBE)


def test_a_longest_interval_below_five_minutes_is_the_usual_one() -> None:
    subjects = [due("a", 2 * MINUTE, every=2 * MINUTE)]
    plan = plan_statistics(subjects, load_of(subjects), open_for(9_500), NOW, Settings(MINUTE, 2 * MINUTE))
    assert (plan.interval, plan.ids) == (2 * MINUTE, ("a",))


def test_metadata_is_read_every_six_hours_and_at_once_where_something_is_odd() -> None:
    assert plan_metadata([steady(due("a", HOUR))], Load({Kind(False, 0): 1}), open_for(100), NOW).at == NOW - HOUR + METADATA_EVERY
    assert plan_metadata([steady(due("a", HOUR, wanted=MINUTE))], Load({Kind(False, 0): 1}), open_for(100), NOW).ids == ("a",)


def test_channels_are_read_every_quarter_of_an_hour() -> None:
    assert plan_channels([steady(due("a", 15 * MINUTE))], Load({Kind(False, 0): 1}), open_for(100), NOW).ids == ("a",)
    assert plan_channels([steady(due("a", 14 * MINUTE))], Load({Kind(False, 0): 1}), open_for(100), NOW).at == NOW + MINUTE


def test_the_expected_delay_is_half_an_interval_and_youtubes_refresh() -> None:
    assert expected_delay(10 * MINUTE) == 10 * MINUTE


# Lists


def uploads(
    name: str, ago: timedelta | None, completed: timedelta | None = HOUR, pages: int = 4, wanted: timedelta | None = None
) -> Listing:
    return Listing(name, True, pages, ms(ago), ms(completed), ms(wanted))


def playlist(name: str, ago: timedelta | None, pages: int = 4, wanted: timedelta | None = None) -> Listing:
    return Listing(name, False, pages, ms(ago), ms(ago), ms(wanted))


def membership(*listings: Listing, units: int = 4_000, why: Why = Why.OPEN) -> ListPlan:
    return plan_membership(listings, Allowance(units, NOW, END, why), NOW)


def test_a_list_never_read_is_read_wholly_and_before_all_others() -> None:
    plan = membership(playlist("wanted", HOUR, wanted=HOUR), uploads("new", None, None))
    assert plan[:4] == ("new", True, NOW, Reason.NEW)


def test_an_uploads_list_is_read_at_its_newest_end_every_five_minutes() -> None:
    assert membership(uploads("a", UPLOADS_EVERY))[:4] == ("a", False, NOW, Reason.DUE)
    assert membership(uploads("a", 4 * MINUTE))[:4] == (None, False, NOW + MINUTE, Reason.NOT_DUE)


def test_an_uploads_list_is_read_wholly_once_a_day() -> None:
    assert membership(uploads("a", UPLOADS_EVERY, WHOLE_LIST_EVERY)).whole
    assert not membership(uploads("a", UPLOADS_EVERY, WHOLE_LIST_EVERY - MINUTE)).whole


def test_a_playlist_is_read_wholly_every_quarter_of_an_hour() -> None:
    assert membership(playlist("a", PLAYLIST_EVERY))[:4] == ("a", True, NOW, Reason.DUE)
    assert membership(playlist("a", 10 * MINUTE)).at == NOW + 5 * MINUTE


def test_a_wanted_list_is_read_at_once_but_not_twice_within_a_minute() -> None:
    assert membership(uploads("a", MINUTE, wanted=MINUTE)).reason is Reason.WANTED
    assert membership(uploads("a", MINUTE / 2, wanted=MINUTE)).at == NOW + MINUTE / 2


@pytest.mark.parametrize("readable", [uploads("a", timedelta(0)), playlist("a", timedelta(0), wanted=timedelta(0))])
def test_a_list_that_could_not_be_read_is_tried_again_once_an_hour(readable: Listing) -> None:
    faulty = readable._replace(faulty=True)
    plan = membership(faulty)
    assert plan.at == NOW + UNREADABLE_EVERY
    assert plan.planned == round((END - NOW) / UNREADABLE_EVERY) < membership(readable).planned
    assert membership(faulty._replace(listed_ms=ms(UNREADABLE_EVERY))).target_id == "a"


def test_an_uploads_list_too_long_for_today_is_read_at_its_newest_end() -> None:
    assert membership(uploads("a", 11 * HOUR, None, pages=13), units=12)[:2] == ("a", False)


def test_a_playlist_too_long_for_today_waits_for_tomorrow() -> None:
    assert membership(playlist("a", None, pages=13), units=12)[:4] == (None, False, END, Why.SHARE_SPENT)
    assert membership(playlist("a", None, pages=13), playlist("b", None), units=12).target_id == "b"


def test_a_spent_share_reads_no_list() -> None:
    assert membership(playlist("a", None), units=0, why=Why.BUCKET_SPENT)[:4] == (None, False, END, Why.BUCKET_SPENT)


def test_any_list_may_probe_a_closed_bucket() -> None:
    assert membership(playlist("a", HOUR, pages=30), units=1, why=Why.PROBE)[:4] == ("a", True, NOW, Why.PROBE)


def test_lists_are_read_less_often_when_the_day_has_too_few_pages() -> None:
    plan = membership(*(playlist(str(n), timedelta(0), pages=10) for n in range(10)), units=2_400)
    assert (plan.interval, plan.at, plan.planned) == (2 * UPLOADS_EVERY, NOW + 2 * PLAYLIST_EVERY, 2_400)


@pytest.mark.parametrize(
    ("videos", "listed", "newest_first", "cost"),
    [(1, False, False, (288, 4)), (120, False, False, (864, 12)), (120, True, True, (864, 12 + 288 + 3 + 96)), (0, True, False, (0, 96))],
)
def test_what_a_target_costs_a_day_follows_from_the_usual_intervals(
    videos: int, listed: bool, newest_first: bool, cost: tuple[int, int]
) -> None:
    assert daily_cost(videos, listed=listed, newest_first=newest_first) == cost


# Whole days


@dataclass
class Life:
    """A watcher that does nothing but what the plan says, from stored values alone: a restart would change nothing."""

    now: datetime
    limit: int
    reserve: int
    settings: Settings = DEFAULTS
    read: dict[str, int | None] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    near: frozenset[str] = frozenset()
    ledger: Ledger = field(init=False)
    calls: list[tuple[datetime, tuple[str, ...], Plan]] = field(default_factory=list)
    longest: dict[str, timedelta] = field(default_factory=dict)
    spent_out: bool = False

    def __post_init__(self) -> None:
        self.ledger = self._new_day()

    def _new_day(self) -> Ledger:
        return Ledger(Bucket.STATS, quota_day(self.now), self.limit, self.reserve, {})

    def plan(self) -> tuple[Plan, Allowance]:
        if self.now >= self.ledger.day.end_at:
            self.ledger = self._new_day()
        allowed = allowance(self.ledger, Share.STATISTICS, self.now)
        subjects = [Due(SubjectId(name), at, self.wanted.get(name), self._near(name), self.due.get(name)) for name, at in self.read.items()]
        return plan_statistics(subjects, load_of(subjects), allowed, self.now, self.settings), allowed

    def _near(self, name: str) -> bool:
        return name in self.near and self.read[name] is not None

    def run(self, until: datetime, answer: Callable[[datetime], bool] = lambda at: True) -> None:
        """Live until then; `answer` says whether YouTube answers, or says that the bucket is spent."""
        while self.now < until:
            plan, allowed = self.plan()
            if not plan.ids:
                assert plan.at is None or plan.at > self.now, plan
                self.spent_out |= plan.reason is Why.SHARE_SPENT
                self.now = min(until, plan.at or until)
                continue
            assert allowed.permits(self.now)
            self._call(plan, answer(self.now))
            self.now += timedelta(milliseconds=200)

    def _call(self, plan: Plan, answered: bool) -> None:
        was_closed = self.ledger.closed_at is not None
        self.ledger = spent(self.ledger, Share.STATISTICS, 1, self.now)
        assert self.ledger.total <= self.limit - self.reserve
        if not answered:
            self.ledger = after_quota_error(self.ledger, self.now)
            return
        self.ledger = replace(self.ledger, closed_at=None, probe_at=None) if was_closed else self.ledger
        self.calls.append((self.now, plan.ids, plan))
        for name in plan.ids:
            self._read(name, plan.pace)

    def _read(self, name: str, pace: Pace) -> None:
        before = self.read[name]
        if before is not None:
            gap = self.now - from_ms(before)
            assert gap >= self.settings.min_interval - timedelta(milliseconds=1)
            self.longest[name] = max(self.longest.get(name, gap), gap)
        self.read[name] = to_ms(self.now)
        following = next_reading([], SubjectState(SubjectId(name)), pace)
        self.due[name] = to_ms(self.now) + (pace.shortest_ms if name in self.near else following.interval_ms)
        if self.wanted.get(name, 0) <= to_ms(self.now):
            self.wanted.pop(name, None)


DAYS = st.sampled_from([datetime(2026, 3, 8, 8, tzinfo=UTC), datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 6, 10, 7, tzinfo=UTC)])


def names(count: int, prefix: str = "v") -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


@settings(max_examples=8, deadline=None)
@given(DAYS, st.integers(1, 130), st.integers(0, 130), st.integers(0, 120), st.integers(8, 120), st.integers(0, 23))
def test_a_whole_day_stays_in_the_bucket_keeps_the_reserve_and_starves_nobody(
    start: datetime, count: int, near: int, added: int, limit: int, hour: int
) -> None:
    life = Life(start, limit, max(1, limit // 20), read=dict.fromkeys(names(count)), near=frozenset(names(near)))
    life.run(start + hour * HOUR)
    life.read |= dict.fromkeys(names(added, "added"))
    end = quota_day(start).end_at
    life.run(end)
    assert life.ledger.total <= limit - life.ledger.reserve
    unread = [name for name, at in life.read.items() if at is None]
    assert not unread or life.spent_out or life.now - (start + hour * HOUR) < round_time(life)
    life.run(end + timedelta(days=1))
    assert not [name for name, at in life.read.items() if at is None]
    for name, gap in life.longest.items():
        assert gap <= life.settings.max_interval + round_time(life), (name, gap)


def round_time(life: Life) -> timedelta:
    """What one round of calls takes when they are spread over a day, and the wait for the day's last unit."""
    calls = -(-len(life.read) // 50) + 1
    return timedelta(hours=25) * calls / max(1, life.limit - life.reserve)


@settings(max_examples=8, deadline=None)
@given(DAYS, st.integers(1, 120), st.integers(50, 120), st.integers(1, 22), st.integers(1, 8))
def test_a_bucket_that_closes_early_is_probed_hourly_and_work_goes_on_where_it_opens(
    start: datetime, count: int, limit: int, closes: int, hours: int
) -> None:
    life = Life(start, limit, 2, read=dict.fromkeys(names(count)))
    shut, back = start + closes * HOUR, start + closes * HOUR + hours * HOUR
    asked: list[datetime] = []

    def answer(at: datetime) -> bool:
        if shut <= at < back:
            asked.append(at)
        return not shut <= at < back

    life.run(quota_day(start).end_at, answer)
    assert len(asked) <= hours + 1
    assert all(later - earlier >= HOUR for earlier, later in pairwise(asked))
    life.run(quota_day(start).end_at + timedelta(days=1), answer)
    assert any(at >= back for at, _, _ in life.calls)


@settings(max_examples=20, deadline=None)
@given(DAYS, st.integers(60, 150), st.sets(st.integers(0, 59), min_size=1, max_size=40))
def test_all_that_is_wanted_is_read_before_anything_else(start: datetime, count: int, wanted: set[int]) -> None:
    read: dict[str, int | None] = {name: to_ms(start) - 3_600_000 - n for n, name in enumerate(names(count))}
    due = dict.fromkeys(read, to_ms(start))
    life = Life(start, 5_000, 250, read=read, due=due, wanted={f"v{n}": to_ms(start) for n in wanted})
    life.run(start + timedelta(milliseconds=1))
    (_, ids, plan), *_ = life.calls
    assert {f"v{n}" for n in wanted} <= set(ids)
    assert plan.reason is Reason.WANTED
    assert not life.wanted


def test_five_hundred_videos_added_at_noon_are_read_within_seconds_and_the_day_still_ends_inside_the_bucket() -> None:
    start = datetime(2026, 6, 10, 7, tzinfo=UTC)
    life = Life(start, 400, 20, read=dict.fromkeys(names(20)))
    noon = start + 12 * HOUR
    life.run(noon)
    life.read |= dict.fromkeys(names(500, "added"))
    life.run(noon + timedelta(seconds=10))
    assert all(at is not None for at in life.read.values())
    life.run(quota_day(start).end_at)
    assert 375 <= life.ledger.total <= 380
    last = life.calls[-1][0]
    assert quota_day(start).end_at - last < timedelta(minutes=5)


@pytest.mark.parametrize(("count", "minutes"), [(20, 5), (1_000, 5), (2_000, 6.1)])
def test_the_interval_in_force_follows_from_the_number_of_videos(count: int, minutes: float) -> None:
    start = datetime(2026, 6, 10, 7, tzinfo=UTC)
    subjects = [Due(SubjectId(name), to_ms(start), due_ms=to_ms(start + 5 * MINUTE)) for name in names(count)]
    plan = plan_statistics(subjects, load_of(subjects), open_for(9_500, start), start, DEFAULTS)
    assert plan.interval / MINUTE == pytest.approx(minutes, abs=0.1)
