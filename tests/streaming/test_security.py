"""Passwords, tokens and certificates on the real broker's secure listener, and a registry behind TLS and a login."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import structlog
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # these names are public, but not exported by name
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from engine_stage import EngineStage, deployed, send_phase, small_case
from journal import Journal
from publishing_stage import Stage, streaming
from security_stage import CLIENT, TokenEndpoint, basic, gate
from served import Home
from stack import Part, certificates
from stack_parts import needs, shared_stack
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import to_ms
from ytwatcher.errors import OutsideError
from ytwatcher.secret import Secret
from ytwatcher.setting_keys import variable
from ytwatcher.settings import Streaming
from ytwatcher.store.db import Database
from ytwatcher.streaming import names, schemas, topics
from ytwatcher.streaming.connection import kafka_config, registry_client
from ytwatcher.streaming.outbound import Outbound
from ytwatcher.streaming.tail import progress, tail

KAFKA: tuple[Part, ...] = ("broker", "registry")
FLINK: tuple[Part, ...] = (*KAFKA, "jobmanager", "taskmanager", "gateway")
SECRET = "CANARY-client-secret"
READINGS = [("video1", number) for number in range(5)]


def certificate_folder() -> Path:
    return shared_stack().login().ca_file.parent


def secure(**values: Any) -> Streaming:
    """The listener with TLS; a password, unless told otherwise. What is None is not set."""
    login, at = shared_stack().login(), shared_stack().addresses()
    named = {"sasl_mechanism": "scram-sha-512", "sasl_username": login.user, "sasl_password": login.password, "ca_file": str(login.ca_file)}
    wanted = {"bootstrap": at.bootstrap_secure, "security_protocol": "sasl_ssl", **named, **values}
    return streaming(**{key: value for key, value in wanted.items() if value is not None})


def with_token(url: str, **values: Any) -> Streaming:
    token = {"sasl_mechanism": "oauthbearer", "oauth_token_url": url, "oauth_client_id": CLIENT, "oauth_client_secret": SECRET}
    return secure(**{**token, "sasl_username": None, "sasl_password": None, **values})


def refused(settings: Streaming) -> str:
    """The line that says why the topics cannot be looked at."""
    with pytest.raises(OutsideError) as caught:
        progress(settings, ("any",))
    line = str(caught.value)
    assert caught.value.permanent
    assert "\n" not in line and "CANARY" not in line
    return line


def goes_through(folder: Path, settings: Streaming) -> None:
    """Readings are published and read back."""
    stage = Stage(folder / "journal.db", settings)
    stage.put(READINGS)
    stage.publish_all()
    records = tail(settings, names.topics(settings.prefix).videos, from_beginning=True)
    assert [(record.key, (record.value or {})["VIEWS"]) for record in islice(records, len(READINGS))] == READINGS
    records.close()


@needs(*KAFKA)
def test_a_token_lets_us_in(tmp_path: Path) -> None:
    endpoint = TokenEndpoint(SECRET, certificate_folder() / "tokens.pem")
    with endpoint.served() as url:
        goes_through(tmp_path, with_token(url, oauth_scope="kafka"))
    assert endpoint.asked
    assert all(form == {"grant_type": ["client_credentials"], "scope": ["kafka"]} for form in endpoint.asked)


@needs("broker")
def test_a_token_that_is_not_to_be_had_or_not_taken_is_one_clear_line() -> None:
    key = certificate_folder() / "tokens.pem"
    with TokenEndpoint(SECRET, key).served() as url:
        assert "there is no token for Kafka" in refused(with_token(url, oauth_client_secret="CANARY-wrong"))
    assert "there is no token for Kafka" in refused(with_token("http://127.0.0.1:1/token"))
    with TokenEndpoint(SECRET, key, rsa.generate_private_key(65537, 2048)).served() as url:
        assert "Kafka refuses us" in refused(with_token(url))


@needs(*KAFKA)
def test_a_certificate_of_ours_is_shown(tmp_path: Path) -> None:
    own = str(certificate_folder() / "client.pem")
    goes_through(tmp_path, secure(cert_file=own, key_file=own))
    certificates.make(tmp_path)
    stranger = str(tmp_path / "client.pem")
    assert "Kafka refuses our certificate" in refused(secure(cert_file=stranger, key_file=stranger))


@needs("broker")
def test_a_wrong_password_or_authority_is_one_clear_line(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    assert "Authentication failed" in refused(secure(sasl_password="CANARY-wrong"))
    assert "certificate verify failed" in refused(secure(ca_file=str(tmp_path / "ca.pem")))


@needs(*KAFKA)
def test_the_registry_may_be_behind_tls_and_a_password(tmp_path: Path) -> None:
    with gate(shared_stack().addresses().registry, certificate_folder() / "server.pem", basic("me", "CANARY:pass")) as url:
        right = secure(registry_url=url, registry_username="me", registry_password="CANARY:pass")
        goes_through(tmp_path, right)
        wrong = right.model_copy(update={"registry_password": Secret("CANARY-wrong")})
        assert "the Schema Registry refuses the name or password" in registry_refuses(wrong)
        assert publishing_tells(tmp_path / "wrong.db", wrong).startswith("No reading can be published: the Schema Registry refuses")


def registry_refuses(settings: Streaming) -> str:
    with pytest.raises(OutsideError) as caught:
        schemas.ensure(settings)
    assert (caught.value.reason, caught.value.permanent) == ("not authorised", True)
    assert "\n" not in str(caught.value) and "CANARY" not in str(caught.value)
    return str(caught.value)


def publishing_tells(journal: Path, settings: Streaming) -> str:
    """What the operator is told by a publisher that cannot begin."""
    stage = Stage(journal, settings)
    stage.put(READINGS)

    async def go() -> None:
        async with stage.publishing():
            await stage.until(lambda: bool(stage.told))

    asyncio.run(go())
    return stage.told[0]


@needs("broker")
def test_the_operator_is_told_at_once_when_kafka_refuses_us(tmp_path: Path) -> None:
    told = publishing_tells(tmp_path / "journal.db", secure(sasl_password="CANARY-wrong"))
    assert told.startswith("No reading can be published: Kafka refuses us (making the topics at ")
    assert "CANARY" not in told


def status_says(folder: Path, settings: Streaming) -> str:
    """What `stream status` prints on standard error; it must not succeed."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    values = {name: value.reveal() if isinstance(value, Secret) else str(value) for name, value in given.items()}
    env = {variable(f"streaming.{name}"): value for name, value in values.items()}
    done = Home(folder, {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "400", **env}).run("stream", "status")
    assert done.returncode == OutsideError.exit_code and done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert "CANARY" not in line
    return line


@needs(*KAFKA)
def test_stream_status_says_in_one_line_what_is_refused(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    with gate(shared_stack().addresses().registry, certificate_folder() / "server.pem", basic("me", "CANARY:pass")) as url:
        right = {"registry_url": url, "registry_username": "me", "registry_password": "CANARY:pass"}
        assert "Authentication failed" in status_says(tmp_path, secure(**right, sasl_password="CANARY-wrong"))
        assert "certificate verify failed" in status_says(tmp_path, secure(**right, ca_file=str(tmp_path / "ca.pem")))
        wrong = secure(**{**right, "registry_password": "CANARY-wrong"})
        assert "the Schema Registry refuses the name or password" in status_says(tmp_path, wrong)
        stranger = streaming(**right, ca_file=str(tmp_path / "ca.pem"))
        assert "the Schema Registry shows a certificate that is not trusted" in status_says(tmp_path, stranger)


@asynccontextmanager
async def delivering(folder: Path, settings: Streaming) -> AsyncIterator[Database]:
    """Our consumer of alerts runs."""
    db = Database(folder / "journal.db")
    running = asyncio.create_task(Outbound(db, SystemClock(), settings, lambda: None).run())
    try:
        yield db
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        db.close()


async def until(look: Callable[[], Awaitable[object]]) -> None:
    clock = SystemClock()
    ends_at = clock.now() + timedelta(seconds=180)
    while not await look():
        assert clock.now() < ends_at
        await clock.wait(clock.now() + timedelta(milliseconds=100))


@needs(*KAFKA)
def test_alerts_come_in_through_the_secure_listener(tmp_path: Path) -> None:
    settings, at = secure(), datetime(2026, 10, 5, 10, tzinfo=UTC)
    journal = Journal(tmp_path / "journal.db", target="v1")
    journal.add_target(["v1"], at)
    rule_id = journal.add_rule("views every 100", at, to="telegram:1001")
    journal.con.close()
    values = {"metric": "views", "kind": "every", "n": 100, "previous": 34, "current": 134, "previous_at": to_ms(at) - 60_000}
    named = {"chat_id": "1001", "text": "any", "rule_id": rule_id, "video_id": "v1", "observed_at": to_ms(at)}
    topics.ensure(settings)
    schemas.ensure(settings)
    topic = names.topics(settings.prefix).outbound
    with registry_client(settings) as client:
        encode: AvroSerializer = AvroSerializer(client, schemas.text("outbound"), conf={"auto.register.schemas": False})
        alert = {**named, **values, "alert_id": f"{rule_id}:v1:{to_ms(at)}"}
        producer = Producer(kafka_config(settings))
        producer.produce(topic, encode(alert, SerializationContext(topic, MessageField.VALUE)), "1001")
        assert producer.flush(30) == 0

    async def go() -> None:
        async with delivering(tmp_path, settings) as db:
            await until(lambda: db.read(lambda con: con.execute("SELECT 1 FROM alert WHERE current = 134").fetchone()))

    asyncio.run(go())


@needs(*KAFKA)
def test_a_consumer_that_is_refused_says_so_in_the_log(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.db", target="v1").con.close()

    async def go() -> None:
        async with delivering(tmp_path, secure(sasl_password="CANARY-wrong")):

            async def said() -> bool:
                return any(entry["event"] == "alerts_not_read" for entry in log)

            await until(said)

    structlog.reset_defaults()  # a test before may have set the log up to be quiet
    with capture_logs() as log:
        asyncio.run(go())
    (entry, *_) = (entry for entry in log if entry["event"] == "alerts_not_read")
    assert entry["reason"] == "not authorised" and "Authentication failed" in entry["error"] and "CANARY" not in str(log)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@needs(*KAFKA)
def test_the_registry_may_ask_for_a_token() -> None:
    key = certificate_folder() / "tokens.pem"
    with (
        gate(shared_stack().addresses().registry, certificate_folder() / "server.pem", "Bearer ey") as url,
        TokenEndpoint(SECRET, key).served() as tokens,
    ):
        schemas.ensure(with_token(tokens, registry_url=url, registry_cluster="lsrc-1", oauth_extensions="identityPoolId=pool-1"))
        wrong = with_token(tokens, registry_url=url, registry_cluster="lsrc-1", oauth_client_secret="CANARY-wrong")
        assert "there is no token for the Schema Registry" in registry_refuses(wrong)
    gc.collect()  # confluent-kafka's client for tokens leaves its connection to be collected: here, not in a later test


NASTY = """CANARY'q"b\\s"""
"""A password with all that SQL and JAAS quote."""


def with_user(name: str) -> Streaming:
    """A user of the broker's own with the nasty password."""
    admin = AdminClient({"bootstrap.servers": shared_stack().addresses().bootstrap})
    credential = UserScramCredentialUpsertion(name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), NASTY.encode())
    for future in admin.alter_user_scram_credentials([credential]).values():
        future.result(10)
    return secure(sasl_username=name, sasl_password=NASTY)


def on_flink(settings: Streaming, **more: Any) -> Streaming:
    at = shared_stack().addresses()
    return settings.model_copy(update={"flink_gateway_url": at.gateway, "flink_url": at.flink, **more})


@needs(*FLINK)
def test_flink_logs_in_to_broker_and_registry_with_passwords() -> None:
    """From the readings to the alerts, all of it through the secure listener; no secret is in any log of Flink's, or of the others."""
    with gate(shared_stack().addresses().registry, certificate_folder() / "server.pem", basic("me", NASTY)) as url:
        settings = on_flink(with_user("flink-user"), registry_url=url, registry_username="me", registry_password=Secret(NASTY))
        case = small_case("change: up, level and down")
        with EngineStage(settings) as stage, deployed(settings):
            send_phase(stage, case)
        assert stage.found() == list(case.expected)
    for part in FLINK:
        assert "CANARY" not in shared_stack().log(part).read_text(errors="replace"), part
