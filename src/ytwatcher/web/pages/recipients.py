"""Recipients: who is told and how, which chats the bot serves, and invitations."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ytwatcher.core.addresses import check_address
from ytwatcher.core.durations import parse_duration
from ytwatcher.core.policy import Recipient, digest_text, parse_digest, parse_quiet, quiet_text
from ytwatcher.errors import InputError
from ytwatcher.setting_types import check_language, check_timezone
from ytwatcher.store import access, recipients
from ytwatcher.store.access import Change, Limits, Role, Served, Use
from ytwatcher.store.recipients import Stored, chat_of
from ytwatcher.web.desk import AtDesk, Desk

CHANGES = 20
OFF = "off"
INVITED = (Role.USER, Role.MANAGER, Role.OWNER)
Text = Annotated[str, Form(max_length=300)]
Number = Annotated[int, Form(ge=1, le=1_000_000)]
router = APIRouter()


class Person(NamedTuple):
    """A recipient with its preferences in words. `served`: what the bot knows of its chat; `used` counts for all of that chat."""

    stored: Stored
    quiet: str
    digest: str
    muted_until: datetime | None
    watches: int
    role: Role
    served: Served | None
    used: Use


class Shelf(NamedTuple):
    """`waiting`: chats that were let in and are told nothing yet; `out`: those that are served no more."""

    people: Sequence[Person]
    waiting: Sequence[Served]
    out: Sequence[Served]
    changes: Sequence[Change]


@router.get("/recipients")
async def show(request: Request, desk: AtDesk) -> Response:
    return await _page(request, desk)


@router.post("/recipients/invite")
async def invite(request: Request, desk: AtDesk, role: Text = Role.USER) -> Response:
    """Make an invitation. Its link is in this answer only, so no other page leads here."""
    if role not in INVITED:
        raise InputError("an invitation is for a user, a manager or an owner")
    made = await desk.do("invite", role=role)
    return await _page(request, desk, invitation={**made, "expires_at": datetime.fromisoformat(made["expires_at"])})


@router.get("/recipients/edit")
async def ask(request: Request, desk: AtDesk, address: Annotated[str, Query(max_length=300)]) -> Response:
    person = await desk.db.read(_find, check_address(address), desk.settings.telegram.operator, desk.clock.now())
    return _form(request, desk, person, _typed(person))


@router.post("/recipients/edit")
async def answer(
    request: Request,
    desk: AtDesk,
    address: Text,
    language: Text = "",
    timezone: Text = "",
    quiet: Text = "",
    digest: Text = "",
    mute: Text = "",
) -> Response:
    """Say how somebody is told; an empty field ends what it is about. A mute that is left as it was goes on."""
    person = await desk.db.read(_find, check_address(address), desk.settings.telegram.operator, desk.clock.now())
    typed = {"language": language, "timezone": timezone, "quiet": quiet, "digest": digest, "mute": mute}
    try:
        changes = _changes(typed, desk.clock.now())
    except (InputError, ValueError) as error:
        return _form(request, desk, person, typed, fault=str(error))
    await desk.people.prefer(address, **changes)
    await desk.do("poke")  # what was held may leave now
    return RedirectResponse("/recipients", 303)


@router.post("/recipients/limits")
async def limit(desk: AtDesk, chat: Text, targets: Number, rules: Number, messages: Number) -> Response:
    """How much a chat may have."""
    await desk.people.limit(chat, Limits(targets, rules, messages))
    await desk.do("poke")
    return _back(chat)


@router.post("/recipients/shut-out")
async def shut_out(desk: AtDesk, chat: Text) -> Response:
    """Serve a chat no more: its watches end."""
    await desk.people.shut_out(chat)
    await desk.watches.stop(chat, topics=True)
    return RedirectResponse("/recipients", 303)


async def _page(request: Request, desk: Desk, *, invitation: Mapping[str, Any] | None = None) -> Response:
    shelf = await desk.db.read(look, desk.settings.telegram.operator, desk.clock.now())
    can_invite = desk.settings.telegram.bot_token is not None and desk.settings.telegram.bot
    return desk.page(request, "recipients.html", shelf=shelf, invitation=invitation, roles=INVITED, can_invite=can_invite)


def _form(request: Request, desk: Desk, person: Person, typed: Mapping[str, str], *, fault: str | None = None) -> Response:
    return desk.page(request, "recipient.html", 400 if fault else 200, person=person, typed=typed, fault=fault)


def _back(address: str) -> Response:
    return RedirectResponse(f"/recipients/edit?{urlencode({'address': address})}", 303)


def look(con: sqlite3.Connection, operator: str, now: datetime) -> Shelf:
    """Everybody, the operator's chat first, then in the order in which they came."""
    everyone = recipients.everyone(con)
    own = recipients.current(con, operator)
    everyone.sort(key=lambda one: one.recipient.address != own)
    told = {chat_of(one.recipient.address) for one in everyone}
    served = access.everyone(con)
    return Shelf(
        [_person(con, one, operator, now) for one in everyone],
        [one for one in served if one.role is not Role.NONE and one.chat not in told],
        [one for one in served if one.role is Role.NONE],
        access.changes(con, CHANGES),
    )


def _find(con: sqlite3.Connection, address: str, operator: str, now: datetime) -> Person:
    found = recipients.find(con, address)
    if found is None:
        raise InputError(f"{address} is no recipient; who is told something is one")
    return _person(con, found, operator, now)


def _person(con: sqlite3.Connection, one: Stored, operator: str, now: datetime) -> Person:
    recipient: Recipient = one.recipient
    muted = recipient.muted_until if recipient.muted_until is not None and recipient.muted_until > now else None
    return Person(
        one,
        quiet_text(recipient.quiet) if recipient.quiet else "",
        digest_text(recipient.digest) if recipient.digest else "",
        muted,
        recipients.watches_of(con, one.pk),
        access.role_of(con, recipient.address, operator),
        access.find(con, recipient.address),
        access.use_of(con, recipient.address, now),
    )


def _typed(person: Person) -> dict[str, str]:
    recipient = person.stored.recipient
    return {"language": recipient.language, "timezone": recipient.timezone, "quiet": person.quiet, "digest": person.digest, "mute": ""}


def _changes(typed: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Fields of `Recipient`.

    Raises:
        InputError, ValueError: a field is not right; the text names it.
    """
    words = {name: text.strip() for name, text in typed.items()}
    changes: dict[str, Any] = {
        "language": check_language(words["language"]),
        "timezone": check_timezone(words["timezone"]),
        "quiet": None if words["quiet"].lower() in ("", OFF) else parse_quiet(words["quiet"]),
        "digest": None if words["digest"].lower() in ("", OFF) else parse_digest(words["digest"]),
    }
    if words["mute"]:
        changes["muted_until"] = None if words["mute"].lower() == OFF else now + parse_duration(words["mute"])
    return changes
