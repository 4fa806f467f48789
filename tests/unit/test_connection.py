"""How the brokers and the registry are reached, and what their refusals mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.schema_registry.error import SchemaRegistryError

from stack import certificates
from ytwatcher.errors import OutsideError
from ytwatcher.secret import Secret
from ytwatcher.settings import Streaming
from ytwatcher.streaming.connection import kafka_config, kafka_errors, registry_config, registry_errors

PLAIN = Streaming(bootstrap="a:1,b:2", registry_url="http://r:8081")
CLOUD = Streaming.model_validate(
    {
        "bootstrap": "a:9092",
        "registry_url": "https://r",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "scram-sha-256",
        "sasl_username": "key",
        "sasl_password": Secret("secret"),
        "registry_username": "name",
        "registry_password": "pass:word",
    }
)
TOKENS = Streaming.model_validate(
    {
        "bootstrap": "a:9092",
        "registry_url": "https://r",
        "security_protocol": "sasl_ssl",
        "sasl_mechanism": "oauthbearer",
        "oauth_token_url": "https://login/token",
        "oauth_client_id": "me",
        "oauth_client_secret": "CANARY",
        "oauth_scope": "kafka",
        "oauth_extensions": "logicalCluster=lkc-1,identityPoolId=pool-1",
        "registry_cluster": "lsrc-1",
    }
)


def test_without_security_only_addresses_are_needed() -> None:
    config = kafka_config(PLAIN)
    assert (config["bootstrap.servers"], config["security.protocol"]) == ("a:1,b:2", "plaintext")
    assert not [key for key in config if key.startswith(("sasl", "ssl"))]
    assert {key: registry_config(PLAIN)[key] for key in ("url", "max.retries")} == {"url": "http://r:8081", "max.retries": 0}
    assert "basic.auth.user.info" not in registry_config(PLAIN)


def test_a_cluster_with_passwords_and_an_authority_of_its_own(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    own = tmp_path / "ca.pem"
    cloud = CLOUD.model_copy(update={"ca_file": own})
    config = kafka_config(cloud)
    assert (config["security.protocol"], config["sasl.mechanism"]) == ("sasl_ssl", "SCRAM-SHA-256")
    assert (config["sasl.username"], config["sasl.password"], config["ssl.ca.location"]) == ("key", "secret", str(own))
    assert registry_config(cloud)["basic.auth.user.info"] == "name:pass:word"
    assert registry_config(cloud)["ssl.ca.location"] == str(own)


def test_a_cluster_with_tokens() -> None:
    config = kafka_config(TOKENS)
    assert (config["sasl.mechanism"], config["sasl.oauthbearer.method"]) == ("OAUTHBEARER", "oidc")
    assert config["sasl.oauthbearer.extensions"] == "logicalCluster=lkc-1,identityPoolId=pool-1"
    assert "sasl.username" not in config
    registry = registry_config(TOKENS)
    assert (registry["bearer.auth.logical.cluster"], registry["bearer.auth.identity.pool.id"]) == ("lsrc-1", "pool-1")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ca_file": "none.pem"}, "streaming.ca_file: none.pem cannot be used: No such file"),
        ({"ca_file": "empty.pem"}, "it is not certificates in PEM"),
        (
            {"cert_file": "ca.pem", "key_file": "ca.pem"},
            "streaming.cert_file with key_file: ca.pem cannot be used: it is not a certificate",
        ),
        ({"cert_file": "client.pem", "key_file": "server.pem"}, "it is not a certificate in PEM and its key"),
    ],
    ids=["missing", "empty", "no key", "another's key"],
)
def test_a_file_that_is_not_what_it_is_for_is_named(
    files: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.make(tmp_path)
    (tmp_path / "empty.pem").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutsideError) as caught:
        kafka_config(CLOUD.model_copy(update={key: Path(file) for key, file in files.items()}))
    assert said in str(caught.value) and caught.value.permanent
    assert "\n" not in str(caught.value)


def test_a_certificate_is_shown_with_its_key(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    own = tmp_path / "client.pem"
    config = kafka_config(CLOUD.model_copy(update={"cert_file": own, "key_file": own}))
    assert (config["ssl.certificate.location"], config["ssl.key.location"]) == (str(own), str(own))


@pytest.mark.parametrize(
    ("code", "reason", "permanent"),
    [
        (KafkaError._TRANSPORT, "unreachable", False),
        (KafkaError._TIMED_OUT, "unreachable", False),
        (KafkaError._AUTHENTICATION, "not authorised", True),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "not authorised", True),
        (KafkaError.INVALID_REPLICATION_FACTOR, "refused", False),
    ],
)
def test_what_kafka_says_is_told_apart(code: int, reason: str, permanent: bool) -> None:
    with pytest.raises(OutsideError, match=rf"\(making it at {CLOUD.bootstrap}\)") as caught, kafka_errors("making it", CLOUD):
        raise KafkaException(KafkaError(code))
    assert (caught.value.reason, caught.value.permanent) == (reason, permanent)


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [(401, "not authorised", True), (409, "refused", True), (503, "unreachable", False), (429, "unreachable", False)],
)
def test_what_the_registry_says_is_told_apart(status: int, reason: str, permanent: bool) -> None:
    with (
        pytest.raises(OutsideError, match=rf"the Schema Registry .*\(asking at {CLOUD.registry_url}\)") as caught,
        registry_errors("asking", CLOUD),
    ):
        raise SchemaRegistryError(status, 50001, "no")
    assert (caught.value.reason, caught.value.permanent) == (reason, permanent)
