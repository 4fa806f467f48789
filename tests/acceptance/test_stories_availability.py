"""Whether a video is there, and what its owner changed: told after two answers, never after one."""

from __future__ import annotations

from datetime import timedelta

from story import OPERATOR, Story, played
from ytwatcher.simulator import make_channel_id
from ytwatcher.simulator.world import SimVideo

GONE, BACK = "👁 No longer available: removed or made private", "👁 Available again"


async def _watched(s: Story, videos: int = 3) -> list[SimVideo]:
    """Videos of two channels, each watched for whatever its owner does."""
    s.world.add_channel(make_channel_id(7), "Another channel")
    found = [s.video(n, views=500, likes=40, comments=8, channel_id=make_channel_id(7) if n == 0 else None) for n in range(videos)]
    for video in found:
        await s.add(video.id, "availability", "title")
    await s.until("17:22")
    return found


@played()
async def test_a_vanished_video_is_told_once_and_so_is_its_coming_back(s: Story) -> None:
    _, video, _ = await _watched(s)
    video.state = "deleted"
    await s.until("17:30")
    assert s.told() == [], "one answer proves nothing"
    await s.until("19:00")
    assert s.told() == [f"Video 1\n{GONE}"]
    lacking = [call.at for call in s.calls("videos.list", "17:20", s.when()[0] + timedelta(seconds=1)) if video.id in call.ids]
    assert timedelta(minutes=10) <= s.when()[0] - lacking[0] < timedelta(minutes=12)
    await s.restart()
    await s.until("20:00")
    assert len(s.calls("videos.list", "19:00", "20:00")) == 0, "it is not asked for again and again"
    video.state = "public"
    await s.until("21:00")
    assert s.told()[1:] == [f"Video 1\n{BACK}"]
    video.state = "private"
    await s.until("22:00")
    assert s.told()[2:] == [f"Video 1\n{GONE}"]


@played()
async def test_what_is_missing_from_answers_is_not_gone(s: Story) -> None:
    videos = await _watched(s)
    s.youtube.fail("videos.batchGetStats", "half", times=6)
    await s.until("18:00")
    s.youtube.fail("videos.list", "half", times=1)
    s.youtube.fail("videos.batchGetStats", "empty200", times=1)
    await s.until("18:30")
    s.youtube.fail("videos.batchGetStats", "noItems", until=s.at("19:30"))
    s.youtube.fail("videos.list", "empty200", until=s.at("19:30"))
    await s.until("20:30")
    videos[1].state = "private"
    await s.until("20:36")
    videos[1].state = "public"
    await s.until("21:00")
    for video in videos:
        video.statistics = False
    await s.until("22:00")
    assert s.told() == []
    assert s.told(OPERATOR) == [], "something was read all the time"


@played()
async def test_the_only_video_that_is_watched_is_gone_when_a_witness_is_there(s: Story) -> None:
    video = s.video(1, views=500)
    await s.add(video.id, "availability")
    await s.until("17:20")
    s.youtube.fail("*", "empty200", until=s.at("18:20"))
    await s.until("19:00")
    assert s.told() == [], "answers without anything in them prove nothing"
    video.state = "deleted"
    await s.until("19:40")
    assert s.told() == [f"Video 1\n{GONE}"]
    asked = [call.ids for call in s.calls("videos.list", "19:00")]
    assert any(len(ids) == 2 and video.id in ids for ids in asked), asked


@played()
async def test_all_videos_of_a_channel_gone_at_once_are_told_when_another_channel_bears_witness(s: Story) -> None:
    videos = await _watched(s, 4)
    for video in videos[1:]:
        video.state = "deleted"
    await s.until("18:20")
    assert sorted(line for text in s.told() for line in text.split("\n\n")) == [f"Video {n}\n{GONE}" for n in (1, 2, 3)]
    assert len(s.told()) == 1


@played()
async def test_likes_comments_and_titles_are_told_after_they_settled(s: Story) -> None:
    _, video, _ = await _watched(s)
    video.likes = None
    await s.until("17:26")
    assert s.told() == []
    await s.until("17:40")
    assert s.told() == ["Video 1\n👁 Likes are hidden now"]
    video.likes = 41
    await s.until("18:00")
    assert s.told()[1:] == ["Video 1\n👁 Likes are shown again"]
    s.youtube.fail("videos.batchGetStats", "missingLikes", times=1)
    await s.until("18:20")
    video.comments = None
    await s.until("18:40")
    assert s.told()[2:] == ["Video 1\n👁 Comments are turned off"]
    video.comments = 9
    await s.until("19:00")
    assert s.told()[3:] == ["Video 1\n👁 Comments are turned on again"]
    video.title = "Another <b>title</b> & more"
    await s.until("+1 01:30")
    assert s.told()[4:] == ["Another <b>title</b> & more\n✏️ New title: “Video 1” → “Another <b>title</b> & more”"]
    assert s.telegram.messages[-1].entities[0].kind == "text_link"


@played()
async def test_a_video_hidden_from_the_start_has_a_baseline_of_its_own(s: Story) -> None:
    video = s.video(1, views=500, likes=None, comments=None)
    await s.add(video.id, "availability", "likes change", "likes milestones")
    await s.until("18:00")
    assert s.told() == []
    video.likes = 55
    await s.until("18:30")
    assert s.told() == ["Video 1\n👁 Likes are shown again"]
