"""Asks YouTube within the ledger: every call is counted before it is made, and what its refusal means for the bucket is recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeVar

import structlog

from ytwatcher.clock import Clock
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.quota import Bucket, Ledger, Share, Why
from ytwatcher.store import quota
from ytwatcher.store.db import Database
from ytwatcher.store.quota import Terms
from ytwatcher.youtube.client import YouTubeClient
from ytwatcher.youtube.faults import Act, YouTubeError

T = TypeVar("T")
Notify = Callable[[str, str], Awaitable[None]]
"""Tells the operator once per incident: a key that names the incident, and the text."""

log = structlog.get_logger(__name__)


class Reader:
    """One YouTube client with its ledger. `refused_at`: since when YouTube has refused the key (None: it does not)."""

    def __init__(self, db: Database, client: YouTubeClient, clock: Clock, terms: Mapping[Bucket, Terms], notify: Notify) -> None:
        self.client = client
        self._db, self._clock, self._terms, self._notify = db, clock, terms, notify
        self.refused_at: datetime | None = None

    def ledger(self, con: sqlite3.Connection, bucket: Bucket, now: datetime) -> Ledger:
        """The bucket on the day of `now`."""
        return quota.load(con, bucket, self._terms[bucket], now)

    async def ask(self, bucket: Bucket, share: Share, call: Callable[[], Awaitable[T]]) -> T:
        """Make one call that costs one unit.

        Raises:
            YouTubeError: the share has nothing left (nothing was sent then), or YouTube refused.
        """
        now = self._clock.now()
        allowed = await self._db.write(quota.spend, bucket, self._terms[bucket], share, now)
        if not allowed.permits(now):
            text = Phrase("the quota is used up: {why}", why=Phrase(str(allowed.why)))
            raise YouTubeError(text, act=Act.CLOSE_BUCKET, reason="own ledger")
        try:
            answer = await call()
        except YouTubeError as error:
            await self._learn(bucket, error)
            raise
        if allowed.why is Why.PROBE:
            await self._db.write(quota.reopen, bucket, self._clock.now())
            log.info("bucket_open_again", bucket=bucket)
        self.refused_at = None
        return answer

    async def _learn(self, bucket: Bucket, error: YouTubeError) -> None:
        now = self._clock.now()
        log.warning("youtube_refused", bucket=bucket, reason=error.reason, act=error.act.name, error=str(error))
        if error.act is Act.CLOSE_BUCKET:
            ledger = await self._db.write(quota.close, bucket, self._terms[bucket], now)
            await self._notify(
                f"quota:{ledger.day.day}",
                Phrase(
                    "YouTube says that today's quota is used up (bucket {bucket}; {total} of {limit} units counted here)."
                    " Reading goes on fully at midnight Pacific time, {at} UTC, or earlier if an hourly probe is"
                    " answered. Nothing is lost: what happens until then is told in one message.",
                    bucket=str(bucket),
                    total=ledger.total,
                    limit=ledger.limit,
                    at=f"{ledger.day.end_at:%Y-%m-%d %H:%M}",
                ),
            )
        elif error.act is Act.STOP:
            self.refused_at = self.refused_at or now
            await self._notify(
                f"key:{self.refused_at:%Y-%m-%dT%H:%M}",
                Phrase(
                    "YouTube refuses the API key ({reason}): {error}. Nothing can be read until that is mended;"
                    " `ytwatcher doctor` checks the key. It is tried again every 10 minutes.",
                    reason=error.reason,
                    error=error.phrase,
                ),
            )
