"""`ytwatcher stream vectors`: the situations that every judge must find the same alerts in, judged by a server of yours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from secrets import token_hex
from typing import Annotated, Literal

import typer
from rich.text import Text

from ytwatcher import config
from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import counted
from ytwatcher.core.cleaning import clean
from ytwatcher.core.durations import parse_duration
from ytwatcher.errors import InputError
from ytwatcher.setting_keys import variable
from ytwatcher.settings import Streaming
from ytwatcher.streaming.vectors.bench import Bench
from ytwatcher.streaming.vectors.cases import Case, Found
from ytwatcher.streaming.vectors.drive import Result, all_cases, compare, judge
from ytwatcher.streaming.way import open_engine

Engine = Literal["flink", "ksqldb"]
LONGEST_TEXT = 300
MOST_ALERTS = 5


def vectors(
    ctx: typer.Context,
    engine: Annotated[Engine, typer.Option("--engine", help="Which engine judges.")],
    url: Annotated[str, typer.Option("--url", help="ksqlDB's server, or Flink's SQL Gateway.", show_default="the configured one")] = "",
    jobmanager: Annotated[str, typer.Option("--jobmanager", help="Flink's JobManager.", show_default="the configured one")] = "",
    bootstrap: Annotated[str, typer.Option("--bootstrap", help="The brokers.", show_default="the configured ones")] = "",
    registry: Annotated[str, typer.Option("--registry", help="The Schema Registry.", show_default="the configured one")] = "",
    partitions: Annotated[int, typer.Option("--partitions", min=1, help="Of each topic.")] = 1,
    timeout: Annotated[str, typer.Option("--timeout", metavar="SPAN", help="How long the engine may take for a step.")] = "2m",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Let a server judge the vectors, and compare its alerts with the embedded judge's.

    Topics, schemas, statements and jobs are made under a prefix of their
    own and taken away again. Ends with 1 when an alert differs.
    """
    here = context(ctx, quiet=True)
    named = {
        "engine": engine,
        "flink_gateway_url" if engine == "flink" else "ksqldb_url": url,
        "flink_url": jobmanager,
        "bootstrap": bootstrap,
        "registry_url": registry,
        "partitions": str(partitions),
        "prefix": f"vectors_{token_hex(4)}_",
    }
    streaming = _settings(ctx, {name: value for name, value in named.items() if value})
    cases = all_cases()
    with Bench(streaming, patience(timeout)) as bench:
        late = run(_judged(bench, cases))
    results = compare(cases, bench.found())
    if as_json:
        shown = [{**asdict(result), "passed": result.passed} for result in results]
        here.print_json({"engine": engine, "partitions": partitions, "situations": shown, "late": late})
    else:
        _print(here, results, late)
    if late or not all(result.passed for result in results):
        raise typer.Exit(1)


def patience(text: str) -> float:
    """A --timeout, in seconds.

    Raises:
        InputError: it is no duration.
    """
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise InputError(f"--timeout {error}") from None


def _settings(ctx: typer.Context, named: dict[str, str]) -> Streaming:
    """The configured ones with what was named here in front of them; passwords and certificates are the configured ones.

    Raises:
        ConfigError: something is missing or does not fit.
    """
    call = ctx.find_root().obj
    env = {variable(f"streaming.{name}"): value for name, value in named.items()}
    return config.load(call.config, call.data, {**os.environ, **env}).streaming


async def _judged(bench: Bench, cases: Sequence[Case]) -> str:
    async with open_engine(bench.streaming) as engine:
        return await judge(bench, engine, cases)


def _print(here: Context, results: Sequence[Result], late: str) -> None:
    for result in results:
        word = Text("same     ", "green") if result.passed else Text("differs  ", "red")
        here.out.print(word + Text(result.name))
        for sign, alerts in (("missing", result.missing), ("surplus", result.surplus)):
            for one in alerts[:MOST_ALERTS]:
                here.out.print(Text(f"    {sign}  {_words(one)}", "dim"), soft_wrap=True)
            if len(alerts) > MOST_ALERTS:
                here.out.print(Text(f"    {sign}  and {len(alerts) - MOST_ALERTS} more", "dim"))
    if late:
        here.out.print(Text(f"Not all was judged: {clean(late, LONGEST_TEXT)}", "red"))
    different = sum(not result.passed for result in results)
    here.out.print(f"{counted(len(results), 'situation')}, {different} with a difference.")


def _words(one: Found) -> str:
    return f"{one.alert_id} to {one.chat_id}, {one.previous} to {one.current}: {clean(one.text, LONGEST_TEXT)}"
