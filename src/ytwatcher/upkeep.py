"""What `run` does for the journal itself: backups in time, and waiting for room on a full disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import structlog

from ytwatcher import backups
from ytwatcher.clock import Clock
from ytwatcher.core.phrases import Phrase
from ytwatcher.errors import DiskFullError, StorageError
from ytwatcher.reader import Notify

LOOK_FOR_ROOM = timedelta(seconds=10)
BACKUP_AGAIN = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Schedule(NamedTuple):
    """Where backups go, how often one is made and how many stay."""

    folder: Path
    every: timedelta
    keep: int


async def keep_backups(journal: Path, schedule: Schedule, clock: Clock, notify: Notify) -> None:
    """Make a backup whenever the newest one is old enough; a failure is told, and tried again every hour."""
    while True:
        now, newest = clock.now(), backups.newest(schedule.folder)
        due_at = now if newest is None else min(now, backups.made_at(newest)) + schedule.every
        if due_at > now:
            await clock.wait(due_at, asyncio.Event())
            continue
        try:
            made = await asyncio.to_thread(backups.make_and_keep, journal, schedule.folder, schedule.keep, now)
            log.info("backup_made", file=str(made))
        except StorageError as error:
            log.error("backup_failed", error=str(error))
            text = Phrase("The backup could not be made: {error}. It is tried again every hour.", error=error.phrase)
            await notify(f"backup:{now:%Y-%m-%d}", text)
            await clock.wait(now + BACKUP_AGAIN, asyncio.Event())


class Room:
    """Waits while there is no room for a write. The operator hears of it at once if a message can be sent past the journal, and in any
    case when there is room again.

    Args:
        say: sends a text to the operator past the journal, as well as that is possible.
        notify: tells the operator once per incident, by the journal.
        stopping: set when the process shall end: then nothing is waited for.
    """

    def __init__(self, clock: Clock, say: Callable[[str], Awaitable[None]], notify: Notify, stopping: asyncio.Event) -> None:
        self._clock, self._say, self._notify, self._stopping = clock, say, notify, stopping
        self._incident: asyncio.Task[None] | None = None

    async def wait(self, error: DiskFullError) -> None:
        """Return when it is worth another try.

        Raises:
            DiskFullError: the process shall end.
        """
        if self._stopping.is_set():
            raise error
        if self._incident is None or self._incident.done():
            self._incident = asyncio.create_task(self._tell(error))
        await self._clock.wait(self._clock.now() + LOOK_FOR_ROOM, self._stopping)

    async def _tell(self, error: DiskFullError) -> None:
        """The notice is a write like others: it waits for room itself, so that it is there as soon as there is some."""
        now = self._clock.now()
        log.error("disk_full", error=str(error))
        await self._say(Phrase("{error}. Until then nothing is read or recorded; it goes on by itself.", error=error.phrase))
        with contextlib.suppress(StorageError):
            text = Phrase(
                "There is room on the disk again; it had been full since {at} UTC. Readings go on, and nothing was lost.",
                at=f"{now:%Y-%m-%d %H:%M}",
            )
            await self._notify(f"disk-full:{now:%Y-%m-%dT%H:%M:%S}", text)
            log.info("disk_has_room")
