"""`ytwatcher invite`: a link that lets somebody talk with the bot."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ytwatcher.commands.context import Context, context, run
from ytwatcher.errors import ConfigError, InputError
from ytwatcher.people import INVITATION_FOR, new_invitation
from ytwatcher.store.access import Role
from ytwatcher.telegram.setup import Bot, BotSetup

app = typer.Typer(add_completion=False)
ROLES = (Role.USER, Role.MANAGER, Role.OWNER)


@app.command(epilog="Example: ytwatcher invite --role manager")
def invite(
    ctx: typer.Context,
    role: Annotated[str, typer.Option(metavar="ROLE", help="What they may do: user, manager or owner.")] = Role.USER,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """A link that lets one person or group talk with the bot.

    It works once, within 7 days. Only a hash of its code is stored, so that
    it cannot be shown again.
    """
    if role not in ROLES:
        raise InputError(f"“{role}” is not a role; write user, manager or owner")
    here = context(ctx, quiet=True)
    bot = run(_bot(here))
    with here.writing() as connection:
        code = new_invitation(connection, Role(role), None, here.clock.now())
    link, group = f"{bot.link}?start={code}", f"{bot.link}?startgroup={code}"
    if as_json:
        here.print_json({"role": role, "link": link, "group_link": group, "expires_at": (here.clock.now() + INVITATION_FOR).isoformat()})
        return
    here.out.print(Text(f"Lets one {role} in, once, within 7 days:\n{link}\nInto a group:\n{group}"), soft_wrap=True)


async def _bot(here: Context) -> Bot:
    telegram = here.settings.telegram
    if telegram.bot_token is None:
        raise ConfigError(["telegram.bot_token: is not set; `ytwatcher init` asks for it"])
    async with BotSetup(telegram.base_url, telegram.bot_token.reveal()) as setup:
        return await setup.get_me()
