"""How far those have come who read our topics: the engine, the consumer of alerts, Connect."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # it is public, but not in __all__

from ytwatcher.core.model import from_ms
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import groups, names
from ytwatcher.streaming.connection import ADMIN_SECONDS, admin_client, kafka_config, kafka_fault
from ytwatcher.streaming.groups import Offsets, committed, delete, group_client, partitions

COUNTED = 1000
"""Records that are counted one by one at most."""
_KSQLDB_GROUP = re.compile(r"_confluent-ksql-.+query_(\w+)")


class Reader(NamedTuple):
    """A consumer group, and one of the topics that it reads."""

    group: str
    topic: str


@dataclass(frozen=True, slots=True)
class Lag:
    """How many offsets a group has still to read of a topic; of alerts, how many records (counted up to a thousand).

    `most` of them are in the partition `worst`. `open_since`: when the oldest alert was written that nobody can read yet, its transaction
    being open.
    """

    group: str
    topic: str
    behind: int
    worst: int
    most: int
    open_since: datetime | None = None


def delivering(streaming: Streaming) -> Reader:
    """Who reads the alerts: we, or Connect."""
    ours, connects = groups.delivering(streaming)
    return Reader(connects if streaming.delivery == "connect" else ours, names.topics(streaming.prefix).outbound)


def readers(streaming: Streaming, engine: str, parts: Sequence[str]) -> list[Reader]:
    """In whose name an engine reads. Blocks.

    Flink's job has two groups, in which it notes at each checkpoint how far it is (streaming/sql/flink/pipeline.sql). ksqlDB names a
    group after its server and the query, which is one of the `parts`; what it reads is what it has read from.
    """
    if engine == "flink":
        topics, prefix = names.topics(streaming.prefix), streaming.prefix
        return [Reader(f"{prefix}yt-readings-flink", topics.videos), Reader(f"{prefix}yt-rules-flink", topics.rules)]
    with admin_client(streaming, "looking for the queries' groups") as admin:
        listed = admin.list_consumer_groups(request_timeout=ADMIN_SECONDS).result().valid or []
        there = list(admin.list_topics(timeout=ADMIN_SECONDS).topics)
    theirs = [one.group_id for one in listed if (found := _KSQLDB_GROUP.fullmatch(one.group_id)) and found[1] in parts]
    return [reader for group in theirs for reader in _reads(streaming, group, there)]


def _reads(streaming: Streaming, group: str, topics: Sequence[str]) -> list[Reader]:
    """What it has noted something of: our topics, and those that a query of ksqlDB keeps for itself, which begin with its group's name."""
    ours = [topic for topic in topics if topic in names.topics(streaming.prefix) or topic.startswith(group)]
    with group_client(streaming, group) as client:
        return [Reader(group, topic) for topic in sorted({topic for topic, _ in committed(client, partitions(client, ours))})]


def lags(streaming: Streaming, readers: Sequence[Reader]) -> list[Lag]:
    """How far behind each is; one that has read nothing yet has all before it. Blocks.

    Raises:
        OutsideError: Kafka does not answer.
    """
    with admin_client(streaming, "looking at the readers") as admin:
        return [_lag(streaming, admin, reader) for reader in readers]


def drained(streaming: Streaming, readers: Sequence[Reader]) -> bool:
    """Whether the readers have read all, and what an engine wrote of it is committed. Blocks."""
    topics = names.topics(streaming.prefix)
    with admin_client(streaming, "waiting for the engine") as admin:
        if any(_lag(streaming, admin, reader).behind for reader in readers):
            return False
        written = partitions(admin, (topics.changes, topics.outbound))
        return _ends(admin, written) == _ends(admin, written, IsolationLevel.READ_COMMITTED)


def ends(streaming: Streaming, topics: Sequence[str]) -> dict[str, str]:
    """The end of each topic, in Flink's words: `partition:0,offset:42;partition:1,offset:7`. Blocks."""
    with admin_client(streaming, "looking at the topics") as admin:
        found = {topic: _ends(admin, partitions(admin, [topic])) for topic in topics}
    return {
        topic: ";".join(f"partition:{number},offset:{offset}" for (_, number), offset in sorted(offsets.items()))
        for topic, offsets in found.items()
    }


def unread(streaming: Streaming, reader: Reader, isolation: str = "read_uncommitted") -> Generator[Message, None, None]:
    """The records that a reader has still to read, whatever they are. Blocks."""
    with admin_client(streaming, "looking at the readers") as admin:
        begin, end = _span(streaming, admin, reader)
    yield from _rest(streaming, begin, end, isolation)


def forget(streaming: Streaming) -> None:
    """Delete what a job of Flink's that has ended has noted: the next one's progress is then its own. Blocks.

    Raises:
        OutsideError: Kafka does not do it.
    """
    with admin_client(streaming, "forgetting how far the engine was") as admin:
        for reader in readers(streaming, "flink", ()):
            delete(admin, reader.group)


def _lag(streaming: Streaming, admin: AdminClient, reader: Reader) -> Lag:
    begin, end = _span(streaming, admin, reader)
    behind = Counter({number: offset - begin[topic, number] for (topic, number), offset in end.items()})
    open_since = None
    if behind.total() and reader.topic == names.topics(streaming.prefix).outbound:
        with closing(_rest(streaming, begin, end)) as left:
            behind = Counter(message.partition() or 0 for message in islice(left, COUNTED))
        open_since = _open_since(streaming, admin, end)
    worst, most = max(behind.items(), key=lambda one: one[1], default=(0, 0))
    return Lag(*reader, behind.total(), worst, most, open_since)


def _open_since(streaming: Streaming, admin: AdminClient, end: Offsets) -> datetime | None:
    readable = _ends(admin, [TopicPartition(*one) for one in end], IsolationLevel.READ_COMMITTED)
    first = {one: offset for one, offset in readable.items() if offset < end[one]}
    if not first:
        return None
    with closing(_rest(streaming, first, {one: offset + 1 for one, offset in first.items()}, "read_uncommitted")) as held:
        return min((from_ms(message.timestamp()[1]) for message in held), default=None)


def _span(streaming: Streaming, admin: AdminClient, reader: Reader) -> tuple[Offsets, Offsets]:
    """Where the reader goes on, which is what it noted or the first record that is there; and where the topic ends."""
    asked = partitions(admin, [reader.topic])
    with group_client(streaming, reader.group) as client:
        noted = committed(client, asked)
    begin = {one: max(offset, noted.get(one, 0)) for one, offset in _ends(admin, asked, first=True).items()}
    return begin, _ends(admin, asked)


def _rest(streaming: Streaming, begin: Offsets, end: Offsets, isolation: str = "read_committed") -> Generator[Message, None, None]:
    """The records between these offsets: the marks of transactions are offsets as well, and nobody reads them.

    A partition's end shows at a record behind it, or at the event of having read all, which does not come while records flow.

    Raises:
        OutsideError: Kafka does not answer, or does not let us read.
    """
    more = {"group.id": "ytwatcher-lag", "isolation.level": isolation, "enable.auto.commit": False, "enable.partition.eof": True}
    open_ = {one for one, offset in begin.items() if offset < end[one]}
    consumer = Consumer({**kafka_config(streaming), **more})
    try:
        consumer.assign([TopicPartition(*one, begin[one]) for one in open_])
        while open_:
            message = consumer.poll(ADMIN_SECONDS)
            if message is None:
                raise OutsideError(f"Kafka does not answer (reading what is left at {streaming.bootstrap})", reason="unreachable")
            fault, one, offset = message.error(), (message.topic() or "", message.partition() or 0), message.offset() or 0
            if fault is not None and fault.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - that is the constant's name
                raise kafka_fault(fault, "reading what is left", streaming)
            if fault is None and one in open_ and offset < end[one]:
                yield message
            if fault is not None or offset >= end[one] - 1:
                open_.discard(one)
    finally:
        consumer.close()


def _ends(
    admin: AdminClient,
    asked: Sequence[TopicPartition],
    isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    *,
    first: bool = False,
) -> Offsets:
    """The first, or behind the last, offset of each partition."""
    spec = OffsetSpec.earliest() if first else OffsetSpec.latest()  # type: ignore[no-untyped-call]  # they have no types
    if not asked:
        return {}
    found = admin.list_offsets(dict.fromkeys(asked, spec), isolation_level=isolation, request_timeout=ADMIN_SECONDS)
    return {(one.topic, one.partition): future.result().offset for one, future in found.items()}
