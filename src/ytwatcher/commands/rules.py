"""`ytwatcher rules`: what a recipient wants to be told."""

from __future__ import annotations

import sqlite3
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.text import Text

from ytwatcher.app import require_key
from ytwatcher.commands.context import context
from ytwatcher.commands.finding import find_targets
from ytwatcher.commands.words import passed_text, rule_table, title
from ytwatcher.core.addresses import check_address
from ytwatcher.core.model import CHANNEL_METRICS, TargetKind
from ytwatcher.core.rules import canonical, explain, note, parse_rule
from ytwatcher.errors import InputError
from ytwatcher.store import watches
from ytwatcher.store.watches import StoredRule

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List, add or remove rules; each is explained back.",
    epilog="Example: ytwatcher rules add https://youtu.be/jNQXAC9IVRw 'views every 10k'",
)


@app.command(name="list", epilog="Example: ytwatcher rules list https://youtu.be/jNQXAC9IVRw")
def list_(
    ctx: typer.Context,
    target: Annotated[str | None, typer.Argument(help="A watched link, id or exact title; all where it is left out.")] = None,
    output_json: Json = False,
) -> None:
    """The rules in force, explained."""
    here = context(ctx, quiet=True)
    with here.journal() as con:
        wanted = None if target is None else {found.id for found in find_targets(con, target)}
        if wanted == set():
            raise InputError(f"“{target}” is not watched; `ytwatcher list` shows what is")
        found = [rule for rule in watches.rules(con) if wanted is None or rule.target_id in wanted]
        shown = {rule.id: _json(con, rule) for rule in found}
    if output_json:
        here.print_json([{"target": rule.target_id, "to": rule.address, **shown[rule.id]} for rule in found])
        return
    if not found:
        here.out.print("There are no rules. Make one with: ytwatcher rules add TARGET 'views milestones'")
    found.sort(key=_watch)
    for _, rules in groupby(found, key=_watch):
        of_watch = list(rules)
        named = title(of_watch[0].target_title, of_watch[0].target_id)
        here.out.print(Text.assemble((named.plain, "bold"), f" ({of_watch[0].target_kind}) → {of_watch[0].address}"))
        here.out.print(rule_table(shown[rule.id] for rule in of_watch))
        here.out.print()


@app.command(epilog="Example: ytwatcher rules add https://youtu.be/jNQXAC9IVRw 'views every 10k'")
def add(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="What is watched: its link, id, @handle or exact title.")],
    line: Annotated[str, typer.Argument(help="The rule, quoted.")],
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who is told; the operator where it is left out.")] = None,
    output_json: Json = False,
) -> None:
    """One more rule on something that is watched."""
    parse_rule(line)
    if to is not None:
        check_address(to)
    here = context(ctx, quiet=True)
    require_key(here.settings)
    made = here.ask("rules add", target=target, rule=line, to=to)
    if output_json:
        here.print_json(made)
    else:
        here.out.print(rule_table([made]))


@app.command(epilog="Example: ytwatcher rules remove r12")
def remove(
    ctx: typer.Context,
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="The rule's id, as `ytwatcher rules list` shows it.")],
) -> None:
    """End a rule."""
    here = context(ctx, quiet=True)
    here.ask("rules remove", rule_id=rule_id)
    here.out.print(Text(f"Ended: {rule_id}"))


@app.command(name="explain", epilog="Example: ytwatcher rules explain 'likes rise 5% cooldown 6h'")
def explain_(
    ctx: typer.Context,
    line: Annotated[str, typer.Argument(help="The rule, quoted.")],
    output_json: Json = False,
) -> None:
    """What a rule would tell, without making it."""
    spec = parse_rule(line)
    here = context(ctx, quiet=True)
    kind = TargetKind.CHANNEL if spec.metric in CHANNEL_METRICS else TargetKind.VIDEO
    told = {"rule": canonical(spec), "explained": explain(spec, kind), "note": note(spec)}
    if output_json:
        here.print_json(told)
    else:
        here.out.print(rule_table([{"id": "", **told}]))


def _json(con: sqlite3.Connection, rule: StoredRule) -> dict[str, Any]:
    spec, passed = rule.spec, passed_text(rule, watches.passed(con, rule))
    return {"id": rule.id, "rule": rule.line, "explained": explain(spec, rule.target_kind), "note": note(spec), "passed": passed}


def _watch(rule: StoredRule) -> tuple[str, str]:
    return rule.target_id, rule.address
