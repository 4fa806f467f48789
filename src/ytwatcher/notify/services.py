"""Services that Apprise knows, addressed by the name they have in the configuration: `apprise:NAME`. Their URLs are secrets.

Apprise blocks, so each message has a thread of its own, which a service that never answers may keep: after the time-out nobody waits
for it, and it does not keep the process. Of what Apprise logs about a message, only the status and the kind of the fault are taken:
the texts hold URLs.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Mapping
from datetime import timedelta

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, OverflowMode

from ytwatcher.core.addresses import SERVICE
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.reasons import NO_SERVICE, SERVICE_AWAY, SERVICE_PAUSE, SERVICE_SLOW, SERVICE_STATUS, SERVICE_UNCLEAR
from ytwatcher.core.retry import UNPACED, Pace
from ytwatcher.errors import ConfigError
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing, Sent
from ytwatcher.secret import Secret

PATIENCE = timedelta(minutes=1)
"""For a message that is not split; a part of one that is has as much again as the service wants between two calls."""

_STATUS = re.compile(r"\berror=([0-9]{3})\b")
_NOT_WRITTEN = re.compile(
    r"connection refused|newconnectionerror|nameresolutionerror|connecttimeout|failed to resolve|no route|unreachable", re.IGNORECASE
)
_GATEWAY = (502, 504)
"""What something in between answers when it did not hear what became of the request."""


class ServiceSender:
    """Sends to `apprise:NAME`.

    Args:
        services: by name, the URL as Apprise has it.
        patience: how long a message may take.

    Raises:
        ConfigError: Apprise does not take some of the URLs.
    """

    def __init__(self, services: Mapping[str, Secret], patience: timedelta = PATIENCE) -> None:
        self._patience = patience
        _hear()
        self._plugins = {name: _plugin(url) for name, url in services.items()}
        faults = [f"services.{name}: {_REFUSED}" for name, plugin in self._plugins.items() if plugin is None]
        if faults:
            raise ConfigError(faults)

    def __repr__(self) -> str:
        return f"ServiceSender({', '.join(self._plugins)})"

    def knows(self, address: str) -> bool:
        """Whether the configuration has a service of this name."""
        return address.removeprefix(f"{SERVICE}:") in self._plugins

    async def send(self, address: str, message: Outgoing) -> Sent:
        plugin = self._plugins.get(address.removeprefix(f"{SERVICE}:"))
        if plugin is None:
            raise DeliveryError(Failure.NEEDS_ADMIN, Phrase(NO_SERVICE, name=address.removeprefix(f"{SERVICE}:")))
        parts = -(-len(message.plain) // plugin.body_maxlen)
        patience = self._patience.total_seconds() + (parts - 1) * plugin.request_rate_per_sec
        try:
            fault = await asyncio.wait_for(_in_thread(plugin, message.plain), patience)
        except TimeoutError:
            raise DeliveryError(Failure.UNKNOWN, Phrase(SERVICE_SLOW, service=str(plugin.service_name))) from None
        if fault is not None:
            raise _classify(str(plugin.service_name), fault, split=parts > 1)
        return Sent()

    async def alive(self) -> bool:
        """Apprise has no call that changes nothing: only a message shows."""
        return True

    def pace(self, address: str) -> Pace:
        plugin = self._plugins.get(address.removeprefix(f"{SERVICE}:"))
        return UNPACED if plugin is None else Pace(timedelta(seconds=plugin.request_rate_per_sec))


_REFUSED = "is not an address that Apprise takes; its pages say how that of each service is written"


def _hear() -> None:
    """Let Apprise log everything, with the URLs in it, to nobody but the result of each call."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def _plugin(url: Secret) -> NotifyBase | None:
    plugin = Apprise.instantiate(url.reveal(), asset=AppriseAsset(app_id="YT Watcher", app_desc="YT Watcher", secure_logging=True))
    if plugin is not None:
        plugin.overflow_mode = OverflowMode.SPLIT
    return plugin


def _in_thread(plugin: NotifyBase, text: str) -> asyncio.Future[str | None]:
    """What Apprise logged about a message that was not delivered; None when it was."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()

    def settle(outcome: str | None) -> None:
        if not done.done():
            done.set_result(outcome)

    def work() -> None:
        outcome = _deliver(plugin, text)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name="apprise", daemon=True).start()
    return done


def _deliver(plugin: NotifyBase, text: str) -> str | None:
    apprise = Apprise(plugin)
    try:
        with apprise.notify(body=text, body_format=NotifyFormat.TEXT, log_level=logging.DEBUG) as result:
            return None if result else " ".join(entry.message for entry in result.logs())
    except Exception as error:  # noqa: BLE001 - the edge of a thread: whatever a plugin raises, nobody knows what it had sent
        return type(error).__name__


def _classify(service: str, logged: str, *, split: bool) -> DeliveryError:
    """Sort what Apprise logged, whose text stays here. Of a split message, parts before the one that failed may be there."""
    not_sent = Failure.UNKNOWN if split else Failure.UNREACHABLE
    status = next((int(found) for found in _STATUS.findall(logged)), None)
    if status == 429:
        return DeliveryError(Failure.TOO_FAST, Phrase(SERVICE_PAUSE, service=service))
    if status is not None:
        text = Phrase(SERVICE_STATUS, service=service, status=str(status))
        return DeliveryError(Failure.UNKNOWN if status in _GATEWAY else not_sent, text)
    if _NOT_WRITTEN.search(logged):
        return DeliveryError(not_sent, Phrase(SERVICE_AWAY, service=service))
    return DeliveryError(Failure.UNKNOWN, Phrase(SERVICE_UNCLEAR, service=service))
