"""Messages that answer a question of the bot. Questions are stored, so that an answer is understood after a restart, too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from telegram import Update
from telegram.ext import ApplicationHandlerStop, MessageHandler, filters

from ytwatcher.store.questions import Question
from ytwatcher.telegram.desk import Desk, Handler
from ytwatcher.telegram.handlers import policy, rules
from ytwatcher.telegram.visit import Context

Take = Callable[[Desk, Update, Context, Question], Awaitable[bool]]
"""Takes the answer to a question; False: it is none, and the message is handled as any other."""
TAKERS: Mapping[str, Take] = {"timezone": policy.take_city, rules.TOPIC: rules.take_rule}
"""By the question's topic. Who asks calls `desk.people.ask`."""


def answers(desk: Desk, takers: Mapping[str, Take] = TAKERS) -> Handler:
    """What comes between the gate and the rooms."""
    return MessageHandler(filters.TEXT & ~filters.COMMAND, partial(_answer, desk, takers))


async def _answer(desk: Desk, takers: Mapping[str, Take], update: Update, context: Context) -> None:
    visit = context.visit
    question = await desk.people.asked(visit.here, visit.user)
    if question is None or question.topic not in takers:
        return
    if await takers[question.topic](desk, update, context, question):
        await desk.people.answered(visit.here, visit.user)
        raise ApplicationHandlerStop
