"""The streaming way, wired: what runs beside the embedded way when brokers are configured, and what wakes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import structlog

from ytwatcher.clock import Clock
from ytwatcher.core.phrases import Phrase
from ytwatcher.errors import OutsideError
from ytwatcher.reader import Notify
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror, publications
from ytwatcher.store.db import Database
from ytwatcher.streaming import lag
from ytwatcher.streaming.control import Control, Pause
from ytwatcher.streaming.engines import deployment, open_flink, open_ksqldb
from ytwatcher.streaming.engines.flink import Flink
from ytwatcher.streaming.engines.ksqldb import KsqlDb
from ytwatcher.streaming.engines.plan import Part, starts_in
from ytwatcher.streaming.lookout import Lookout
from ytwatcher.streaming.mirror import Mirror
from ytwatcher.streaming.outbound import Outbound
from ytwatcher.streaming.publisher import Publisher
from ytwatcher.streaming.strangers import explained

LOOK_EVERY = timedelta(seconds=30)
Loop = Callable[[], Coroutine[Any, Any, None]]
Handler = Callable[..., Awaitable[dict[str, Any]]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Way:
    """The loops of the streaming way, and what it does for commands.

    `published` is to be called after a commit that brought readings to publish.
    """

    loops: Sequence[Loop]
    published: Callable[[], None]
    handlers: Mapping[str, Handler]


def build(db: Database, clock: Clock, streaming: Streaming, notify: Notify, told: Callable[[], None]) -> Way:
    """Everything that the settings ask for: publishing always, and with an engine its rules, its health and its alerts.

    Args:
        told: called after a commit that brought alerts.
    """
    watch = EngineWatch(db, clock, streaming, notify)
    pause = Pause(clock)
    rules = Mirror(db, clock, streaming, watch.runs, paused=pause.holds)
    begin_anew = None if streaming.engine == "embedded" else watch.begin_anew
    publisher = Publisher(db, clock, streaming, notify, anew=rules.forget, begin_anew=begin_anew, paused=pause.holds)
    control = Control(db, clock, streaming, pause, publisher, rules)
    loops: list[Loop] = [publisher.run]
    if streaming.engine != "embedded":
        loops += [watch.run, rules.run]
    if streaming.delivery == "ours":
        # Also without an engine: what one found before it was given up is still told.
        loops.append(Outbound(db, clock, streaming, told).run)
    handlers: dict[str, Handler] = {
        "stream pause": control.pause,
        "stream resend": control.resend,
        "stream switch": control.switch,
        "stream unfinished": control.unfinished,
        "stream starts": control.starts,
        "stream anew": control.anew,
        "stream deployed": control.deployed,
        "stream look": Lookout(clock, streaming).look,
    }
    return Way(loops, publisher.wake.set, handlers)


@asynccontextmanager
async def open_engine(streaming: Streaming, starts: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Flink | KsqlDb]:
    """The configured engine with our deployment on it; `starts` as in `Deployment`."""
    opened = open_flink if streaming.engine == "flink" else open_ksqldb
    async with opened(streaming, replace(deployment(streaming), starts=starts)) as engine:
        yield engine


class EngineWatch:
    """Looks after the deployment: rules may move to it only while it runs, and a lost Flink job is brought back.

    That a job ran is known from seeing it, or from the journal: rules have moved to it, and nobody else judges them. One look at a time:
    two that find it gone would both bring it back.
    """

    def __init__(self, db: Database, clock: Clock, streaming: Streaming, notify: Notify) -> None:
        self._db, self._clock, self._streaming, self._notify = db, clock, streaming, notify
        self._one_look = asyncio.Lock()
        self._looked_at: datetime | None = None
        self._well = False
        self._ran = False
        self._since_at = clock.now()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self._look()
            await self._clock.wait(self._clock.now() + LOOK_EVERY)

    async def runs(self) -> bool:
        """Whether the engine ran at the last look, which is made now if it is too long ago."""
        if self._looked_at is None or self._clock.now() - self._looked_at > LOOK_EVERY * 2:
            await self._look()
        return self._well

    async def begin_anew(self, ids: Mapping[str, str]) -> None:
        """Whatever judges ends, and begins again with the topics that are there (name -> its own id). What it finds a second time has
        the ids that it had before.

        Raises:
            OutsideError: the engine does not do it.
        """
        starts = starts_in(await self._db.read(publications.starts), ids)
        async with self._one_look, open_engine(self._streaming, starts) as engine:
            ends = await engine.plan(end=True)
            if not ends and not await self._should_be_there(engine):
                return  # nobody has deployed it, or somebody has ended it
            await self._db.write(publications.note_ended)
            await engine.carry_out(ends)
            if isinstance(engine, Flink):
                await asyncio.to_thread(lag.forget, self._streaming)
            await engine.carry_out(await engine.plan())
            log.warning("engine_began_anew", ended=len(ends))

    async def _should_be_there(self, engine: Flink | KsqlDb) -> bool:
        if await self._db.read(publications.astray) == "ended":
            return True
        return isinstance(engine, Flink) and await self._is_missed(engine)

    async def _is_missed(self, engine: Flink) -> bool:
        """Whether its job, where there is none, should be there."""
        return (self._ran or await self._db.read(mirror.any_moved)) and not await engine.ended_on_purpose()

    async def _look(self) -> None:
        async with self._one_look:
            await self._note(await self._looked())
            self._looked_at = self._clock.now()

    async def _looked(self) -> str:
        """What is wrong with the engine, after what can be done about it; empty: nothing."""
        try:
            async with open_engine(self._streaming) as engine:
                fault = _fault(await engine.status())
                if fault and isinstance(engine, Flink) and await self._is_missed(engine) and not await self._db.read(publications.astray):
                    state = await engine.recover()
                    log.warning("engine_recovered" if state else "engine_unwell", fault=fault, checkpoint=state)
                return await asyncio.to_thread(explained, self._streaming, fault)
        except OutsideError as error:
            return str(error)

    async def _note(self, fault: str) -> None:
        """Tell the operator when it stops being well, and when it is again."""
        was_well, self._well = self._well, not fault
        if was_well and fault:
            self._since_at = self._clock.now()
        incident, engine = f"{self._since_at:%Y-%m-%dT%H:%M}", self._streaming.engine
        if fault and (was_well or not self._ran):
            text = Phrase(
                "The engine ({engine}) does not run: {fault}. Readings wait in the topic; `ytwatcher stream status` shows more.",
                engine=engine,
                fault=fault,
            )
            await self._notify(f"engine:{incident}", text)
        elif self._well and not was_well and self._ran:
            text = Phrase("The engine ({engine}) judges again; nothing was lost.", engine=engine)
            await self._notify(f"engine-again:{incident}", text)
        self._ran = self._ran or self._well


def _fault(parts: Sequence[Part]) -> str:
    """What is wrong with the deployment; empty when all of it runs."""
    if not parts:
        return "it is not deployed; `ytwatcher stream deploy` does it"
    return "; ".join(f"{part.name}: {part.fault}" for part in parts if part.fault)
