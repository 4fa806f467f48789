"""How Flink's tables log in: options with placeholders, and secrets that are filled in last."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import certificates
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming.engines import deployment
from ytwatcher.streaming.engines.access import access
from ytwatcher.streaming.engines.flink import FILE
from ytwatcher.streaming.engines.plan import script, statements

NASTY = """CANARY'q"b\\s"""
PASSWORD = "${YTWATCHER_STREAMING__SASL_PASSWORD}"


def secured(**more: object) -> Streaming:
    return Streaming.model_validate(
        {
            "bootstrap": "a:1",
            "registry_url": "https://r",
            "security_protocol": "sasl_ssl",
            "sasl_mechanism": "scram-sha-512",
            "sasl_username": "it's me",
            "sasl_password": NASTY,
            "registry_username": "me",
            "registry_password": NASTY,
            **more,
        }
    )


def test_a_cluster_without_passwords_needs_nothing() -> None:
    found = access(Streaming(bootstrap="a:1", registry_url="http://r"))
    assert (found.options, found.secrets) == ({}, {})


def test_secrets_are_placeholders_until_a_statement_is_sent() -> None:
    wanted = deployment(secured())
    text = script(statements(FILE, wanted.values()))
    assert "CANARY" not in text + repr(wanted)
    assert f"""required username="it''s me" password="{PASSWORD}";'""" in text
    assert "'value.avro-confluent.basic-auth.user-info' = 'me:${YTWATCHER_STREAMING__REGISTRY_PASSWORD}'" in text
    sent = wanted.revealed(text)
    assert "${" not in sent
    assert """password="CANARY''q\\"b\\\\s";'""" in sent, "as JAAS and SQL quote it"
    assert """= 'me:CANARY''q"b\\s'""" in sent, "as SQL quotes it"
    assert "CANARY" not in wanted.masked(sent) and "q\\" not in wanted.masked(sent)


def test_certificates_go_along_as_text_and_the_key_as_a_secret(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    own = str(tmp_path / "client.pem")
    found = access(secured(ca_file=str(tmp_path / "ca.pem"), cert_file=own, key_file=own, key_password="CANARY"))
    kafka = {key: value for key, value in found.options.items() if key.startswith("properties.ssl")}
    assert {key: value[:27] for key, value in kafka.items()} == {
        "properties.ssl.truststore.type": "PEM",
        "properties.ssl.truststore.certificates": "-----BEGIN CERTIFICATE-----",
        "properties.ssl.keystore.type": "PEM",
        "properties.ssl.keystore.certificate.chain": "-----BEGIN CERTIFICATE-----",
        "properties.ssl.keystore.key": "${YTWATCHER_STREAMING__KEY_",
        "properties.ssl.key.password": "${YTWATCHER_STREAMING__KEY_",
    }
    registry = "value.avro-confluent.properties.schema.registry.ssl.truststore.certificates"
    assert found.options[registry] == kafka["properties.ssl.truststore.certificates"]
    key = found.secrets["${YTWATCHER_STREAMING__KEY_FILE}"].reveal()
    assert key.startswith("-----BEGIN PRIVATE KEY-----") and key.endswith("-----END PRIVATE KEY-----")


def test_tokens_are_asked_for_by_flink_itself() -> None:
    tokens = Streaming.model_validate(
        {
            "bootstrap": "a:1",
            "registry_url": "http://r",
            "security_protocol": "sasl_plaintext",
            "sasl_mechanism": "oauthbearer",
            "oauth_token_url": "https://login/token",
            "oauth_client_id": "me",
            "oauth_client_secret": "CANARY",
            "oauth_extensions": "logicalCluster=lkc-1,identityPoolId=pool-1",
            "registry_cluster": "lsrc-1",
        }
    )
    options = access(tokens).options
    secret = "${YTWATCHER_STREAMING__OAUTH_CLIENT_SECRET}"
    assert options["properties.sasl.jaas.config"].endswith(
        f'OAuthBearerLoginModule required clientId="me" clientSecret="{secret}" extension_logicalCluster="lkc-1"'
        ' extension_identityPoolId="pool-1";'
    )
    assert options["value.avro-confluent.properties.bearer.auth.client.secret"] == secret
    assert options["value.avro-confluent.properties.bearer.auth.identity.pool.id"] == "pool-1"
    assert "CANARY" not in str(options)


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(OutsideError, match=r"/none\.pem: cannot be read"):
        access(secured(ca_file="/none.pem"))
