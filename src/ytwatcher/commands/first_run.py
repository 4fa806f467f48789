"""The first run on the page: what `ytwatcher init` does in the terminal, for somebody in front of a browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ytwatcher import config
from ytwatcher.commands import keys
from ytwatcher.commands.context import Context
from ytwatcher.commands.init import check_key, kept_in
from ytwatcher.commands.signals import on_stop
from ytwatcher.commands.words import machine_zone
from ytwatcher.errors import InputError
from ytwatcher.secret import Secret
from ytwatcher.telegram.setup import BotSetup, TelegramError, find_chats
from ytwatcher.web.first_run import Found, Steps, ask
from ytwatcher.youtube.faults import YouTubeError


async def first_run(here: Context, path: Path, listener: socket.socket) -> bool:
    """Serve the page until both keys are stored in the configuration file; False: a signal ended it before."""
    stop = asyncio.Event()
    on_stop(stop.set)
    work = _Work(here, path)
    operator = here.settings.telegram.operator if here.settings.telegram.bot_token is not None else None
    return await ask(
        here.settings, here.clock, Steps(work.check_key, work.check_token, work.find_chats, work.store), listener, stop, operator
    )


@dataclass(frozen=True, slots=True)
class _Work:
    here: Context
    path: Path

    async def check_key(self, key: Secret) -> str | None:
        try:
            return await check_key(self.here.settings.youtube, key)
        except YouTubeError as error:
            raise InputError(f"YouTube: {keys.meaning(error)}.") from None

    async def check_token(self, token: Secret) -> str:
        async with self._bot(token) as bot:
            return (await bot.get_me()).username

    async def find_chats(self, token: Secret) -> Sequence[Found]:
        async with self._bot(token) as bot:
            host = (await bot.webhook_info()).host
            if host is not None:
                raise InputError(
                    f"What people write to this bot goes to a webhook at {host}, so it cannot be read here. Make a new bot for YT Watcher,"
                    " or remove the webhook with `ytwatcher init`."
                )
            try:
                chats = find_chats(await bot.updates(0, 0))
            except TelegramError as error:
                if error.reason != "conflict":
                    raise
                raise InputError("Another program fetches this bot's messages. Stop it, or make a new bot for YT Watcher.") from None
        return [Found(chat.address, chat.described) for chat in chats]

    async def store(self, key: Secret, token: Secret | None, address: str) -> str:
        kept, watches = kept_in(self.path)
        values: dict[str, str | int | float | Secret] = {**kept, "youtube.api_key": key}
        if token is not None:
            values |= {"telegram.bot_token": token, "telegram.operator": address, "telegram.timezone": machine_zone()}
        await asyncio.to_thread(config.write_config, self.path, values, watches, overwrite=True)
        return str(self.path.absolute())

    def _bot(self, token: Secret) -> BotSetup:
        return BotSetup(self.here.settings.telegram.base_url, token.reveal())
