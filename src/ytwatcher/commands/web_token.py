"""`ytwatcher web token` and `ytwatcher web share`: what programs show to the API, and links that show something without login."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.finding import find_targets
from ytwatcher.commands.words import iso, local
from ytwatcher.core.addresses import check_address
from ytwatcher.errors import InputError
from ytwatcher.store import pages, recipients, tokens
from ytwatcher.store.tokens import Scope, Share, ShareKind

SECRET_BYTES = 32
PATHS = {ShareKind.WATCH: "share", ShareKind.FEED: "feed"}
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]

token_app = typer.Typer(add_completion=False, no_args_is_help=True, help="What programs show to the API.")
share_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Links that show something without login.")


@token_app.command(epilog="Example: ytwatcher web token add grafana --scope read")
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    scope: Annotated[Scope, typer.Option(help="What it may do: read; also write; also admin.")] = Scope.READ,
) -> None:
    """Make a token; it is shown once, and only its hash is stored."""
    if not name.isprintable() or not 0 < len(name.strip()) <= 60:
        raise InputError("the name of a token has 1 to 60 characters on one line")
    here = context(ctx, quiet=True)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with here.writing() as con:
        tokens.add_token(con, name.strip(), secret, scope, here.clock.now())
    here.err.print("Keep it: it is not shown again. Programs send it as “Authorization: Bearer TOKEN”.", highlight=False)
    here.out.print(Text(secret), soft_wrap=True)


@token_app.command(name="list", epilog="Example: ytwatcher web token list --json")
def list_(ctx: typer.Context, output_json: Json = False) -> None:
    """The tokens there are; what they are is nowhere."""
    here = context(ctx, quiet=True)
    with here.journal() as con:
        found = tokens.tokens(con)
    if output_json:
        here.print_json([{"name": one.name, "scope": one.scope, "made_at": iso(one.made_at)} for one in found])
    elif not found:
        here.out.print("There are no tokens. Make one with: ytwatcher web token add NAME")
    else:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("name", "scope", "made"):
            table.add_column(column)
        for one in found:
            table.add_row(Text(one.name), one.scope, local(one.made_at))
        here.out.print(table)


@token_app.command(epilog="Example: ytwatcher web token revoke grafana")
def revoke(
    ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="As `ytwatcher web token list` shows it.")]
) -> None:
    """End a token at once."""
    here = context(ctx, quiet=True)
    with here.writing() as con:
        if not tokens.revoke_token(con, name):
            raise InputError(f"there is no token “{name}”; `ytwatcher web token list` shows them")
    here.out.print(Text(f"Ended: {name}"))


@share_app.command(name="add", epilog="Example: ytwatcher web share add https://youtu.be/jNQXAC9IVRw")
def share_add(
    ctx: typer.Context,
    target: Annotated[str | None, typer.Argument(metavar="[TARGET]", help="A watched target: a page about it. Without it: a feed.")] = None,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Whose watch, or whose alerts; a feed without it has all.")] = None,
) -> None:
    """Make a link for a read-only page about a watch, or for a feed of alerts (Atom); it is shown once."""
    here = context(ctx, quiet=True)
    address = check_address(to) if to is not None else None
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with here.writing() as con:
        made = _share(con, here, target, address, secret)
    url = here.settings.web.public_url or _listened(here)
    here.err.print("Whoever has it may look, until you revoke it. It is not shown again.", highlight=False)
    here.out.print(Text(f"{url}/{PATHS[made.kind]}/{secret}"), soft_wrap=True)


def _listened(here: Context) -> str:
    return f"http://{here.settings.web.listen or '127.0.0.1:8470'}"


def _share(con: sqlite3.Connection, here: Context, target: str | None, address: str | None, secret: str) -> Share:
    if target is None:
        if address is not None and recipients.find(con, address) is None:
            raise InputError(f"{address} is told nothing; `ytwatcher recipients list` shows who is")
        return tokens.add_share(con, secret, None, address, here.clock.now())
    whose = recipients.current(con, address or here.settings.telegram.operator)
    found = find_targets(con, target)
    if not found or not pages.watches(con, 0, 1, whose, found[0].id):
        raise InputError(f"{whose} does not watch “{target}”; `ytwatcher list` shows what is watched")
    return tokens.add_share(con, secret, found[0].id, whose, here.clock.now())


@share_app.command(name="list", epilog="Example: ytwatcher web share list --json")
def share_list(ctx: typer.Context, output_json: Json = False) -> None:
    """The links there are; their secrets are nowhere."""
    here = context(ctx, quiet=True)
    with here.journal() as con:
        found = tokens.shares(con)
    if output_json:
        here.print_json(
            [{"id": one.pk, "kind": one.kind, "target": one.target_id, "to": one.address, "made_at": iso(one.made_at)} for one in found]
        )
    elif not found:
        here.out.print("There are no links. Make one with: ytwatcher web share add TARGET")
    else:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("id", "kind", "target", "recipient", "made"):
            table.add_column(column)
        for one in found:
            table.add_row(str(one.pk), one.kind, Text(one.target_id or "all"), Text(one.address or "everybody"), local(one.made_at))
        here.out.print(table)


@share_app.command(name="revoke", epilog="Example: ytwatcher web share revoke 3")
def share_revoke(
    ctx: typer.Context, number: Annotated[int, typer.Argument(min=1, metavar="ID", help="As `ytwatcher web share list` shows it.")]
) -> None:
    """End a link at once."""
    here = context(ctx, quiet=True)
    with here.writing() as con:
        if not tokens.revoke_share(con, number):
            raise InputError(f"there is no link {number}; `ytwatcher web share list` shows them")
    here.out.print(f"Ended: {number}")
