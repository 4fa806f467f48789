"""How the bot's answers leave: python-telegram-bot's calls over our own HTTP client, counted in the budget that alerts have, too.

Answers to people go first: an alert waits for its slot, an answer takes one, and only Telegram's own overall limit makes it wait.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from ytwatcher.clock import Clock
from ytwatcher.core.retry import Pace
from ytwatcher.notify.slots import Slots
from ytwatcher.telegram.sender import LONGEST_CALL, wanted_pause
from ytwatcher.tls import trusted

TIMEOUT = httpx.Timeout(15.0, connect=5.0, pool=2.0)
LONGEST_PAUSE = timedelta(seconds=20)
ATTEMPTS = 3
ANSWERS = Pace(all_per_second=29)
"""One more a second than alerts may take: Telegram's figure is about 30."""
_COUNTED = ("send", "edit", "copy", "forward")


class AnswerRequest(BaseRequest):
    """A BaseRequest for `telegram.Bot`. No error that it raises has the URL in it, which holds the token.

    Args:
        transport: what carries the calls; None: the network.
    """

    def __init__(self, clock: Clock, slots: Slots, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._clock, self._slots, self._transport = clock, slots, transport
        self._client: httpx.AsyncClient | None = None

    @property
    def read_timeout(self) -> float | None:
        return TIMEOUT.read

    async def initialize(self) -> None:
        if self._client is None:
            headers = {"User-Agent": "ytwatcher"}
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT, headers=headers, follow_redirects=False, verify=trusted(), transport=self._transport
            )

    async def shutdown(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = None,
        write_timeout: Any = None,
        connect_timeout: Any = None,
        pool_timeout: Any = None,
    ) -> tuple[int, bytes]:
        """Status and body; a 429 is waited out and tried again, for as long as a person would wait."""
        counted = url.rpartition("/")[2].startswith(_COUNTED)
        for attempt in range(1, ATTEMPTS + 1):
            if counted:
                await self._take_slot(request_data)
            status, body = await self._post(url, method, request_data)
            pause = _pause(status, body)
            if pause is None or pause > LONGEST_PAUSE or attempt == ATTEMPTS:
                break
            await self._clock.wait(self._clock.now() + pause)
        if status == 429:
            raise TelegramError("Telegram wants a longer pause than a person waits for")
        return status, body

    async def _take_slot(self, request_data: RequestData | None) -> None:
        while (opens_at := self._slots.all_open_at("telegram", ANSWERS, self._clock.now())) > self._clock.now():
            await self._clock.wait(opens_at)
        chat = request_data.parameters.get("chat_id") if request_data else None
        self._slots.note(f"telegram:{chat}", self._clock.now())

    async def _post(self, url: str, method: str, request_data: RequestData | None) -> tuple[int, bytes]:
        assert self._client is not None  # initialize() was awaited
        data = request_data.json_parameters if request_data else None
        files = request_data.multipart_data if request_data and request_data.contains_files else None
        try:
            async with asyncio.timeout(LONGEST_CALL):
                response = await self._client.request(method, url, data=data, files=files)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise TimedOut(f"Telegram did not answer in time ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise NetworkError(f"Telegram cannot be reached ({type(error).__name__})") from None
        return response.status_code, response.content


def _pause(status: int, body: bytes) -> timedelta | None:
    """How long Telegram wants to be left alone, where it says so."""
    if status != 429:
        return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return wanted_pause(answer) if isinstance(answer, dict) else None
