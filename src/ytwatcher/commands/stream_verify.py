"""`ytwatcher stream verify`: a marked test reading through the whole pipeline, each stage timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.stream_vectors import patience
from ytwatcher.core.cleaning import clean
from ytwatcher.errors import InputError, OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming.verify import Stage, verify
from ytwatcher.streaming.way import open_engine

LONGEST_FAULT = 300


def verify_(
    ctx: typer.Context,
    timeout: Annotated[str, typer.Option("--timeout", metavar="SPAN", help="How long each stage may take.")] = "60s",
    to: Annotated[str, typer.Option("--to", metavar="CHAT", help="With Connect: the chat that is really told.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Send a marked test reading through the whole pipeline, and time each stage.

    Nobody is told, but for the chat of --to. Ends with 1 when it does not
    come through, and says at which stage.
    """
    here = context(ctx, quiet=True)
    streaming = here.settings.streaming
    _check(streaming, to)
    stages: list[Stage] = []
    try:
        for stage in verify(streaming, here.clock.now, patience(timeout), to):
            stages.append(stage)
            if not as_json:
                _print(here, stage)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    came = all(stage.seconds is not None for stage in stages)
    remark = _not_tried(streaming, to) if came else _why(here, streaming, stages[-1], timeout)
    if as_json:
        here.print_json({"came_through": came, "stages": [asdict(stage) for stage in stages], "remark": remark})
    elif remark:
        here.out.print(Text(clean(remark, LONGEST_FAULT), "dim" if came else "red"), soft_wrap=True)
    if not came:
        raise typer.Exit(1)


def _check(streaming: Streaming, to: str) -> None:
    """
    Raises:
        InputError: there is nothing to send to, or nobody would be told.
    """
    if streaming.bootstrap is None:
        raise InputError("streaming.bootstrap is not set; docs/streaming.md shows how to begin")
    if to and streaming.delivery != "connect":
        raise InputError("--to is for delivery by Connect: our own delivery knows the test and tells nobody")
    if to and not to.removeprefix("-").isdecimal():
        raise InputError("--to names a Telegram chat by its number, like --to -1001234567890")


def _print(here: Context, stage: Stage) -> None:
    time = Text("not seen", "red") if stage.seconds is None else Text(f"{stage.seconds:.2f} s", "green")
    here.out.print(Text.assemble((f"{stage.name:<18}", "cyan"), time))


def _not_tried(streaming: Streaming, to: str) -> str:
    """What a test that came through says nothing of."""
    if streaming.engine == "embedded":
        return "No engine is configured (streaming.engine): there is nothing behind yt_videos."
    if streaming.delivery == "connect" and not to:
        return "No alert was made, for Connect would send it: --to CHAT names a chat that may get a test message."
    return "Connect is done with it: see whether the chat has it. What Telegram refuses is in telegram_dlq." if to else ""


def _why(here: Context, streaming: Streaming, stage: Stage, timeout: str) -> str:
    """Where it stopped, and what is known about that."""
    known = ""
    if stage.name in ("yt_changes", "telegram_outbound"):
        known = run(_engine_fault(streaming))
    elif stage.name == "our delivery" and not here.runs():
        known = "`ytwatcher run` does not run here"
    elif stage.name == "Connect":
        known = "`ytwatcher stream connector status` says more; what Telegram refuses goes to telegram_dlq"
    return f"It did not come through {stage.name} within {timeout}{f': {known}' if known else ''}."


async def _engine_fault(streaming: Streaming) -> str:
    try:
        async with open_engine(streaming) as engine:
            parts: Sequence[str] = [f"{part.name}: {part.fault}" for part in await engine.status() if part.fault]
    except OutsideError as error:
        return str(error)
    return "; ".join(parts) or f"{streaming.engine} says that all of it runs"
