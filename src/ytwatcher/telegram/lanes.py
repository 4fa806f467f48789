"""Many chats are answered side by side, and each of them in the order in which it wrote."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

AT_ONCE = 24
"""Updates in hand for all chats together: most of an answer is waiting, for Telegram and for YouTube."""
Update = Mapping[str, Any]


class Lanes:
    """One queue for each chat that has anything to be done, and a task behind each; all of it in memory.

    Args:
        handle: does one update. What it raises is for `failed`.
        ended: called after each.
    """

    def __init__(self, handle: Callable[[Update], Awaitable[None]], ended: Callable[[], None]) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the first error that `handle` raised; then nothing more is begun."""
        self._handle, self._ended = handle, ended
        self._waiting: dict[int, deque[Update]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._fewer = asyncio.Event()
        self._closing = False

    @property
    def length(self) -> int:
        """How many updates wait or are in hand."""
        return sum(map(len, self._waiting.values()))

    def put(self, update: Update) -> None:
        """Do it behind what its chat wrote before."""
        chat = chat_in(update)
        self._waiting.setdefault(chat, deque()).append(update)
        if chat not in self._tasks:
            task = self._tasks[chat] = asyncio.create_task(self._drive(chat))
            task.add_done_callback(self._end)

    async def fewer_than(self, most: int) -> None:
        """Wait until there is room."""
        while self.length >= most:
            self._fewer.clear()
            await self._fewer.wait()

    async def close(self) -> None:
        """Finish what is in hand, for a person waits for it, and leave the rest."""
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        self.failed.cancel()

    async def _drive(self, chat: int) -> None:
        waiting = self._waiting[chat]
        try:
            while waiting and await self._may_begin():
                try:
                    await self._handle(waiting[0])
                finally:
                    self._places.release()
                waiting.popleft()
                self._fewer.set()
                self._ended()
        finally:
            del self._tasks[chat], self._waiting[chat]

    def _end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self.failed.done():
            self._closing = True
            self.failed.set_exception(error)

    async def _may_begin(self) -> bool:
        await self._places.acquire()
        if self._closing:
            self._places.release()
        return not self._closing


def chat_in(update: Update) -> int:
    """The chat that an update is from, or who pressed a button that is in none; 0: it does not say."""
    for body in update.values():
        if isinstance(body, dict):
            message = body.get("message")
            for place in (body.get("chat"), message.get("chat") if isinstance(message, dict) else None, body.get("from")):
                if isinstance(place, dict) and isinstance(place.get("id"), int):
                    return int(place["id"])
    return 0
