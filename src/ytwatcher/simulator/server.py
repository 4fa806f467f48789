"""Serving an application on a loopback port inside the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ytwatcher.simulator.connection import HANG_UP


class _Protocol(H11Protocol):
    """Hands the application a way to hang up, which ASGI does not have."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as H11Protocol itself declares it
        super().connection_made(transport)
        self.app_state = {**self.app_state, HANG_UP: transport.close}


class _Server(uvicorn.Server):
    """Leaves the process's signals alone, says when it listens, and stops at once, open connections or not."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        while self.server_state.connections:
            for connection in list(self.server_state.connections):
                cast(_Protocol, connection).transport.abort()
            await asyncio.sleep(0)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks)


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on 127.0.0.1 (port 0: a free one) and yield its base URL, without a slash at the end."""
    # With the protocol named, asyncio sends small packets at once; without, an answer in two writes waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, http=_Protocol, ws="none", lifespan="off", log_config=None, log_level="warning", access_log=False, date_header=False
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve([listener]))
        await server.listening.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stopping.set()
            await running
