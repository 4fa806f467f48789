"""`ytwatcher status`: is it running, and is all well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher import __version__
from ytwatcher.commands.context import Context, context
from ytwatcher.commands.words import age, counted, iso, local
from ytwatcher.condition import Status, look, needs
from ytwatcher.core.cleaning import clean

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher status || echo 'YT Watcher needs a hand'")
def status(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Is it running, and is all well.

    Ends with 0 when all is well and with 1 when something needs a hand,
    which is then named, with what to do.
    """
    here = context(ctx)
    running, now = here.runs(), here.clock.now()
    with here.journal() as con:
        found = look(con, here.settings, running, now)
    hands = list(needs(found, here.settings))
    if as_json:
        here.print_json(as_values(found, hands))
    else:
        _print(here, found, hands)
    if hands:
        raise typer.Exit(1)


def as_values(found: Status, hands: Sequence[str]) -> dict[str, Any]:
    """For programs."""
    return {
        "version": __version__,
        "running": found.running,
        "needs_a_hand": list(hands),
        "targets": len(found.targets),
        "videos": found.videos,
        "channels": found.channels,
        "readings_since": iso(found.since_at),
        "last_read_at": iso(found.read_at),
        "unsettled": found.unsettled._asdict(),
        "outbox": found.outbox,
        "unsent_since": iso(found.unsent.since_at) if found.unsent else None,
        "buckets": {one.bucket: {"used": one.total, "limit": one.limit, "closed_at": iso(one.closed_at)} for one in found.buckets},
        "recipients_away": {one.recipient.address: {"state": one.state, "reason": one.reason} for one in found.away},
        "notices": [{"at": iso(notice.at), "text": notice.text} for notice in found.notices],
    }


def _print(here: Context, found: Status, hands: Sequence[str]) -> None:
    here.out.print(Text("Running." if found.running else "Not running.", "green" if found.running or not found.targets else "red"))
    here.out.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _rows(found):
        table.add_row(Text(name, "cyan"), Text(value))
    here.out.print(table)
    if not found.targets:
        here.out.print("\nNothing is watched yet: ytwatcher add LINK")
    if hands:
        here.out.print("\n[bold]Needs a hand[/bold]")
        _list(here, [("•", text) for text in hands], "yellow")
    if found.notices:
        here.out.print("\n[bold]The operator was told[/bold]")
        _list(here, [(age(notice.at, found.now), clean(notice.text, 500)) for notice in found.notices], "cyan")


def _list(here: Context, lines: Sequence[tuple[str, str]], style: str) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for mark, text in lines:
        table.add_row(Text(mark, style, no_wrap=True), Text(text))
    here.out.print(table)


def _rows(found: Status) -> Iterator[tuple[str, str]]:
    channels = f", {counted(found.channels, 'channel')}" if found.channels else ""
    yield "watched", f"{counted(len(found.targets), 'target')}: {counted(found.videos, 'video')}{channels}"
    yield "last read", f"{age(found.read_at, found.now)} ({local(found.read_at)})" if found.read_at else "not yet"
    yield "readings", f"since {local(found.since_at)}" if found.since_at else "none yet"
    waiting, missing, vanished = found.unsettled
    if waiting or missing or vanished:
        yield "unsettled", f"{waiting:,} with a value that waits for a second reading, {missing:,} missing, {vanished:,} vanished"
    counts = [f"{found.outbox.get(state, 0):,} {state}" for state in ("waiting", "held")]
    counts += [f"{count:,} {state}" for state, count in found.outbox.items() if state not in ("waiting", "held")]
    yield "outbox", ", ".join(counts)
    for one in found.buckets:
        closed = f", closed by YouTube until {local(one.day.end_at)}" if one.closed_at else ""
        yield f"quota, {one.bucket}", f"{one.total:,} of {one.limit:,} units used today{closed}"
