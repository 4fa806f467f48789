"""Who writes to the bot, from where, and whose watches it is about: looked up once for each update, by the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telegram.ext import CallbackContext, ExtBot

from ytwatcher.people import Standing
from ytwatcher.store.access import Role


@dataclass(frozen=True, slots=True)
class Visit:
    """What handlers know of who writes. They are only given updates of chats that are served.

    address: the recipient that commands are about, `telegram:CHAT` or `telegram:CHAT:TOPIC`: where it is written, or, in a private
        chat, the group or channel that was chosen for its commands.
    here: the address where it is written, and answered.
    language, timezone: what is spoken here: a Babel locale and an IANA name.
    user, name: who writes; None: nobody can tell (an anonymous admin).
    kind: of the chat `here`: private or group.
    """

    standing: Standing
    user: int | None
    name: str
    kind: str
    language: str

    @property
    def address(self) -> str:
        return self.standing.address

    @property
    def here(self) -> str:
        return self.standing.here

    @property
    def role(self) -> Role:
        return self.standing.role

    @property
    def timezone(self) -> str:
        return self.standing.speaks.timezone

    @property
    def private(self) -> bool:
        return self.kind == "private"


class Context(CallbackContext[ExtBot[None], dict[Any, Any], dict[Any, Any], dict[Any, Any]]):
    """What a handler is given beside the update. The gate sets `visit` before any handler runs."""

    visit: Visit
