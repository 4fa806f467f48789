"""`ytwatcher restore`: put a backup in the journal's place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ytwatcher import backups
from ytwatcher.app import journal_place
from ytwatcher.commands.backup import as_values, summary
from ytwatcher.commands.context import context
from ytwatcher.store.db import Lease

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher restore ~/.local/share/ytwatcher/backups/ytwatcher-20261124T030000Z.db")
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup, as `ytwatcher backup` wrote it.")],
    moved: Annotated[
        bool, typer.Option("--moved", help="Nothing was read or told since the backup was made: rules go on where they stood.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Put a backup in the journal's place.

    The backup is checked first. What was in its place stays beside it under another name. Refused while another process works on the
    journal. Without --moved every rule begins anew with the next reading, so that what was told since the backup is not told again.
    """
    here = context(ctx, quiet=True)
    journal = journal_place(here.settings)
    backups.check(file)
    lease = Lease(journal)
    lease.take_or_refuse()
    try:
        restored = backups.restore(journal, file, here.clock.now(), moved=moved)
    finally:
        lease.release()
    if as_json:
        aside = None if restored.aside is None else str(restored.aside)
        here.print_json({"file": str(file), "replaced": aside, "moved": moved, **as_values(restored.contents)})
        return
    here.out.print(Text(f"Restored: {file}\n{summary(restored.contents)}"), soft_wrap=True)
    if restored.aside is not None:
        here.out.print(Text(f"What was there before is kept: {restored.aside}"), soft_wrap=True)
    here.out.print(
        "Rules go on where they stood." if moved else "Every rule begins anew with the next reading; nothing from before is told.",
        soft_wrap=True,
    )
