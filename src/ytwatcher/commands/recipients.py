"""`ytwatcher recipients`: who is told, and how."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.words import counted, iso, local
from ytwatcher.core.addresses import check_address
from ytwatcher.core.durations import parse_duration
from ytwatcher.core.policy import Recipient, digest_text, parse_digest, parse_quiet, quiet_text
from ytwatcher.errors import InputError
from ytwatcher.setting_types import check_language, check_timezone
from ytwatcher.store import recipients
from ytwatcher.store.recipients import Stored

OFF = "off"
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Who is told: language, time zone, quiet hours, digest, mute.",
    epilog="Example: ytwatcher recipients set telegram:123456789 --timezone Europe/Berlin --quiet 23:00-07:30",
)


@app.command(name="list", epilog="Example: ytwatcher recipients list --json")
def list_(ctx: typer.Context, output_json: Json = False) -> None:
    """Everybody who is told something."""
    here = context(ctx, quiet=True)
    with here.journal() as con:
        found = recipients.everyone(con)
    now = here.clock.now()
    if output_json:
        here.print_json([_json(one, now) for one in found])
    elif not found:
        here.out.print("Nobody is told anything yet. Begin with: ytwatcher add LINK --to ADDRESS")
    else:
        _print(here, found, now)


@app.command(name="set", epilog="Example: ytwatcher recipients set console --language de --timezone Europe/Berlin --quiet 23:00-07:30")
def set_(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="console, telegram:CHAT or telegram:CHAT:TOPIC.")],
    language: Annotated[str | None, typer.Option(metavar="LANGUAGE", help="How numbers and times are written: en, de, pt_BR.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="The clock of its messages: Europe/Berlin.")] = None,
    quiet: Annotated[str | None, typer.Option(metavar="HOURS", help="Alerts are held in these hours: 23:00-07:30.")] = None,
    no_quiet: Annotated[bool, typer.Option("--no-quiet", help="No quiet hours.")] = False,
    digest: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Alerts come together: “daily 09:00”, “weekly mon 09:00”, or off.")
    ] = None,
    mute: Annotated[str | None, typer.Option(metavar="DURATION", help="Alerts are suppressed for so long: 8h.")] = None,
    unmute: Annotated[bool, typer.Option("--unmute", help="Alerts are sent again.")] = False,
    output_json: Json = False,
) -> None:
    """Say how somebody is told; what is not named stays as it is."""
    check_address(address)
    _check_pairs(quiet, mute, no_quiet=no_quiet, unmute=unmute)
    here = context(ctx, quiet=True)
    now = here.clock.now()
    changes = _changes(now, language, timezone, quiet, mute)
    changes |= {"quiet": None} if no_quiet else {}
    changes |= {"muted_until": None} if unmute else {}
    changes |= {"digest": None if digest.lower() == OFF else parse_digest(digest)} if digest is not None else {}
    with here.writing() as connection:
        stored = _save(connection, here, address, changes)
    if here.runs():
        here.ask("poke")  # what was held may leave now
    if output_json:
        here.print_json(_json(stored, now))
    else:
        _print(here, [stored], now)


@app.command(epilog="Example: ytwatcher recipients remove telegram:123456789")
def remove(
    ctx: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Who is told nothing any more, as `ytwatcher recipients list` shows it.")
    ],
) -> None:
    """Forget somebody who watches nothing; what is open for them is dropped."""
    here = context(ctx, quiet=True)
    with here.writing() as connection:
        dropped = _remove(connection, here, address)
    open_ones = [counted(n, noun) for n, noun in zip(dropped, ("message", "alert"), strict=True) if n]
    said = f"; {' and '.join(open_ones)} for it dropped" if open_ones else ""
    here.out.print(Text(f"Removed: {address}{said}"))


def _remove(con: sqlite3.Connection, here: Context, address: str) -> recipients.Dropped:
    """Forget the recipient.

    Raises:
        InputError: there is none of this address, it watches something, or it is the operator.
    """
    operator, found = here.settings.telegram.operator, recipients.find(con, address)
    if found is None:
        raise InputError(f"{address} is told nothing; `ytwatcher recipients list` shows who is")
    if found.recipient.address == recipients.current(con, operator):
        raise InputError(
            f"{address} is the operator, who is told about the service itself; telegram.operator in the configuration names another"
        )
    if watched := recipients.watches_of(con, found.pk):
        raise InputError(f"{address} has {counted(watched, 'watch', 'watches')}; end them first: ytwatcher remove TARGET --from {address}")
    return recipients.remove(con, found.pk)


def _check_pairs(quiet: str | None, mute: str | None, *, no_quiet: bool, unmute: bool) -> None:
    for name, value, negation, negated in (("--quiet", quiet, "--no-quiet", no_quiet), ("--mute", mute, "--unmute", unmute)):
        if value is not None and negated:
            raise InputError(f"{name} and {negation} contradict each other")


def _changes(now: datetime, language: str | None, timezone: str | None, quiet: str | None, mute: str | None) -> dict[str, Any]:
    """The parts of a `Recipient` that shall be others.

    Raises:
        InputError: one of them is not right.
    """
    changes: dict[str, Any] = {}
    try:
        if language is not None:
            changes["language"] = check_language(language)
        if timezone is not None:
            changes["timezone"] = check_timezone(timezone)
        if mute is not None:
            changes["muted_until"] = now + parse_duration(mute)
    except ValueError as error:
        raise InputError(str(error)) from error
    if quiet is not None:
        changes["quiet"] = parse_quiet(quiet)
    return changes


def _save(con: sqlite3.Connection, here: Context, address: str, changes: dict[str, Any]) -> Stored:
    telegram = here.settings.telegram
    pk = recipients.ensure(con, address, language=telegram.language, timezone=telegram.timezone)
    if changes:
        recipients.save_preferences(con, pk, replace(recipients.load(con, pk).recipient, **changes))
    return recipients.load(con, pk)


def _json(one: Stored, now: datetime) -> dict[str, Any]:
    recipient = one.recipient
    return {
        "address": recipient.address,
        "state": one.state,
        "reason": one.reason,
        "language": recipient.language,
        "timezone": recipient.timezone,
        "quiet": quiet_text(recipient.quiet) if recipient.quiet else None,
        "digest": digest_text(recipient.digest) if recipient.digest else None,
        "muted_until": iso(_muted(recipient, now)),
    }


def _muted(recipient: Recipient, now: datetime) -> datetime | None:
    return recipient.muted_until if recipient.muted_until is not None and recipient.muted_until > now else None


def _print(here: Context, found: list[Stored], now: datetime) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("recipient", "language", "time zone", "quiet hours", "digest", "state"):
        table.add_column(column)
    for one in found:
        recipient, muted = one.recipient, _muted(one.recipient, now)
        state = f"{one.state}: {one.reason}" if one.reason else one.state
        state += f", muted until {local(muted)}" if muted else ""
        quiet = quiet_text(recipient.quiet) if recipient.quiet else "none"
        digest = digest_text(recipient.digest) if recipient.digest else "none"
        table.add_row(recipient.address, recipient.language, recipient.timezone, quiet, digest, Text(state))
    here.out.print(table)
