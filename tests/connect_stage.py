"""A connector on a real worker that delivers to Telegram's double: what the tests of Connect's delivery stand on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from served import CHAT, TOKEN, Served, served
from stack_parts import shared_stack
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names, schemas, topics
from ytwatcher.streaming.connect import Connect, Flavour, configuration, open_connect
from ytwatcher.streaming.connection import kafka_config, registry_client

T = TypeVar("T")
BLOCKED = 4343
QUICK = {
    "camel.error.handler.redelivery.delay": "300",
    "consumer.override.session.timeout.ms": "6000",
    "consumer.override.heartbeat.interval.ms": "2000",
    "offset.flush.interval.ms": "1000",
}


class Stage:
    """Topics and a connector of a prefix of their own, delivering to a double of Telegram."""

    def __init__(self, services: Served) -> None:
        addresses = shared_stack().addresses()
        self.services = services
        self.streaming = Streaming(
            bootstrap=addresses.bootstrap,
            registry_url=addresses.registry,
            connect_url=addresses.connect,
            prefix=f"connect{uuid.uuid4().hex[:8]}_",
        )
        self.names = names.topics(self.streaming.prefix)
        self.config = configuration(self.streaming, Flavour.CAMEL, services.telegram_url, token=token_reference(), more=QUICK)

    def connector(self, work: Callable[[Connect], Coroutine[Any, Any, T]]) -> T:
        async def go() -> T:
            async with open_connect(self.streaming) as connect:
                return await work(connect)

        return asyncio.run(go())

    def produce(self, *messages: tuple[int, str]) -> None:
        producer = Producer({**kafka_config(self.streaming), "enable.idempotence": True})
        context = SerializationContext(self.names.outbound, MessageField.VALUE)
        with registry_client(self.streaming) as client:
            serialize = AvroSerializer(client, schemas.text("outbound"), conf={"auto.register.schemas": False})
            for number, (chat, text) in enumerate(messages):
                producer.produce(self.names.outbound, key=str(chat), value=serialize(record(chat, text, number), context))
        assert producer.flush(30) == 0

    def told(self) -> list[str]:
        return [message.text for message in self.services.telegram.messages if message.chat_id == CHAT]

    def until_told(self, texts: Sequence[str]) -> None:
        """Until the chat has been told all of these."""
        self.services.until(lambda: set(texts) <= set(self.told()), 60)

    def buried(self, count: int) -> list[Any]:
        """So many messages of the dead-letter topic."""
        consumer = Consumer({**kafka_config(self.streaming), "group.id": f"{self.streaming.prefix}dlq"})
        with closing(consumer):
            consumer.assign([TopicPartition(self.names.dlq, 0, 0)])
            found = consumer.consume(count, 60)
        assert len(found) == count
        return found


def record(chat: int, text: str, number: int) -> dict[str, object]:
    """All twelve fields, as an engine writes them."""
    at = 1_790_000_000_000 + number
    return {
        "chat_id": str(chat),
        "text": text,
        "alert_id": f"r1:video:{at}",
        "rule_id": "r1",
        "video_id": "video",
        "metric": "views",
        "kind": "change",
        "n": 0,
        "previous": number,
        "current": number + 1,
        "previous_at": at - 1,
        "observed_at": at,
    }


def token_reference() -> str:
    return f"${{secrets:{shared_stack().secrets}:canary}}"


@contextmanager
def stage(*, deployed: bool = True) -> Iterator[Stage]:
    """Topics and schemas made, and the connector deployed where asked; nothing of a connector stays."""
    with served() as services:
        (shared_stack().secrets / "canary").write_text(TOKEN)
        services.do(lambda: services.telegram.add_chat(BLOCKED, title="Bob"))
        found = Stage(services)
        topics.ensure(found.streaming)
        schemas.ensure(found.streaming)
        if deployed:
            found.connector(lambda connect: connect.deploy(found.config))
        try:
            yield found
        finally:
            found.connector(lambda connect: connect.remove())
