"""A watch shown to whoever has its link, and nothing else: no session, no other page, nothing to change."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ytwatcher.charts import Chart
from ytwatcher.core.model import EPOCH, Metric
from ytwatcher.core.plain import plain_line
from ytwatcher.pictures import MOST_LINES
from ytwatcher.store import pages, tokens
from ytwatcher.store.pages import AlertRow, Wanted, WatchRow
from ytwatcher.store.readings import Point
from ytwatcher.store.subjects import Known
from ytwatcher.store.tokens import Share, ShareKind
from ytwatcher.web.desk import AtDesk
from ytwatcher.web.pages.video import chart_of, drawn, seen_of

MOST_SUBJECTS, MOST_ALERTS, MOST_READINGS = 200, 50, 50
PATHS = {ShareKind.WATCH: "share", ShareKind.FEED: "feed"}
UNSEEN = {"x-robots-tag": "noindex, nofollow", "referrer-policy": "no-referrer"}
"""The link is a secret: no search engine keeps it, no other site is told of it."""
router = APIRouter()


class Shown(NamedTuple):
    """What the page of a link shows; readings only where the watch is about one video."""

    watch: WatchRow
    subjects: Sequence[Known]
    alerts: Sequence[AlertRow]
    readings: Sequence[Point]


def link_of(site_url: str, kind: ShareKind, secret: str) -> str:
    return f"{site_url}/{PATHS[kind]}/{secret}"


@router.get("/share/{secret}")
async def show(request: Request, desk: AtDesk, secret: str) -> Response:
    found = await desk.db.read(_look, secret)
    if found is None:
        return desk.page(request, "share_ended.html", 404)
    told = [metric for metric in Metric if metric is not Metric.FAVORITES]  # YouTube has long counted none
    metrics = [metric for metric in told if any(one.state.metric(metric).value is not None for one in found.subjects)]
    alerts = [(row, plain_line(row.item.alert, None)) for row in found.alerts if row.item.alert is not None]
    answer = desk.page(request, "share.html", shown=found, metrics=metrics, alerts=alerts)
    answer.headers.update(UNSEEN)
    return answer


@router.get("/share/{secret}/chart.png")
async def picture(desk: AtDesk, secret: str, look: str = "light", narrow: bool = False) -> Response:
    """The last 30 days of the first videos as a picture, in UTC."""
    made = await desk.db.read(_chart, secret, desk.clock.now())
    if made is None:
        raise HTTPException(404)
    return Response(
        await drawn(desk, made, look, narrow=narrow), media_type="image/png", headers={**UNSEEN, "cache-control": "private, max-age=60"}
    )


def _chart(con: sqlite3.Connection, secret: str, now: datetime) -> Chart | None:
    share = tokens.find_share(con, secret, ShareKind.WATCH)
    subjects = pages.subjects(con, 0, MOST_LINES, target_id=share.target_id) if share is not None else []
    if not subjects:
        return None
    first, *more = (str(one.state.subject_id) for one in subjects)
    return chart_of(con, first, seen_of(first, span="30d", beside=more), now, ZoneInfo("UTC"))


def _look(con: sqlite3.Connection, secret: str) -> Shown | None:
    share = tokens.find_share(con, secret, ShareKind.WATCH)
    return None if share is None else _shown(con, share)


def _shown(con: sqlite3.Connection, share: Share) -> Shown:
    watch = pages.watches(con, 0, 1, share.address, share.target_id)[0]
    subjects = pages.subjects(con, 0, MOST_SUBJECTS, target_id=share.target_id)
    alerts = pages.alerts(con, None, MOST_ALERTS, Wanted(address=share.address, target_id=share.target_id, state="sent"))
    readings: Sequence[Point] = ()
    if len(subjects) == 1 and (newest := subjects[0].state.newest_at) is not None:
        readings = pages.readings(con, subjects[0].pk, EPOCH, newest, MOST_READINGS)[::-1]
    return Shown(watch, subjects, alerts, readings)
