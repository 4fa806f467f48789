"""What the bot's handlers work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.error import BadRequest
from telegram.ext import BaseHandler, CallbackQueryHandler, CommandHandler

from ytwatcher.clock import Clock
from ytwatcher.core.addresses import check_address
from ytwatcher.errors import InputError
from ytwatcher.people import People
from ytwatcher.pictures import Charts
from ytwatcher.settings import Settings
from ytwatcher.store.access import Role
from ytwatcher.store.db import Database
from ytwatcher.telegram.admins import Admins
from ytwatcher.telegram.cards import Cards
from ytwatcher.telegram.errands import Errands
from ytwatcher.telegram.sender import GENERAL_TOPIC
from ytwatcher.telegram.texts import Texts
from ytwatcher.telegram.visit import Context, Visit
from ytwatcher.watches import Watches

Handler = BaseHandler[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """The use cases, the clock, and what the bot says. Who writes, and about whose watches, is `context.visit` (telegram/visit.py)."""

    db: Database
    clock: Clock
    watches: Watches
    texts: Texts
    operator: str
    people: People
    admins: Admins
    charts: Charts
    settings: Settings
    errands: Errands
    cards: Cards


Handle = Callable[[Desk, Update, Context], Awaitable[None]]


def command(desk: Desk, names: str | Sequence[str], handle: Handle, *, role: Role = Role.USER, private: bool = False) -> Handler:
    """A handler for a command of those who have the role; what is wrong with its arguments is answered in one sentence."""

    async def run(update: Update, context: Context) -> None:
        say = desk.texts.of(context.visit.language)
        if not context.visit.role.covers(role):
            await reply(update, say("That is for {role}s.", role=role))
        elif private and not context.visit.private:
            await reply(update, say("That is for our private chat."))
        else:
            await _answered(desk, update, context, handle)

    return CommandHandler(names, run)


def button(desk: Desk, kind: str, handle: Handle, values: str = ".*", *, role: Role = Role.USER) -> Handler:
    """A handler for the buttons whose data is `kind:CHAT/VALUE`, `values` being what VALUE may be. `handle` answers the press."""

    async def run(update: Update, context: Context) -> None:
        if context.visit.role.covers(role):
            await _answered(desk, update, context, handle)
        elif update.callback_query is not None:
            await update.callback_query.answer(desk.texts.of(context.visit.language)("That is for {role}s.", role=role))

    return CallbackQueryHandler(run, pattern=f"^{kind}:[^/]*/(?:{values})$")


async def _answered(desk: Desk, update: Update, context: Context, handle: Handle) -> None:
    try:
        await handle(desk, update, context)
    except InputError as error:
        await reply(update, desk.texts.of(context.visit.language).fault(error))


def keyboard(rows: Sequence[Sequence[tuple[str, str, str]]], address: str) -> InlineKeyboardMarkup:
    """Buttons of (text, kind, value). Their data names the chat that they are about, so that they stay true when another is chosen."""
    about = address.removeprefix("telegram:")
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(text, callback_data=f"{kind}:{about}/{value}") for text, kind, value in row] for row in rows]
    )


async def named(desk: Desk, update: Update, context: Context, about_here: bool = False) -> str | None:
    """The value of a pressed button of `keyboard`, whose chat is the visit's; None: it is about another chat, and that was said.

    Args:
        about_here: the button is about the chat that it is in, whatever was chosen for commands.
    """
    query = update.callback_query
    assert query is not None  # only buttons come here
    about, _, values = (query.data or "").partition(":")[2].partition("/")
    try:
        address = await desk.people.current(check_address(f"telegram:{about}"))
    except InputError:
        address = ""
    if address == (context.visit.here if about_here else context.visit.address):
        return values
    say = desk.texts.of(context.visit.language)
    await query.answer(say("This button is about another chat; /for chooses it."), show_alert=True)
    return None


async def dead(desk: Desk, update: Update, context: Context) -> None:
    """A button that nobody knows: of another version, or forged."""
    assert update.callback_query is not None  # only buttons come here
    await update.callback_query.answer(desk.texts.of(context.visit.language)("This button does nothing any more."))


async def reply(update: Update, text: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    """Answer a message where it was written, or a pressed button by what its message says from now on."""
    message = update.effective_message
    if not isinstance(message, Message):
        return
    if update.callback_query is None:
        await send(message, text, keyboard)
        return
    await update.callback_query.answer()
    change = message.edit_caption if message.photo else message.edit_text
    try:
        await change(text, reply_markup=keyboard)
    except BadRequest as error:
        if "not modified" not in str(error):
            raise


async def send(message: Message, text: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    """Write where the message is: in its topic, where it is in one. (`message.reply_text` names every thread, which General refuses.)"""
    await message.get_bot().send_message(message.chat_id, text, message_thread_id=topic_of(message), reply_markup=keyboard)


def topic_of(message: Message) -> int | None:
    """The topic of a forum that a message is in; General is none."""
    topic = message.message_thread_id if message.is_topic_message else None
    return None if topic == GENERAL_TOPIC else topic


def local(at: datetime, visit: Visit, timezone: str | None = None) -> str:
    """An instant on the clock of who reads it."""
    return format_datetime(at, "short", tzinfo=ZoneInfo(timezone or visit.timezone), locale=visit.language)


def message_of(update: Update) -> Message:
    """The message that an update is about; handlers are only given updates that have one."""
    message = update.effective_message
    assert isinstance(message, Message)
    return message


def address_of(message: Message) -> str:
    """The recipient that a message was written to: the chat, or the topic of a forum; General is the chat itself."""
    topic = topic_of(message)
    return f"telegram:{message.chat_id}" if topic is None else f"telegram:{message.chat_id}:{topic}"
