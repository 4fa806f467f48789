"""What stands in the topic of alerts and cannot be read yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

from publishing_stage import streaming
from stack_parts import needs
from ytwatcher.commands.stream_status import OPEN_LONG, Picture, needs_a_hand
from ytwatcher.settings import Streaming
from ytwatcher.store.publications import Backlog
from ytwatcher.streaming import lag, names, topics
from ytwatcher.streaming.connection import kafka_config
from ytwatcher.streaming.lag import Lag
from ytwatcher.streaming.lookout import Found


@needs("broker")
def test_a_transaction_that_stays_open_is_named() -> None:
    settings = streaming(partitions=2)
    topics.ensure(settings)
    topic = names.topics(settings.prefix).outbound
    producer = Producer({**kafka_config(settings), "transactional.id": f"{settings.prefix}engine"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"told", partition=1)
    producer.commit_transaction(30)
    began = datetime.now(UTC) - timedelta(seconds=1)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(topic, b"not told yet", partition=1)
    producer.flush(30)

    (found,) = lag.lags(settings, [lag.delivering(settings)])
    assert found.behind == 1
    assert found.open_since is not None
    assert began < found.open_since < datetime.now(UTC) + timedelta(seconds=1)
    assert told(settings, found, found.open_since + OPEN_LONG) == []
    (line,) = told(settings, found, found.open_since + timedelta(minutes=3))
    assert line.startswith("alerts of 3 min ago cannot be read yet")

    producer.abort_transaction(30)
    (found,) = lag.lags(settings, [lag.delivering(settings)])
    assert (found.behind, found.open_since) == (1, None)


def told(settings: Streaming, reader: Lag, now: datetime) -> list[str]:
    picture = Picture(Found([], [reader], None), [], False, Backlog(0, None), [], None, runs=True)
    return list(needs_a_hand(picture, settings, now))
