"""Trying rule lines: what each means, and what it would have told of what is watched; nothing is made."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ytwatcher.core.model import CHANNEL_METRICS, RuleKind, RuleSpec, TargetKind
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rules import canonical, check_fits, explain, note, parse_rule
from ytwatcher.core.targets import TargetRef, parse_target
from ytwatcher.errors import InputError, TargetError
from ytwatcher.rehearsal import DAYS, Rehearsal, rehearse
from ytwatcher.store import recipients, watches
from ytwatcher.store.watches import Target
from ytwatcher.web.desk import AtDesk, Desk

MOST_LINES, SHOWN = 10, 3
router = APIRouter()


class Trial(NamedTuple):
    """One line: what is wrong with it, or what it means in its normal form; rehearsed where something is watched to try it on."""

    line: str
    fault: str | None = None
    canonical: str = ""
    explained: str = ""
    note: str | None = None
    rehearsal: Rehearsal | None = None


@router.get("/rules/try")
async def attempt(
    request: Request,
    desk: AtDesk,
    line: Annotated[str, Query(max_length=10_000)] = "",
    target: Annotated[str, Query(max_length=2_000)] = "",
    to: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """A part of a page: what the lines mean, for the script that asks while somebody types."""
    return desk.page(request, "trials.html", trials=await trials(desk, line, target, to), days=DAYS)


async def trials(desk: Desk, lines: str, target: str, to: str) -> list[Trial]:
    """Each line that is not empty, on the target where it is watched."""
    wanted = [line.strip() for line in lines.splitlines() if line.strip()][:MOST_LINES]
    return await desk.db.read(_tried, wanted, target, to.strip() or desk.settings.telegram.operator, desk.clock.now())


def _tried(con: sqlite3.Connection, lines: Sequence[str], text: str, to: str, now: datetime) -> list[Trial]:
    target = named(con, text)
    found = recipients.find(con, to)
    recipient = found.recipient if found else Recipient(to)
    return [_rehearsed(con, explained(line, target.kind if target else None), target, recipient, now) for line in lines]


def explained(line: str, kind: TargetKind | None) -> Trial:
    """What a line means on such a target; None: on the kind that it fits."""
    try:
        spec = parse_rule(line)
        kind = kind or _kind(spec)
        check_fits(spec, kind)
    except InputError as error:
        return Trial(line, str(error))
    return Trial(line, None, canonical(spec), explain(spec, kind), note(spec))


def _kind(spec: RuleSpec) -> TargetKind:
    return TargetKind.CHANNEL if spec.metric in CHANNEL_METRICS or spec.kind is RuleKind.NEW else TargetKind.VIDEO


def _rehearsed(con: sqlite3.Connection, trial: Trial, target: Target | None, recipient: Recipient, now: datetime) -> Trial:
    if trial.fault is not None or target is None:
        return trial
    spec = parse_rule(trial.line)
    return trial._replace(rehearsal=rehearse(con, spec, trial.line, [target], recipient, now, days=DAYS, show=SHOWN))


def named(con: sqlite3.Connection, text: str) -> Target | None:
    """The watched target that a text names, without asking YouTube."""
    ref: TargetRef | None = None
    with contextlib.suppress(TargetError):
        ref = parse_target(text)
    found = watches.named(con, text, ref) if text else []
    return found[0] if found else None
