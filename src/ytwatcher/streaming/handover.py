"""From our own delivery to Connect's, and back: who takes over begins where the other one ended, so that nothing is lost or told twice."""

from __future__ import annotations

import time

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names
from ytwatcher.streaming.connection import ADMIN_SECONDS, admin_client
from ytwatcher.streaming.groups import LOOK_EVERY, committed, group_client, members, partitions

PATIENCE = 30.0
"""Seconds until whoever read before has left; Connect ends a task some time after its connector is gone."""


def hand_over(streaming: Streaming, before: str, after: str, patience: float = PATIENCE) -> None:
    """Let the group `after` begin where `before` ended, never behind where it was itself. Blocks.

    Raises:
        OutsideError: `busy`: somebody still reads in the group `before`; or Kafka is away.
    """
    topic = names.topics(streaming.prefix).outbound
    ends_at = time.monotonic() + patience
    with admin_client(streaming, "handing the alerts over") as admin:
        while members(admin, before):
            if time.monotonic() > ends_at:
                raise OutsideError(
                    f"{before} is still being read: restart `ytwatcher run`, so that it knows who delivers, or wait for Connect's tasks",
                    reason="busy",
                )
            time.sleep(LOOK_EVERY)
        with group_client(streaming, before) as one, group_client(streaming, after) as other:
            asked = partitions(one, [topic])
            ended, was = committed(one, asked), committed(other, asked)
        begin = [TopicPartition(*place, max(offset, was.get(place, 0))) for place, offset in ended.items()]
        if begin:
            altered = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(after, begin)], request_timeout=ADMIN_SECONDS)
            altered[after].result()
