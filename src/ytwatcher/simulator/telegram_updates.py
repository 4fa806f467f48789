"""The bot's update queue: what getUpdates reads."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from starlette.types import Receive

from ytwatcher.simulator.connection import gone
from ytwatcher.simulator.world import Now

KEPT = timedelta(hours=24)
NOT_UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds that come only when they were named in allowed_updates."""

Update = dict[str, Any]


class Conflict(Exception):
    """A newer getUpdates ended this one."""


class Updates:
    """Updates in order, kept 24 hours or until an offset confirms them."""

    def __init__(self, now: Now) -> None:
        self.pending: list[tuple[datetime, Update]] = []
        self._now = now
        self._allowed: frozenset[str] | None = None
        self._last_id = 873_000_000
        self._poll: asyncio.Event | None = None

    @property
    def polled(self) -> bool:
        """Whether a long poll is waiting at this moment."""
        return self._poll is not None

    def allow(self, kinds: Collection[str]) -> None:
        """Remember which kinds are wanted from now on; none named: all but the rare ones."""
        self._allowed = frozenset(kinds) or None

    def put(self, update: Update) -> int:
        """Queue an update and give its id; one of a kind that is not wanted is dropped, as the server does."""
        self._last_id += 1
        wanted = self._allowed.__contains__ if self._allowed is not None else lambda kind: kind not in NOT_UNASKED
        if all(wanted(kind) for kind in update):
            self.pending.append((self._now(), {"update_id": self._last_id, **update}))
            if self._poll is not None:
                self._poll.set()
        return self._last_id

    async def get(self, offset: int, limit: int, seconds: float, receive: Receive) -> list[Update]:
        """The updates from `offset` on, at most `limit`; with none, wait up to `seconds` of real time for one.

        An offset confirms what is before it; a negative one drops all but the last ones.

        Raises:
            Conflict: another call came meanwhile.
        """
        older, self._poll = self._poll, None
        if older is not None:
            older.set()
        self._confirm(offset)
        if not self.pending and seconds > 0:
            await self._wait(seconds, receive)
        return [update for _, update in self.pending[:limit]]

    def _confirm(self, offset: int) -> None:
        since = self._now() - KEPT
        self.pending = [(at, update) for at, update in self.pending if at > since and (offset <= 0 or update["update_id"] >= offset)]
        if offset < 0:
            self.pending = self.pending[offset:]

    async def _wait(self, seconds: float, receive: Receive) -> None:
        mine = self._poll = asyncio.Event()
        waits = [asyncio.create_task(mine.wait()), asyncio.create_task(gone(receive))]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._poll is not mine:
            raise Conflict
        self._poll = None
