"""The overview: every watched video at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from ytwatcher.core.model import SubjectKind
from ytwatcher.store import gallery
from ytwatcher.store.gallery import MAIN, OTHERS, Group, Named, Only, Order, Row, Wanted
from ytwatcher.web.desk import AtDesk
from ytwatcher.web.views import DAY, HOUR, SPARK, Line, line

PAGE = 100
LONGEST = 100
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page is filled with."""

    lines: Sequence[Line]
    total: int
    lists: Sequence[Named]
    addresses: Sequence[str]
    channels: int


@router.get("/")
async def show(
    request: Request,
    desk: AtDesk,
    q: Annotated[str, Query(max_length=LONGEST)] = "",
    kind: SubjectKind = SubjectKind.VIDEO,
    target: Annotated[str, Query(max_length=LONGEST)] = "",
    to: Annotated[str, Query(max_length=LONGEST)] = "",
    only: Only = Only.ALL,
    group: Group = Group.NONE,
    sort: Order = Order.ADDED,
    falling: bool = False,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    wanted = Wanted(kind, q.strip(), target, to, only, group, sort, falling)
    shown = await desk.db.read(_shown, wanted, page)
    return desk.page(
        request,
        "overview.html",
        wanted=wanted,
        shown=shown,
        page=page,
        pages_in_all=max(1, -(-shown.total // PAGE)),
        main=MAIN[kind],
        others=OTHERS[kind],
        address=Addresses(wanted),
    )


@router.get("/overview/rows")
async def rows(request: Request, desk: AtDesk, ids: Annotated[str, Query(max_length=4_000)]) -> Response:
    """The rows of these subjects as they are now, for the page's script: they take the place of the old ones."""
    lines = await desk.db.read(_some, ids.split(",")[:PAGE])
    return desk.page(request, "overview_rows.html", lines=lines)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of the overview as it is shown, but for what is named."""

    wanted: Wanted

    def __call__(self, **changed: object) -> str:
        names = {"text": "q", "order": "sort"}
        usual, values = Wanted(), {}
        for one in fields(Wanted):
            name = names.get(one.name, one.name)
            value = changed.get(name, getattr(self.wanted, one.name))
            if value != getattr(usual, one.name):
                values[name] = str(value).lower() if isinstance(value, bool) else str(value)
        if changed.get("page", 1) != 1:
            values["page"] = str(changed["page"])
        return f"/?{urlencode(values)}" if values else "/"

    def sorted(self, order: Order) -> str:
        """By this column; by the same one again the other way round. Numbers begin with the largest."""
        again = self.wanted.order is order
        return self(sort=order, falling=not self.wanted.falling if again else order is not Order.TITLE)


def _shown(con: sqlite3.Connection, wanted: Wanted, page: int) -> Shown:
    found, total = gallery.page(con, wanted, (page - 1) * PAGE, PAGE)
    channels = gallery.page(con, Wanted(SubjectKind.CHANNEL), 0, 0)[1]
    return Shown(_lines(con, found), total, gallery.lists(con), gallery.addresses(con), channels)


def _some(con: sqlite3.Connection, ids: Sequence[str]) -> list[Line]:
    return _lines(con, gallery.some(con, ids))


def _lines(con: sqlite3.Connection, found: Sequence[Row]) -> list[Line]:
    if not found:
        return []
    main = MAIN[found[0].known.state.kind]
    earlier = gallery.before(con, [row.known.pk for row in found], main, [HOUR, DAY, *SPARK[:-1]])
    return [line(row, earlier) for row in found]
