"""Consumer groups: who they are, how far each has noted that it has read, and their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from ytwatcher.settings import Streaming
from ytwatcher.streaming import connect, names
from ytwatcher.streaming.connection import ADMIN_SECONDS, kafka_client

T = TypeVar("T")
Offsets = dict[tuple[str, int], int]
"""By topic and partition."""
LOOK_EVERY = 0.2
_SOON = (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR)


def delivering(streaming: Streaming) -> tuple[str, str]:
    """The groups of our own delivery and of the connector (Connect names it after the connector)."""
    return names.outbound_group(streaming.prefix), f"connect-{connect.name(streaming)}"


def group_client(streaming: Streaming, group: str) -> AbstractContextManager[Consumer]:
    """A client that asks in the group's name without joining it; raises as `kafka_client`.

    An AdminClient could ask for any group, but librdkafka's list_consumer_group_offsets ends the process where the broker that is asked
    has just come back and does not know yet whose coordinator it is (librdkafka's issue 5040).
    """
    # What a transaction has noted counts when it is there: one that is left open is not waited for.
    return kafka_client(Consumer, streaming, f"looking at {group}", group_id=group, isolation_level="read_uncommitted")


def partitions(client: AdminClient | Consumer, topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of those topics that are there. Blocks."""
    there = client.list_topics(timeout=ADMIN_SECONDS).topics
    return [TopicPartition(topic, number) for topic in topics if topic in there for number in there[topic].partitions]


def committed(client: Consumer, asked: Sequence[TopicPartition]) -> Offsets:
    """What the client's group has noted of these partitions; nothing where there is no such group. Blocks.

    Raises:
        KafkaException: as `of_group`.
    """
    found = of_group(lambda: client.committed([*asked], ADMIN_SECONDS)) if asked else None
    return {(one.topic, one.partition): one.offset for one in found or () if one.offset >= 0}


def members(admin: AdminClient, group: str) -> int:
    """How many read in the group's name. Blocks; raises as `of_group`."""
    found = of_group(lambda: admin.describe_consumer_groups([group], request_timeout=ADMIN_SECONDS)[group].result())
    return len(found.members) if found else 0


def delete(admin: AdminClient, group: str) -> None:
    """With all that it has noted. Blocks; raises as `of_group`."""
    of_group(lambda: admin.delete_consumer_groups([group], request_timeout=ADMIN_SECONDS)[group].result())


def of_group(ask: Callable[[], T]) -> T | None:
    """What is answered of a group, None where there is no such group. A broker that has just become its coordinator is given some time.

    Raises:
        KafkaException: whatever else Kafka says.
    """
    ends_at = time.monotonic() + ADMIN_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            if code not in _SOON or time.monotonic() > ends_at:
                raise
        time.sleep(LOOK_EVERY)
