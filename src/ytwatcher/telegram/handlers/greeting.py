"""/start and /help."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import Update

from ytwatcher.telegram.desk import Desk, Handler, command, message_of, reply
from ytwatcher.telegram.handlers.access import enter, invitation_in
from ytwatcher.telegram.menu import commands_for
from ytwatcher.telegram.visit import Context


def handlers(desk: Desk) -> Sequence[Handler]:
    return [command(desk, "start", _start), command(desk, "help", _help)]


async def _start(desk: Desk, update: Update, context: Context) -> None:
    """Welcome; with an invitation for a higher role, that role."""
    message, say = message_of(update), desk.texts.of(context.visit.language)
    code = invitation_in(message.text or "", context.bot.username)
    if code is None:
        await _help(desk, update, context)
        return
    await enter(desk, update, context, code, say)


async def _help(desk: Desk, update: Update, context: Context) -> None:
    """What this chat may do, and nothing else."""
    visit = context.visit
    say, there = desk.texts.of(visit.language), context.bot_data["commands"]
    lines = [say("I watch YouTube videos, playlists and channels and tell you what changed.")]
    lines += [
        say("{command} – {purpose}", command=f"/{one.name} {one.arguments}".rstrip(), purpose=say(one.purpose))
        for one in commands_for(visit.role, private=visit.private, there=there)
    ]
    if not visit.private:
        lines.append(say("Only admins change things here; everybody may look."))
    await reply(update, "\n".join(lines))
