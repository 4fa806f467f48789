"""The local stack itself: its parts start, do what they are there for, keep their data through a crash, and end."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue

import httpx
import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from stack import Part, Stack
from stack.kits import missing_tools
from stack.local import Failed
from stack.process import Process, wait_until
from stack_parts import needs, shared_stack

WAIT = 180.0
"""Seconds. A part on a busy machine."""


def _create(topic: str) -> str:
    admin = AdminClient({"bootstrap.servers": shared_stack().addresses().bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    return topic


def _produce(topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": shared_stack().addresses().bootstrap, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(WAIT) == 0


@contextmanager
def _reader(topic: str) -> Iterator[Callable[[], bytes]]:
    """Gives the topic's values from the first on; a read that finds nothing in time fails the test."""
    bootstrap = shared_stack().addresses().bootstrap
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    )
    consumer.subscribe([topic])

    def read() -> bytes:
        message: Message | None = consumer.poll(WAIT)
        assert message is not None
        assert message.error() is None, message.error()
        value = message.value()
        assert isinstance(value, bytes)
        return value

    with closing(consumer):
        yield read


@needs("broker")
def test_a_killed_broker_comes_back_on_its_port_with_its_data() -> None:
    stack = shared_stack()
    before = stack.addresses()
    _produce(_create("kept"), b"value")
    stack.kill("broker")
    assert "broker" not in stack.running()
    stack.start("broker")
    assert stack.addresses() == before
    with _reader("kept") as read:
        assert read() == b"value"


@needs("broker")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_the_secure_listener_takes_its_password(mechanism: str) -> None:
    assert _refusal(mechanism, shared_stack().login().password) is None


@needs("broker")
def test_the_secure_listener_refuses_a_wrong_password() -> None:
    assert "Authentication failed" in (_refusal("SCRAM-SHA-256", "wrong") or "")


def _refusal(mechanism: str, password: str) -> str | None:
    """What the broker says to this password; None = welcome."""
    stack = shared_stack()
    refusals: list[str] = []
    client = AdminClient(
        {
            "bootstrap.servers": stack.addresses().bootstrap_secure,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
            "sasl.username": stack.login().user,
            "sasl.password": password,
            "ssl.ca.location": str(stack.login().ca_file),
            "log_level": 0,
        },
        error_cb=lambda error: refusals.append(str(error)),
    )
    ends_at = time.monotonic() + WAIT
    while not refusals:
        try:
            client.list_topics(timeout=1)
        except KafkaException:
            client.poll(1)
            assert time.monotonic() < ends_at, "neither welcomed nor refused"
        else:
            return None
    return refusals[0]


@needs("registry")
def test_the_registry_keeps_its_schemas_and_refuses_what_old_readers_cannot_read() -> None:
    stack = shared_stack()
    with SchemaRegistryClient({"url": stack.addresses().registry}) as client:
        number = client.register_schema("kept-value", _record({"name": "N", "type": "long"}))
    stack.kill("registry")
    stack.start("registry")
    with SchemaRegistryClient({"url": stack.addresses().registry}) as client:
        assert client.get_latest_version("kept-value").schema_id == number
        with pytest.raises(SchemaRegistryError) as refused:
            client.register_schema("kept-value", _record({"name": "N", "type": "string"}))
    assert refused.value.http_status_code == httpx.codes.CONFLICT


def _record(*fields: dict[str, object]) -> Schema:
    return Schema(json.dumps({"type": "record", "name": "Kept", "fields": fields}), "AVRO")


@needs("broker", "registry", "connect")
def test_connect_posts_an_avro_record_as_json_and_its_log_holds_no_token() -> None:
    stack = shared_stack()
    topic = _create("to_http")
    with _receiver() as (url, received):
        (stack.secrets / "token").write_text("canary-of-the-sink")
        _add_sink(topic, url)
        _produce(topic, _avro(topic, {"chat_id": -(2**40), "text": "héllo 🎬"}))
        path, content_type, body = received.get(timeout=WAIT)
        httpx.delete(f"{stack.addresses().connect}/connectors/{topic}").raise_for_status()
    assert path == "/botcanary-of-the-sink/sendMessage"
    assert content_type == "application/json"
    assert json.loads(body) == {"chat_id": -(2**40), "text": "héllo 🎬"}
    assert "canary-of-the-sink" not in stack.log("connect").read_text()


def _avro(topic: str, message: dict[str, object]) -> bytes:
    schema = _record({"name": "chat_id", "type": "long"}, {"name": "text", "type": "string"})
    with SchemaRegistryClient({"url": shared_stack().addresses().registry}) as registry:
        value = AvroSerializer(registry, schema)(message, SerializationContext(topic, MessageField.VALUE))
    assert isinstance(value, bytes)
    return value


def _add_sink(topic: str, url: str) -> None:
    addresses = shared_stack().addresses()
    converter = "value.converter.apicurio.registry"
    config = {
        "connector.class": "org.apache.camel.kafkaconnector.CamelSinkConnector",
        "topics": topic,
        "value.converter": "io.apicurio.registry.utils.converter.AvroConverter",
        f"{converter}.url": addresses.registry_native,
        f"{converter}.as-confluent": "true",
        f"{converter}.use-id": "contentId",
        "transforms": "json,type",
        "transforms.json.type": "org.apache.camel.kafkaconnector.transforms.SchemaAndStructToJsonTransform",
        "transforms.json.converter.type": "value",
        "transforms.json.schemas.enable": "false",
        "transforms.type.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.type.header": "CamelHeader.Content-Type",
        "transforms.type.value.literal": "application/json",
        "camel.sink.url": f"{url}/bot${{secrets:{shared_stack().secrets}:token}}/sendMessage?httpMethod=POST",
        "consumer.override.auto.offset.reset": "earliest",
    }
    httpx.put(f"{addresses.connect}/connectors/{topic}/config", json=config, timeout=WAIT).raise_for_status()


@contextmanager
def _receiver() -> Iterator[tuple[str, Queue[tuple[str, str | None, bytes]]]]:
    """An HTTP server that keeps what is posted to it: path, content type, body."""
    received: Queue[tuple[str, str | None, bytes]] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((self.path, self.headers["Content-Type"], body))
            self.send_response(httpx.codes.OK)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


@needs("broker", "jobmanager", "taskmanager", "gateway")
def test_flink_copies_a_topic_exactly_once_although_its_worker_is_killed() -> None:
    stack = shared_stack()
    source, sink = _create("flink_in"), _create("flink_out")
    job = _submit(*_copy_statements(stack.addresses().bootstrap, source, sink))
    _produce(source, b"before")
    with _reader(sink) as read:
        assert read() == b"before"
        stack.kill("taskmanager")
        stack.start("taskmanager")
        _produce(source, b"after")
        assert read() == b"after"
    httpx.patch(f"{stack.addresses().flink}/jobs/{job}", params={"mode": "cancel"}).raise_for_status()


def _copy_statements(bootstrap: str, source: str, sink: str) -> list[str]:
    kafka = f"'connector'='kafka', 'properties.bootstrap.servers'='{bootstrap}', 'format'='raw'"
    reading = "'scan.startup.mode'='earliest-offset'"
    writing = (
        f"'sink.delivery-guarantee'='exactly-once', 'sink.transactional-id-prefix'='{sink}', 'properties.transaction.timeout.ms'='600000'"
    )
    return [
        "SET 'execution.checkpointing.interval'='1s'",
        f"CREATE TABLE source (v BYTES) WITH ({kafka}, 'topic'='{source}', {reading})",
        f"CREATE TABLE sink (v BYTES) WITH ({kafka}, 'topic'='{sink}', {writing})",
        "INSERT INTO sink SELECT v FROM source",
    ]


def _submit(*statements: str) -> str:
    """The id of the job that the last statement starts."""
    with httpx.Client(base_url=f"{shared_stack().addresses().gateway}/v1", timeout=WAIT) as gateway:
        session = gateway.post("/sessions", json={}).raise_for_status().json()["sessionHandle"]
        answer = {}
        for statement in statements:
            begun = gateway.post(f"/sessions/{session}/statements", json={"statement": statement}).raise_for_status().json()
            operation = f"/sessions/{session}/operations/{begun['operationHandle']}"
            answer = _result(gateway, operation)
    return str(answer["jobID"])


def _result(gateway: httpx.Client, operation: str) -> dict[str, object]:
    """The gateway has no call that waits."""
    found: dict[str, object] = {}

    def is_there() -> bool:
        answer = gateway.get(f"{operation}/result/0", params={"rowFormat": "JSON"})
        assert answer.is_success, answer.text
        found.update(answer.json())
        return found["resultType"] != "NOT_READY"

    assert wait_until(is_there, WAIT)
    return found


@needs("broker")
def test_a_second_stack_has_its_own_ports_and_says_why_a_part_does_not_start(tmp_path: Path) -> None:
    other = Stack(tmp_path / "other")
    assert not set(vars(other.addresses()).values()) & set(vars(shared_stack().addresses()).values())
    host, port = other.addresses().bootstrap.split(":")
    with HTTPServer((host, int(port)), BaseHTTPRequestHandler), pytest.raises(Failed, match="broker ended while it started") as failed:
        other.start("broker")
    assert "Address already in use" in str(failed.value)
    assert other.running() == {}
    other.reset()
    assert not other.home.exists()


def test_a_recycled_process_id_is_neither_shown_nor_ended(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    everything: tuple[Part, ...] = ("broker", "registry")
    ours = Process.of(1)
    assert ours is not None
    for part in everything:
        (tmp_path / f"{part}.pid").write_text(f"{ours.pid} {ours.started}0")
    assert stack.running() == {}
    stack.down()
    assert Process.of(1) == ours
    assert not list(tmp_path.glob("*.pid"))


def test_a_machine_without_maven_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert missing_tools() == "Maven is missing; apt install openjdk-17-jre-headless maven"
