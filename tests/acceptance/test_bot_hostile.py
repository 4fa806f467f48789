"""Poison from Telegram and hostility from members: nobody else notices, and no quota is spent."""

from __future__ import annotations

from story import CHAT, Story, played
from ytwatcher.looking import targets_of
from ytwatcher.simulator import make_video_id
from ytwatcher.store import conversation

BOT = [("TELEGRAM__BOT", "true")]
OTHER, STRANGER = 1002, 666
ONE = make_video_id(1)


def message(**more: object) -> dict[str, object]:
    return {
        "message_id": 5,
        "date": 1,
        "chat": {"id": CHAT, "type": "private"},
        "from": {"id": CHAT, "is_bot": False, "first_name": "X"},
        **more,
    }


POISON: tuple[dict[str, object], ...] = (
    {"a_kind_of_the_future": {"x": [1, {"y": None}]}},
    {},
    {"message": None},
    {"message": []},
    {"message": {"message_id": "seven", "chat": 7}},
    {"message": message(chat={"id": CHAT, "type": "constellation"}, text="/start")},
    {"message": message(entities=[{"type": "hologram", "offset": 0, "length": 99}], text="hi")},
    {"message": message(entities="no list", text="/help")},
    {"message": message(reply_markup={"inline_keyboard": [[{"text": "x", "teleport": {}}]]})},
    {"callback_query": {"id": "1", "from": {"id": CHAT, "is_bot": False, "first_name": "X"}, "chat_instance": "1", "data": "chart:"}},
    {"callback_query": {"id": "1"}},
    {"my_chat_member": {"chat": {"id": CHAT, "type": "private"}, "date": 1}},
    {"poll_answer": {"poll_id": "1", "option_ids": [1]}},
)


@played(settings=BOT, burst=50)
async def test_poison_of_every_form_stops_neither_the_bot_nor_what_comes_behind_it(s: Story) -> None:
    for poison in POISON:
        s.telegram.push(poison)
    s.telegram.push({"message": message(text="x" * 4_000_000)})
    answers = await s.writes("/help")
    assert answers and answers[-1].shown
    assert await s.app.db.read(conversation.quarantined) >= 3
    assert not s.youtube.calls


@played(settings=BOT, burst=50, invited=(CHAT, OTHER))
async def test_a_flood_is_told_once_and_then_not_heard_while_others_are(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    for _ in range(300):
        s.telegram.user_writes(CHAT, "/help")
    (answer, *_) = await s.writes("/help", OTHER)
    assert answer.at == s.clock.now(), "nobody waits for the flood"
    assert len(s.told(CHAT)) <= 22
    assert len([text for text in s.told(CHAT) if "faster than I may answer" in text]) == 1
    assert s.telegram.violations == 0


@played(settings=BOT, burst=50, invited=(CHAT, OTHER))
async def test_ten_thousand_links_in_one_message_are_ten_and_one_answer(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    for n in range(12):
        s.video(n, views=10)
    text = " ".join(f"https://youtu.be/{make_video_id(n)}" for n in range(10_000))
    (answer,) = await s.writes(text)
    assert "At most 10 links at once." in answer.shown
    assert "9990 in all" in answer.shown or "9,990 in all" in answer.shown
    watched = await s.app.db.read(targets_of, f"telegram:{CHAT}")
    assert [one.id for one in watched] == [make_video_id(n) for n in range(10)]
    calls = len(s.youtube.calls)
    for command in ("/add", "/chart", "/now", "/card", "/rules", "/top"):
        for said in await s.writes(f"{command} {text}"):
            assert len(said.shown) <= 4096
    assert len(s.youtube.calls) == calls, "of what is watched already YouTube is not asked again"
    assert len(await s.app.db.read(targets_of, f"telegram:{CHAT}")) == 10
    assert len(await s.writes("/help", OTHER)) == 1
    assert s.told(OTHER)[0]


@played(settings=BOT, burst=50)
async def test_names_and_texts_are_never_markup(s: Story) -> None:
    s.video(1, title='<a href="tg://user?id=1">click</a> & <b>', views=10)
    await s.add(ONE)
    await s.until("18:00")
    for text in ("/chart", "/card", "/chart <b>bold</b> {title} %s", "/mute <i>8h</i>", "/timezone <u>x</u>"):
        await s.writes(text, name="<b>Eve</b>")
    for delivered in s.telegram.messages:
        kinds = [(one.kind, one.url) for one in delivered.entities if one.kind != "text_link" or "youtu" not in (one.url or "")]
        assert not [one for one in kinds if one[0] in ("text_mention", "text_link", "italic", "underline")], delivered.shown


@played(settings=BOT, burst=50, invited=(CHAT, OTHER))
async def test_forged_buttons_do_nothing_to_others(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    s.video(1, views=10)
    await s.add(ONE, to=f"telegram:{OTHER}")
    s.video(2, views=10)
    await s.add(make_video_id(2), to=f"telegram:{CHAT}")
    await s.until("18:00")
    await s.writes("/chart")
    calls = len(s.youtube.calls)
    for data in (f"chart:{ONE}:24h:v", f"card:new:{ONE}", f"card:end:{ONE}", f"stop:{OTHER}/yes", f"mute:{OTHER}/99999999", "x", "why:1/1"):
        s.telegram.user_presses(CHAT, "", data=data)
    await s.clock.rest()
    assert s.told(OTHER) == []
    assert len(s.youtube.calls) == calls
    assert len((await s.ask("poke"))["ok"]) == 0


@played(settings=BOT, burst=50)
async def test_guessing_invitations_costs_nothing_and_ends(s: Story) -> None:
    s.telegram.add_chat(STRANGER)
    for number in range(60):
        s.telegram.user_writes(STRANGER, f"/start {'A' * 20}{number}")
    s.telegram.user_writes(STRANGER, "/start " + "x" * 4000)
    s.telegram.user_writes(STRANGER, f"/chart https://youtu.be/{ONE}")
    await s.clock.rest()
    assert len(s.told(STRANGER)) <= 7
    assert not s.youtube.calls


@played(settings=BOT, burst=50)
async def test_an_answer_that_was_lost_is_not_given_twice(s: Story) -> None:
    s.telegram.lose_answers()
    await s.writes("/help")
    await s.restart()
    await s.until("17:30")
    assert len(s.told(CHAT)) == 1
