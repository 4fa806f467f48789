"""Taking away what a prefix of its own has left on Kafka and in the Schema Registry."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from ytwatcher.settings import Streaming
from ytwatcher.streaming import names
from ytwatcher.streaming.connection import ADMIN_SECONDS, admin_client, registry_client, registry_errors

_GONE = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND})


def take_away(streaming: Streaming) -> None:
    """Delete our topics, their schemas, and the consumer groups of the prefix; what is gone already is no fault. Blocks.

    Raises:
        OutsideError: Kafka or the registry is away or refuses.
    """
    assert streaming.prefix  # nobody else's are to be taken along
    topics = list(names.topics(streaming.prefix))
    with admin_client(streaming, "deleting the topics") as admin:
        _gone(admin.delete_topics(topics, request_timeout=ADMIN_SECONDS))
        listed = admin.list_consumer_groups(request_timeout=ADMIN_SECONDS).result(ADMIN_SECONDS * 2).valid
        groups = [group.group_id for group in listed if group.group_id.startswith(streaming.prefix)]
        if groups:
            _gone(admin.delete_consumer_groups(groups, request_timeout=ADMIN_SECONDS))
    with registry_errors("deleting the schemas", streaming), registry_client(streaming) as client:
        for topic in topics:
            _forget(client, names.subject(topic))


def _gone(results: Mapping[str, Future[None]]) -> None:
    for future in results.values():
        try:
            future.result(ADMIN_SECONDS * 2)
        except KafkaException as error:
            if error.args[0].code() not in _GONE:
                raise


def _forget(client: SchemaRegistryClient, subject: str) -> None:
    """A subject is deleted in two steps; the first only hides it."""
    try:
        client.delete_subject(subject)
        client.delete_subject(subject, permanent=True)
    except SchemaRegistryError as error:
        if error.http_status_code != 404:
            raise
