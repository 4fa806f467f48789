"""How the API answers: problems (RFC 9457), tags of what was read, cursors, and who may do what."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import AfterValidator, AwareDatetime, BaseModel

from ytwatcher.core.model import BIGGEST
from ytwatcher.store.events import EventKind
from ytwatcher.web.desk import Desk, OfVisitor
from ytwatcher.web.live import MOST_LISTENERS, EventStream, cursor_of

T = TypeVar("T")
PREFIX = "/api/v1"
_FIELDS = {
    "type": {"type": "string"},
    "title": {"type": "string"},
    "status": {"type": "integer"},
    "detail": {"type": "string"},
}
PROBLEM: dict[str, Any] = {
    "description": "Why it was refused",
    "content": {"application/problem+json": {"schema": {"type": "object", "properties": _FIELDS, "required": list(_FIELDS)}}},
}


class Problem(Exception):
    """An answer that is a problem."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


def missing(what: str) -> Problem:
    return Problem(404, "There is no such thing", what)


class TaggedRoute(APIRoute):
    """Gives what was read a tag, and answers 304 to who has it already."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            answer = await handle(request)
            if request.method != "GET" or answer.status_code != 200 or answer.headers.get("content-type") != "application/json":
                return answer
            tag = f'W/"{hashlib.sha256(bytes(answer.body)).hexdigest()[:24]}"'
            answer.headers["etag"], answer.headers["cache-control"] = tag, "private, no-cache"
            known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
            if tag in known or "*" in known:
                return Response(status_code=304, headers={"etag": tag, "cache-control": "private, no-cache"})
            return answer

        return tagged


def router(topic: str, needs: str = "read") -> APIRouter:
    """A router of the API; what it holds needs that scope."""
    guards = [Depends(HTTPBearer(auto_error=False, description="A token of `ytwatcher web token add`")), scoped(needs)]
    return APIRouter(prefix=PREFIX, tags=[topic], route_class=TaggedRoute, dependencies=guards, responses={"default": PROBLEM})


def scoped(needs: str) -> Any:
    """See that the visitor may do it.

    Raises:
        Problem: they may not.
    """

    def check(visitor: OfVisitor) -> None:
        if needs not in visitor.scopes:
            raise Problem(403, "This token may not do that", f"It needs the scope {needs}; `ytwatcher web token add` makes another token.")

    return Depends(check)


def open_stream(desk: Desk, cursor: str | None, kinds: list[EventKind] | None) -> EventStream:
    """A listener's answer.

    Raises:
        Problem: there are too many.
    """
    if desk.live.listeners >= MOST_LISTENERS:
        raise Problem(503, "Too many listen", f"At most {MOST_LISTENERS:,} listeners are served at once; come back later.")
    wanted = frozenset(kinds or EventKind) | {EventKind.STARTED}
    return EventStream(desk.live.listen(cursor_of(cursor), wanted))


def sealed(*key: int | str) -> str:
    """An opaque cursor: where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def opened(cursor: str | None) -> int | None:
    """The number that a page ended with; None: there was no page before.

    Raises:
        Problem: it is no cursor of ours.
    """
    if cursor is None:
        return None
    try:
        (found,) = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        if type(found) is int and 0 <= found <= BIGGEST:
            return found
    except (ValueError, TypeError):
        pass
    raise Problem(400, "This is no cursor", "Send what `next` of the page before was, or leave it out for the first page.")


class Page(BaseModel, Generic[T]):
    """A part of a list; `next` is the cursor of the following part, null at the end."""

    items: list[T]
    next: str | None


def _storable(at: datetime) -> datetime:
    found = at.astimezone(UTC)
    if not 1970 <= found.year < 9000:
        raise ValueError("lies outside of the years 1970 to 8999")
    return found


def _in_range(at: datetime) -> datetime:
    try:
        return _storable(at)
    except OverflowError:
        raise ValueError("lies outside of the years 1970 to 8999") from None


Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
Most = Annotated[int, Query(ge=1, le=500, description="How many at most")]
Instant = Annotated[AwareDatetime, AfterValidator(_in_range)]
