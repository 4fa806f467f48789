"""What counts do that is no news, and clocks that were wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from story import OLD, OPERATOR, START, Story, played, story
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.core.quota import Bucket
from ytwatcher.pipeline import Fate, accept
from ytwatcher.simulator import make_channel_id, make_playlist_id, make_video_id

CHANNEL, LIST = make_channel_id(1), make_playlist_id(1)


@played()
async def test_favorites_are_accepted_with_a_note_and_hidden_subscribers_are_no_number(s: Story) -> None:
    video = s.video(1, views=500)
    answer = await s.add(video.id, "favorites change")
    assert "2015" in answer["rules"][0]["note"]
    s.world.add_channel(CHANNEL, "A shy channel", subscribers=None, published_at=OLD)
    answer = await s.add(CHANNEL, "subscribers change", "subscribers milestones")
    assert answer["numbers"]["subscribers"] is None
    await s.until("18:00")
    s.world.channels[CHANNEL].subscribers = 55_555
    await s.until("18:40")
    assert s.told() == [], "the first number is the baseline"
    s.world.channels[CHANNEL].subscribers = 55_666
    await s.until("19:00")
    assert s.told() == ["A shy channel\n🔄 Subscribers: 55,500 → 55,600 (+100 in 15 min) · rounded by YouTube"]
    s.world.channels[CHANNEL].subscribers = None
    await s.until("20:00")
    s.world.channels[CHANNEL].subscribers = 100_100
    await s.until("20:40")
    assert len(s.told()) == 2, "hidden in between, so it has not changed, but it passed a rung"
    assert "passed 100,000" in s.told()[1]


@played()
async def test_a_premiere_is_watched_from_its_waiting_room_on(s: Story) -> None:
    video = s.video(1, views=0, likes=0, published_at=START, live="upcoming")
    await s.add(video.id, "views milestones", "likes milestones")
    await s.until("17:22")
    video.likes = 25
    await s.until("17:40")
    assert [text.splitlines()[-1] for text in s.told()] == ["🎉 Likes passed 20: 0 → 25 (+25 in 4 min)"]
    video.start_live(s.clock.now())
    video.views = 1_700
    await s.until("17:50")
    assert [text.splitlines()[-1] for text in s.told()[1:]] == ["🎉 Views passed 1,000: 0 → 1,700 (+1,700 in 5 min)"]


@played()
async def test_a_jump_on_an_old_video_needs_a_second_reading(s: Story) -> None:
    video = s.video(1, views=40_000)
    await s.add(video.id, "views milestones", "views change")
    await s.until("17:22")
    video.views = 108_000
    await s.until("17:26")
    video.views = 40_020
    await s.until("17:50")
    assert [text.splitlines()[-1] for text in s.told()] == ["🔄 Views: 40,000 → 40,020 (+20 in 5 min)"]
    video.views = 108_000
    await s.until("18:10")
    assert len(s.told()) == 2
    assert "passed 100,000: 40,020 → 108,000" in s.told()[1]
    values = await s.ask("add", text=video.id, rules=[], to=None)
    assert values["ok"]["numbers"]["views"] == 108_000


@played(start=datetime(2026, 8, 23, 22, tzinfo=UTC), settings=[("POLL__MIN_INTERVAL", "30m")])
async def test_nothing_is_told_across_a_counting_break_and_everything_after_it(s: Story) -> None:
    video = s.video(1, views=98_000, likes=98)
    await s.add(video.id, "views milestones", "views change", "views rise 5%", "likes milestones")
    s.world.at(datetime(2026, 8, 24, 0, 1, tzinfo=UTC), lambda _: setattr(video, "views", 123_000))
    await s.until("+2 12:00")
    video.likes = 105
    await s.until("+2 13:00")
    assert [text.splitlines()[-1] for text in s.told()] == ["🎉 Likes passed 100: 98 → 105 (+7 in 30 min)"]
    await s.until("+5 01:00")
    assert len(s.told()) == 1, "neither the jump nor the numbers that lie under it"
    video.views = 130_000
    await s.until("+5 02:00")
    assert len(s.told()) == 2
    assert "rose: 123,000 → 130,000" in s.told()[1]
    video.views = 201_000
    await s.until("+5 04:00")
    assert "passed 200,000: 130,000 → 201,000" in s.told()[-1]
    assert s.told(OPERATOR) == []


async def _begin(s: Story, views: int) -> None:
    s.world.add_channel(CHANNEL, "A channel", handle="@someone", published_at=OLD)
    for n in range(3):
        s.video(n, views=views, channel_id=CHANNEL)
    s.world.add_playlist(LIST, "A list", video_ids=[make_video_id(2)])


def test_state_of_a_clock_that_was_two_days_fast_is_pulled_back_and_everything_works_on(tmp_path: Path) -> None:
    async def fast() -> None:
        async with story(tmp_path, start=START + timedelta(days=2)) as s:
            await _begin(s, 10_300)
            await s.add(make_video_id(0), "views every 1000")
            await s.add(make_video_id(1), "views every 1000 cooldown 1h")
            await s.add("@someone", "new")
            await s.add(LIST, "new")
            await s.until("19:10")
            await s.telegram_away()
            for video in s.world.videos.values():
                video.views = 11_100
            await s.until("19:30")

    async def right() -> None:
        async with story(tmp_path) as s:
            await s.stop()
            await _begin(s, 11_100)
            await s.run()
            await s.until("17:10")
            assert len(s.told(OPERATOR)) == 1
            assert "4 subjects" in s.told(OPERATOR)[0]
            assert "the clock was wrong once" in s.told(OPERATOR)[0]
            assert "\n".join(s.told()).count("passed 11,000") == 2, "what waited by the wrong clock is sent"
            s.video(9, channel_id=CHANNEL, published_at=s.clock.now(), title="Fresh")
            s.world.playlists[LIST].add(make_video_id(1))
            await s.until("17:40")
            new = [text for text in s.told(since="17:10") if "New in" in text]
            assert len(new) == 2, "lists are read, too, and rules are not of the future"
            s.world.videos[make_video_id(0)].views = 12_100
            await s.until("18:00")
            assert "passed 12,000" in s.told()[-1]
            assert (await s.ledger(Bucket.DEFAULT)).total == s.youtube.used("default")
            await s.restart()
            await s.until("18:30")
            assert len(s.told(OPERATOR)) == 1
            later = Reading(SubjectId(make_video_id(0)), s.clock.now() + timedelta(minutes=6), Lane.STATISTICS, {Metric.VIEWS: 99_000})
            result = await s.app.db.write(accept, [later], s.clock.now())
            assert result.fates == {Fate.FUTURE: 1}

    asyncio.run(fast())
    asyncio.run(right())
