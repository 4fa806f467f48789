"""Rules: what everybody wants to be told, one more with a rehearsal as one types, and the end of a rule or a watch."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ytwatcher.core.model import CHANNEL_METRICS, TargetKind
from ytwatcher.core.rules import explain, note
from ytwatcher.core.targets import target_url
from ytwatcher.errors import YTWatcherError
from ytwatcher.rehearsal import DAYS
from ytwatcher.store import watches
from ytwatcher.store.watches import StoredRule, Target
from ytwatcher.web.desk import AtDesk, Desk
from ytwatcher.web.pages.add import known_addresses
from ytwatcher.web.pages.trying import named, trials

PAGE, MOST_PAGES = 50, 1_000_000
Text = Annotated[str, Form(max_length=2_000)]
router = APIRouter()


class Line(NamedTuple):
    """A rule in force; `passed`: on how many of its videos a `reach` has nothing left to tell."""

    rule: StoredRule
    explained: str
    note: str | None
    passed: int
    alone: bool


class Watch(NamedTuple):
    target: Target
    url: str
    to: str
    rules: Sequence[Line]


class Shelf(NamedTuple):
    """One page of the watches; `found`: how many there are that fit, on all pages."""

    watches: Sequence[Watch]
    found: int
    pages: int
    number: int


@router.get("/rules")
async def show(
    request: Request,
    desk: AtDesk,
    q: Annotated[str, Query(max_length=300)] = "",
    target: Annotated[str, Query(max_length=300)] = "",
    page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
    added: str = "",
) -> Response:
    """The watches that fit what is searched for, or those of one target, which other pages link to."""
    q = q or target
    shelf = await desk.db.read(look, q.strip(), page)
    return desk.page(request, "rules.html", shelf=shelf, q=q, added=added)


@router.get("/rules/new")
async def ask(
    request: Request,
    desk: AtDesk,
    target: Annotated[str, Query(max_length=2_000)] = "",
    to: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    return await _form(request, desk, target, to or desk.settings.telegram.operator, "")


@router.post("/rules/new")
async def answer(
    request: Request, desk: AtDesk, target: Text = "", to: Text = "", line: Text = "", do: Annotated[str, Form(max_length=10)] = "add"
) -> Response:
    """Make the rule, or (`do` is `try`) only say what it would tell."""
    if do == "try":
        return await _form(request, desk, target, to, line)
    try:
        made = await desk.do("rules add", target=target, rule=line, to=to.strip() or None)
    except YTWatcherError as error:
        return await _form(request, desk, target, to, line, fault=str(error))
    return RedirectResponse(f"/rules?{urlencode({'q': target, 'added': made['id']})}", 303)


@router.post("/rules/remove")
async def remove(desk: AtDesk, rule: Text, q: Text = "") -> Response:
    """End a rule."""
    await desk.do("rules remove", rule_id=rule)
    return RedirectResponse(f"/rules?{urlencode({'q': q})}", 303)


@router.post("/watches/remove")
async def unwatch(desk: AtDesk, target: Text, to: Text) -> Response:
    """End a watch with its rules."""
    await desk.do("remove", target=target, to=to)
    return RedirectResponse("/rules", 303)


async def _form(request: Request, desk: Desk, target: str, to: str, line: str, *, fault: str | None = None) -> Response:
    found = await desk.db.read(named, target)
    values = {"target": target, "found": found, "to": to, "line": line, "fault": fault, "days": DAYS}
    tried = await trials(desk, line, target, to)
    return desk.page(request, "rule.html", 400 if fault else 200, trials=tried, addresses=await desk.db.read(known_addresses), **values)


def look(con: sqlite3.Connection, wanted: str, number: int) -> Shelf:
    """The watches whose title, id, address or rules have the words in them, in the order they were made."""
    rules: dict[tuple[str, str], list[StoredRule]] = defaultdict(list)
    for rule in watches.rules(con):
        rules[rule.target_id, rule.address].append(rule)
    words = wanted.casefold().split()
    found = [one for one in watches.watches(con) if _fits(words, *one, rules[one[0].id, one[1]])]
    pages = max(1, -(-len(found) // PAGE))
    number = min(number, pages)
    shown = [
        Watch(target, target_url(target.id, target.kind), to, [_line(con, rule) for rule in rules[target.id, to]])
        for target, to in found[(number - 1) * PAGE : number * PAGE]
    ]
    return Shelf(shown, len(found), pages, number)


def _fits(words: Sequence[str], target: Target, to: str, rules: Sequence[StoredRule]) -> bool:
    if not words:
        return True
    text = " ".join([target.title or "", target.id, target.handle or "", to, *(rule.line for rule in rules)]).casefold()
    return all(word in text for word in words)


def _line(con: sqlite3.Connection, rule: StoredRule) -> Line:
    alone = rule.target_kind is TargetKind.VIDEO or rule.spec.metric in CHANNEL_METRICS
    return Line(rule, explain(rule.spec, rule.target_kind), note(rule.spec), watches.passed(con, rule), alone)
