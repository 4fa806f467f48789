"""All about one video, or channel: its course, rules, alerts, readings."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ytwatcher.charts import DARK, LIGHT, Chart, specification
from ytwatcher.core.durations import duration_text
from ytwatcher.core.model import CHANNEL_METRICS, EPOCH, VIDEO_METRICS, Metric, SubjectKind
from ytwatcher.core.rules import explain
from ytwatcher.core.targets import channel_url, video_url
from ytwatcher.moving import COLUMNS, export_row
from ytwatcher.pictures import MOST_LINES
from ytwatcher.rehearsal import DAYS, rehearse
from ytwatcher.store import dossier, gallery, readings, recipients, watches
from ytwatcher.store import pictures as stored
from ytwatcher.store.dossier import Place, Remark, Told
from ytwatcher.store.subjects import Known
from ytwatcher.store.watches import StoredRule
from ytwatcher.web import course
from ytwatcher.web.desk import AtDesk, Desk
from ytwatcher.web.thumbnails import PLACEHOLDER
from ytwatcher.web.views import DAY, HOUR, Cell, cell, moved

ROWS, ALERTS, REMARKS, LONGEST = 50, 50, 20, 100
AT_ONCE = 1_000
"""Readings that an export takes from the journal at once: others want to read as well."""
KEPT_FOR = timedelta(days=1)
SPANS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "all": 3650 * DAY}
WIDE, NARROW = (900, 320), (340, 300)
"""Points of a picture's plot."""
router = APIRouter()


class As(StrEnum):
    TOTAL = "total"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the chart shows. `more`: videos beside the page's own."""

    metric: Metric
    span: str
    kind: As
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with how it moved."""

    cell: Cell
    hour: int | None
    day: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page is filled with."""

    known: Known
    figures: Sequence[Figure]
    places: Sequence[Place]
    rules: Sequence[StoredRule]
    told: Sequence[Told]
    remarks: Sequence[Remark]
    readings: Sequence[readings.Point]
    rows: int
    more: Sequence[Known]


def seen_of(
    subject_id: str,
    metric: str = "",
    span: str = "7d",
    view: As = As.TOTAL,
    beside: Annotated[list[str] | None, Query()] = None,
) -> Seen:
    """What the address asks to be drawn; what is not known is as usual."""
    usual = Metric.SUBSCRIBERS if subject_id.startswith("UC") and len(subject_id) == 24 else Metric.VIEWS
    wanted = Metric(metric) if metric in tuple(Metric) else usual
    others = tuple(one for one in dict.fromkeys(beside or ()) if one != subject_id)[: MOST_LINES - 1]
    return Seen(wanted, span if span in SPANS else "7d", view, others)


AsSeen = Annotated[Seen, Depends(seen_of)]


@router.get("/videos/{subject_id}")
async def show(
    request: Request,
    desk: AtDesk,
    subject_id: str,
    seen: AsSeen,
    add: Annotated[str, Query(max_length=LONGEST)] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    found = await desk.db.read(_named, add) if add.strip() else []
    if len(found) == 1:
        seen = seen_of(subject_id, seen.metric, seen.span, seen.kind, [*seen.more, found[0].known.state.subject_id])
    shown = await desk.db.read(_shown, subject_id, seen, page)
    if shown is None:
        raise HTTPException(404)
    state = shown.known.state
    return desk.page(
        request,
        "video.html",
        shown=shown,
        state=state,
        seen=seen,
        metrics=_metrics(state.kind),
        spans=tuple(SPANS),
        page=page,
        pages_in_all=max(1, -(-shown.rows // ROWS)),
        link=video_url(state.subject_id) if state.kind is SubjectKind.VIDEO else channel_url(state.subject_id),  # type: ignore[arg-type]  # by its kind
        explain=explain,
        add=add,
        found=found if len(found) != 1 else [],
        nothing=bool(add.strip()) and not found,
        retention=duration_text(desk.settings.storage.retention),
        vega=f"/vega.js?v={desk.bundle.version}",
    )


async def _made(desk: Desk, subject_id: str, seen: Seen, zone: ZoneInfo | None) -> Chart:
    made = await desk.db.read(chart_of, subject_id, seen, desk.clock.now(), zone)
    if made is None:
        raise HTTPException(404)
    return made


@router.get("/videos/{subject_id}/chart.json")
async def chart(
    desk: AtDesk,
    subject_id: str,
    seen: AsSeen,
    look: str = "light",
) -> Response:
    """The chart as a Vega-Lite document, with times for the browser's own clock."""
    made = await _made(desk, subject_id, seen, None)
    return JSONResponse(specification(made, DARK if look == "dark" else LIGHT, width="container", height=300))


@router.get("/videos/{subject_id}/chart.png")
async def picture(
    desk: AtDesk,
    subject_id: str,
    seen: AsSeen,
    look: str = "light",
    narrow: bool = False,
) -> Response:
    """The same as a picture, for browsers without scripts; times are UTC."""
    made = await _made(desk, subject_id, seen, ZoneInfo("UTC"))
    return Response(await drawn(desk, made, look, narrow=narrow), media_type="image/png")


async def drawn(desk: Desk, chart: Chart, look: str, *, narrow: bool) -> bytes:
    """A picture of the chart; `narrow`: for a phone, whose letters would be too small to read in a wide one made small."""
    width, height = NARROW if narrow else WIDE
    columns = 1 if narrow else 2  # two names beside one another would be cut off
    spec = specification(chart, DARK if look == "dark" else LIGHT, width=width, height=height, columns=columns)
    return await desk.drawing.png(spec, scale=2)


@router.get("/videos/{subject_id}/rehearsal")
async def rehearsal(request: Request, desk: AtDesk, subject_id: str, rule: Annotated[str, Query(max_length=20)]) -> Response:
    """What one of its rules would have sent in the last fortnight."""
    found = await desk.db.read(_rehearsed, rule, desk.clock.now())
    if found is None:
        raise HTTPException(404)
    return JSONResponse(found)


@router.get("/videos/{subject_id}/readings.csv")
async def export(desk: AtDesk, subject_id: str) -> Response:
    known = await desk.db.read(dossier.find, subject_id)
    if known is None:
        raise HTTPException(404)
    headers = {"content-disposition": f'attachment; filename="{known.state.subject_id}.csv"'}
    return StreamingResponse(_csv(desk, known), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/thumbnails/{video_id}")
async def thumbnail(desk: AtDesk, video_id: str) -> Response:
    """The video's picture, or one that stands for it; only of what is watched, so that nobody fetches others through this server."""
    known = await desk.db.read(dossier.known_id, video_id)
    content = await desk.thumbnails.picture(known) if known is not None else None
    if content is None:
        return Response(PLACEHOLDER, media_type="image/svg+xml", headers={"cache-control": "private, max-age=300"})
    return Response(content, media_type="image/jpeg", headers={"cache-control": f"private, max-age={int(KEPT_FOR.total_seconds())}"})


@router.get("/vega.js")
async def vega(request: Request, desk: AtDesk) -> Response:
    """The library that draws charts; it is as unchanging as its version in the address."""
    content = await desk.bundle.compressed()
    headers = {"cache-control": "private, max-age=31536000, immutable", "vary": "accept-encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(content), media_type="text/javascript", headers=headers)
    return Response(content, media_type="text/javascript", headers={**headers, "content-encoding": "gzip"})


def _metrics(kind: SubjectKind) -> Sequence[Metric]:
    return [metric for metric in (VIDEO_METRICS if kind is SubjectKind.VIDEO else CHANNEL_METRICS) if metric is not Metric.FAVORITES]


def _named(con: sqlite3.Connection, text: str) -> list[gallery.Row]:
    """The videos that a text means: an id, a link, or a part of a title; ten at most."""
    wanted = text.strip().rpartition("v=")[2] if "v=" in text else text.strip().rpartition("/")[2]
    exact = gallery.some(con, [wanted])
    return exact or gallery.page(con, gallery.Wanted(text=text.strip()), 0, 10)[0]


def _shown(con: sqlite3.Connection, subject_id: str, seen: Seen, page: int) -> Shown | None:
    known = dossier.find(con, subject_id)
    if known is None:
        return None
    state = known.state
    return Shown(
        known,
        _figures(con, known),
        dossier.places(con, known.pk),
        dossier.rules(con, known.pk, state.kind),
        dossier.told(con, subject_id, ALERTS),
        dossier.remarks(con, known.pk, REMARKS),
        dossier.rows(con, known.pk, (page - 1) * ROWS, ROWS),
        dossier.counted(con, known.pk),
        [row.known for row in gallery.some(con, seen.more)],
    )


def _figures(con: sqlite3.Connection, known: Known) -> list[Figure]:
    found = []
    for metric in _metrics(known.state.kind):
        earlier = gallery.before(con, [known.pk], metric, [HOUR, DAY])
        hour, day = (moved(known.state, metric, earlier.get((known.pk, span)), span) for span in (HOUR, DAY))
        found.append(Figure(cell(metric, known.state.metric(metric)), hour, day))
    return found


def chart_of(con: sqlite3.Connection, subject_id: str, seen: Seen, now: datetime, zone: ZoneInfo | None) -> Chart | None:
    known = dossier.find(con, subject_id)
    if known is None:
        return None
    since = max(now - SPANS[seen.span], datetime(2005, 1, 1, tzinfo=UTC))
    subjects = [known, *(row.known for row in gallery.some(con, seen.more))]
    lines = [(one.state.subject_id, one.state.title or "", _line(con, one.pk, seen, since, now, len(subjects))) for one in subjects]
    marks = course.marks(dossier.told(con, subject_id, ALERTS, since), seen.metric, since, now)
    unit = f"{seen.metric} per hour" if seen.kind is As.RATE else seen.metric.value
    return Chart("", unit, course.named(lines), marks=marks, zone=zone)


def _line(con: sqlite3.Connection, pk: int, seen: Seen, since: datetime, now: datetime, lines: int) -> Sequence[Any]:
    points = course.course(stored.line(con, pk, seen.metric, since), seen.metric, since, course.MOST_POINTS // lines)
    if seen.kind is As.TOTAL or not points:
        return points
    return course.paces(points, points[0].at, now)


def _rehearsed(con: sqlite3.Connection, rule_id: str, now: datetime) -> dict[str, Any] | None:
    rule = next((one for one in watches.rules(con) if one.id == rule_id), None)
    target = watches.find_target(con, rule.target_id) if rule is not None else None
    stored_recipient = recipients.find(con, rule.address) if rule is not None else None
    if rule is None or target is None or stored_recipient is None:
        return None
    found = rehearse(con, rule.spec, rule.line, [target], stored_recipient.recipient, now, days=DAYS, show=0)
    return {"messages": found.messages, "at_night": found.at_night, "since": found.since_at.isoformat(), "caveat": found.caveat}


async def _csv(desk: Desk, known: Known) -> AsyncIterator[str]:
    after, header = EPOCH, True
    while points := await desk.db.read(readings.after, known.pk, after, AT_ONCE):
        yield _lines(known, points, header=header)
        after, header = points[-1].from_at, False
    if header:
        yield _lines(known, (), header=True)


def _lines(known: Known, points: Sequence[readings.Point], *, header: bool) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    rows = (export_row(known, point) for point in points)
    writer.writerows({**row, "raw": json.dumps(row["raw"]) if row["raw"] else None} for row in rows)
    return out.getvalue()
