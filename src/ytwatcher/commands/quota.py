"""`ytwatcher quota`: what the day's quota is spent on, and what is left."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.words import counted, iso, local
from ytwatcher.core.durations import duration_words
from ytwatcher.core.quota import Share, Why
from ytwatcher.core.schedule import expected_delay
from ytwatcher.outlook import Budget, Outlook, look_ahead

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher quota --json")
def quota(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """What the day's quota is spent on, and what is left.

    The delay is what to expect, as a rule, between the moment a number is
    passed on YouTube and the reading that shows it.
    """
    here = context(ctx)
    with here.journal() as con:
        outlook = look_ahead(con, here.settings, here.clock.now())
    if as_json:
        here.print_json(as_values(outlook))
    else:
        _print(here, outlook)


def as_values(outlook: Outlook) -> dict[str, Any]:
    """For programs; spans in seconds."""
    plan = outlook.statistics
    return {
        "buckets": {budget.ledger.bucket: _bucket_values(budget) for budget in outlook.budgets},
        "videos": outlook.videos,
        "videos_near_a_number": outlook.near,
        "interval": plan.interval.total_seconds(),
        "interval_near_a_number": plan.near_interval.total_seconds(),
        "expected_delay": expected_delay(plan.interval).total_seconds(),
        "expected_delay_near_a_number": expected_delay(plan.near_interval).total_seconds(),
        "reason": plan.reason,
    }


def _bucket_values(budget: Budget) -> dict[str, Any]:
    ledger = budget.ledger
    return {
        "limit": ledger.limit,
        "reserve": ledger.reserve,
        "used": dict(ledger.used),
        "used_total": ledger.total,
        "planned": dict(budget.planned),
        "planned_total": sum(budget.planned.values()),
        "left": ledger.left,
        "closed_at": iso(ledger.closed_at),
        "probe_at": iso(ledger.probe_at),
        "resets_at": iso(ledger.day.end_at),
    }


def _print(here: Context, outlook: Outlook) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("bucket", style="cyan")
    for name in ("used", "planned", "left", "of", "reserve"):
        table.add_column(name, justify="right")
    for budget in outlook.budgets:
        ledger = budget.ledger
        figures = (ledger.total, sum(budget.planned.values()), ledger.left, ledger.limit, ledger.reserve)
        table.add_row(Text(ledger.bucket), *(f"{figure:,}" for figure in figures))
        for share in Share:
            if ledger.used.get(share) or budget.planned.get(share):
                table.add_row(Text(f"  {share}", "dim"), f"{ledger.used.get(share, 0):,}", f"{budget.planned.get(share, 0):,}")
    here.out.print(table)
    here.out.print()
    for budget in outlook.budgets:
        if budget.ledger.closed_at is not None and budget.ledger.probe_at is not None:
            text = f"YouTube says that {budget.ledger.bucket} is spent; it is asked again at {local(budget.ledger.probe_at)}."
            here.out.print(Text(text, "yellow"))
    here.out.print(Text(f"The quota day ends at {local(outlook.budgets[0].ledger.day.end_at)} (midnight Pacific time)."))
    here.out.print(Text(_pace(outlook)))


def _pace(outlook: Outlook) -> str:
    if not outlook.videos:
        return "Nothing is watched yet: ytwatcher add LINK"
    plan = outlook.statistics
    if plan.reason in (Why.CLOSED, Why.PROBE):
        return "Until then statistics are asked for once an hour, for the most urgent videos; no news is lost."
    near = f"; near a number ({outlook.near:,} now) {_every(plan.near_interval)}" if plan.near_interval != plan.interval else ""
    return f"{counted(outlook.videos, 'video')}: {_every(plan.interval)}{near}."


def _every(interval: timedelta) -> str:
    return f"read every {_rounded(interval)}, so news is about {_rounded(expected_delay(interval))} old"


def _rounded(span: timedelta) -> str:
    """In words, to the minute (below an hour: to the half)."""
    step = timedelta(seconds=30) if span < timedelta(hours=1) else timedelta(minutes=1)
    return duration_words(max(step, round(span / step) * step))
