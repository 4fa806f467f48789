"""The double of the Telegram Bot API (docs/simulator.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ytwatcher.core.model import ChatId
from ytwatcher.simulator import control as control_of
from ytwatcher.simulator.connection import NoAnswer, pause
from ytwatcher.simulator.faults import Fault, Faults
from ytwatcher.simulator.telegram_arguments import Arguments, BadArguments, arguments, integer, structure, truth
from ytwatcher.simulator.telegram_chats import BotError, Kind, Rates, SimChat, State, member, too_many
from ytwatcher.simulator.telegram_conversation import Conversation, command_entities
from ytwatcher.simulator.telegram_html import Parsed
from ytwatcher.simulator.telegram_messages import MOST_CHARACTERS, Button, Delivered, described, keyboard_of, parse_text
from ytwatcher.simulator.telegram_updates import Conflict, Updates
from ytwatcher.simulator.world import Now

BOT_TOKEN = "1000000001:SIMULATED-bot-opens-nothing-at-all"  # noqa: S105 - the double's own, of the form that real ones have
HTML_502 = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>"
)
KINDS = frozenset({"html502", "json502", "restart500", "tooMany429", "unauthorized401", "lostAnswer", "slow"})

Result = Any
Handler = Callable[[Arguments, Request], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class BotCall:
    """One call as the double saw it."""

    at: datetime
    method: str
    status: int
    arguments: Arguments
    fault: str | None = None


class TelegramDouble:
    """A bot's server, its chats, and what goes wrong with them.

    Public state: `chats`, `messages` (delivered ones, in order), `calls`, `violations` (how often a rate rule was broken).

    Args:
        now: the present instant.
        token: the bot's token.
        burst: see `Rates`; 1 is strict.
        control: mount /control/ for tests in another process.
    """

    def __init__(self, now: Now, *, token: str = BOT_TOKEN, burst: int = 1, control: bool = False) -> None:
        self.now = now
        self.token = token
        self.rates = Rates(burst)
        self.chats: dict[ChatId, SimChat] = {}
        self.messages: list[Delivered] = []
        self.calls: list[BotCall] = []
        self.violations = 0
        self.updates = Updates(now)
        self.webhook: Arguments = {}
        self._message_ids = 0
        self.conversation = Conversation(self)
        self._methods: dict[str, tuple[str, Handler]] = {
            name.lower(): (name, handler)
            for name, handler in (
                ("getMe", self._get_me),
                ("getChat", self._get_chat),
                ("sendMessage", self._send_message),
                ("getUpdates", self._get_updates),
                ("setWebhook", self._set_webhook),
                ("deleteWebhook", self._delete_webhook),
                ("getWebhookInfo", self._get_webhook_info),
                *self.conversation.methods.items(),
            )
        }
        self.faults = Faults(KINDS, frozenset(name for name, _ in self._methods.values()))
        routes: list[BaseRoute] = [Route("/{path:path}", self._serve, methods=["GET", "POST"])]
        self.app = Starlette(routes=[*([control_of.telegram(self)] if control else []), *routes])

    # What a test arranges

    def add_chat(self, chat_id: int, kind: Kind = "private", title: str = "A chat", topics: Mapping[int, str] | None = None) -> SimChat:
        """Add a chat that the bot may write to; `topics` make it a forum."""
        chat = SimChat(ChatId(chat_id), kind, title, dict(topics or {}))
        self.chats[chat.id] = chat
        return chat

    def block(self, chat_id: int) -> None:
        """The user blocks the bot."""
        self._becomes(chat_id, "blocked", "kicked")

    def unblock(self, chat_id: int) -> None:
        """The user lets the bot in again."""
        self._becomes(chat_id, "open", "member")

    def kick(self, chat_id: int) -> None:
        """The bot is removed from a group or channel."""
        self._becomes(chat_id, "kicked", "kicked")

    def deactivate(self, chat_id: int) -> None:
        """The user's account is deleted."""
        self.chats[ChatId(chat_id)].state = "deactivated"

    def migrate(self, old: int, new: int) -> SimChat:
        """A group becomes a supergroup with another id; both sides are told."""
        before = self.chats[ChatId(old)]
        after = self.add_chat(new, "supergroup", before.title, before.topics)
        before.migrated_to = after.id
        self._put_message(before, {"migrate_to_chat_id": after.id})
        self._put_message(after, {"migrate_from_chat_id": before.id})
        return after

    def close_topic(self, chat_id: int, thread: int) -> None:
        self.chats[ChatId(chat_id)].closed.add(thread)

    def delete_topic(self, chat_id: int, thread: int) -> None:
        del self.chats[ChatId(chat_id)].topics[thread]

    def revoke_rights(self, chat_id: int) -> None:
        """The bot may no longer send texts to the chat."""
        self.chats[ChatId(chat_id)].may_write = False

    def grant_rights(self, chat_id: int) -> None:
        self.chats[ChatId(chat_id)].may_write = True

    def user_writes(
        self, chat_id: int, text: str, *, thread: int | None = None, name: str = "Someone", user: int | None = None, language: str = ""
    ) -> int:
        """Somebody (`user`; the chat's own number by default) writes in a chat; gives the id of the update."""
        chat = self.chats[ChatId(chat_id)]
        if chat.state == "stranger":
            chat.state = "open"
        person = {"id": user or abs(chat_id), "is_bot": False, "first_name": name, **({"language_code": language} if language else {})}
        topic = {"message_thread_id": thread, "is_topic_message": True} if thread else {}
        entities = command_entities(text)
        content = {**topic, "text": text, **({"entities": entities} if entities else {})}
        if chat.kind == "channel":
            return self._put_message(chat, content, "channel_post")
        return self._put_message(chat, {"from": person, **content})

    def user_presses(self, chat_id: int, button: str, *, user: int | None = None, name: str = "Someone", data: str | None = None) -> int:
        """Somebody presses the newest button with this in its text (or forges its `data`); gives the id of the update."""
        newest = [message for message in self.messages if message.chat_id == chat_id and message.keyboard]
        if data is not None:
            return self.conversation.query(newest[-1], data, user or abs(chat_id), name)
        for message in reversed(newest):
            found = next((one for row in message.keyboard for one in row if button in one.text and one.data), None)
            if found is not None and found.data is not None:
                return self.conversation.query(message, found.data, user or abs(chat_id), name)
        raise LookupError(f"no button “{button}” in chat {chat_id}")

    def add_bot(self, chat_id: int, *, user: int = 1, admin: bool = False) -> int:
        """Somebody adds the bot to a group or channel, or changes what it is there; gives the id of the update."""
        chat = self.chats[ChatId(chat_id)]
        chat.bot_is_admin = admin
        return self._becomes(chat_id, "open", "administrator" if admin else "member", user=user)

    def push(self, update: Mapping[str, Any]) -> int:
        """Put any update, of whatever kind or variant, known or not; gives its id."""
        return self.updates.put(dict(update))

    def fail(
        self,
        method: str,
        kind: str,
        *,
        times: int | None = None,
        until: datetime | None = None,
        retry_after: int = 5,
        seconds: float = 1.0,
        delivered: bool = False,
    ) -> Fault:
        """Let calls of a method ("*": of all) fail: `times` times, until an instant, or until `clear`.

        Args:
            kind: one of `KINDS`.
            retry_after: the pause of `tooMany429`, in seconds; the chat refuses everything until it is over.
            seconds: how long `slow` takes, in real seconds.
            delivered: with `html502` and `json502`: what was asked for happened all the same; with `slow`: it happens before the wait,
                not after it.

        Raises:
            ValueError: no such kind or method.
        """
        fault = self.faults.add(method, kind, times, until)
        fault.retry_after, fault.seconds, fault.delivered = retry_after, seconds, delivered
        return fault

    def lose_answers(self, times: int = 1) -> None:
        """The next messages are delivered, but the connection breaks before the answer."""
        self.fail("sendMessage", "lostAnswer", times=times)

    def clear(self) -> None:
        """Nothing fails any more; what chats are stays."""
        self.faults.planned.clear()

    # The wire

    async def _serve(self, request: Request) -> Response:
        method, given, fault = "", {}, None
        try:
            given = await arguments(request)
            method, handler = self._route(request.path_params["path"])
            fault = self.faults.strike(method, self.now())
            response = await self._respond(handler, given, request, fault)
        except BotError as error:
            response = _failure(error)
        except BadArguments as error:
            response = _failure(BotError(400, str(error)))
        if method:
            self.calls.append(BotCall(self.now(), method, response.status_code, given, fault.kind if fault else None))
        return response

    def _route(self, path: str) -> tuple[str, Handler]:
        bot, _, method = path.partition("/")
        if not bot.startswith("bot") or not method:
            raise BotError(404, "Not Found")
        if ":" not in bot:
            raise BotError(401, "Unauthorized: invalid token specified")
        if bot[3:] != self.token:
            raise BotError(401, "Unauthorized")
        if method.lower() not in self._methods:
            raise BotError(404, "Not Found: method not found")
        return self._methods[method.lower()]

    async def _respond(self, handler: Handler, given: Arguments, request: Request, fault: Fault | None) -> Response:
        kind = fault.kind if fault else ""
        if fault and kind == "slow" and not fault.delivered:
            await pause(fault.seconds, request.receive)
        if fault and kind in ("html502", "json502"):
            if fault.delivered:
                await handler(given, request)
            return HTMLResponse(HTML_502, 502) if kind == "html502" else _failure(BotError(502, "Bad Gateway"))
        if kind == "restart500":
            raise BotError(500, "Internal Server Error: restart")
        if kind == "unauthorized401":
            raise BotError(401, "Unauthorized")
        if fault and kind == "tooMany429":
            chat = self.chats.get(ChatId(integer(given.get("chat_id"))))
            if chat is not None:
                chat.quiet_until = self.now() + timedelta(seconds=fault.retry_after)
            raise too_many(fault.retry_after)
        result = await handler(given, request)
        if fault and kind == "slow" and fault.delivered:
            await pause(fault.seconds, request.receive)
        return NoAnswer() if kind == "lostAnswer" else JSONResponse({"ok": True, "result": result})

    # The methods

    async def _get_me(self, _: Arguments, __: Request) -> Result:
        return {**self._bot(), "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def _get_chat(self, given: Arguments, _: Request) -> Result:
        chat = self.chat(given)
        if chat.state in ("kicked", "left"):
            chat.check()
        return {**chat.described(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": {}}

    async def _send_message(self, given: Arguments, _: Request) -> Result:
        return self.send(given, str(given.get("text", "")))

    def send(
        self, given: Arguments, text: str, *, photo: bytes | None = None, document: bytes | None = None, most: int = MOST_CHARACTERS
    ) -> Result:
        """Deliver a text, or a picture or file with a caption of at most `most` characters; raises the BotError that it meets."""
        parsed = self.parsed(given, text, empty=photo is not None or document is not None)
        chat = self.chat(given)
        chat.check()
        thread = integer(given.get("message_thread_id")) or None
        chat.check_topic(thread)
        keyboard = self.keyboard(given)
        if len(parsed.text) > most:
            raise BotError(400, f"Bad Request: message {'caption ' if photo or document else ''}is too long")
        try:
            self.rates.check(chat, self.now())
        except BotError:
            self.violations += 1
            raise
        self.rates.count(chat, self.now())
        self._message_ids += 1
        silent = truth(given.get("disable_notification", False))
        found = Delivered(
            chat.id,
            text,
            parsed.text,
            parsed.entities,
            self.now(),
            self._message_ids,
            thread,
            silent,
            keyboard=keyboard,
            photo=photo,
            document=document,
        )
        self.messages.append(found)
        return self.describe(chat, found)

    def describe(self, chat: SimChat, message: Delivered) -> dict[str, Any]:
        """The Message object of something that the bot sent."""
        return described(message, chat, self._bot())

    def parsed(self, given: Arguments, text: str, *, empty: bool = False) -> Parsed:
        """The text as it will be shown; `empty`: a caption may be."""
        return Parsed("", ()) if empty and not text else parse_text(text, str(given.get("parse_mode", "")))

    def keyboard(self, given: Arguments) -> tuple[tuple[Button, ...], ...]:
        """The buttons under a message; raises the BotError of one that cannot be."""
        return keyboard_of(structure(given.get("reply_markup")))

    async def _get_updates(self, given: Arguments, request: Request) -> Result:
        if self.webhook.get("url"):
            reason = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise BotError(409, f"Conflict: {reason}")
        kinds = structure(given.get("allowed_updates"))
        if isinstance(kinds, list):
            self.updates.allow(kinds)
        limit = integer(given.get("limit"), 100)
        timeout = min(50, max(0, integer(given.get("timeout"))))
        try:
            return await self.updates.get(integer(given.get("offset")), limit if 1 <= limit <= 100 else 100, timeout, request.receive)
        except Conflict:
            reason = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise BotError(409, f"Conflict: {reason}") from None

    async def _set_webhook(self, given: Arguments, _: Request) -> Result:
        url = str(given.get("url", ""))
        if url and not url.startswith("https://"):
            raise BotError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = {"url": url}
        return True

    async def _delete_webhook(self, given: Arguments, _: Request) -> Result:
        self.webhook = {}
        if truth(given.get("drop_pending_updates", False)):
            self.updates.pending.clear()
        return True

    async def _get_webhook_info(self, _: Arguments, __: Request) -> Result:
        return {"url": self.webhook.get("url", ""), "has_custom_certificate": False, "pending_update_count": len(self.updates.pending)}

    # What the methods share

    def _bot(self) -> dict[str, Any]:
        return {
            "id": int(self.token.split(":")[0]),
            "is_bot": True,
            "first_name": "YT Watcher (simulated)",
            "username": "ytwatcher_sim_bot",
        }

    def chat(self, given: Arguments) -> SimChat:
        """The chat that a call names; raises the BotError of one that is not there."""
        if not str(given.get("chat_id", "")):
            raise BotError(400, "Bad Request: chat_id is empty")
        chat = self.chats.get(ChatId(integer(given["chat_id"])))
        if chat is None:
            raise BotError(400, "Bad Request: chat not found")
        return chat

    def _becomes(self, chat_id: int, state: State, status: str, *, user: int = 0) -> int:
        chat = self.chats[ChatId(chat_id)]
        chat.state = state
        person = {"id": user or abs(chat_id), "is_bot": False, "first_name": "Someone"}
        old = "member" if status == "kicked" else "kicked" if chat.kind == "private" else "left"
        return self.push(
            {
                "my_chat_member": {
                    "chat": chat.described(),
                    "from": person,
                    "date": int(self.now().timestamp()),
                    "old_chat_member": member(self._bot(), old),
                    "new_chat_member": member(self._bot(), status),
                }
            }
        )

    def _put_message(self, chat: SimChat, content: Mapping[str, Any], kind: str = "message") -> int:
        self._message_ids += 1
        message = {"message_id": self._message_ids, "chat": chat.described(), "date": int(self.now().timestamp()), **content}
        if chat.kind in ("group", "supergroup") and not chat.bot_is_admin and not self._is_shown(content):
            return 0
        return self.push({kind: message})

    def _is_shown(self, content: Mapping[str, Any]) -> bool:
        """Privacy mode: a bot that is no admin of a group sees service messages and the commands that may be meant for it."""
        text = content.get("text")
        if text is None:
            return True
        name = str(self._bot()["username"])
        addressed = text.split(maxsplit=1)[0].partition("@")[2] if text else ""
        return bool(content.get("entities")) and addressed in ("", name)


def _failure(error: BotError) -> Response:
    body = {"ok": False, "error_code": error.status, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    headers = {"Retry-After": str(error.parameters["retry_after"])} if "retry_after" in error.parameters else {}
    return JSONResponse(body, error.status, headers)
