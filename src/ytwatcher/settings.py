"""What the settings are: each key with its type, its default and what is right for it (docs/configuration.md). config.py reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ytwatcher.core.addresses import SERVICE
from ytwatcher.core.durations import duration_text
from ytwatcher.core.model import RuleKind
from ytwatcher.core.targets import parse_target
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.secret import Secret
from ytwatcher.setting_types import (
    LOWER,
    NUMBER,
    Address,
    ApiKey,
    BaseUrl,
    BaseUrlOrOff,
    Bootstrap,
    BotToken,
    Count,
    Duration,
    Extensions,
    Header,
    Kind,
    Language,
    Listen,
    Networks,
    Password,
    PathText,
    PingUrl,
    RuleLine,
    ServiceAddress,
    ServiceName,
    Target,
    Text,
    Timezone,
    TopicPrefix,
    at_least,
    at_most,
    is_loopback,
    split_listen,
)

_LOCK = "password, or user_header and trusted_proxies"


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Data(Section):
    dir: PathText


class Youtube(Section):
    api_key: ApiKey | None = None
    base_url: BaseUrl = "https://youtube.googleapis.com/youtube/v3"
    key_in: Annotated[Literal["header", "query"], LOWER] = "header"
    daily_units: Count = 10_000
    daily_stats_units: Count = 10_000


class Telegram(Section):
    bot_token: BotToken | None = None
    base_url: BaseUrl = "https://api.telegram.org"
    operator: Address = "console"
    bot: bool = True
    language: Language = "en"
    timezone: Timezone = "UTC"


class Access(Section):
    """What a chat may have that is let in; stored with it, so that a change here is for those who come later."""

    targets: Count = 50
    rules: Count = 250
    messages: Count = 200


class Poll(Section):
    min_interval: Annotated[Duration, AfterValidator(at_least(timedelta(seconds=10)))] = timedelta(minutes=1)
    max_interval: Duration = timedelta(hours=24)
    reserve: Annotated[float, Field(ge=0, le=0.5), NUMBER] = 0.05

    @model_validator(mode="after")
    def _ordered(self) -> Poll:
        if self.min_interval > self.max_interval:
            raise ValueError(
                f"min_interval ({duration_text(self.min_interval)}) is longer than max_interval ({duration_text(self.max_interval)})"
            )
        return self


class Storage(Section):
    retention: Annotated[Duration, AfterValidator(at_least(timedelta(days=1)))] = timedelta(days=30)


class Backup(Section):
    """Scheduled backups; off as long as `every` is not set."""

    every: Annotated[Duration, AfterValidator(at_least(timedelta(hours=1)))] | None = None
    keep: Annotated[int, Field(ge=1, le=1000), NUMBER] = 7
    dir: PathText | None = None


class Streaming(Section):
    """The streaming way; it is off as long as `bootstrap` is not set."""

    bootstrap: Bootstrap | None = None
    registry_url: BaseUrl | None = None
    engine: Annotated[Literal["embedded", "flink", "ksqldb"], LOWER] = "embedded"
    delivery: Annotated[Literal["ours", "connect"], LOWER] = "ours"
    prefix: TopicPrefix = ""
    partitions: Annotated[int, Field(ge=1, le=1000), NUMBER] = 1
    replication: Annotated[int, Field(ge=1, le=10), NUMBER] = 1
    retention: Annotated[Duration, AfterValidator(at_least(timedelta(hours=1))), AfterValidator(at_most(timedelta(days=30)))] = timedelta(
        days=7
    )
    keep: Annotated[Duration, AfterValidator(at_most(timedelta(days=30)))] = timedelta(hours=24)
    security_protocol: Annotated[Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"], LOWER] = "plaintext"
    sasl_mechanism: Annotated[Literal["plain", "scram-sha-256", "scram-sha-512", "oauthbearer"], LOWER] = "plain"
    sasl_username: Text | None = None
    sasl_password: Secret | None = None
    oauth_token_url: BaseUrl | None = None
    oauth_client_id: Text | None = None
    oauth_client_secret: Secret | None = None
    oauth_scope: Text | None = None
    oauth_extensions: Extensions | None = None
    ca_file: PathText | None = None
    cert_file: PathText | None = None
    key_file: PathText | None = None
    key_password: Secret | None = None
    registry_username: Text | None = None
    registry_password: Secret | None = None
    registry_cluster: Text | None = None
    ksqldb_url: BaseUrl | None = None
    ksqldb_username: Text | None = None
    ksqldb_password: Secret | None = None
    flink_gateway_url: BaseUrl | None = None
    flink_url: BaseUrl | None = None
    connect_url: BaseUrl | None = None
    connect_username: Text | None = None
    connect_password: Secret | None = None

    @model_validator(mode="after")
    def _whole(self) -> Streaming:
        missing = list(self._missing())
        if missing:
            raise ValueError("; ".join(missing))
        return self

    def _missing(self) -> Iterator[str]:
        """What else has to be set, given what is."""
        if self.bootstrap is None and (self.engine != "embedded" or self.delivery == "connect"):
            yield f"engine {self.engine} with delivery {self.delivery} needs bootstrap, the list of brokers"
        if self.bootstrap is not None and self.registry_url is None:
            yield "bootstrap needs registry_url, the Schema Registry"
        if self.registry_cluster is not None and self.registry_username is not None:
            yield "registry_cluster is for tokens, registry_username for a password; leave one of them out"
        if self.delivery == "connect" and self.engine == "embedded":
            yield "delivery connect needs an engine, flink or ksqldb: embedded rules write nothing that Connect could deliver"
        for user, names in self._needs():
            absent = [name for name in names if getattr(self, name) is None]
            if absent:
                yield f"{user} needs {' and '.join(absent)}"

    def _needs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        if self.engine == "flink":
            yield "engine flink", ("flink_gateway_url", "flink_url")
        if self.engine == "ksqldb":
            yield "engine ksqldb", ("ksqldb_url",)
        if self.delivery == "connect":
            yield "delivery connect", ("connect_url",)
        oauth = ("oauth_token_url", "oauth_client_id", "oauth_client_secret")
        if self.security_protocol.startswith("sasl"):
            login = oauth if self.sasl_mechanism == "oauthbearer" else ("sasl_username", "sasl_password")
            yield f"security_protocol {self.security_protocol} with {self.sasl_mechanism}", login
        pairs = [(f"{service}_username", f"{service}_password") for service in ("registry", "ksqldb", "connect")]
        together = [*pairs, ("cert_file", "key_file")]
        for one, needed in (*((a, (b,)) for a, b in together), *((b, (a,)) for a, b in together), ("registry_cluster", oauth)):
            if getattr(self, one) is not None:
                yield one, needed


class Log(Section):
    level: Annotated[Literal["debug", "info", "warning", "error"], LOWER] = "info"
    format: Annotated[Literal["console", "json"], LOWER] = "console"
    file: PathText | None = None


class Deadman(Section):
    """Somebody else's watch over this one: it raises the alarm when the calls stop."""

    url: PingUrl | None = None


class Web(Section):
    """The pages and the API; off as long as `listen` is not set."""

    listen: Listen | None = None
    public_url: BaseUrl | None = None
    password: Password | None = None
    user_header: Header | None = None
    trusted_proxies: Networks | None = None
    thumbnail_url: BaseUrlOrOff = "https://i.ytimg.com"

    @model_validator(mode="after")
    def _guarded(self) -> Web:
        if (self.user_header is None) != (self.trusted_proxies is None):
            raise ValueError("user_header and trusted_proxies need each other: a header is taken from these peers only")
        if self.listen is None or self.password is not None or self.user_header is not None:
            return self
        if not is_loopback(split_listen(self.listen)[0]):
            raise ValueError(f"listen {self.listen} can be reached by other machines: set {_LOCK}, or listen on 127.0.0.1")
        if self.public_url is not None and not is_loopback(urlsplit(self.public_url).hostname or ""):
            raise ValueError(f"public_url {self.public_url} can be reached by other machines: set {_LOCK}")
        return self


class DeclaredWatch(Section):
    """A watch that the configuration file holds; `to` None: the operator's."""

    target: Target
    rules: tuple[RuleLine, ...] = ()
    to: Address | None = None


Services = dict[ServiceName, ServiceAddress]
Templates = dict[Kind, Text]


class Sections(Section):
    """What the sources may say, all of it."""

    data: Data
    youtube: Youtube = Youtube()
    telegram: Telegram = Telegram()
    access: Access = Access()
    poll: Poll = Poll()
    storage: Storage = Storage()
    backup: Backup = Backup()
    streaming: Streaming = Streaming()
    log: Log = Log()
    deadman: Deadman = Deadman()
    web: Web = Web()
    services: Services = Field(default_factory=dict)
    templates: Templates = Field(default_factory=dict)
    watch: tuple[DeclaredWatch, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Sections:
        faults = [*self._unknown_services(), *self._not_templates(), *self._twice()]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _unknown_services(self) -> Iterator[str]:
        told = {"telegram.operator": self.telegram.operator, **{f"watch.{n}.to": one.to for n, one in enumerate(self.watch, 1)}}
        for key, address in told.items():
            scheme, _, name = (address or "").partition(":")
            if scheme == SERVICE and name not in self.services:
                hint = did_you_mean(name, self.services) or f"write its address into [services], as {name}"
                yield f"{key}: there is no service {quoted(name)}; {hint}"

    def _not_templates(self) -> Iterator[str]:
        if not self.templates:
            return
        from ytwatcher.core.templates import compile_template  # Jinja2 is loaded only where there are templates

        for kind, source in self.templates.items():
            try:
                compile_template(kind, source)
            except ValueError as error:
                yield f"templates.{kind}: {error}"

    def _twice(self) -> Iterator[str]:
        seen: dict[tuple[str, str], int] = {}
        for n, one in enumerate(self.watch, 1):
            first = seen.setdefault((parse_target(one.target).url, one.to or self.telegram.operator), n)
            if first != n:
                yield f"watch.{n}.target: is watched by watch {first} already; put the rules of both into one"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked; `file` is the TOML file that was read, `warnings` are sentences for the person who runs it."""

    data: Data
    youtube: Youtube
    telegram: Telegram
    poll: Poll
    storage: Storage
    streaming: Streaming
    log: Log
    file: Path | None
    warnings: tuple[str, ...]
    backup: Backup = field(default_factory=Backup)
    deadman: Deadman = field(default_factory=Deadman)
    access: Access = field(default_factory=Access)
    web: Web = field(default_factory=Web)
    services: Mapping[str, Secret] = field(default_factory=dict)
    templates: Mapping[RuleKind, str] = field(default_factory=dict)
    watch: tuple[DeclaredWatch, ...] = ()


SECTIONS: Mapping[str, type[Section]] = MappingProxyType(
    {
        "data": Data,
        "youtube": Youtube,
        "telegram": Telegram,
        "access": Access,
        "poll": Poll,
        "storage": Storage,
        "backup": Backup,
        "streaming": Streaming,
        "log": Log,
        "deadman": Deadman,
        "web": Web,
    }
)
TABLES = ("services", "templates")
"""Sections whose keys are names: of services, and of kinds of alerts."""
