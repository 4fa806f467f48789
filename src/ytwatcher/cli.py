"""The command line: which commands there are, and how every one of them ends."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ytwatcher import __version__
from ytwatcher.errors import DamageError, StorageError, YTWatcherError

COMMANDS = {
    "init": "Set up: ask for the two keys, check them, find your chat, write the configuration",
    "run": "Watch and tell, until stopped",
    "demo": "See all of it against the bundled simulator, without keys",
    "add": "Watch a video, playlist or channel",
    "remove": "Stop watching something",
    "list": "What is watched, with today's numbers",
    "rules": "List, add or remove rules; each is explained back",
    "rehearse": "What a rule would have sent on the stored history",
    "now": "The numbers as they are now",
    "history": "The recorded readings of a video or channel",
    "chart": "A picture of how the numbers of a video went",
    "replay": "Run recorded readings through the same pipeline",
    "export": "Write readings or watches to a file",
    "import": "Take readings or watches from a file",
    "outbox": "Messages: waiting, dead, again, dropped, a test",
    "recipients": "Who is told: language, time zone, quiet hours, digest, mute",
    "invite": "A link that lets one person or group talk with the bot",
    "log": "Who changed what with the bot, for a year",
    "quota": "What the day's quota is spent on, and what is left",
    "status": "Is it running, and is all well",
    "backup": "Copy the journal while it is in use, and check the copy",
    "restore": "Put a backup in the journal's place",
    "web": "The site: a password, tokens for programs, links to share",
    "stream": "Kafka: deploy and watch an engine, look at the topics",
    "doctor": "Check keys, clock, database and both services",
    "check-config": "Check the configuration and show what is in force",
}


class LazyGroup(TyperGroup):
    """Imports a command's module only when it is called: help and a typing mistake should not wait for HTTP and SQL."""

    # The types of Typer's own copy of Click cannot be named.
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            command = typer.main.get_command(import_module(f"ytwatcher.commands.{name.replace('-', '_')}").app)
        return name, command, rest


@dataclass
class Call:
    """One call of the program: the options before the command, and what it came to know: secrets, and where backups are."""

    config: Path | None = None
    data: Path | None = None
    secrets: set[str] = field(default_factory=set)
    backups: Path | None = None


GARBAGE = 20_000
"""Objects after which cycles are looked for. Python's 700 would have it look through all that is being loaded, over and over."""

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Watches YouTube videos, playlists and channels and tells people on Telegram what changed.",
    epilog="Begin with `ytwatcher demo`, or go live with `ytwatcher init` and `ytwatcher run`.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ytwatcher {__version__}")  # noqa: T201 - what was asked for
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The configuration file.", show_default="ytwatcher.toml", dir_okay=False)] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of the journal.", file_okay=False, readable=False)] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    ctx.obj.config, ctx.obj.data = config, data


def main() -> None:
    """Run a command. It ends with 0, with its error's exit code, or with 130 after Ctrl-C; a person sees one sentence, no traceback."""
    call = Call()
    gc.set_threshold(GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another
    try:
        try:
            app(obj=call)
        finally:
            if sys.stdout is not None:  # it is where it was closed before
                sys.stdout.flush()  # what cannot be written is an error of ours now, not one at the interpreter's end
    except BrokenPipeError:
        _end_output()
        sys.exit(141)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - the edge of the program
        known = _known(error)
        if isinstance(error, OSError) and error.filename is None:
            _end_output()
        if known is not None:
            _end(_text(known, call), known.exit_code)
        _unexpected(error, call.secrets)


def _end_output() -> None:
    """What is still to be written goes nowhere: the interpreter would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _text(error: YTWatcherError, call: Call) -> str:
    """A journal that cannot be used any more is no end: there may be a backup."""
    if not isinstance(error, DamageError) or call.backups is None:
        return str(error)
    advice: str = import_module("ytwatcher.backups").advice(call.backups)
    return f"{error}\n{advice}"


def _known(error: BaseException) -> YTWatcherError | None:
    """What a person is told in a sentence: an error of ours, also where it ended a group of loops, or a file that the system refuses."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for found in map(_known, error.exceptions) if found is not None), None)
    if isinstance(error, OSError) and error.filename is not None:
        return StorageError(f"{error.filename}: {error.strerror}; YT Watcher's user has to be able to use it")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
        return StorageError(f"the output cannot be written: {error.strerror}")
    return error if isinstance(error, YTWatcherError) else None


def _unexpected(error: BaseException, secrets: set[str]) -> None:
    """A fault of the program itself: the traceback goes to a file that only its owner can read, without secrets."""
    redact = import_module("ytwatcher.log").Redactor(secrets)
    file, path = tempfile.mkstemp(prefix="ytwatcher-fault-", suffix=".txt")
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(redact("".join(traceback.format_exception(error))))
    _end(f"a fault in YT Watcher itself ({type(error).__name__}); {path} has the details for a report", 70)


def _end(text: str, code: int) -> None:
    for line in text.splitlines() or [""]:
        print(f"ytwatcher: {line}", file=sys.stderr)  # noqa: T201 - how every command ends
    sys.exit(code)
