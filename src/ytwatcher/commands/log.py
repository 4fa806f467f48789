"""`ytwatcher log`: who changed what."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import context
from ytwatcher.commands.words import iso, local
from ytwatcher.store import access

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher log --last 20")
def log(
    ctx: typer.Context,
    last: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="How many changes, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Who changed what with the bot, for a year."""
    here = context(ctx, quiet=True)
    with here.journal() as con:
        found = access.changes(con, last)
    if as_json:
        values = [{**one._asdict(), "at": iso(one.at)} for one in found]
        here.print_json(values)
        return
    if not found:
        here.out.print("Nobody has changed anything with the bot yet.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("when", "who", "chat", "what"):
        table.add_column(column)
    for one in found:
        who = f"{one.user_name} ({one.user_id})" if one.user_id else one.user_name
        table.add_row(local(one.at), Text(who), Text(one.address), Text(one.what))
    here.out.print(table)
