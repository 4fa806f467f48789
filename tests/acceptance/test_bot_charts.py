"""Charts in the chat: asked for, changed by buttons, and under alerts; cards that are kept up to date."""

from __future__ import annotations

from datetime import timedelta

from story import CHAT, SLOWLY, Story, played
from ytwatcher.notify.illustrator import Illustrator
from ytwatcher.simulator import make_video_id
from ytwatcher.simulator.growth import Growth
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store import cards, conversation

BOT = [("TELEGRAM__BOT", "true")]
ONE, TWO = make_video_id(1), make_video_id(2)
GROUP = -1005


def shown(messages: list[Delivered]) -> str:
    return "\n".join(message.shown for message in messages)


async def watched(s: Story, *numbers: int, to: str = f"telegram:{CHAT}") -> None:
    """Videos that grow are watched, and two hours have passed."""
    for n in numbers:
        s.video(n, views=1000 * n, growth=Growth.of_rate(60, timedelta(days=400)))
        await s.add(make_video_id(n), "views reach 1B", to=to)
    await s.until("19:00")


@played(settings=BOT, burst=20)
async def test_a_chart_is_a_picture_with_buttons_that_change_it_in_place(s: Story) -> None:
    await watched(s, 1)
    (chart,) = await s.writes("/chart")
    assert chart.photo is not None and chart.photo.startswith(b"\x89PNG")
    assert "Video 1" in chart.shown and "views" in chart.shown
    (changed,) = await s.presses("7d")
    assert (changed.message_id, changed.photo != chart.photo) == (chart.message_id, True)
    (likes,) = await s.presses("likes")
    assert "likes" in likes.shown and likes.button("• likes") and likes.button("• 7d")
    assert await s.presses("• likes") == [], "what is shown already stays as it is"


@played(settings=BOT, burst=20)
async def test_what_to_draw_may_be_named_or_chosen(s: Story) -> None:
    await watched(s, 1, 2)
    (question,) = await s.writes("/chart")
    assert [row[0].text for row in question.keyboard] == ["Video 1", "Video 2"]
    assert "Video 2" in shown(await s.presses("Video 2"))
    (named,) = await s.writes("/chart video 1 30d likes")
    assert "Video 1: likes" in named.shown and named.button("• 30d")


@played(settings=BOT, burst=20)
async def test_what_cannot_be_drawn_is_said(s: Story) -> None:
    assert "Nothing is watched here yet" in shown(await s.writes("/chart"))
    await watched(s, 1)
    assert "Nothing of that name" in shown(await s.writes("/chart something else"))


@played(settings=BOT, burst=20, invited=(CHAT, 1002))
async def test_a_forged_button_shows_nothing_of_others(s: Story) -> None:
    s.telegram.add_chat(1002)
    await watched(s, 1)
    await watched(s, 2, to="telegram:1002")
    await s.writes("/chart")
    s.telegram.user_presses(CHAT, "", data=f"chart:{TWO}:24h:v")
    await s.clock.rest()
    assert "not watched here" in s.told()[-1]


@played(settings=BOT, burst=20)
async def test_alerts_come_with_their_chart_when_that_is_wanted(s: Story) -> None:
    video = s.video(1, views=900)
    s.app.dispatcher.illustrate = Illustrator(s.app.charts, patience=timedelta(seconds=20)).picture  # on a busy machine
    await s.add(ONE, "views every 1000")
    await s.until("18:00")
    assert "without" in shown(await s.writes("/charts"))
    assert "with their chart" in shown(await s.writes("/charts on"))
    assert "dark" in shown(await s.writes("/chart dark"))
    video.views = 1100
    await s.until("20:00")
    alert = next(message for message in s.telegram.messages if "passed 1,000" in message.shown)
    assert alert.photo is not None


@played(settings=BOT, burst=20)
async def test_a_card_is_pinned_edited_when_numbers_change_and_survives_a_restart(s: Story) -> None:
    await watched(s, 1)
    (card,) = await s.writes("/card")
    assert s.telegram.conversation.pinned[CHAT] == [card.message_id]
    before = card.shown
    assert "already" in shown(await s.writes("/card video 1"))
    await s.restart()
    await s.until("20:00")
    now = next(message for message in s.telegram.messages if message.message_id == card.message_id)
    assert now.shown != before and "as of" in now.shown and "1 h" in now.shown
    edits = [call for call in s.telegram.calls if call.method == "editMessageText"]
    assert 0 < len(edits) <= 13, "at most every five minutes"


@played(settings=[*BOT, *SLOWLY], burst=20)
async def test_a_card_of_what_stands_still_is_not_edited(s: Story) -> None:
    s.video(1, views=1000)
    await s.add(ONE)
    await s.until("+2 17:00")
    await s.writes("/card")
    await s.until("+2 20:00")
    assert not [call for call in s.telegram.calls if call.method == "editMessageText"]


@played(settings=BOT, burst=20)
async def test_a_card_that_somebody_deleted_is_told_of_once_and_ends(s: Story) -> None:
    await watched(s, 1)
    (card,) = await s.writes("/card")
    s.telegram.messages.remove(card)
    await s.until("20:00")
    assert len([text for text in s.told() if "is gone" in text]) == 1
    assert await s.app.db.read(cards.next_at) is None


@played(settings=BOT, burst=20)
async def test_a_card_ends_by_its_button_and_with_its_watch(s: Story) -> None:
    await watched(s, 1)
    await s.writes("/card")
    await s.presses("End this card")
    assert (await s.app.db.read(cards.next_at), s.telegram.conversation.pinned[CHAT]) == (None, [])
    await s.writes("/card")
    await s.ask("remove", target=ONE, to=f"telegram:{CHAT}")
    await s.until("20:00")
    assert "has ended" in s.told()[-1]
    assert await s.app.db.read(cards.next_at) is None


@played(settings=BOT, burst=20)
async def test_edits_that_are_refused_for_a_while_are_tried_again(s: Story) -> None:
    await watched(s, 1)
    await s.writes("/card")
    s.telegram.fail("editMessageText", "tooMany429", until=s.at("19:30"), retry_after=60)
    await s.until("21:00")
    assert s.telegram.messages[-1].edited_at is not None
    assert await s.app.db.read(conversation.quarantined) == 0
