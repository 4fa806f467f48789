"""`ytwatcher import`: take readings or watches from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TextColumn
from rich.text import Text

from ytwatcher import moving, watch_files
from ytwatcher.app import journal_path, require_key
from ytwatcher.commands.context import Context, context
from ytwatcher.commands.words import counted, local, title
from ytwatcher.errors import InputError, LeaseError, YTWatcherError
from ytwatcher.moving import Imported, Part
from ytwatcher.recorded import Refused
from ytwatcher.store.db import Lease, open_as_holder
from ytwatcher.watch_files import Wanted

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Take readings or watches from a file.",
    epilog="Examples: ytwatcher import watches watches.csv · ytwatcher import readings readings.csv.gz",
)
FileArgument = Annotated[Path, typer.Argument(help="CSV or JSON lines (.jsonl), as `ytwatcher export` writes them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@app.command(epilog="Example: ytwatcher import readings readings.csv.gz --dry-run")
def readings(ctx: typer.Context, file: FileArgument, dry_run: DryRun = False) -> None:
    """Take readings of what is watched from a file.

    Older ones than the newest that is there are history: they are shown, and the numbers reached in them are not told again. Newer ones
    count as read. Neither makes alerts; what is there already stays as it is. The file may also be one that `ytwatcher replay` takes. With
    rows that are refused it ends with 1; the others are taken. Not beside `ytwatcher run`: stop that for it.
    """
    here = context(ctx, quiet=True)
    path = journal_path(here.settings)
    lease = Lease(path)
    if not lease.take():
        raise LeaseError(f"{path}: another YT Watcher process works on this journal; stop it, import, and start it again")
    try:
        with closing(open_as_holder(path)) as con, _progress(here) as progress:
            result = moving.import_file(
                con, path, file, here.clock.now(), lambda row: _refused(here, row), dry_run=dry_run, progress=progress
            )
    finally:
        lease.release()
    _report(here, result, dry_run=dry_run)


def _refused(here: Context, one: Refused) -> None:
    here.err.print(f"row {one.row}: {one.reason}", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress(here: Context) -> Iterator[Callable[[int], None]]:
    if not here.err.is_terminal:
        yield lambda done: None
        return
    with Progress(TextColumn("{task.completed:,.0f} readings"), console=here.err, transient=True) as bar:
        task = bar.add_task("readings", total=None)
        yield lambda done: bar.update(task, completed=done)


def _report(here: Context, result: Imported, *, dry_run: bool) -> None:
    parts = result.parts
    counts = [f"{counted(parts[Part.HISTORY], 'reading')} of history", f"{parts[Part.STATE]:,} newer than what was known"]
    counts += [f"{parts[Part.DUPLICATE]:,} there already", f"{result.refused:,} {'row' if result.refused == 1 else 'rows'} refused"]
    here.out.print(Text(f"{'Would be taken' if dry_run else 'Taken'}: {', '.join(counts)}"), soft_wrap=True)
    retention = here.settings.storage.retention
    if result.oldest_at is not None and result.oldest_at < here.clock.now() - retention:
        here.err.print(
            f"The oldest is of {local(result.oldest_at)}: what is older than storage.retention ({retention.days} days) is deleted again"
            " within a day; the numbers reached in it stay reached.",
            highlight=False,
            soft_wrap=True,
        )
    if result.refused:
        raise typer.Exit(1)


@app.command(epilog="Example: ytwatcher import watches watches.csv --dry-run")
def watches(ctx: typer.Context, file: FileArgument, dry_run: DryRun = False) -> None:
    """Make the watches and rules of a file that are not there yet.

    Only `target` is needed; a row without a rule asks for the usual ones, one without `to` for the operator. Each is looked up like one
    that is added by hand, and rules begin when they are made. Says of each what was done; with rows that are refused it ends with 1.
    """
    here = context(ctx, quiet=True)
    if not dry_run:
        require_key(here.settings)
    refused = 0
    for one in watch_files.read_watches(file, here.settings.telegram.operator):
        if isinstance(one, Refused):
            _refused(here, one)
            refused += 1
            continue
        try:
            here.out.print(Text(f"row {one.row}: {_make(here, one, dry_run=dry_run)}"), soft_wrap=True)
        except YTWatcherError as error:
            if error.exit_code > InputError.exit_code:  # not the row's fault: the next one would fare no better
                here.err.print(f"Stopped at row {one.row}; the same import again goes on there.", highlight=False)
                raise
            for line in str(error).splitlines():
                _refused(here, Refused(one.row, line))
            refused += 1
    if refused:
        raise typer.Exit(1)


def _make(here: Context, wanted: Wanted, *, dry_run: bool) -> str:
    """Make what is missing of a watch, and say what that was."""
    telegram = here.settings.telegram
    with here.writing() as con:
        missing = watch_files.missing(con, wanted)
        if missing != [] and not dry_run:
            watch_files.prepare_recipient(con, wanted, telegram.language, telegram.timezone)
    what = f"{wanted.target} → {wanted.to}"
    if missing == []:
        return f"{what}: is there already"
    lines = wanted.lines if missing is None else missing
    said = ", ".join(f"“{line}”" for line in lines) or "the usual rules"
    if dry_run:
        return f"{what}: would be watched, {said}" if missing is None else f"{what}: would get {said}"
    added = here.ask("add", text=wanted.target, rules=lines, to=wanted.to)
    refused = [f"; “{rule['rule']}” is refused, {rule['refused']}" for rule in added["rules"] if rule["refused"]]
    begun = "watched now" if added["new"] else "has more rules now"
    return f"{title(added['title'], added['id']).plain} → {added['to']}: {begun}, {said}{''.join(refused)}"
