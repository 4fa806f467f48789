"""`ytwatcher web password`: the hash of a password, for the configuration."""

from __future__ import annotations

from typing import Annotated

import typer

from ytwatcher.errors import InputError
from ytwatcher.setting_types import SHORTEST_PASSWORD
from ytwatcher.web.sessions import hashed


def password(
    stdin: Annotated[bool, typer.Option("--stdin", help="Read it from standard input instead of asking.")] = False,
) -> None:
    """Print the hash of a password for `web.password`, so that the password itself stands nowhere.

    Example: ytwatcher web password
    """
    try:
        text = (
            typer.get_text_stream("stdin").readline()
            if stdin
            else typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        )
    except UnicodeDecodeError:
        raise InputError("the password is not text in UTF-8") from None
    wanted = str(text).rstrip("\n")
    if len(wanted) < SHORTEST_PASSWORD:
        raise InputError(f"the password is too short; take at least {SHORTEST_PASSWORD} characters")
    typer.echo(hashed(wanted))
