"""A deployment is made and replaced while readings are published: each alert equals that of a judge who saw everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from journal import Journal
from publishing_stage import streaming as own_topics
from stack_parts import needs, shared_stack
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror
from ytwatcher.store.db import Database
from ytwatcher.streaming import lag, names, way
from ytwatcher.streaming.connection import kafka_config
from ytwatcher.streaming.engines import deployment, open_flink
from ytwatcher.streaming.engines.plan import Action, Deployment, Plan, only
from ytwatcher.streaming.upgrade import Engine, bring, end, skip

SPEED = 30.0
"""Rules move two minutes ahead; here that is four seconds."""
EPOCH = datetime(2026, 10, 5, 17, tzinfo=UTC)
VIDEO = SubjectId("v1")
RULES = ("views change", "views every 10", "likes milestones", "views rise 5")
PATIENCE = 180.0


class Dying:
    """An engine that can be looked at and ended; who wants to make something dies."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.plan, self.status = engine.plan, engine.status

    async def carry_out(self, plan: Plan) -> None:
        if only(plan, Action.MAKE):
            raise OutsideError("killed", reason="unreachable")
        await self._engine.carry_out(plan)


class Stage:
    """Two journals with the same readings: `here` goes through Kafka and Flink, `twin` is judged embedded."""

    def __init__(self, folder: Path, db: Database, clock: SystemClock, streaming: Streaming) -> None:
        self.db, self.clock, self.streaming = db, clock, streaming
        self.twin = _journal(folder / "twin.db")
        self.views = 100
        self.handlers: Mapping[str, Callable[..., Awaitable[dict[str, Any]]]] = {}
        self.published: Callable[[], None] = lambda: None
        self.told: list[str] = []

    async def read(self, more: int, *, publish: bool = True) -> None:
        """A reading with so many more views, taken by both journals."""
        self.views += more
        now = self.clock.now()
        reading = Reading(VIDEO, now, Lane.STATISTICS, {Metric.VIEWS: self.views, Metric.LIKES: self.views // 7})
        await self.db.write(pipeline.accept, [reading], now, publish=publish)
        self.twin.accept([reading], now)
        self.published()

    async def ask(self, kind: str, **payload: Any) -> dict[str, Any]:
        """As of the process with the lease; a pause is as long as it would be in real time."""
        return await self.handlers[kind](**{name: value * SPEED if name == "seconds" else value for name, value in payload.items()})

    async def bring(self, version: int, *, drain: bool, dies: bool = False) -> None:
        """Deploy that version. `dies`: between the end of the old one and the start of this one."""

        @asynccontextmanager
        async def opened(wanted: Deployment) -> AsyncIterator[Engine]:
            async with open_flink(self.streaming, wanted) as engine:
                yield Dying(engine) if dies else engine

        await bring(self.streaming, "flink", opened, _wanted(self.streaming, version), self.ask, drain=drain)

    async def tear_down(self) -> None:
        assert await end(self.streaming, "flink", self._opened, _wanted(self.streaming, 1), self.ask), "there was a job"

    async def skip(self) -> Sequence[str]:
        return await skip(self.streaming, self._opened, _wanted(self.streaming, 1), self.ask)

    def _opened(self, wanted: Deployment) -> AbstractAsyncContextManager[Engine]:
        return open_flink(self.streaming, wanted)

    @asynccontextmanager
    async def read_on(self) -> AsyncIterator[None]:
        """Readings go on inside the block."""

        async def go_on() -> None:
            while True:
                await self.read(3)
                await self.clock.wait(self.clock.now() + timedelta(seconds=4))

        reading = asyncio.create_task(go_on())
        try:
            yield
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def count_is_right(self) -> None:
        """Nothing waits, and the topic of alerts has each that the engine had to find, once."""
        waiting = await self.db.read(lambda con: con.execute("SELECT count(*) FROM publication WHERE acked_at IS NULL").fetchone()[0])
        assert waiting == 0
        outbound = names.topics(self.streaming.prefix).outbound
        moved = await self.db.read(lambda con: con.execute("SELECT min(engine_since) FROM rule_state").fetchone()[0])
        by_engine = [row for row in await self.alerts() if row[2] != "rise" and isinstance(row[6], int) and row[6] >= moved]
        found = sum(1 for _ in lag.unread(self.streaming, lag.Reader("nobody", outbound), "read_committed"))
        assert found == len(by_engine) > 10, "no alert was found twice"

    async def until(self, what: str, look: Callable[[], Awaitable[object]]) -> None:
        ends_at = time.monotonic() + PATIENCE
        while not await look():
            assert time.monotonic() < ends_at, f"{what}: not within {PATIENCE:.0f} s {[str(t) for t in asyncio.all_tasks()]}"
            await self.clock.wait(self.clock.now() + timedelta(seconds=6))

    async def engine_judges(self) -> bool:
        now = int(self.clock.now().timestamp() * 1000)
        rows = await self.db.read(
            lambda con: con.execute(
                "SELECT engine_since FROM rule_state x JOIN rule r ON r.pk = x.rule_pk WHERE r.line NOT LIKE '%rise%'"
            ).fetchall()
        )
        return bool(rows) and all(row[0] is not None and row[0] < now for row in rows)

    async def alerts(self) -> list[tuple[object, ...]]:
        return await self.db.read(_alerts)

    async def equal(self) -> bool:
        return await self.alerts() == _alerts(self.twin.con)


def _alerts(con: Any) -> list[tuple[object, ...]]:
    rows = con.execute("SELECT id, metric, kind, previous, current, previous_at, observed_at, mark FROM alert ORDER BY id")
    return [tuple(row) for row in rows]


def _journal(path: Path) -> Journal:
    made = Journal(path, target=VIDEO)
    made.add_target([VIDEO], EPOCH)
    for number, line in enumerate(RULES):
        made.add_rule(line, EPOCH, rule_id=f"r{number}", to="telegram:1")
    return made


def _wanted(streaming: Streaming, version: int) -> Deployment:
    return replace(deployment(streaming), version=version)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    addresses = shared_stack().addresses()
    streaming = own_topics(engine="flink", flink_url=addresses.flink, flink_gateway_url=addresses.gateway, partitions=2)
    clock = SystemClock(SPEED, EPOCH)
    _journal(folder / "here.db").con.close()
    db = Database(folder / "here.db")
    s = Stage(folder, db, clock, streaming)

    async def notify(key: str, text: str) -> None:
        s.told.append(text)

    await s.read(0, publish=False)
    await s.read(5, publish=False)
    assert [row[4] for row in await s.alerts()], "judged here, before Kafka was there"
    await db.write(mirror.set_engine, "flink")
    built = way.build(db, clock, streaming, notify, lambda: None)
    s.handlers, s.published = built.handlers, built.published
    tasks = [asyncio.ensure_future(loop()) for loop in built.loops]
    try:
        yield s
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with open_flink(streaming, _wanted(streaming, 9)) as engine:
            await engine.carry_out(await engine.plan(end=True))
        db.close()
        s.twin.con.close()


@needs("broker", "registry", "jobmanager", "taskmanager", "gateway")
def test_a_rule_that_moves_knows_its_videos_last_reading_and_a_new_version_loses_and_repeats_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            await s.bring(1, drain=False)
            await s.until("the rules move", s.engine_judges)
            before = await s.alerts()
            await s.read(7)
            await s.until("the first change is told", s.equal)
            first = [row for row in await s.alerts() if row not in before]
            assert (100 + 5, 100 + 5 + 7) in [row[3:5] for row in first if row[2] == "change"], "compared with what only the journal knew"

            async with s.read_on():
                with pytest.raises(OutsideError, match="killed"):
                    await s.bring(2, drain=True, dies=True)
                await s.bring(2, drain=True)
            await s.read(4)
            await s.until("all is told", s.equal)
            await s.count_is_right()
            async with open_flink(s.streaming, _wanted(s.streaming, 2)) as engine:
                assert [part.name.rpartition("-")[2] for part in await engine.status()] == ["v2"]

    asyncio.run(go())


@needs("broker", "registry", "jobmanager", "taskmanager", "gateway")
def test_an_ended_deployment_goes_on_where_it_was_and_records_of_strangers_are_skipped(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            await s.bring(1, drain=False)
            await s.until("the rules move", s.engine_judges)
            async with s.read_on():
                await s.tear_down()
                await s.read(5)
                await s.bring(1, drain=True)
            await s.until("all is told", s.equal)
            await s.count_is_right()
            async with s.read_on():
                strangers_write(s.streaming)

                async def told() -> bool:
                    return any("stream deploy --skip-unreadable" in text for text in s.told)

                await s.until("the operator is told", told)
                await s.read(6)
                skipped = await s.skip()
            topics = names.topics(s.streaming.prefix)
            assert [topic for topic in (topics.videos, topics.rules) if f"{topic}, partition 1, offset" in " ".join(skipped)] == [
                *topics[:2]
            ]
            await s.until("all is told", s.equal)
            await s.count_is_right()
            await s.bring(2, drain=True)
            await s.read(7)
            await s.until("all is told by the next version", s.equal)
            await s.count_is_right()

    asyncio.run(go())


def strangers_write(streaming: Streaming) -> None:
    """No Avro, and a schema that nobody has, into both topics that the job reads."""
    topics = names.topics(streaming.prefix)
    producer = Producer(kafka_config(streaming))
    for topic in (topics.videos, topics.rules):
        for partition, value in enumerate((b"no Avro at all", b"\x00\x00\x00\x27\x0f\x02")):
            producer.produce(topic, value, "stranger", partition)
    assert producer.flush(30) == 0
