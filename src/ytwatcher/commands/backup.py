"""`ytwatcher backup`: copy the journal while it is in use, and check the copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ytwatcher import backups
from ytwatcher.app import backup_folder, journal_path
from ytwatcher.commands.context import context
from ytwatcher.commands.output import check_output
from ytwatcher.commands.words import counted, iso, local
from ytwatcher.errors import InputError
from ytwatcher.store.snapshot import Contents

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher backup /mnt/usb/ytwatcher.db")
def backup(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to; without it a new file in the folder of backups.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Copy the journal while it is in use, and check the copy.

    A running `ytwatcher run` goes on meanwhile. The copy gets its name only after it was read again as a whole. In the folder of backups
    only the newest ones stay, as many as `backup.keep` says; a file that you name is never deleted.
    """
    here = context(ctx, quiet=True)
    journal, now = journal_path(here.settings), here.clock.now()
    if file is None:
        target = backups.make_and_keep(journal, backup_folder(here.settings), here.settings.backup.keep, now)
        found = backups.check(target)
    else:
        target = file
        check_output(here, target)
        if target.exists() and not force:
            raise InputError(f"{target}: is there already; --force replaces it")
        found = backups.make(journal, target)
    if as_json:
        here.print_json({"file": str(target), **as_values(found)})
        return
    here.out.print(Text(f"Written and checked: {target}\n{summary(found)}"), soft_wrap=True)


def summary(found: Contents) -> str:
    """What a journal's file holds, in one line."""
    rows = found.rows
    what = [counted(rows.get("watch", 0), "watch", "watches"), counted(rows.get("subject", 0), "subject")]
    what += [counted(rows.get("reading", 0), "row of readings", "rows of readings")]
    return f"{', '.join(what)}; the newest reading is {f'of {local(found.newest_at)}' if found.newest_at else 'not there yet'}"


def as_values(found: Contents) -> dict[str, Any]:
    return {"schema": found.schema, "rows": found.rows, "newest_at": iso(found.newest_at)}
