"""What a bot does beside sending texts: it edits, pins, shows pictures, answers buttons and names its commands.

Error texts and limits are those of the official server, as `telegram.py` has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from ytwatcher.simulator.telegram_arguments import Arguments, integer, structure, truth
from ytwatcher.simulator.telegram_chats import BotError, SimChat, member
from ytwatcher.simulator.telegram_messages import MOST_CHARACTERS, Delivered

if TYPE_CHECKING:
    from ytwatcher.simulator.telegram import TelegramDouble

MOST_IN_CAPTION, MOST_IN_CALLBACK_ANSWER, MOST_COMMANDS = 1024, 200, 100
QUERY_LIVES = timedelta(seconds=60)
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)
Handler = Callable[[Arguments, Request], Awaitable[Any]]


class Conversation:
    """The methods, and what they leave behind: `commands` by scope and language, `pinned` by chat, `answers` to pressed buttons."""

    def __init__(self, double: TelegramDouble) -> None:
        self._double = double
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.pinned: dict[int, list[int]] = {}
        self.queries: dict[str, datetime] = {}
        self.answers: list[tuple[str, str, bool]] = []
        self.methods: dict[str, Handler] = {
            "sendPhoto": self._send_photo,
            "sendDocument": self._send_document,
            "editMessageText": self._edit_text,
            "editMessageCaption": self._edit_caption,
            "editMessageMedia": self._edit_media,
            "editMessageReplyMarkup": self._edit_keyboard,
            "deleteMessage": self._delete_message,
            "answerCallbackQuery": self._answer_query,
            "setMyCommands": self._set_commands,
            "deleteMyCommands": self._delete_commands,
            "pinChatMessage": self._pin,
            "unpinChatMessage": self._unpin,
            "sendChatAction": self._chat_action,
            "getChatMember": self._chat_member,
            "getChatAdministrators": self._administrators,
            "leaveChat": self._leave,
        }

    def query(self, message: Delivered, data: str, user: int, name: str) -> int:
        """Somebody presses a button under a message, or pretends to; gives the update's id."""
        query_id = str(4_000_000 + len(self.queries))
        self.queries[query_id] = self._double.now()
        chat = self._double.chats[message.chat_id]
        return self._double.push(
            {
                "callback_query": {
                    "id": query_id,
                    "from": {"id": user, "is_bot": False, "first_name": name},
                    "message": self._double.describe(chat, message),
                    "chat_instance": str(chat.id),
                    "data": data,
                }
            }
        )

    async def _send_photo(self, given: Arguments, _: Request) -> Any:
        photo = _photo(given.get("photo"))
        self._double.chat(given).check_photos()
        return self._double.send(given, str(given.get("caption", "")), photo=photo, most=MOST_IN_CAPTION)

    async def _edit_media(self, given: Arguments, _: Request) -> Any:
        """Another picture with its own caption takes the place of what the message was."""
        message, media = self._own(given), structure(given.get("media"))
        if not isinstance(media, dict) or media.get("type") != "photo":
            raise BotError(400, "Bad Request: can't parse InputMedia")
        photo = _photo(given.get(str(media.get("media", "")).removeprefix("attach://")))
        wanted = {**media, "reply_markup": given.get("reply_markup")}
        return self._edit(wanted, replace(message, photo=photo), str(media.get("caption", "")), was=message)

    async def _send_document(self, given: Arguments, _: Request) -> Any:
        document = given.get("document")
        if not isinstance(document, bytes) or not document:
            raise BotError(400, "Bad Request: there is no document in the request")
        return self._double.send(given, str(given.get("caption", "")), document=document, most=MOST_IN_CAPTION)

    async def _edit_text(self, given: Arguments, _: Request) -> Any:
        message = self._own(given)
        if message.photo is not None:
            raise BotError(400, "Bad Request: there is no text in the message to edit")
        return self._edit(given, message, str(given.get("text", "")))

    async def _edit_caption(self, given: Arguments, _: Request) -> Any:
        message = self._own(given)
        if message.photo is None:
            raise BotError(400, "Bad Request: there is no caption in the message to edit")
        return self._edit(given, message, str(given.get("caption", "")))

    async def _edit_keyboard(self, given: Arguments, _: Request) -> Any:
        message = self._own(given)
        return self._replace(message, replace(message, keyboard=self._double.keyboard(given)))

    def _edit(self, given: Arguments, message: Delivered, text: str, *, was: Delivered | None = None) -> Any:
        parsed = self._double.parsed(given, text, empty=message.photo is not None)
        if len(parsed.text) > (MOST_IN_CAPTION if message.photo is not None else MOST_CHARACTERS):
            raise BotError(400, "Bad Request: message is too long")
        edited = replace(message, text=text, shown=parsed.text, entities=parsed.entities, keyboard=self._double.keyboard(given))
        return self._replace(was or message, edited)

    def _replace(self, message: Delivered, edited: Delivered) -> Any:
        if edited == message:
            raise BotError(400, f"Bad Request: {_NOT_MODIFIED}")
        edited = replace(edited, edited_at=self._double.now())
        self._double.messages[self._double.messages.index(message)] = edited
        return self._double.describe(self._double.chats[message.chat_id], edited)

    def _own(self, given: Arguments, what: str = "edit") -> Delivered:
        chat = self._double.chat(given)
        chat.check()
        wanted = integer(given.get("message_id"))
        found = [one for one in self._double.messages if one.chat_id == chat.id and one.message_id == wanted]
        if not found:
            raise BotError(400, f"Bad Request: message to {what} not found")
        return found[0]

    async def _delete_message(self, given: Arguments, _: Request) -> Any:
        message = self._own(given, "delete")
        if self._double.now() - message.at > timedelta(hours=48):
            raise BotError(400, "Bad Request: message can't be deleted")
        self._double.messages.remove(message)
        return True

    async def _answer_query(self, given: Arguments, _: Request) -> Any:
        query_id, text = str(given.get("callback_query_id", "")), str(given.get("text", ""))
        asked_at = self.queries.get(query_id)
        if asked_at is None or self._double.now() - asked_at > QUERY_LIVES:
            raise BotError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(text) > MOST_IN_CALLBACK_ANSWER:
            raise BotError(400, "Bad Request: MESSAGE_TOO_LONG")
        self.answers.append((query_id, text, truth(given.get("show_alert", False))))
        return True

    async def _set_commands(self, given: Arguments, _: Request) -> Any:
        commands = structure(given.get("commands"))
        if not isinstance(commands, list) or len(commands) > MOST_COMMANDS:
            raise BotError(400, "Bad Request: can't parse BotCommand")
        for command in commands:
            if not _COMMAND.fullmatch(str(command.get("command", ""))):
                raise BotError(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise BotError(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[_scope(given)] = commands
        return True

    async def _delete_commands(self, given: Arguments, _: Request) -> Any:
        self.commands.pop(_scope(given), None)
        return True

    async def _pin(self, given: Arguments, _: Request) -> Any:
        message, chat = self._own(given, "pin"), self._double.chat(given)
        if chat.kind != "private" and not chat.bot_is_admin:
            raise BotError(400, "Bad Request: not enough rights to manage pinned messages in the chat")
        self.pinned.setdefault(chat.id, []).append(message.message_id)
        return True

    async def _unpin(self, given: Arguments, _: Request) -> Any:
        pinned = self.pinned.get(self._double.chat(given).id, [])
        wanted = integer(given.get("message_id"))
        if wanted not in pinned:
            raise BotError(400, "Bad Request: message to unpin not found")
        pinned.remove(wanted)
        return True

    async def _chat_action(self, given: Arguments, _: Request) -> Any:
        self._double.chat(given).check()
        return True

    async def _chat_member(self, given: Arguments, _: Request) -> Any:
        chat, user = self._double.chat(given), integer(given.get("user_id"))
        chat.check()
        return member({"id": user, "is_bot": False, "first_name": "Someone"}, _status(chat, user))

    async def _administrators(self, given: Arguments, _: Request) -> Any:
        chat = self._double.chat(given)
        if chat.kind == "private":
            raise BotError(400, "Bad Request: there are no administrators in the private chat")
        return [member({"id": user, "is_bot": False, "first_name": "Someone"}, "administrator") for user in sorted(chat.admins)]

    async def _leave(self, given: Arguments, _: Request) -> Any:
        self._double.chat(given).state = "left"
        return True


def _photo(content: Any) -> bytes:
    """The picture of a call; raises the BotError of one that is none."""
    if not isinstance(content, bytes):
        raise BotError(400, "Bad Request: there is no photo in the request")
    if not content.startswith((b"\x89PNG", b"\xff\xd8")):
        raise BotError(400, "Bad Request: IMAGE_PROCESS_FAILED")
    return content


def command_entities(text: str) -> list[dict[str, Any]]:
    """What the server marks in a text that begins with a command."""
    match = re.match(r"/[A-Za-z0-9_]{1,64}(@[A-Za-z0-9_]+)?", text)
    return [{"type": "bot_command", "offset": 0, "length": match.end()}] if match else []


def _status(chat: SimChat, user: int) -> str:
    return "administrator" if user in chat.admins else "member"


def _scope(given: Arguments) -> tuple[str, str]:
    scope = structure(given.get("scope"))
    return json.dumps(scope, sort_keys=True) if isinstance(scope, dict) else "", str(given.get("language_code", ""))
