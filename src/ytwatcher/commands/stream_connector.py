"""`ytwatcher stream connector`: Kafka Connect's HTTP Sink, which delivers instead of us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import counted
from ytwatcher.errors import InputError
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror
from ytwatcher.streaming import topics
from ytwatcher.streaming.connect import EVERYWHERE, LIMITS, TOKEN_REFERENCE, Flavour, Status, changes, configuration, open_connect
from ytwatcher.streaming.groups import delivering
from ytwatcher.streaming.handover import hand_over

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Kafka Connect's HTTP Sink: deliver alerts as the tutorial does.",
    epilog="Example: ytwatcher stream connector deploy --flavour camel --dry-run",
)


@app.command(epilog="Example: ytwatcher stream connector deploy --flavour camel --dry-run")
def deploy(
    ctx: typer.Context,
    flavour: Annotated[Flavour, typer.Option("--flavour", help="Which HTTP Sink is installed on the worker.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the configuration and the limits, and do nothing.")] = False,
    token_ref: Annotated[
        str, typer.Option("--token-ref", metavar="REFERENCE", help="How the worker finds the bot's token.")
    ] = TOKEN_REFERENCE,
    added: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Add a key, or set one otherwise.")] = None,
) -> None:
    """Make the connector, or change it, and wait until it runs.

    Needs streaming.delivery = "connect". A new one begins where our own
    delivery ended. It lists what the connector cannot
    do, and the rules that stay with our own delivery.
    """
    here = context(ctx, quiet=True)
    streaming = here.settings.streaming
    config = configuration(streaming, flavour, here.settings.telegram.base_url, token=token_ref, more=_pairs(added or ()))
    if dry_run:
        here.out.file.write(json.dumps(config, indent=2) + "\n")
    else:
        if streaming.delivery != "connect":
            raise InputError(
                'streaming.delivery is "ours": with a connector beside it every alert is told twice. Set it to "connect" first'
            )
        changed = run(_deploy(streaming, config))
        here.out.print(Text(f"It runs; {counted(changed, 'key')} changed." if changed else "All is there, nothing was to be done."))
    _print_limits(here, flavour)
    _print_staying(here)


@app.command(epilog="Example: ytwatcher stream connector status --json")
def status(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Does the connector run.

    Ends with 1 when it does not.
    """
    here = context(ctx, quiet=True)
    found = run(_status(here.settings.streaming))
    if as_json:
        here.print_json(asdict(found) if found else None)
    elif found is None:
        here.out.print("There is no connector.")
    else:
        _print_part(here, "connector", found.state, found.fault)
        for task in found.tasks:
            _print_part(here, f"task {task.number}", task.state, task.fault)
    if found is None or not found.runs:
        raise typer.Exit(1)


@app.command(epilog="Example: ytwatcher stream connector restart")
def restart(ctx: typer.Context) -> None:
    """Start it anew with its tasks, and wait until they run."""
    here = context(ctx, quiet=True)
    run(_restart(here.settings.streaming))
    here.out.print("It runs.")


@app.command(epilog="Example: ytwatcher stream connector remove")
def remove(ctx: typer.Context) -> None:
    """End the connector; the topics stay.

    Our own delivery, once streaming.delivery is "ours" again, begins where it ended.
    """
    here = context(ctx, quiet=True)
    here.out.print("It is gone." if run(_remove(here.settings.streaming)) else "There is no connector.")


async def _deploy(streaming: Streaming, config: dict[str, str]) -> int:
    """How many keys were not as they shall be. A new connector begins where our own delivery ended."""
    async with open_connect(streaming) as connect:
        current = await connect.current()
        changed = changes(current, config)
        if changed:
            await connect.check(config)
            await asyncio.to_thread(topics.ensure, streaming)
            if current is None:
                ours, connects = delivering(streaming)
                await asyncio.to_thread(hand_over, streaming, ours, connects)
            await connect.deploy(config)
    return len(changed)


async def _status(streaming: Streaming) -> Status | None:
    async with open_connect(streaming) as connect:
        return await connect.status()


async def _restart(streaming: Streaming) -> None:
    async with open_connect(streaming) as connect:
        await connect.restart()


async def _remove(streaming: Streaming) -> bool:
    """Whether there was one. Our own delivery will begin where it ended."""
    async with open_connect(streaming) as connect:
        removed = await connect.remove()
    if removed:
        ours, connects = delivering(streaming)
        await asyncio.to_thread(hand_over, streaming, connects, ours)
    return removed


def _pairs(added: Sequence[str]) -> dict[str, str]:
    unclear = [one.partition("=")[0] for one in added if "=" not in one]
    if unclear:
        raise InputError(f"--set {unclear[0]}: write KEY=VALUE")
    return {key: value for key, _, value in (one.partition("=") for one in added)}


def _print_limits(here: Context, flavour: Flavour) -> None:
    here.err.print(Text(f"What to know of Connect's delivery ({flavour}):"))
    for line in (*LIMITS[flavour], *EVERYWHERE):
        here.err.print(Text(f"  - {line}", "dim"))


def _print_staying(here: Context) -> None:
    with here.journal() as journal:
        found = mirror.staying(journal, connect=True)
    here.err.print(Text("Rules that stay with our own judge and delivery:" if found else "Every rule can go this way."))
    for rule in found:
        here.err.print(Text.assemble((f"  {rule.id}  ", "cyan"), f"{rule.line} for {rule.address}: {rule.why}"))


def _print_part(here: Context, what: str, state: str, fault: str) -> None:
    colour = "green" if state == "RUNNING" else "red"
    here.out.print(Text.assemble((f"{what}  ", "cyan"), (state.lower(), colour), f"  {fault}" if fault else ""))
