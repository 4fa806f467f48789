"""Messages, and who is told."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query

from ytwatcher.core.addresses import check_address
from ytwatcher.core.durations import parse_duration
from ytwatcher.core.model import BIGGEST
from ytwatcher.core.policy import parse_digest, parse_quiet
from ytwatcher.core.wording import counted
from ytwatcher.errors import InputError
from ytwatcher.setting_types import check_language, check_timezone
from ytwatcher.store import pages
from ytwatcher.store import recipients as stored
from ytwatcher.store.recipients import Stored
from ytwatcher.web.api.answers import Cursor, Most, Page, Problem, missing, opened, router, sealed
from ytwatcher.web.api.shapes import Message, Recipient
from ytwatcher.web.api.watching import Asked, Line
from ytwatcher.web.desk import AtDesk, Desk

Number = Annotated[int, Path(ge=1, le=BIGGEST)]
Address = Annotated[str, Path(max_length=200, description="console, telegram:CHAT, telegram:CHAT:TOPIC or service:NAME")]
State = Annotated[str | None, Query(pattern="^(pending|sending|sent|dead|dropped)$")]
reading = router("Messages and recipients")
writing = router("Messages and recipients", "write")
administering = router("Messages and recipients", "admin")


class TestMessage(Asked):
    to: Line


class TestSent(Asked):
    """The alert that becomes the message; the stream and the list of messages say what becomes of it."""

    alert: str


class Preferences(Asked):
    """What is not named stays as it is; null for `quiet` ends quiet hours, for `digest` it sends at once, for `mute` again."""

    language: Line | None = None
    timezone: Line | None = None
    quiet: Line | None = None
    digest: Line | None = None
    mute: Line | None = None


@reading.get("/messages")
async def messages(
    desk: AtDesk, cursor: Cursor = None, most: Most = 100, state: State = None, to: Annotated[str | None, Query(max_length=200)] = None
) -> Page[Message]:
    """Messages, newest first. What waits for one, or is held or suppressed, is an alert."""
    rows = await desk.db.read(pages.messages, opened(cursor), most + 1, state, to)
    return Page(items=[Message.of(row) for row in rows[:most]], next=sealed(rows[most - 1].pk) if len(rows) > most else None)


@reading.get("/messages/{message}")
async def message(desk: AtDesk, message: Number) -> Message:
    return await _message(desk, message)


@writing.post("/messages/{message}/retry")
async def retry(desk: AtDesk, message: Number) -> Message:
    """Send a dead message again."""
    found = await _message(desk, message)
    if found.state != "dead":
        raise Problem(409, "It is not dead", f"message {message} is {found.state}; only a dead one is sent again")
    await desk.do("outbox retry", message=message)
    return await _message(desk, message)


@writing.post("/messages/{message}/drop")
async def drop(desk: AtDesk, message: Number) -> Message:
    """Give up a message that is dead or pending; it is never sent."""
    found = await _message(desk, message)
    if found.state not in ("dead", "pending"):
        raise Problem(409, "It is not open", f"message {message} is {found.state}; only what is pending or dead is dropped")
    await desk.do("outbox drop", message=message)
    return await _message(desk, message)


@writing.post("/messages/test", status_code=202)
async def test(desk: AtDesk, wanted: TestMessage) -> TestSent:
    """Send a test message through the real path."""
    check_address(wanted.to)
    return TestSent(**await desk.do("outbox test", recipient=wanted.to))


async def _message(desk: Desk, message: int) -> Message:
    found = await desk.db.read(pages.message, message)
    if found is None:
        raise missing(f"there is no message {message}")
    return Message.of(found)


@reading.get("/recipients")
async def recipients(desk: AtDesk) -> Page[Recipient]:
    """Everybody who is told something; all on one page."""
    now = desk.clock.now()
    return Page(items=[Recipient.of(one, now) for one in await desk.db.read(stored.everyone)], next=None)


@reading.get("/recipients/{address}")
async def recipient(desk: AtDesk, address: Address) -> Recipient:
    return Recipient.of(await _recipient(desk, address), desk.clock.now())


@writing.patch("/recipients/{address}")
async def prefer(desk: AtDesk, address: Address, wanted: Preferences) -> Recipient:
    """Say how somebody is told."""
    found = await _recipient(desk, address)
    now = desk.clock.now()
    await desk.people.prefer(found.recipient.address, **_changes(wanted, now))
    await desk.do("poke")  # what was held may leave now
    return Recipient.of(await _recipient(desk, address), now)


@administering.delete("/recipients/{address}", status_code=204)
async def forget(desk: AtDesk, address: Address) -> None:
    """Forget somebody who watches nothing; what is open for them is dropped."""
    await _recipient(desk, address)
    await desk.db.write(_forget, address, desk.settings.telegram.operator)


async def _recipient(desk: Desk, address: str) -> Stored:
    found = await desk.db.read(stored.find, address)
    if found is None:
        raise missing(f"{address} is told nothing")
    return found


def _changes(wanted: Preferences, now: datetime) -> dict[str, Any]:
    named = wanted.model_fields_set
    changes: dict[str, Any] = {}
    try:
        if wanted.language is not None:
            changes["language"] = check_language(wanted.language)
        if wanted.timezone is not None:
            changes["timezone"] = check_timezone(wanted.timezone)
        if "mute" in named:
            changes["muted_until"] = now + parse_duration(wanted.mute) if wanted.mute is not None else None
    except (ValueError, OverflowError) as error:
        raise InputError(str(error)) from error
    if "quiet" in named:
        changes["quiet"] = parse_quiet(wanted.quiet) if wanted.quiet is not None else None
    if "digest" in named:
        changes["digest"] = parse_digest(wanted.digest) if wanted.digest is not None else None
    return changes


def _forget(con: sqlite3.Connection, address: str, operator: str) -> None:
    found = stored.find(con, address)
    if found is None:
        return
    if found.recipient.address == stored.current(con, operator):
        raise Problem(409, "It is the operator", f"{address} is told about the service itself; telegram.operator names another")
    if watched := stored.watches_of(con, found.pk):
        raise Problem(409, "It watches something", f"{address} has {counted(watched, 'watch', 'watches')}; end them first")
    stored.remove(con, found.pk)
