"""/card: one pinned message with the numbers of a video as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, ReplyParameters, Update
from telegram.error import TelegramError
from telegram.ext import CallbackQueryHandler

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import TargetKind
from ytwatcher.errors import InputError
from ytwatcher.store import cards as stored
from ytwatcher.store.cards import Card
from ytwatcher.telegram.cards import MOST_PER_CHAT, buttons, name
from ytwatcher.telegram.desk import Desk, Handler, command, message_of, send, topic_of
from ytwatcher.telegram.handlers.charts import CHOICES, nothing
from ytwatcher.telegram.sender import destination
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context

DATA = re.compile(r"card:(new|end):([\w-]{1,40})")


def handlers(desk: Desk) -> Sequence[Handler]:
    return [command(desk, "card", _card), CallbackQueryHandler(partial(_pressed, desk), pattern=f"^{DATA.pattern}$")]


async def _card(desk: Desk, update: Update, context: Context) -> None:
    """`/card [video]`."""
    message, visit, text = message_of(update), context.visit, " ".join(context.args or ())
    say = desk.texts.of(visit.language)
    found = [one for one in await desk.charts.find(text, visit.address) if one.kind is not TargetKind.PLAYLIST]
    if not found:
        await send(message, say("No video or channel of that name is watched here. /list shows what is.") if text else nothing(say))
    elif len(found) > 1:
        rows = [[InlineKeyboardButton(clean(one.title or one.id, 40), callback_data=f"card:new:{one.id}")] for one in found[:CHOICES]]
        await send(message, say("Which one?"), InlineKeyboardMarkup(rows))
    elif await desk.admins.may_change(update, context, say):
        await _make(desk, message, visit.address, found[0].id, say)


async def _pressed(desk: Desk, update: Update, context: Context) -> None:
    query = update.callback_query
    match = DATA.fullmatch((query.data if query else None) or "")
    assert query is not None and match is not None  # the handler's pattern
    say, message = desk.texts.of(context.visit.language), message_of(update)
    if not await desk.admins.may_change(update, context, say):
        return
    await query.answer()
    if match[1] == "new":
        await _make(desk, message, context.visit.address, match[2], say)
        return
    card = await desk.db.read(stored.find, context.visit.here, match[2])
    if card is not None and card.message_id == message.message_id:
        await _end(desk, message, card)
    await message.edit_reply_markup(None)


async def _make(desk: Desk, message: Message, address: str, subject_id: str, say: Say) -> None:
    """The card stands where its recipient is: in the chat that commands are about."""
    card = await desk.db.read(stored.blank, address, subject_id)
    if card is None:
        raise InputError("this is not watched here")
    chat, topic = destination(card.address)
    there = await desk.db.read(stored.find, address, subject_id)
    if there is not None:
        old = ReplyParameters(there.message_id, chat, allow_sending_without_reply=True)
        text = say("There is a card of {title} already.", title=name(card))
        await message.get_bot().send_message(message.chat_id, text, message_thread_id=topic_of(message), reply_parameters=old)
        return
    if await desk.db.read(stored.count, address) >= MOST_PER_CHAT:
        raise InputError("a chat has at most {n} cards; end one of them first", n=MOST_PER_CHAT)
    face = await desk.cards.face(card, say)
    sent = await message.get_bot().send_message(chat, face.text, message_thread_id=topic, reply_markup=buttons(subject_id, say))
    await desk.cards.keep(address, subject_id, sent.message_id, face)
    try:
        await sent.pin(disable_notification=True)
    except TelegramError:
        await send(message, say("I may not pin messages there; the card is kept up to date all the same."))


async def _end(desk: Desk, message: Message, card: Card) -> None:
    await desk.db.write(stored.end, card)
    try:
        await message.unpin()
    except TelegramError:
        return  # somebody did already
