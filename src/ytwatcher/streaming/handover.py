"""From our own delivery to Connect's, and back: who takes over begins where the other one ended, so that nothing is lost or told twice."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import connect, names
from ytwatcher.streaming.connection import ADMIN_SECONDS, admin_client

PATIENCE = 30.0
"""Seconds until whoever read before has left; Connect ends a task some time after its connector is gone."""
LOOK_EVERY = 0.2


def groups(streaming: Streaming) -> tuple[str, str]:
    """The consumer groups of our own delivery and of the connector (Connect names it after the connector)."""
    return names.outbound_group(streaming.prefix), f"connect-{connect.name(streaming)}"


def hand_over(streaming: Streaming, before: str, after: str, patience: float = PATIENCE) -> None:
    """Let the group `after` begin where `before` ended, never behind where it was itself. Blocks.

    Raises:
        OutsideError: `busy`: somebody still reads in the group `before`; or Kafka is away.
    """
    topic = names.topics(streaming.prefix).outbound
    ends_at = time.monotonic() + patience
    with admin_client(streaming, "handing the alerts over") as admin:
        while _members(admin, before):
            if time.monotonic() > ends_at:
                raise OutsideError(
                    f"{before} is still being read: restart `ytwatcher run`, so that it knows who delivers, or wait for Connect's tasks",
                    reason="busy",
                )
            time.sleep(LOOK_EVERY)
        ended, was = offsets(admin, before, topic), offsets(admin, after, topic)
        begin = [TopicPartition(topic, number, max(offset, was.get(number, 0))) for number, offset in ended.items()]
        if begin:
            altered = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(after, begin)], request_timeout=ADMIN_SECONDS)
            altered[after].result()


def _members(admin: AdminClient, group: str) -> int:
    try:
        return len(admin.describe_consumer_groups([group], request_timeout=ADMIN_SECONDS)[group].result().members)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return 0
        raise


def offsets(admin: AdminClient, group: str, topic: str) -> Mapping[int, int]:
    """What the group has committed, by partition."""
    try:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=ADMIN_SECONDS)
        found = asked[group].result().topic_partitions or []
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return {}
        raise
    return {one.partition: one.offset for one in found if one.topic == topic and one.offset >= 0}
