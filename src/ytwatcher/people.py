"""What people do about access: being let in, inviting, and choosing which chat they speak for. Nothing here knows of Telegram's types."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from ytwatcher.clock import Clock
from ytwatcher.core.changes import LET_IN
from ytwatcher.core.cleaning import clean
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.policy import Recipient
from ytwatcher.errors import InputError
from ytwatcher.store import access, questions, recipients
from ytwatcher.store.access import Change, Limits, Role, Served, Use
from ytwatcher.store.db import Database
from ytwatcher.store.questions import Question
from ytwatcher.store.recipients import chat_of

INVITATION_FOR = timedelta(days=7)
CODE_BYTES = 24
CHATS_PER_PERSON = 20
"""How many groups and channels one person may let in: each has limits of its own."""
CHOICE_FOR = timedelta(hours=1)
ANSWERED_IN = timedelta(minutes=30)
NOBODY = 0
"""An anonymous admin: Telegram names the group instead."""
TITLE = 60
_KINDS = MappingProxyType({"private": Phrase("private chat"), "group": Phrase("group"), "channel": Phrase("channel")})


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who asks to be let in, from where; `language` is a Babel locale or what Telegram calls one."""

    chat: str
    kind: str
    title: str
    user_id: int | None
    user_name: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A chat that is served. Commands are about `address`: the place `here` where they are written, or what was chosen for them.

    `speaks` is the recipient whose language is spoken; `is_new`: it has none yet.
    """

    role: Role
    here: str
    address: str
    speaks: Recipient
    is_new: bool
    title: str | None = None
    """Of what was chosen; None: commands are about the chat itself."""


class Entry(Enum):
    """What became of somebody with an invitation."""

    LET_IN = auto()
    RAISED = auto()
    INSIDE = auto()
    """There was access already; the invitation is left for somebody else."""
    WRONG = auto()
    IGNORED = auto()
    """Too many wrong ones: nothing was looked at, and nothing shall be said."""


class People:
    """The use cases over one journal.

    Args:
        limits: what somebody who is let in may have.
    """

    def __init__(self, db: Database, clock: Clock, operator: str, limits: Limits, language: str = "en", timezone: str = "UTC") -> None:
        self._db, self._clock, self._operator, self._limits = db, clock, operator, limits
        self._language, self._timezone = language, timezone

    async def look_up(self, here: str, private: bool) -> Standing | None:
        """Whether a chat is served, and how; None: it is a stranger's."""
        standing = await self._db.read(self._standing, here, private, self._clock.now())
        if standing is not None and standing.speaks.lost:
            await self._db.write(_revive, standing.here)  # whoever writes is there
        return standing

    def _standing(self, con: sqlite3.Connection, here: str, private: bool, now: datetime) -> Standing | None:
        here = recipients.current(con, here)
        role = access.role_of(con, here, self._operator)
        if role is Role.NONE:
            return None
        found = recipients.find(con, here)
        speaks = found.recipient if found else Recipient(here, language=self._language, timezone=self._timezone)
        address = access.chosen(con, here, now) if private else None
        chosen = access.find(con, address) if address is not None else None
        if address is None or chosen is None or chosen.role is Role.NONE:
            return Standing(role, here, here, speaks, found is None)
        return Standing(role, here, address, speaks, found is None, chosen.title)

    # Being let in

    async def accept(self, code: str, newcomer: Newcomer) -> Entry:
        """Let somebody in who has an invitation, once; what is asked twice after a crash is answered alike."""
        return await self._db.write(self._accept, code, newcomer, self._clock.now())

    def _accept(self, con: sqlite3.Connection, code: str, newcomer: Newcomer, now: datetime) -> Entry:
        asker = f"telegram:{newcomer.user_id}" if newcomer.user_id else newcomer.chat
        if access.guesses(con, asker, now) >= access.GUESSES:
            return Entry.IGNORED
        has = access.role_of(con, newcomer.chat, self._operator)
        found = access.invitation(con, hashed(code), now)
        if found is not None and found.used_by == newcomer.chat:
            return Entry.INSIDE
        if found is None or found.used_by is not None:
            if has is not Role.NONE:
                return Entry.WRONG
            return Entry.WRONG if access.guess(con, asker, now) is not None else Entry.IGNORED
        role = found.role if newcomer.kind == "private" else Role.USER
        if has.covers(role):
            return Entry.INSIDE
        access.use(con, hashed(code), newcomer.chat)
        self._let_in(con, newcomer, role, found.by, now)
        return Entry.LET_IN if has is Role.NONE else Entry.RAISED

    async def bring_in(self, newcomer: Newcomer) -> bool:
        """Let a group or channel in that somebody with access added the bot to; whether it was let in now.

        Raises:
            InputError: that person let in too many already.
        """
        return await self._db.write(self._bring_in, newcomer, self._clock.now())

    def _bring_in(self, con: sqlite3.Connection, newcomer: Newcomer, now: datetime) -> bool:
        if access.find(con, newcomer.chat) is not None or access.role_of(con, newcomer.chat, self._operator) is not Role.NONE:
            return False
        by = f"telegram:{newcomer.user_id}"
        if newcomer.user_id is None or access.role_of(con, by, self._operator) is Role.NONE:
            return False
        if len(access.let_in_by(con, by)) >= CHATS_PER_PERSON:
            raise InputError("one person may bring me into {n} groups and channels; this one is not served", n=CHATS_PER_PERSON)
        self._let_in(con, newcomer, Role.USER, by, now)
        return True

    def _let_in(self, con: sqlite3.Connection, newcomer: Newcomer, role: Role, by: str | None, now: datetime) -> None:
        title = clean(newcomer.title, TITLE)
        access.put(con, Served(newcomer.chat, role, newcomer.kind, title, by, now, self._limits))
        access.known(con, newcomer.chat)
        recipients.revive(con, recipients.ensure(con, newcomer.chat, language=newcomer.language or self._language, timezone=self._timezone))
        kind = _KINDS[newcomer.kind]
        text = Phrase("{title} ({chat}, {kind}) was let in as {role}.", title=title, chat=newcomer.chat, kind=kind, role=role)
        recipients.add_notice(con, f"let-in:{newcomer.chat}:{now:%Y-%m-%dT%H:%M}", text, self._operator, now)
        access.record(con, Change(now, newcomer.chat, newcomer.user_id, clean(newcomer.user_name, TITLE), Phrase(LET_IN, role=role)))

    async def greets(self, chat: str) -> bool:
        """Whether a stranger gets a line: once a day. After that nothing is written for him."""
        if await self._db.read(access.was_greeted, chat, self._clock.now()):
            return False
        return await self._db.write(access.greet, chat, self._clock.now())

    # Where the bot is let in and thrown out

    async def moved(self, old: str, new: str) -> None:
        """A group became a supergroup."""
        await self._db.write(_moved, old, new)

    async def thrown_out(self, chat: str, reason: str) -> None:
        """Nothing can be sent there any more; its watches are kept, and the operator is told."""
        await self._db.write(_lose, chat, reason, self._operator, self._clock.now())

    async def back_in(self, chat: str) -> int | None:
        """The bot may write there again: how many watches go on. None: it was not away."""
        return await self._db.write(_back_in, chat)

    async def language(self, chat: str) -> str | None:
        """The Babel locale that is spoken in a chat; None: nothing is known of it."""
        found = await self._db.read(recipients.find, chat)
        return found.recipient.language if found else None

    # Inviting

    async def invite(self, role: Role, by: Standing, code: str | None = None) -> str:
        """The code of a new invitation, or the given one where it is invited with; only its hash is stored.

        Raises:
            InputError: the role may not invite, or not this one.
        """
        if not by.role.covers(Role.MANAGER) or (role is not Role.USER and by.role is not Role.OWNER):
            if by.role is Role.MANAGER:
                raise InputError("only owners invite {role}s", role=role)
            raise InputError("only owners and managers invite")
        return await self._db.write(new_invitation, role, chat_of(by.here), self._clock.now(), code)

    # Speaking for another chat

    async def choices(self, here: str) -> list[Served]:
        """The groups and channels that somebody may speak for: those that he brought the bot into."""
        found = await self._db.read(access.let_in_by, chat_of(here))
        return [one for one in found if one.kind != "private"]

    async def choose(self, here: str, address: str | None) -> datetime:
        """What is written in the private chat is about the address from now on (None: about itself); until when."""
        until_at = self._clock.now() + CHOICE_FOR
        await self._db.write(access.choose, chat_of(here), address, until_at)
        return until_at

    # What the bot asked

    async def ask(self, here: str, user_id: int | None, topic: str, **facts: Any) -> None:
        """The next message of that person there is taken for an answer (telegram/handlers/answers.py), for half an hour."""
        now = self._clock.now()
        await self._db.write(questions.ask, here, user_id or NOBODY, Question(topic, facts), now + ANSWERED_IN, now)

    async def asked(self, here: str, user_id: int | None) -> Question | None:
        return await self._db.read(questions.asked, here, user_id or NOBODY, self._clock.now())

    async def answered(self, here: str, user_id: int | None) -> None:
        await self._db.write(questions.forget, here, user_id or NOBODY)

    # How they are told

    async def recipient(self, address: str) -> Recipient:
        """How somebody is told; as the settings have it where nothing was said."""
        found = await self._db.read(recipients.find, address)
        return found.recipient if found else Recipient(address, language=self._language, timezone=self._timezone)

    async def prefer(self, address: str, **changes: Any) -> Recipient:
        """Change how somebody is told; `changes` are fields of `Recipient`."""
        return await self._db.write(self._prefer, address, changes)

    def _prefer(self, con: sqlite3.Connection, address: str, changes: Mapping[str, Any]) -> Recipient:
        pk = recipients.ensure(con, address, language=self._language, timezone=self._timezone)
        wanted = replace(recipients.load(con, pk).recipient, **changes)
        recipients.save_preferences(con, pk, wanted)
        return wanted

    async def current(self, address: str) -> str:
        """The address under which a chat is reached now: a group may have become a supergroup."""
        return await self._db.read(recipients.current, address)

    async def standing_of(self, address: str) -> tuple[Use, Limits | None]:
        """How much a chat has, and may have (None: as much as it likes)."""
        return await self._db.read(_use_and_limits, address, self._clock.now())

    # Who changed what

    async def record(self, address: str, user_id: int | None, user_name: str, what: str) -> None:
        """Note what somebody changed."""
        await self._db.write(access.record, Change(self._clock.now(), address, user_id, clean(user_name, TITLE), clean(what, 300)))

    async def changes(self, most: int) -> list[Change]:
        return await self._db.read(access.changes, most)

    # Who is served

    async def more_than_users(self) -> list[tuple[int, Role]]:
        """The Telegram chats with a role above a user's, the operator's among them."""
        return await self._db.read(_more_than_users, self._operator)

    async def everyone(self) -> list[Served]:
        return await self._db.read(access.everyone)

    async def limit(self, chat: str, limits: Limits) -> Served:
        """Change how much a chat may have.

        Raises:
            InputError: it was never let in, or a limit is not above 0.
        """
        if min(limits) < 1:
            raise InputError("a limit is a number above 0")
        return await self._db.write(_change, chat, None, limits)

    async def shut_out(self, chat: str) -> Served:
        """Serve a chat no more; its watches are for `Watches.stop`.

        Raises:
            InputError: it was never let in.
        """
        return await self._db.write(_change, chat, Role.NONE, None)


def _use_and_limits(con: sqlite3.Connection, address: str, now: datetime) -> tuple[Use, Limits | None]:
    return access.use_of(con, address, now), access.limits_of(con, address)


def _more_than_users(con: sqlite3.Connection, operator: str) -> list[tuple[int, Role]]:
    chats = {one.chat: one.role for one in access.everyone(con) if one.role in (Role.MANAGER, Role.OWNER)}
    chats[chat_of(recipients.current(con, operator))] = Role.OWNER
    return [(int(chat.removeprefix("telegram:")), role) for chat, role in chats.items() if chat.startswith("telegram:")]


def hashed(code: str) -> str:
    """How a code is stored. It has 192 random bits: no salt and no slow hash is needed."""
    return sha256(code.encode()).hexdigest()


def code_for(secret: str, request: str) -> str:
    """The code of the invitation that a request asks for, the same each time; who does not have the secret cannot know it."""
    return urlsafe_b64encode(hmac.digest(secret.encode(), f"invitation {request}".encode(), "sha256")[:CODE_BYTES]).decode()


def new_invitation(con: sqlite3.Connection, role: Role, by: str | None, now: datetime, code: str | None = None) -> str:
    """The code of a new invitation, of letters, digits, “-” and “_” as a link to a bot may have; with a given one it is made once.

    Raises:
        InputError: too many are open.
    """
    code = code or secrets.token_urlsafe(CODE_BYTES)
    if access.invitation(con, hashed(code), now) is not None:
        return code
    if not access.invite(con, hashed(code), role, by, now + INVITATION_FOR, now):
        raise InputError("{n} invitations are open already; each ends when it is used, or after 7 days", n=access.OPEN_INVITATIONS)
    return code


def _change(con: sqlite3.Connection, chat: str, role: Role | None, limits: Limits | None) -> Served:
    served = access.find(con, chat)
    if served is None:
        raise InputError("{chat} was never let in; /people shows who was", chat=chat)
    changed = replace(served, role=role or served.role, limits=limits or served.limits)
    access.put(con, changed)
    return changed


def _revive(con: sqlite3.Connection, address: str) -> None:
    if (found := recipients.find(con, address)) is not None:
        recipients.revive(con, found.pk)


def _moved(con: sqlite3.Connection, old: str, new: str) -> None:
    """A stranger's group is nothing to remember."""
    known = recipients.of_chat(con, old) or access.find(con, old) is not None
    if known and recipients.current(con, old) != new:
        recipients.migrate(con, old, new)


def _lose(con: sqlite3.Connection, chat: str, reason: str, operator: str, now: datetime) -> None:
    for one in recipients.of_chat(con, chat):
        recipients.lose(con, one.pk, reason, operator, now)


def _back_in(con: sqlite3.Connection, chat: str) -> int | None:
    away = [one for one in recipients.of_chat(con, chat) if one.state != "active"]
    for one in away:
        recipients.revive(con, one.pk)
    return sum(recipients.watches_of(con, one.pk) for one in away) if away else None
