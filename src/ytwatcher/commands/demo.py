"""`ytwatcher demo`: all of it against the bundled simulator."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from ytwatcher.app import App, open_app
from ytwatcher.clock import SystemClock
from ytwatcher.commands.context import run
from ytwatcher.commands.signals import on_stop
from ytwatcher.commands.story import Story
from ytwatcher.commands.words import machine_zone
from ytwatcher.errors import InputError
from ytwatcher.log import Redactor, configure
from ytwatcher.secret import Secret
from ytwatcher.settings import Data, Log, Poll, Settings, Storage, Streaming, Telegram, Web, Youtube
from ytwatcher.simulator import serve
from ytwatcher.simulator.demo import DemoWorld, build
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.simulator.youtube import API_KEY
from ytwatcher.web.port import USUAL, listen_here, url_of

SPEED = 60.0
LOOK_EVERY, SUM_UP_EVERY = 0.2, 15.0
"""Real seconds."""

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher demo --minutes 2")
def demo(
    speed: Annotated[float, typer.Option(min=1, max=600, help="Simulated seconds in a real one.")] = SPEED,
    minutes: Annotated[float | None, typer.Option(min=0, help="End after so many real minutes.", show_default="at Ctrl-C")] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65534, help="Serve the simulated YouTube here and Telegram one port above.", show_default="free ones")
    ] = 0,
) -> None:
    """See all of it against the bundled simulator, without keys.

    A simulated YouTube and a simulated Telegram on this machine, the real
    program between them, and a world in which a lot happens within
    minutes; its pages show it in a browser. Needs no configuration and leaves nothing behind.
    """
    play(speed, minutes, port)


def play(speed: float, minutes: float | None, port: int) -> None:
    """Run the demo in the terminal. The story names every trouble itself, so the log says only what it does not expect."""
    configure("error", "console", Redactor())
    run(_play(Console(highlight=False), speed, minutes, port))


async def _play(console: Console, speed: float, minutes: float | None, port: int) -> None:
    clock = SystemClock(speed, datetime.now(UTC))
    world = build(clock.now)
    zone = ZoneInfo(machine_zone())
    stop = asyncio.Event()
    on_stop(stop.set)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ytwatcher-demo-"))
        youtube, telegram = await _serve(stack, world, port)
        settings = _settings(Path(folder), world, youtube, telegram, zone)
        # Nobody else knows the folder, so nobody's requests are looked for.
        app = await stack.enter_async_context(open_app(settings, clock, look_every=None))
        app.listener = stack.enter_context(listen_here())
        console.print(f"Pages: {url_of(app.listener)}\n", markup=False, soft_wrap=True)
        story = Story(console, world, clock, zone)
        story.begin(speed)
        await _add_all(app, world, story)
        ends_at = None if minutes is None else time.monotonic() + minutes * 60
        async with asyncio.TaskGroup() as group:
            group.create_task(app.run())
            await _tell(story, stop, ends_at)
            app.stop()
        story.look()
        story.end()


async def _serve(stack: AsyncExitStack, world: DemoWorld, port: int) -> tuple[str, str]:
    try:
        youtube = await stack.enter_async_context(serve(world.youtube.app, port))
        return youtube, await stack.enter_async_context(serve(world.telegram.app, port + 1 if port else 0))
    except OSError as error:
        raise InputError(f"port {port} or {port + 1} cannot be used: {error.strerror}; name another one with --port") from None


def _settings(folder: Path, world: DemoWorld, youtube: str, telegram: str, zone: ZoneInfo) -> Settings:
    return Settings(
        Data.model_validate({"dir": str(folder)}),
        Youtube(api_key=Secret(API_KEY), base_url=f"{youtube}/youtube/v3"),
        Telegram(bot_token=Secret(BOT_TOKEN), base_url=telegram, operator=f"telegram:{world.chat_id}", timezone=zone.key),
        Poll(),
        Storage(),
        Streaming(),
        Log(),
        None,
        (),
        web=Web(listen=USUAL, thumbnail_url="off"),
    )


async def _add_all(app: App, world: DemoWorld, story: Story) -> None:
    for target, rules in world.suggested:
        story.added(target, await app.perform("add", {"text": target, "rules": list(rules), "to": None}))
    story.started()


async def _tell(story: Story, stop: asyncio.Event, ends_at: float | None) -> None:
    """Look at the doubles five times a second, until it is time to stop."""
    sum_up_at = time.monotonic() + SUM_UP_EVERY
    while not stop.is_set() and (ends_at is None or time.monotonic() < ends_at):
        try:
            await asyncio.wait_for(stop.wait(), LOOK_EVERY)
        except TimeoutError:
            story.look()
        if time.monotonic() >= sum_up_at:
            story.sum_up()
            sum_up_at += SUM_UP_EVERY
