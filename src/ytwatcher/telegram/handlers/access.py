"""Who is served: the gate in front of all handlers, where the bot is let in and thrown out, and invitations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from telegram import Chat, ChatMember, ChatMemberRestricted, ChatMemberUpdated, Message, Update, User
from telegram.ext import ApplicationHandlerStop, ChatMemberHandler, MessageHandler, TypeHandler, filters

from ytwatcher.core.changes import DISMISSED, INVITED, change
from ytwatcher.core.cleaning import clean
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.reasons import BLOCKED, THROWN_OUT
from ytwatcher.errors import InputError
from ytwatcher.people import Entry, Newcomer, code_for
from ytwatcher.setting_types import check_language
from ytwatcher.store.access import Limits, Role, Served
from ytwatcher.telegram import menu
from ytwatcher.telegram.desk import Desk, Handler, address_of, button, command, keyboard, local, message_of, named, reply, send
from ytwatcher.telegram.texts import Say
from ytwatcher.telegram.visit import Context, Visit

_START = re.compile(r"/start(?:@(\w+))?\s+([A-Za-z0-9_-]{1,64})")
_NUMBER = re.compile(r"-?\d{1,15}")
SHOWN = 30
_THERE = frozenset({ChatMember.MEMBER, ChatMember.ADMINISTRATOR, ChatMember.OWNER})


def handlers(desk: Desk) -> Sequence[Handler]:
    return [
        command(desk, "invite", _invite, role=Role.MANAGER, private=True),
        command(desk, "people", _people, role=Role.MANAGER, private=True),
        command(desk, "limits", _limits, role=Role.OWNER, private=True),
        command(desk, "dismiss", _dismiss, role=Role.OWNER, private=True),
        command(desk, "log", _log, role=Role.OWNER, private=True),
        command(desk, "for", _for, private=True),
        button(desk, "dismiss", _dismiss_pressed, r"-?\d{1,16}|no", role=Role.OWNER),
        button(desk, "for", _for_pressed, r"-?\d{1,16}|me"),
    ]


def gate(desk: Desk) -> Sequence[Handler]:
    """What every update meets first; what is not served ends here."""
    return [
        MessageHandler(filters.StatusUpdate.MIGRATE, partial(_moved, desk)),
        ChatMemberHandler(partial(_let_in_or_out, desk), ChatMemberHandler.MY_CHAT_MEMBER),
        TypeHandler(Update, partial(_gate, desk)),
    ]


async def _gate(desk: Desk, update: Update, context: Context) -> None:
    """Look the chat up once. A channel's posts are not for the bot: a channel is driven from a private chat."""
    place = _place(update)
    if place is None:
        raise ApplicationHandlerStop
    chat, here = place
    standing = await desk.people.look_up(here, chat.type == Chat.PRIVATE)
    if standing is None:
        await _stranger(desk, update, context, chat)
        raise ApplicationHandlerStop
    user = update.effective_user
    spoken = (_language(user) if standing.is_new else None) or standing.speaks.language
    kind = "private" if chat.type == Chat.PRIVATE else "group"
    context.visit = Visit(standing, user.id if user else None, user.full_name if user else chat.title or "", kind, spoken)


def _place(update: Update) -> tuple[Chat, str] | None:
    """The chat and the address that a message or a pressed button is at; None: neither, or a channel's post."""
    query, message = update.callback_query, update.message
    if query is not None:
        if query.message is None or query.message.chat.type == Chat.CHANNEL:
            return None
        found = query.message
        return found.chat, address_of(found) if isinstance(found, Message) else f"telegram:{found.chat.id}"
    return None if message is None else (message.chat, address_of(message))


async def _stranger(desk: Desk, update: Update, context: Context, chat: Chat) -> None:
    """One polite line a day, unless an invitation comes; then silence."""
    message = update.message
    if message is None:
        if update.callback_query is not None:
            await update.callback_query.answer()
        return
    say = desk.texts.of(_language(update.effective_user) or "en")
    code = invitation_in(message.text or "", context.bot.username)
    if code is not None:
        await enter(desk, update, context, code, say)
    elif _is_meant(message) and await desk.people.greets(f"telegram:{chat.id}"):
        await send(message, say("I only answer people who were invited. Ask the person who runs me for an invitation link."))


def _is_meant(message: Message) -> bool:
    """Whether somebody speaks to the bot: in a group only by a command; that somebody joined is not for it."""
    return message.chat.type == Chat.PRIVATE or (message.text or "").startswith("/")


async def enter(desk: Desk, update: Update, context: Context, code: str, say: Say) -> None:
    """Somebody comes with an invitation; who may do more than others gets a menu of his own."""
    message = message_of(update)
    newcomer = newcomer_of(message.chat, update.effective_user)
    entry = await desk.people.accept(code, newcomer)
    text = entry_text(entry, say, newcomer)
    if text is not None:
        await send(message, text)
    if entry in (Entry.LET_IN, Entry.RAISED):
        there, chats = context.bot_data["commands"], await desk.people.more_than_users()
        await menu.publish(context.bot, desk.db, desk.texts, there, chats)


def invitation_in(text: str, username: str) -> str | None:
    """The code of a deep link, as it arrives: `/start CODE`, in a group `/start@bot CODE`."""
    match = _START.fullmatch(text.strip())
    return None if match is None or match[1] not in (None, username) else match[2]


def entry_text(entry: Entry, say: Say, newcomer: Newcomer) -> str | None:
    """What to say of an invitation; None: nothing."""
    if entry is Entry.IGNORED:
        return None
    if entry is Entry.WRONG:
        return say("This invitation is not valid: it was used, or it has expired. Ask for a new one.")
    if entry is Entry.RAISED:
        return say("You may do more now. See /help.")
    if entry is Entry.INSIDE:
        return say("You have access already. Send me a link, or see /help.")
    if newcomer.kind != "private":
        return say("Hello! From now on I work here: /add with a link begins a watch. Admins change things, everybody may look. See /help.")
    return say("Welcome! Send me the link of a YouTube video, playlist or channel, and I tell you what changes. /help shows all I can do.")


def newcomer_of(chat: Chat, user: User | None) -> Newcomer:
    kind = "private" if chat.type == Chat.PRIVATE else "channel" if chat.type == Chat.CHANNEL else "group"
    name = user.full_name if user else ""
    title = f"{name or chat.full_name or ''}" if kind == "private" else chat.title or ""
    return Newcomer(f"telegram:{chat.id}", kind, clean(title), user.id if user else None, name, _language(user))


def _language(user: User | None) -> str | None:
    """The Babel locale of what Telegram calls the user's language; None where there is none."""
    try:
        return check_language(user.language_code) if user and user.language_code else None
    except ValueError:
        return None


# --- where the bot is let in and thrown out -----------------------------------------------------------------------------


async def _moved(desk: Desk, update: Update, _: Context) -> None:
    """A group became a supergroup: both sides say so, and once is enough."""
    message = update.effective_message
    if isinstance(message, Message):
        if message.migrate_to_chat_id is not None:
            await desk.people.moved(f"telegram:{message.chat_id}", f"telegram:{message.migrate_to_chat_id}")
        elif message.migrate_from_chat_id is not None:
            await desk.people.moved(f"telegram:{message.migrate_from_chat_id}", f"telegram:{message.chat_id}")
    raise ApplicationHandlerStop


async def _let_in_or_out(desk: Desk, update: Update, context: Context) -> None:
    change = update.my_chat_member
    if change is not None:
        await _membership(desk, change, context)
    raise ApplicationHandlerStop


async def _membership(desk: Desk, change: ChatMemberUpdated, context: Context) -> None:
    chat, newcomer = change.chat, newcomer_of(change.chat, change.from_user)
    address, member = newcomer.chat, change.new_chat_member
    if not _is_there(member):
        await desk.people.thrown_out(address, BLOCKED if newcomer.kind == "private" else THROWN_OUT)
        return
    back = await desk.people.back_in(address)
    say = desk.texts.of(await desk.people.language(address) or newcomer.language or "en")
    if back is not None:
        if back and _may_write(member):
            await context.bot.send_message(chat.id, say("I am back: {n} watches go on.", n=back))
        return
    if newcomer.kind == "private":
        return
    try:
        if not await desk.people.bring_in(newcomer):
            return
    except InputError as error:
        await context.bot.send_message(change.from_user.id, say("That did not work: {error}.", error=error))
        return
    await _greet_group(change, context, say, newcomer)


async def _greet_group(change: ChatMemberUpdated, context: Context, say: Say, newcomer: Newcomer) -> None:
    if newcomer.kind == "channel":
        text = say("I may post in {title} now. With /for you choose which chat your commands here are about.", title=newcomer.title)
        await context.bot.send_message(change.from_user.id, text)
    elif _may_write(change.new_chat_member):
        await context.bot.send_message(change.chat.id, entry_text(Entry.LET_IN, say, newcomer) or "")


def _is_there(member: ChatMember) -> bool:
    return member.status in _THERE or (isinstance(member, ChatMemberRestricted) and member.is_member)


def _may_write(member: ChatMember) -> bool:
    return not isinstance(member, ChatMemberRestricted) or member.can_send_messages


# --- inviting, and who is served ----------------------------------------------------------------------------------------


async def _invite(desk: Desk, update: Update, context: Context) -> None:
    visit = context.visit
    say, said = desk.texts.of(visit.language), " ".join(context.args or ()).lower() or Role.USER
    if said not in (Role.USER, Role.MANAGER, Role.OWNER):
        await reply(update, say("Write /invite, /invite manager or /invite owner."))
        return
    token = desk.settings.telegram.bot_token
    assert token is not None  # the bot runs
    once = code_for(token.reveal(), f"{update.update_id} {message_of(update).date.timestamp():.0f}")  # asked for again after a crash
    code = await desk.people.invite(Role(said), visit.standing, once)
    await desk.people.record(visit.here, visit.user, visit.name, Phrase(INVITED, role=said))
    base = f"https://t.me/{context.bot.username}"
    text = say(
        "This link lets one person or group in as {role}, once, within 7 days:\n{link}\nInto a group: {group}",
        role=said,
        link=f"{base}?start={code}",
        group=f"{base}?startgroup={code}",
    )
    await reply(update, text)


async def _people(desk: Desk, update: Update, context: Context) -> None:
    say, found = desk.texts.of(context.visit.language), await desk.people.everyone()
    if not found:
        await reply(update, say("Nobody was let in yet. /invite makes a link."))
        return
    lines = [await _person(desk, one, say) for one in found[-SHOWN:]]
    if len(found) > SHOWN:
        lines.insert(0, say("The newest {n} of {all}:", n=SHOWN, all=len(found)))
    await reply(update, "\n".join(lines))


async def _person(desk: Desk, one: Served, say: Say) -> str:
    used, _ = await desk.people.standing_of(one.chat)
    return say(
        "{chat} {title}: {role}; targets {targets}/{most_targets}, rules {rules}/{most_rules}, messages {messages}/{most_messages}",
        chat=one.chat.removeprefix("telegram:"),
        title=one.title,
        role=one.role,
        targets=used.targets,
        rules=used.rules,
        messages=used.messages,
        **{f"most_{name}": value for name, value in one.limits._asdict().items()},
    )


async def _limits(desk: Desk, update: Update, context: Context) -> None:
    """`/limits CHAT TARGETS RULES MESSAGES`."""
    visit, words = context.visit, context.args or []
    say = desk.texts.of(visit.language)
    if len(words) != 4 or not all(_NUMBER.fullmatch(word) for word in words):
        await reply(
            update, say("Write /limits CHAT TARGETS RULES MESSAGES, all as numbers: /limits 123456 50 250 200. /people shows the chats.")
        )
        return
    chat, limits = f"telegram:{words[0]}", Limits(*(int(word) for word in words[1:]))
    served = await desk.people.limit(chat, limits)
    await desk.people.record(chat, visit.user, visit.name, f"limits {' '.join(words[1:])}")
    await reply(update, await _person(desk, served, say))


async def _dismiss(desk: Desk, update: Update, context: Context) -> None:
    """`/dismiss CHAT`; asks first."""
    visit, words = context.visit, context.args or []
    say = desk.texts.of(visit.language)
    served = next((one for one in await desk.people.everyone() if [one.chat.removeprefix("telegram:")] == words), None)
    if served is None:
        await reply(update, say("Write /dismiss and a chat's number; /people shows them."))
        return
    choice = [(say("Yes"), "dismiss", words[0]), (say("No"), "dismiss", "no")]
    text = say("Serve {title} no more, and end its watches?", title=served.title)
    await reply(update, text, keyboard([choice], visit.here))


async def _dismiss_pressed(desk: Desk, update: Update, context: Context) -> None:
    visit, value = context.visit, await named(desk, update, context, about_here=True)
    say = desk.texts.of(visit.language)
    if value is None:
        return
    if value == "no":
        await reply(update, say("All stays as it is."))
        return
    served = await desk.people.shut_out(f"telegram:{value}")
    ended = await desk.watches.stop(served.chat, topics=True)
    await desk.people.record(served.chat, visit.user, visit.name, Phrase(DISMISSED, n=ended))
    await reply(update, say("{title} is served no more; {n} watches ended.", title=served.title, n=ended))


async def _log(desk: Desk, update: Update, context: Context) -> None:
    visit = context.visit
    say, found = desk.texts.of(visit.language), await desk.people.changes(SHOWN)
    lines = [
        say(
            "{at} {who} ({chat}): {what}",
            at=local(one.at, visit),
            who=one.user_name,
            chat=one.address.removeprefix("telegram:"),
            what=clean(say.plain(change(one.what)), 60),
        )
        for one in found
    ]
    await reply(update, "\n".join(lines) or say("Nothing was changed yet."))


# --- for whom commands are ----------------------------------------------------------------------------------------------


async def _for(desk: Desk, update: Update, context: Context) -> None:
    visit = context.visit
    say, found = desk.texts.of(visit.language), await desk.people.choices(visit.here)
    if not found:
        await reply(
            update,
            say(
                "Your commands are about this chat. Make me an admin of a channel, or add me to a group, and I can speak for it from here."
            ),
        )
        return
    rows = [[(say("This chat"), "for", "me")], *([(one.title, "for", one.chat.removeprefix("telegram:"))] for one in found)]
    text = say("Which chat are your commands here about? Now: {chat}.", chat=visit.standing.title or say("this chat"))
    await reply(update, text, keyboard(rows, visit.here))


async def _for_pressed(desk: Desk, update: Update, context: Context) -> None:
    visit, value = context.visit, await named(desk, update, context, about_here=True)
    say = desk.texts.of(visit.language)
    if value is None or update.callback_query is None:
        return
    if value == "me":
        await desk.people.choose(visit.here, None)
        await reply(update, say("Your commands are about this chat again."))
        return
    chosen = next((one for one in await desk.people.choices(visit.here) if one.chat == f"telegram:{value}"), None)
    if chosen is None or visit.user is None or not await desk.admins.is_admin(context, int(value), visit.user):
        await update.callback_query.answer(say("Only admins of that chat may speak for it."), show_alert=True)
        return
    until_at = await desk.people.choose(visit.here, chosen.chat)
    text = say("Until {at} what you write here is about {title}. /for takes it back.", at=local(until_at, visit), title=chosen.title)
    await reply(update, text)
