"""What happens, told to everybody who listens: the pages and programs, over server-sent events.

One reader follows the journal's events (store/events.py) and keeps the newest ones, ready to be sent. A listener is nothing but the number
of the last event it was told: who reconnects with it misses nothing and hears nothing twice, and who is slow costs no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ytwatcher.core.wording import iso
from ytwatcher.store import events
from ytwatcher.store.db import Database
from ytwatcher.store.events import Event, EventKind

NEWEST = 2_000
"""How many events are kept ready; what is older is read from the journal for who asks for it."""
AT_ONCE = 500
MOST_LISTENERS = 1_000
HEARTBEAT, PATIENCE = 15.0, 30.0
"""Seconds: after which silence is broken, and for which a listener may take nothing before it is dropped."""
_RESET: Final = b"event: reset\ndata: {}\n\n"
log = structlog.get_logger(__name__)


class Live:
    """Follows what happens. `run` is a loop; every listener is an iterator of what to send next.

    Args:
        observe: is shown every event, once (the gauges).
    """

    def __init__(self, db: Database, observe: Callable[[Event], None]) -> None:
        self._db, self._observe = db, observe
        self._written, self._moved = asyncio.Event(), asyncio.Event()
        self._seqs: list[int] = []
        self._ready: list[tuple[EventKind, bytes]] = []
        self._since = self._newest = 0
        self._ended = False
        self.began = asyncio.Event()
        self.listeners = 0

    @property
    def newest(self) -> int:
        """The cursor of now: who listens from here on misses nothing that comes."""
        return self._newest

    async def run(self) -> None:
        """Follow the journal until cancelled; then every listener's stream ends."""
        self._db.written = self._written.set
        try:
            await self._db.write(events.record)
            self._since = self._newest = (await self._db.read(events.kept)).newest
            self.began.set()
            while True:
                await self._written.wait()
                self._written.clear()
                await self._follow()
        finally:
            self._ended, self._db.written = True, None
            self.began.set()
            self._moved.set()

    async def _follow(self) -> None:
        while (page := await self._db.read(events.after, self._newest, AT_ONCE)).last > self._newest:
            for event in page.events:
                self._observe(event)
                self._seqs.append(event.seq)
                self._ready.append((event.kind, as_sent(event)))
            if len(self._seqs) > 2 * NEWEST:
                self._since = self._seqs[-NEWEST - 1]
                del self._seqs[:-NEWEST], self._ready[:-NEWEST]
            self._newest = page.last
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()

    async def listen(self, cursor: int | None, kinds: frozenset[EventKind]) -> AsyncGenerator[bytes]:
        """What to send to one listener, for ever: all that comes after `cursor`, or (None) from now on."""
        self.listeners += 1
        try:
            await self.began.wait()
            at = self._newest if cursor is None else cursor
            yield b"retry: 2000\n" + _mark(at)
            while not self._ended:
                moved = self._moved
                chunk, reached = await self._next(at, kinds)
                if chunk or reached != at:
                    at = reached
                    yield chunk + _mark(at)
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await moved.wait()
                except TimeoutError:
                    yield b":\n\n"
        finally:
            self.listeners -= 1

    async def _next(self, at: int, kinds: frozenset[EventKind]) -> tuple[bytes, int]:
        if self._since <= at <= self._newest:
            ready = self._ready[bisect_right(self._seqs, at) :] if at < self._newest else []
            return b"".join(chunk for kind, chunk in ready if kind in kinds), self._newest
        kept = await self._db.read(events.kept)
        if not kept.oldest - 1 <= at <= kept.newest:
            return _RESET, self._newest  # it is too old, or was never given: what is missed is missed
        page = await self._db.read(events.after, at, AT_ONCE)
        return b"".join(as_sent(event) for event in page.events if event.kind in kinds), page.last


def as_sent(event: Event) -> bytes:
    """The event as it goes over the wire; JSON in ASCII has no line end of its own."""
    data = json.dumps({"at": iso(event.at), **event.facts}, separators=(",", ":"))
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {data}\n\n".encode()


def _mark(seq: int) -> bytes:
    """Moves a listener's cursor; without data it is no event."""
    return f"id: {seq}\n\n".encode()


def cursor_of(text: str | None) -> int | None:
    """The number that a listener names; one that is none counts as one that was never given."""
    if text is None or text == "":
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -2


class EventStream(Response):
    """Sends what an iterator gives, until the listener leaves, takes nothing for too long, or there is no more."""

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[bytes], status_code: int = 200, *, patience: float = PATIENCE) -> None:
        self._chunks, self._patience = chunks, patience
        self.status_code, self.background = status_code, None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        telling, leaving = asyncio.create_task(self._tell(send)), asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end((telling, leaving))
        if not telling.cancelled():
            telling.result()

    async def _tell(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:
            try:
                async for chunk in chunks:
                    async with asyncio.timeout(self._patience):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except TimeoutError:
                log.info("listener_dropped", reason=f"it took nothing for {self._patience:.0f} seconds")
                return
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
