"""Addresses of recipients: `console`, `telegram:CHAT`, `telegram:CHAT:TOPIC`, `apprise:NAME` (a service of the configuration)."""

from __future__ import annotations

import re

from ytwatcher.core.wording import quoted
from ytwatcher.errors import InputError

CONSOLE = "console"
SERVICE = "apprise"
"""The scheme of a service that is reached through Apprise; its URL is a secret and stands in the configuration only."""
SERVICE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ADDRESS = re.compile(rf"console|telegram:-?[1-9][0-9]{{0,15}}(?::[1-9][0-9]{{0,15}})?|{SERVICE}:{SERVICE_NAME.pattern}")


def check_address(text: str) -> str:
    """The address, if it is one.

    Raises:
        InputError: it is not; the text shows what would be.
    """
    if not _ADDRESS.fullmatch(text):
        raise InputError(
            "{word} is not an address; write console, telegram:CHAT or telegram:CHAT:TOPIC with the ids as numbers,"
            " or {service}:NAME with the name of a service from the configuration",
            word=quoted(text),
            service=SERVICE,
        )
    return text
