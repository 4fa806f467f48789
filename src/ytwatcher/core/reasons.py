"""Why something was not sent, in words of our own. They are stored as their English text, and recognized where they are shown."""

from __future__ import annotations

from types import MappingProxyType

from ytwatcher.core.phrases import Phrase, recognized

UNREACHED = Phrase("Telegram cannot be reached ({fault})")
ANSWER_LOST = Phrase("the answer was lost ({fault})")
NO_ANSWER = Phrase("HTTP {status} without an answer of Telegram's")
REFUSED = Phrase("error {status}")
SILENT = Phrase("the service does not answer")
ENDED = Phrase("the process ended before the answer")
SENDER_FAULT = Phrase("a fault in the sender ({fault})")
BLOCKED = Phrase("the bot was blocked")
THROWN_OUT = Phrase("the bot was removed from the chat")
NOBODY_READS = Phrase("nobody reads the output any more")
NOT_WRITTEN = Phrase("the output cannot be written: {fault}")
NO_SERVICE = Phrase("[services] in the configuration has no “{name}”")
SERVICE_SLOW = Phrase("{service} has not answered")
SERVICE_PAUSE = Phrase("{service} asks for a pause (HTTP 429)")
SERVICE_STATUS = Phrase("{service} answered with HTTP {status}")
SERVICE_AWAY = Phrase("{service} cannot be reached")
SERVICE_UNCLEAR = Phrase("{service} did not say that it has it")
REASONS = (
    UNREACHED,
    ANSWER_LOST,
    NO_ANSWER,
    REFUSED,
    SILENT,
    ENDED,
    SENDER_FAULT,
    BLOCKED,
    THROWN_OUT,
    NOBODY_READS,
    NOT_WRITTEN,
    NO_SERVICE,
    SERVICE_SLOW,
    SERVICE_PAUSE,
    SERVICE_STATUS,
    SERVICE_AWAY,
    SERVICE_UNCLEAR,
)
STATES = MappingProxyType({"paused": Phrase("paused"), "lost": Phrase("lost")})
"""Of a recipient that cannot be told anything."""


def reason(text: str) -> str:
    """A stored reason, as a phrase where it is one of ours."""
    return recognized(text, REASONS)
