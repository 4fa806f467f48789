"""The watches of the configuration file: taken up at the start and whenever the file changes.

What cannot be read changes nothing, and nothing is ended as long as something else cannot be taken up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from ytwatcher.clock import Clock
from ytwatcher.core.phrases import Phrase
from ytwatcher.errors import ConfigError, InputError, YTWatcherError
from ytwatcher.reader import Notify
from ytwatcher.settings import DeclaredWatch, Settings
from ytwatcher.store import declared
from ytwatcher.store.db import Database
from ytwatcher.store.declared import Declaration
from ytwatcher.watches import Watches

LOOK_EVERY = timedelta(seconds=5)
"""How often the file is looked at; a change is read when it has stood still from one look to the next."""
TRY_AGAIN = timedelta(minutes=10)

_Signature = tuple[int, int, int] | None

log = structlog.get_logger(__name__)


class Declared:
    """Keeps the journal's watches like those of the file.

    Args:
        reload: reads the settings anew; raises ConfigError.
        check_reachable: raises InputError for an address that nothing can send to.
        notify: tells the operator once per incident.
    """

    def __init__(
        self,
        settings: Settings,
        file: Path,
        reload: Callable[[], Settings],
        db: Database,
        watches: Watches,
        clock: Clock,
        check_reachable: Callable[[str], None],
        notify: Notify,
    ) -> None:
        self._wanted = settings.watch
        self._operator = settings.telegram.operator
        self._path, self._file = file, str(file.absolute())
        self._reload, self._db, self._watches, self._clock = reload, db, watches, clock
        self._check_reachable, self._notify = check_reachable, notify

    async def run(self) -> None:
        """Take up what the file holds, for ever."""
        read = seen = _signature(self._path)
        apply_at: datetime | None = self._clock.now()
        while True:
            now = self._clock.now()
            if apply_at is not None and now >= apply_at:
                apply_at = None if await self.apply(self._wanted) else now + TRY_AGAIN
            await self._clock.wait(now + LOOK_EVERY)
            before, seen = seen, _signature(self._path)
            if seen == before and seen != read:
                read = seen
                if await self._read():
                    apply_at = self._clock.now()

    async def _read(self) -> bool:
        """Whether the file could be read; otherwise the operator is told, once for the same faults."""
        try:
            settings = self._reload()
        except ConfigError as error:
            log.error("configuration_not_taken_up", file=self._file, error=str(error))
            faults = "; ".join(error.faults)
            text = Phrase("{file} has faults; what was read from it before goes on. {faults}", file=self._file, faults=faults)
            await self._notify(f"config:{_digest(text)}", text)
            return False
        self._wanted = settings.watch
        log.info("configuration_read", file=self._file, watches=len(self._wanted))
        return True

    async def apply(self, wanted: Sequence[DeclaredWatch]) -> bool:
        """Make the journal's watches like these; whether all of it could be done."""
        entries = [Declaration(self._file, one.target, one.rules, one.to or self._operator) for one in wanted]
        known = {_written(one) for one in await self._db.read(declared.load)}
        taken = [await self._take_up(entry) for entry in entries if _written(entry) not in known]
        if not all(taken):
            return False
        stay = {_written(entry) for entry in entries}
        for gone in await self._db.read(declared.load):
            if gone.file == self._file and _written(gone) not in stay:
                await self._watches.undeclare(gone)
                log.info("watch_left_the_file", target=gone.target, to=gone.address, kept=gone.adopted)
        return True

    async def _take_up(self, entry: Declaration) -> bool:
        try:
            self._check_reachable(entry.address)
            answers = await self._watches.declare(entry)
        except InputError as error:
            await self._say(entry, Phrase("is not watched: {error}", error=error.phrase))
            return False
        except YTWatcherError as error:
            log.warning("watch_not_taken_up", target=entry.target, to=entry.address, error=str(error))
            return False
        log.info("watch_taken_up", target=entry.target, to=entry.address)
        for answer in answers:
            if answer.refused:
                what = Phrase("has a rule that cannot tell anything, “{line}”: {why}", line=answer.line, why=answer.refused)
                await self._say(entry, what)
        return True

    async def _say(self, entry: Declaration, what: str) -> None:
        text = Phrase("“{target}” in {file} {what}", target=entry.target, file=self._file, what=what)
        log.warning("watch_with_a_fault", target=entry.target, to=entry.address, error=str(what))
        await self._notify(f"watch:{_digest(text)}", text)


def _written(one: Declaration) -> tuple[str, str, tuple[str, ...], str]:
    return one.file, one.target, one.rules, one.address


def _signature(file: Path) -> _Signature:
    """Changes whenever the file does; None while it cannot be seen."""
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
