"""`ytwatcher stream init`: from the addresses and keys of a cluster to a configuration that was tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ytwatcher import config
from ytwatcher.commands.context import run
from ytwatcher.commands.init import kept_in, read_secret
from ytwatcher.commands.stream_engine import EngineName
from ytwatcher.errors import ConfigError, InputError, YTWatcherError
from ytwatcher.secret import Secret
from ytwatcher.settings import Streaming
from ytwatcher.streaming.connection import ADMIN_SECONDS, admin_client, registry_client, registry_errors
from ytwatcher.streaming.engines.rest import Rest

WHERE = """\
Kafka's details are on your cluster's page: the bootstrap servers with an API key and its secret, and the Schema Registry's address with a
key of its own. A cluster on your own machine asks for no keys: `./dev stack up broker registry` starts one."""
NOWHERE = "http://127.0.0.1:9"
"""Stands for the registry as long as it has not been asked for."""

Values = dict[str, str | Secret]
SecretFile = Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Read the secret from here instead of asking.")]


def init(
    ctx: typer.Context,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The bootstrap servers.")] = None,
    username: Annotated[str | None, typer.Option(metavar="KEY", help="The cluster's API key, or a user name.")] = None,
    password_file: SecretFile = None,
    protocol: Annotated[
        str | None, typer.Option(help="plaintext, ssl, sasl_plaintext or sasl_ssl.", show_default="sasl_ssl with a key")
    ] = None,
    mechanism: Annotated[str | None, typer.Option(help="plain, scram-sha-256 or scram-sha-512.", show_default="plain")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="The authority that signed the certificates.")
    ] = None,
    registry_url: Annotated[str | None, typer.Option(metavar="URL", help="The Schema Registry's address.")] = None,
    registry_username: Annotated[str | None, typer.Option(metavar="KEY", help="The registry's API key, or a user name.")] = None,
    registry_password_file: SecretFile = None,
    engine: Annotated[EngineName | None, typer.Option(help="The engine that judges.", show_default="embedded")] = None,
    flink_url: Annotated[str | None, typer.Option(metavar="URL", help="Flink's JobManager.")] = None,
    flink_gateway_url: Annotated[str | None, typer.Option(metavar="URL", help="Flink's SQL Gateway.")] = None,
    ksqldb_url: Annotated[str | None, typer.Option(metavar="URL", help="The ksqlDB server.")] = None,
    ksqldb_username: Annotated[str | None, typer.Option(metavar="KEY", help="ksqlDB's API key, or a user name.")] = None,
    ksqldb_password_file: SecretFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: what is not named is not needed.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where the file has a broker already.")] = False,
) -> None:
    """Set up Kafka: ask for the cluster and the registry, try both, write it down.

    Each answer is tried at once, and asked for again when it does not work.
    The file's other settings are kept; it can be read by you alone, and no
    secret is ever shown.
    """
    path: Path = ctx.find_root().obj.config or Path(config.FILE_NAME)
    before, watches = _before(path, force=force)
    if yes and (bootstrap is None or registry_url is None):
        raise InputError("--yes asks nothing: name --bootstrap and --registry-url")
    questions = Questions(Console(highlight=False), asks=not yes)
    if questions.asks and bootstrap is None:
        questions.out.print(f"{WHERE}\n", soft_wrap=True)
    values: Values = {"registry_url": NOWHERE}
    secret = read_secret(password_file)
    given = _named(
        bootstrap=bootstrap,
        sasl_username=username,
        sasl_password=secret,
        security_protocol=protocol,
        sasl_mechanism=mechanism,
        ca_file=str(ca_file.absolute()) if ca_file else None,
    )
    values |= questions.settle(given, values, questions.cluster, check_cluster)
    given = _named(registry_url=registry_url, registry_username=registry_username, registry_password=read_secret(registry_password_file))
    values |= questions.settle(given, values, questions.registry, check_registry)
    given = _named(
        flink_url=flink_url,
        flink_gateway_url=flink_gateway_url,
        ksqldb_url=ksqldb_url,
        ksqldb_username=ksqldb_username,
        ksqldb_password=read_secret(ksqldb_password_file),
        engine=engine,
    )
    if engine is not None:
        values |= questions.settle(given, values, questions.engine, check_engine)
    config.write_config(path, {**before, **{f"streaming.{name}": value for name, value in values.items()}}, watches, overwrite=True)
    questions.say(f"\nWritten: {path.absolute()} (only you can read it)", "green")
    questions.say(f"\nNext:\n  ytwatcher stream {'deploy' if engine else 'status'}\n  ytwatcher run          publishes every reading")


def _before(path: Path, *, force: bool) -> tuple[dict[str, Any], list[Any]]:
    """What the file holds besides: settings and watches."""
    if not path.exists():
        return {}, []
    found, watches = kept_in(path)
    if "streaming.bootstrap" in found and not force:
        raise ConfigError(
            [f"{path}: has streaming.bootstrap already, and nothing was changed; --force asks anew and keeps the other settings"]
        )
    return found, watches


def _named(**values: str | Secret | None) -> Values:
    return {name: value for name, value in values.items() if value is not None}


class Questions:
    """Asks for what is not given, and again for what does not work."""

    def __init__(self, out: Console, *, asks: bool) -> None:
        self.out, self.asks = out, asks

    def say(self, text: str, style: str = "") -> None:
        self.out.print(text, style=style or None, markup=False)

    def settle(self, given: Values, known: Values, ask: Callable[[Values], Values], check: Callable[[Streaming], str]) -> Values:
        """The given and asked values, once they work. What was given is asked for when it does not, unless nobody is there to answer.

        Raises:
            YTWatcherError: nobody is there, and they do not work.
        """
        while True:
            values = ask(given) if self.asks else given
            try:
                sections = config.checked({f"streaming.{name}": value for name, value in {**known, **values}.items()})
                self.say(f"✓ {check(sections.streaming)}", "green")
            except YTWatcherError as error:
                if not self.asks:
                    raise
                self.say(f"✗ {error}", "red")
                given = {
                    name: value for name, value in given.items() if name in ("ca_file", "sasl_mechanism", "security_protocol", "engine")
                }
            else:
                return values

    def cluster(self, given: Values) -> Values:
        found = {"bootstrap": given.get("bootstrap") or self._text("Bootstrap servers (HOST:PORT)"), **given}
        if given.get("security_protocol") not in ("plaintext", "ssl"):  # those two have no login
            found |= self._login(given, "sasl_username", "sasl_password", "The cluster's API key")
        return {"security_protocol": "sasl_ssl", **found} if "sasl_username" in found else found

    def registry(self, given: Values) -> Values:
        found = {"registry_url": given.get("registry_url") or self._text("Schema Registry (URL)"), **given}
        return found | self._login(given, "registry_username", "registry_password", "The registry's API key")

    def engine(self, given: Values) -> Values:
        if given["engine"] == EngineName.FLINK:
            names = {"flink_url": "Flink's JobManager (URL)", "flink_gateway_url": "Flink's SQL Gateway (URL)"}
            return {**{name: given.get(name) or self._text(question) for name, question in names.items()}, **given}
        found = {"ksqldb_url": given.get("ksqldb_url") or self._text("ksqlDB (URL)"), **given}
        return found | self._login(given, "ksqldb_username", "ksqldb_password", "ksqlDB's API key")

    def _login(self, given: Values, username: str, password: str, what: str) -> Values:
        """Name and secret; nothing where none is needed."""
        name = given.get(username) or self._text(f"{what} (Enter: none is needed)", default="")
        if not name:
            return {}
        return {username: name, password: given.get(password) or Secret(self._text("Its secret (not shown)", hide=True))}

    def _text(self, question: str, *, default: str | None = None, hide: bool = False) -> str:
        return str(typer.prompt(question, default=default, show_default=False, hide_input=hide)).strip()


def check_cluster(streaming: Streaming) -> str:
    """
    Raises:
        OutsideError: the brokers do not answer, or refuse the key.
    """
    with admin_client(streaming, "asking for its name") as admin:
        found = admin.describe_cluster(request_timeout=ADMIN_SECONDS).result(ADMIN_SECONDS * 2)
        return f"Kafka answers: cluster {found.cluster_id}, brokers: {len(found.nodes)}."


def check_registry(streaming: Streaming) -> str:
    """
    Raises:
        OutsideError: the registry does not answer, or refuses the key.
    """
    with registry_errors("listing its subjects", streaming), closing(registry_client(streaming)) as client:
        return f"The Schema Registry answers; it holds {len(client.get_subjects())} subjects."


def check_engine(streaming: Streaming) -> str:
    """
    Raises:
        OutsideError: a server does not answer, or refuses the key.
    """
    return run(_check_engine(streaming))


async def _check_engine(streaming: Streaming) -> str:
    if streaming.engine == "flink":
        found = await _info("Flink's JobManager", "flink_url", streaming.flink_url, "/config")
        await _info("Flink's SQL Gateway", "flink_gateway_url", streaming.flink_gateway_url, "/v1/info")
        return f"Flink {found.get('flink-version', '')} and its SQL Gateway answer."
    login = None
    if streaming.ksqldb_username is not None and streaming.ksqldb_password is not None:
        login = (streaming.ksqldb_username, streaming.ksqldb_password.reveal())
    found = await _info("ksqlDB", "ksqldb_url", streaming.ksqldb_url, "/info", login)
    return f"ksqlDB {found.get('KsqlServerInfo', {}).get('version', '')} answers."


async def _info(name: str, setting: str, url: str | None, path: str, login: tuple[str, str] | None = None) -> Mapping[str, Any]:
    assert url is not None  # an engine without its address was refused before
    async with Rest(name, url, login, setting=f"streaming.{setting}") as rest:
        answer = await rest.call("GET", path)
        if not answer.ok or not isinstance(answer.body, dict):
            raise rest.stranger(answer)
        return answer.body
