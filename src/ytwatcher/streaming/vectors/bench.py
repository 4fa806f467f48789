"""Driving an engine on a broker: rules and records in, alerts out, and knowing without waiting idly when it is done.

Canaries say how far the engine is. Each is a video with a rule of its own, and there are so many that some are on every partition and
with every parallel part of the engine; a canary's alert is committed only with all that its part held before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, TopicPartition

from ytwatcher.core.model import SubjectId
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.store.mirror import Wanted
from ytwatcher.store.publications import Publication
from ytwatcher.streaming import mirror, names
from ytwatcher.streaming.codec import Decoder, Record
from ytwatcher.streaming.connection import kafka_config, kafka_errors, kafka_fault
from ytwatcher.streaming.publisher import Session
from ytwatcher.streaming.vectors.cases import Found, in_order
from ytwatcher.streaming.vectors.leave import take_away

CANARIES = tuple(f"canary{number:05d}" for number in range(40))
CANARY_CHAT = "1"
CANARIES_FROM_MS = 4_000_000_000_000
"""In 2096: later than all records, so that whatever holds those back lets canaries pass."""
PATIENCE = 120.0


class Bench:
    """Topics of a prefix of their own, made when it is entered; when it is left, they and their schemas are deleted.

    Args:
        patience: seconds that the engine may take for what it was sent at once.

    Raises:
        OutsideError: Kafka or the registry does not do its part; `late`: the engine does not.
    """

    def __init__(self, streaming: Streaming, patience: float = PATIENCE, canaries: Sequence[str] = CANARIES) -> None:
        self.streaming = streaming
        self.names = names.topics(streaming.prefix)
        self.alerts: list[tuple[str | None, Record]] = []
        """Key and value of every committed record of telegram_outbound so far, without the canaries'."""
        self._patience, self._canaries = patience, canaries
        self._rules: dict[str, Sequence[Record]] = {}
        self._records: list[Publication] = []
        self._newest: dict[tuple[str, str], int] = {}
        """Number of the newest reading of each canary that its rule has found."""
        self._canary_reading = 0
        self._rule_id = ""

    def __enter__(self) -> Self:
        self._session = Session(self.streaming)
        self._decoder = Decoder(self.streaming, self.names.outbound)
        group = {"group.id": f"{self.streaming.prefix}bench", "isolation.level": "read_committed", "enable.auto.commit": False}
        self._consumer = Consumer({**kafka_config(self.streaming), **group})
        self._consumer.assign([TopicPartition(self.names.outbound, number, 0) for number in range(self.streaming.partitions)])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.close()
        self._consumer.close()
        self._decoder.close()
        take_away(self.streaming)

    def rules(self, video_id: str, rules: Sequence[Record]) -> None:
        """All rules that the video has from the next `await_rules` on."""
        self._rules[video_id] = rules

    def record(self, video_id: str, record: Record) -> None:
        self._records.append(Publication(0, SubjectId(video_id), dict(record)))

    def await_rules(self) -> None:
        """Send the rules, and wait until the engine knows them all."""
        self._rule_id = f"c{self._canary_reading}"
        change = {"METRIC": "likes", "KIND": "change", "N": 0, "SINCE": 0, "UNTIL": None}
        rule = {"RULE_ID": self._rule_id, "CHAT_ID": CANARY_CHAT, **change}
        wanted = [Wanted(0, video, [dict(one) for one in rules], ()) for video, rules in self._rules.items()]
        self._rules = {}
        canaries = [Wanted(0, canary, [rule], ()) for canary in self._canaries]
        if wanted:
            self._write(wanted)
        self._write(canaries)
        self._await_canaries(self._send_canaries, since=0)  # a canary's rule may come later than its first readings

    def await_records(self) -> None:
        """Send the records, and wait until the engine has judged them all."""
        self._flush()
        self._send_canaries()
        self._await_canaries(lambda: None, since=self._canary_reading)

    def found(self) -> list[Found]:
        """The alerts, each once, with whatever every judge must agree on."""
        fields = ("alert_id", "chat_id", "rule_id", "previous", "current", "text")
        return in_order({Found(**{name: value[name] for name in fields}) for _, value in self.alerts})

    def _write(self, wanted: Sequence[Wanted]) -> None:
        written = mirror.write(self.streaming, self.names.rules, wanted)
        if len(written) < len(wanted):
            raise OutsideError(f"Kafka took {len(written)} of {len(wanted)} records of rules", reason="refused")

    def _await_canaries(self, go_on: Callable[[], None], since: int) -> None:
        """Until each canary's newest rule has found its reading number `since` or a later one."""
        ends_at = time.monotonic() + self._patience
        while late := [canary for canary in self._canaries if self._newest.get((self._rule_id, canary), -1) < since]:
            if time.monotonic() > ends_at:
                raise OutsideError(
                    f"the engine is not done after {self._patience:.0f} s: {len(late)} of {len(self._canaries)} canaries are not back",
                    reason="late",
                )
            go_on()
            self.read()

    def _send_canaries(self) -> None:
        self._canary_reading += 1
        counts: dict[str, Any] = {"VIEWS": None, "LIKES": self._canary_reading, "FAVORITES": None, "COMMENTS": None}
        peaks = {f"PEAK_{name}": None for name in counts}
        for canary in self._canaries:
            self.record(canary, {"TITLE": "Canary", **counts, **peaks, "OBSERVED_AT": CANARIES_FROM_MS + self._canary_reading})
        self._flush()

    def _flush(self) -> None:
        batch, self._records = self._records, []
        self._session.send(self._session.encode(batch))
        if left := self._session.settle(self._patience):
            raise OutsideError(f"Kafka has not acknowledged {left} of {len(batch)} records", reason="unreachable")

    def read(self) -> None:
        """Take what is there of the alerts."""
        with kafka_errors("reading alerts", self.streaming):
            messages = self._consumer.consume(1000, 0.5)
        for message in messages:
            if (fault := message.error()) is not None:
                if fault.code() in (KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART):  # noqa: SLF001 - its name
                    continue
                raise kafka_fault(fault, "reading alerts", self.streaming)
            key, raw = message.key(), message.value()
            value = self._decoder.decode(raw.encode() if isinstance(raw, str) else raw)
            if value["video_id"] in self._canaries:
                self._newest[value["rule_id"], value["video_id"]] = value["observed_at"] - CANARIES_FROM_MS
            else:
                self.alerts.append((key.decode() if isinstance(key, bytes) else key, value))
