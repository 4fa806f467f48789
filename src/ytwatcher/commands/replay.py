"""`ytwatcher replay`: recorded readings through the same pipeline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ytwatcher import replay as replaying
from ytwatcher.app import journal_path, open_delivery
from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import counted
from ytwatcher.core.addresses import CONSOLE, check_address
from ytwatcher.core.model import Reading
from ytwatcher.core.policy import Recipient
from ytwatcher.core.reasons import NOBODY_READS
from ytwatcher.core.render import Limits
from ytwatcher.errors import InputError, OutsideError
from ytwatcher.notify.slots import scheme_of
from ytwatcher.recorded import Refused
from ytwatcher.replay import Replayed
from ytwatcher.store.db import Lease

DEFAULT_RULE = "views milestones"
REFUSED_SHOWN = 10
SLOWEST = 1.0
WITHOUT_LIMITS = Limits(units=10**9, raw_bytes=10**9, fold_over=None)
"""On a console every alert is a line: nothing has to fit."""

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher replay readings.csv.gz --rule 'views milestones' --rule 'likes change' --json")
def replay(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines (.jsonl), also gzipped.")],
    rule: Annotated[list[str] | None, typer.Option(metavar="LINE", help="A rule to judge; may be given several times.")] = None,
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="console, telegram:CHAT or telegram:CHAT:TOPIC.")] = CONSOLE,
    speed: Annotated[float | None, typer.Option(metavar="N", help="Recorded seconds per second; without it as fast as it goes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each alert.")] = False,
) -> None:
    """Run recorded readings through the same pipeline.

    The file is judged from its first row on, in a journal of its own. What was told of it before is not told again.
    """
    here = context(ctx, quiet=True)
    if not rule:
        here.err.print(f"No --rule was given, so it is “{DEFAULT_RULE}”.", highlight=False)
    lines = rule or [DEFAULT_RULE]
    replaying.check_rules(lines)
    check_address(to)
    if speed is not None and not SLOWEST <= speed <= 1e12:
        raise InputError(f"--speed {speed:g}: recorded seconds per second are at least 1; leave it out for as fast as it goes")
    journal = journal_path(here.settings).with_name(replaying.JOURNAL)
    readings, refused = replaying.load(file)
    lease = Lease(journal)
    lease.take_or_refuse()
    try:
        result = run(_replay(here, journal, readings, file.name, lines, to, speed, as_json=as_json))
    finally:
        lease.release()
    _report(here, result, refused)


async def _replay(
    here: Context,
    journal: Path,
    readings: Sequence[Reading],
    name: str,
    lines: Sequence[str],
    to: str,
    speed: float | None,
    *,
    as_json: bool,
) -> Replayed:
    settings = here.settings
    limits = WITHOUT_LIMITS if to == CONSOLE else None
    async with open_delivery(settings, here.clock, journal, sys.stdout, as_json=as_json, limits=limits) as (db, dispatcher, senders):
        if scheme_of(to) not in senders:
            raise InputError(f"{to}: telegram.bot_token is not set; `ytwatcher init` asks for it")
        recipient = Recipient(to, language=settings.telegram.language, timezone=settings.telegram.timezone)
        with _progress(here, len(readings), speed) as progress:
            return await replaying.replay(db, dispatcher, here.clock, readings, name, lines, recipient, speed=speed, progress=progress)


@contextmanager
def _progress(here: Context, total: int, speed: float | None) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal; not where alerts scroll by on it meanwhile."""
    if not here.err.is_terminal or (speed is not None and here.out.is_terminal):
        yield lambda done: None
        return
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=here.err, transient=True) as bar:
        task = bar.add_task("rows", total=total)

        def show(done: int) -> None:
            bar.update(task, completed=done)
            if done == total:
                bar.stop()  # from here on the terminal is the messages'

        yield show


def _report(here: Context, result: Replayed, refused: Sequence[Refused]) -> None:
    """What became of the rows and the alerts; on standard error, for standard output holds the alerts.

    Raises:
        OutsideError: not all of it could be sent.
        BrokenPipeError: nobody reads the console any more.
    """
    rows = [f"{counted(result.accepted, 'row')} judged", f"{result.late:,} late or duplicate"]
    rows += [f"{result.future:,} in the future"] if result.future else []
    rows += [f"{len(refused):,} refused"] if refused else []
    here.err.print(", ".join(rows), highlight=False)
    for row in refused[:REFUSED_SHOWN]:
        here.err.print(f"  row {row.row}: {row.reason}", highlight=False, markup=False)
    if len(refused) > REFUSED_SHOWN:
        here.err.print(f"  and {counted(len(refused) - REFUSED_SHOWN, 'more row')}", highlight=False)
    new = "new alert" if result.alerts == 1 else "new alerts"
    here.err.print(f"{result.alerts:,} {new}, {counted(result.messages, 'message')} sent", highlight=False)
    for reason, count in result.unsent.items():
        here.err.print(f"  {counted(count, 'alert')} not sent: {reason}", highlight=False, markup=False)
    if result.failure == NOBODY_READS:
        raise BrokenPipeError
    if result.failure is not None:
        raise OutsideError(f"not everything was delivered: {result.failure}; the same replay again sends it", reason="undelivered")
