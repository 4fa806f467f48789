"""How Flink's tables log in to Kafka and the registry: the connector's and the format's options, from the settings.

Certificates go along as text, so that no file has to lie on Flink's machines. Secrets do not: a placeholder with the name of the
setting's environment variable stands for each, until the statement is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ytwatcher.errors import OutsideError
from ytwatcher.secret import Secret
from ytwatcher.setting_keys import variable
from ytwatcher.settings import Streaming
from ytwatcher.streaming.connection import registry_token
from ytwatcher.streaming.engines.plan import in_quotes

SHADED = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security"
"""Where flink-sql-connector-kafka keeps Kafka's classes."""
KAFKA = "properties."
REGISTRY = "value.avro-confluent."
MODULES = {"plain": "plain.PlainLoginModule", "oauthbearer": "oauthbearer.OAuthBearerLoginModule"}
SCRAM = "scram.ScramLoginModule"


@dataclass(slots=True)
class Access:
    """Options by name, and what their placeholders stand for."""

    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)


def access(streaming: Streaming) -> Access:
    """What a table needs beside the addresses; nothing for a cluster without passwords.

    Raises:
        OutsideError: a file that the settings name cannot be read.
    """
    found = Access()
    if streaming.security_protocol != "plaintext":
        found.options[f"{KAFKA}security.protocol"] = streaming.security_protocol.upper()
    if streaming.security_protocol.startswith("sasl"):
        found.options |= {f"{KAFKA}{key}": value for key, value in _login(streaming, found)}
    if streaming.security_protocol.endswith("ssl"):
        found.options |= {f"{KAFKA}{key}": value for key, value in _certificates(streaming, found)}
    if (streaming.registry_url or "").startswith("https:"):
        found.options |= {f"{REGISTRY}properties.schema.registry.{key}": value for key, value in _certificates(streaming, found)}
    found.options |= {f"{REGISTRY}{key}": value for key, value in _registry(streaming, found)}
    return found


def _login(streaming: Streaming, found: Access) -> Iterator[tuple[str, str]]:
    yield "sasl.mechanism", streaming.sasl_mechanism.upper()
    oauth = streaming.sasl_mechanism == "oauthbearer"
    if oauth:
        yield "sasl.oauthbearer.token.endpoint.url", streaming.oauth_token_url or ""
        yield "sasl.login.callback.handler.class", f"{SHADED}.oauthbearer.OAuthBearerLoginCallbackHandler"
        values = {"clientId": streaming.oauth_client_id, "clientSecret": _secret(streaming, "oauth_client_secret", found)}
        values["scope"] = streaming.oauth_scope
        extensions = (one.split("=", 1) for one in (streaming.oauth_extensions or "").split(",") if one)
        values |= {f"extension_{name}": value for name, value in extensions}
    else:
        values = {"username": streaming.sasl_username, "password": _secret(streaming, "sasl_password", found)}
    module = MODULES.get(streaming.sasl_mechanism, SCRAM)
    words = " ".join(f"{name}={in_quotes(value)}" for name, value in values.items() if value is not None)
    yield "sasl.jaas.config", f"{SHADED}.{module} required {words};"


def _certificates(streaming: Streaming, found: Access) -> Iterator[tuple[str, str]]:
    if streaming.ca_file is not None:
        yield "ssl.truststore.type", "PEM"
        yield "ssl.truststore.certificates", _read(streaming.ca_file)
    if streaming.cert_file is not None and streaming.key_file is not None:
        yield "ssl.keystore.type", "PEM"
        yield "ssl.keystore.certificate.chain", _only(_read(streaming.cert_file), "CERTIFICATE")
        key = _placeholder("key_file")
        found.secrets[key] = Secret(_only(_read(streaming.key_file), "PRIVATE KEY"))
        yield "ssl.keystore.key", key
    if streaming.key_password is not None:
        yield "ssl.key.password", _secret(streaming, "key_password", found)


def _registry(streaming: Streaming, found: Access) -> Iterator[tuple[str, str]]:
    if streaming.registry_username is not None:
        yield "basic-auth.credentials-source", "USER_INFO"
        yield "basic-auth.user-info", f"{streaming.registry_username}:{_secret(streaming, 'registry_password', found)}"
    token = registry_token(streaming)
    if token:
        token["bearer.auth.client.secret"] = _secret(streaming, "oauth_client_secret", found)
        source = token.pop("bearer.auth.credentials.source")
        yield "bearer-auth.credentials-source", source
        yield from ((f"properties.{key}", value) for key, value in token.items() if value)


def _secret(streaming: Streaming, name: str, found: Access) -> str:
    """The placeholder for a secret of the settings."""
    placeholder = _placeholder(name)
    found.secrets[placeholder] = getattr(streaming, name)
    return placeholder


def _placeholder(name: str) -> str:
    return f"${{{variable(f'streaming.{name}')}}}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OutsideError(f"{file}: cannot be read: {type(error).__name__}", reason="configuration", permanent=True) from None


def _only(pem: str, what: str) -> str:
    """The blocks of one kind: a file may hold a key with its certificates."""
    blocks: list[str] = []
    inside = False
    for line in pem.splitlines():
        inside = inside or (line.startswith("-----BEGIN ") and line.endswith(f"{what}-----"))
        if inside:
            blocks.append(line)
            inside = not line.startswith("-----END ")
    return "\n".join(blocks)
