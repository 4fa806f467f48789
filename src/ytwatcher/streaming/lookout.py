"""What the parts of the streaming way say of themselves: topics, the engine, who reads what, the connector."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from ytwatcher.clock import Clock
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import connect, lag, names, schemas
from ytwatcher.streaming.engines import deployment, open_flink, open_ksqldb
from ytwatcher.streaming.engines.plan import Part
from ytwatcher.streaming.lag import Lag
from ytwatcher.streaming.tail import Progress, progress

FRESH = timedelta(seconds=10)
LONGEST_FAULT = 500


@dataclass(frozen=True, slots=True)
class Found:
    """What they said. `connector` is None where there is none."""

    topics: Sequence[Progress]
    readers: Sequence[Lag]
    connector: connect.Status | None


async def ask(streaming: Streaming, engine: str, parts: Sequence[Part]) -> Found:
    """Ask the brokers, the registry and Connect. `engine` (empty: none) and its `parts` say whose groups are looked at.

    Raises:
        OutsideError: one of them does not answer.
    """
    topics, readers = await asyncio.to_thread(_ask_kafka, streaming, engine, parts)
    if streaming.connect_url is None:
        return Found(topics, readers, None)
    async with connect.open_connect(streaming) as opened:
        return Found(topics, readers, await opened.status())


def _ask_kafka(streaming: Streaming, engine: str, parts: Sequence[Part]) -> tuple[list[Progress], list[Lag]]:
    topics = progress(streaming, tuple(names.topics(streaming.prefix)))
    schemas.look(streaming)
    there = {topic.topic for topic in topics if topic.partitions}
    readers = [lag.delivering(streaming), *(lag.readers(streaming, engine, [part.name for part in parts]) if engine else ())]
    return topics, lag.lags(streaming, [reader for reader in readers if reader.topic in there])


class Lookout:
    """Answers nearly at once whoever wants to see the parts: it asks in the background, once at a time, and keeps the last answer."""

    def __init__(self, clock: Clock, streaming: Streaming) -> None:
        self._clock, self._streaming = clock, streaming
        self._asking: asyncio.Task[dict[str, Any]] | None = None
        self._known: dict[str, Any] | None = None
        self._at: datetime | None = None

    async def look(self, patience: float) -> dict[str, Any]:
        """The newest answer, after at most so many seconds.

        Returns:
            `known`: the parts' words as plain JSON with the instant `at`, or why there are none (`fault`); None: nothing is known yet.
            `asking`: they are being asked at this moment.
        """
        if self._asking is None and (self._at is None or self._clock.now() - self._at > FRESH):
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=patience)
        if self._asking is not None and self._asking.done():
            done, self._asking, self._at = self._asking, None, self._clock.now()
            self._known = done.result()
        return {"known": self._known, "asking": self._asking is not None}

    async def _ask(self) -> dict[str, Any]:
        streaming, parts, which = self._streaming, list[Part](), ""
        try:
            if streaming.engine != "embedded":
                which = streaming.engine
                opened = open_flink if which == "flink" else open_ksqldb
                async with opened(streaming, deployment(streaming)) as engine:
                    parts = await engine.status()
            found = await ask(streaming, which, parts)
        except OutsideError as error:
            return {"at": self._clock.now().isoformat(), "fault": str(error)[:LONGEST_FAULT]}
        return {"at": self._clock.now().isoformat(), **as_json(found, parts)}


def as_json(found: Found, parts: Sequence[Part]) -> dict[str, Any]:
    """The same as plain JSON."""
    connector = found.connector
    return {
        "topics": [{**asdict(one), "newest_at": _iso(one.newest_at)} for one in found.topics],
        "engine": [{**asdict(one), "checkpoint_at": _iso(one.checkpoint_at)} for one in parts],
        "readers": [{**asdict(one), "open_since": _iso(one.open_since)} for one in found.readers],
        "connector": {**asdict(connector), "runs": connector.runs} if connector else None,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
