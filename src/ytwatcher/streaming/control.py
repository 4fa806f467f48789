"""What commands ask of the streaming way while it runs: to pause, to send again, to tell an engine where the videos stand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from ytwatcher.clock import Clock
from ytwatcher.core.model import EPOCH
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror, publications
from ytwatcher.store.db import Database
from ytwatcher.streaming.mirror import Mirror
from ytwatcher.streaming.publisher import Publisher

log = structlog.get_logger(__name__)


class Pause:
    """Until when nothing is sent to the topics of readings and rules. It ends by itself: whoever asked for it may have died."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_at: datetime | None = None

    def holds(self) -> bool:
        return self._until_at is not None and self._clock.now() < self._until_at

    def set(self, seconds: float) -> None:
        """From now on for so long; 0 ends it."""
        self._until_at = self._clock.now() + timedelta(seconds=seconds)


class Control:
    """Answers requests; every answer is plain JSON. Without running loops (a command by itself) it works on the journal alone."""

    def __init__(self, db: Database, clock: Clock, streaming: Streaming, pause: Pause, publisher: Publisher, rules: Mirror) -> None:
        self._db, self._clock, self._streaming = db, clock, streaming
        self._pause, self._publisher, self._rules = pause, publisher, rules

    async def pause(self, seconds: float) -> dict[str, Any]:
        """Send nothing for so many seconds (0: go on); to be asked again until it is `idle`, and for a longer pause.

        Returns:
            `idle`: nothing is on its way any more.
        """
        self._pause.set(seconds)
        log.info("publishing_paused" if seconds else "publishing_goes_on", seconds=seconds)
        if not seconds:
            self._publisher.wake.set()
            self._rules.wake.set()
        return {"idle": self._publisher.idle and self._rules.idle}

    async def switch(self) -> dict[str, Any]:
        """The version that runs has judged all that is published, and ends now.

        Returns:
            `alerts_from`: from which reading on the next version has to judge; it is noted until one is `deployed`.
        """
        cut = await self._db.read(publications.cut) or self._clock.now()
        await self._db.write(publications.note_switch, cut)
        return {"alerts_from": cut.isoformat()}

    async def unfinished(self) -> dict[str, Any]:
        """`alerts_from` of a switch that was begun and not finished; None where there is none."""
        at = await self._db.read(publications.unfinished_switch)
        return {"alerts_from": at.isoformat() if at else None}

    async def starts(self) -> dict[str, Any]:
        """`starts` as the last `anew` noted them."""
        return {"starts": await self._db.read(publications.starts)}

    async def anew(self, starts: dict[str, list[str]], alerts_from: str | None) -> dict[str, Any]:
        """The next version begins behind what the topics hold (`starts`: topic -> its id and the offsets): write again what is kept.

        Rules are written now, although the pause holds: they have to be there before the readings, which are put in line.

        Args:
            alerts_from: the first reading (ISO 8601) in the topic that was not judged; None: there is none.

        Returns:
            `alerts_from`: from which reading on the next version has to judge; and how many `readings` will come again.
        """
        known = datetime.fromisoformat(alerts_from) if alerts_from else await self._db.read(publications.cut)
        cut = known or self._clock.now()
        await self._db.write(publications.note_starts, starts)
        await self._db.write(publications.note_switch, cut)
        self._rules.forget()
        await self._rules.step()
        return {"alerts_from": cut.isoformat(), "readings": await self._db.write(publications.send_again)}

    async def resend(self, since: str | None) -> dict[str, Any]:
        """Send again what is kept from the first reading of `since` (ISO 8601) or later on; None: all. Returns how many `readings`."""
        since_at = datetime.fromisoformat(since) if since else EPOCH
        readings = await self._db.read(publications.kept, since_at)
        if self._publisher.runs:
            self._publisher.resend(since_at)
        else:
            await self._db.write(publications.send_again, since_at)
        return {"readings": readings}

    async def deployed(self) -> dict[str, Any]:
        """A version begins: publish where each video stands whose newest reading the topic may lack. Returns for how many `videos`."""
        await self._db.write(publications.note_switch, None)
        await self._db.write(publications.found_again)
        videos = await self._db.write(mirror.add_baselines, self._clock.now(), self._streaming.retention)
        self._publisher.wake.set()
        return {"videos": videos}
