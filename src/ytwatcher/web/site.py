"""Builds the site from what it is given: routes, error pages, and the guard around them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from importlib import import_module

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from ytwatcher import __version__
from ytwatcher.errors import InputError, YTWatcherError
from ytwatcher.store import tokens
from ytwatcher.store.tokens import Scope
from ytwatcher.web import feed, health, share
from ytwatcher.web.access import is_for_programs
from ytwatcher.web.api.answers import PREFIX, Problem
from ytwatcher.web.desk import Desk
from ytwatcher.web.hall import Hall
from ytwatcher.web.pages import add, entrance, listening, outbox, overview, quota, recipients, rules, status, trying, video
from ytwatcher.web.security import FAULT, CheckToken, Guard, Refusal

PAGES: Sequence[APIRouter] = (
    overview.router,
    video.router,
    add.router,
    trying.router,
    rules.router,
    outbox.router,
    recipients.router,
    quota.router,
    status.router,
    entrance.router,
    listening.router,
    share.router,
    feed.router,
    health.router,
)
"""What people look at: a router a topic, not part of the API's description."""
NOT_FOUND = Refusal(404, "There is no such page", "Perhaps what it was about is not watched any more. The overview has all that is.")
log = structlog.get_logger(__name__)


def token_check(desk: Desk) -> CheckToken:
    """What tokens may do; each scope includes those before it."""
    order = list(Scope)

    async def check(token: str) -> frozenset[str] | None:
        scope = await desk.db.read(tokens.scope_of, token)
        return None if scope is None else frozenset(order[: order.index(scope) + 1])

    return check


class _Whole:
    """The site; its API takes a tenth of a second to load, and waits for the first program that asks."""

    def __init__(self, site: FastAPI) -> None:
        self._site, self._has_api = site, False

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if not self._has_api and scope["path"].startswith(PREFIX):
            self._has_api = True
            for router in import_module("ytwatcher.web.api.routers").API:
                self._site.include_router(router)
        await self._site(scope, receive, send)


def build_site(desk: Desk) -> Guard:
    """The ASGI application."""
    site = FastAPI(title="YT Watcher", version=__version__, docs_url=None, redoc_url=None, openapi_url=f"{PREFIX}/openapi.json")
    site.state.desk, site.state.hall = desk, Hall(desk.clock, desk.access, desk.sessions, desk.templates)
    for router in PAGES:
        site.include_router(router, include_in_schema=False)
    site.mount("/static", StaticFiles(packages=[("ytwatcher.web", "static")]))
    site.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6)
    site.add_exception_handler(HTTPException, partial(_http_error, desk))
    site.add_exception_handler(YTWatcherError, partial(_our_error, desk))
    site.add_exception_handler(Problem, partial(_problem, desk))
    site.add_exception_handler(RequestValidationError, partial(_not_valid, desk))
    site.add_exception_handler(Exception, partial(_fault, desk))
    return Guard(_Whole(site), desk.access, desk.sessions, partial(refused, desk), token_check(desk))


def refused(desk: Desk, request: Request, refusal: Refusal) -> Response:
    """The answer to a refused request: a page, or for a program a problem (RFC 9457)."""
    if is_for_programs(request.url.path):
        problem = {"type": "about:blank", "title": refusal.title, "status": refusal.status, "detail": refusal.text}
        headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
        return Response(json.dumps(problem), refusal.status, headers, "application/problem+json")
    return desk.page(request, "refused.html", refusal.status, refusal=refusal)


async def _http_error(desk: Desk, request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = NOT_FOUND if error.status_code == 404 else Refusal(error.status_code, "This does not work", str(error.detail))
    answer = refused(desk, request, refusal)
    answer.headers.update(error.headers or {})
    return answer


async def _problem(desk: Desk, request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return refused(desk, request, Refusal(error.status, error.title, error.detail))


async def _our_error(desk: Desk, request: Request, error: Exception) -> Response:
    """What is told in a sentence in the terminal is told in one here."""
    status = 400 if isinstance(error, InputError) or getattr(error, "exit_code", 1) == InputError.exit_code else 503
    return refused(desk, request, Refusal(status, "This does not work", str(error)))


async def _not_valid(desk: Desk, request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors()]
    return refused(desk, request, Refusal(422, "This does not work", "; ".join(faults)))


async def _fault(desk: Desk, request: Request, error: Exception) -> Response:
    """The guard logs it."""
    return refused(desk, request, FAULT)
