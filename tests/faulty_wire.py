"""Carries requests to the doubles by function calls, slowly or not at all where wanted; an oracle reads YouTube's answers on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from oracle import Oracle
from virtual_clock import VirtualClock
from ytwatcher.simulator import TelegramDouble, YouTubeDouble
from ytwatcher.simulator.connection import HANG_UP

PATIENCE = timedelta(seconds=30)
"""As long as a client waits for an answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the way to a host until then."""

    host: str
    kind: str
    until: datetime
    delay: timedelta


class Wire(httpx.AsyncBaseTransport):
    """The way to both doubles. Its faults: `slow` (the answer takes `delay`), `timeout` (the answer comes too late: what was asked for has
    happened), `no network` (nothing was asked), `doubled` (each item stands twice in the answer) and `old` (the answer to the last call).

    `slow_now`: how many answers are on their way.
    """

    def __init__(self, youtube: YouTubeDouble, telegram: TelegramDouble, clock: VirtualClock, oracle: Oracle) -> None:
        self._ways = {"youtube": httpx.ASGITransport(_connected(youtube.app)), "telegram": httpx.ASGITransport(_connected(telegram.app))}
        self._clock, self._oracle = clock, oracle
        self._faults: list[Fault] = []
        self._last: dict[str, bytes] = {}
        self.slow_now = 0
        self.refused_at: list[datetime] = []
        """When YouTube did not take the key."""

    def fail(self, host: str, kind: str, until: datetime, delay: timedelta) -> None:
        self._faults.append(Fault(host, kind, until, delay))

    def clear(self) -> None:
        self._faults.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self._faults = [fault for fault in self._faults if fault.until > self._clock.now()]
        fault = next((fault for fault in self._faults if fault.host == host), None)
        kind = fault.kind if fault else ""
        if kind == "no network":
            raise httpx.ConnectError("no route to host")
        response = await self._ways[host].handle_async_request(request)
        if fault and kind in ("slow", "timeout"):
            await self._pass(fault.delay if kind == "slow" else PATIENCE)
        if kind == "timeout":
            raise httpx.ReadTimeout("no answer in time")
        return await self._from_youtube(request, response, kind) if host == "youtube" else response

    async def _pass(self, span: timedelta) -> None:
        self.slow_now += 1
        try:
            await self._clock.wait(self._clock.now() + span)
        finally:
            self.slow_now -= 1

    async def _from_youtube(self, request: httpx.Request, response: httpx.Response, kind: str) -> httpx.Response:
        body = await response.aread()
        if response.status_code == 400 and b"API key not valid" in body:
            self.refused_at.append(self._clock.now())
        if response.status_code != 200:
            return httpx.Response(response.status_code, content=body)
        path = request.url.path
        fresh = body
        if kind == "doubled":
            body = _doubled(body)
        elif kind == "old":
            body = self._last.get(path, body)
        self._last[path] = fresh
        asked = request.url.params.get("id", "").split(",")
        self._oracle.see(asked, body, self._clock.now(), proves_absence=path.endswith("/videos"))
        return httpx.Response(200, content=body)


def _doubled(body: bytes) -> bytes:
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    if "items" in answer:
        answer["items"] *= 2
    return json.dumps(answer).encode()


def _connected(app: ASGIApp) -> ASGIApp:
    def hang_up() -> None:
        raise httpx.RemoteProtocolError("the other side hung up")

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {HANG_UP: hang_up}}, receive, send)

    return served
