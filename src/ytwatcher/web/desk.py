"""What the pages and the API work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ytwatcher.clock import Clock, Pulse
from ytwatcher.drawing import Pictures
from ytwatcher.errors import YTWatcherError
from ytwatcher.people import People
from ytwatcher.settings import Settings
from ytwatcher.store.access import Limits
from ytwatcher.store.db import Database
from ytwatcher.watches import Watches
from ytwatcher.web.access import Access
from ytwatcher.web.bundle import Bundle
from ytwatcher.web.hall import OfVisitor, filled
from ytwatcher.web.live import Live
from ytwatcher.web.metrics import Gauges
from ytwatcher.web.sessions import Attempts, Sessions
from ytwatcher.web.thumbnails import Thumbnails

Perform = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Does what a command wants (`App.perform`): `{"ok": …}` or `{"error": text, "exit_code": n}`."""


class RefusedError(YTWatcherError):
    """What was wanted was refused; the text is for the person who wanted it."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Desk:
    """The use cases, the journal, the clock, and what the templates are filled by."""

    settings: Settings
    db: Database
    clock: Clock
    watches: Watches
    perform: Perform
    access: Access
    sessions: Sessions
    templates: Environment
    thumbnails: Thumbnails
    bundle: Bundle
    drawing: Pictures
    live: Live
    gauges: Gauges
    pulses: Mapping[str, Pulse]
    """The loops that must not hang, by name."""
    attempts: Attempts = field(default_factory=Attempts)

    async def do(self, kind: str, **payload: Any) -> Any:
        """Have done what a command of that kind wants.

        Raises:
            RefusedError: it was refused.
        """
        outcome = await self.perform(kind, payload)
        if "error" in outcome:
            raise RefusedError(outcome["error"], outcome["exit_code"])
        return outcome["ok"]

    @property
    def people(self) -> People:
        """Who is told, and what each may do."""
        telegram = self.settings.telegram
        limits = Limits(**dict(self.settings.access))
        return People(self.db, self.clock, telegram.operator, limits, telegram.language, telegram.timezone)

    def site_url(self, request: Request) -> str:
        """Where the site is, as links name it; the request's own address where the settings name none."""
        return self.settings.web.public_url or str(request.base_url).rstrip("/")

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A filled template (web/hall.py); it knows the `cursor` from which its stream goes on."""
        values = {"cursor": getattr(request.state, "cursor", 0), **values}
        return filled(self.templates, self.access, self.clock.now(), request, template, status, values)


def desk_of(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    request.state.cursor = desk.live.newest  # before anything is read: a page and its stream have no gap between them
    return desk


AtDesk = Annotated[Desk, Depends(desk_of)]
"""A handler's parameter: `async def show(request: Request, desk: AtDesk) -> Response`."""

__all__ = ["AtDesk", "Desk", "OfVisitor", "Perform", "RefusedError"]
