"""The topics: made as the settings ask, or checked against them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # these names are public, but not exported by name
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from ytwatcher.core.durations import duration_words
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names
from ytwatcher.streaming.connection import ADMIN_SECONDS, admin_client

T = TypeVar("T")
KNOWN_WITHIN_TRIES = 50


@dataclass(frozen=True, slots=True)
class Report:
    """What was made, where an existing topic differs from what the settings ask, and each topic's own id.

    A topic that was deleted and made again has another id than before.
    """

    made: tuple[str, ...]
    differences: tuple[str, ...]
    ids: Mapping[str, str]


def ensure(streaming: Streaming) -> Report:
    """Make the topics that are missing and compare the others with the settings; nothing that exists is changed. Blocks.

    Raises:
        OutsideError: `unreachable`, `not authorised`, or `refused` with the broker's reason.
    """
    wanted = _wanted(streaming)
    with admin_client(streaming, "making the topics") as admin:
        made = tuple(topic.topic for topic in wanted if _make(admin, topic))
        found = _described(admin, [topic.topic for topic in wanted])
        config = _configs(admin, found)
    differences = tuple(
        line for topic in wanted if topic.topic not in made for line in _differences(topic, found[topic.topic], config[topic.topic])
    )
    return Report(made, differences, {name: str(description.topic_id) for name, description in found.items()})


def plan(streaming: Streaming) -> list[tuple[bool, str]]:
    """Of each topic whether it is there, and what it is (to be), in words, with what differs. Nothing is made. Blocks.

    Raises:
        OutsideError: as `ensure`.
    """
    wanted = _wanted(streaming)
    with admin_client(streaming, "looking at the topics") as admin:
        listed = admin.list_topics(timeout=ADMIN_SECONDS).topics
        found = _described(admin, [topic.topic for topic in wanted if topic.topic in listed])
        config = _configs(admin, found)
    return [
        (False, _in_words(topic, ()))
        if topic.topic not in found
        else (True, _in_words(topic, tuple(_differences(topic, found[topic.topic], config[topic.topic]))))
        for topic in wanted
    ]


def _in_words(topic: NewTopic, differences: Sequence[str]) -> str:
    """What the settings ask for, or only how the topic that is there differs from it."""
    if differences:
        return f"topic {'; '.join(differences)}"
    retention = (topic.config or {}).get("retention.ms")
    kept = f"kept for {duration_words(timedelta(milliseconds=int(retention)))}" if retention else "compacted"
    return f"topic {topic.topic}: partitions {topic.num_partitions}, replication {topic.replication_factor}, {kept}"


def _configs(admin: AdminClient, topics: Iterable[str]) -> dict[str, Any]:
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    configs = admin.describe_configs(asked, request_timeout=ADMIN_SECONDS) if asked else {}
    return {resource.name: _result(future) for resource, future in configs.items()}


def _described(admin: AdminClient, topics: Sequence[str]) -> dict[str, Any]:
    """Each topic's description. A topic that was made now is known to the controller first, to the broker that is asked a moment later."""
    if not topics:
        return {}
    for tries_left in reversed(range(KNOWN_WITHIN_TRIES)):
        described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=ADMIN_SECONDS)
        try:
            return {name: _result(future) for name, future in described.items()}
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or not tries_left:
                raise
        time.sleep(0.1)
    raise AssertionError("the last try returns or raises")


def lost(streaming: Streaming, known: Mapping[str, str]) -> bool:
    """Whether one of these topics (name -> its own id) is not there any more, or is another one of that name. Blocks.

    Raises:
        OutsideError: as `ensure`.
    """
    with admin_client(streaming, "looking at the topics") as admin:
        described = admin.describe_topics(TopicCollection([*known]), request_timeout=ADMIN_SECONDS)
        try:
            return any(str(_result(future).topic_id) != known[name] for name, future in described.items())
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return True
            raise


def _wanted(streaming: Streaming) -> list[NewTopic]:
    topics = names.topics(streaming.prefix)
    log = {"cleanup.policy": "delete", "retention.ms": str(streaming.retention // timedelta(milliseconds=1))}
    # yt_changes is a log as well: compacted, as ksqlDB would make it, it could lose rows that were not read yet.
    return [
        NewTopic(name, streaming.partitions, streaming.replication, config={"cleanup.policy": "compact"} if name == topics.rules else log)
        for name in topics
    ]


def _make(admin: AdminClient, topic: NewTopic) -> bool:
    """Whether it was made now; False where it exists."""
    try:
        _result(admin.create_topics([topic], request_timeout=ADMIN_SECONDS)[topic.topic])
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def _result(future: Future[T]) -> T:
    """The outcome of an admin call; librdkafka ends it in time."""
    return future.result(ADMIN_SECONDS * 2)


def _differences(topic: NewTopic, found: Any, config: Mapping[str, Any]) -> Iterable[str]:
    replication = min((len(partition.replicas) for partition in found.partitions), default=0)
    pairs = [
        ("partitions", str(topic.num_partitions), str(len(found.partitions))),
        ("replication", str(topic.replication_factor), str(replication)),
        *((key, value, config[key].value) for key, value in (topic.config or {}).items()),
    ]
    return [f"{topic.topic}: {what} is {there}, the settings ask for {asked}" for what, asked, there in pairs if asked != there]
