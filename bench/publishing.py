"""The journal and Kafka: readings a second to a real broker, beside a bare loop, and an engine's alerts a second into the outbox."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from json import loads
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro import parse_schema, schemaless_writer

from bench.figures import Figure, Figures, count, megabytes
from bench.journals import START, World, batches, fill, video
from bench.memory import resident
from stack import Stack
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import to_ms
from ytwatcher.settings import Streaming
from ytwatcher.store.db import Database, open_journal, transaction
from ytwatcher.streaming import names, schemas, topics
from ytwatcher.streaming.connection import kafka_config, registry_client
from ytwatcher.streaming.outbound import Outbound
from ytwatcher.streaming.publisher import Publisher

VIDEOS = 1_000
PATIENCE = 300.0
TUNED = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": "lz4", "partitioner": "murmur2_random"}


def run(folder: Path, *, readings: int = 100_000, rounds: int = 3) -> Figures:
    with _stack(folder) as stack:
        published, bare, taken = [], [], []
        for number in range(rounds):
            place = folder / str(number)
            place.mkdir()
            at = stack.addresses()
            streaming = Streaming(bootstrap=at.bootstrap, registry_url=at.registry, prefix=f"bench{number}_")
            _fill(place / "journal.db", readings)
            published.append(asyncio.run(_publish(place / "journal.db", streaming, readings)))
            bare.append(readings / _bare(_records(place / "journal.db", readings), streaming))
            _send_alerts(streaming, readings)
            taken.append(readings / asyncio.run(_take(place / "journal.db", streaming, readings)))
        memory = {part: resident(process) for part, process in stack.running().items()}
    ours, theirs = statistics.median(published), statistics.median(bare)
    return Figures(
        "Publishing to Kafka, and alerts from it",
        f"{readings:,} accepted readings wait in the journal and are published to a real broker of one node (Avro, idempotent, `acks=all`)"
        " until all are acknowledged and marked so. The *bare loop* sends the same records with fastavro and confluent-kafka and the same"
        f" settings, without a journal. Then {readings:,} alerts of an engine are read from their topic into the outbox. Medians of"
        f" {rounds} rounds.",
        [
            Figure("readings published", f"{count(ours)}/s", f"{count(theirs)}/s (bare loop)", "≥ 10,000/s"),
            Figure("— as a share of the bare loop", f"{ours / theirs:.0%}", "", "≥ 60 %"),
            Figure("alerts taken into the outbox", f"{count(statistics.median(taken))}/s"),
            *(Figure(f"memory of the {part}", megabytes(size)) for part, size in memory.items()),
        ],
        "one thread makes the records' bytes in Python; reading the rows and marking them acknowledged takes the rest.",
    )


@contextmanager
def _stack(folder: Path) -> Iterator[Stack]:
    stack = Stack(folder / "stack")
    try:
        stack.up(["broker", "registry"])
        yield stack
    finally:
        stack.reset()


def _fill(path: Path, readings: int) -> None:
    """Accept so many readings, to be published."""
    con, world = open_journal(path), World(VIDEOS)
    fill(con, VIDEOS)
    for number in range(readings // VIDEOS):
        at = START + number * timedelta(minutes=5)
        for batch in batches(world, VIDEOS, VIDEOS, at):
            with transaction(con, path, "IMMEDIATE"):
                pipeline.accept(con, batch, at, publish=True)
    con.close()


async def _publish(path: Path, streaming: Streaming, readings: int) -> float:
    """Readings a second, from the first acknowledged batch to the last."""

    async def notify(key: str, text: str) -> None:
        raise AssertionError(text)

    await asyncio.to_thread(topics.ensure, streaming)
    await asyncio.to_thread(schemas.ensure, streaming)
    db = Database(path)
    running = asyncio.create_task(Publisher(db, SystemClock(), streaming, notify).run())
    began = first_at = time.perf_counter()
    done = first = 0
    while done < readings:
        _still(began)
        await asyncio.sleep(0.02)
        done = await db.read(_acknowledged)
        if done and not first:
            first, first_at = done, time.perf_counter()
    took = time.perf_counter() - first_at
    running.cancel()
    await asyncio.wait([running])
    db.close()
    return (readings - first) / took


def _acknowledged(con: sqlite3.Connection) -> int:
    """How many are with the broker: the rows are numbered in the order in which they are sent."""
    return int(
        con.execute("SELECT coalesce(min(seq) - 1, (SELECT max(seq) FROM publication)) FROM publication WHERE acked_at IS NULL").fetchone()[
            0
        ]
    )


def _records(path: Path, readings: int) -> list[tuple[str, dict[str, Any]]]:
    con = open_journal(path)
    rows = con.execute("SELECT s.id, p.record FROM publication p JOIN subject s ON s.pk = p.subject_pk ORDER BY seq LIMIT ?", (readings,))
    found = [(row[0], {**loads(row[1]), "DESCRIPTION": None}) for row in rows]
    con.close()
    return found


def _bare(records: list[tuple[str, dict[str, Any]]], streaming: Streaming) -> float:
    """Seconds that a loop of the libraries alone takes for the same records."""
    schema, head = parse_schema(loads(schemas.text("reading-narrow"))), b"\0\0\0\0\1"
    producer, topic = Producer({**kafka_config(streaming), **TUNED}), f"{streaming.prefix}bare"
    admin = AdminClient(kafka_config(streaming))
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(PATIENCE)
    began = time.perf_counter()
    for key, record in records:
        buffer = BytesIO()
        buffer.write(head)
        schemaless_writer(buffer, schema, record)
        _hand(producer, topic, buffer.getvalue(), key)
    producer.flush(PATIENCE)
    return time.perf_counter() - began


def _hand(producer: Producer, topic: str, value: bytes | None, key: str) -> None:
    """A full queue is waited for."""
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _send_alerts(streaming: Streaming, alerts: int) -> None:
    """What an engine would have found: so many alerts of the journal's rules."""
    topic = names.topics(streaming.prefix).outbound
    context = SerializationContext(topic, MessageField.VALUE)
    producer = Producer({**kafka_config(streaming), **TUNED})
    with registry_client(streaming) as client:
        encode = AvroSerializer(client, schemas.text("outbound"), conf={"auto.register.schemas": False})
        for number in range(alerts):
            _hand(producer, topic, encode(_alert(number), context), "1")
    producer.flush(PATIENCE)


def _alert(number: int) -> dict[str, Any]:
    pk = number % VIDEOS + 1
    at = to_ms(START) + number // VIDEOS * 60_000 + 30_000  # between the readings: what they found has other ids
    return {
        "chat_id": "1",
        "text": "Video: “A” | Views passed 2,000: now 2,034 | https://youtu.be/v1",
        "alert_id": f"r{pk}:{video(pk)}:{at}",
        "rule_id": f"r{pk}",
        "video_id": video(pk),
        "metric": "views",
        "kind": "milestones",
        "n": 1000,
        "previous": 1_966,
        "current": 2_034,
        "previous_at": at - 60_000,
        "observed_at": at,
    }


async def _take(path: Path, streaming: Streaming, alerts: int) -> float:
    """Seconds from the first alert stored to the last."""
    db, began, first = Database(path), time.perf_counter(), 0.0
    running = asyncio.create_task(Outbound(db, SystemClock(), streaming, lambda: None).run())
    stored = before = await db.read(_alerts)
    while stored < before + alerts:
        _still(began)
        await asyncio.sleep(0.05)
        stored = await db.read(_alerts)
        first = first or (time.perf_counter() if stored > before else 0.0)
    took = time.perf_counter() - first
    running.cancel()
    await asyncio.wait([running])
    db.close()
    return took


def _alerts(con: sqlite3.Connection) -> int:
    return int(con.execute("SELECT count(*) FROM alert").fetchone()[0])


def _still(began: float) -> None:
    if time.perf_counter() - began > PATIENCE:
        raise TimeoutError("it did not come to an end")
