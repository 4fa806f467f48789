"""A dead man's switch: somebody else is called as long as readings flow, and raises the alarm when the calls stop."""

from __future__ import annotations

from datetime import timedelta

import httpx
import structlog

from ytwatcher.clock import Clock
from ytwatcher.secret import Secret
from ytwatcher.store import subjects
from ytwatcher.store.db import Database
from ytwatcher.tls import trusted

EVERY = timedelta(minutes=5)
TIMEOUT = httpx.Timeout(10.0)

log = structlog.get_logger(__name__)


class Deadman:
    """Calls the URL every five minutes while the newest reading is younger than `fresh`. A call that fails disturbs nothing."""

    def __init__(self, url: Secret, fresh: timedelta, db: Database, clock: Clock) -> None:
        self._url, self._fresh, self._db, self._clock = url, fresh, db, clock
        self._failing = False

    async def run(self) -> None:
        """Call for ever."""
        async with httpx.AsyncClient(timeout=TIMEOUT, headers={"User-Agent": "ytwatcher"}, verify=trusted()) as client:
            while True:
                now = self._clock.now()
                read_at = await self._db.read(subjects.last_read_at)
                if read_at is not None and now - read_at < self._fresh:
                    await self._call(client)
                await self._clock.wait(now + EVERY)

    async def _call(self, client: httpx.AsyncClient) -> None:
        """The URL is a secret, and the texts of errors may hold it: only their kind is logged, once until it works again."""
        try:
            status = (await client.get(self._url.reveal())).status_code
            fault = None if status < 400 else f"HTTP {status}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = type(error).__name__
        if fault and not self._failing:
            log.warning("deadman_not_reached", error=fault)
        self._failing = fault is not None
