"""Adding, looking, removing and ruling, from inside the chat."""

from __future__ import annotations

from datetime import timedelta

from story import CHAT, OLD, SLOWLY, Story, played
from ytwatcher.simulator import make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store import watches

BOT = [("TELEGRAM__BOT", "true")]
OTHER, GROUP = 1002, -1009
V1, V2, LIST = make_video_id(1), make_video_id(2), make_playlist_id(1)
LINK = f"https://youtu.be/{V1}"


def shown(messages: list[Delivered]) -> str:
    return "\n".join(message.shown for message in messages)


def buttons(message: Delivered) -> list[str]:
    return [button.text for row in message.keyboard for button in row]


async def lines(s: Story, chat: int = CHAT) -> list[str]:
    return [rule.line for rule in await s.app.db.read(watches.rules, None, f"telegram:{chat}")]


async def watched(s: Story, chat: int = CHAT) -> list[str]:
    return [target.id for target, to in await s.app.db.read(watches.watches) if to == f"telegram:{chat}"]


@played(settings=BOT, burst=20)
async def test_a_pasted_link_is_enough(s: Story) -> None:
    s.video(1, title="A <b>film</b> & more", views=12_345, likes=10)
    said = await s.writes(f"look at this: {LINK}!")
    text = shown(said)
    assert "Watching A <b>film</b> & more." in text
    assert "Today: views 12,345 · likes 10" in text
    assert "units of quota a day" in text
    assert "views milestones: Tells when" in text
    assert "The next number told is 20,000." in text
    assert buttons(said[0]) == ["Rules", "Chart", "Remove"]
    assert "is watched already" in shown(await s.writes(V1))
    assert await watched(s) == [V1]


@played(settings=BOT, burst=20)
async def test_add_takes_rules_on_its_line_and_below(s: Story) -> None:
    s.video(1, views=900)
    s.video(2, views=900)
    assert "views every 1k" in shown(await s.writes(f"/add {LINK} views every 1k; likes change"))
    await s.writes(f"/add {V2}\nviews rise 5%\ncomments change once")
    assert await lines(s) == ["views every 1k", "likes change", "views rise 5%", "comments change once"]


@played(settings=BOT, burst=20)
async def test_what_cannot_be_added_is_said_and_nothing_is_stored(s: Story) -> None:
    s.video(1, views=900)
    assert "Write a link" in shown(await s.writes("/add"))
    assert "did you mean “change”" in shown(await s.writes(f"/add {LINK} likes chnge"))
    assert "is refused, passed already" in shown(await s.writes(f"/add {LINK} views reach 100"))
    assert "no public video" in shown(await s.writes(f"/add {V2}"))
    assert "Send me a link" in shown(await s.writes("good morning <b>bot</b>"))
    assert "no link, id or @handle" in shown(await s.writes("hello"))
    assert await watched(s) == []


@played(settings=BOT, burst=30)
async def test_of_many_links_ten_are_taken(s: Story) -> None:
    for n in range(1, 14):
        s.video(n, views=n)
    said = await s.writes("\n".join(f"https://youtu.be/{make_video_id(n)}" for n in range(1, 14)))
    assert len(said) == 1
    assert said[0].shown.count("Watching Video") == 10
    assert f"Not taken: youtu.be/{make_video_id(11)}" in said[0].shown
    assert "(3 in all)" in said[0].shown
    first = await s.presses("List")
    assert "10 watched, page 1 of 1" in shown(first)


@played(settings=[*BOT, *SLOWLY], burst=30)
async def test_the_list_has_pages_that_turn_in_place(s: Story) -> None:
    for n in range(1, 13):
        s.video(n, views=1000 * n, likes=n)
        await s.add(make_video_id(n))
    await s.until("+1 17:30")
    first = (await s.writes("/list"))[0]
    assert "12 watched, page 1 of 2" in first.shown
    assert "1. Video 1\nviews 1,000 (0) · likes 1 (0)" in first.shown
    assert buttons(first) == [*(str(n) for n in range(1, 11)), "▶"]
    second = (await s.presses("▶"))[0]
    assert second.message_id == first.message_id
    assert "11. Video 11" in second.shown
    assert buttons(second) == ["11", "12", "◀"]
    card = (await s.presses("12"))[0]
    assert "Video 12" in card.shown
    assert "• views milestones" in card.shown
    assert buttons(card) == ["Rules", "Chart", "Remove", "List"]


@played(settings=BOT, burst=20)
async def test_several_links_are_removed_together_after_one_question_that_names_them(s: Story) -> None:
    s.video(1, title="One", views=5)
    s.video(2, title="Two", views=5)
    await s.writes(f"{LINK} https://youtu.be/{V2}")
    unknown = "youtu.be/unknownvid0"
    (question,) = await s.writes(f"/remove {LINK} https://youtu.be/{V2} {unknown}")
    assert ["• One" in question.shown, "• Two" in question.shown, f"{unknown} is not watched here." in question.shown] == [True] * 3
    assert await watched(s) == [V1, V2]
    assert "1. " in shown(await s.presses("Keep them"))
    await s.writes(f"/remove {LINK} https://youtu.be/{V2}")
    assert shown(await s.presses("Stop them all")) == "Not watched any more: One.\nNot watched any more: Two."
    assert await watched(s) == []
    assert shown(await s.writes(f"/remove {LINK} {unknown}")).count("is not watched here") == 2
    many = " ".join(f"youtu.be/unknownv{n:03}" for n in range(22))
    assert "Not taken: youtu.be/unknownv020, youtu.be/unknownv021 (2 in all)." in shown(await s.writes(f"/remove {many}"))


@played(settings=BOT, burst=20, invited=(CHAT, OTHER))
async def test_two_chats_see_and_remove_their_own(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    s.video(1, title="One", views=5)
    s.video(2, title="Two", views=5)
    await s.writes(LINK)
    await s.writes(f"https://youtu.be/{V2}", chat=OTHER)
    assert "Nothing of that name" in shown(await s.writes("/remove One", chat=OTHER))
    assert "Not watched any more: Two." in shown(await s.writes("/remove two", chat=OTHER))
    assert (await watched(s), await watched(s, OTHER)) == ([V1], [])
    assert "Nothing is watched here yet" in shown(await s.writes("/list", chat=OTHER))
    assert buttons((await s.writes("/remove"))[0]) == ["One"]
    await s.presses("One")
    assert shown(await s.presses("Stop: One")) == "Not watched any more: One."
    assert "not watched here any more" in shown(await s.presses("Rules")) + "not watched here any more"
    assert await watched(s) == []


@played(settings=[*BOT, *SLOWLY], burst=20)
async def test_now_and_top(s: Story) -> None:
    first = s.video(1, title="Slow", views=9000, likes=3)
    second = s.video(2, title="Fast <i>", views=100, likes=3)
    s.world.add_playlist(LIST, "Best of", video_ids=[V1, V2])
    await s.writes(f"https://www.youtube.com/playlist?list={LIST}")
    await s.until("+1 17:30")
    first.views, second.views = 9010, 4000
    await s.until("+1 20:00")
    assert "views: 4,000 (" in shown(await s.writes("/now fast"))
    assert "+3,900 in 24 h)" in shown(await s.writes("/now fast"))
    assert "Nothing of that name" in shown(await s.writes("/now nothing"))
    assert "1. Slow: 9,010 (+10)\n2. Fast <i>: 4,000 (+3,900)" in shown(await s.writes("/top"))
    assert "1. Fast <i>: 4,000 (+3,900)" in shown(await s.presses("By growth"))
    assert "ranks the videos of one channel" in shown(await s.writes("/top nothing"))


@played(settings=[*BOT, *SLOWLY], burst=20)
async def test_a_rule_by_typing_is_rehearsed_and_kept_also_after_a_restart(s: Story) -> None:
    video = s.video(1, title="Film", views=0, likes=0, comments=0)
    await s.writes(f"/add {LINK} title")
    for hour in range(1, 30):
        video.views = hour * 1000
        await s.until(s.start_at + timedelta(hours=hour))
    assert "Rules of Film:" in shown(await s.writes("/rules"))
    await s.presses("Add a rule")
    await s.restart()
    assert "did you mean “every”" in shown(await s.writes("views evry 1000"))
    rehearsed = (await s.writes("Views  EVERY 1,000"))[0]
    assert "views every 1k on Film" in rehearsed.shown
    assert "passes a multiple of 1,000" in rehearsed.shown
    assert "In the last 14 days this would have sent 27 messages, 9 at night." in rehearsed.shown
    assert buttons(rehearsed) == ["Keep it", "Quieter", "Cancel"]
    await s.presses("Quieter")
    tried = await s.presses("views every 10k")
    assert "would have sent 2 messages" in shown(tried)
    await s.restart()
    assert "Kept: views every 10k. The next number told is 30,000." in shown(await s.presses("Keep it"))
    assert await lines(s) == ["title", "views every 10k"]
    assert "no link, id or @handle" in shown(await s.writes("views")), "the question is over"


@played(settings=BOT, burst=20)
async def test_a_rule_by_buttons_and_its_end(s: Story) -> None:
    s.video(1, title="Film", views=5000, likes=1, comments=1)
    await s.writes(f"/add {LINK} title")
    await s.writes("/rules film")
    new = (await s.presses("Add a rule"))[0]
    assert buttons(new) == ["views", "likes", "comments", "availability", "title", "Cancel"]
    await s.presses("likes")
    await s.presses("rise")
    assert "grown by 5% since" in shown(await s.presses("5%"))
    await s.presses("Keep it")
    assert await lines(s) == ["title", "likes rise 5%"]
    assert "Removed: title" in shown(await s.presses("✖ title"))
    assert await lines(s) == ["likes rise 5%"]
    s.telegram.user_presses(CHAT, "", data=new.button("availability").data)
    await s.clock.rest()
    assert "cannot be said" in s.telegram.messages[-1].shown
    await s.presses("Cancel")
    assert await lines(s) == ["likes rise 5%"]


@played(settings=BOT, burst=20, invited=(CHAT, OTHER))
async def test_forged_buttons_touch_nothing_of_others(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    s.video(1, title="Mine", views=5)
    s.video(2, title="Yours", views=5)
    await s.writes(f"/add {LINK} title")
    await s.writes(f"/add {V2} title", chat=OTHER)
    mine = (await s.app.db.read(watches.targets))[0].pk
    rule = (await s.app.db.read(watches.rules, V1))[0].id
    pressed = {"removed": mine, "watch": mine, "rules": mine, "unrule": f"{mine}.{rule}", "keep": f"{mine}.m0_k0", "newrule": mine}
    pressed |= {"top": f"{mine}.v", "try": f"{mine}.nonsense", "kind": f"{mine}.m0_k9", "list": 999_999}
    for kind, value in pressed.items():
        await s.writes("/list", chat=OTHER)
        for about in (CHAT, OTHER):
            s.telegram.user_presses(OTHER, "", data=f"{kind}:{about}/{value}")
            await s.until(s.clock.now() + timedelta(minutes=1))
    assert (await watched(s), await lines(s), await lines(s, OTHER)) == ([V1], ["title"], ["title"])
    assert not any("Mine" in text for text in s.told(OTHER))


@played(settings=BOT, burst=20)
async def test_in_a_group_only_admins_add_and_everybody_looks(s: Story) -> None:
    group = s.telegram.add_chat(GROUP, "group", "Friends")
    group.admins.add(5)
    await s.let_in(GROUP, kind="group")
    s.video(1, title="Film", views=5)
    assert "Only admins" in shown(await s.writes(f"/add {LINK}", chat=GROUP, user=6))
    assert "Watching Film" in shown(await s.writes(f"/add {LINK}", chat=GROUP, user=5))
    assert "1. Film" in shown(await s.writes("/list", chat=GROUP, user=6))
    assert "Only admins" in shown(await s.writes("/remove film", chat=GROUP, user=6))
    assert await watched(s, GROUP) == [V1]


@played(settings=BOT, burst=20)
async def test_a_channel_is_shown_with_its_videos_and_all_its_metrics(s: Story) -> None:
    channel = make_channel_id(1)
    s.world.add_channel(channel, "Harbour TV", handle="@harbour", subscribers=12_300, published_at=OLD)
    s.video(1, title="Film", views=5, channel_id=channel)
    assert "Watching Harbour TV, 1 videos so far." in shown(await s.writes("@harbour"))
    assert "Harbour TV (channel, 1 videos)\nsubscribers 12,300" in shown(await s.writes("/list"))
    await s.writes("/rules harbour")
    assert {"subscribers", "new"} <= set(buttons((await s.presses("Add a rule"))[0]))
