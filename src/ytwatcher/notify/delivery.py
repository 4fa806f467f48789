"""What the dispatcher asks of a sender, and what a sender may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from ytwatcher.core.findings import Item
from ytwatcher.core.retry import Pace
from ytwatcher.errors import OutsideError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way: HTML (None: its markup was refused, send `plain`), the same without markup, and its alerts.

    `photo` (PNG) goes with it where the service and the length of the text allow it. `key` names the message to buttons under it, which
    speak `language`.
    """

    html: str | None
    plain: str
    silent: bool = False
    items: tuple[Item, ...] = ()
    photo: bytes | None = field(default=None, repr=False)
    key: int | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Sent:
    """The service has it, under this id where it said one."""

    remote_id: str | None = None


class Failure(StrEnum):
    """Why a message was not delivered, by what follows from it."""

    LOST = "recipient lost"
    NEEDS_ADMIN = "needs an admin"
    MOVED = "chat moved"
    MARKUP = "markup refused"
    REFUSED = "message refused"
    TOO_FAST = "too fast"
    NO_ACCESS = "access refused"
    UNREACHABLE = "not reached"
    UNKNOWN = "outcome unknown"


class DeliveryError(OutsideError):
    """A message was not delivered, or nobody knows whether it was.

    `migrate_to` is the address of the chat that takes the place of the old one. The text is safe to show: no secrets, no URL.
    """

    def __init__(self, failure: Failure, message: str, *, retry_after: timedelta | None = None, migrate_to: str | None = None) -> None:
        permanent = failure in (Failure.LOST, Failure.REFUSED)
        super().__init__(message, reason=failure.value, permanent=permanent, retry_after=retry_after)
        self.failure = failure
        self.migrate_to = migrate_to

    @property
    def unknown(self) -> bool:
        """It may have been delivered."""
        return self.failure is Failure.UNKNOWN


class Sender(Protocol):
    """One way to people; the addresses of a sender begin with its scheme (`telegram:…`, `console`)."""

    async def send(self, address: str, message: Outgoing) -> Sent:
        """Deliver one message.

        Raises:
            DeliveryError: it was not delivered, or its outcome is unknown.
        """
        ...

    async def alive(self) -> bool:
        """Whether the service answers at all."""
        ...

    def pace(self, address: str) -> Pace:
        """How fast the address may be sent to."""
        ...
