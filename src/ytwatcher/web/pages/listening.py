"""The stream that pages listen to; the same as the API's (docs/api.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query

from ytwatcher.store.events import EventKind
from ytwatcher.web.api.answers import open_stream
from ytwatcher.web.desk import AtDesk
from ytwatcher.web.live import EventStream

router = APIRouter()


@router.get("/live", response_class=EventStream)
async def live(
    desk: AtDesk,
    cursor: Annotated[str | None, Query(max_length=30)] = None,
    kinds: Annotated[list[EventKind] | None, Query(max_length=10)] = None,
    last_event_id: Annotated[str | None, Header(max_length=30)] = None,
) -> EventStream:
    return open_stream(desk, last_event_id or cursor, kinds)
