"""`ytwatcher remove`: stop watching something."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ytwatcher.commands.context import context
from ytwatcher.commands.finding import require_key_for
from ytwatcher.commands.words import title
from ytwatcher.core.addresses import check_address

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher remove https://youtu.be/jNQXAC9IVRw")
def remove(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="What is watched: its link, id, @handle or exact title.")],
    address: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="Who was told; the operator where it is left out.")
    ] = None,
) -> None:
    """Stop watching something.

    Its rules end. What nobody watches any longer loses its readings; the highest number told is kept, so that adding it again tells
    nothing twice.
    """
    if address is not None:
        check_address(address)
    here = context(ctx, quiet=True)
    with here.journal() as con:
        require_key_for(here.settings, con, target)
    removed = here.ask("remove", target=target, to=address)
    told = address or here.settings.telegram.operator
    here.out.print(Text(f"Not watched any longer: {title(removed['title'], removed['id']).plain} ({removed['kind']}) → {told}"))
