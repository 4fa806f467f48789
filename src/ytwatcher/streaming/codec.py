"""Records as bytes and back, in Confluent's wire format (a zero, the schema's id in 4 bytes, Avro).

confluent-kafka's own serializers do it. Of readings, of which there are many, they are asked once for the head, and fastavro, which they
use themselves, writes the rest: what they look up for each record takes a fifth of the time.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from json import loads
from typing import Any, NamedTuple

from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from fastavro import parse_schema, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.types import Schema

from ytwatcher.core.model import VIDEO_METRICS
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names, schemas
from ytwatcher.streaming.connection import registry_client, registry_errors

Record = Mapping[str, Any]
COUNTS = tuple(metric.upper() for metric in VIDEO_METRICS)
NARROW_END = 2**31
HEAD = 5
"""Bytes before the Avro."""
_CONFIG = {"auto.register.schemas": False, "subject.name.strategy": topic_subject_name_strategy}
_BROKEN = (SerializationError, ValueError, EOFError, IndexError, TypeError, KeyError, OverflowError, struct.error, SchemaResolutionError)
"""What bytes that are no record make of a deserializer."""


class Encoder:
    """Makes the values of our topics; the schemas have to be registered (`schemas.ensure`). Asks the registry once, when it is made.

    Raises:
        OutsideError: the registry does not answer, or does not know our schemas.
    """

    def __init__(self, streaming: Streaming) -> None:
        self._client = client = registry_client(streaming)
        topics = names.topics(streaming.prefix)
        readings = SerializationContext(topics.videos, MessageField.VALUE)
        self._rules = SerializationContext(topics.rules, MessageField.VALUE)
        with registry_errors("asking for our schemas", streaming):
            self._narrow = _form(client, "reading-narrow", readings)
            self._wide = _form(client, "reading-wide", readings)
            self._of_rules = _serializer(client, "rules", self._rules)

    def reading(self, record: Record) -> bytes:
        """One reading: the narrow schema as long as all four counts have 32 bits."""
        head, schema = self._narrow if is_narrow(record) else self._wide
        written = BytesIO()
        written.write(head)
        schemaless_writer(written, schema, record)
        return written.getvalue()

    def rules(self, rules: Sequence[Record]) -> bytes:
        """All rules of one video, an empty list for none."""
        return _bytes(self._of_rules({"RULES": list(rules)}, self._rules))

    def close(self) -> None:
        """Hang up on the registry."""
        self._client.close()


def is_narrow(record: Record) -> bool:
    """Whether each of the four counts is absent or below 2^31."""
    for count in COUNTS:
        value = record.get(count)
        if value is not None and value >= NARROW_END:
            return False
    return True


class _Form(NamedTuple):
    """How readings are written with one schema: its head, and the schema as fastavro takes it."""

    head: bytes
    schema: Schema


def _form(client: SchemaRegistryClient, name: str, context: SerializationContext) -> _Form:
    return _Form(_bytes(_serializer(client, name, context)({}, context))[:HEAD], parse_schema(loads(schemas.text(name))))


def _serializer(client: SchemaRegistryClient, name: str, context: SerializationContext) -> AvroSerializer:
    serializer: AvroSerializer = AvroSerializer(client, schemas.text(name), conf=_CONFIG)
    serializer({}, context)  # the one call that asks the registry for the id; every field may be absent
    return serializer


def _bytes(value: bytes | None) -> bytes:
    assert value is not None  # only None becomes None
    return value


class Decoder:
    """Reads the values of any of our topics with the schema that they were written with; with a `reader`'s one, only what fits that."""

    def __init__(self, streaming: Streaming, topic: str, reader: str | None = None) -> None:
        self._streaming = streaming
        self._client = registry_client(streaming)
        self._deserialize = AvroDeserializer(self._client, reader, conf={"subject.name.strategy": topic_subject_name_strategy})
        self._context = SerializationContext(topic, MessageField.VALUE)

    def decode(self, value: bytes | None) -> Record:
        """The record, with the field names of its own schema.

        Raises:
            OutsideError: `undecodable`, permanent: these bytes are none of ours; `unreachable`, `not authorised`: the registry.
        """
        with registry_errors("asking for a schema", self._streaming):
            try:
                record = self._deserialize(value, self._context) if value is not None else None
            except SchemaRegistryError as error:
                if error.http_status_code != 404:
                    raise
                raise _undecodable("its schema is not in the registry") from None
            except _BROKEN as error:
                raise _undecodable(f"{type(error).__name__}: {error}") from None
        if not isinstance(record, dict):
            raise _undecodable("it is empty" if record is None else "it is no record")
        return record

    def close(self) -> None:
        """Hang up on the registry."""
        self._client.close()


def _undecodable(why: str) -> OutsideError:
    return OutsideError(f"a record that is not Avro of ours: {why}", reason="undecodable", permanent=True)
