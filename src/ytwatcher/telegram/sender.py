"""Messages to Telegram chats: one raw JSON call, its answer sorted by what follows from it.

Error texts are literals of the official Bot API server (github.com/tdlib/telegram-bot-api, Client.cpp). The token is in the URL only, and
no error raised here has a URL in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Self

import httpx

from ytwatcher.core.cleaning import clean, units
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.reasons import ANSWER_LOST, NO_ANSWER, REFUSED, UNREACHED
from ytwatcher.core.retry import TELEGRAM_GROUP, TELEGRAM_PRIVATE, Pace
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing, Sent
from ytwatcher.telegram.keyboards import under_alert
from ytwatcher.telegram.texts import Texts
from ytwatcher.tls import trusted

TIMEOUT = httpx.Timeout(30.0, connect=10.0, pool=5.0)
LONGEST_CALL = 60.0
"""Seconds of a whole call; those of `TIMEOUT` are for each piece of it."""
LONGEST_CAPTION = 1024
"""Of a picture, in UTF-16 units after its markup was parsed; the text without markup is never shorter."""
GENERAL_TOPIC = 1
"""A forum's General topic is addressed without its number."""

LONGEST_DESCRIPTION = 500
LONGEST_PAUSE = 24 * 60 * 60
"""In seconds."""
LARGEST_CHAT = 10**16
"""Above all ids of chats, which have at most 52 bits."""

_SUPERGROUPS = -1_000_000_000_000
"""Ids of supergroups and channels are below."""
_NOT_WRITTEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
_LOST = ("chat not found", "user not found", "peer_id_invalid", "group chat was deactivated")
_ADMIN = (
    *("not enough rights", "have no rights", "have no write access", "need administrator rights", "chat_admin_required"),
    *("topic_closed", "message thread not found", "topic_deleted", "chat_write_forbidden"),
)


class TelegramSender:
    """Sends to `telegram:CHAT[:TOPIC]`. Use it as an async context manager; the caller gives the token and the server's address.

    Args:
        texts: what the buttons under alerts say; None: there is nobody who would answer them, so there are none.
        transport: what carries the requests; None: the network.
    """

    def __init__(self, base_url: str, token: str, texts: Texts | None = None, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"User-Agent": "ytwatcher"}
        self._client = httpx.AsyncClient(timeout=TIMEOUT, headers=headers, follow_redirects=False, verify=trusted(), transport=transport)
        self._base = f"{base_url.rstrip('/')}/bot{token}"
        self._texts = texts
        self._channels: dict[int, bool] = {}

    def __repr__(self) -> str:
        return "TelegramSender(***)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.aclose()

    async def send(self, address: str, message: Outgoing) -> Sent:
        arguments = _arguments(address, message) | await self._keyboard(address, message)
        result = await self._with_photo(arguments, message.photo) if _takes_photo(message) else None
        if result is None:
            result = await self._call("sendMessage", arguments)
        remote_id = result.get("message_id") if isinstance(result, dict) else None
        return Sent(str(remote_id) if isinstance(remote_id, int) else None)

    async def alive(self) -> bool:
        try:
            await self._call("getMe", {})
        except DeliveryError:
            return False
        return True

    def pace(self, address: str) -> Pace:
        return TELEGRAM_GROUP if destination(address)[0] < 0 else TELEGRAM_PRIVATE

    async def _keyboard(self, address: str, message: Outgoing) -> dict[str, Any]:
        """The buttons under an alert. In a channel nobody could press them."""
        alerts = [item.alert for item in message.items if item.alert is not None]
        if self._texts is None or message.key is None or not alerts or await self._is_channel(destination(address)[0]):
            return {}
        rows = under_alert(address, message.key, alerts, self._texts.of(message.language))
        return {"reply_markup": {"inline_keyboard": [[{"text": text, "callback_data": data} for text, data in row] for row in rows]}}

    async def _is_channel(self, chat: int) -> bool:
        """Supergroups and channels have ids of one kind: Telegram is asked once which it is. Where it does not say, it may be one."""
        if chat > _SUPERGROUPS:
            return False
        if chat not in self._channels:
            try:
                found = await self._call("getChat", {"chat_id": chat})
            except DeliveryError:
                return True
            self._channels[chat] = not isinstance(found, dict) or found.get("type") == "channel"
        return self._channels[chat]

    async def _with_photo(self, given: dict[str, Any], photo: bytes | None) -> Any:
        """Send the text as the caption of its picture; None: Telegram does not take a picture there, and text may do."""
        arguments = {**given, "caption": given["text"]}
        del arguments["text"]
        del arguments["link_preview_options"]
        try:
            return await self._call("sendPhoto", arguments, photo)
        except DeliveryError as error:
            if error.failure in (Failure.REFUSED, Failure.NEEDS_ADMIN):
                return None
            raise

    async def _call(self, method: str, arguments: dict[str, Any], photo: bytes | None = None) -> Any:
        """The call's result, whatever its shape: an answer that says `ok` has done what was asked."""
        url = f"{self._base}/{method}"
        try:
            async with asyncio.timeout(LONGEST_CALL):
                if photo is None:
                    response = await self._client.post(url, json=arguments)
                else:
                    data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}
                    response = await self._client.post(url, data=data, files={"photo": ("chart.png", photo, "image/png")})
        except _NOT_WRITTEN as error:
            raise DeliveryError(Failure.UNREACHABLE, Phrase(UNREACHED, fault=type(error).__name__)) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise DeliveryError(Failure.UNKNOWN, Phrase(ANSWER_LOST, fault=type(error).__name__)) from None
        answer = _json(response.content)
        if answer is None:
            raise _without_answer(response.status_code)
        if answer.get("ok") is True:
            return answer.get("result")
        raise classify(response.status_code, answer)


def _takes_photo(message: Outgoing) -> bool:
    return message.photo is not None and units(message.plain) <= LONGEST_CAPTION


def destination(address: str) -> tuple[int, int | None]:
    """Chat id and topic of an address; the General topic is None."""
    _, chat, *topic = address.split(":")
    number = int(topic[0]) if topic else GENERAL_TOPIC
    return int(chat), None if number == GENERAL_TOPIC else number


def classify(status: int, answer: dict[str, Any]) -> DeliveryError:
    """Sort an answer that says no."""
    description = answer.get("description")
    text = clean(description, LONGEST_DESCRIPTION) if isinstance(description, str) else Phrase(REFUSED, status=str(status))
    given = answer.get("parameters")
    parameters: dict[str, Any] = given if isinstance(given, dict) else {}
    code = answer.get("error_code")
    if not isinstance(code, int):
        code = status
    if _is_chat(moved := parameters.get("migrate_to_chat_id")):
        return DeliveryError(Failure.MOVED, text, migrate_to=f"telegram:{moved}")
    if code == 429:
        return DeliveryError(Failure.TOO_FAST, text, retry_after=wanted_pause(answer))
    if code == 400:
        return DeliveryError(_of_bad_request(text.lower()), text)
    return DeliveryError(_BY_CODE.get(code, Failure.UNREACHABLE), text)


_BY_CODE = MappingProxyType(
    {401: Failure.NO_ACCESS, 403: Failure.LOST, 404: Failure.NO_ACCESS, 502: Failure.UNKNOWN, 504: Failure.UNKNOWN},
)
"""404 is the answer to a path with a misshapen token; 502 and 504 are a gateway's words, also as JSON: who is behind it may have sent.
What is not here (500, 503, 409) was answered by Telegram itself, so not sent, and may pass."""


def wanted_pause(answer: Mapping[str, Any]) -> timedelta | None:
    """How long Telegram wants to be left alone, where its answer says so; a day at most."""
    parameters = answer.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return timedelta(seconds=min(seconds, LONGEST_PAUSE)) if isinstance(seconds, int) and seconds >= 0 else None


def _is_chat(raw: object) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 < abs(raw) < LARGEST_CHAT


def _of_bad_request(text: str) -> Failure:
    if "can't parse entities" in text:
        return Failure.MARKUP
    if any(words in text for words in _LOST):
        return Failure.LOST
    return Failure.NEEDS_ADMIN if any(words in text for words in _ADMIN) else Failure.REFUSED


def _without_answer(status: int) -> DeliveryError:
    """Something in between answered in Telegram's place: what became of the request is not known."""
    failure = Failure.TOO_FAST if status == 429 else Failure.UNKNOWN
    return DeliveryError(failure, Phrase(NO_ANSWER, status=str(status)))


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and "ok" in answer else None


def _arguments(address: str, message: Outgoing) -> dict[str, Any]:
    chat, topic = destination(address)
    arguments: dict[str, Any] = {"chat_id": chat, "text": message.plain, "link_preview_options": {"is_disabled": True}}
    if message.html is not None:
        arguments |= {"text": message.html, "parse_mode": "HTML"}
    if topic is not None:
        arguments["message_thread_id"] = topic
    if message.silent:
        arguments["disable_notification"] = True
    return arguments
