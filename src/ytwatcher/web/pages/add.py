"""Adding: paste anything, see what it is and what it costs, then watch it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ytwatcher.core.addresses import check_address
from ytwatcher.core.rules import default_rules, parse_rule
from ytwatcher.errors import YTWatcherError
from ytwatcher.store import recipients
from ytwatcher.watches import Preview
from ytwatcher.web.desk import AtDesk, Desk, RefusedError
from ytwatcher.web.pages.trying import explained

LONGEST, LONGEST_RULES = 2_000, 10_000
NO_KEY = "YouTube cannot be asked yet: there is no API key. The overview says how to set one."
Text = Annotated[str, Form(max_length=LONGEST)]
router = APIRouter()


@router.get("/add")
async def ask(request: Request, desk: AtDesk, text: Annotated[str, Query(max_length=LONGEST)] = "") -> Response:
    """The empty form. A link may fill it; it is looked up only when a person says so, for that costs quota."""
    return await _form(request, desk, text, "", desk.settings.telegram.operator)


@router.post("/add")
async def answer(
    request: Request,
    desk: AtDesk,
    text: Text = "",
    rules: Annotated[str, Form(max_length=LONGEST_RULES)] = "",
    to: Text = "",
    do: Annotated[str, Form(max_length=10)] = "look",
) -> Response:
    """Look it up, or (`do` is `add`) watch it; what is not right is said above the form, with all that was typed."""
    address = to.strip() or desk.settings.telegram.operator
    lines = [line.strip() for line in rules.splitlines() if line.strip()]
    try:
        check_address(address)
        for line in lines:
            parse_rule(line)
        if desk.settings.youtube.api_key is None:
            return await _form(request, desk, text, rules, address, fault=NO_KEY)
        if do != "add":
            return await _form(request, desk, text, rules, address, preview=await desk.watches.preview(text))
        added = await desk.do("add", text=text, rules=lines, to=address)
    except (YTWatcherError, RefusedError) as error:
        return await _form(request, desk, text, rules, address, fault=str(error))
    return RedirectResponse(f"/rules?{urlencode({'q': added['id'], 'added': added['id']})}", 303)


async def _form(
    request: Request, desk: Desk, text: str, rules: str, to: str, *, preview: Preview | None = None, fault: str | None = None
) -> Response:
    youtube = desk.settings.youtube
    usual = default_rules(preview.target.kind) if preview else ()
    return desk.page(
        request,
        "add.html",
        400 if fault else 200,
        text=text,
        rules=rules,
        to=to,
        addresses=await desk.db.read(known_addresses),
        preview=preview,
        fault=fault,
        usual=[explained(line, preview.target.kind) for line in usual] if preview else [],
        limits=(youtube.daily_stats_units, youtube.daily_units),
    )


def known_addresses(con: sqlite3.Connection) -> Sequence[str]:
    """Everybody who is told something already."""
    return [one.recipient.address for one in recipients.everyone(con)]
