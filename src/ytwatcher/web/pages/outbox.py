"""The outbox: what waits, what was sent, what could not be, with the reasons; again, dropped, a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ytwatcher.core.addresses import check_address
from ytwatcher.core.plain import plain_line
from ytwatcher.store import outbox_list, recipients
from ytwatcher.store.outbox_list import Aside, Message
from ytwatcher.web.desk import AtDesk, Desk

PAGE = 50
PATIENCE, LOOK_EVERY = timedelta(seconds=3), timedelta(milliseconds=100)
"""How long an answer waits for what becomes of a message: a running service mostly has it by then."""
LARGEST = 2**63 - 1
DONE = ("sent", "dead", "dropped", "suppressed")

VIEWS: Mapping[str, tuple[str, ...]] = {
    "open": ("waiting", "held", "pending", "sending", "dead"),
    "dead": ("dead",),
    "held": ("held",),
    "sent": ("sent",),
    "suppressed": ("suppressed",),
    "dropped": ("dropped",),
}
"""What can be looked at: states of alerts that are in no message, and of messages."""
OF_ALERTS = frozenset({"waiting", "held", "suppressed"})

Number = Annotated[int, Form(ge=1, le=LARGEST)]
router = APIRouter()


class Entry(NamedTuple):
    """An alert that is in no message, with its words."""

    alert: Aside
    text: str


class Shelf(NamedTuple):
    """A page of the outbox. `older`: the number of the message from which the next page goes on."""

    counts: Mapping[str, int]
    alerts: Sequence[Entry]
    messages: Sequence[Message]
    older: int | None
    addresses: Sequence[str]


class Outcome(NamedTuple):
    """What became of something that was asked for here."""

    what: str
    state: str
    why: str | None


@router.get("/outbox")
async def show(
    request: Request,
    desk: AtDesk,
    view: str = "open",
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    message: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    alert: str = "",
) -> Response:
    view = view if view in VIEWS else "open"
    shelf = await desk.db.read(look, VIEWS[view], before)
    outcome = None
    if message is not None:
        outcome = Outcome(f"Message {message}", *await desk.db.read(outbox_list.message_fate, message))
    elif alert:
        outcome = Outcome("The test", *await desk.db.read(outbox_list.fate, alert))
    operator = desk.settings.telegram.operator
    return desk.page(
        request, "outbox.html", view=view, views=VIEWS, shelf=shelf, outcome=outcome, operator=operator, paged=before is not None
    )


@router.post("/outbox/retry")
async def retry(desk: AtDesk, message: Number) -> Response:
    """Send a dead message again."""
    await desk.do("outbox retry", message=message)
    await _settled(desk, lambda con: outbox_list.message_fate(con, message))
    return _to(message=message)


@router.post("/outbox/drop")
async def drop(desk: AtDesk, message: Number) -> Response:
    """Give up a message."""
    await desk.do("outbox drop", message=message)
    return _to(message=message)


@router.post("/outbox/test")
async def test(desk: AtDesk, to: Annotated[str, Form(max_length=300)] = "") -> Response:
    """Send a message through the real path."""
    address = check_address(to.strip())
    alert_id: str = (await desk.do("outbox test", recipient=address))["alert"]
    await _settled(desk, lambda con: outbox_list.fate(con, alert_id))
    return _to(alert=alert_id)


def look(con: sqlite3.Connection, states: Sequence[str], before: int | None) -> Shelf:
    """Of the alerts only the newest are shown, on the first page."""
    wanted = [state for state in states if state in OF_ALERTS]
    alerts = outbox_list.alerts(con, wanted, PAGE) if wanted and before is None else []
    messages = outbox_list.newest(con, [state for state in states if state not in OF_ALERTS], PAGE + 1, before)
    older = messages[PAGE - 1].pk if len(messages) > PAGE else None
    everyone = [one.recipient.address for one in recipients.everyone(con)]
    return Shelf(outbox_list.counts(con), [Entry(one, _words(one)) for one in reversed(alerts)], messages[:PAGE], older, everyone)


def _words(one: Aside) -> str:
    return one.item.text if one.item.alert is None else plain_line(one.item.alert, one.item.title)


async def _settled(desk: Desk, fate: Callable[[sqlite3.Connection], tuple[str, str | None]]) -> None:
    ends_at = desk.clock.now() + PATIENCE
    while (await desk.db.read(fate))[0] not in DONE and (now := desk.clock.now()) < ends_at:
        await desk.clock.wait(now + LOOK_EVERY)


def _to(**values: object) -> Response:
    return RedirectResponse(f"/outbox?{urlencode(values)}", 303)
