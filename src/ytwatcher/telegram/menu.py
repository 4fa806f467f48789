"""The commands: what each is for and who may use it, as /help says it and as Telegram's menu shows it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import structlog
from telegram import (
    Bot,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    BotCommandScopeDefault,
)
from telegram.error import TelegramError

from ytwatcher.store import conversation
from ytwatcher.store.access import Role
from ytwatcher.store.db import Database
from ytwatcher.telegram.texts import Texts

log = structlog.get_logger(__name__)


class Command(NamedTuple):
    """A command. `purpose` is its text in the menu; `private`: it is only for private chats."""

    name: str
    arguments: str
    purpose: str
    role: Role = Role.USER
    private: bool = False


def say(text: str) -> str:
    """Marks a text that is said elsewhere, in the language of who reads it."""
    return text


COMMANDS = (
    Command("add", "LINK", say("watch a video, playlist or channel")),
    Command("list", "", say("what is watched, with today's numbers")),
    Command("remove", "", say("stop watching something")),
    Command("now", "", say("the numbers as they are now")),
    Command("top", "", say("the videos of a channel or playlist by views or growth")),
    Command("rules", "", say("what you are told of, and how to change it")),
    Command("chart", "", say("how the numbers went, as a picture")),
    Command("charts", "on", say("alerts with a chart, or without")),
    Command("card", "", say("one pinned message with the numbers as they are")),
    Command("mute", "8h", say("no alerts for a while")),
    Command("quiet", "23:00-07:30", say("hours in which alerts are held")),
    Command("digest", "daily 09:00", say("alerts together, once a day or week")),
    Command("timezone", "CITY", say("the clock of your messages")),
    Command("language", "", say("the language of your messages")),
    Command("quota", "", say("how often numbers are read, and how much you may have")),
    Command("export", "", say("your watches and rules as a file")),
    Command("for", "", say("which of your chats commands are about"), private=True),
    Command("stop", "", say("end all watches of this chat")),
    Command("invite", "", say("a link that lets somebody in"), Role.MANAGER, private=True),
    Command("people", "", say("who is served"), Role.MANAGER, private=True),
    Command("status", "", say("whether all is well"), Role.MANAGER, private=True),
    Command("limits", "CHAT TARGETS RULES MESSAGES", say("how much a chat may have"), Role.OWNER, private=True),
    Command("dismiss", "CHAT", say("serve a chat no more"), Role.OWNER, private=True),
    Command("log", "", say("who changed what"), Role.OWNER, private=True),
    Command("help", "", say("what I can do")),
)
"""`start` is not among them: Telegram itself offers it."""


def commands_for(role: Role, *, private: bool, there: Collection[str]) -> list[Command]:
    """What a chat may use, of those that are `there`."""
    return [one for one in COMMANDS if one.name in there and role.covers(one.role) and (private or not one.private)]


class Page(NamedTuple):
    """The menu of one scope in one language (empty: every other one)."""

    scope: BotCommandScope
    language: str
    commands: Sequence[tuple[str, str]]


def pages(texts: Texts, there: Collection[str], chats: Collection[tuple[int, Role]]) -> Iterator[Page]:
    """Every menu that there is; `chats` are the private chats that may do more than others."""
    scopes: list[tuple[BotCommandScope, Role, bool]] = [
        (BotCommandScopeDefault(), Role.USER, False),
        (BotCommandScopeAllPrivateChats(), Role.USER, True),
        (BotCommandScopeAllGroupChats(), Role.USER, False),
        *((BotCommandScopeChat(chat), role, True) for chat, role in chats),
    ]
    for scope, role, private in scopes:
        for language in ("", *sorted(texts.catalogs)):
            spoken = texts.of(language or "en")
            yield Page(scope, language, [(one.name, spoken(one.purpose)) for one in commands_for(role, private=private, there=there)])


async def publish(bot: Bot, db: Database, texts: Texts, there: Collection[str], chats: Collection[tuple[int, Role]]) -> None:
    """Have Telegram show the menus, as far as they are not what it shows already. A failure stops nothing: the next start tries again."""
    for page in pages(texts, there, chats):
        key = f"menu:{page.scope.to_json()}:{page.language}"
        wanted = sha256(json.dumps(page.commands).encode()).hexdigest()
        if await db.read(conversation.note_of, key) == wanted:
            continue
        try:
            await bot.set_my_commands(page.commands, scope=page.scope, language_code=page.language or None)
        except TelegramError as error:
            log.warning("menu_not_set", error=str(error))
            return
        await db.write(conversation.keep_note, key, wanted)
