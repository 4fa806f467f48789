"""The connection under a response: hanging up in the middle of one, and noticing that the other side did."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HANG_UP = "hang_up"
"""The key in an ASGI scope's `state` under which `server.serve` puts the function that closes the connection."""


async def gone(receive: Receive) -> None:
    """Return once the client has hung up; the request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def pause(seconds: float, receive: Receive) -> None:
    """Wait `seconds` of real time, or less when the client hangs up."""
    try:
        await asyncio.wait_for(gone(receive), seconds)
    except TimeoutError:
        return


class NoAnswer(Response):
    """Closes the connection without a word, as a network does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][HANG_UP]()
        await gone(receive)


class CutAnswer(Response):
    """Sends the headers and half of the body, then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body[: len(self.body) // 2]), "more_body": True})
        scope["state"][HANG_UP]()
        await gone(receive)
