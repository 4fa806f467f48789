"""Looking at the topics: their records as they come, and how far each topic is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # it is public, but not in __all__

from ytwatcher.core.model import from_ms
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming.codec import Decoder, Record
from ytwatcher.streaming.connection import ADMIN_SECONDS, Hearing, admin_client, kafka_client


@dataclass(frozen=True, slots=True)
class Seen:
    """One record; `value` is None where `fault` says why it cannot be read."""

    partition: int
    offset: int
    at: datetime
    key: str
    value: Record | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a topic is. `partitions` is 0 where it is not there; `offsets` counts its records and the marks of transactions."""

    topic: str
    partitions: int
    offsets: int = 0
    newest_at: datetime | None = None


def tail(streaming: Streaming, topic: str, *, from_beginning: bool = False) -> Generator[Seen, None, None]:
    """The committed records of a topic, without end, from its end on or from its beginning. Blocks.

    Raises:
        OutsideError: the broker or the registry does not answer, or there is no such topic.
    """
    options: dict[str, Any] = {"group_id": "ytwatcher-tail", "isolation_level": "read_committed", "enable_auto_commit": False}
    with closing(Decoder(streaming, topic)) as decoder, kafka_client(Consumer, streaming, f"reading {topic}", **options) as consumer:
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        consumer.assign([TopicPartition(topic, number, start) for number in _partitions(consumer, topic)])
        hearing = Hearing(consumer, streaming, f"reading {topic}")
        while True:
            message = consumer.poll(0.5)
            if message is not None:
                yield _seen(message, decoder)
                hearing.heard()
            else:
                hearing.check()


def progress(streaming: Streaming, topics: tuple[str, ...]) -> list[Progress]:
    """How far each topic is. Blocks.

    Raises:
        OutsideError: the broker does not answer.
    """
    with admin_client(streaming, "looking at the topics") as admin:
        there = admin.list_topics(timeout=ADMIN_SECONDS).topics
        return [_progress(admin, topic, sorted(there[topic].partitions) if topic in there else []) for topic in topics]


def _progress(admin: AdminClient, topic: str, numbers: list[int]) -> Progress:
    partitions = [TopicPartition(topic, number) for number in numbers]
    if not partitions:
        return Progress(topic, 0)
    asked = (OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp())  # type: ignore[no-untyped-call]  # they have no types
    first, end, newest = (
        [future.result() for future in admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=ADMIN_SECONDS).values()]
        for spec in asked
    )
    newest_ms = max(one.timestamp for one in newest)
    offsets = sum(one.offset for one in end) - sum(one.offset for one in first)
    return Progress(topic, len(partitions), offsets, from_ms(newest_ms) if newest_ms >= 0 else None)


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=ADMIN_SECONDS).topics[topic]
    if found.error is not None:
        raise KafkaException(KafkaError(found.error.code(), f"there is no topic {topic}"))
    return sorted(found.partitions)


def _seen(message: Message, decoder: Decoder) -> Seen:
    """
    Raises:
        KafkaException: the message is an error of the broker's.
        OutsideError: the registry does not answer.
    """
    if (error := message.error()) is not None:
        raise KafkaException(error)
    value, fault = message.value(), ""
    record: Record | None = None
    try:
        record = decoder.decode(value.encode() if isinstance(value, str) else value)
    except OutsideError as found:
        if found.reason != "undecodable":
            raise
        fault = str(found)
    key = message.key() or b""
    at = from_ms(message.timestamp()[1])
    text = key if isinstance(key, str) else key.decode("utf-8", "replace")
    return Seen(message.partition() or 0, message.offset() or 0, at, text, record, fault)
