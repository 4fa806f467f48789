"""The bot's edges: updates are fetched, answered once, and a poisonous one stops nobody."""

from __future__ import annotations

from story import CHAT, Story, played
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store import conversation

BOT = [("TELEGRAM__BOT", "true")]


def shown(messages: list[Delivered]) -> list[str]:
    return [message.shown for message in messages]


@played(settings=BOT, burst=20)
async def test_start_is_answered(s: Story) -> None:
    assert "I watch YouTube videos" in shown(await s.writes("/start"))[0]


@played(settings=BOT, burst=20)
async def test_a_restart_answers_nothing_twice_and_what_waited_meanwhile_once(s: Story) -> None:
    await s.writes("/start")
    await s.stop()
    s.telegram.user_writes(CHAT, "/help")
    await s.run()
    await s.clock.rest()
    assert len(s.told()) == 2


@played(settings=BOT, burst=20)
async def test_poison_is_kept_aside_and_the_rest_is_answered(s: Story) -> None:
    s.telegram.push({"message": {"message_id": "not a number", "chat": 7}})
    s.telegram.push({"message_reaction_of_the_future": {"x": 1}})
    assert len(await s.writes("/start")) == 1
    assert await s.app.db.read(conversation.quarantined) == 1


@played(settings=BOT, burst=20)
async def test_an_update_that_comes_twice_is_answered_once(s: Story) -> None:
    s.telegram.user_writes(CHAT, "/start")
    twice = s.telegram.updates.pending[-1]
    s.telegram.updates.pending.append(twice)
    await s.clock.rest()
    assert len(s.told()) == 1
