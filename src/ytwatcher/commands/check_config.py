"""`ytwatcher check-config`: check the configuration and show what is in force."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ytwatcher.app import open_services
from ytwatcher.commands.context import context
from ytwatcher.setting_keys import shown

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher --config ytwatcher.toml check-config")
def check_config(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check the configuration and show what is in force.

    Names every fault at once, by its key, and ends with 2 where there is
    one. Secrets are shown as ***.
    """
    here = context(ctx)
    settings = here.settings
    values = shown(settings)
    open_services(settings)
    if as_json:
        here.print_json({"file": str(settings.file) if settings.file else None, "values": values, "warnings": settings.warnings})
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in values.items():
        table.add_row(Text(key, "cyan"), Text(value, "dim" if value == "not set" else "", overflow="fold"))
    read_from = (
        f"Read from {settings.file} and the environment" if settings.file else "No file was found; these are the environment and defaults"
    )
    here.out.print(Text(f"{read_from}. Nothing is wrong with it.\n"))
    here.out.print(table)
    for kind, source in settings.templates.items():
        templates = import_module("ytwatcher.core.templates")
        example = templates.preview(kind, templates.compile_template(kind, source))
        here.out.print(Text(f"\nAn example of templates.{kind}:"))
        here.out.print(Padding(Text(example), (0, 0, 0, 2), expand=False))
