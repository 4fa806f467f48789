"""Serving the site on one address inside the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

GRACE = 2
"""Seconds for answers in hand when the process ends."""
AT_ONCE = 2_000
"""Connections that are served at once; past them a browser is told to come back."""


class _Server(uvicorn.Server):
    """Leaves the process's signals alone, and sleeps as long as nothing is to be done."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.stopping.wait()


async def serve(site: ASGIApp, listener: socket.socket) -> None:
    """Serve until cancelled; then answers in hand have a moment to end. The port stays taken as long as the caller keeps its socket."""
    config = uvicorn.Config(
        site,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    with listener.dup() as own:
        running = asyncio.create_task(server.serve([own]))
        try:
            await asyncio.shield(running)
        finally:
            server.stopping.set()
            server.should_exit = True
            await running
