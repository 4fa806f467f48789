"""Quota: what the day's units are spent on, how often videos are read, and the days before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ytwatcher.core.durations import duration_words
from ytwatcher.core.quota import Bucket, Share, Why
from ytwatcher.core.schedule import expected_delay
from ytwatcher.outlook import Budget, Outlook, look_ahead
from ytwatcher.settings import Settings
from ytwatcher.store import quota as ledgers
from ytwatcher.store.quota import Day
from ytwatcher.web.desk import AtDesk

HISTORY = timedelta(days=30)
router = APIRouter()


class Spent(NamedTuple):
    """One share of a bucket today."""

    share: Share
    used: int
    planned: int


class Pace(NamedTuple):
    """How often videos are read, in words, and how old news is by then."""

    every: str
    delay: str


@router.get("/quota")
async def show(request: Request, desk: AtDesk) -> Response:
    outlook, history = await desk.db.read(look, desk.settings, desk.clock.now())
    plan = outlook.statistics
    limits = {budget.ledger.bucket: budget.ledger.limit for budget in outlook.budgets}
    return desk.page(
        request,
        "quota.html",
        outlook=outlook,
        buckets=[(budget, list(shares(budget))) for budget in outlook.budgets],
        pace=pace(plan.interval),
        near=pace(plan.near_interval),
        asked_hourly=plan.reason in (Why.CLOSED, Why.PROBE),
        history=history,
        limits=limits,
    )


def look(con: sqlite3.Connection, settings: Settings, now: datetime) -> tuple[Outlook, Sequence[tuple[str, dict[Bucket, Day]]]]:
    """The plan as it is now, and what was spent on the days before, newest first."""
    outlook = look_ahead(con, settings, now)
    today = outlook.budgets[0].ledger.day.day
    days: dict[str, dict[Bucket, Day]] = {}
    for day in ledgers.days(con, today - HISTORY):
        days.setdefault(day.day.isoformat(), {})[day.bucket] = day
    return outlook, list(days.items())


def shares(budget: Budget) -> Iterator[Spent]:
    """Those that spent something or are expected to."""
    for share in Share:
        used, planned = budget.ledger.used.get(share, 0), budget.planned.get(share, 0)
        if used or planned:
            yield Spent(share, used, planned)


def pace(interval: timedelta) -> Pace:
    return Pace(_rounded(interval), _rounded(expected_delay(interval)))


def _rounded(span: timedelta) -> str:
    """In words, to the minute (below an hour: to the half)."""
    step = timedelta(seconds=30) if span < timedelta(hours=1) else timedelta(minutes=1)
    return duration_words(max(step, round(span / step) * step))
