"""The consumer of telegram_outbound: what an engine found becomes waiting alerts, each id once.

Offsets are committed after the alerts are stored, so a death in between only reads some records again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from ytwatcher.clock import Clock
from ytwatcher.core.model import Alert
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror
from ytwatcher.store.db import Database
from ytwatcher.streaming import names
from ytwatcher.streaming.codec import Decoder
from ytwatcher.streaming.connection import Hearing, kafka_config, kafka_fault

BATCH = 500
POLL_SECONDS = 0.2
FLUSH_SECONDS = 10.0
AGAIN = timedelta(seconds=5)
log = structlog.get_logger(__name__)


class Outbound:
    """Reads the engine's alerts. `run` is a loop for a TaskGroup.

    Args:
        told: called after a commit that brought alerts.
    """

    def __init__(self, db: Database, clock: Clock, streaming: Streaming, told: Callable[[], None]) -> None:
        self._db, self._clock, self._streaming, self._told = db, clock, streaming, told
        self._topics = names.topics(streaming.prefix)
        self._refusal: OutsideError | None = None

    async def run(self) -> None:
        """Consume for ever; an outage of Kafka or the registry is waited for."""
        while True:
            try:
                await self._session()
            except (OutsideError, KafkaException) as error:
                fault = error if isinstance(error, OutsideError) else kafka_fault(error.args[0], "reading alerts", self._streaming)
                log.warning("alerts_not_read", reason=fault.reason, error=str(fault))
            await self._clock.wait(self._clock.now() + AGAIN)

    async def _session(self) -> None:
        """Consume until something fails."""
        self._refusal = None
        consumer = await asyncio.to_thread(self._connect)
        try:
            await self._consume(consumer)
        finally:
            await asyncio.shield(asyncio.to_thread(consumer.close))

    def _noticed(self, error: KafkaError) -> None:
        """An outage is waited for; a password that is refused is not, and would otherwise look like a topic without alerts."""
        fault = kafka_fault(error, "reading alerts", self._streaming)
        self._refusal = self._refusal or (fault if fault.permanent else None)

    def _connect(self) -> Consumer:
        consumer = Consumer(
            {
                **kafka_config(self._streaming),
                "group.id": names.outbound_group(self._streaming.prefix),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 2000,
                "error_cb": self._noticed,
            }
        )
        consumer.subscribe([self._topics.outbound])
        return consumer

    async def _consume(self, consumer: Consumer) -> None:
        hearing = Hearing(consumer, self._streaming, "reading alerts")
        with closing(Decoder(self._streaming, self._topics.outbound)) as decoder:
            while True:
                messages = await asyncio.to_thread(consumer.consume, BATCH, POLL_SECONDS)
                if self._refusal is not None:
                    raise self._refusal
                if messages:
                    await self._take(decoder, messages)
                    await asyncio.to_thread(consumer.commit, asynchronous=False)
                    hearing.heard()
                else:
                    await asyncio.to_thread(hearing.check)

    async def _take(self, decoder: Decoder, messages: Sequence[Message]) -> None:
        good, bad = await asyncio.to_thread(decoded, self._streaming, decoder, messages)
        if bad:
            await asyncio.to_thread(bury, self._streaming, self._topics.dlq, bad)
        alerts = [alert for alert in good if alert.subject_id != names.CANARY]  # a test that came as far as it goes
        taken = await self._db.write(mirror.take_alerts, alerts, self._clock.now())
        canaries = len(good) - len(alerts)
        log.info("alerts_read", new=len(taken.new), known=taken.known, stray=taken.stray, canaries=canaries, buried=len(bad))
        if taken.new:
            self._told()


def decoded(streaming: Streaming, decoder: Decoder, messages: Sequence[Message]) -> tuple[list[Alert], list[tuple[Message, str]]]:
    """The alerts that the records stand for, and the messages that are none with the reason.

    Raises:
        OutsideError: the registry is away, or the consumer has a fault that is not one record's.
    """
    good: list[Alert] = []
    bad: list[tuple[Message, str]] = []
    for message in messages:
        fault = message.error()
        if fault is not None:
            if fault.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is the constant's name
                raise kafka_fault(fault, "reading alerts", streaming)
            continue
        try:
            good.append(mirror.alert_of(decoder.decode(message.value())))
        except (ValueError, TypeError, OverflowError) as error:
            bad.append((message, str(error)))
        except OutsideError as error:
            if error.reason != "undecodable":
                raise
            bad.append((message, str(error)))
    return good, bad


def bury(streaming: Streaming, topic: str, bad: Sequence[tuple[Message, str]]) -> None:
    """Copy what cannot be read to the dead-letter topic, each with its reason and where it came from. Blocks.

    Raises:
        OutsideError: Kafka did not take them all: nothing is committed then.
    """
    producer = Producer({**kafka_config(streaming), "enable.idempotence": True})
    for message, reason in bad:
        headers: dict[str, str | bytes | None] = {"reason": reason, "from": f"{message.topic()}-{message.partition()}@{message.offset()}"}
        producer.produce(topic, key=message.key(), value=message.value(), headers=headers)
    if producer.flush(FLUSH_SECONDS):
        raise OutsideError("Kafka does not take the records for the dead-letter topic", reason="unreachable")
