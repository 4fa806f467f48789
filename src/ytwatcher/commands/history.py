"""`ytwatcher history`: the recorded readings of a video or channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.finding import find_one
from ytwatcher.commands.words import ABSENT, counted, iso, local, signed, title
from ytwatcher.core import breaks
from ytwatcher.core.durations import parse_duration
from ytwatcher.core.model import CHANNEL_METRICS, VIDEO_METRICS, Absent, Metric, SubjectKind, SubjectState
from ytwatcher.core.sparkline import Stretch, sparkline
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.errors import InputError
from ytwatcher.store import readings
from ytwatcher.store.readings import Point

ROWS = 20
WIDTH = 50

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher history https://youtu.be/jNQXAC9IVRw --metric views --since 24h")
def history(
    ctx: typer.Context,
    video: Annotated[str, typer.Argument(help="A watched video or channel: its link, id or exact title.")],
    metric: Annotated[str | None, typer.Option(metavar="METRIC", help="Only this metric, for example views.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DURATION", help="Only what is younger, for example 24h.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the newest N rows.", show_default=f"{ROWS}; all with --json")
    ] = None,
    output_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """The recorded readings of a video or channel.

    Settled values, a row for each span in which nothing changed. The curve runs over the time shown: a blank where a number is not
    known, a bar where YouTube changed what it counts.
    """
    here = context(ctx, quiet=True)
    start_at = here.clock.now() - _duration(since) if since is not None else None
    with here.journal() as con:
        state = find_one(con, video).state
        metrics = _metrics(state.kind, metric)
        points = readings.history(con, state.subject_id, since=start_at)
    shown = points if limit is None and output_json else points[-(limit or ROWS) :]
    if output_json:
        here.print_json(_json(state, metrics, shown))
        return
    here.out.print(title(state.title, state.subject_id))
    if not points:
        here.out.print("There are no readings of that time." if since else "It has not been read yet: `ytwatcher run` reads it.")
        return
    _print(here, metrics, points if limit is None else shown, shown)
    if len(shown) < len(points):
        here.err.print(f"The newest {len(shown)} of {counted(len(points), 'row')}; --limit shows more.", highlight=False)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InputError(f"--since: {error}") from error


def _metrics(kind: SubjectKind, named: str | None) -> Sequence[Metric]:
    """The metrics to show: those of the subject's kind but favorites, or the one that was asked for."""
    of_kind = VIDEO_METRICS if kind is SubjectKind.VIDEO else CHANNEL_METRICS
    if named is None:
        return [metric for metric in of_kind if metric is not Metric.FAVORITES]
    wanted = " ".join(named.lower().replace("_", " ").split())
    if wanted not in of_kind:
        hint = did_you_mean(wanted, of_kind) or f"there are {', '.join(of_kind)}"
        raise InputError(f"--metric: a {kind} has no {quoted(named)}; {hint}")
    return [Metric(wanted)]


def _json(state: SubjectState, metrics: Sequence[Metric], points: Sequence[Point]) -> dict[str, Any]:
    rows = [
        {
            "from_at": iso(point.from_at),
            "to_at": iso(point.to_at),
            "values": {metric: point.values[metric] for metric in metrics},
            "raw": {metric: point.raw[metric] for metric in metrics if metric in point.raw},
        }
        for point in points
    ]
    crossed = [
        {"start_at": iso(b.start_at), "end_at": iso(b.end_at), "metrics": sorted(b.metrics), "why": b.why}
        for b in breaks.BREAKS
        if points and not b.metrics.isdisjoint(metrics) and points[0].from_at < b.end_at and b.start_at <= points[-1].to_at
    ]
    return {"id": state.subject_id, "kind": state.kind, "title": state.title, "points": rows, "breaks": crossed}


def _print(here: Context, metrics: Sequence[Metric], curve: Sequence[Point], rows: Sequence[Point]) -> None:
    for metric in metrics:
        known = [value for point in curve if (value := point.values[metric]) is not None]
        if known:
            drawn = sparkline([Stretch(point.from_at, point.to_at, point.values[metric]) for point in curve], metric, WIDTH)
            here.out.print(Text(f"{metric:<11} {drawn}  {known[0]:,} → {known[-1]:,}"), soft_wrap=True)
    here.out.print()
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("from")
    for metric in metrics:
        table.add_column(metric, justify="right")
        table.add_column("")
    table.add_column("")
    for cells in _rows(metrics, rows):
        table.add_row(*cells)
    here.out.print(table)


def _rows(metrics: Sequence[Metric], points: Sequence[Point]) -> Iterator[list[str]]:
    previous: Point | None = None
    for point in points:
        if previous is not None and (why := _break(metrics, previous.to_at, point.from_at)):
            yield ["counting break", *[""] * (2 * len(metrics)), why]
        cells = [local(point.from_at)]
        for metric in metrics:
            cells += [_cell(point, metric), _change(point, previous, metric)]
        yield [*cells, _remark(metrics, point)]
        previous = point


def _break(metrics: Sequence[Metric], older_at: datetime, newer_at: datetime) -> str | None:
    crossed = (b for b in breaks.BREAKS if not b.metrics.isdisjoint(metrics) and older_at < b.end_at <= newer_at)
    return next((b.why for b in crossed), None)


def _cell(point: Point, metric: Metric) -> str:
    value = point.values[metric]
    if value is not None:
        return f"{value:,}"
    if breaks.within(metric, point.from_at):
        return ABSENT[Absent.RECOUNTED]
    raw = point.raw.get(metric)
    return ABSENT[Absent(raw)] if isinstance(raw, str) else ABSENT[Absent.NOT_RETURNED]


def _change(point: Point, previous: Point | None, metric: Metric) -> str:
    if previous is None or breaks.between(metric, previous.to_at, point.from_at):
        return ""
    value, before = point.values[metric], previous.values[metric]
    return "" if value is None or before is None or value == before else signed(value - before)


def _remark(metrics: Sequence[Metric], point: Point) -> str:
    """What YouTube said where a known value stood against it."""
    against = ((m, raw) for m in metrics if point.values[m] is not None and (raw := point.raw.get(m)) is not None)
    return ", ".join(f"{m}: raw {f'{raw:,}' if isinstance(raw, int) else raw}" for m, raw in against)
