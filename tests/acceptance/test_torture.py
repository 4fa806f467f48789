"""Everything that goes wrong at YouTube, one after the other, and a person who hears nothing of it but the truth."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from story import OLD, OPERATOR, Story, story
from ytwatcher.simulator import make_channel_id, make_playlist_id, make_video_id

VIDEOS = [make_video_id(n) for n in range(20)]
PLAYLIST = make_playlist_id(1)
RULES = ("views reach 100k", "views every 10k", "availability")


async def _begin(s: Story) -> None:
    channel = make_channel_id(1)
    s.world.add_channel(channel, "A channel")
    for number, video in enumerate(VIDEOS):
        s.world.add_video(video, views=60_000, likes=900, comments=70, title=f"Video {number}", channel_id=channel, published_at=OLD)
    s.world.add_playlist(PLAYLIST, "Twenty videos", channel, VIDEOS)
    for video in VIDEOS:
        await s.add(video, *RULES)
    await s.add(PLAYLIST, "new", "availability", to=f"telegram:{OPERATOR + 1}")


def test_all_that_goes_wrong_tells_chats_nothing_and_the_next_true_milestone_is_told_exactly_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with story(tmp_path) as s:
            s.telegram.add_chat(OPERATOR + 1)
            await _begin(s)
            await s.until("18:00")  # normal polls
            s.youtube.fail("*", "quotaExceeded", until=s.at("20:00"))
            await s.until("+1 08:00")  # midnight Pacific time is 07:00 UTC: reading goes on
            reads = len(s.youtube.calls)
            s.youtube.fail("videos.batchGetStats", "backend500", until=s.at("+1 10:00"))
            await s.until("+1 11:00")
            s.youtube.fail("videos.list", "backend503", until=s.at("+1 13:00"))
            await s.until("+1 14:00")
            s.world.videos[VIDEOS[3]].views = 49_000
            await s.until("+1 14:20")
            s.world.videos[VIDEOS[3]].views = 60_000
            await s.until("+1 15:00")
            s.youtube.fail("videos.batchGetStats", "missingLikes", times=1)
            await s.until("+1 15:30")
            s.youtube.fail("*", "html502", until=s.at("+1 16:10"))
            await s.until("+1 17:00")
            s.youtube.fail("*", "empty200", until=s.at("+1 18:00"))
            await s.until("+1 19:00")
            s.youtube.fail("playlistItems.list", "half", until=s.at("+2 01:00"))
            await s.until("+2 03:00")

            assert len(s.youtube.calls) > reads + 350
            chats = {message.chat_id for message in s.telegram.messages}
            assert chats == {OPERATOR}, [m.shown for m in s.telegram.messages]
            notices = s.told(OPERATOR)
            assert len(notices) == 1, notices
            assert "quota is used up" in notices[0]

            for video in VIDEOS:
                s.world.videos[video].views = 70_250
            await s.until("+2 12:00")
            told = s.told()
            assert len(told) == 1, told
            assert re.findall("20 videos of|passed 70,000", told[0]), told
            assert s.telegram.violations == 0

    asyncio.run(go())
