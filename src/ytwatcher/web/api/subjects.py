"""Videos and channels with their readings, and the alerts that were found in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Path, Query

from ytwatcher.charts import Point, thin
from ytwatcher.core.model import Metric, SubjectId, SubjectKind
from ytwatcher.errors import InputError
from ytwatcher.store import pages
from ytwatcher.store import readings as stored_readings
from ytwatcher.store import subjects as stored
from ytwatcher.store.pages import Wanted
from ytwatcher.store.subjects import Known
from ytwatcher.web.api.answers import Cursor, Instant, Most, Page, missing, opened, router, sealed
from ytwatcher.web.api.shapes import AlertFound, Readings, ReadingSpan, Subject
from ytwatcher.web.desk import AtDesk, Desk

LOOKED_AT = 50_000
"""Rows of one answer, before they are thinned: a month of a video read every minute."""
USUAL = timedelta(days=30)
Id = Annotated[str, Path(max_length=100, description="A video or channel id")]
Name = Annotated[str | None, Query(max_length=200)]
reading = router("Videos, channels and alerts")


@reading.get("/subjects")
async def subjects(
    desk: AtDesk,
    cursor: Cursor = None,
    most: Most = 100,
    kind: SubjectKind | None = None,
    target: Annotated[str | None, Query(max_length=100, description="Only what this target holds")] = None,
) -> Page[Subject]:
    """What has readings: videos, and channels themselves."""
    rows = await desk.db.read(pages.subjects, opened(cursor) or 0, most + 1, kind, target)
    return Page(items=[Subject.of(row) for row in rows[:most]], next=sealed(rows[most - 1].pk) if len(rows) > most else None)


@reading.get("/subjects/{subject}")
async def subject(desk: AtDesk, subject: Id) -> Subject:
    return Subject.of(await _known(desk, subject))


@reading.get("/subjects/{subject}/readings")
async def readings(
    desk: AtDesk,
    subject: Id,
    since: Instant | None = None,
    until: Instant | None = None,
    most: Annotated[int, Query(ge=10, le=10_000, description="Where there are more, peaks and dips stay")] = 1_000,
) -> Readings:
    """The readings of a time, oldest first; without `since` of 30 days."""
    known, end = await _known(desk, subject), until or desk.clock.now()
    start = since or end - USUAL
    if start > end:
        raise InputError("since lies after until")
    rows = await desk.db.read(pages.readings, known.pk, start, end, LOOKED_AT)
    kept = _thinned(rows, most)
    return Readings(subject=subject, whole=len(kept) == len(rows) < LOOKED_AT, items=[ReadingSpan.of(row) for row in kept])


def _thinned(rows: Sequence[stored_readings.Point], most: int) -> Sequence[stored_readings.Point]:
    """At most about so many rows: of each metric what tells the most."""
    if len(rows) <= most:
        return rows
    told = [metric for metric in Metric if any(row.values[metric] is not None for row in rows)] or list(Metric)[:1]
    kept: set[datetime] = set()
    for metric in told:
        kept |= {point.at for point in thin([Point(row.from_at, row.values[metric]) for row in rows], max(4, most // len(told)))}
    return [row for row in rows if row.from_at in kept][-most:]


async def _known(desk: Desk, subject: str) -> Known:
    found = (await desk.db.read(stored.load, [subject])).get(SubjectId(subject))
    if found is None:
        raise missing(f"{subject} is not watched")
    return found


@reading.get("/alerts")
async def alerts(
    desk: AtDesk,
    cursor: Cursor = None,
    most: Most = 100,
    subject: Name = None,
    rule: Name = None,
    to: Name = None,
    target: Name = None,
    state: Annotated[
        str | None, Query(pattern="^(waiting|held|suppressed|pending|sending|sent|dead|dropped)$", description="Its own, or its message's")
    ] = None,
) -> Page[AlertFound]:
    """What rules found, newest first."""
    rows = await desk.db.read(pages.alerts, opened(cursor), most + 1, Wanted(subject, rule, to, target, state))
    return Page(items=[AlertFound.of(row) for row in rows[:most]], next=sealed(rows[most - 1].item.pk) if len(rows) > most else None)
