"""What is told once is told once, whatever happens in between."""

from __future__ import annotations

from story import CHAT, OPERATOR, Story, played
from ytwatcher.simulator import make_playlist_id

OTHER = CHAT + 1
TO_OTHER = f"telegram:{OTHER}"


@played()
async def test_a_milestone_is_told_once_through_a_dip_a_restart_and_a_re_adding(s: Story) -> None:
    video = s.video(1, views=99_000)
    await s.add(video.id, "views milestones")
    await s.until("17:20")
    assert s.told() == [], "a first reading tells nothing"
    video.views = 100_400
    await s.until("17:25")
    assert [text.splitlines()[-1] for text in s.told()] == ["🎉 Views passed 100,000: 99,000 → 100,400 (+1,400 in 5 min)"]
    video.views = 99_400
    await s.until("18:20")
    video.views = 100_800
    await s.until("18:40")
    await s.restart()
    await s.until("19:00")
    removed = await s.ask("remove", target=video.id, to=f"telegram:{CHAT}")
    assert removed["ok"]["title"] == "Video 1"
    video.views = 99_500
    answer = await s.add(video.id, "views milestones")
    assert answer["new"]
    assert answer["rules"][0]["next_number"] == 200_000, "the highest number told is remembered"
    await s.until("19:10")
    video.views = 100_900
    await s.until("19:30")
    assert len(s.told()) == 1, s.told()
    video.views = 200_100
    await s.until("19:45")
    assert len(s.told()) == 2, s.told()
    assert "Views passed 200,000: 100,900 → 200,100" in s.told()[1]
    assert s.told(OPERATOR) == []


@played()
async def test_a_later_rule_tells_only_what_comes_after_it(s: Story) -> None:
    video = s.video(1, views=4_000)
    await s.add(video.id, "likes change")
    await s.until("17:30")
    video.views = 5_500
    await s.until("18:00")
    answer = await s.ask("rules add", target=video.id, rule="views every 1000", to=f"telegram:{CHAT}")
    assert answer["ok"]["next_number"] == 6_000
    await s.until("18:30")
    assert s.told() == []
    video.views = 6_100
    await s.until("18:40")
    assert [text.splitlines()[-1] for text in s.told()] == ["🎉 Views passed 6,000: 5,500 → 6,100 (+600 in 5 min)"]
    refused = await s.ask("rules add", target=video.id, rule="views reach 6k", to=f"telegram:{CHAT}")
    assert "passed already" in refused["error"]
    await s.ask("rules remove", rule_id=answer["ok"]["id"])
    video.views = 7_100
    await s.until("19:00")
    assert len(s.told()) == 1, "a removed rule is silent"


@played()
async def test_two_chats_hear_it_once_each_and_two_watches_of_one_chat_make_one_line(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    video, playlist = s.video(1, views=9_500, likes=300), make_playlist_id(1)
    s.world.add_playlist(playlist, "A list", video_ids=[video.id])
    await s.add(video.id)
    await s.add(playlist)
    await s.add(video.id, to=TO_OTHER)
    await s.until("17:20")
    video.views = 10_200
    await s.until("17:25")
    for chat in (CHAT, OTHER):
        assert [text.splitlines()[1:] for text in s.told(chat)] == [["🎉 Views passed 10,000: 9,500 → 10,200 (+700 in 5 min)"]]
    video.views, video.likes = 10_300, 500
    await s.until("17:35")
    assert [len(s.told(chat)) for chat in (CHAT, OTHER)] == [2, 2]
    reads = s.calls("videos.batchGetStats", "17:26")
    assert all(call.ids.count(video.id) == 1 for call in reads), "one reading for all its watches"
