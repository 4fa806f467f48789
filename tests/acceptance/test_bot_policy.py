"""How a chat is told, said in the chat: mute, quiet hours, digest, time zone, language; what it may have, its data, and its end."""

from __future__ import annotations

import json

from story import CHAT, OPERATOR, SLOWLY, Story, played
from ytwatcher.core.policy import Recipient
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store import recipients

BOT = [("TELEGRAM__BOT", "true")]


def shown(messages: list[Delivered]) -> str:
    return "\n".join(message.shown for message in messages)


async def told_how(s: Story, chat: int = CHAT) -> Recipient:
    found = await s.app.db.read(recipients.find, f"telegram:{chat}")
    assert found is not None
    return found.recipient


@played(settings=BOT, burst=30)
async def test_mute_is_counted_from_the_message_and_taken_back(s: Story) -> None:
    assert "Not muted" in shown(await s.writes("/mute"))
    assert "Muted until" in shown(await s.presses("8 h"))
    assert (await told_how(s)).muted_until == s.at("1 01:00")
    assert "Not muted" in shown(await s.presses("Unmute"))
    assert "Muted until" in shown(await s.writes("/mute 30m"))
    assert (await told_how(s)).muted_until == s.at("17:30")
    await s.writes("/mute off")
    assert (await told_how(s)).muted_until is None
    assert "not a duration" in shown(await s.writes("/mute <b>tomorrow</b>"))


@played(settings=BOT, burst=30)
async def test_quiet_hours_are_set_shown_and_ended(s: Story) -> None:
    assert "No quiet hours" in shown(await s.writes("/quiet"))
    assert "Quiet hours 23:00-07:30 (UTC)" in shown(await s.writes("/quiet 23:00 - 7:30"))
    assert "not quiet hours" in shown(await s.writes("/quiet at night"))
    assert "No quiet hours" in shown(await s.writes("/quiet off"))
    assert (await told_how(s)).quiet is None


@played(settings=[*BOT, *SLOWLY], burst=30)
async def test_a_digest_holds_alerts_until_its_instant(s: Story) -> None:
    video = s.video(1, views=990)
    await s.add(video.id, "views every 100")
    assert "Digest daily 09:00" in shown(await s.writes("/digest daily 9:00"))
    await s.until("17:30")
    video.views = 1210
    await s.until("1 08:59")
    assert not [text for text in s.told(since="17:05") if "1,200" in text or "passed" in text]
    await s.until("1 09:01")
    assert "1,200" in s.told(since="1 08:59")[0]
    assert "no time for a digest" in shown(await s.writes("/digest hourly"))
    assert "No digest" in shown(await s.writes("/digest off"))


@played(settings=BOT, burst=30)
async def test_the_city_is_asked_for_and_the_answer_survives_a_restart(s: Story) -> None:
    assert "Which bigger city" in shown(await s.writes("/timezone"))
    await s.restart()
    assert "Europe/Berlin" in shown(await s.writes("berlin"))
    assert (await told_how(s)).timezone == "Europe/Berlin"
    assert "no time zone “Nowhere”" in shown(await s.writes("/timezone Nowhere"))
    assert "America/New_York" in shown(await s.writes("/timezone new york"))


@played(settings=BOT, burst=30)
async def test_of_several_zones_of_a_name_one_is_chosen(s: Story) -> None:
    assert "Which one?" in shown(await s.writes("/timezone louisville"))
    assert "America/Kentucky/Louisville" in shown(await s.presses("Kentucky"))


@played(settings=BOT, burst=30)
async def test_the_language_of_a_chat_is_chosen_with_a_button(s: Story) -> None:
    await s.writes("/language")
    assert "Deutsch" in shown(await s.presses("Deutsch"))
    assert "Ich beobachte YouTube" in shown(await s.writes("/help"))
    assert (await told_how(s)).language == "de"
    assert "pt_BR" not in shown(await s.writes("/language pt_BR"))
    assert (await told_how(s)).language == "pt_BR"
    assert "is not a language" in shown(await s.writes("/language klingon"))


@played(settings=BOT, burst=30)
async def test_stop_asks_first_and_its_button_works_after_a_restart_and_once(s: Story) -> None:
    await s.add(s.video(1).id)
    await s.add(s.video(2).id)
    await s.add(s.video(3).id, to=f"telegram:{OPERATOR}")
    assert "End all watches of this chat (2)" in shown(await s.writes("/stop"))
    await s.restart()
    assert "2 watches ended" in shown(await s.presses("End them all"))
    s.telegram.conversation.query(s.telegram.messages[-1], f"stop:{CHAT}/yes", CHAT, "Someone")
    await s.clock.rest()
    assert "0 watches ended" in s.told()[-1]
    assert len(await s.app.db.read(lambda con: con.execute("SELECT * FROM watch").fetchall())) == 1


@played(settings=BOT, burst=30)
async def test_stop_can_be_taken_back(s: Story) -> None:
    await s.add(s.video(1).id)
    await s.writes("/stop")
    assert "All watches go on" in shown(await s.presses("Keep them"))


@played(settings=BOT, burst=30)
async def test_what_a_button_names_is_checked_against_the_chat_it_is_pressed_in(s: Story) -> None:
    await s.add(s.video(1).id, to=f"telegram:{OPERATOR}")
    await s.writes("/mute")
    forged = (
        f"stop:{OPERATOR}/yes",
        f"mute:{OPERATOR}/29999999",
        "mute:1/2/3",
        "stop:x/yes",
        "zone:1001/Etc/Nowhere",
        "lang:1001/xx",
        "who:1/2",
    )
    for data in forged:
        s.telegram.user_presses(CHAT, "", data=data)
        await s.clock.rest()
    assert (await told_how(s, OPERATOR)).muted_until is None
    assert len(await s.app.db.read(lambda con: con.execute("SELECT * FROM watch").fetchall())) == 1
    assert len(s.told()) == 1  # only the answer to /mute
    assert {text for _, text, _ in s.telegram.conversation.answers} == {
        "This button is about another chat; /for chooses it.",
        "This button does nothing any more.",
    }


@played(settings=BOT, burst=30)
async def test_quota_status_and_export_tell_what_concerns_the_chat(s: Story) -> None:
    await s.add(s.video(1, title="<b>Mine</b>").id, "views every 1k")
    await s.add(s.video(2, title="Not mine").id, to=f"telegram:{OPERATOR}")
    quota = shown(await s.writes("/quota"))
    assert "2 videos are watched" in quota
    assert "targets here: 1 of 50" in quota
    exported = (await s.writes("/export"))[0]
    rows = [json.loads(line) for line in (exported.document or b"").decode().splitlines()]
    assert [(row["title"], [rule["rule"] for rule in row["rules"]]) for row in rows] == [("<b>Mine</b>", ["views every 1k"])]
    assert "for managers" in shown(await s.writes("/status"))
    assert "2 targets are watched, 2 videos" in shown(await s.writes("/status", chat=OPERATOR))
