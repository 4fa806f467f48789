"""`ytwatcher stream`: the engine's statements and jobs, and a look at the topics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer
from rich.text import Text

from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import counted, iso, local
from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import VIDEO_METRICS
from ytwatcher.errors import InputError
from ytwatcher.settings import Streaming

try:
    from ytwatcher.commands import stream_connector, stream_init, stream_status, stream_vectors, stream_verify
    from ytwatcher.commands.stream_engine import (
        EngineName,
        EngineOption,
        FlavourOption,
        chosen,
        opened,
        streaming_of,
        time_of,
        wanted_on,
        with_engine,
    )
    from ytwatcher.streaming import schemas, topics
    from ytwatcher.streaming.engines.flink import FILE as FLINK_FILE
    from ytwatcher.streaming.engines.ksqldb import FILES as KSQLDB_FILES
    from ytwatcher.streaming.engines.plan import Action, Deployment, Flavour, Plan, Step, only, script, statements
    from ytwatcher.streaming.strangers import unread
    from ytwatcher.streaming.tail import Seen, tail
    from ytwatcher.streaming.upgrade import Ask, Engine, bring, end, skip
except ModuleNotFoundError as missing:
    raise InputError("the streaming way needs Kafka's client: pip install 'ytwatcher[kafka]'") from missing

LONGEST_TEXT = 200

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Kafka: deploy and watch an engine, look at the topics.",
    epilog="Example: ytwatcher stream deploy --engine flink --dry-run",
)
app.add_typer(stream_connector.app, name="connector")
app.command("verify", epilog="Example: ytwatcher stream verify --timeout 90s")(stream_verify.verify_)
app.command("vectors", epilog="Example: ytwatcher stream vectors --engine ksqldb --url http://ksqldb:8088")(stream_vectors.vectors)
app.command(epilog="Example: ytwatcher stream init --engine flink")(stream_init.init)
app.command(epilog="Example: ytwatcher stream status --json")(stream_status.status)


class TopicName(StrEnum):
    VIDEOS = "yt_videos"
    RULES = "yt_rules"
    CHANGES = "yt_changes"
    OUTBOUND = "telegram_outbound"


class Changed(StrEnum):
    VIEWS = "views"
    LIKES = "likes"
    FAVORITES = "favorites"
    COMMENTS = "comments"


ChatOption = Annotated[str, typer.Option("--chat-id", help="The chat that the tutorial's statements send to.", show_default=False)]
FromOption = Annotated[
    str,
    typer.Option(
        "--alerts-from",
        metavar="TIME",
        help="Readings before it make no alerts: now, all, or a time like 2026-11-24T12:00Z.",
        show_default="now, or where a replaced version ends",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command(epilog="Example: ytwatcher stream deploy --engine flink --dry-run")
def deploy(
    ctx: typer.Context,
    engine: EngineOption = None,
    dry_run: DryRun = False,
    alerts_from: FromOption = "",
    begin_with: Annotated[
        str, typer.Option(help="Flink: the savepoint or checkpoint whose state the job begins with.", show_default=False)
    ] = "",
    flavour: FlavourOption = Flavour.OWN,
    chat_id: ChatOption = "",
    skip_unreadable: Annotated[bool, typer.Option("--skip-unreadable", help="Flink: begin anew behind a record that it fails at.")] = False,
) -> None:
    """Bring the SQL to the engine; does nothing where all of it runs.

    Topics and schemas are made first. A running `ytwatcher run` publishes
    nothing meanwhile, and goes on afterwards. An older version is replaced
    when it has judged all that is published.
    """
    here = context(ctx, quiet=True)
    streaming, which = chosen(here, engine)
    if skip_unreadable:
        _skip(here, streaming, which, dry_run=dry_run)
        return
    wanted = wanted_on(streaming, which, flavour, chat_id, time_of(alerts_from or "now", here.clock.now()), begin_with)
    plan = run(with_engine(streaming, which, wanted, lambda found: found.plan()))
    things = prepared(streaming) if flavour is Flavour.OWN else ()  # the tutorial's statements make their topics themselves
    if not dry_run:
        run(_carry_out(here, streaming, which, wanted, plan, drain=not alerts_from))
    _print_plan(here, (*things, *plan), done=not dry_run)


@app.command(epilog="Example: ytwatcher stream sql --engine ksqldb")
def sql(
    ctx: typer.Context,
    engine: EngineOption = None,
    alerts_from: FromOption = "",
    flavour: FlavourOption = Flavour.OWN,
    chat_id: ChatOption = "",
) -> None:
    """The statements as they would run, to be read or run by hand."""
    here = context(ctx, quiet=True)
    streaming, which = chosen(here, engine)
    wanted = wanted_on(streaming, which, flavour, chat_id, time_of(alerts_from or "now", here.clock.now()))
    file = FLINK_FILE if which is EngineName.FLINK else KSQLDB_FILES[flavour]
    here.out.file.write(script(statements(file, wanted.values())))


@app.command(name="tail", epilog="Example: ytwatcher stream tail yt_changes --changed likes --limit 10")
def tail_(
    ctx: typer.Context,
    topic: Annotated[TopicName, typer.Argument(help="Which topic; a configured prefix is put in front.")],
    changed: Annotated[Changed | None, typer.Option(help="Of yt_changes, only rows where this number changed.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many records.", show_default="none")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest record.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Show a topic's records as they come, until Ctrl-C."""
    if changed is not None and topic is not TopicName.CHANGES:
        raise InputError("--changed is for yt_changes: only its rows know the number before")
    here = context(ctx, quiet=True)
    streaming = streaming_of(here)
    records = tail(streaming, streaming.prefix + topic, from_beginning=from_beginning)
    try:
        for record in islice((one for one in records if changed is None or has_changed(one, changed)), limit):
            _print_record(here, topic, record, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        records.close()


@app.command(epilog="Example: ytwatcher stream teardown --engine flink --dry-run")
def teardown(
    ctx: typer.Context,
    engine: EngineOption = None,
    dry_run: DryRun = False,
    now: Annotated[
        bool,
        typer.Option("--now", help="At once. What was not judged yet is judged only by a deploy with --alerts-from."),
    ] = False,
    flavour: FlavourOption = Flavour.OWN,
) -> None:
    """End what `deploy` made on the engine, and nothing else.

    The engine first judges all that is published, and the next `deploy` goes
    on from there. Topics stay, but for those that ksqlDB's own queries wrote
    and can write again.
    """
    here = context(ctx, quiet=True)
    streaming, which = chosen(here, engine)
    wanted = wanted_on(streaming, which, flavour, "0")
    if dry_run or now or flavour is Flavour.SEED:
        plan = run(with_engine(streaming, which, wanted, lambda found: _end_now(found, dry_run=dry_run)))
    else:
        plan = run(_end_judged(here, streaming, which, wanted))
    _print_plan(here, plan, done=not dry_run)


async def _end_now(found: Engine, *, dry_run: bool) -> Plan:
    plan = await found.plan(end=True)
    if not dry_run:
        await found.carry_out(plan)
    return plan


@app.command(epilog="Example: ytwatcher stream resend --since 2026-11-24T12:00Z")
def resend(
    ctx: typer.Context,
    since: Annotated[
        str,
        typer.Option("--since", metavar="TIME", help="From the first reading of this time or later on.", show_default="all that is kept"),
    ] = "all",
) -> None:
    """Publish readings again, in order, as far as the journal keeps them.

    For a consumer that lost what it had. An engine finds the same alerts again,
    and none is told twice by our own delivery; with Connect's they are.
    """
    here = context(ctx, quiet=True)
    streaming_of(here)
    since_at = time_of(since, here.clock.now())
    answer = here.ask("stream resend", since=iso(since_at))
    here.out.print(f"{counted(answer['readings'], 'reading')} will be published again.")


def has_changed(record: Seen, metric: str) -> bool:
    """Whether both numbers of a row are known and differ."""
    values = record.value or {}
    before, after = values.get(f"PREV_{metric.upper()}"), values.get(f"CURR_{metric.upper()}")
    return before is not None and after is not None and before != after


def prepared(streaming: Streaming) -> Plan:
    """The topics and schemas that a deployment needs, made or to be made."""
    there = (*topics.plan(streaming), *schemas.plan(streaming))
    return tuple(Step(Action.KEEP if is_there else Action.MAKE, what) for is_there, what in there)


async def _carry_out(here: Context, streaming: Streaming, which: EngineName, wanted: Deployment, plan: Plan, *, drain: bool) -> None:
    if wanted.flavour is Flavour.OWN and only(plan, Action.MAKE):
        report = await bring(streaming, which, lambda one: opened(streaming, which, one), wanted, _asking(here), drain=drain)
        for line in report.differences:
            here.err.print(Text(line, "yellow"))
    else:  # a copy too much, or a topic too few; or the tutorial's statements
        if wanted.flavour is Flavour.OWN:
            await asyncio.to_thread(topics.ensure, streaming)
            await asyncio.to_thread(schemas.ensure, streaming)
        await with_engine(streaming, which, wanted, lambda engine: engine.carry_out(plan))


def _skip(here: Context, streaming: Streaming, which: EngineName, *, dry_run: bool) -> None:
    """
    Raises:
        InputError: there is no such record, as far as we can see.
    """
    if which is not EngineName.FLINK:
        raise InputError("--skip-unreadable is for Flink; ksqlDB leaves out what it cannot read by itself")
    if not (found := unread(streaming).strangers):
        raise InputError("nothing is to be skipped: every record that the job has still to read is one of ours")
    if not dry_run:
        wanted = wanted_on(streaming, which, Flavour.OWN, "0")
        found = run(skip(streaming, lambda one: opened(streaming, which, one), wanted, _asking(here)))
    for one in found:
        here.out.print(Text.assemble(("to be skipped" if dry_run else "skipped", "yellow"), f"  {clean(one, LONGEST_TEXT)}"))


async def _end_judged(here: Context, streaming: Streaming, which: EngineName, wanted: Deployment) -> Plan:
    return await end(streaming, which, lambda one: opened(streaming, which, one), wanted, _asking(here))


def _asking(here: Context) -> Ask:
    async def ask(kind: str, **payload: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await asyncio.to_thread(here.ask, kind, **payload)
        return answer

    return ask


def _print_plan(here: Context, plan: Plan, *, done: bool) -> None:
    words = {Action.KEEP: "there already", Action.MAKE: "made" if done else "to be made", Action.END: "ended" if done else "to be ended"}
    colours = {Action.KEEP: "dim", Action.MAKE: "green", Action.END: "yellow"}
    for step in plan:
        here.out.print(Text.assemble((words[step.action], colours[step.action]), f"  {step.what}"))
    if not plan:
        here.out.print("There is nothing to end.")
    elif all(step.action is Action.KEEP for step in plan):
        here.out.print("All is there, nothing was to be done.")


def _print_record(here: Context, topic: TopicName, record: Seen, as_json: bool) -> None:
    if as_json:
        here.out.file.write(json.dumps({**asdict(record), "value": record.value}, ensure_ascii=False, default=_as_json) + "\n")
    else:
        words = clean(record.fault or f"{' '.join(_words(topic, dict(record.value or {})))}", LONGEST_TEXT)
        here.out.print(Text.assemble((f"{local(record.at)}  ", "dim"), (f"{clean(record.key)}  ", "cyan"), words), soft_wrap=True)
    here.out.file.flush()


def _as_json(value: object) -> str:
    return str(iso(value)) if isinstance(value, datetime) else str(value)


def _words(topic: TopicName, value: dict[str, Any]) -> Iterable[str]:
    """A record for a person: what is known of it."""
    match topic:
        case TopicName.OUTBOUND:
            yield str(value.get("text"))
        case TopicName.RULES:
            yield "; ".join(_rule(rule) for rule in value.get("RULES") or ()) or "no rules"
        case _:
            yield f"“{clean(value.get('TITLE') or '', 40)}”"
            yield ", ".join(f"{metric} {number}" for metric in VIDEO_METRICS if (number := _number(value, metric.upper())))


def _rule(rule: dict[str, Any]) -> str:
    number = f" {rule['N']}" if rule["KIND"] in ("every", "reach") else ""
    return f"{rule['METRIC']} {rule['KIND']}{number} for {rule['CHAT_ID']}{' (ended)' if rule['UNTIL'] is not None else ''}"


def _number(value: dict[str, Any], name: str) -> str:
    if name in value:
        return "" if value[name] is None else f"{value[name]:,}"
    before, after = (value.get(f"{part}_{name}") for part in ("PREV", "CURR"))
    return "" if after is None else f"{after:,}" if before in (None, after) else f"{before:,} -> {after:,}"
