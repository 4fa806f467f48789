"""The loop that keeps the topic of rules as the journal has them, and hands rules to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial

import structlog
from confluent_kafka import KafkaError, Message, Producer

from ytwatcher.clock import Clock
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror
from ytwatcher.store.db import Database
from ytwatcher.store.mirror import Options, Wanted
from ytwatcher.streaming import names
from ytwatcher.streaming.codec import Encoder
from ytwatcher.streaming.connection import kafka_config, kafka_fault

LOOK_EVERY = timedelta(seconds=15)
FLUSH_SECONDS = 30.0
log = structlog.get_logger(__name__)


class Mirror:
    """Writes each video's rules to the topic when they changed. `run` is a loop for a TaskGroup.

    Args:
        engine_runs: whether rules may be handed to the engine now.
        paused: whether nothing is to be written at present.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        streaming: Streaming,
        engine_runs: Callable[[], Awaitable[bool]],
        *,
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self.wake = asyncio.Event()
        self.idle = True
        self._paused = paused
        self._db, self._clock, self._streaming, self._engine_runs = db, clock, streaming, engine_runs
        self._topic = names.topics(streaming.prefix).rules
        self._options = Options(connect=streaming.delivery == "connect")
        self._lost = False

    async def run(self) -> None:
        while True:
            self.wake.clear()
            if not self._paused():
                self.idle = False
                try:
                    await self.step()
                except OutsideError as error:
                    log.warning("rules_not_mirrored", reason=error.reason, error=str(error))
                finally:
                    self.idle = True
            await self._clock.wait(self._clock.now() + LOOK_EVERY, self.wake)

    def forget(self) -> None:
        """The topics were lost and made anew: all rules are written again."""
        self._lost = True
        self.wake.set()

    async def step(self) -> int:
        """Write what has to be written; how many rules moved to the engine.

        Raises:
            OutsideError: Kafka or the registry is away; everything is as it was.
        """
        if self._lost:
            self._lost = False
            await self._db.write(mirror.forget)
        moving = await self._engine_runs()
        wanted = await self._db.read(mirror.stale, self._clock.now(), self._options, moving=moving)
        if not wanted:
            return 0
        acknowledged = await asyncio.to_thread(write, self._streaming, self._topic, wanted)
        moved = await self._db.write(mirror.confirm, acknowledged, self._clock.now(), self._streaming.retention)
        log.info("rules_mirrored", videos=len(acknowledged), of=len(wanted), moved=moved)
        return moved


def write(streaming: Streaming, topic: str, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Produce the records and wait for their acknowledgements; returns those that are in the topic. Blocks.

    Raises:
        OutsideError: the first failure, where none was acknowledged.
    """
    # The same partitioner as the readings': an engine joins the two by their partition.
    producer = Producer({**kafka_config(streaming), "enable.idempotence": True, "partitioner": "murmur2_random"})
    acknowledged: list[Wanted] = []
    failures: list[KafkaError] = []

    def done(one: Wanted, error: KafkaError | None, _: Message) -> None:
        if error is None:
            acknowledged.append(one)
        else:
            failures.append(error)

    with closing(Encoder(streaming)) as encoder:
        for one in wanted:
            producer.produce(topic, encoder.rules(one.rules), one.video_id, on_delivery=partial(done, one))
            producer.poll(0)
    producer.flush(FLUSH_SECONDS)
    if not acknowledged:
        raise kafka_fault(failures[0] if failures else KafkaError(KafkaError._TIMED_OUT), "writing rules", streaming)  # noqa: SLF001 - that is the constant's name
    return acknowledged
