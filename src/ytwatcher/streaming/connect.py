"""Kafka Connect's HTTP Sink as the way of alerts to Telegram: its configuration, and the connector itself over Connect's REST.

The bot's token is never in the configuration: a reference to one of the worker's config providers stands in its place.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from ytwatcher.errors import InputError
from ytwatcher.log import redact
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names
from ytwatcher.streaming.engines.rest import Answer, Rest

TOKEN_REFERENCE = "${env:TELEGRAM_BOT_TOKEN}"  # noqa: S105 - where the worker finds it, not the token
PATIENCE = 60.0
"""Seconds until a new connector has to run; a worker that has just lost another one takes its time."""
LOOK_EVERY = 0.2
BEGINS_WITHIN = 3.0
"""Seconds until a restart that was accepted shows; one that is over sooner is not seen at all."""
LONGEST_FAULT = 500
_APICURIO = "/apis/ccompat/"
_SECRET_KEY = re.compile(r"password|secret|token|jaas|user\.info|credentials$", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{[\w.-]+:[^}]+\}")

EVERYWHERE = (
    "At least once: what was sent but not yet noted when the worker dies is sent again.",
    "Nothing is paced: Telegram takes about one message a second for a chat; what it refuses too often goes to the dead-letter topic.",
    "Telegram's Retry-After is not heeded; the pause between tries is fixed.",
    "While a record is tried again, the ones behind it wait.",
    "Whoever may use Connect's REST can read what the worker's config providers may read: keep it to the operators.",
)


class Flavour(StrEnum):
    """Which HTTP Sink connector is installed on the worker."""

    CONFLUENT = "confluent"
    AIVEN = "aiven"
    CAMEL = "camel"


LIMITS: Mapping[Flavour, tuple[str, ...]] = {
    Flavour.CAMEL: (
        "Every refusal is tried again, also a 403 of a chat that blocked the bot.",
        "It writes its address, token included, to the worker's log: turn the logger org.apache.camel off, and"
        " org.apache.kafka.common.config.AbstractConfig down to WARN.",
    ),
    Flavour.AIVEN: (
        "Not run by this project: the configuration follows the connector's documentation.",
        "Every refusal is tried again, also a 403 of a chat that blocked the bot.",
        "When refused it writes its address, token included, to the worker's log: turn the logger io.aiven.kafka.connect.http off.",
    ),
    Flavour.CONFLUENT: (
        "Not run by this project: the configuration follows the connector's documentation. It needs Confluent's licence.",
        "A self-managed worker's connector; Confluent Cloud's own HTTP Sink is set up in its console.",
        "With passwords on the cluster, reporter.producer.*, reporter.admin.* and confluent.topic.* need the worker's too: --set.",
        "Whether what it gives up reaches the dead-letter topic was not seen; a record that Telegram refuses for good is not tried again.",
        "Its errors may name its address, token included: turn the logger io.confluent.connect.http off.",
    ),
}


@dataclass(frozen=True, slots=True)
class Task:
    """A part of the connector that runs on a worker; `fault` is what ended it, empty while it runs."""

    number: int
    state: str
    fault: str


@dataclass(frozen=True, slots=True)
class Status:
    """What Connect says of the connector."""

    state: str
    fault: str
    tasks: tuple[Task, ...]

    @property
    def runs(self) -> bool:
        return self.state == "RUNNING" and bool(self.tasks) and all(task.state == "RUNNING" for task in self.tasks)

    @property
    def failure(self) -> str:
        """What is wrong, empty when nothing is known to be."""
        failed = [self.fault or self.state] if self.state == "FAILED" else [task.fault for task in self.tasks if task.state == "FAILED"]
        return "; ".join(failed)


def name(streaming: Streaming) -> str:
    """The connector's name."""
    return f"{streaming.prefix}telegram"


def configuration(
    streaming: Streaming, flavour: Flavour, api_url: str, *, token: str = TOKEN_REFERENCE, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole configuration of the connector.

    Args:
        api_url: of the Bot API.
        token: the reference by which the worker finds the bot's token.
        more: what is added or set otherwise.

    Raises:
        InputError: a secret would stand in it, or the registry's password is missing.
    """
    topics = names.topics(streaming.prefix)
    values = {
        "TOPIC": topics.outbound,
        "DLQ": topics.dlq,
        "REPLICATION": str(streaming.replication),
        "BOOTSTRAP": streaming.bootstrap or "",
        "API": api_url,
        "TOKEN": token,
    }
    if not _REFERENCE.fullmatch(token):
        raise InputError(f"the token is named by a reference, never by itself: {TOKEN_REFERENCE}, or one of another config provider")
    filled = {key: Template(text).substitute(values) for key, text in {**_read("common"), **_read(flavour)}.items()}
    config = {**filled, **_converter(streaming.registry_url or "", flavour), **(more or {})}
    _check_secrets(config)
    if streaming.registry_username is not None and not any(key.startswith("value.converter.") and "auth" in key for key in config):
        raise InputError(
            "the Schema Registry wants a password, which the worker has to have too: add"
            " --set value.converter.basic.auth.credentials.source=USER_INFO"
            " --set 'value.converter.basic.auth.user.info=${env:REGISTRY_USER_INFO}' (for Apicurio's converter its own keys)"
        )
    return config


def _read(file: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(files("ytwatcher.streaming").joinpath("connectors", f"{file}.json").read_text(encoding="utf-8"))
    return found


def _converter(registry_url: str, flavour: Flavour) -> dict[str, str]:
    """What turns Avro into Connect's records: Apicurio's own beside Camel and an Apicurio registry, Confluent's otherwise."""
    if flavour is Flavour.CAMEL and _APICURIO in registry_url:
        return {
            "value.converter": "io.apicurio.registry.utils.converter.AvroConverter",
            "value.converter.apicurio.registry.url": f"{registry_url.partition(_APICURIO)[0]}/apis/registry/v2",
            "value.converter.apicurio.registry.as-confluent": "true",
            "value.converter.apicurio.registry.use-id": "contentId",  # the ids of Confluent's API are Apicurio's content ids
        }
    return {"value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": registry_url}


def _check_secrets(config: Mapping[str, str]) -> None:
    plain = [key for key, value in config.items() if redact(value) != value or (_SECRET_KEY.search(key) and not _REFERENCE.search(value))]
    if plain:
        raise InputError(f"{', '.join(plain)}: a secret is named by a reference like ${{env:NAME}}, never written out")


class Connect:
    """One connector on one Connect cluster."""

    def __init__(self, rest: Rest, connector: str) -> None:
        self._rest = rest
        self.name = connector
        self._path = f"/connectors/{quote(connector, safe='')}"

    async def current(self) -> dict[str, str] | None:
        """The configuration that is there, references unresolved; None where there is no connector."""
        answer = await self._ask("GET", f"{self._path}/config")
        return None if answer is None else {key: value for key, value in answer.body.items() if key != "name"}

    async def check(self, config: Mapping[str, str]) -> None:
        """Let the worker look at a configuration.

        Raises:
            OutsideError: it refuses it, or does not know what a reference stands for.
        """
        plugin = config["connector.class"]
        answer = await self._call("PUT", f"/connector-plugins/{quote(plugin, safe='')}/config/validate", {**config, "name": self.name})
        if not answer.ok:
            raise self._rest.fault(f"has no connector {plugin}, or cannot look at its configuration", _words(answer.body))
        found = [entry["value"] for entry in answer.body["configs"]]
        faults = [f"{one['name']}: {fault}" for one in found for fault in one["errors"]]
        if faults:
            raise self._rest.fault("refuses the configuration", _shortened("; ".join(faults)))
        # An unknown reference stays as it is, the connector runs all the same, and every record goes to the dead-letter topic.
        unknown = {reference for one in found for reference in _REFERENCE.findall(str(one["value"]))}
        if unknown:
            raise self._rest.fault(
                "does not know what to put in",
                f"{', '.join(sorted(unknown))}: the worker needs the config provider, and the provider the value",
                reason="unknown reference",
            )

    async def deploy(self, config: Mapping[str, str]) -> None:
        """Make the connector, or change it, and wait until it runs.

        Raises:
            OutsideError: as `check`; or it does not run, with the reason that Connect gives.
        """
        await self.check(config)
        await self._need("PUT", f"{self._path}/config", dict(config))
        await self._until_running()

    async def status(self) -> Status | None:
        """How it is; None where there is no connector."""
        answer = await self._ask("GET", f"{self._path}/status")
        if answer is None:
            return None
        tasks = tuple(Task(one["id"], one["state"], _first_line(one)) for one in answer.body["tasks"])
        return Status(answer.body["connector"]["state"], _first_line(answer.body["connector"]), tasks)

    async def restart(self) -> None:
        """Start the connector and its tasks anew, and wait until they run.

        Raises:
            OutsideError: there is none, or it does not run.
        """
        before = await self.status()
        await self._need("POST", f"{self._path}/restart?includeTasks=true")
        # It is done some time after it was accepted: until then the old ones say what they said before, also what ended them.
        with suppress(TimeoutError):
            async with asyncio.timeout(BEGINS_WITHIN):
                await self._until(lambda status: status != before, "begun to restart")
        await self._until_running()

    async def remove(self) -> bool:
        """End it, and wait until it is gone; whether there was one. Where it stopped reading stays noted under its name."""
        if await self._ask("DELETE", self._path) is None:
            return False
        await self._until(lambda status: status is None, "ended")
        return True

    async def _until_running(self) -> None:
        def runs(status: Status | None) -> bool:
            if status is not None and status.failure:
                raise self._rest.fault("cannot run the connector", status.failure)
            return status is not None and status.runs

        await self._until(runs, "begun to run")

    async def _until(self, reached: Callable[[Status | None], bool], what: str) -> None:
        ends_at = asyncio.get_running_loop().time() + PATIENCE
        while not reached(await self.status()):
            if asyncio.get_running_loop().time() > ends_at:
                raise self._rest.fault(
                    f"has not {what} the connector", f"not within {PATIENCE:.0f} s", reason="unreachable", permanent=False
                )
            await asyncio.sleep(LOOK_EVERY)

    async def _need(self, method: str, path: str, body: object = None) -> Answer:
        answer = await self._ask(method, path, body)
        if answer is None:
            raise self._rest.fault("has no connector", f"{self.name}; `ytwatcher stream connector deploy` makes it")
        return answer

    async def _ask(self, method: str, path: str, body: object = None) -> Answer | None:
        """The answer; None where there is no such connector."""
        answer = await self._call(method, path, body)
        if answer.status == 404:
            return None
        if not answer.ok:
            raise self._rest.fault("did not do it", _words(answer.body))
        return answer

    async def _call(self, method: str, path: str, body: object = None) -> Answer:
        """While workers come and go Connect answers 409, and wants to be asked again."""
        ends_at = asyncio.get_running_loop().time() + PATIENCE
        while True:
            answer = await self._rest.call(method, path, body)
            if answer.status != 409 or asyncio.get_running_loop().time() > ends_at:
                return answer
            await asyncio.sleep(LOOK_EVERY)


@asynccontextmanager
async def open_connect(streaming: Streaming) -> AsyncIterator[Connect]:
    """Our connector on the Connect of the settings.

    Raises:
        InputError: its address is not set.
    """
    if streaming.connect_url is None:
        raise InputError("streaming.connect_url has to name Kafka Connect's REST address")
    auth = None
    if streaming.connect_username is not None and streaming.connect_password is not None:
        auth = (streaming.connect_username, streaming.connect_password.reveal())
    async with Rest("Kafka Connect", streaming.connect_url, auth, setting="streaming.connect_url") as rest:
        yield Connect(rest, name(streaming))


def changes(before: Mapping[str, str] | None, after: Mapping[str, str]) -> Sequence[str]:
    """The keys that differ, sorted; all of them for a new connector."""
    there = before or {}
    return sorted(key for key in there.keys() | after.keys() if there.get(key) != after.get(key))


def _first_line(part: Mapping[str, Any]) -> str:
    """A Java trace is long; its first line and its last cause say what happened."""
    lines = str(part.get("trace") or "").splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return _shortened("; ".join([*lines[:1], *causes[-1:]]))


def _words(body: Any) -> str:
    return _shortened(str(body.get("message", body) if isinstance(body, dict) else body))


def _shortened(text: str) -> str:
    """What Connect says may hold the address with the token in it."""
    return redact(" ".join(text.split()))[:LONGEST_FAULT]
