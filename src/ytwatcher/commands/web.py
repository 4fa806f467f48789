"""`ytwatcher web`: who may look at the site, and how."""

from __future__ import annotations

import typer

from ytwatcher.commands import web_password, web_token

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The site: a password, tokens for programs, links to share.",
    epilog="Example: ytwatcher web token add grafana",
)
app.add_typer(web_token.token_app, name="token")
app.add_typer(web_token.share_app, name="share")
app.command("password")(web_password.password)
