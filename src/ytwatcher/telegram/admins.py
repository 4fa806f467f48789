"""In groups and channels only admins change things; everybody may look."""

from __future__ import annotations

from datetime import datetime, timedelta

from telegram import ChatMember, Update
from telegram.error import TelegramError

from ytwatcher.clock import Clock
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context

KNOWN_FOR = timedelta(minutes=3)
MOST = 1000
_ADMINS = frozenset({ChatMember.ADMINISTRATOR, ChatMember.OWNER})


class Admins:
    """Who is an admin where, asked of Telegram and known for some minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[int, int], tuple[datetime, bool]] = {}

    async def may_change(self, update: Update, context: Context, say: Say) -> bool:
        """Whether who writes may change what the visit is about; who may not is told so."""
        if await self._may(update, context):
            return True
        text = say("Only admins can change that here; everybody may look.")
        if update.callback_query is not None:
            await update.callback_query.answer(text, show_alert=True)
        elif update.effective_message is not None:
            await update.effective_message.reply_text(text)
        return False

    async def _may(self, update: Update, context: Context) -> bool:
        visit, message = context.visit, update.message
        chat = int(visit.address.split(":")[1])
        if chat > 0:
            return True  # a private chat, and nobody else's: a choice is always a group or channel
        if update.callback_query is None and message is not None and message.sender_chat is not None:
            return message.sender_chat.id == chat  # an anonymous admin writes as the group itself
        return visit.user is not None and await self.is_admin(context, chat, visit.user)

    async def is_admin(self, context: Context, chat: int, user: int) -> bool:
        """Asked of Telegram; where it does not answer, nobody is."""
        now = self._clock.now()
        until, found = self._known.get((chat, user), (now, False))
        if now < until:
            return found
        try:
            found = (await context.bot.get_chat_member(chat, user)).status in _ADMINS
        except TelegramError:
            return False
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[chat, user] = (now + KNOWN_FOR, found)
        return found
