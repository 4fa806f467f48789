"""How a process that watches is asked to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def on_stop(stop: Callable[[], None]) -> None:
    """Let the first SIGINT or SIGTERM call `stop`; the second one ends the process at once (the journal survives that)."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, first)


def on_hangup(reopen: Callable[[], None]) -> None:
    """Call this at every SIGHUP, which otherwise ends the process: a log rotation sends it."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reopen)
