"""The buttons under alerts, as people press them."""

from __future__ import annotations

from datetime import timedelta

from story import CHAT, Story, played
from ytwatcher.simulator import make_video_id
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store import outbox_list, readings, recipients, watches

BOT = [("TELEGRAM__BOT", "true")]
OTHER, GROUP, CHANNEL = 1002, -1009, -1001000000000077


def shown(messages: list[Delivered]) -> str:
    return "\n".join(message.shown for message in messages)


def buttons(message: Delivered) -> list[str]:
    return [button.text for row in message.keyboard for button in row]


async def alerted(s: Story, *rules: str, chat: int = CHAT) -> Delivered:
    """An alert of a video that passed 1,000 views at about 17:20."""
    video = s.video(1, title="A <b>film</b> & more", views=900, likes=10)
    await s.add(make_video_id(1), *(rules or ("views every 100",)), to=f"telegram:{chat}")
    await s.until("17:20")
    video.views = 1010
    await s.until("18:00")
    return next(message for message in reversed(s.telegram.messages) if message.chat_id == chat)


async def lines(s: Story, chat: int = CHAT) -> list[str]:
    return [rule.line for rule in await s.app.db.read(watches.rules, None, f"telegram:{chat}")]


@played(settings=BOT, burst=20)
async def test_an_alert_has_its_buttons_and_why_explains_it(s: Story) -> None:
    alert = await alerted(s)
    assert buttons(alert) == ["Why?", "Chart", "Quieter", "Mute 8 h", "Stop watching"]
    why = shown(await s.presses("Why?"))
    assert "A <b>film</b> & more" in why
    assert "Rule: views every 100: Tells when the number of views of the video passes a multiple of 100 for the first time." in why
    assert "Before: 900, read at 5 Oct, 17:" in why
    assert "Views: 1,010, read at 5 Oct, 17:" in why
    assert "Read with the statistics of many videos at once. Sent 0 s after the reading." in why
    assert alert in s.telegram.messages, "the alert stays as it is"


@played(settings=BOT, burst=20)
async def test_why_after_a_restart_and_after_the_values_were_deleted(s: Story) -> None:
    await alerted(s)
    await s.restart()
    assert "Views: 1,010" in shown(await s.presses("Why?"))
    await s.app.db.write(readings.prune, s.clock.now() + timedelta(days=40), timedelta(days=30))
    told = [message for message in s.telegram.messages if "Why?" in buttons(message)]
    assert len(told) == 1
    assert "The values were deleted, as all are after 30 days." in shown(await s.presses("Why?"))


@played(settings=BOT, burst=20)
async def test_quieter_replaces_the_rule_and_undo_brings_it_back(s: Story) -> None:
    await alerted(s)
    offer = await s.presses("Quieter")
    assert buttons(offer[0]) == ["views every 1k", "views every 100 cooldown 6h", "views milestones"]
    assert "From now on: views every 1k. Tells when" in shown(await s.presses("views every 1k"))
    assert await lines(s) == ["views every 1k"]
    assert "From now on: views every 100" in shown(await s.presses("Undo"))
    assert await lines(s) == ["views every 100"]
    s.telegram.user_presses(CHAT, "", data=offer[0].button("views every 1k").data)
    await s.clock.rest()
    assert "rule is gone" in s.told()[-1]


@played(settings=BOT, burst=20)
async def test_of_several_rules_one_is_chosen(s: Story) -> None:
    await alerted(s, "views every 100", "views change")
    assert [one.partition(" · ")[0] for one in buttons((await s.presses("Quieter"))[0])] == ["views every 100", "views change"]
    assert "views every 100" in shown(await s.presses("views every 100 ·"))
    await s.presses("cooldown 6h")
    assert sorted(await lines(s)) == ["views change", "views every 100 cooldown 6h"]


@played(settings=BOT, burst=20)
async def test_mute_for_eight_hours_and_back(s: Story) -> None:
    await alerted(s)
    assert "Muted until" in shown(await s.presses("Mute 8 h"))
    found = await s.app.db.read(recipients.find, f"telegram:{CHAT}")
    assert found is not None
    assert found.recipient.muted_until == s.clock.now() + timedelta(hours=8)
    await s.presses("Unmute")
    found = await s.app.db.read(recipients.find, f"telegram:{CHAT}")
    assert found is not None
    assert found.recipient.muted_until is None


@played(settings=BOT, burst=20)
async def test_stop_watching_asks_once(s: Story) -> None:
    await alerted(s)
    assert buttons((await s.presses("Stop watching"))[0]) == ["Stop: A <b>film</b> & more", "Keep"]
    assert shown(await s.presses("Keep")) == "It goes on."
    await s.presses("Stop watching")
    assert shown(await s.presses("Stop: A")) == "Not watched any more: A <b>film</b> & more."
    assert await lines(s) == []
    assert "not watched here any more" in shown(await s.presses("Stop watching"))
    assert "That rule is gone" in shown(await s.presses("Quieter"))
    assert "Rule (ended meanwhile): views every 100" in shown(await s.presses("Why?"))


@played(settings=BOT, burst=20, invited=(CHAT, OTHER))
async def test_a_button_forged_from_another_chat_is_refused(s: Story) -> None:
    alert = await alerted(s)
    s.telegram.add_chat(OTHER)
    assert buttons((await s.writes("/mute", chat=OTHER))[0]), s.told(OTHER)
    before = len(s.told(OTHER))
    for text in ("Why?", "Quieter", "Mute 8 h", "Stop watching"):
        stolen = alert.button(text).data or ""
        for data in (stolen, stolen.replace(str(CHAT), str(OTHER))):
            s.telegram.user_presses(OTHER, "", data=data)
            await s.clock.rest()
    rule = (await s.app.db.read(watches.rules, None, f"telegram:{CHAT}"))[0].id
    target = (await s.app.db.read(watches.targets))[0].pk
    for data in (f"soften:{OTHER}/{rule}.x10", f"undo:{OTHER}/{rule}.{rule}", f"ended:{OTHER}/{target}"):
        await s.writes("/mute", chat=OTHER)
        s.telegram.user_presses(OTHER, "", data=data)
        await s.clock.rest()
    assert await lines(s) == ["views every 100"]
    told = s.told(OTHER)[before:]
    assert not any("film" in text for text in told)
    refused = [text for _, text, alerted in s.telegram.conversation.answers if alerted]
    assert len(refused) == 8


@played(settings=BOT, burst=20)
async def test_in_a_group_everybody_asks_why_and_admins_change(s: Story) -> None:
    group = s.telegram.add_chat(GROUP, "group", "Friends")
    group.admins.add(5)
    await s.let_in(GROUP, kind="group")
    await alerted(s, chat=GROUP)
    assert "Views: 1,010" in shown(await s.presses("Why?", chat=GROUP, user=6))
    assert await s.presses("Quieter", chat=GROUP, user=6) == []
    assert s.telegram.conversation.answers[-1][1].startswith("Only admins") or "admins" in str(s.telegram.conversation.answers[-3:])
    await s.presses("Quieter", chat=GROUP, user=5)
    await s.presses("views every 1k", chat=GROUP, user=5)
    assert await lines(s, GROUP) == ["views every 1k"]


@played(settings=BOT, burst=20)
async def test_a_channel_gets_no_buttons_and_a_supergroup_does(s: Story) -> None:
    s.telegram.add_chat(CHANNEL, "channel", "News")
    assert buttons(await alerted(s, chat=CHANNEL)) == []
    asked = [call for call in s.telegram.calls if call.method == "getChat"]
    assert len(asked) == 1, "asked once, however much is sent"


@played(burst=20)
async def test_without_a_bot_that_answers_there_are_no_buttons(s: Story) -> None:
    assert buttons(await alerted(s)) == []


@played(settings=BOT, burst=20)
async def test_a_notice_to_the_operator_has_no_buttons(s: Story) -> None:
    await s.app.tell_operator("test", "Something is to be known.")
    await s.until("17:05")
    assert [buttons(message) for message in s.telegram.messages] == [[]]
    assert await s.app.db.read(outbox_list.letter, 12345) is None
