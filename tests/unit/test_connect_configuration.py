"""The connector's configuration: whole and documented for each flavour, and never with a secret in it."""

from __future__ import annotations

import pytest

from ytwatcher.errors import InputError
from ytwatcher.secret import Secret
from ytwatcher.settings import Streaming
from ytwatcher.streaming.connect import LIMITS, TOKEN_REFERENCE, Flavour, changes, configuration

API = "https://api.example.org"
ADDRESS = f"{API}/bot{TOKEN_REFERENCE}/sendMessage"
OURS = Streaming(
    bootstrap="k1:9092,k2:9092", registry_url="http://registry:8081", connect_url="http://connect:8083", prefix="a_", replication=3
)

CONNECT_KEYS = frozenset(
    {
        "connector.class",
        "topics",
        "tasks.max",
        "key.converter",
        "value.converter",
        "value.converter.schema.registry.url",
        "transforms",
        "errors.tolerance",
        "errors.log.enable",
        "errors.deadletterqueue.topic.name",
        "errors.deadletterqueue.topic.replication.factor",
        "errors.deadletterqueue.context.headers.enable",
    }
)
"""Connect's own, for any sink (kafka.apache.org, sink connector configurations); and Confluent's converter."""
DOCUMENTED = {
    Flavour.AIVEN: frozenset(
        {
            "http.url",
            "http.authorization.type",
            "http.headers.content.type",
            "batching.enabled",
            "max.retries",
            "retry.backoff.ms",
        }
    ),
    Flavour.CONFLUENT: frozenset(
        {
            "http.api.url",
            "request.method",
            "headers",
            "request.body.format",
            "batch.max.size",
            "batch.json.as.array",
            "max.retries",
            "retry.backoff.ms",
            "retry.on.status.codes",
            "behavior.on.null.values",
            "behavior.on.error",
            "reporter.bootstrap.servers",
            "reporter.result.topic.name",
            "reporter.error.topic.name",
            "confluent.topic.bootstrap.servers",
            "confluent.topic.replication.factor",
        }
    ),
}
"""The connectors' own options: Aiven's docs/sink-connector-config-options.rst, Confluent's configuration reference."""


@pytest.mark.parametrize("flavour", DOCUMENTED)
def test_every_key_is_one_that_the_documentation_names(flavour: Flavour) -> None:
    keys = {key for key in configuration(OURS, flavour, API) if not key.startswith(("transforms.", "consumer.override."))}
    assert keys <= CONNECT_KEYS | DOCUMENTED[flavour]
    assert keys >= DOCUMENTED[flavour]


@pytest.mark.parametrize("flavour", Flavour)
def test_chat_and_text_go_out_alone_and_one_by_one_and_failures_are_kept(flavour: Flavour) -> None:
    config = configuration(OURS, flavour, API)
    assert config["topics"] == "a_telegram_outbound"
    assert (config["transforms.only.type"], config["transforms.only.include"]) == (
        "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "chat_id,text",
    )
    assert config["transforms"].split(",")[0] == "only"
    assert (config["errors.deadletterqueue.topic.name"], config["errors.deadletterqueue.topic.replication.factor"]) == (
        "a_telegram_dlq",
        "3",
    )
    assert config["errors.deadletterqueue.context.headers.enable"] == config["errors.log.enable"] == "false"
    assert config["consumer.override.isolation.level"] == "read_committed"
    assert config["tasks.max"] == "1"
    assert [value.split("?")[0] for value in config.values() if API in value] == [ADDRESS]
    assert LIMITS[flavour]


@pytest.mark.parametrize(
    ("flavour", "url", "converter", "at"),
    [
        (Flavour.CAMEL, "http://r:1/apis/ccompat/v7", "io.apicurio.registry.utils.converter.AvroConverter", "http://r:1/apis/registry/v2"),
        (Flavour.CAMEL, "http://r:1", "io.confluent.connect.avro.AvroConverter", "http://r:1"),
        (Flavour.AIVEN, "http://r:1/apis/ccompat/v7", "io.confluent.connect.avro.AvroConverter", "http://r:1/apis/ccompat/v7"),
    ],
)
def test_the_converter_goes_with_the_registry(flavour: Flavour, url: str, converter: str, at: str) -> None:
    config = configuration(OURS.model_copy(update={"registry_url": url}), flavour, API)
    assert config["value.converter"] == converter
    assert at in (config.get("value.converter.schema.registry.url"), config.get("value.converter.apicurio.registry.url"))


@pytest.mark.parametrize(
    "more",
    [
        {"value.converter.basic.auth.user.info": "name:word"},
        {"reporter.producer.sasl.jaas.config": 'required password="word"'},
        {"http.url": "https://api.example.org/bot7000000001:AAE-x_y/sendMessage"},
    ],
)
def test_a_secret_written_out_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(more))) as refused:
        configuration(OURS, Flavour.AIVEN, API, more=more)
    assert not [value for value in more.values() if value in str(refused.value)]


def test_a_token_written_out_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError) as refused:
        configuration(OURS, Flavour.CAMEL, API, token="7000000001:AAE-x_y")
    assert "AAE" not in str(refused.value)


def test_a_registry_with_a_password_needs_one_for_the_worker_too() -> None:
    locked = OURS.model_copy(update={"registry_username": "name", "registry_password": Secret("word")})
    with pytest.raises(InputError, match="the worker has to have too"):
        configuration(locked, Flavour.CONFLUENT, API)
    more = {
        "value.converter.basic.auth.credentials.source": "USER_INFO",
        "value.converter.basic.auth.user.info": "${env:REGISTRY_USER_INFO}",
    }
    config = configuration(locked, Flavour.CONFLUENT, API, more=more)
    assert config.items() >= more.items()


def test_what_differs_is_named() -> None:
    assert changes(None, {"b": "1", "a": "1"}) == ["a", "b"]
    assert changes({"a": "1", "b": "1"}, {"b": "2", "c": "1"}) == ["a", "b", "c"]
    assert changes({"a": "1"}, {"a": "1"}) == []
