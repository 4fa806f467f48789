"""How to reach Kafka and the Schema Registry, and what it means when they cannot be reached."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx2
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError

from ytwatcher.errors import OutsideError
from ytwatcher.secret import Secret
from ytwatcher.settings import Streaming
from ytwatcher.streaming.kafka_log import kafka_logger


class _Client(Protocol):
    def poll(self, timeout: float, /) -> Any: ...

    def list_topics(self, *, timeout: float) -> Any: ...


Client = TypeVar("Client", bound=_Client)
ADMIN_SECONDS = 10.0
LOOK_SECONDS = 0.5
REGISTRY_SECONDS = 10.0
SILENT_SECONDS = 10.0
"""A client that has heard nothing for so long is looked at, see `Hearing`."""

_REFUSED = frozenset(
    {
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "_AUTHENTICATION",
        "_SSL",
    }
)
_AWAY = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE"})
"""librdkafka's names of errors; one with an underscore was found on our side."""


def kafka_config(streaming: Streaming) -> dict[str, Any]:
    """What librdkafka needs to reach the brokers; its log goes into ours.

    Raises:
        OutsideError: a file that the settings name cannot be used.
    """
    _check_files(streaming)
    return {
        "bootstrap.servers": streaming.bootstrap,
        "client.id": "ytwatcher",
        "security.protocol": streaming.security_protocol,
        # Where no broker is left it begins anew with the first ones, each time with the shortest pause: 0.1 s unless we say so.
        "reconnect.backoff.ms": 1000,
        "reconnect.backoff.max.ms": 5000,
        "logger": kafka_logger(),
        **_files(streaming),
        **_login(streaming),
    }


def _login(streaming: Streaming) -> dict[str, str]:
    """How we say who we are."""
    if not streaming.security_protocol.startswith("sasl"):
        return {}
    mechanism = {"sasl.mechanism": streaming.sasl_mechanism.upper()}
    if streaming.sasl_mechanism != "oauthbearer":
        return {**mechanism, **_given({"sasl.username": streaming.sasl_username, "sasl.password": streaming.sasl_password})}
    token = {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": streaming.oauth_token_url,
        "sasl.oauthbearer.client.id": streaming.oauth_client_id,
        "sasl.oauthbearer.client.secret": streaming.oauth_client_secret,
        "sasl.oauthbearer.scope": streaming.oauth_scope,
        "sasl.oauthbearer.extensions": streaming.oauth_extensions,
    }
    return {**mechanism, **_given(token)}


def _files(streaming: Streaming) -> dict[str, str]:
    """Whom we trust and what certificate we show; the registry's client has the same names for it."""
    return _given(
        {
            "ssl.ca.location": streaming.ca_file,
            "ssl.certificate.location": streaming.cert_file,
            "ssl.key.location": streaming.key_file,
            "ssl.key.password": streaming.key_password,
        }
    )


def _given(values: Mapping[str, str | Path | Secret | None]) -> dict[str, str]:
    return {key: value.reveal() if isinstance(value, Secret) else str(value) for key, value in values.items() if value is not None}


def _check_files(streaming: Streaming) -> None:
    """
    Raises:
        OutsideError: `configuration`: what a file holds is not what it is for; both clients would say so in OpenSSL's words.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    password = streaming.key_password.reveal() if streaming.key_password is not None else ""
    with _file_errors("streaming.ca_file", streaming.ca_file, "certificates in PEM"):
        if streaming.ca_file is not None:
            context.load_verify_locations(streaming.ca_file)
    with _file_errors("streaming.cert_file with key_file", streaming.cert_file, "a certificate in PEM and its key (with key_password)"):
        if streaming.cert_file is not None:
            # A password as a function: without one, OpenSSL would ask for it on the terminal.
            context.load_cert_chain(streaming.cert_file, streaming.key_file, lambda: password)


@contextmanager
def _file_errors(setting: str, file: Path | None, wanted: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = f"it is not {wanted}" if isinstance(error, ssl.SSLError | ValueError) else error.strerror
        raise OutsideError(f"{setting}: {file} cannot be used: {why}", reason="configuration", permanent=True) from None


def registry_config(streaming: Streaming) -> dict[str, Any]:
    """What confluent-kafka's registry client needs. It does not try again by itself: who calls knows for how long.

    Raises:
        OutsideError: a file that the settings name cannot be used.
    """
    _check_files(streaming)
    config: dict[str, Any] = {
        "url": streaming.registry_url,
        "timeout": REGISTRY_SECONDS,
        "max.retries": 0,
        **_files(streaming),
        **registry_token(streaming),
    }
    if streaming.registry_username is not None and streaming.registry_password is not None:
        config["basic.auth.user.info"] = f"{streaming.registry_username}:{streaming.registry_password.reveal()}"
    return config


def registry_token(streaming: Streaming) -> dict[str, str]:
    """How the registry is asked with a token, in the words of Confluent's clients; empty where it is not."""
    if streaming.registry_cluster is None:
        return {}
    extensions = dict(one.split("=", 1) for one in (streaming.oauth_extensions or "").split(",") if one)
    return {
        "bearer.auth.credentials.source": "OAUTHBEARER",
        **_given(
            {
                "bearer.auth.issuer.endpoint.url": streaming.oauth_token_url,
                "bearer.auth.client.id": streaming.oauth_client_id,
                "bearer.auth.client.secret": streaming.oauth_client_secret,
                "bearer.auth.logical.cluster": streaming.registry_cluster,
                "bearer.auth.identity.pool.id": extensions.get("identityPoolId"),
            }
        ),
        "bearer.auth.scope": streaming.oauth_scope or "",
    }


def registry_client(streaming: Streaming) -> SchemaRegistryClient:
    """A new client, to be closed: an old one remembers what it registered, also after the subject is gone."""
    return SchemaRegistryClient(registry_config(streaming))


def kafka_fault(error: KafkaError, doing: str, streaming: Streaming) -> OutsideError:
    """What librdkafka says, as `unreachable`, `not authorised` or `refused`."""
    doing = f"{doing} at {streaming.bootstrap}"
    if error.str().startswith("Failed to acquire SASL OAUTHBEARER token"):
        return OutsideError(f"there is no token for Kafka ({doing}): {error.str()}", reason="not authorised", permanent=True)
    if "alert certificate" in error.str():  # what TLS answers to one that is missing, expired or of a stranger
        return OutsideError(f"Kafka refuses our certificate ({doing}): {error.str()}", reason="not authorised", permanent=True)
    if error.name() in _AWAY:
        return OutsideError(f"Kafka does not answer ({doing}): {error.str()}", reason="unreachable")
    if error.name() in _REFUSED:
        return OutsideError(f"Kafka refuses us ({doing}): {error.str()}", reason="not authorised", permanent=True)
    return OutsideError(f"Kafka did not do it ({doing}): {error.str()}", reason="refused")


@contextmanager
def kafka_errors(doing: str, streaming: Streaming) -> Iterator[None]:
    """Translate what confluent-kafka raises into an OutsideError that says what was being done."""
    try:
        yield
    except KafkaException as error:
        raise kafka_fault(error.args[0], doing, streaming) from None


@contextmanager
def kafka_client(kind: Callable[[dict[str, Any]], Client], streaming: Streaming, doing: str, **more: Any) -> Iterator[Client]:
    """An AdminClient or Consumer, closed at the end; `more` are further settings of librdkafka, with _ for their dots.

    A refused password or certificate shows as a time-out in the call's result; what the connection said about it is told instead.

    Raises:
        OutsideError: for whatever Kafka did not do inside the block.
    """
    said: list[KafkaError] = []
    extra = {key.replace("_", "."): value for key, value in more.items()}
    # librdkafka's own lines would say again, and often, what is raised here.
    client = kind({**kafka_config(streaming), "log_level": 2, **extra, "error_cb": said.append})
    try:
        _log_in(client, said, streaming)
        yield client
    except KafkaException as error:
        raise kafka_fault(_refusal(client, said, streaming) or error.args[0], doing, streaming) from None
    finally:
        # Only now: one that is closed cannot be asked for what its connection said. And not left to the collector of cycles, which may run
        # in any thread, the client's own one too.
        if isinstance(client, Consumer):
            client.close()
        elif isinstance(client, AdminClient):
            client.__exit__(None, None, None)


def _log_in(client: _Client, said: Sequence[KafkaError], streaming: Streaming) -> None:
    """Ask something harmless, so that a refusal is known at once and not after the time of a call."""
    for tries_left in reversed(range(int(ADMIN_SECONDS / LOOK_SECONDS))):
        try:
            client.list_topics(timeout=LOOK_SECONDS)
        except KafkaException:
            if _refusal(client, said, streaming) or not tries_left:
                raise
        else:
            return


def _refusal(client: _Client, said: Sequence[KafkaError], streaming: Streaming) -> KafkaError | None:
    client.poll(0)
    return next((one for one in said if kafka_fault(one, "", streaming).permanent), None)


class Hearing:
    """Whether a client that hears nothing could still hear something.

    librdkafka forgets every broker, the ones of the settings too, where one that has just come back names none, and by itself it does not
    look for them again (its issue 5301): it is silent for ever, without an error.
    """

    def __init__(self, client: _Client, streaming: Streaming, doing: str) -> None:
        self._client, self._streaming, self._doing = client, streaming, doing
        self.heard()

    def heard(self) -> None:
        """Something was heard, or the client has only now begun to listen."""
        self._look_at = time.monotonic() + SILENT_SECONDS

    def check(self) -> None:
        """Nothing was heard: look, where it has been so for long. An outage is waited for. Blocks, for seconds where there is one.

        Raises:
            OutsideError: Kafka answers others, but not this client; a new one has to take its place.
        """
        if time.monotonic() >= self._look_at:
            self._look()
            self.heard()

    def _look(self) -> None:
        try:
            self._client.list_topics(timeout=LOOK_SECONDS)
        except KafkaException:
            try:
                with admin_client(self._streaming, self._doing):
                    pass
            except OutsideError:
                return
            with kafka_errors(self._doing, self._streaming):
                self._client.list_topics(timeout=ADMIN_SECONDS)


def admin_client(streaming: Streaming, doing: str) -> AbstractContextManager[AdminClient]:
    """A client of the brokers' own affairs; raises as `kafka_client`."""
    return kafka_client(AdminClient, streaming, doing)


@contextmanager
def registry_errors(doing: str, streaming: Streaming) -> Iterator[None]:
    """The same for the Schema Registry."""
    doing = f"{doing} at {streaming.registry_url}"
    try:
        yield
    except httpx2.TransportError as error:
        untrusted = "CERTIFICATE" in str(error).upper()
        raise OutsideError(
            f"the Schema Registry {'shows a certificate that is not trusted' if untrusted else 'does not answer'} ({doing}): "
            f"{str(error) if untrusted else type(error).__name__}",
            reason="not authorised" if untrusted else "unreachable",
            permanent=untrusted,
        ) from None
    except OAuthTokenError as error:
        raise OutsideError(
            f"there is no token for the Schema Registry ({doing}): {error.message}", reason="not authorised", permanent=True
        ) from None
    except SchemaRegistryError as error:
        denied = error.http_status_code in (401, 403)
        passing = error.http_status_code >= 500 or error.http_status_code == 429
        raise OutsideError(
            f"the Schema Registry {'refuses the name or password' if denied else 'did not do it'} ({doing}): {error}",
            reason="not authorised" if denied else "unreachable" if passing else "refused",
            permanent=not passing,
        ) from None
