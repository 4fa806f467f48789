"""`ytwatcher outbox`: messages that wait, are dead, shall be sent again or dropped, and a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import age, counted, iso, local
from ytwatcher.core.addresses import check_address
from ytwatcher.core.cleaning import clean
from ytwatcher.core.plain import plain_line
from ytwatcher.errors import OutsideError
from ytwatcher.store import outbox_list
from ytwatcher.store.outbox_list import Aside, Message

PATIENCE = timedelta(seconds=10)
LOOK_EVERY = timedelta(milliseconds=100)
LONGEST_TEXT = 300
DONE = ("sent", "dead", "dropped", "suppressed")

Fate = tuple[str, str | None]
"""The state, and why or the last error."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Number = Annotated[
    int, typer.Argument(min=1, max=2**63 - 1, metavar="MESSAGE", help="The message's number, as `ytwatcher outbox list` shows it.")
]


class State(StrEnum):
    """Of an alert that is in no message yet, then of a message."""

    WAITING = "waiting"
    HELD = "held"
    SUPPRESSED = "suppressed"
    PENDING = "pending"
    SENDING = "sending"
    DEAD = "dead"
    SENT = "sent"
    DROPPED = "dropped"


OPEN = (State.WAITING, State.HELD, State.PENDING, State.SENDING, State.DEAD)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Messages: waiting, dead, again, dropped, a test.",
    epilog="Example: ytwatcher outbox test telegram:123456789",
)


@app.command(name="list", epilog="Example: ytwatcher outbox list --state dead")
def list_(
    ctx: typer.Context,
    state: Annotated[list[State] | None, typer.Option(help="Only these; may be given several times.")] = None,
    suppressed: Annotated[bool, typer.Option("--suppressed", help="Also the newest alerts that are never sent, with the reason.")] = False,
    output_json: Json = False,
) -> None:
    """Alerts that wait or are held, and messages that are not done, with the reasons."""
    here = context(ctx, quiet=True)
    states = {*(state or OPEN), *([State.SUPPRESSED] if suppressed else [])}
    with here.journal() as con:
        alerts, messages = outbox_list.alerts(con, states), outbox_list.messages(con, states)
    if output_json:
        here.print_json({"alerts": [_alert_json(one) for one in alerts], "messages": [_message_json(one) for one in messages]})
        return
    if not alerts and not messages:
        here.out.print("The outbox is empty: everything that was to be told has been told." if not state else "There is nothing like that.")
    for alert in alerts:
        _print_alert(here, alert)
    for message in messages:
        _print_message(here, message)


@app.command(epilog="Example: ytwatcher outbox retry 17")
def retry(ctx: typer.Context, message: Number) -> None:
    """Send a dead message again."""
    here = context(ctx, quiet=True)
    here.ask("outbox retry", message=message)
    _say_outcome(here, f"message {message}", _wait_for(here, lambda con: outbox_list.message_fate(con, message)))


@app.command(epilog="Example: ytwatcher outbox drop 17")
def drop(ctx: typer.Context, message: Number) -> None:
    """Give up a message; it is never sent."""
    here = context(ctx, quiet=True)
    here.ask("outbox drop", message=message)
    here.out.print(f"Dropped: message {message}")


@app.command(epilog="Example: ytwatcher outbox test telegram:123456789")
def test(
    ctx: typer.Context,
    recipient: Annotated[str, typer.Argument(metavar="ADDRESS", help="console, telegram:CHAT or telegram:CHAT:TOPIC.")],
) -> None:
    """Send a test message through the real path, and say what became of it."""
    check_address(recipient)
    here = context(ctx, quiet=True)
    alert_id = here.ask("outbox test", recipient=recipient)["alert"]
    _say_outcome(here, f"the test to {recipient}", _wait_for(here, lambda con: outbox_list.fate(con, alert_id)))


def _wait_for(here: Context, look: Callable[[sqlite3.Connection], Fate]) -> Fate:
    """What became of it: at once where this call sent it itself; a running process gets some seconds."""
    return run(_settled(here, look))


async def _settled(here: Context, look: Callable[[sqlite3.Connection], Fate]) -> Fate:
    ends_at = here.clock.now() + PATIENCE
    while True:
        with here.journal() as con:
            fate = look(con)
        now = here.clock.now()
        if fate[0] in DONE or now >= ends_at or not here.runs():
            return fate
        await here.clock.wait(now + LOOK_EVERY)


def _say_outcome(here: Context, what: str, fate: Fate) -> None:
    """Say what became of it.

    Raises:
        OutsideError: it did not arrive.
    """
    state, reason = fate
    if state == State.SENT:
        here.err.print(f"Sent: {what}", highlight=False, markup=False)
        return
    why = f": {reason}" if reason else ""
    hint = "" if state in DONE else "; it is tried again as long as `ytwatcher run` runs"
    raise OutsideError(f"{what} has not arrived, it is {state}{why}{hint}", reason=state)


def _print_alert(here: Context, one: Aside) -> None:
    until = f" until {local(one.hold_until)}" if one.hold_until else ""
    why = f", {one.reason}" if one.reason else ""
    _print_entry(here, f"alert → {one.address}: {one.state}{until}{why}", _text(one))


def _print_message(here: Context, one: Message) -> None:
    now = here.clock.now()
    tried = f", {counted(one.attempts, 'attempt')}" if one.attempts else ""
    again = f", next at {local(one.next_at)}" if one.state == State.PENDING else ""
    error = f", last error: {one.last_error}" if one.last_error else ""
    head = f"message {one.pk} → {one.address}: {one.state}, made {age(one.made_at, now)}{tried}{again}{error}"
    _print_entry(here, head, one.plain if one.plain is not None else "(its text was forgotten after the retention)")


def _print_entry(here: Context, head: str, text: str) -> None:
    here.out.print(Text(head, style="bold"))
    here.out.print(Padding(Text(clean(text, LONGEST_TEXT)), (0, 0, 0, 2), expand=False))
    here.out.print()


def _text(one: Aside) -> str:
    return one.item.text if one.item.alert is None else plain_line(one.item.alert, one.item.title)


def _alert_json(one: Aside) -> dict[str, Any]:
    return {
        "id": one.item.id,
        "to": one.address,
        "state": one.state,
        "reason": one.reason,
        "hold_until": iso(one.hold_until),
        "made_at": iso(one.made_at),
        "rule": one.item.rule or None,
        "text": _text(one),
    }


def _message_json(one: Message) -> dict[str, Any]:
    return {
        "message": one.pk,
        "to": one.address,
        "state": one.state,
        "attempts": one.attempts,
        "made_at": iso(one.made_at),
        "next_at": iso(one.next_at) if one.state == State.PENDING else None,
        "last_error": one.last_error,
        "text": one.plain,
    }
