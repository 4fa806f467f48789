"""What shall run on an engine, and what has to be done so that it does: values only, nothing is asked or sent here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib.resources import files
from string import Template
from types import MappingProxyType

from ytwatcher.core.model import to_ms
from ytwatcher.errors import InputError
from ytwatcher.secret import Secret

VERSION = 1
"""Of the SQL. It goes up with every change of a file in streaming/sql, and a deployment of an older one is then replaced."""
PARALLELISM = 2
_PROPS = "-- @props "
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CHAT = re.compile(r"-?\d{1,19}")


class Flavour(StrEnum):
    """Whose statements: ours, or the tutorial's unchanged."""

    OWN = "own"
    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What shall run.

    `alerts_from`: readings before it make no alerts (None: all may). `chat_id` is for the tutorial's statements only, and what stands
    behind it for Flink only: addresses and Avro schemas, and the savepoint or checkpoint that a job begins with. `access` are the options
    by which its tables log in; they hold placeholders, and what these stand for is in `secrets`. `starts` are the offsets that a topic is
    read from (`partition:0,offset:42;…`) where that is not its beginning.
    """

    prefix: str = ""
    partitions: int = 1
    alerts_from: datetime | None = None
    flavour: Flavour = Flavour.OWN
    chat_id: str = ""
    bootstrap: str = ""
    registry_url: str = ""
    changes_schema: str = ""
    outbound_schema: str = ""
    parallelism: int = PARALLELISM
    begin_with: str = ""
    version: int = VERSION
    access: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    starts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if self.prefix and not _NAME.fullmatch(self.prefix):
            raise InputError(f"“{self.prefix}” cannot begin names in SQL; use letters, digits and _ only, a letter first")
        if self.flavour is Flavour.SEED and not _CHAT.fullmatch(self.chat_id):
            raise InputError("the tutorial's statements send to one chat; name it by its number: --chat-id -1001234567890")

    @property
    def job(self) -> str:
        """The name under which Flink runs it."""
        return f"{job_prefix(self.prefix)}{self.version}"

    def values(self) -> dict[str, str]:
        """What the placeholders in the SQL files stand for."""
        return {
            "PREFIX": self.prefix,
            "PARTITIONS": str(self.partitions),
            "ALERTS_FROM": str(0 if self.alerts_from is None else to_ms(self.alerts_from)),
            "CHAT_ID": self.chat_id,
            "VERSION": str(self.version),
            "JOB": self.job,
            "PARALLELISM": str(self.parallelism),
            "BOOTSTRAP": quoted(self.bootstrap),
            "REGISTRY": quoted(self.registry_url),
            "CHANGES_SCHEMA": quoted(self.changes_schema),
            "OUTBOUND_SCHEMA": quoted(self.outbound_schema),
            "READINGS_FROM": self._start("yt_videos"),
            "RULES_FROM": self._start("yt_rules"),
            "ACCESS": "".join(f",\n  '{key}' = '{quoted(value)}'" for key, value in self.access.items()),
        }

    def _start(self, topic: str) -> str:
        """Where Flink begins to read a topic."""
        offsets = self.starts.get(self.prefix + topic)
        if offsets is None:
            return "'scan.startup.mode' = 'earliest-offset'"
        return f"'scan.startup.mode' = 'specific-offsets', 'scan.startup.specific-offsets' = '{offsets}'"

    def revealed(self, text: str) -> str:
        """A statement as it has to be sent: with its secrets."""
        for placeholder, secret in self.secrets.items():
            text = text.replace(f'"{placeholder}"', quoted(in_quotes(secret.reveal()))).replace(placeholder, quoted(secret.reveal()))
        return text

    def masked(self, text: str) -> str:
        """What a server says, without secrets: it may have quoted a statement."""
        for secret in self.secrets.values():
            plain = secret.reveal()
            forms = {form for one in (plain, in_quotes(plain)[1:-1]) for form in (one, quoted(one))}
            for line in sorted((line for form in forms for line in form.splitlines() if line), key=len, reverse=True):
                text = text.replace(line, "***")
        return text


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, and the properties it runs with (ksqlDB's streamsProperties)."""

    text: str
    props: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Action(StrEnum):
    KEEP = "there already"
    MAKE = "to be made"
    END = "to be ended"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing on the engine: `what` names it for people, `target` for the engine where that is another name."""

    action: Action
    what: str
    statements: tuple[Statement, ...] = ()
    target: str = ""


Plan = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One running thing, as `status` shows it: a query or a job.

    `fault` is what is wrong, empty when all is well; `checkpoint` is where Flink's newest state lies.
    """

    name: str
    state: str
    fault: str = ""
    checkpoint: str = ""
    checkpoint_at: datetime | None = None


def only(plan: Plan, action: Action) -> Plan:
    return tuple(step for step in plan if step.action is action)


def starts_in(noted: Mapping[str, Sequence[str]], ids: Mapping[str, str]) -> dict[str, str]:
    """Of the `starts` that were noted (topic -> its own id and the offsets), those in the topics that are there (name -> its own id)."""
    return {topic: offsets for topic, (topic_id, offsets) in noted.items() if ids.get(topic) == topic_id}


def job_prefix(prefix: str) -> str:
    """The name of a job of any version, but for its number."""
    return f"{prefix}yt-alerts-v"


def statements(file: str, values: Mapping[str, str]) -> tuple[Statement, ...]:
    """The statements of a file in streaming/sql (`flink/pipeline.sql`), placeholders filled, comments left out."""
    text = (files("ytwatcher.streaming") / "sql" / file).read_text(encoding="utf-8")
    return tuple(Statement(Template(one.text).substitute(values), one.props) for one in _split(text.splitlines()))


def script(found: Sequence[Statement]) -> str:
    """The statements as one text, to be read and to be run by hand."""
    blocks = [f"{_PROPS}{json.dumps(dict(one.props))}\n{one.text}" if one.props else one.text for one in found]
    return "\n\n".join(blocks) + "\n"


def _split(lines: Sequence[str]) -> list[Statement]:
    """A statement ends with `;` at a line's end, a statement set with its `END;`."""
    found: list[Statement] = []
    lines_so_far: list[str] = []
    props: dict[str, str] = {}
    for line in lines:
        if line.startswith(_PROPS):
            props = json.loads(line.removeprefix(_PROPS))
        elif line.strip() and not line.lstrip().startswith("--"):
            lines_so_far.append(line.rstrip())
            if line.rstrip() == "END;" if lines_so_far[0].startswith("EXECUTE STATEMENT SET") else line.rstrip().endswith(";"):
                found.append(Statement("\n".join(lines_so_far), MappingProxyType(props)))
                lines_so_far, props = [], {}
    return found


def in_quotes(text: str) -> str:
    """A text as JAAS's configuration takes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quoted(text: str) -> str:
    """For the inside of a text in SQL."""
    return text.replace("'", "''")
