"""The quota: never more calls than the buckets hold, whatever the day is like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from story import CHAT, OLD, OPERATOR, Story, played
from ytwatcher.core.quota import Bucket
from ytwatcher.simulator import make_playlist_id, make_video_id

LIST = make_playlist_id(1)
STATS = "videos.batchGetStats"
SMALL = [("YOUTUBE__DAILY_STATS_UNITS", "100"), ("YOUTUBE__DAILY_UNITS", "200")]


def _limit(s: Story, stats: int, default: int) -> None:
    s.youtube.bucket_limits.update({"batchGetStats": stats, "default": default})


def _refused(s: Story) -> list[str]:
    return [f"{call.at:%H:%M} {call.method} {call.status}" for call in s.youtube.calls if call.status != 200]


@played(settings=[("YOUTUBE__DAILY_STATS_UNITS", "200"), ("YOUTUBE__DAILY_UNITS", "200")])
async def test_a_thousand_videos_added_at_noon_are_read_at_once_and_then_within_the_day(s: Story) -> None:
    _limit(s, 200, 200)
    for n in range(1000):
        s.video(n, views=3_000, likes=30)
    s.world.add_playlist(LIST, "A thousand", video_ids=[make_video_id(n) for n in range(1000)])
    await s.until("19:00")  # noon, Pacific time
    answer = await s.add(LIST, "views reach 1M")
    assert answer["videos"] == 1000
    await s.until("19:05")
    read = {one for call in s.calls(STATS) for one in call.ids}
    assert len(read) == 1000, "every video has its first reading"
    await s.until("+1 06:59")
    assert _refused(s) == []
    used = s.youtube.used("batchGetStats")
    assert 170 <= used <= 190 + 4, "the day's units are used, without the reserve (the command read 200 videos itself)"
    quarters = [len(s.calls(STATS, f"+{d} {h}:00", f"+{d} {h + 1}:00")) for d, h in ((0, 21), (1, 0), (1, 3))]
    assert max(quarters) - min(quarters) <= 12, f"evenly over the day: {quarters}"


@pytest.mark.parametrize(("start", "hours"), [(datetime(2026, 3, 8, 8, tzinfo=UTC), 23), (datetime(2026, 11, 1, 7, tzinfo=UTC), 25)])
def test_days_of_23_and_25_hours_end_inside_the_bucket(tmp_path: Path, start: datetime, hours: int) -> None:
    @played(start=start, settings=SMALL)
    async def tell(s: Story) -> None:
        _limit(s, 100, 200)
        for n in range(40):
            s.video(n, views=3_000)
        s.world.add_playlist(LIST, "Forty", video_ids=[make_video_id(n) for n in range(40)])
        await s.add(LIST, "views reach 1M")
        ends_at = start + timedelta(hours=hours)
        assert (await s.ledger(Bucket.STATS)).day.end_at == ends_at
        await s.until(ends_at - timedelta(minutes=1))
        assert _refused(s) == []
        assert 90 <= s.youtube.used("batchGetStats") <= 96
        assert 40 <= len(s.calls(STATS, ends_at - timedelta(hours=hours / 2))) <= 50, "half of them in the second half"
        await s.until(ends_at + timedelta(hours=2))
        assert 4 <= s.youtube.used("batchGetStats") <= 12, "the next day is paced, too"

    tell(tmp_path)


@played()
async def test_a_stranger_on_the_same_project_closes_the_bucket_which_is_probed_hourly(s: Story) -> None:
    video = s.video(1, views=5_500)
    await s.add(video.id, "views every 1000")
    await s.until("18:00")
    s.youtube.fail("*", "quotaExceeded", until=s.at("21:30"))
    await s.until("18:10")
    notices = s.told(OPERATOR)
    assert len(notices) == 1
    assert "used up" in notices[0]
    await s.until("21:05")
    hourly = [len(s.calls("", f"{hour}:10", f"{hour + 1}:10")) for hour in (18, 19)]
    assert hourly == [2, 2], "one call an hour for each bucket"
    failed = await s.ask("add", text=make_video_id(1), rules=[], to=None)
    assert failed["exit_code"] == 5
    video.views = 7_100
    await s.until("22:20")
    assert len(s.told(CHAT)) == 1, "read again after the first answered probe"
    assert len(s.told(OPERATOR)) == 1
    assert len(s.calls(STATS, "22:00", "22:20")) == 4


@played()
async def test_the_daily_429_closes_the_bucket_and_the_burst_does_not(s: Story) -> None:
    video = s.video(1, views=5_500)
    await s.add(video.id, "views every 1000")
    await s.until("17:31")
    s.youtube.fail(STATS, "rateLimit", times=2)
    await s.until("17:40")
    assert s.told(OPERATOR) == []
    refused = [call.at for call in s.youtube.calls if call.status == 429]
    assert len(refused) == 2
    assert timedelta(seconds=0.4) <= refused[1] - refused[0] <= timedelta(seconds=2), "it backs off"
    s.youtube.fail(STATS, "quotaExceeded429", until=s.at("19:50"))
    await s.until("18:00")
    assert len(s.told(OPERATOR)) == 1
    assert len(s.calls("videos.list", "17:40", "18:00")) >= 3, "statistics go on through the other bucket"
    video.views = 6_200
    await s.until("18:10")
    assert len(s.told(CHAT)) == 1
    await s.until("21:10")
    assert [f"{call.at:%H:%M}" for call in s.calls(STATS, "18:00", "20:10")] == ["18:40", "19:40"], "probed hourly"
    assert len(s.calls(STATS, "20:40", "21:10")) >= 6, "and open again"


@played()
async def test_without_batch_get_stats_videos_list_serves_and_the_method_is_tried_hourly(s: Story) -> None:
    s.youtube.stats.available = False
    video = s.video(1, views=5_500)
    answer = await s.add(video.id, "views every 1000")
    assert answer["numbers"]["views"] == 5_500
    video.views = 6_100
    await s.until("17:20")
    assert len(s.told()) == 1
    await s.until("20:00")
    assert len(s.calls(STATS)) <= 6
    s.youtube.stats.available = True
    await s.until("21:10")
    assert s.calls(STATS, "20:00")[-1].status == 200
    assert len(s.calls(STATS, "20:10", "21:10")) >= 2
    assert s.told(OPERATOR) == []


@played()
async def test_a_refused_key_stops_reading_is_told_once_and_recovers(s: Story) -> None:
    video = s.video(1, views=5_500)
    await s.add(video.id, "views every 1000")
    await s.until("17:31")
    s.youtube.fail("*", "keyInvalid", until=s.at("20:05"))
    await s.until("18:00")
    assert len(s.told(OPERATOR)) == 1
    assert "API key" in s.told(OPERATOR)[0]
    await s.until("20:04")
    assert len(s.calls("", "19:00", "20:00")) <= 4 * 6, "every ten minutes"
    failed = await s.ask("add", text=make_video_id(1), rules=[], to=None)
    assert failed["exit_code"] == 5
    video.views = 6_100
    await s.until("20:30")
    assert len(s.told(OPERATOR)) == 1, "a refused key is not told as silence as well"
    assert len(s.told(CHAT)) == 1


@played(settings=[("YOUTUBE__DAILY_STATS_UNITS", "20"), ("YOUTUBE__DAILY_UNITS", "100"), ("POLL__RESERVE", "0.2")])
async def test_the_reserve_is_there_for_a_person_when_the_lanes_have_spent_theirs(s: Story) -> None:
    _limit(s, 20, 100)
    for n in range(700):
        s.video(n, views=3_000)
    s.world.add_playlist(LIST, "Many", video_ids=[make_video_id(n) for n in range(700)])
    await s.add(LIST, "views reach 1M")
    await s.until("+1 06:00")
    s.video(900, views=77)
    answer = await s.add(make_video_id(900), "views reach 1000")
    assert answer["numbers"]["views"] == 77, "read from the reserve"
    assert answer["rules"][0]["next_number"] == 1000
    await s.until("+1 06:59")
    assert _refused(s) == []
    assert (await s.ledger(Bucket.DEFAULT)).total == s.youtube.used("default")
    assert s.told(OPERATOR) == [], "a plan with few units is no silence"


@played(start=datetime(2026, 10, 5, 7, 30, tzinfo=UTC), settings=[("YOUTUBE__DAILY_STATS_UNITS", "40"), ("YOUTUBE__DAILY_UNITS", "60")])
async def test_where_units_allow_a_reading_every_hour_and_a_half_nobody_hears_of_silence(s: Story) -> None:
    _limit(s, 40, 60)
    for n in range(100):
        s.video(n, views=3_000, published_at=OLD)
    s.world.add_playlist(LIST, "A hundred", video_ids=[make_video_id(n) for n in range(100)])
    await s.add(LIST, "views reach 1M")
    await s.until("+1 06:30")
    assert _refused(s) == []
    assert s.told(OPERATOR) == []
