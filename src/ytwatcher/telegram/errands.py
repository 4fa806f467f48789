"""What takes longer than an answer may (a picture) is done beside the others' updates: one thing at a time for each chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

MOST = 20
"""Errands at a time for all chats together."""
log = structlog.get_logger(__name__)


class Errands:
    """Runs them. What a crash ends is not done again: who waits for it asks once more.

    Args:
        ended: called when one has ended.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def start(self, chat: str, work: Coroutine[Any, Any, None]) -> bool:
        """Begin the work; False: the chat's last errand still runs, or there are too many, and nothing was begun."""
        if chat in self._running or len(self._running) >= MOST:
            work.close()
            return False
        task = self._running[chat] = asyncio.create_task(self._do(chat, work))
        task.add_done_callback(lambda _: self._end(chat))
        return True

    async def _do(self, chat: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # the edge of an errand: its fault is nobody else's
            log.exception("errand_fault", chat=chat)

    def _end(self, chat: str) -> None:
        self._running.pop(chat, None)
        self._ended()

    async def close(self) -> None:
        """Give up what still runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
