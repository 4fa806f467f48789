"""`ytwatcher run`: watch and tell, until stopped."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from ytwatcher import log
from ytwatcher.app import journal_path, open_app, require_key
from ytwatcher.commands.context import Context, context
from ytwatcher.commands.context import run as run_to_its_end
from ytwatcher.commands.signals import on_hangup, on_stop
from ytwatcher.config import FILE_NAME
from ytwatcher.core.model import SubjectKind
from ytwatcher.store import subjects, watches
from ytwatcher.store.db import Lease
from ytwatcher.telegram.setup import BotSetup, TelegramError
from ytwatcher.web import port

ASK_FOR_LEASE = timedelta(seconds=1)
BOT_PATIENCE = timedelta(seconds=5)

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher --config /etc/ytwatcher.toml run")
def run(
    ctx: typer.Context,
    demo_without_keys: Annotated[
        bool, typer.Option("--demo-without-keys", help="Without any key: run the demo instead. Its page is served on this machine, too.")
    ] = False,
) -> None:
    """Watch and tell, until stopped.

    Reads what is watched and sends what there is to tell. Ctrl-C (or
    SIGTERM) ends it after the work in hand; a second one ends it at once.
    While another process works on the same journal it waits, and takes
    over when that one ends.
    """
    here = context(ctx, to_file=True)
    youtube, telegram = here.settings.youtube, here.settings.telegram
    if demo_without_keys and youtube.api_key is None and telegram.bot_token is None:
        here.err.print("No keys are configured, so this is the demo. To go live: ytwatcher init\n", highlight=False, soft_wrap=True)
        from ytwatcher.commands import demo  # the simulator and its servers are not needed otherwise

        demo.play(demo.SPEED, None, 0)
        return
    listener = None
    if here.settings.youtube.api_key is None and here.settings.web.listen is not None:
        listener = _say_where(here, port.listen(here.settings.web.listen))
        from ytwatcher.commands.first_run import first_run  # needed once

        path = here.settings.file or ctx.find_root().obj.config or Path(FILE_NAME)
        if not run_to_its_end(first_run(here, path, listener)):
            return
        ctx.find_root().obj.config = path
        here = context(ctx, to_file=True)
    require_key(here.settings)
    if demo_without_keys and here.settings.web.listen is None:
        listener = _say_where(here, port.listen_here())
    run_to_its_end(watch(here, listener))


async def watch(here: Context, listener: socket.socket | None = None) -> None:
    """Wait for the lease, then run everything until a signal says stop; `listener`: the port of the pages, where it is taken already."""
    stop = asyncio.Event()
    on_stop(stop.set)
    if here.settings.log.file is not None:
        on_hangup(log.reopen)
    lease = Lease(journal_path(here.settings))
    if not await _wait_for(lease, here, stop):
        return
    listener = listener or _listen(here)
    try:
        async with open_app(here.settings, here.clock) as app:
            app.listener = listener
            bot = await _name_of_bot(here)
            here.err.print(await app.db.read(_greeting, bot), highlight=False, markup=False, soft_wrap=True)
            if stop.is_set():
                return
            on_stop(app.stop)
            await app.run()
    finally:
        if listener is not None:
            listener.close()
        lease.release()


def _listen(here: Context) -> socket.socket | None:
    """Take the port of the pages before anything begins: a person is told at once where they are, or why they cannot be."""
    if here.settings.web.listen is None:
        return None
    return _say_where(here, port.listen(here.settings.web.listen))


def _say_where(here: Context, listener: socket.socket) -> socket.socket:
    url = here.settings.web.public_url or port.url_of(listener)
    here.err.print(f"Pages: {url}", highlight=False, markup=False, soft_wrap=True)
    return listener


async def _wait_for(lease: Lease, here: Context, stop: asyncio.Event) -> bool:
    """Whether the lease is ours; False when the wait for it was ended by a signal."""
    if lease.take():
        return True
    here.err.print(
        "Another process works on this journal; waiting to take over when it ends. Ctrl-C stops.", highlight=False, soft_wrap=True
    )
    while not stop.is_set():
        await here.clock.wait(here.clock.now() + ASK_FOR_LEASE, stop)
        if lease.take():
            return True
    return False


async def _name_of_bot(here: Context) -> str | None:
    """Ask once who the bot is, and say so when its token is refused. Telegram being away is no reason not to start."""
    token = here.settings.telegram.bot_token
    if token is None:
        return None
    async with BotSetup(here.settings.telegram.base_url, token.reveal(), timeout=BOT_PATIENCE) as bot:
        try:
            return (await bot.get_me()).username
        except TelegramError as error:
            what = "ytwatcher init --force takes a new token" if error.permanent else "it is tried again all the time"
            here.err.print(f"{error}. Readings go on, messages wait; {what}.", highlight=False, markup=False, soft_wrap=True)
            return None


def _greeting(con: sqlite3.Connection, bot: str | None) -> str:
    targets = len(watches.targets(con))
    if not targets:
        return "Nothing is watched yet. In another terminal: ytwatcher add LINK. Ctrl-C stops."
    videos = subjects.counted(con, SubjectKind.VIDEO)
    everyone = list(dict.fromkeys(address for _, address in watches.watches(con)))
    more = f" and {len(everyone) - 3:,} more" if len(everyone) > 3 else ""
    by = f" by @{bot}" if bot else ""
    what = f"{targets:,} {'target' if targets == 1 else 'targets'} with {videos:,} {'video' if videos == 1 else 'videos'}"
    return f"Watching {what}; messages go to {', '.join(everyone[:3])}{more}{by}. Ctrl-C stops."
