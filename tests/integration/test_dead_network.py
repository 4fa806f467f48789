"""A name that nobody resolves, and a proxy that answers all requests with a page: neither says anything about videos or chats."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing
from ytwatcher.simulator import make_video_id, serve
from ytwatcher.telegram.sender import TelegramSender
from ytwatcher.youtube.client import YouTubeClient
from ytwatcher.youtube.faults import Act, YouTubeError

NOWHERE = "http://no-such-name.invalid"
TOKEN = "123456789:AACanaryCanaryCanaryCanaryCanaryCan"


def answering(answer: Callable[[Request], Response]) -> Starlette:
    async def any_path(request: Request) -> Response:
        return answer(request)

    return Starlette(routes=[Route("/{path:path}", any_path, methods=["GET", "POST"])])


PAGE = answering(lambda request: HTMLResponse("<html>Sign in to the Wi-Fi</html>"))
FORBIDDEN = answering(lambda request: HTMLResponse("<html>Blocked by policy</html>", 403))
ELSEWHERE = answering(lambda request: RedirectResponse("http://login.invalid/"))


async def asked(url: str) -> YouTubeError:
    async with YouTubeClient(f"{url}/youtube/v3", "key") as client:
        with pytest.raises(YouTubeError) as caught:
            await client.videos([make_video_id(1)])
    return caught.value


async def sent(url: str) -> DeliveryError:
    async with TelegramSender(url, TOKEN) as sender:
        with pytest.raises(DeliveryError) as caught:
            await sender.send("telegram:1", Outgoing("<b>Hello</b>", "Hello"))
        assert not await sender.alive()
    return caught.value


def behind(proxy: Starlette, what: Callable[[str], Awaitable[None]]) -> None:
    async def go() -> None:
        async with serve(proxy) as url:
            await what(url)

    asyncio.run(go())


def test_a_dead_dns_is_a_network_fault_and_certainly_nothing_was_sent() -> None:
    async def go() -> None:
        error = await asked(NOWHERE)
        assert (error.act, error.reason) == (Act.BACK_OFF, "network")
        assert (await sent(NOWHERE)).failure is Failure.UNREACHABLE

    asyncio.run(go())


@pytest.mark.parametrize("proxy", [PAGE, FORBIDDEN, ELSEWHERE])
def test_a_proxys_own_answer_proves_nothing_and_is_tried_again(proxy: Starlette) -> None:
    async def what(url: str) -> None:
        assert (await asked(url)).act is Act.BACK_OFF
        assert (await sent(url)).failure in (Failure.UNKNOWN, Failure.UNREACHABLE)

    behind(proxy, what)
