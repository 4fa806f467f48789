"""Each neighbour away for a week: nothing lost, nothing false, one catch-up for each chat, one notice and one all-clear."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from full_disk import make_room, run_out
from story import CHAT, OPERATOR, SLOWLY, Story, story
from ytwatcher.core.render import REPEAT
from ytwatcher.simulator import make_video_id

CHATS, VIDEOS = (CHAT, CHAT + 1), 12
Sized = Callable[[int, int], int]


@pytest.fixture
def days(sized: Sized) -> int:
    """How long somebody is away."""
    return sized(1, 7)


def told_over(folder: Path, tell: Callable[[Story], Awaitable[None]]) -> None:
    async def go() -> None:
        async with story(folder, settings=SLOWLY) as s:
            s.telegram.add_chat(CHATS[1])
            for n in range(VIDEOS):
                s.video(n, views=10_300)
                for chat in CHATS:
                    await s.add(make_video_id(n), "views every 1000", to=f"telegram:{chat}")
            await s.until("17:30")
            await tell(s)

    asyncio.run(go())


def grow(s: Story, views: int) -> None:
    for n in range(VIDEOS):
        s.world.videos[make_video_id(n)].views = views


async def a_week_of_growth(s: Story, days: int) -> None:
    """Every video passes a thousand a day; the last at 20:00 of the last day."""
    for day in range(1, days + 1):
        await s.until(f"+{day} 20:00")
        grow(s, 10_300 + 1_000 * day)


def reached(texts: list[str]) -> dict[str, str]:
    """The highest number that each video was said to have passed, by what it is called."""
    return {name: number for text in texts for name, number in re.findall(r"(Video \d+)\n🎉 Views passed ([\d,]+)", text)}


def everything(days: int) -> dict[str, str]:
    return {f"Video {n}": f"{(10 + days) * 1000:,}" for n in range(VIDEOS)}


def test_youtube_away_for_a_week(tmp_path: Path, days: int) -> None:
    async def tell(s: Story) -> None:
        back_at = s.at(f"+{days} 21:00")
        s.youtube.fail("*", "backend503", until=back_at)
        await a_week_of_growth(s, days)
        await s.until(back_at)
        assert [len(s.told(chat)) for chat in (*CHATS, OPERATOR)] == [0, 0, 1]
        await s.until(back_at + timedelta(hours=3))
        for chat in CHATS:
            assert len(s.told(chat)) == 1, s.told(chat)
            assert reached(s.told(chat)) == everything(days)
        assert len(s.told(OPERATOR)) == 2
        assert "answers again" in s.told(OPERATOR)[1]

    told_over(tmp_path, tell)


def test_telegram_away_for_a_week(tmp_path: Path, sized: Sized) -> None:
    days = sized(4, 7)  # days of failing alone give up nothing

    async def tell(s: Story) -> None:
        await s.telegram_away()
        await a_week_of_growth(s, days)
        await s.until(f"+{days} 22:00")
        await s.telegram_back()
        await s.until(f"+{days} 23:00")
        for chat in CHATS:
            first, second = s.told(chat)
            assert reached([first]) == everything(1), "what was in hand when it went away"
            assert reached([second]) == everything(days), "and all since then as one"
            assert not any(text.startswith(REPEAT) for text in s.told(chat)), "that nothing arrived was certain"
        assert s.told(OPERATOR) == [], "who could not be told that Telegram is away"

    told_over(tmp_path, tell)


def test_telegram_answering_error_pages_for_a_week(tmp_path: Path, sized: Sized) -> None:
    days = sized(2, 7)

    async def tell(s: Story) -> None:
        back_at = s.at(f"+{days} 22:00")
        s.telegram.fail("*", "html502", until=back_at)
        await a_week_of_growth(s, days)
        await s.until(back_at + timedelta(hours=1))
        for chat in CHATS:
            first, second = s.told(chat)
            assert (reached([first]), reached([second])) == (everything(1), everything(days))
            assert (first.startswith(REPEAT), second.startswith(REPEAT)) == (True, False), "only what may have arrived says so"
        assert s.told(OPERATOR) == []

    told_over(tmp_path, tell)


def test_no_room_on_the_disk_for_a_week(tmp_path: Path, days: int) -> None:
    async def tell(s: Story) -> None:
        await s.app.db.write(run_out)
        asked = len(s.youtube.calls)
        await s.until(f"+{days} 21:00")
        grow(s, 10_300 + 1_000 * days)
        assert len(s.youtube.calls) - asked <= 2, "nothing is asked for what cannot be recorded"
        assert [len(s.told(chat)) for chat in (*CHATS, OPERATOR)] == [0, 0, 1]
        await s.app.db.write(make_room)
        await s.until(f"+{days + 1} 01:00")
        for chat in CHATS:
            assert len(s.told(chat)) == 1
            assert reached(s.told(chat)) == everything(days)
        assert len([text for text in s.told(OPERATOR)[1:] if "room on the disk again" in text]) == 1

    told_over(tmp_path, tell)


def test_we_ourselves_away_for_a_week_stopped_or_suspended(tmp_path: Path, days: int) -> None:
    async def tell(s: Story) -> None:
        s.clock._jump(s.at(f"+{days} 20:00"))  # suspended: not even a wait ended in between
        grow(s, 10_300 + 1_000 * days)
        await s.until(f"+{days} 22:00")
        await s.stop()
        grow(s, 10_300 + 2_000 * days)
        await s.until(f"+{2 * days} 22:00")
        await s.run()
        await s.until(f"+{2 * days} 23:59")
        for chat in CHATS:
            first, second = s.told(chat)
            assert (reached([first]), reached([second])) == (everything(days), everything(2 * days))
        assert s.told(OPERATOR) == []

    told_over(tmp_path, tell)


def test_a_clock_a_week_ahead_that_is_put_right(tmp_path: Path, days: int) -> None:
    async def tell(s: Story) -> None:
        s.clock._jump(s.at(f"+{days} 17:30"))
        await s.until(f"+{days} 19:30")
        await s.stop()
        s.clock._now = s.at("20:00")
        await s.run()
        grow(s, 11_300)
        await s.until("23:00")
        for chat in CHATS:
            assert len(s.told(chat)) == 1
            assert reached(s.told(chat)) == everything(1)
        assert len(s.told(OPERATOR)) == 1
        assert "the clock was wrong once" in s.told(OPERATOR)[0]

    told_over(tmp_path, tell)
