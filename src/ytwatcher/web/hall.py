"""What there is before anybody has come in: the login, the look, and pages that need no journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ytwatcher.clock import Clock
from ytwatcher.web.access import Access
from ytwatcher.web.security import Visitor
from ytwatcher.web.sessions import Attempts, Sessions


@dataclass(frozen=True, slots=True)
class Hall:
    """Who may come, and what templates are filled by."""

    clock: Clock
    access: Access
    sessions: Sessions
    templates: Environment
    attempts: Attempts = field(default_factory=Attempts)

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        return filled(self.templates, self.access, self.clock.now(), request, template, status, values)


def filled(
    templates: Environment, access: Access, now: datetime, request: Request, template: str, status: int, values: dict[str, Any]
) -> HTMLResponse:
    """A filled template; every one knows the `visitor`, the `path`, the `look` and the present instant `now`."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    look = request.cookies.get("look", "")
    known = {
        "visitor": visitor,
        "path": request.url.path,
        "look": look if look in ("dark", "light") else "",
        "now": now,
        "locked": access.web.password is not None,
    }
    return HTMLResponse(templates.get_template(template).render({**known, **values}), status)


def hall_of(request: Request) -> Hall:
    hall = request.app.state.hall
    assert isinstance(hall, Hall)
    return hall


def visitor_of(request: Request) -> Visitor:
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor)
    return visitor


AtHall = Annotated[Hall, Depends(hall_of)]
OfVisitor = Annotated[Visitor, Depends(visitor_of)]
