"""Channels and playlists: who joins, who leaves, what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from story import CHAT, OLD, Story, played
from ytwatcher.core.model import PlaylistId, VideoId
from ytwatcher.core.quota import Bucket
from ytwatcher.core.schedule import daily_cost
from ytwatcher.simulator import make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator.world import SimPlaylist
from ytwatcher.youtube.faults import classify
from ytwatcher.youtube.parse import Answer, Page

CHANNEL, LIST = make_channel_id(1), make_playlist_id(1)


def _channel(s: Story, videos: int = 0, views: int = 3_300) -> None:
    s.world.add_channel(CHANNEL, "A channel", handle="@someone", username="oldname", subscribers=12_345, published_at=OLD)
    for n in range(videos):
        s.video(n, views=views, likes=33, channel_id=CHANNEL, published_at=OLD + timedelta(hours=n))


def _playlist(s: Story, videos: int, views: int = 3_300) -> SimPlaylist:
    for n in range(videos):
        s.video(n, views=views, likes=33)
    return s.world.add_playlist(LIST, "A list", video_ids=[make_video_id(n) for n in range(videos)])


@played()
async def test_a_channel_is_found_by_every_name_it_has(s: Story) -> None:
    _channel(s, 2)
    names = ("@someone", "https://www.youtube.com/@someone/videos", "youtube.com/c/someone", "https://m.youtube.com/user/oldname", CHANNEL)
    answers = [await s.add(name) for name in names]
    assert {(a["id"], a["kind"], a["title"], a["videos"]) for a in answers} == {(CHANNEL, "channel", "A channel", 2)}
    assert [a["new"] for a in answers] == [True, False, False, False, False], "it is one watch"
    assert answers[0]["numbers"] == {"subscribers": 12_300, "videos": 2, "total views": 6_600}
    assert [rule["rule"] for rule in answers[-1]["rules"]] == [rule["rule"] for rule in answers[0]["rules"]]
    note = next(rule["note"] for rule in answers[0]["rules"] if rule["rule"].startswith("subscribers"))
    assert "three digits" in note or "3 digits" in note
    unknown = await s.ask("add", text="youtube.com/c/nobody", rules=[], to=None)
    assert "@handle" in unknown["error"]
    assert unknown["exit_code"] == 2


@played()
async def test_an_upload_joins_within_minutes_is_new_once_and_has_milestones_of_its_own(s: Story) -> None:
    _channel(s, 3)
    await s.add("@someone", "new", "views milestones", "subscribers milestones")
    await s.until("18:00")
    upload = s.video(50, views=40, channel_id=CHANNEL, published_at=s.clock.now(), title="Fresh & new")
    await s.until("18:06")
    assert s.told() == ["Fresh & new\n🆕 New in A channel"]
    first_reads = [call.at for call in s.calls("videos.batchGetStats", "18:00") if upload.id in call.ids]
    assert first_reads[0] <= s.when()[0] + timedelta(seconds=5), "its first reading comes at once, or its first milestones would be lost"
    await s.restart()
    await s.until("18:30")
    upload.views = 1_030
    await s.until("18:40")
    assert len(s.told()) == 2
    assert "Views passed 1,000: 40 → 1,030" in s.told()[1]
    s.world.channels[CHANNEL].subscribers = 20_199
    await s.until("19:00")
    assert s.told()[2:] == ["A channel\n🎉 Subscribers passed 20,000: 12,300 → 20,100 (+7,800 in 15 min) · rounded by YouTube"]


@played(settings=[("POLL__MIN_INTERVAL", "6h")])
async def test_uploads_are_read_up_to_the_first_known_video_and_wholly_once_a_day(s: Story) -> None:
    _channel(s, 130)
    answer = await s.add("@someone", "new")
    assert answer["videos"] == 130
    assert len(s.calls("playlistItems.list")) == 3, "130 videos are three pages"
    began = s.clock.now()
    await s.until(began + timedelta(hours=23))
    assert len(s.calls("playlistItems.list")) - 3 == 23 * 12, "one page every five minutes"
    for n in range(200, 260):
        s.video(n, channel_id=CHANNEL, published_at=s.clock.now())
    await s.until(began + timedelta(hours=23, minutes=6))
    assert len(s.calls("playlistItems.list", began + timedelta(hours=23))) <= 2 + 1, "60 new ones: the second page holds a known one"
    assert s.told() == ["🆕 60 new videos in A channel"]
    await s.until(began + timedelta(hours=24, minutes=6))
    pages = s.calls("playlistItems.list", began + timedelta(hours=23, minutes=6))
    assert sum(1 for call in pages if "pageToken" in call.query) == 3, "190 videos are four pages, once a day"


@played()
async def test_a_day_costs_what_the_quota_page_says(s: Story) -> None:
    _channel(s, 60)
    playlist = make_playlist_id(2)
    answer = await s.add("@someone", "views reach 1M")
    s.world.add_playlist(playlist, "The same videos", video_ids=[make_video_id(n) for n in range(60)])
    await s.add(playlist, "views reach 1M")
    assert answer["units_a_day"] == {"statistics": 576, "default": 288 + 2 + 96 + 8}
    await s.until(s.clock.now() + timedelta(hours=6))
    counted = {method: len(s.calls(method)) for method in ("videos.batchGetStats", "videos.list", "channels.list", "playlistItems.list")}
    lists = daily_cost(60, listed=True, newest_first=False)
    assert counted["videos.batchGetStats"] <= 576 / 4 + 8, "a video in two targets is read once"
    assert all(len(set(call.ids)) == len(call.ids) for call in s.youtube.calls)
    assert max(len(call.ids) for call in s.youtube.calls) == 50
    assert counted["playlistItems.list"] == pytest.approx((288 + lists.default - 8) / 4, abs=8)
    assert counted["channels.list"] == pytest.approx(24, abs=3)
    assert counted["videos.list"] <= 2 + 4
    assert (await s.ledger(Bucket.DEFAULT)).total == s.youtube.used("default"), "the ledger knows every unit"


@played()
async def test_entries_leave_a_playlist_when_whole_listings_lack_them_for_a_day(s: Story) -> None:
    playlist = _playlist(s, 3)
    await s.add(LIST, "views every 1000")
    await s.until("17:20")
    s.youtube.fail("playlistItems.list", "half", until=s.at("18:20"))
    await s.until("18:10")
    for number in range(3):
        s.world.videos[make_video_id(number)].views = 4_100 + number
    await s.until("18:20")
    assert sum(text.count("passed 4,000") for text in s.told()) == 3, "an hour of half listings takes nobody out"
    playlist.remove(make_video_id(0))
    await s.until("+1 19:00")
    told = len(s.told())
    s.world.videos[make_video_id(0)].views = 5_200
    await s.until("+1 19:30")
    assert len(s.told()) == told, "it is not of the list any more"
    playlist.add(make_video_id(0))
    await s.until("+1 20:00")
    s.world.videos[make_video_id(0)].views = 6_300
    await s.until("+1 20:30")
    assert len(s.told()) == told + 1, "it is back"


@played()
async def test_a_private_video_stays_in_its_playlist_and_one_that_was_private_before_never_joins(s: Story) -> None:
    _playlist(s, 3)
    s.world.videos[make_video_id(2)].state = "private"
    answer = await s.add(LIST, "availability", "new", "views every 1000")
    assert answer["videos"] == 2
    await s.until("17:30")
    s.world.videos[make_video_id(1)].state = "private"
    await s.until("18:30")
    assert s.told() == ["Video 1\n👁 No longer available: removed or made private"]
    s.world.videos[make_video_id(1)].state = "public"
    await s.until("19:30")
    assert s.told()[1:] == ["Video 1\n👁 Available again"]
    s.world.videos[make_video_id(2)].state = "public"
    await s.until("20:00")
    assert len(s.told()) == 2, "it was added to the list before the watch"


@played()
async def test_a_long_playlist_that_changes_between_pages_loses_and_doubles_nobody(s: Story) -> None:
    playlist = _playlist(s, 130)
    s.world.add_video(make_video_id(500), title="On top", published_at=OLD, views=3_300)
    answer = await s.add(LIST, "new", "views every 1000")
    assert answer["videos"] == 130
    await s.until("17:20")
    s.youtube.fail("playlistItems.list", "badPageToken400", times=1)
    playlist.add(make_video_id(500), position=0)
    await s.until("17:50")
    assert s.told() == ["On top\n🆕 New in A list"]
    s.world.videos[make_video_id(49)].views = 4_010
    await s.until("18:00")
    assert len(s.told()) == 2


@played()
async def test_a_list_that_cannot_be_read_any_more_is_told_to_the_operator_and_its_videos_go_on(s: Story) -> None:
    playlist = _playlist(s, 2)
    await s.add(LIST, "views every 1000")
    await s.until("17:20")
    playlist.state = "private"
    await s.until("19:20")
    assert len(s.told(99)) == 1
    assert "“A list” cannot be listed any more" in s.told(99)[0]
    s.world.videos[make_video_id(0)].views = 4_100
    await s.until("19:40")
    assert len(s.told(CHAT)) == 1
    playlist.state = "public"
    await s.until("20:40")
    assert len(s.told(99)) == 1


@played()
async def test_a_list_that_fails_again_and_again_holds_up_no_other_and_is_told_to_the_operator_once(s: Story) -> None:
    broken, sound = make_channel_id(1), make_channel_id(2)
    for channel, name in ((broken, "@broken"), (sound, "@sound")):
        s.world.add_channel(channel, f"Channel {name}", handle=name, username=name[1:], published_at=OLD)
    s.video(0, views=3_300, likes=33, channel_id=broken)
    s.video(1, views=3_300, likes=33, channel_id=sound)
    await s.add("@broken", "new", "views every 1000")
    await s.add("@sound", "new")
    client, asked = s.app.reader.client, 0
    read_page = client.playlist_page

    async def page(playlist_id: PlaylistId, token: str | None = None) -> Page:
        nonlocal asked
        if playlist_id == f"UU{broken[2:]}":
            asked += 1
            raise classify(500, b'{"error": {"code": 500, "errors": [{"reason": "backendError"}]}}', {})
        return await read_page(playlist_id, token)

    client.playlist_page = page  # type: ignore[method-assign,assignment]
    await s.until("18:00")
    s.video(50, views=40, channel_id=sound, published_at=s.clock.now(), title="From the sound one")
    s.world.videos[make_video_id(0)].views = 4_100
    await s.until("18:06")
    assert sorted(text.splitlines()[0] for text in s.told()) == ["From the sound one", "Video 0"]
    await s.until("+1 17:00")
    assert len(s.told(99)) == 1
    assert "“Channel @broken” cannot be listed since 2026-10-05 17:0" in s.told(99)[0]
    assert asked < 45, "soon it is asked once an hour"
    client.playlist_page = read_page  # type: ignore[method-assign]
    s.video(51, views=40, channel_id=broken, published_at=s.clock.now(), title="Of the mended one")
    await s.until("+1 18:06")
    assert "Of the mended one" in s.told()[-1]


@played()
async def test_where_statistics_always_have_something_to_do_lists_are_read_all_the_same(s: Story) -> None:
    playlist = _playlist(s, 150)
    await s.add(LIST, "new")
    client = s.app.reader.client
    read_stats = client.batch_stats

    async def slowly(ids: Sequence[VideoId]) -> Answer:
        await s.clock.wait(s.clock.now() + timedelta(minutes=3))  # three such calls take longer than until the first is due again
        return await read_stats(ids)

    client.batch_stats = slowly  # type: ignore[method-assign]
    await s.until("18:00")
    s.world.add_video(make_video_id(500), title="On top", published_at=OLD, views=3_300)
    playlist.add(make_video_id(500), position=0)
    await s.until("18:30")
    client.batch_stats = read_stats  # type: ignore[method-assign]
    await s.until("18:40")  # a call in hand is finished
    assert s.told() == ["On top\n🆕 New in A list"]
    assert s.when() < [s.at("18:30")]


@played()
async def test_a_list_that_failed_waits_for_a_closed_bucket_as_the_others_do(s: Story) -> None:
    playlist = _playlist(s, 2)
    await s.add(LIST, "new")
    await s.until("17:20")
    s.youtube.fail("playlistItems.list", "backend500", times=1)
    s.youtube.fail("playlistItems.list", "quotaExceeded", until=s.at("18:10"))
    await s.until("17:50")
    assert len(s.calls("playlistItems.list", "17:20")) == 2, (
        "asked again in vain: the clock would stand still where it had no time to wait for"
    )
    s.world.add_video(make_video_id(500), title="On top", published_at=OLD, views=3_300)
    playlist.add(make_video_id(500), position=0)
    await s.until("20:00")
    assert s.told() == ["On top\n🆕 New in A list"]
