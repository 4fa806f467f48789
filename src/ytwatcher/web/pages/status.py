"""Status: whether all is well, and of each part when it last did something."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ytwatcher import __version__
from ytwatcher.condition import Status, look, needs
from ytwatcher.settings import Settings
from ytwatcher.store import mirror, outbox_list, overview, publications
from ytwatcher.store.mirror import Judged, Options
from ytwatcher.store.outbox_list import Message
from ytwatcher.store.overview import Lane
from ytwatcher.store.publications import Backlog
from ytwatcher.web.desk import AtDesk

TROUBLES = 5
PATIENCE = 1.5
"""Seconds that the page waits for the parts of the streaming way; what comes later is on the page when it is asked for again."""
router = APIRouter()


class Way(NamedTuple):
    """The streaming way as the journal knows it. `connects`: there is a Connect."""

    engine: str
    publisher: Backlog
    rules: Sequence[Judged]
    stored_at: datetime | None
    connects: bool


class Picture(NamedTuple):
    """All that the page shows. `troubles`: messages that wait with an error, or are dead."""

    status: Status
    lanes: Sequence[Lane]
    troubles: Sequence[Message]
    way: Way | None
    journal: overview.File


@router.get("/status")
async def show(request: Request, desk: AtDesk) -> Response:
    picture = await desk.db.read(paint, desk.settings, desk.clock.now())
    parts: dict[str, Any] = await desk.do("stream look", patience=PATIENCE) if picture.way else {"known": None, "asking": False}
    return desk.page(
        request,
        "status.html",
        picture=picture,
        hands=list(needs(picture.status, desk.settings)),
        versions=list(_versions(desk.settings)),
        parts=in_time(parts["known"]),
        asking=parts["asking"],
    )


def in_time(known: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the parts said of themselves, with instants instead of texts."""
    if known is None:
        return None
    return {
        **known,
        "at": datetime.fromisoformat(known["at"]),
        "topics": [{**one, "newest_at": _instant(one["newest_at"])} for one in known.get("topics", ())],
        "engine": [{**one, "checkpoint_at": _instant(one["checkpoint_at"])} for one in known.get("engine", ())],
    }


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def paint(con: sqlite3.Connection, settings: Settings, now: datetime) -> Picture:
    troubles = [one for one in outbox_list.newest(con, ("pending", "sending", "dead"), 10 * TROUBLES) if one.last_error][:TROUBLES]
    return Picture(
        look(con, settings, True, now),  # who answers here is the process that runs
        overview.lanes(con, now),
        troubles,
        _way(con, settings, now),
        overview.file(con),
    )


def _way(con: sqlite3.Connection, settings: Settings, now: datetime) -> Way | None:
    streaming = settings.streaming
    if not streaming.bootstrap:
        return None
    options = Options(connect=streaming.delivery == "connect")
    rules = mirror.judges(con, now, options, engine=streaming.engine != "embedded")
    return Way(streaming.engine, publications.backlog(con), rules, mirror.newest_from_engine(con), streaming.connect_url is not None)


def _versions(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "YT Watcher", __version__
    yield "Python", platform.python_version()
    yield "SQLite", sqlite3.sqlite_version
    yield "Configuration", str(settings.file) if settings.file else "no file; environment and defaults"
