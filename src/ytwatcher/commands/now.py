"""`ytwatcher now`: the numbers as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.finding import find_subjects
from ytwatcher.commands.standing import as_json, still_text
from ytwatcher.commands.words import NOTHING_WATCHED, age, local, signed, title, value
from ytwatcher.core.model import Metric, SubjectKind
from ytwatcher.standing import Standing, standing

UNSETTLED = " ?"
LONGEST_TITLE = 24

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher now https://youtu.be/jNQXAC9IVRw")
def now(
    ctx: typer.Context,
    target: Annotated[str | None, typer.Argument(help="A watched video, playlist or channel; all where it is left out.")] = None,
    output_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """The numbers as they are now.

    Settled numbers, as they were last read; nothing is asked of YouTube. A number that is not known says why, and one that waits for a
    second reading says what YouTube answered.
    """
    here = context(ctx, quiet=True)
    with here.journal() as con:
        found = [standing(con, known) for known in find_subjects(con, target)]
    if output_json:
        here.print_json([as_json(one) for one in found])
    elif not found:
        here.out.print(NOTHING_WATCHED)
    else:
        _print(here, found)


def _print(here: Context, found: Sequence[Standing]) -> None:
    videos = [one for one in found if one.state.kind is SubjectKind.VIDEO]
    at = here.clock.now()
    for one in found:
        if one.state.kind is SubjectKind.CHANNEL or len(videos) == 1:
            _print_one(here, one, at)
    if len(videos) > 1:
        here.out.print(_table(videos, at))
        if any(one.waits(metric) for one in videos for metric in one.metrics):
            here.out.print("? waits for a second reading: `ytwatcher now VIDEO` shows what YouTube said")


def _print_one(here: Context, one: Standing, at: datetime) -> None:
    here.out.print(Text.assemble((title(one.state.title, one.state.subject_id).plain, "bold"), f" ({one.state.kind})"))
    read = f"read {age(one.state.newest_at, at)}" + (f", {local(one.state.newest_at)}" if one.state.newest_at else "")
    here.out.print(Text(f"{one.url}\n{read}"))
    if one.state.presence.vanished_at is not None:
        here.out.print(Text(f"Vanished from YouTube: missing since {local(one.state.presence.vanished_at)}", style="yellow"))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name, side in (("", "left"), ("now", "right"), ("1 h", "right"), ("24 h", "right"), ("", "left")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]  # two of rich's own words
    for metric in one.metrics:
        since = one.still_since(metric)
        remarks = [text for text in (one.waits(metric), still_text(since, at) if since else None) if text]
        moves = (signed(one.moved(metric, one.hour_ago)), signed(one.moved(metric, one.day_ago)))
        table.add_row(metric, value(one.state.metric(metric)), *moves, "\n".join(remarks))
    here.out.print(table)
    here.out.print()


def _table(videos: Sequence[Standing], at: datetime) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("video")
    for name in ("views", "24 h", "likes", "comments", "read"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in videos:
        views, likes, comments = (_cell(one, metric) for metric in (Metric.VIEWS, Metric.LIKES, Metric.COMMENTS))
        read = "vanished" if one.state.presence.vanished_at else age(one.state.newest_at, at)
        named = title(one.state.title, one.state.subject_id, LONGEST_TITLE)
        table.add_row(named, views, signed(one.moved(Metric.VIEWS, one.day_ago)), likes, comments, read)
    return table


def _cell(one: Standing, metric: Metric) -> str:
    return value(one.state.metric(metric)) + (UNSETTLED if one.waits(metric) else "")
