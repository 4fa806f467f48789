"""The first run: a page that says what is missing, takes it, has it checked, and hands it over. It needs no journal.

A key that was given stays in this process until it is stored; no page ever shows it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from ytwatcher.clock import Clock
from ytwatcher.core.addresses import check_address
from ytwatcher.errors import InputError, YTWatcherError
from ytwatcher.secret import Secret
from ytwatcher.settings import Settings
from ytwatcher.web.access import Access
from ytwatcher.web.hall import Hall
from ytwatcher.web.pages import entrance
from ytwatcher.web.security import Guard, Refusal
from ytwatcher.web.serving import serve
from ytwatcher.web.sessions import Sessions, load_key
from ytwatcher.web.templating import environment

LONGEST = 300
WAITS = "waits for its keys\n"
machines = APIRouter()
"""What machines ask meanwhile."""
SEE_ANSWER = 1.0
"""Seconds in which the last answer is sent before the site proper takes the port."""


@dataclass(frozen=True, slots=True)
class Found:
    """A chat that has written to the bot."""

    address: str
    described: str


@dataclass(frozen=True, slots=True)
class Steps:
    """What is done with what was given; each raises YTWatcherError, whose text is for the person.

    check_key: what is to be remarked about a key that is taken. check_token: the bot's @name. store: where it was stored.
    """

    check_key: Callable[[Secret], Awaitable[str | None]]
    check_token: Callable[[Secret], Awaitable[str]]
    find_chats: Callable[[Secret], Awaitable[Sequence[Found]]]
    store: Callable[[Secret, Secret | None, str], Awaitable[str]]


@dataclass(slots=True)
class FirstRun:
    """How far it is.

    operator: who is told, where a bot is configured already. bot: the bot's name once its token was taken. stored: where all was stored,
    and that is the end.
    """

    steps: Steps
    operator: str | None
    key: Secret | None = None
    remark: str | None = None
    token: Secret | None = None
    bot: str | None = None
    chats: Sequence[Found] = ()
    stored: str | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def take_key(self, text: str) -> None:
        if self.key is None:
            key = Secret(_given(text, "the API key"))
            self.remark = await self.steps.check_key(key)
            self.key = key

    async def take_token(self, text: str) -> None:
        token = Secret(_given(text, "the bot token"))
        self.bot = await self.steps.check_token(token)
        self.token = token

    async def look_for_chats(self) -> None:
        if self.token is not None:
            self.chats = await self.steps.find_chats(self.token)

    async def finish(self, address: str) -> None:
        if self.key is None:
            raise InputError("the API key is missing")
        if self.stored is None:
            self.stored = await self.steps.store(self.key, self.token, check_address(self.operator or address))
            self.key = self.token = None
            asyncio.get_running_loop().call_later(SEE_ANSWER, self.done.set)


async def ask(settings: Settings, clock: Clock, steps: Steps, listener: socket.socket, stop: asyncio.Event, operator: str | None) -> bool:
    """Serve the page until all was given, or `stop`; whether it was. `operator`: who is told, where a bot is configured already.

    Raises:
        ConfigError: the data folder cannot be made.
    """
    settings.data.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    access = Access(settings.web, listener.getsockname()[1])
    hall = Hall(clock, access, Sessions(load_key(settings.data.dir), settings.web.password), environment())
    run = FirstRun(steps, operator)
    serving = asyncio.create_task(serve(build(hall, run), listener))
    waits = [asyncio.create_task(event.wait()) for event in (run.done, stop)]
    await asyncio.wait([serving, *waits], return_when=asyncio.FIRST_COMPLETED)
    for task in (serving, *waits):
        task.cancel()
    await asyncio.wait([serving, *waits])
    return run.done.is_set()


def build(hall: Hall, run: FirstRun) -> Guard:
    """The ASGI application: this page, the login, and nothing else."""
    site = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    site.state.hall = hall
    site.include_router(entrance.router)
    site.mount("/static", StaticFiles(packages=[("ytwatcher.web", "static")]))

    def shown(request: Request, fault: str | None = None) -> Response:
        return hall.page(request, "first_run.html", 400 if fault else 200, run=run, fault=fault)

    async def step(request: Request, work: Awaitable[Any]) -> Response:
        try:
            await work
        except YTWatcherError as error:
            return shown(request, str(error))
        return RedirectResponse("/", 303)

    @site.post("/setup/key")
    async def key(request: Request, key: Annotated[str, Form(max_length=LONGEST)] = "") -> Response:
        return await step(request, run.take_key(key))

    @site.post("/setup/bot")
    async def bot(request: Request, token: Annotated[str, Form(max_length=LONGEST)] = "") -> Response:
        return await step(request, run.take_token(token))

    @site.post("/setup/chats")
    async def chats(request: Request) -> Response:
        return await step(request, run.look_for_chats())

    @site.post("/setup/finish")
    async def finish(request: Request, address: Annotated[str, Form(max_length=LONGEST)] = "console") -> Response:
        return await step(request, run.finish(address))

    site.include_router(machines)

    @site.get("/{path:path}")
    async def show(request: Request) -> Response:
        return shown(request)

    return Guard(site, hall.access, hall.sessions, partial(_refused, hall), _no_token)


@machines.get("/healthz")
async def _alive() -> Response:
    return Response(WAITS, media_type="text/plain")


@machines.get("/readyz")
@machines.get("/metrics")
async def _not_ready() -> Response:
    return Response(WAITS, 503, media_type="text/plain")


async def _no_token(token: str) -> frozenset[str] | None:
    return None


def _refused(hall: Hall, request: Request, refusal: Refusal) -> Response:
    return hall.page(request, "refused.html", refusal.status, refusal=refusal)


def _given(text: str, what: str) -> str:
    if not text.strip():
        raise InputError(f"{what} is missing")
    return text.strip()
