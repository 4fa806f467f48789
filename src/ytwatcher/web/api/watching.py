"""Watches and rules."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ytwatcher import rehearsal
from ytwatcher.core.model import CHANNEL_METRICS, RuleSpec, TargetKind
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rules import canonical, explain, note, parse_rule
from ytwatcher.store import pages, recipients
from ytwatcher.store import watches as stored
from ytwatcher.web.api.answers import Cursor, Most, Page, missing, opened, router, sealed
from ytwatcher.web.api.shapes import Explained, Rehearsed, Rule, RuleTaken, Watch, WatchTaken
from ytwatcher.web.desk import AtDesk

Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Address = Annotated[str, Query(min_length=1, max_length=200, description="console, telegram:CHAT, telegram:CHAT:TOPIC or service:NAME")]
TargetId = Annotated[str, Path(max_length=100, description="A video, playlist or channel id, as the list of watches has it")]
reading = router("Watches and rules")
writing = router("Watches and rules", "write")


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWatch(Asked):
    """What to watch, as a person pastes it; without rules with the default ones, without `to` for the operator."""

    target: Line
    rules: Annotated[list[Line], Field(max_length=50)] = Field(default_factory=list)
    to: Line | None = None


class NewRule(Asked):
    target: Line
    rule: Line
    to: Line | None = None


class AskedRule(Asked):
    """`on`: what it would be about; the words differ."""

    rule: Line
    on: TargetKind | None = None


class Rehearsing(Asked):
    """`target`: an id, without it all that is watched; `show`: how many messages, the newest ones."""

    rule: Line
    target: Line | None = None
    to: Line | None = None
    days: Annotated[float, Field(gt=0, le=3650)] = rehearsal.DAYS
    show: Annotated[int, Field(ge=0, le=100)] = 0


@reading.get("/watches")
async def watches(desk: AtDesk, cursor: Cursor = None, most: Most = 100, to: Address | None = None) -> Page[Watch]:
    """What is watched, in the order it was added."""
    rows = await desk.db.read(pages.watches, opened(cursor) or 0, most + 1, to)
    return Page(items=[Watch.of(row) for row in rows[:most]], next=sealed(rows[most - 1].pk) if len(rows) > most else None)


@writing.post("/watches", status_code=201)
async def watch(desk: AtDesk, wanted: NewWatch) -> WatchTaken:
    """Watch something; it is looked up at YouTube. What is watched already gets the rules that it has not."""
    return WatchTaken(**await desk.do("add", text=wanted.target, rules=wanted.rules, to=wanted.to))


@writing.delete("/watches/{target}", status_code=204)
async def unwatch(desk: AtDesk, target: TargetId, to: Address | None = None) -> None:
    """End a recipient's watch with its rules."""
    address = to or desk.settings.telegram.operator
    if not await desk.db.read(pages.watches, 0, 1, address, target):
        raise missing(f"{address} does not watch {target}")
    await desk.do("remove", target=target, to=address)


@reading.get("/rules")
async def rules(
    desk: AtDesk,
    cursor: Cursor = None,
    most: Most = 100,
    target: Annotated[str | None, Query(max_length=100)] = None,
    to: Address | None = None,
) -> Page[Rule]:
    """The rules in force, in the order they were made."""
    start = opened(cursor) or 0
    found = (await desk.db.read(stored.rules, target, to))[start:]
    return Page(items=[Rule.of(one) for one in found[:most]], next=sealed(start + most) if len(found) > most else None)


@writing.post("/rules", status_code=201)
async def add_rule(desk: AtDesk, wanted: NewRule) -> RuleTaken:
    """One more rule on something that is watched."""
    return RuleTaken(**await desk.do("rules add", target=wanted.target, rule=wanted.rule, to=wanted.to))


@writing.delete("/rules/{rule}", status_code=204)
async def end_rule(desk: AtDesk, rule: Annotated[str, Path(max_length=100)]) -> None:
    """End a rule; its id is never used again."""
    if not await desk.db.read(_is_rule, rule):
        raise missing(f"there is no rule {rule}")
    await desk.do("rules remove", rule_id=rule)


@reading.post("/rules/explain")
async def explain_rule(asked: AskedRule) -> Explained:
    """What a rule would tell, without making it."""
    spec = parse_rule(asked.rule)
    kind = asked.on or (TargetKind.CHANNEL if spec.metric in CHANNEL_METRICS else TargetKind.VIDEO)
    return Explained(normal=canonical(spec), explained=explain(spec, kind), note=note(spec))


@reading.post("/rules/rehearse")
async def rehearse(desk: AtDesk, asked: Rehearsing) -> Rehearsed:
    """What a rule would have sent on the stored history; nothing is made, sent, or asked of YouTube."""
    spec, address = parse_rule(asked.rule), asked.to or desk.settings.telegram.operator
    found = await desk.db.read(_rehearsed, spec, asked, Recipient(address), desk.clock.now())
    return Rehearsed.model_validate(found, from_attributes=True)


def _rehearsed(con: sqlite3.Connection, spec: RuleSpec, asked: Rehearsing, otherwise: Recipient, now: datetime) -> rehearsal.Rehearsal:
    targets = [one for one in stored.targets(con) if asked.target in (None, one.id)]
    if not targets:
        raise missing("nothing is watched yet" if asked.target is None else f"{asked.target} is not watched; name it by its id")
    known = recipients.find(con, otherwise.address)
    recipient = known.recipient if known else otherwise
    return rehearsal.rehearse(con, spec, asked.rule, targets, recipient, now, days=asked.days, show=asked.show)


def _is_rule(con: sqlite3.Connection, rule_id: str) -> bool:
    return any(rule.id == rule_id for rule in stored.rules(con))
