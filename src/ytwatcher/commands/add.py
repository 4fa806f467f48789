"""`ytwatcher add`: watch a video, playlist or channel."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.text import Text

from ytwatcher.app import require_key
from ytwatcher.commands.context import Context, context
from ytwatcher.commands.words import counted, numbers, rule_table, title
from ytwatcher.core.addresses import check_address
from ytwatcher.core.rules import parse_rule
from ytwatcher.core.targets import parse_target
from ytwatcher.store import subjects

SMALLEST_PART = 0.001

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher add https://youtu.be/jNQXAC9IVRw --rule 'views milestones' --rule 'likes rise 5%'")
def add(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="Any YouTube link, an id, or an @handle.")],
    rule: Annotated[list[str] | None, typer.Option(metavar="LINE", help="A rule; may be given several times.")] = None,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Who is told; the operator where it is left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Watch a video, playlist or channel.

    Says what it is, what it costs of the day's quota, and which rules apply. Without --rule the usual rules are made. A “reach” that was
    passed already is refused; when all the rules given are, nothing is added.
    """
    parse_target(target)
    lines = rule or []
    for line in lines:
        parse_rule(line)
    if to is not None:
        check_address(to)
    here = context(ctx, quiet=True)
    require_key(here.settings)
    with here.err.status("Asking YouTube …") if here.err.is_terminal else nullcontext():
        added = here.ask("add", text=target, rules=lines, to=to)
    if as_json:
        here.print_json(added)
        return
    _print(here, added)
    if not here.runs():
        here.err.print("Nothing is read at present: start it with `ytwatcher run`.", highlight=False)


def _print(here: Context, added: Mapping[str, Any]) -> None:
    kind, videos = added["kind"], added["videos"]
    what = kind if kind == "video" else f"{kind}, {counted(videos, 'video')}"
    first = "Watching" if added["new"] else "Watched already"
    here.out.print(Text.assemble(f"{first}: ", (title(added["title"], added["id"]).plain, "bold"), f" ({what})"))
    here.out.print(Text(f"{added['url']}\nTold to: {added['to']}"))
    with here.journal() as con:
        known = subjects.load(con, [added["id"]])
    for subject in known.values():
        here.out.print(Text("Today: " + (" · ".join(numbers(subject.state)) if subject.state.newest_at else "not read yet")))
    here.out.print(Text(_cost(here, added["units_a_day"])))
    here.out.print()
    here.out.print(rule_table(added["rules"]))
    if added["also_playlist"]:
        here.out.print(Text(f"\nThe link also names a playlist. To watch all of it: ytwatcher add {added['also_playlist']}"))


def _cost(here: Context, units: Mapping[str, int]) -> str:
    """What it costs alone: calls are shared, so several targets cost less than their sum."""
    youtube = here.settings.youtube
    statistics = _share(units["statistics"], youtube.daily_stats_units)
    return f"Costs about {statistics} a day for statistics and {_share(units['default'], youtube.daily_units)} for everything else"


def _share(units: int, limit: int) -> str:
    part = units / limit
    return f"{units:,} of {limit:,} units ({f'{part:.1%}' if part >= SMALLEST_PART else f'less than {SMALLEST_PART:.1%}'})"
