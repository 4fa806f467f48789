"""What machines ask: is it alive, is it ready, and the gauges."""

from __future__ import annotations

import asyncio
import sqlite3

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ytwatcher.core.model import to_ms
from ytwatcher.errors import YTWatcherError
from ytwatcher.web import metrics
from ytwatcher.web.api.answers import scoped
from ytwatcher.web.desk import AtDesk, Desk

PATIENCE = 5.0
"""Seconds for one small write."""
router = APIRouter()


@router.get("/healthz")
async def healthz() -> Response:
    """The process is there and answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", dependencies=[scoped("read")])
async def readyz(desk: AtDesk) -> Response:
    """The journal takes writes, and neither the poller nor the dispatcher hangs."""
    now = desk.clock.now()
    checks = {"journal": await _journal(desk)}
    for name, pulse in desk.pulses.items():
        busy = pulse.works_for(now)
        checks[name] = "ok" if busy < metrics.STUCK else f"at one piece of work for {busy.total_seconds():.0f} s"
    return JSONResponse(checks, 200 if set(checks.values()) == {"ok"} else 503)


async def _journal(desk: Desk) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await desk.db.write(_mark, to_ms(desk.clock.now()))
    except TimeoutError:
        return f"nothing could be written for {PATIENCE:.0f} s"
    except YTWatcherError:
        return "cannot be written"  # its text names a path; the log has it
    return "ok"


def _mark(con: sqlite3.Connection, now: int) -> None:
    con.execute("INSERT OR REPLACE INTO fact (key, value) VALUES ('web ready', ?)", (str(now),))


@router.get("/metrics", dependencies=[scoped("read")])
async def gauges(desk: AtDesk) -> Response:
    now = desk.clock.now()
    found = await desk.db.read(metrics.look, desk.settings, now)
    return Response(desk.gauges.text(found, desk.pulses, desk.live.listeners, now), media_type=CONTENT_TYPE_LATEST)
