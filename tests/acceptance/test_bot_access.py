"""Who the bot answers: invitations, roles, limits, groups, channels and topics, blocks and moves."""

from __future__ import annotations

import json
import re

from story import CHAT, OPERATOR, SLOWLY, Story, played
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store import access, conversation, recipients
from ytwatcher.store.access import Limits, Role

BOT = [("TELEGRAM__BOT", "true")]
GROUP, FORUM, CHANNEL = -100, -1001, -1002
ADMIN, MEMBER = 501, 502


def shown(messages: list[Delivered]) -> str:
    return "\n".join(message.shown for message in messages)


async def code(s: Story, *role: str) -> str:
    """A new invitation, made by the operator in the chat."""
    said = shown(await s.writes(" ".join(["/invite", *role]), chat=OPERATOR))
    match = re.search(r"\?start=([A-Za-z0-9_-]{20,64})$", said, re.MULTILINE)
    assert match, said
    return match[1]


async def count(s: Story, table: str) -> int:
    return int(await s.app.db.read(lambda con: con.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))


def forum(s: Story) -> None:
    chat = s.telegram.add_chat(FORUM, "supergroup", "Forum", {7: "News"})
    chat.admins.add(ADMIN)


@played(settings=BOT, burst=30, invited=())
async def test_an_invitation_that_is_asked_for_again_after_a_crash_is_the_same(s: Story) -> None:
    number = s.telegram.user_writes(OPERATOR, "/invite")
    _, update = s.telegram.updates.pending[-1]
    await s.clock.rest()
    await s.app.db.write(conversation.take, {number: json.dumps(update)}, s.clock.now())  # as a killed process leaves it
    await s.restart()
    assert len(s.told(OPERATOR)) == 2 and len(set(s.told(OPERATOR))) == 1
    assert await count(s, "invitation") == 1
    assert await code(s) not in s.told(OPERATOR)[0]


@played(settings=BOT, burst=30, invited=())
async def test_a_stranger_gets_one_line_a_day_and_costs_nothing(s: Story) -> None:
    assert "people who were invited" in shown(await s.writes("/add https://youtu.be/dQw4w9WgXcQ"))
    for text in ("/start", "hello", "/list", "https://youtu.be/dQw4w9WgXcQ"):
        assert await s.writes(text) == []
    assert (await count(s, "recipient"), await count(s, "access"), await count(s, "stranger")) == (1, 0, 1)
    assert s.calls() == []
    await s.until("1 17:01")
    assert "people who were invited" in shown(await s.writes("/start"))


@played(settings=BOT, burst=30, invited=())
async def test_an_invitation_lets_in_once_and_the_operator_is_told(s: Story) -> None:
    link = await code(s)
    assert "Willkommen" in shown(await s.writes(f"/start {link}", name="Ada <b>", language="de"))
    await s.until("17:05")
    assert any("Ada <b> (telegram:1001, private chat) was let in as user" in text for text in s.told(OPERATOR))
    s.telegram.add_chat(2002)
    assert "not valid" in shown(await s.writes(f"/start {link}", chat=2002))
    assert "schon" in shown(await s.writes(f"/start {link}", language="en"))
    assert "let in as user" in shown(await s.writes("/log", chat=OPERATOR))


@played(settings=BOT, burst=30, invited=())
async def test_an_invitation_expires_and_survives_a_restart(s: Story) -> None:
    early, late = await code(s), await code(s)
    await s.restart()
    assert "Welcome" in shown(await s.writes(f"/start {early}"))
    await s.until("7 17:01")
    s.telegram.add_chat(2002)
    assert "not valid" in shown(await s.writes(f"/start {late}", chat=2002))


@played(settings=BOT, burst=30, invited=())
async def test_guessing_ends_in_silence(s: Story) -> None:
    link = await code(s)
    answers = [await s.writes(f"/start {'x' * n}") for n in range(30, 40)]
    assert [len(said) for said in answers] == [1] * 5 + [0] * 5
    assert await s.writes(f"/start {link}") == []
    s.telegram.add_chat(2002)
    assert "Welcome" in shown(await s.writes(f"/start {link}", chat=2002))


@played(settings=BOT, burst=30)
async def test_roles_invite_and_see_what_is_theirs(s: Story) -> None:
    assert "for managers" in shown(await s.writes("/invite"))
    assert "/invite" not in shown(await s.writes("/help"))
    assert "more now" in shown(await s.writes(f"/start {await code(s, 'manager')}"))
    assert "/invite" in shown(await s.writes("/help"))
    assert "?start=" in shown(await s.writes("/invite"))
    assert "only owners invite owners" in shown(await s.writes("/invite owner")).lower()
    assert "Write /invite" in shown(await s.writes("/invite king", chat=OPERATOR))
    assert "for owners" in shown(await s.writes("/log"))
    assert "1001 Someone: manager; targets 0/50" in shown(await s.writes("/people"))
    scopes = {scope for scope, _ in s.telegram.conversation.commands}
    assert any('"chat_id": 1001' in scope for scope in scopes)


@played(settings=BOT, burst=30)
async def test_limits_hold_and_an_owner_changes_them(s: Story) -> None:
    assert "targets 0/1, rules 0/3, messages 0/200" in shown(await s.writes("/limits 1001 1 3 200", chat=OPERATOR))
    await s.add(s.video(1).id, "views every 1k")
    other = s.video(2).id
    refused = await s.ask("add", text=other, rules=[], to=f"telegram:{CHAT}")
    assert "this chat watches 1 targets, as many as it may" in refused["error"]
    assert not any(other in call.ids for call in s.calls()), "a refusal costs no quota"
    lines = ["views every 1k", "views every 2k", "likes every 1k", "likes every 2k"]
    refused = await s.ask("add", text=s.video(1).id, rules=lines, to=f"telegram:{CHAT}")
    assert "may have 3 rules, and would have 4" in refused["error"]
    assert "Write /limits" in shown(await s.writes("/limits 1001 many", chat=OPERATOR))
    assert "never let in" in shown(await s.writes("/limits 5 1 1 1", chat=OPERATOR))


@played(settings=[*BOT, *SLOWLY], burst=30)
async def test_more_messages_a_day_than_allowed_wait_and_leave_together(s: Story) -> None:
    await s.writes("/limits 1001 50 250 2", chat=OPERATOR)
    video = s.video(1, views=1000)
    await s.add(video.id, "views every 100")
    for n, hour in enumerate((18, 19, 20, 21), 1):
        await s.until(f"{hour}:00")
        video.views = 1000 + 100 * n
    await s.until("22:00")
    assert len(s.told()) == 2
    await s.until("1 18:30")
    assert len(s.told()) == 3
    assert "1,400" in s.told()[-1]


@played(settings=BOT, burst=30)
async def test_who_is_dismissed_is_served_no_more_and_watches_nothing(s: Story) -> None:
    await s.add(s.video(1).id)
    assert "for owners" in shown(await s.writes("/dismiss 99"))
    assert "Write /dismiss" in shown(await s.writes("/dismiss 5", chat=OPERATOR))
    assert "Serve Chat 1001 no more" in shown(await s.writes("/dismiss 1001", chat=OPERATOR))
    assert "1 watches ended" in shown(await s.presses("Yes", chat=OPERATOR))
    assert "people who were invited" in shown(await s.writes("/help"))
    assert "Welcome" in shown(await s.writes(f"/start {await code(s)}"))


@played(settings=BOT, burst=30)
async def test_a_group_is_served_when_somebody_with_access_adds_the_bot(s: Story) -> None:
    chat = s.telegram.add_chat(GROUP, "group", "Our group")
    chat.admins.add(ADMIN)
    s.telegram.add_bot(GROUP, user=777)
    await s.clock.rest()
    assert s.told(GROUP) == []
    assert "people who were invited" in shown(await s.writes("/help", chat=GROUP, user=MEMBER))
    s.telegram.kick(GROUP)
    await s.clock.rest()
    s.telegram.add_bot(GROUP, user=CHAT)
    await s.clock.rest()
    assert "From now on I work here" in s.told(GROUP)[-1]
    assert "Only admins change things" in shown(await s.writes("/help", chat=GROUP, user=MEMBER))
    assert "Only admins can change that" in shown(await s.writes("/mute 8h", chat=GROUP, user=MEMBER))
    assert "Muted until" in shown(await s.writes("/mute 8h", chat=GROUP, user=ADMIN))
    await s.presses("Unmute", chat=GROUP, user=MEMBER)
    assert s.telegram.conversation.answers[-1][1:] == ("Only admins can change that here; everybody may look.", True)
    assert "private chat" in shown(await s.writes("/for", chat=GROUP, user=ADMIN))


@played(settings=BOT, burst=30)
async def test_a_group_that_a_stranger_added_the_bot_to_is_served_once_somebody_with_access_makes_it_an_admin(s: Story) -> None:
    s.telegram.add_chat(GROUP, "group", "Our group")
    s.telegram.add_bot(GROUP, user=777)
    message = {"message_id": 900, "date": 0, "chat": {"id": GROUP, "type": "group", "title": "Our group"}}
    s.telegram.push({"message": {**message, "new_chat_members": [{"id": 777, "is_bot": False, "first_name": "Someone"}]}})
    s.telegram.push({"message": {**message, "migrate_to_chat_id": -100777}})
    await s.clock.rest()
    assert s.told(GROUP) == []
    s.telegram.add_bot(GROUP, user=CHAT, admin=True)
    await s.clock.rest()
    assert len(s.told(GROUP)) == 1
    s.telegram.add_bot(GROUP, user=CHAT, admin=True)
    await s.clock.rest()
    assert len(s.told(GROUP)) == 1


@played(settings=BOT, burst=60)
async def test_one_person_brings_the_bot_into_so_many_chats_and_no_more(s: Story) -> None:
    for n in range(21):
        s.telegram.add_chat(-5000 - n, "group", f"Group {n}")
        s.telegram.add_bot(-5000 - n, user=CHAT)
    await s.clock.rest()
    assert await count(s, "access") == 21  # the person's own chat, and twenty groups
    assert "one person may bring me into 20 groups" in s.told()[-1]


@played(settings=BOT, burst=30)
async def test_who_writes_is_there_even_if_the_unblocking_was_missed(s: Story) -> None:
    await s.add(s.video(1).id)
    s.telegram.block(CHAT)
    await s.clock.rest()
    s.telegram.chats[next(chat for chat in s.telegram.chats if chat == CHAT)].state = "open"
    await s.writes("/help")
    found = await s.app.db.read(recipients.find, f"telegram:{CHAT}")
    assert found is not None
    assert found.state == "active"


@played(settings=BOT, burst=30, invited=())
async def test_a_code_inside_a_group_lets_the_group_in_and_nobody_else(s: Story) -> None:
    s.telegram.add_chat(GROUP, "group", "Our group")
    link = await code(s, "manager")
    assert "From now on I work here" in shown(await s.writes(f"/start@ytwatcher_sim_bot {link}", chat=GROUP, user=MEMBER))
    served = await s.app.db.read(access.find, f"telegram:{GROUP}")
    assert served is not None and (served.role, served.limits) == (Role.USER, Limits(50, 250, 200))
    s.telegram.add_chat(MEMBER)
    assert "people who were invited" in shown(await s.writes("/help", chat=MEMBER))


@played(settings=BOT, burst=30)
async def test_an_anonymous_admin_may_change_things(s: Story) -> None:
    forum(s)
    await s.let_in(FORUM, kind="group")
    s.telegram.push(
        {
            "message": {
                "message_id": 900,
                "date": int(s.clock.now().timestamp()),
                "chat": {"id": FORUM, "type": "supergroup", "title": "Forum"},
                "from": {"id": 1087968824, "is_bot": True, "first_name": "Group"},
                "sender_chat": {"id": FORUM, "type": "supergroup", "title": "Forum"},
                "text": "/quiet 22:00-06:00",
                "entities": [{"type": "bot_command", "offset": 0, "length": 6}],
            }
        }
    )
    await s.clock.rest()
    assert "Quiet hours 22:00-06:00" in s.told(FORUM)[-1]


@played(settings=BOT, burst=30)
async def test_topics_are_told_apart_and_general_is_the_chat_itself(s: Story) -> None:
    forum(s)
    await s.let_in(FORUM, kind="group")
    said = await s.writes("/quiet 22:00-06:00", chat=FORUM, thread=7, user=ADMIN)
    assert [message.thread for message in said] == [7]
    said = await s.writes("/quiet", chat=FORUM, thread=1, user=ADMIN)
    assert [(message.thread, "No quiet hours" in message.shown) for message in said] == [(None, True)]
    rows = await s.app.db.read(lambda con: con.execute("SELECT address FROM recipient WHERE quiet IS NOT NULL").fetchall())
    assert [row[0] for row in rows] == [f"telegram:{FORUM}:7"]


@played(settings=BOT, burst=30)
async def test_a_channel_is_driven_from_a_private_chat(s: Story) -> None:
    chat = s.telegram.add_chat(CHANNEL, "channel", "News <i>")
    assert "Make me an admin of a channel" in shown(await s.writes("/for"))
    s.telegram.add_bot(CHANNEL, user=CHAT, admin=True)
    await s.clock.rest()
    assert "I may post in News <i>" in s.told()[-1]
    assert await s.writes("/help", chat=CHANNEL) == []
    await s.writes("/for")
    await s.presses("News")
    assert s.telegram.conversation.answers[-1][1] == "Only admins of that chat may speak for it."
    chat.admins.add(CHAT)
    await s.until("17:05")
    assert "is about News <i>" in shown(await s.presses("News"))
    await s.restart()
    await s.writes("/quiet 22:00-06:00")
    assert "Now: News <i>" in shown(await s.writes("/for"))
    assert "this chat again" in shown(await s.presses("This chat"))
    assert "No quiet hours" in shown(await s.writes("/quiet"))
    rows = await s.app.db.read(lambda con: con.execute("SELECT address FROM recipient WHERE quiet IS NOT NULL").fetchall())
    assert [row[0] for row in rows] == [f"telegram:{CHANNEL}"]


@played(settings=BOT, burst=30)
async def test_a_choice_ends_by_itself(s: Story) -> None:
    s.telegram.add_chat(CHANNEL, "channel", "News").admins.add(CHAT)
    s.telegram.add_bot(CHANNEL, user=CHAT, admin=True)
    await s.writes("/for")
    await s.presses("News")
    await s.until("18:01")
    await s.writes("/mute")
    assert "Now: this chat" in shown(await s.writes("/for"))


@played(settings=BOT, burst=30)
async def test_who_blocks_the_bot_gets_nothing_and_goes_on_when_it_is_let_in_again(s: Story) -> None:
    video = s.video(1, views=990)
    await s.add(video.id, "views every 100")
    s.telegram.block(CHAT)
    await s.clock.rest()
    video.views = 1100
    await s.until("19:00")
    assert s.told() == []
    assert any("the bot was blocked" in text for text in s.told(OPERATOR))
    s.telegram.unblock(CHAT)
    await s.clock.rest()
    assert "I am back: 1 watches go on." in s.told()[-1]
    video.views = 1200
    await s.until("21:00")
    assert "1,200" in s.told()[-1]


@played(settings=BOT, burst=30)
async def test_a_group_that_becomes_a_supergroup_notices_nothing(s: Story) -> None:
    s.telegram.add_chat(GROUP, "group", "Our group").admins.add(ADMIN)
    s.telegram.add_bot(GROUP, user=CHAT)
    await s.clock.rest()
    await s.writes("/quiet 22:00-06:00", chat=GROUP, user=ADMIN)
    after = s.telegram.migrate(GROUP, -100200)
    after.admins.add(ADMIN)
    await s.clock.rest()
    assert "Quiet hours 22:00-06:00" in shown(await s.writes("/quiet", chat=-100200, user=ADMIN))
    assert await s.app.db.read(access.find, "telegram:-100200") is not None


@played(settings=BOT, burst=30)
async def test_the_menu_is_named_by_scope_and_language_once(s: Story) -> None:
    await s.writes("/help")
    menus = s.telegram.conversation.commands
    everybody = {one["command"] for one in menus['{"type": "all_private_chats"}', ""]}
    owner = {one["command"] for one in menus[f'{{"chat_id": {OPERATOR}, "type": "chat"}}', ""]}
    group = {one["command"] for one in menus['{"type": "all_group_chats"}', "de"]}
    assert {"invite", "log", "limits"} <= owner - everybody
    assert "for" in everybody - group
    before = len(s.telegram.calls)
    await s.restart()
    await s.writes("/help")
    assert [call.method for call in s.telegram.calls[before:] if call.method == "setMyCommands"] == []


@played(settings=BOT, burst=30)
async def test_a_menu_that_cannot_be_set_stops_nothing(s: Story) -> None:
    await s.app.db.write(lambda con: con.execute("DELETE FROM fact WHERE key LIKE 'menu:%'"))
    s.telegram.fail("setMyCommands", "restart500")
    await s.restart()
    assert "I watch YouTube videos" in shown(await s.writes("/help"))
