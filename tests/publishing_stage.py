"""A journal with readings to publish, topics of its own on the shared broker, and a reader of what arrived."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from stack_parts import shared_stack
from ytwatcher.clock import Clock, SystemClock
from ytwatcher.core.model import to_ms
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.store import publications
from ytwatcher.store.db import Database, open_journal, transaction
from ytwatcher.streaming import connection, names
from ytwatcher.streaming.connection import kafka_config, registry_client
from ytwatcher.streaming.publisher import Publisher

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
PATIENCE = 180.0
_numbers = count(1)


def streaming(**values: Any) -> Streaming:
    """Settings with topics that nobody else has."""
    at = shared_stack().addresses()
    own = {"bootstrap": at.bootstrap, "registry_url": at.registry, "prefix": f"t{time.time_ns()}_{next(_numbers)}_"}
    return Streaming(**{**own, **values})


@contextmanager
def first_client_lost(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first client that the module makes has no way to any broker, as one of librdkafka's that has forgotten them all."""
    made: list[dict[str, Any]] = []

    def first_lost(settings: Streaming) -> dict[str, Any]:
        made.append(kafka_config(settings))
        return made[0] | {"bootstrap.servers": "127.0.0.1:9", "log_level": 2} if len(made) == 1 else made[-1]

    monkeypatch.setattr(module, "kafka_config", first_lost)
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(connection, "ADMIN_SECONDS", 2.0)
    yield
    assert len(made) == 2


class Arrived(NamedTuple):
    key: str
    value: dict[str, Any]
    partition: int


@dataclass
class Stage:
    path: Path
    settings: Streaming
    told: list[str] = field(default_factory=list)
    anew: int = 0
    begun: list[int] = field(default_factory=list)
    """How many readings waited, each time that the engine was asked to begin anew."""

    def put(self, readings: Iterable[tuple[str, int]], first: int = 0) -> None:
        """Readings of videos with so many views, a second after each other; `first` numbers the first of them."""
        con = open_journal(self.path)
        with transaction(con, self.path, "IMMEDIATE"):
            for number, (video, views) in enumerate(readings, start=first):
                con.execute("INSERT INTO subject (id, kind) VALUES (?, 'video') ON CONFLICT DO NOTHING", (video,))
                pk = con.execute("SELECT pk FROM subject WHERE id = ?", (video,)).fetchone()[0]
                at = to_ms(START + timedelta(seconds=number))
                publications.add(con, pk, at, [{"VIEWS": views, "OBSERVED_AT": at, "TITLE": f"“{video}” 🎬"}])
        con.close()

    def waiting(self) -> int:
        con = open_journal(self.path)
        with contextlib.closing(con):
            return publications.backlog(con).waiting

    def arrived(self, least: int) -> list[Arrived]:
        """All that is in the topic of readings, in each partition's order, once so many are there."""
        with self._consumer() as consumer, registry_client(self.settings) as client:
            found, ends_at = list[Arrived](), time.monotonic() + PATIENCE
            deserialize = AvroDeserializer(client)
            topic = names.topics(self.settings.prefix).videos
            consumer.assign([TopicPartition(topic, n, 0) for n in consumer.list_topics(topic, 10).topics[topic].partitions])
            context, quiet = SerializationContext(topic, MessageField.VALUE), 0
            while len(found) < least or quiet < 3:
                assert time.monotonic() < ends_at, f"{len(found)} of {least} arrived"
                messages = consumer.consume(2000, 0.2)
                quiet = 0 if messages else quiet + 1
                for message in messages:
                    assert message.error() is None
                    key = message.key()
                    assert isinstance(key, bytes)
                    found.append(Arrived(key.decode(), deserialize(message.value(), context), message.partition() or 0))
        return found

    @contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        consumer = Consumer({**kafka_config(self.settings), "group.id": self.settings.prefix, "enable.auto.commit": False})
        try:
            yield consumer
        finally:
            consumer.close()

    @asynccontextmanager
    async def publishing(self, clock: Clock | None = None) -> AsyncIterator[Publisher]:
        """The publisher runs."""

        async def notify(key: str, text: str) -> None:
            self.told.append(text)

        def anew() -> None:
            self.anew += 1

        async def begin_anew(_: Mapping[str, str]) -> None:
            self.begun.append(self.waiting())
            if len(self.begun) == 1:
                raise OutsideError("it is away", reason="unreachable")

        db = Database(self.path)
        publisher = Publisher(db, clock or SystemClock(), self.settings, notify, anew=anew, begin_anew=begin_anew, jitter=lambda: 0.0)
        running = asyncio.create_task(publisher.run())
        try:
            yield publisher
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            db.close()

    def publish_all(self) -> None:
        """Publish until nothing waits."""

        async def go() -> None:
            async with self.publishing():
                await self.until(lambda: self.waiting() == 0)

        asyncio.run(go())

    async def until(self, condition: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(condition):
            assert time.monotonic() < ends_at, "it did not come to that"
            await asyncio.sleep(0.05)


def pairs(arrived: Iterable[Arrived]) -> dict[tuple[str, int], tuple[int | None, int]]:
    """What an engine makes of the records: by video and instant, the views before and now. A record that is not newer than its
    predecessor says nothing; what is said twice has to be the same."""
    last: dict[str, tuple[datetime, int]] = {}
    found: dict[tuple[str, int], tuple[int | None, int]] = {}
    for key, value, _ in arrived:
        at, views = value["OBSERVED_AT"], value["VIEWS"]
        before = last.get(key)
        if before is None or before[0] < at:
            pair = (before[1] if before else None, views)
            assert found.setdefault((key, to_ms(at)), pair) == pair, f"{key} at {at}: {found[key, to_ms(at)]}, then {pair}"
        last[key] = (at, views)
    return found


def expected(readings: Iterable[tuple[str, int]]) -> dict[tuple[str, int], tuple[int | None, int]]:
    """The same of the readings as they were put."""
    last: dict[str, int] = {}
    found = {}
    for number, (video, views) in enumerate(readings):
        found[video, to_ms(START + timedelta(seconds=number))] = (last.get(video), views)
        last[video] = views
    return found
