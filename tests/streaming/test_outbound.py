"""An engine's alerts on a real broker become waiting alerts, each once; what is none goes to the dead-letter topic with its reason."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from journal import Journal
from publishing_stage import first_client_lost, streaming
from stack_parts import require, shared_stack
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import to_ms
from ytwatcher.errors import DiskFullError
from ytwatcher.settings import Streaming
from ytwatcher.store.db import Database
from ytwatcher.streaming import names, outbound, schemas, topics
from ytwatcher.streaming.connection import kafka_config, registry_client
from ytwatcher.streaming.outbound import Outbound

START = datetime(2026, 10, 5, 10, tzinfo=UTC)
PATIENCE = 180.0


@pytest.fixture
def settings() -> Streaming:
    require("broker", "registry")
    made = streaming(partitions=3)
    topics.ensure(made)
    schemas.ensure(made)
    return made


def _journal(folder: Path) -> str:
    journal = Journal(folder / "journal.db", target="v1")
    journal.add_target(["v1"], START)
    rule_id = journal.add_rule("views every 100", START, to="telegram:1001")
    journal.con.close()
    return rule_id


def _record(rule_id: str, number: int) -> dict[str, Any]:
    at = to_ms(START + timedelta(minutes=number))
    return {
        "chat_id": "1001",
        "text": f"Video: “A” | Views passed {number}00: now {number}34 | https://youtu.be/v1",
        "alert_id": f"{rule_id}:v1:{at}",
        "rule_id": rule_id,
        "video_id": "v1",
        "metric": "views",
        "kind": "every",
        "n": 100,
        "previous": number * 100 - 66,
        "current": number * 100 + 34,
        "previous_at": at - 60_000,
        "observed_at": at,
    }


def _produce(settings: Streaming, records: Sequence[dict[str, Any] | bytes]) -> None:
    topic = names.topics(settings.prefix).outbound
    producer = Producer(kafka_config(settings))
    with registry_client(settings) as client:
        encode: AvroSerializer = AvroSerializer(client, schemas.text("outbound"), conf={"auto.register.schemas": False})
        context = SerializationContext(topic, MessageField.VALUE)
        for record in records:
            producer.produce(topic, record if isinstance(record, bytes) else encode(record, context), "1001")
        assert producer.flush(30) == 0


@asynccontextmanager
async def _consuming(folder: Path, settings: Streaming, told: Callable[[], None] = lambda: None) -> AsyncIterator[Database]:
    db = Database(folder / "journal.db")
    running = asyncio.create_task(Outbound(db, SystemClock(), settings, told).run())
    try:
        yield db
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        db.close()


def _alerts(con: sqlite3.Connection) -> list[tuple[str, str, int, int, int]]:
    return [tuple(row) for row in con.execute("SELECT id, state, mark, previous, current FROM alert ORDER BY observed_at")]


async def _until(look: Callable[[], Any]) -> None:
    clock, ends_at = SystemClock(), time.monotonic() + PATIENCE
    while not await look():
        assert time.monotonic() < ends_at
        await clock.wait(clock.now() + timedelta(milliseconds=100))


def _buried(settings: Streaming) -> list[dict[str, bytes]]:
    topic = names.topics(settings.prefix).dlq
    consumer = Consumer({**kafka_config(settings), "group.id": f"{settings.prefix}dlq"})
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(settings.partitions)])
        found, quiet = [], 0
        while quiet < 5:
            messages = consumer.consume(100, 0.3)
            quiet = 0 if messages else quiet + 1
            found += [dict(message.headers() or []) for message in messages]
        return found  # type: ignore[return-value]  # header values are bytes when they arrive
    finally:
        consumer.close()


def test_alerts_are_stored_once_also_when_the_topic_is_read_again(tmp_path: Path, settings: Streaming) -> None:
    rule_id = _journal(tmp_path)
    told: list[int] = []

    async def go() -> None:
        _produce(settings, [_record(rule_id, number) for number in range(1, 51)])
        async with _consuming(tmp_path, settings, lambda: told.append(1)) as db:
            await _until(lambda: _has(db, 50))
        # The same records under other offsets, as after a death between the journal's commit and Kafka's, or an engine's replay.
        _produce(settings, [_record(rule_id, number) for number in range(1, 53)])
        async with _consuming(tmp_path, settings) as db:
            await _until(lambda: _has(db, 52))
            alerts = await db.read(_alerts)
        assert len(alerts) == 52
        assert alerts[0][1:] == ("waiting", 100, 34, 134)
        assert told

    async def _has(db: Database, count: int) -> bool:
        return len(await db.read(_alerts)) >= count

    asyncio.run(go())


def test_what_is_no_alert_is_buried_with_its_reason_and_the_rest_goes_on(tmp_path: Path, settings: Streaming) -> None:
    rule_id = _journal(tmp_path)
    stranger = {**_record(rule_id, 2), "kind": "dance"}
    empty = dict.fromkeys(_record(rule_id, 3))
    _produce(settings, [b"no Avro at all", b"\x00\x00\x00\x27\x0f\x02", stranger, empty, _record(rule_id, 4)])

    async def go() -> None:
        async with _consuming(tmp_path, settings) as db:

            async def arrived() -> bool:
                return len(await db.read(_alerts)) == 1

            await _until(arrived)

    asyncio.run(go())
    buried = _buried(settings)
    assert len(buried) == 4
    reasons = b" ".join(headers["reason"] for headers in buried).decode()
    assert reasons.count("not Avro of ours") == 2
    assert "dance" in reasons
    assert "it has no rule_id" in reasons
    assert all(headers["from"].decode().startswith(names.topics(settings.prefix).outbound) for headers in buried)


def test_a_broker_that_is_away_is_waited_for(tmp_path: Path, settings: Streaming) -> None:
    rule_id = _journal(tmp_path)
    _produce(settings, [_record(rule_id, 1)])

    async def go() -> None:
        async with _consuming(tmp_path, settings) as db:

            async def arrived(count: int) -> bool:
                return len(await db.read(_alerts)) >= count

            await _until(lambda: arrived(1))
            stack = shared_stack()
            await asyncio.to_thread(stack.stop, "broker")
            await asyncio.to_thread(stack.start, "broker")
            await asyncio.to_thread(_produce, settings, [_record(rule_id, 2)])
            await _until(lambda: arrived(2))

    asyncio.run(go())


def test_a_consumer_that_forgot_all_brokers_is_replaced(tmp_path: Path, settings: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    rule_id = _journal(tmp_path)
    _produce(settings, [_record(rule_id, 1)])

    async def go() -> None:
        async with _consuming(tmp_path, settings) as db:

            async def arrived() -> bool:
                return len(await db.read(_alerts)) == 1

            await _until(arrived)

    with first_client_lost(outbound, monkeypatch):
        asyncio.run(go())


def test_a_full_disk_is_waited_for_and_nothing_is_committed_before_it_is_stored(tmp_path: Path, settings: Streaming) -> None:
    rule_id = _journal(tmp_path)

    async def go() -> None:
        async with _consuming(tmp_path, settings) as db:
            full, room = asyncio.Event(), asyncio.Event()

            async def wait_for_room(_: DiskFullError) -> None:
                full.set()
                await room.wait()

            db.when_full = wait_for_room
            await db.write(_leave_room, pages=2)
            await asyncio.to_thread(_produce, settings, [_record(rule_id, number) for number in range(1, 2001)])
            await asyncio.wait_for(full.wait(), PATIENCE)
            stored = len(await db.read(_alerts))
            assert await asyncio.to_thread(_committed, settings) == stored < 2000
            await db.write(_leave_room, pages=1_000_000)
            room.set()

            async def all_committed() -> bool:
                return await asyncio.to_thread(_committed, settings) == 2000

            await _until(all_committed)
            assert len(await db.read(_alerts)) == 2000

    asyncio.run(go())


def _leave_room(con: sqlite3.Connection, *, pages: int) -> None:
    """The journal may grow by so many pages, and SQLite says of more that the disk is full."""
    con.execute(f"PRAGMA max_page_count = {con.execute('PRAGMA page_count').fetchone()[0] + pages}")


def _committed(settings: Streaming) -> int:
    """How many records the consumer of alerts will not read again."""
    consumer = Consumer({**kafka_config(settings), "group.id": names.outbound_group(settings.prefix)})
    with contextlib.closing(consumer):
        topic = names.topics(settings.prefix).outbound
        found = consumer.committed([TopicPartition(topic, number) for number in range(settings.partitions)], timeout=30)
    return sum(max(0, one.offset) for one in found)
