"""What reached a chat of the simulated Telegram: the message with its buttons, and what the server says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ytwatcher.core.model import ChatId
from ytwatcher.simulator.telegram_chats import BotError, SimChat
from ytwatcher.simulator.telegram_html import Entity, Parsed, ParseError, parse

MOST_CHARACTERS, MOST_BYTES, MOST_CALLBACK_BYTES = 4096, 32_768, 64


class Button(NamedTuple):
    """A button under a message: it sends `data` back, or opens `url`."""

    text: str
    data: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that reached its chat: `text` as received, `shown` after parsing."""

    chat_id: ChatId
    text: str
    shown: str
    entities: tuple[Entity, ...]
    at: datetime
    message_id: int
    thread: int | None
    silent: bool
    keyboard: tuple[tuple[Button, ...], ...] = ()
    photo: bytes | None = field(default=None, repr=False)
    edited_at: datetime | None = None
    document: bytes | None = field(default=None, repr=False)

    def button(self, text: str) -> Button:
        """The button whose text holds this.

        Raises:
            LookupError: there is none.
        """
        buttons = [button for row in self.keyboard for button in row]
        found = next((button for button in buttons if text in button.text), None)
        if found is None:
            raise LookupError(f"no button “{text}” among {[button.text for button in buttons]}")
        return found


def parse_text(text: str, mode: str) -> Parsed:
    """The text as it will be shown; raises the BotError of one that cannot be sent."""
    if len(text.encode()) > MOST_BYTES:
        raise BotError(400, "Bad Request: text is too long")
    if mode.lower() not in ("", "html"):
        raise BotError(400, "Bad Request: unsupported parse_mode")
    try:
        parsed = parse(text) if mode else Parsed(text, ())
    except ParseError as error:
        raise BotError(400, f"Bad Request: can't parse entities: {error}") from None
    if not parsed.text.strip():
        raise BotError(400, "Bad Request: message text is empty")
    return parsed


def keyboard_of(markup: Any) -> tuple[tuple[Button, ...], ...]:
    """The buttons under a message; raises the BotError of one that cannot be."""
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    found = tuple(tuple(Button(str(one.get("text")), one.get("callback_data"), one.get("url")) for one in row) for row in rows)
    for button in (button for row in found for button in row):
        if not 1 <= len((button.data if button.data is not None else "x").encode()) <= MOST_CALLBACK_BYTES:
            raise BotError(400, "Bad Request: BUTTON_DATA_INVALID")
    return found


def described(message: Delivered, chat: SimChat, bot: Mapping[str, Any]) -> dict[str, Any]:
    """The Message object of something that the bot sent."""
    entities = [
        {"type": entity.kind, "offset": entity.offset, "length": entity.length, **({"url": entity.url} if entity.url else {})}
        for entity in message.entities
    ]
    plain = message.photo is None and message.document is None
    text, marks = ("text", "entities") if plain else ("caption", "caption_entities")
    file = {"file_id": f"document{message.message_id}", "file_unique_id": f"d{message.message_id}"}
    picture = {"file_id": f"photo{message.message_id}", "file_unique_id": f"p{message.message_id}", "width": 640, "height": 320}
    return {
        "message_id": message.message_id,
        **({"sender_chat": chat.described()} if chat.kind == "channel" else {"from": dict(bot)}),
        "chat": chat.described(),
        "date": int(message.at.timestamp()),
        **({"edit_date": int(message.edited_at.timestamp())} if message.edited_at else {}),
        **({"message_thread_id": message.thread, "is_topic_message": True} if message.thread else {}),
        **({"photo": [picture]} if message.photo is not None else {}),
        **({"document": file} if message.document is not None else {}),
        **({text: message.shown} if message.shown else {}),
        **({"reply_markup": {"inline_keyboard": _described_keyboard(message)}} if message.keyboard else {}),
        **({marks: entities} if entities else {}),
    }


def _described_keyboard(message: Delivered) -> list[list[dict[str, str]]]:
    named = {"callback_data": "data", "url": "url"}
    return [
        [
            {"text": one.text, **{name: value for name, field_ in named.items() if (value := getattr(one, field_)) is not None}}
            for one in row
        ]
        for row in message.keyboard
    ]
