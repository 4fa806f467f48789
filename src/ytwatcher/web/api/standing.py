"""How all is: status and quota; links that show something without login; and what happens, as a stream."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import BaseModel
from starlette.requests import Request

from ytwatcher import __version__, condition, outlook
from ytwatcher.core.model import BIGGEST
from ytwatcher.core.quota import Bucket
from ytwatcher.core.schedule import expected_delay
from ytwatcher.outlook import Budget
from ytwatcher.store import pages, tokens
from ytwatcher.store import recipients as stored_recipients
from ytwatcher.store.events import EventKind
from ytwatcher.store.tokens import Share, ShareKind
from ytwatcher.web.api.answers import Page, missing, open_stream, router
from ytwatcher.web.api.watching import Asked, Line
from ytwatcher.web.desk import AtDesk
from ytwatcher.web.live import EventStream
from ytwatcher.web.share import link_of

SECRET_BYTES = 32
reading = router("Service")
administering = router("Service", "admin")


class Status(BaseModel):
    """`needs_a_hand` is empty where all is well."""

    version: str
    needs_a_hand: list[str]
    targets: int
    videos: int
    channels: int
    readings_since: datetime | None
    last_read_at: datetime | None
    outbox: dict[str, int]
    unsent_since: datetime | None
    listeners: int


class BucketToday(BaseModel):
    """Units of one daily quota; `planned` are calls expected until the day ends."""

    limit: int
    reserve: int
    used: dict[str, int]
    planned: dict[str, int]
    left: int
    closed_at: datetime | None
    probe_at: datetime | None
    resets_at: datetime


class Quota(BaseModel):
    """Spans in seconds; the delay is what to expect between a number passed at YouTube and the reading that shows it."""

    buckets: dict[Bucket, BucketToday]
    videos: int
    videos_near_a_number: int
    interval: float
    interval_near_a_number: float
    expected_delay: float
    expected_delay_near_a_number: float
    reason: str


class NewShare(Asked):
    """A link to a recipient's watch on `target`, or without it to a feed of a recipient's alerts (without `to`: of everybody's)."""

    target: Line | None = None
    to: Line | None = None


class ShareMade(BaseModel):
    """`link` is shown only once."""

    id: int
    kind: ShareKind
    target: str | None
    to: str | None
    made_at: datetime
    link: str | None = None

    @classmethod
    def of(cls, share: Share, link: str | None = None) -> ShareMade:
        return cls(id=share.pk, kind=share.kind, target=share.target_id, to=share.address, made_at=share.made_at, link=link)


@reading.get("/status")
async def status(desk: AtDesk) -> Status:
    """Is all well."""
    found = await desk.db.read(condition.look, desk.settings, True, desk.clock.now())
    return Status(
        version=__version__,
        needs_a_hand=list(condition.needs(found, desk.settings)),
        targets=len(found.targets),
        videos=found.videos,
        channels=found.channels,
        readings_since=found.since_at,
        last_read_at=found.read_at,
        outbox=found.outbox,
        unsent_since=found.unsent.since_at if found.unsent else None,
        listeners=desk.live.listeners,
    )


@reading.get("/quota")
async def quota(desk: AtDesk) -> Quota:
    """What the day's quota is spent on, what is left, and how old news is."""
    found = await desk.db.read(outlook.look_ahead, desk.settings, desk.clock.now())
    plan = found.statistics
    return Quota(
        buckets={one.ledger.bucket: _today(one) for one in found.budgets},
        videos=found.videos,
        videos_near_a_number=found.near,
        interval=plan.interval.total_seconds(),
        interval_near_a_number=plan.near_interval.total_seconds(),
        expected_delay=expected_delay(plan.interval).total_seconds(),
        expected_delay_near_a_number=expected_delay(plan.near_interval).total_seconds(),
        reason=plan.reason,
    )


def _today(budget: Budget) -> BucketToday:
    ledger = budget.ledger
    return BucketToday(
        limit=ledger.limit,
        reserve=ledger.reserve,
        used={str(share): units for share, units in ledger.used.items()},
        planned={str(share): units for share, units in budget.planned.items()},
        left=ledger.left,
        closed_at=ledger.closed_at,
        probe_at=ledger.probe_at,
        resets_at=ledger.day.end_at,
    )


@administering.get("/shares")
async def shares(desk: AtDesk) -> Page[ShareMade]:
    """The links that show something without login; all on one page."""
    return Page(items=[ShareMade.of(one) for one in await desk.db.read(tokens.shares)], next=None)


@administering.post("/shares", status_code=201)
async def share(request: Request, desk: AtDesk, wanted: NewShare) -> ShareMade:
    """Make a link; whoever has it may look, until it is revoked or the watch ends."""
    address = wanted.to or (desk.settings.telegram.operator if wanted.target else None)
    if wanted.target is not None and not await desk.db.read(pages.watches, 0, 1, address, wanted.target):
        raise missing(f"{address} does not watch {wanted.target}; name it by its id")
    if address is not None and await desk.db.read(stored_recipients.find, address) is None:
        raise missing(f"{address} is told nothing")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    made = await desk.db.write(tokens.add_share, secret, wanted.target, address, desk.clock.now())
    return ShareMade.of(made, link_of(desk.site_url(request), made.kind, secret))


@administering.delete("/shares/{share}", status_code=204)
async def revoke(desk: AtDesk, share: Annotated[int, Path(ge=1, le=BIGGEST)]) -> None:
    """End a link."""
    if not await desk.db.write(tokens.revoke_share, share):
        raise missing(f"there is no link {share}")


@reading.get(
    "/stream",
    response_class=EventStream,
    responses={200: {"description": "Server-sent events: reading, alert, message, started, reset", "content": {"text/event-stream": {}}}},
)
async def stream(
    desk: AtDesk,
    cursor: Annotated[str | None, Query(max_length=30, description="The id of the last event that was seen")] = None,
    kinds: Annotated[list[EventKind] | None, Query(max_length=10, description="Only these")] = None,
    last_event_id: Annotated[str | None, Header(max_length=30, description="Wins over `cursor`: browsers send it")] = None,
) -> EventStream:
    """What happens, as it happens, with replay from the last event that was seen (docs/api.md)."""
    return open_stream(desk, last_event_id or cursor, kinds)
