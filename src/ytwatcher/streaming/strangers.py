"""Records in our topics that are none of ours, looked for where Flink's job stands.

Flink has no way to leave out a record that its Avro format cannot read: the job fails at it, starts anew, and fails again. ksqlDB leaves it
out by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import lag, schemas
from ytwatcher.streaming.codec import Decoder, Record
from ytwatcher.streaming.lag import Reader

FIRST = 1000
"""Records of a topic that are looked at to explain a fault."""
HINT = "`ytwatcher stream deploy --skip-unreadable` goes on behind it"


@dataclass(frozen=True, slots=True)
class Unread:
    """What the job has still to read: the records that it cannot, each in words, and the time of the oldest reading that it can."""

    strangers: Sequence[str]
    oldest_at: datetime | None


def unread(streaming: Streaming, most: int | None = None) -> Unread:
    """Look at (so many of the) records of both topics, from where the job stands to their ends. Blocks.

    Raises:
        OutsideError: the broker or the registry does not answer.
    """
    readings, rules = lag.readers(streaming, "flink", ())
    found = [*_records(streaming, readings, "reading-wide", most)]
    times = [at for one in found if not isinstance(one, str) and isinstance(at := one["OBSERVED_AT"], datetime)]
    strangers = [one for one in (*found, *_records(streaming, rules, "rules", most)) if isinstance(one, str)]
    return Unread(strangers, min(times, default=None))


def explained(streaming: Streaming, fault: str) -> str:
    """The fault of an engine, and behind it the first record that a failing Flink job cannot read, with the way on. Blocks."""
    if not fault or streaming.engine != "flink":
        return fault
    try:
        found = unread(streaming, FIRST).strangers[:1]
    except OutsideError:
        return fault  # there is nothing to be added
    return "; ".join((fault, *(f"{one}; {HINT}" for one in found)))


def _records(streaming: Streaming, reader: Reader, schema: str, most: int | None) -> Iterator[Record | str]:
    """Each record, or which one it is and why it cannot be read; one without a value is none, to Flink as well."""
    with closing(Decoder(streaming, reader.topic, schemas.text(schema))) as decoder, closing(lag.unread(streaming, reader)) as messages:
        for message in islice(messages, most):
            value = message.value()
            if value is None:
                continue
            try:
                yield decoder.decode(value)
            except OutsideError as error:
                if error.reason != "undecodable":
                    raise
                yield f"{reader.topic}, partition {message.partition()}, offset {message.offset()}: {error}"
