"""`ytwatcher init`: from two keys to a configuration file and a message in the right chat."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from ytwatcher import config
from ytwatcher.commands import keys
from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import machine_zone
from ytwatcher.core.addresses import check_address
from ytwatcher.errors import ConfigError, InputError, OutsideError, YTWatcherError
from ytwatcher.secret import Secret
from ytwatcher.settings import SECTIONS, TABLES, Settings, Youtube
from ytwatcher.store import outbox_list
from ytwatcher.telegram.setup import BotSetup, Chat, TelegramError, find_chats
from ytwatcher.youtube.client import YouTubeClient
from ytwatcher.youtube.faults import YouTubeError

NAME_IT = "name the chat: --chat telegram:CHAT"
PATIENCE, POLL = 300.0, 25
"""Seconds: for how long a message to the bot is waited for, and in turns of how many."""
WHERE_YOUTUBE = f"""\
[bold]1. YouTube.[/bold] An API key lets you read public numbers; it is free. At {keys.CREDENTIALS}
make a project, enable the “YouTube Data API v3” in it, then “Create credentials”, “API key”."""
WHERE_TELEGRAM = """\
[bold]2. Telegram.[/bold] A bot tells you what changed. In Telegram, write /newbot to https://t.me/BotFather
and copy the token that it answers with."""

T = TypeVar("T")

app = typer.Typer(add_completion=False)
KeyFile = Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Read the API key from here instead of asking.")]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Read the bot token from here instead of asking.")]
ChatOption = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The chat: telegram:CHAT or telegram:CHAT:TOPIC.")]


@dataclass(frozen=True, slots=True)
class Setup:
    """What every step needs: where the services are, where to say things, and whether somebody is there to answer."""

    settings: Settings
    out: Console
    asks: bool

    def say(self, text: str, style: str = "") -> None:
        """Text that may hold a stranger's words."""
        self.out.print(Text(text, style))

    def confirm(self, question: str) -> bool:
        return not self.asks or typer.confirm(question, default=True)

    def bot(self, token: Secret, call: Callable[[BotSetup], Awaitable[T]]) -> T:
        """One call of the Bot API. Questions are asked between such calls: in a running loop Ctrl-C would not end them."""

        async def ask() -> T:
            async with BotSetup(self.settings.telegram.base_url, token.reveal()) as api:
                return await call(api)

        return run(ask())


@app.command(epilog="Example: ytwatcher init, or ytwatcher --config FILE init --youtube-key-file KEY --telegram-token-file TOKEN --yes")
def init(
    ctx: typer.Context,
    youtube_key_file: KeyFile = None,
    telegram_token_file: TokenFile = None,
    chat: ChatOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take the only chat, remove a webhook that is in the way.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write the file anew if it is there; its other settings are kept.")] = False,
) -> None:
    """Set up: ask for the two keys, check them, find your chat, write the configuration.

    Either key may be skipped with Enter: without a bot, messages go to the
    terminal. Nothing is written before the end. The file can be read by
    you alone, and no key is ever shown.
    """
    call = ctx.find_root().obj
    path: Path = call.config or Path(config.FILE_NAME)
    if chat is not None:
        check_address(chat)
    if path.exists() and not force:
        raise ConfigError([f"{path}: is there already, and nothing was changed; --force writes it anew and keeps its other settings"])
    setup = Setup(_addresses(path, call.data), Console(highlight=False), asks=not yes)
    values = _collect(setup, read_secret(youtube_key_file), read_secret(telegram_token_file), chat)
    kept, watches = kept_in(path)
    config.write_config(path, {**kept, **values}, watches, overwrite=force)
    setup.say(f"\nWritten: {path.absolute()} (only you can read it)", "green")
    call.config = path
    _finish(context(ctx, quiet=True), setup)


def read_secret(file: Path | None) -> Secret | None:
    """What the file holds; None where none is named.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({type(error).__name__})") from None
    if not text:
        raise InputError(f"{file}: is empty")
    return Secret(text)


def _addresses(path: Path, data: Path | None) -> Settings:
    """The settings as they are without the keys: where the services are."""
    keyless = {name: value for name, value in os.environ.items() if "API_KEY" not in name and "BOT_TOKEN" not in name}
    return config.load(path if path.exists() else None, data, keyless)


def kept_in(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """The settings and the watches of the file that is written anew; it was read once already, so it is sound."""
    if not path.exists():
        return {}, []
    old = tomllib.loads(path.read_text(encoding="utf-8"))
    values = {f"{section}.{name}": value for section in (*SECTIONS, *TABLES) for name, value in old.get(section, {}).items()}
    return values, old.get("watch", [])


def _collect(setup: Setup, key: Secret | None, token: Secret | None, chat: str | None) -> dict[str, Any]:
    """Both keys and the chat, each checked."""
    values: dict[str, Any] = {}
    if setup.asks and key is None:
        setup.out.print(f"{WHERE_YOUTUBE}\n", soft_wrap=True)
    key = _youtube_key(setup, key)
    if key is not None:
        values["youtube.api_key"] = key
    if setup.asks and token is None:
        setup.out.print(f"\n{WHERE_TELEGRAM}\n", soft_wrap=True)
    token = _bot_token(setup, token)
    if token is not None:
        values |= {"telegram.bot_token": token, "telegram.operator": chat or _find_chat(setup, token), "telegram.timezone": machine_zone()}
    if not values:
        raise InputError("neither key was given, so there is nothing to write; ytwatcher demo shows everything without keys")
    return values


def _answers(setup: Setup, given: Secret | None, question: str) -> Iterator[Secret]:
    """The key that was given, or what the person types until they skip it."""
    if given is not None:
        yield given
    while given is None and setup.asks:
        text = str(typer.prompt(f"{question} (not shown; Enter skips)", default="", show_default=False, hide_input=True)).strip()
        if not text:
            return
        yield Secret(text)


def _youtube_key(setup: Setup, given: Secret | None) -> Secret | None:
    for key in _answers(setup, given, "YouTube API key"):
        try:
            remark = run(check_key(setup.settings.youtube, key))
        except YouTubeError as error:
            _refused(setup, given, f"YouTube: {keys.meaning(error)}.", passing=not error.permanent)
        except InputError as error:  # it cannot be a key at all
            _refused(setup, given, f"{error}.", passing=False)
        else:
            setup.say(f"✓ YouTube takes the key{f'; {remark}' if remark else ''}.", "green")
            return key
    return None


async def check_key(youtube: Youtube, key: Secret) -> str | None:
    """Ask YouTube whether it takes the key; what is to be remarked about one that is taken.

    Raises:
        YouTubeError: it is refused, or nobody answered.
        InputError: it cannot be a key at all.
    """
    async with YouTubeClient(youtube.base_url, key.reveal(), key_in=youtube.key_in) as client:
        return await keys.check_key(client)


def _bot_token(setup: Setup, given: Secret | None) -> Secret | None:
    for token in _answers(setup, given, "Telegram bot token"):
        try:
            bot = setup.bot(token, BotSetup.get_me)
        except TelegramError as error:
            _refused(setup, given, f"{error}.", passing=not error.permanent)
        else:
            setup.say(f"✓ The bot is @{bot.username} ({bot.name}).", "green")
            return token
    return None


def _refused(setup: Setup, given: Secret | None, text: str, *, passing: bool) -> None:
    """Say it, to ask again; of a key out of a file it is the end."""
    if given is not None:
        raise RefusedError(text, OutsideError.exit_code if passing else InputError.exit_code) from None
    setup.say(f"✗ {text}", "red")


class RefusedError(YTWatcherError):
    """A key that was given is not taken (2), or could not be checked (5)."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def _find_chat(setup: Setup, token: Secret) -> str:
    """Wait until somebody writes to the bot, and ask whether that is the chat.

    Raises:
        InputError: nobody wrote, or a webhook stays in the way.
    """
    bot = setup.bot(token, BotSetup.get_me)
    _clear_the_way(setup, token)
    setup.say(f"\nNow write something to your bot: {bot.link}")
    setup.say(f"For a group or a topic: add @{bot.username} there, and write /start@{bot.username} in it.")
    err, ends_at, offset = Console(stderr=True), time.monotonic() + PATIENCE, 0
    while time.monotonic() < ends_at:
        with err.status("Waiting for a message to the bot … (Ctrl-C ends)") if err.is_terminal else nullcontext():
            updates = setup.bot(token, partial(_updates, offset=offset))
        offset = max([offset, *(update["update_id"] + 1 for update in updates if isinstance(update.get("update_id"), int))])
        chats = find_chats(updates)
        if not setup.asks and len(chats) > 1:
            raise InputError(f"several chats have written to the bot ({', '.join(chat.address for chat in chats)}); {NAME_IT}")
        for chat in reversed(chats):
            if _is_it(setup, chat):
                setup.bot(token, partial(_updates, offset=offset, seconds=0))  # what was read here is done with
                return chat.address
    raise InputError(f"nobody has written to the bot; try again, or {NAME_IT}")


async def _updates(api: BotSetup, offset: int, seconds: int = POLL) -> list[Mapping[str, Any]]:
    try:
        return await api.updates(offset, seconds)
    except TelegramError as error:
        if error.reason != "conflict":
            raise
        raise InputError(
            "another program fetches this bot's messages (409 Conflict). Stop it (another YT Watcher, or another bot with the same token)"
            f" and try again, or {NAME_IT}"
        ) from None


def _is_it(setup: Setup, chat: Chat) -> bool:
    said = f", who wrote “{chat.said}”" if chat.said and chat.kind == "private" else ""
    setup.say(f"✓ Found: {chat.described}{said} – {chat.address}", "green")
    return setup.confirm("Shall messages go there?")


def _clear_the_way(setup: Setup, token: Secret) -> None:
    """A bot with a webhook hands its messages to somebody else; they cannot be fetched as long as it is set."""
    webhook = setup.bot(token, BotSetup.webhook_info)
    if webhook.host is None:
        return
    setup.say(
        f"This bot sends what people write to it to a webhook at {webhook.host}, so it cannot be read here. If another program uses this"
        " bot, make a new bot for YT Watcher instead.",
        "yellow",
    )
    if not setup.confirm("Remove the webhook?"):
        raise InputError(f"the webhook stays, so your chat cannot be found; take another bot, or {NAME_IT}")
    setup.bot(token, BotSetup.delete_webhook)
    setup.say("✓ The webhook is removed.", "green")


def _finish(here: Context, setup: Setup) -> None:
    """A test message through the real path, and what comes next. Where the message is not there, it ends with that error's code."""
    settings, there = here.settings, True
    if settings.telegram.bot_token is not None:
        there = _test(here, setup, settings.telegram.operator)
        setup.say(f"  Times in messages are those of {settings.telegram.timezone}; telegram.timezone changes that.")
    else:
        setup.say("No bot: messages will be printed in the terminal.")
    if settings.youtube.api_key is None:
        setup.say("No API key: nothing can be read yet. ytwatcher init --force asks again.", "yellow")
    setup.say(
        "\nNext:\n  ytwatcher add LINK     watch a video, playlist or channel\n  ytwatcher run          watch and tell, until stopped"
    )
    if not there:
        raise typer.Exit(OutsideError.exit_code)


def _test(here: Context, setup: Setup, address: str) -> bool:
    try:
        alert_id = here.ask("outbox test", recipient=address)["alert"]
    except YTWatcherError as error:
        setup.say(f"✗ The test message was not sent: {error}. A process that runs already knows the new keys after a restart.", "red")
        return False
    with here.journal() as con:
        state, reason = outbox_list.fate(con, alert_id)
    if state == "sent":
        setup.say(f"✓ A test message is in {address}.", "green")
    else:
        setup.say(f"✗ The test message is {state}{f': {reason}' if reason else ''}. ytwatcher outbox list shows more.", "red")
    return state == "sent"
