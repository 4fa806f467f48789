"""A marked canary through the whole pipeline: does a reading come through every stage, and how long does that take.

The canary is a video that cannot exist, with a rule of its own. Its chat is none either, so that nobody can be told; our own delivery knows
it and drops it. Connect would try to deliver whatever is in the topic: there the canary has a rule only when somebody names the chat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from ytwatcher.core.model import SubjectId, to_ms
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.store.mirror import Wanted
from ytwatcher.store.publications import Publication
from ytwatcher.streaming import mirror, names
from ytwatcher.streaming.codec import Decoder
from ytwatcher.streaming.connection import ADMIN_SECONDS, kafka_client
from ytwatcher.streaming.groups import committed, delivering, group_client
from ytwatcher.streaming.names import CANARY, NOBODY
from ytwatcher.streaming.publisher import Session
from ytwatcher.streaming.tail import progress

TITLE = "A test of YT Watcher (stream verify)"
LOOK_EVERY = 0.1
ANOTHER_AFTER = 5.0
"""Seconds without an alert after which another reading follows: the rule may have come later than the one before."""
CONNECT_COMMITS = 60.0
"""Seconds after which Connect's worker notes what it delivered (offset.flush.interval.ms), unless it was configured otherwise."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How many seconds after it was sent the canary was there; None: it did not come through."""

    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A record of the canary's: the instant of its reading, and where it stands in its topic."""

    at_ms: int
    partition: int
    offset: int


def verify(streaming: Streaming, now: Callable[[], datetime], patience: float, to: str = "") -> Iterator[Stage]:
    """Send the canary, and yield each stage as it is through it; the first that it does not come through is the last one. Blocks.

    Args:
        patience: seconds for each stage.
        to: with Connect's delivery, the chat that is really told.

    Raises:
        OutsideError: Kafka or the registry is away, or a topic is not there.
    """
    absent = [one.topic for one in progress(streaming, tuple(names.topics(streaming.prefix))) if not one.partitions]
    if absent:
        raise OutsideError(f"there is no topic {absent[0]}; `ytwatcher stream deploy` makes the topics", reason="refused", permanent=True)
    with closing(Session(streaming)) as session:
        canary = _Canary(session, now, patience)
        if streaming.engine == "embedded":
            yield canary.send()
            return
        for stage in _through(streaming, canary, patience, NOBODY if streaming.delivery == "ours" else to):
            yield stage
            if stage.seconds is None:
                return


def _through(streaming: Streaming, canary: _Canary, patience: float, chat: str) -> Iterator[Stage]:
    """All stages of the engine and what follows; `chat` is empty where no alert may be made."""
    topics = names.topics(streaming.prefix)
    with _reading(streaming, topics.changes) as changes, _reading(streaming, topics.outbound) as outbound, _ruled(streaming, canary, chat):
        yield canary.send()
        change = changes.find(patience, canary)
        yield canary.came("yt_changes", change)
        if change and chat:
            canary.send()
            alert = _alert(outbound, canary, patience, again=chat == NOBODY)
            yield canary.came("telegram_outbound", alert)
            if alert is not None:
                yield _delivered(streaming, canary, alert, patience)


class _Canary:
    """Sends readings of the canary; each differs from the one before."""

    def __init__(self, session: Session, now: Callable[[], datetime], patience: float) -> None:
        self._session, self._now, self._patience = session, now, patience
        self.begins_ms = to_ms(now())
        self.sent: dict[int, float] = {}
        """When (monotonic) each reading was sent, by its instant."""

    def send(self) -> Stage:
        """One reading, until it is acknowledged."""
        at_ms = max([to_ms(self._now()), self.begins_ms, *(one + 1 for one in self.sent)])
        self.sent[at_ms] = time.monotonic()
        self._session.send(
            self._session.encode([Publication(0, SubjectId(CANARY), {"TITLE": TITLE, "LIKES": at_ms, "OBSERVED_AT": at_ms})])
        )
        left = self._session.settle(self._patience)
        return Stage("yt_videos", None if left else self.since(at_ms))

    def since(self, at_ms: int) -> float:
        """Seconds since the reading of that instant was sent."""
        return time.monotonic() - self.sent[at_ms]

    def came(self, name: str, seen: Seen | None) -> Stage:
        """The stage at which a record was seen just now, or none."""
        return Stage(name, None if seen is None else self.since(seen.at_ms))

    def rule(self, chat: str) -> dict[str, object]:
        """Its first reading is the rule's baseline. The rule's id is used once."""
        rule_id = f"{CANARY}-{self.begins_ms}"
        return {
            "RULE_ID": rule_id,
            "CHAT_ID": chat,
            "METRIC": "likes",
            "KIND": "change",
            "N": 0,
            "SINCE": self.begins_ms + 1,
            "UNTIL": None,
        }


@contextmanager
def _ruled(streaming: Streaming, canary: _Canary, chat: str) -> Iterator[None]:
    """The canary has its rule inside the block, unless there is no chat for it; afterwards it has none, whatever happens."""
    if not chat:
        yield
        return
    topic = names.topics(streaming.prefix).rules
    mirror.write(streaming, topic, [Wanted(0, CANARY, [canary.rule(chat)], ())])
    try:
        yield
    finally:
        mirror.write(streaming, topic, [Wanted(0, CANARY, [], ())])


class _Topic:
    """What is written to a topic from now on."""

    def __init__(self, consumer: Consumer, decoder: Decoder) -> None:
        self._consumer, self._decoder = consumer, decoder

    def find(self, seconds: float, canary: _Canary) -> Seen | None:
        """The first record of one of the canary's readings; None when none comes in time."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            message = self._consumer.poll(LOOK_EVERY)
            if message is not None and (at_ms := self._instant(message)) in canary.sent:
                return Seen(at_ms, message.partition() or 0, message.offset() or 0)
        return None

    def _instant(self, message: Message) -> int:
        """Of the record's reading where it is one of the canary's, else -1."""
        if (fault := message.error()) is not None:
            raise KafkaException(fault)
        value = message.value()
        try:
            record = self._decoder.decode(value.encode() if isinstance(value, str) else value)
        except OutsideError as error:
            if error.reason != "undecodable":
                raise
            return -1  # a stranger's
        if message.key() != CANARY.encode() and record.get("video_id") != CANARY:
            return -1
        at = record["observed_at"] if "observed_at" in record else record["OBSERVED_AT"]
        return to_ms(at) if isinstance(at, datetime) else int(at)


@contextmanager
def _reading(streaming: Streaming, topic: str) -> Iterator[_Topic]:
    """The committed records of a topic from its present end on."""
    options = {"group_id": f"{streaming.prefix}ytwatcher-verify", "isolation_level": "read_committed", "enable_auto_commit": False}
    with (
        closing(Decoder(streaming, topic)) as decoder,
        kafka_client(Consumer, streaming, f"reading {topic}", **options) as consumer,
    ):
        numbers = consumer.list_topics(topic, ADMIN_SECONDS).topics[topic].partitions
        ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), ADMIN_SECONDS)[1] for number in numbers}
        consumer.assign([TopicPartition(topic, number, offset) for number, offset in ends.items()])
        yield _Topic(consumer, decoder)


def _alert(outbound: _Topic, canary: _Canary, patience: float, *, again: bool) -> Seen | None:
    """The canary's alert; `again`: more readings may be sent, since nobody is told."""
    ends_at = time.monotonic() + patience
    while (left := ends_at - time.monotonic()) > 0:
        found = outbound.find(min(left, ANOTHER_AFTER), canary)
        if found is not None:
            return found
        if again:
            canary.send()
    return None


def _delivered(streaming: Streaming, canary: _Canary, alert: Seen, patience: float) -> Stage:
    """Until whoever delivers has noted that it is done with the alert."""
    ours, connects = delivering(streaming)
    group, name, seconds = (
        (ours, "our delivery", patience) if streaming.delivery == "ours" else (connects, "Connect", patience + CONNECT_COMMITS)
    )
    ends_at = time.monotonic() + seconds
    topic = names.topics(streaming.prefix).outbound
    with group_client(streaming, group) as client:
        asked = [TopicPartition(topic, alert.partition)]
        while time.monotonic() < ends_at:
            if committed(client, asked).get((topic, alert.partition), 0) > alert.offset:
                return Stage(name, canary.since(alert.at_ms))
            time.sleep(LOOK_EVERY)
    return Stage(name, None)
