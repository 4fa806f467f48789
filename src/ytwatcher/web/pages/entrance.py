"""Coming in and going out: the password."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ytwatcher.web.hall import AtHall, Hall, OfVisitor
from ytwatcher.web.sessions import Session, is_password

LONGEST, YEAR = 1_000, 365 * 86_400
log = structlog.get_logger(__name__)
router = APIRouter()


@router.get("/login")
async def ask(request: Request, hall: AtHall, visitor: OfVisitor, next: str = "/") -> Response:
    if visitor.scopes or hall.access.web.password is None:
        return RedirectResponse(_own_path(next), 303)
    return hall.page(request, "login.html", next=_own_path(next), fault=None)


@router.post("/login")
async def enter(
    request: Request, hall: AtHall, password: Annotated[str, Form(max_length=LONGEST)] = "", next: Annotated[str, Form()] = "/"
) -> Response:
    wanted, peer, now = hall.access.web.password, _peer(request, hall), hall.clock.now()
    if wanted is None:
        return RedirectResponse("/", 303)
    if (wait := hall.attempts.wait(peer, now)) is not None:
        fault = f"Too many wrong passwords. Try again in {_wait_text(wait.total_seconds())}."
        return hall.page(request, "login.html", 429, next=_own_path(next), fault=fault)
    # Counted before it is looked at: many at once are not let through together.
    hall.attempts.failed(peer, now)
    if not await asyncio.to_thread(is_password, wanted, password):
        log.warning("login_refused", peer=peer)
        return hall.page(request, "login.html", 401, next=_own_path(next), fault="That is not the password.")
    hall.attempts.succeeded(peer)
    answer = RedirectResponse(_own_path(next), 303)
    _give(answer, hall, hall.sessions.new(inside=True))
    return answer


@router.post("/logout")
async def leave(hall: AtHall) -> Response:
    answer = RedirectResponse("/login", 303)
    _give(answer, hall, hall.sessions.new(inside=False))
    return answer


@router.get("/look")
async def change_look(request: Request, hall: AtHall, look: str = "dark") -> Response:
    """Dark or light, for this browser. It changes nothing else, so a link may do it."""
    answer = RedirectResponse(_own_path(urlsplit(request.headers.get("referer", "/")).path), 303)
    if look in ("dark", "light"):
        answer.set_cookie("look", look, max_age=YEAR, samesite="lax", secure=hall.access.secure)
    return answer


def _give(answer: Response, hall: Hall, session: Session) -> None:
    answer.headers["set-cookie"] = hall.access.cookie_header(hall.sessions.sealed(session))


def _own_path(text: str) -> str:
    """A path of this site, whatever a link made of it."""
    parts = urlsplit(text)
    fits = text.startswith("/") and not text.startswith("//") and "\\" not in text and not parts.netloc and text.isprintable()
    return text if fits else "/"


def _peer(request: Request, hall: Hall) -> str:
    """Who guesses: behind a trusted proxy the last one whom it names."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded if forwarded and hall.access.is_proxy(peer) else peer


def _wait_text(seconds: float) -> str:
    return f"{int(seconds) + 1} seconds" if seconds < 120 else f"{int(seconds) // 60 + 1} minutes"
