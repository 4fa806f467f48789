"""A clock that jumps under a running process, and one that was wrong at the start."""

from __future__ import annotations

import re
from datetime import timedelta

from story import OPERATOR, Story, played
from ytwatcher.simulator import make_video_id


@played()
async def test_a_suspended_laptop_tells_all_it_missed_in_one_message(s: Story) -> None:
    """Nothing happened in between, not even a wait: the next look at the clock is eight hours later."""
    for n in range(20):
        s.video(n, views=10_300)
        await s.add(make_video_id(n), "views every 1000")
    await s.until("17:12")
    for n in range(20):
        s.world.videos[make_video_id(n)].views = 11_500
    s.clock._jump(s.at("+1 01:12"))
    await s.until("+1 01:40")
    (text,) = s.told()
    assert len(re.findall("passed 11,000", text)) == 20
    assert s.when()[0] - s.at("+1 01:12") < timedelta(minutes=10)
    assert s.told(OPERATOR) == []


@played()
async def test_a_clock_that_ran_a_day_ahead_and_is_right_again_after_a_restart_loses_nothing(s: Story) -> None:
    video = s.video(1, views=900)
    await s.add(make_video_id(1), "views every 1000")
    s.clock._jump(s.at("+1 17:00"))
    await s.until("+1 17:30")
    await s.stop()
    s.clock._now = s.at("17:40")
    await s.run()
    assert [len(s.told(OPERATOR)), "the clock was wrong once" in s.told(OPERATOR)[0]] == [1, True]
    video.views = 1_100
    await s.until("18:30")
    assert len([text for text in s.told() if "passed 1,000" in text]) == 1
