"""The chats of the simulated Telegram: who may write where, and how often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from ytwatcher.core.model import ChatId

Kind = Literal["private", "group", "supergroup", "channel"]
State = Literal["open", "blocked", "deactivated", "stranger", "kicked", "left", "deleted"]


class BotError(Exception):
    """An error answer of the Bot API."""

    def __init__(self, status: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters or {}


def too_many(seconds: float) -> BotError:
    """The 429 that asks for a pause, in whole seconds."""
    pause = max(1, math.ceil(seconds))
    return BotError(429, f"Too Many Requests: retry after {pause}", {"retry_after": pause})


@dataclass(slots=True)
class SimChat:
    """A chat. `topics` maps a forum's thread ids to names; `may_write` False: the bot's right to send was taken.

    `admins` are the people who may change a group; the bot sees all of a group's messages only as an admin (`bot_is_admin`).
    """

    id: ChatId
    kind: Kind
    title: str
    topics: dict[int, str] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    state: State = "open"
    may_write: bool = True
    may_send_photos: bool = True
    admins: set[int] = field(default_factory=set)
    bot_is_admin: bool = False
    migrated_to: ChatId | None = None
    quiet_until: datetime | None = None

    def check(self) -> None:
        """Raise the BotError that sending here meets."""
        if self.migrated_to is not None:
            parameters = {"migrate_to_chat_id": self.migrated_to}
            raise BotError(400, "Bad Request: group chat was upgraded to a supergroup chat", parameters)
        refusals: dict[State, str] = {
            "blocked": "bot was blocked by the user",
            "deactivated": "user is deactivated",
            "stranger": "bot can't initiate conversation with a user",
            "kicked": f"bot was kicked from the {self.kind} chat",
            "left": f"bot is not a member of the {self.kind} chat",
            "deleted": "the group chat was deleted",
        }
        if self.state in refusals:
            raise BotError(403, f"Forbidden: {refusals[self.state]}")
        if not self.may_write:
            channel = self.kind == "channel"
            lacks = "need administrator rights in the channel chat" if channel else "not enough rights to send text messages to the chat"
            raise BotError(400, f"Bad Request: {lacks}")

    def check_photos(self) -> None:
        """Raise the BotError that a picture meets."""
        if not self.may_send_photos:
            raise BotError(400, "Bad Request: not enough rights to send photos to the chat")

    def check_topic(self, thread: int | None) -> None:
        """Raise the BotError that sending to a topic meets; the General topic (1) is addressed by no thread at all."""
        if thread is None:
            return
        if thread not in self.topics:
            raise BotError(400, "Bad Request: message thread not found")
        if thread in self.closed:
            raise BotError(400, "Bad Request: TOPIC_CLOSED")

    def described(self) -> dict[str, Any]:
        """The Chat object."""
        if self.kind == "private":
            return {"id": self.id, "first_name": self.title, "type": self.kind}
        return {"id": self.id, "title": self.title, "type": self.kind, **({"is_forum": True} if self.topics else {})}


@dataclass(slots=True)
class Rates:
    """How often a bot may send, each rule over a sliding window: in one chat, in one group or channel, in all.

    Args:
        burst: messages that one chat takes in `burst` seconds; 1: one a second, strictly.
    """

    burst: int = 1
    group_per_minute: int = 20
    overall_per_second: int = 30
    sent: list[tuple[datetime, ChatId]] = field(default_factory=list)

    def check(self, chat: SimChat, now: datetime) -> None:
        """Raise the 429 that a message to `chat` meets now."""
        here = [at for at, chat_id in self.sent if chat_id == chat.id]
        rules = [
            (here, self.burst, timedelta(seconds=self.burst)),
            ([at for at, _ in self.sent], self.overall_per_second, timedelta(seconds=1)),
        ]
        if chat.kind != "private":
            rules.append((here, self.group_per_minute, timedelta(minutes=1)))
        waits = [wait for times, limit, span in rules if (wait := _wait(times, limit, span, now)) > 0]
        if chat.quiet_until is not None and chat.quiet_until > now:
            waits.append((chat.quiet_until - now).total_seconds())
        if waits:
            raise too_many(max(waits))

    def count(self, chat: SimChat, now: datetime) -> None:
        """A message went out; what is older than every window is forgotten."""
        self.sent = [(at, chat_id) for at, chat_id in self.sent if now - at < timedelta(minutes=1)]
        self.sent.append((now, chat.id))


def _wait(times: list[datetime], limit: int, span: timedelta, now: datetime) -> float:
    """Seconds until a window of `span` that holds `limit` has room."""
    if len(times) < limit:
        return 0.0
    return (times[-limit] + span - now).total_seconds()


_RIGHTS = (
    "can_be_edited",
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
)


def member(user: Mapping[str, Any], status: str) -> dict[str, Any]:
    """The ChatMember object of somebody in a chat, with all the fields that its status has."""
    if status == "administrator":
        return {"user": dict(user), "status": status, **dict.fromkeys(_RIGHTS, True), "is_anonymous": False}
    return {"user": dict(user), "status": status, **({"until_date": 0} if status == "kicked" else {})}
