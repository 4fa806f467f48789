"""The Avro schemas (avro/*.avsc) and their place in the Schema Registry.

Readings have two versions under one subject, `narrow` with 32-bit counts before `wide` with 64-bit ones: the tutorial's INTEGER columns
read the one, a BIGINT reads both, and compatibility only allows the step from int to long. All records carry ksqlDB's own name, without
which its statements and ours could not share a subject.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names
from ytwatcher.streaming.connection import registry_client, registry_errors

T = TypeVar("T")
KSQL_RECORD = "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"
PROMOTIONS: Mapping[str, tuple[str, ...]] = {"int": ("long", "float", "double"), "long": ("float", "double"), "float": ("double",)}
"""What an Avro reader takes for what was written."""


class Ids(NamedTuple):
    """The registry's ids of the schemas that we write with."""

    narrow: int
    wide: int
    rules: int


def text(name: str) -> str:
    """The schema in avro/NAME.avsc, without its layout."""
    schema = json.loads(files("ytwatcher.streaming").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8"))
    return json.dumps(schema, separators=(",", ":"))


def ensure(streaming: Streaming) -> Ids:
    """Register every schema that is not there yet, in the order that lets the tutorial's statements work before and after. Blocks.

    Raises:
        OutsideError: `incompatible`: a subject holds something else, and every field is named; `unreachable`, `not authorised`.
    """
    with registry_client(streaming) as client:
        ids = [_register(streaming, client, subject, schema) for subject, schema in _wanted(streaming)]
    return Ids(*ids[-3:])


def plan(streaming: Streaming) -> list[tuple[bool, str]]:
    """Of each schema whether it is there, and what it is, in words. Nothing is registered. Blocks.

    Raises:
        OutsideError: as `ensure`.
    """
    found, newest = list[tuple[bool, str]](), dict[str, int]()
    with registry_client(streaming) as client:
        for subject, schema in _wanted(streaming):
            with registry_errors(f"looking at {subject}", streaming):
                known = _or_none(partial(client.lookup_schema, subject, Schema(schema, "AVRO")))
                if known is None and subject not in newest:
                    newest[subject] = len(_or_none(partial(client.get_versions, subject)) or ())
                    _check_latest(client, subject, schema)
            if known is None:
                newest[subject] += 1
            found.append((known is not None, f"schema {subject}, version {known.version if known else newest[subject]}"))
    return found


def _wanted(streaming: Streaming) -> list[tuple[str, str]]:
    """Each subject with a schema that it has to hold, in the order in which they are registered; last those that we write with."""
    videos, rules, changes, outbound = (names.subject(topic) for topic in names.topics(streaming.prefix)[:4])
    return [
        # What the tutorial's CREATE TABLE yt_changes registers, when it runs and when its first row is written: a subject that
        # knows them takes them again later, although ours are wider.
        (changes, _as_ksql_declares(text("changes-tutorial"))),
        (changes, text("changes-tutorial")),
        (changes, text("changes")),
        (outbound, text("outbound")),
        (videos, text("reading-narrow")),
        (videos, text("reading-wide")),
        (rules, text("rules")),
    ]


def look(streaming: Streaming) -> None:
    """Ask the registry something harmless. Blocks.

    Raises:
        OutsideError: `unreachable` or `not authorised`.
    """
    with registry_errors("looking at its subjects", streaming), registry_client(streaming) as client:
        client.get_subjects()


def _as_ksql_declares(schema: str) -> str:
    return json.dumps({**json.loads(schema), "connect.name": KSQL_RECORD}, separators=(",", ":"))


def _register(streaming: Streaming, client: SchemaRegistryClient, subject: str, schema: str) -> int:
    """The schema's id. One that the subject knows already is not compared again: only what is new has to fit."""
    wanted = Schema(schema, "AVRO")
    with registry_errors(f"registering {subject}", streaming):
        known = _or_none(lambda: client.lookup_schema(subject, wanted))
        if known is not None and known.schema_id is not None:
            return known.schema_id
        _check_latest(client, subject, schema)
        return client.register_schema(subject, wanted)


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except SchemaRegistryError as error:
        if error.http_status_code == 404:
            return None
        raise


def _check_latest(client: SchemaRegistryClient, subject: str, schema: str) -> None:
    latest = _or_none(lambda: client.get_latest_version(subject))
    if latest is not None and latest.schema is not None:
        _check(subject, json.loads(latest.schema.schema_str or "null"), json.loads(schema))


def _check(subject: str, theirs: Any, ours: Any) -> None:
    found = list(differences(theirs, ours))
    if found:
        raise OutsideError(
            f"the Schema Registry holds another schema for {subject}: {'; '.join(found)}. Something else writes this topic:"
            " set streaming.prefix to have topics of our own, or delete the subject if nobody needs it",
            reason="incompatible",
            permanent=True,
        )


def differences(theirs: Any, ours: Any) -> Iterator[str]:
    """Why records of their schema cannot be read with ours, field by field; nothing where they can."""
    if not isinstance(theirs, dict) or theirs.get("type") != "record":
        yield f"it is {_shown(theirs)} there, a record here"
        return
    if _full_name(theirs) != _full_name(ours):
        yield f"the record is called {_full_name(theirs)} there, {_full_name(ours)} here"
    written = {field["name"]: field["type"] for field in theirs["fields"]}
    for field in ours["fields"]:
        name = field["name"]
        if name in written and not _readable(written[name], field["type"]):
            yield f"{name} is {_shown(written[name])} there, {_shown(field['type'])} here"


def _readable(written: Any, read: Any) -> bool:
    """Whether every branch of what is written fits one of what is read."""
    return all(any(_fits(one, other) for other in _branches(read)) for one in _branches(written))


def _fits(written: Any, read: Any) -> bool:
    kind = _kind(written)
    if kind == _kind(read) == "array":
        return _readable(written["items"], read["items"])
    if kind == _kind(read) == "record":
        return not any(differences(written, read))
    return kind == _kind(read) or _kind(read) in PROMOTIONS.get(kind, ())


def _branches(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def _kind(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _full_name(record: Mapping[str, Any]) -> str:
    return ".".join(part for part in (record.get("namespace"), record.get("name")) if part)


def _shown(schema: Any) -> str:
    return " or ".join(f"array of {_shown(branch['items'])}" if _kind(branch) == "array" else _kind(branch) for branch in _branches(schema))
