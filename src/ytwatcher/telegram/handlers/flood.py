"""Who writes or presses faster than anybody can read is stopped behind the gate."""

from __future__ import annotations

from telegram import Update
from telegram.ext import ApplicationHandlerStop, TypeHandler

from ytwatcher.telegram.desk import Desk, Handler, send
from ytwatcher.telegram.flood import Flood, Verdict
from ytwatcher.telegram.visit import Context


def gate(desk: Desk) -> Handler:
    """Counts by person, so that one member of a group does not silence the others."""
    flood = Flood()

    async def pass_or_stop(update: Update, context: Context) -> None:
        visit = context.visit
        verdict = flood.judge(f"{visit.here}/{visit.user}", desk.clock.now())
        if verdict is Verdict.ANSWER:
            return
        if verdict is Verdict.SAY_SLOWER and update.message is not None:
            await send(update.message, desk.texts.of(visit.language)("That is faster than I may answer. One thing at a time, please."))
        raise ApplicationHandlerStop

    return TypeHandler(Update, pass_or_stop)
