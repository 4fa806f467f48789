"""What is asked of Telegram before anything is sent: which bot it is, whether a webhook is in the way, who wrote to it.

The token is in the URL only, and no error raised here has a URL in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import httpx

from ytwatcher.core.cleaning import clean
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.reasons import UNREACHED
from ytwatcher.errors import OutsideError
from ytwatcher.telegram.sender import GENERAL_TOPIC
from ytwatcher.tls import trusted

WANTED_UPDATES = ("message", "channel_post", "my_chat_member", "callback_query")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_GONE = frozenset({"left", "kicked"})


class TelegramError(OutsideError):
    """Telegram did not do what was asked. `reason` is `refused`, `conflict`, `unreachable` or `error`."""


class Bot(NamedTuple):
    """A bot: its @name without the @, and how it is called."""

    username: str
    name: str

    @property
    def link(self) -> str:
        return f"https://t.me/{self.username}"


class Webhook(NamedTuple):
    """The host that the bot's updates are sent to (None: no webhook is set), how many wait, and the last failure there."""

    host: str | None
    waiting: int
    last_error: str | None


class Chat(NamedTuple):
    """A chat, or a topic of one, that the bot was written to in. `kind` is private, group, supergroup or channel."""

    address: str
    kind: str
    title: str
    said: str | None

    @property
    def described(self) -> str:
        what = "private chat with" if self.kind == "private" else f"{self.kind}"
        return f"{what} {self.title}"


class BotSetup:
    """A few calls of the Bot API with one token; an async context manager. Every method raises TelegramError.

    Args:
        timeout: how long one call may take, beside the time that a long poll waits.
        transport: what carries the requests; None: the network.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout: timedelta = timedelta(seconds=15),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._seconds = timeout.total_seconds()
        self._http = httpx.AsyncClient(headers={"User-Agent": "ytwatcher"}, verify=trusted(), transport=transport)
        self._base = f"{base_url.rstrip('/')}/bot{token}"

    def __repr__(self) -> str:
        return "BotSetup(***)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    async def get_me(self) -> Bot:
        """Which bot the token belongs to."""
        me = _object(await self._call("getMe", {}))
        return Bot(str(me.get("username", "")), clean(str(me.get("first_name", ""))))

    async def webhook_info(self) -> Webhook:
        """Whether updates go to a webhook. Of its address only the host is kept: the rest may hold a secret."""
        info = _object(await self._call("getWebhookInfo", {}))
        url, waiting, error = info.get("url"), info.get("pending_update_count"), info.get("last_error_message")
        return Webhook(
            (urlsplit(url).hostname or "an unknown host") if isinstance(url, str) and url else None,
            waiting if isinstance(waiting, int) else 0,
            clean(error) if isinstance(error, str) else None,
        )

    async def delete_webhook(self) -> None:
        """Let updates be fetched again; those that wait are kept."""
        await self._call("deleteWebhook", {"drop_pending_updates": False})

    async def updates(self, offset: int, seconds: int) -> list[Mapping[str, Any]]:
        """The updates from `offset` on; with none, wait up to so many seconds for one."""
        arguments = {"offset": offset, "timeout": seconds, "allowed_updates": list(WANTED_UPDATES)}
        found = await self._call("getUpdates", arguments, seconds)
        return [update for update in found if isinstance(update, dict)] if isinstance(found, list) else []

    async def _call(self, method: str, arguments: Mapping[str, Any], wait: float = 0) -> Any:
        try:
            async with asyncio.timeout(2 * self._seconds + wait):  # the other limit is for each piece of it
                response = await self._http.post(f"{self._base}/{method}", json=arguments, timeout=self._seconds + wait)
        except (httpx.HTTPError, TimeoutError) as error:
            raise TelegramError(Phrase(UNREACHED, fault=type(error).__name__), reason="unreachable") from None
        try:
            answer = _object(response.json())
        except (ValueError, RecursionError):
            answer = _NOTHING
        if answer.get("ok") is True:
            return answer.get("result")
        raise _refusal(response.status_code, answer)


def _refusal(status: int, answer: Mapping[str, Any]) -> TelegramError:
    description = answer.get("description")
    said = clean(description, 300) if isinstance(description, str) else Phrase("no answer of Telegram's")
    if "ok" not in answer or status >= 500 or status == 429:
        text = Phrase("Telegram does not answer at the moment (HTTP {status}: {said})", status=str(status), said=said)
        return TelegramError(text, reason="unreachable")
    if status in (401, 404):
        return TelegramError(Phrase("Telegram refuses the bot token ({said})", said=said), reason="refused", permanent=True)
    text = Phrase("Telegram answered {status}: {said}", status=str(status), said=said)
    return TelegramError(text, reason="conflict" if status == 409 else "error")


def find_chats(updates: Iterable[Mapping[str, Any]]) -> list[Chat]:
    """The chats and topics that updates came from, the newest last; those that the bot was thrown out of again are not among them."""
    found: dict[str, Chat] = {}
    for update in updates:
        message = next((body for kind in WANTED_UPDATES if (body := _object(update.get(kind)))), _NOTHING)
        chat = _object(message.get("chat"))
        if not isinstance(chat.get("id"), int) or "migrate_to_chat_id" in message:
            continue
        address = _address(chat["id"], message)
        found.pop(address, None)
        if str(_object(message.get("new_chat_member")).get("status")) not in _GONE:
            text = message.get("text")
            said = clean(text, 60) if isinstance(text, str) else None
            found[address] = Chat(address, clean(str(chat.get("type", "chat"))), _title(chat, message), said)
    return list(found.values())


def _address(chat_id: int, message: Mapping[str, Any]) -> str:
    topic = message.get("message_thread_id") if message.get("is_topic_message") is True else None
    return f"telegram:{chat_id}:{topic}" if isinstance(topic, int) and topic != GENERAL_TOPIC else f"telegram:{chat_id}"


def _title(chat: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    names = [chat[part] for part in ("first_name", "last_name") if isinstance(chat.get(part), str)]
    title = clean(str(chat["title"])) if chat.get("title") else clean(" ".join(names)) or "somebody"
    writer = _object(message.get("from")).get("first_name")
    handle = chat.get("username")
    shown = f"“{title}”" if chat.get("title") else title
    by = f", where {clean(writer)} wrote" if isinstance(writer, str) and chat.get("type") != "private" else ""
    return f"{shown}{f' (@{clean(handle)})' if isinstance(handle, str) else ''}{by}"


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _NOTHING
