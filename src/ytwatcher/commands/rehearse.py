"""`ytwatcher rehearse`: what a rule would have sent on the stored history."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.finding import find_targets
from ytwatcher.commands.words import counted, iso, local
from ytwatcher.core.addresses import check_address
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rules import parse_rule
from ytwatcher.errors import InputError
from ytwatcher.rehearsal import DAYS, Rehearsal, rehearse
from ytwatcher.store import recipients, watches
from ytwatcher.telegram.texts import Texts

SHOWN = 100
LONGEST = 3650

app = typer.Typer(add_completion=False)


@app.command(name="rehearse", epilog="Example: ytwatcher rehearse 'views every 10k' --target @NASA --show")
def rehearse_(
    ctx: typer.Context,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule line.")],
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="A watched video, playlist or channel; all without it.")] = None,
    days: Annotated[float, typer.Option(metavar="N", help="How far back.")] = DAYS,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who would be told; the operator where it is left out.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the messages, too, the newest hundred.")] = False,
    output_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """What a rule would have sent on the stored history.

    The rule is judged on the stored readings as if it had been made that long ago, and told as the recipient is told now. Nothing is
    asked of YouTube, stored or sent.
    """
    spec = parse_rule(rule)
    if not 0 < days <= LONGEST:
        raise InputError(f"--days {days:g}: is more than 0 and at most {LONGEST:,}")
    here = context(ctx, quiet=True)
    address = check_address(to) if to is not None else here.settings.telegram.operator
    with here.journal() as con:
        targets = watches.targets(con) if target is None else find_targets(con, target)
        if not targets:
            raise InputError("nothing is watched yet" if target is None else f"“{target}” is not watched; `ytwatcher list` shows what is")
        found = recipients.find(con, address)
        telegram = here.settings.telegram
        recipient = found.recipient if found else Recipient(address, language=telegram.language, timezone=telegram.timezone)
        shown, speak = SHOWN if show else 0, Texts().spoken(recipient.language)
        result = rehearse(con, spec, rule, targets, recipient, here.clock.now(), days=days, show=shown, speak=speak)
    if output_json:
        here.print_json(_json(rule, result))
    else:
        _print(here, result)


def _json(rule: str, result: Rehearsal) -> dict[str, Any]:
    return {
        "rule": rule,
        "explained": result.explained,
        "since": iso(result.since_at),
        "until": iso(result.until_at),
        "subjects": result.subjects,
        "messages": result.messages,
        "at_night": result.at_night,
        "alerts": result.alerts,
        "more": result.more,
        "suppressed": dict(result.suppressed),
        "held": result.held,
        "caveat": result.caveat,
        "shown": [{"at": iso(told.at), "text": told.plain} for told in result.shown],
    }


def _print(here: Context, result: Rehearsal) -> None:
    for told in result.shown:
        here.out.print(Text(f"{local(told.at)}\n{told.plain}\n"))
    here.out.print(Text(result.explained))
    more = "More than these: " if result.more else ""
    begun = f"{more}since {local(result.since_at)} it would have sent {counted(result.messages, 'message')}, {result.at_night:,} at night"
    here.out.print(Text(f"{begun[0].upper()}{begun[1:]} ({counted(result.alerts, 'alert')} on {counted(result.subjects, 'subject')})."))
    for reason, count in result.suppressed.items():
        here.out.print(Text(f"{counted(count, 'alert')} not told: {reason}."))
    if result.held:
        here.out.print(Text(f"{counted(result.held, 'alert')} would still be held."))
    if result.shortened:
        here.out.print("There are more readings than are looked at, so it begins there and not earlier.")
    if result.caveat:
        here.out.print(Text(result.caveat))
