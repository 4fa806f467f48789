"""`ytwatcher chart`: a picture of how the numbers of a video went."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from ytwatcher.charts import DARK, LIGHT, Chart, specification
from ytwatcher.commands.context import context, run
from ytwatcher.commands.output import PUBLIC, written
from ytwatcher.commands.words import machine_zone
from ytwatcher.core.model import Metric
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.drawing import Pictures
from ytwatcher.errors import InputError
from ytwatcher.pictures import View, chart_of, find

METRICS = {metric.value: metric for metric in (Metric.VIEWS, Metric.LIKES, Metric.COMMENTS, Metric.SUBSCRIBERS, Metric.TOTAL_VIEWS)}

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: ytwatcher chart https://youtu.be/jNQXAC9IVRw --days 7 -o week.png")
def chart(
    ctx: typer.Context,
    video: Annotated[str, typer.Argument(help="A watched video, channel or playlist: its link, id or title.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the PNG goes.")],
    days: Annotated[int, typer.Option(min=1, max=3660, metavar="N", help="The days up to now.")] = 1,
    metric: Annotated[str, typer.Option(metavar="METRIC", help="views, likes, comments, subscribers, total views.")] = "views",
    dark: Annotated[bool, typer.Option("--dark", help="Light lines on a dark ground.")] = False,
) -> None:
    """A picture of how the numbers of a video went.

    Settled values as they are stored; of a list its six largest videos.
    """
    here = context(ctx, quiet=True)
    wanted = " ".join(metric.lower().replace("_", " ").split())
    if wanted not in METRICS:
        raise InputError(f"--metric: there is no {quoted(metric)}; {did_you_mean(wanted, METRICS) or ', '.join(METRICS)}")
    with here.journal() as con:
        found = find(con, video, None)
        if len(found) != 1:
            what = "is not watched" if not found else f"may be {len(found)} things; name one by its link"
            raise InputError(f"“{video}” {what}; `ytwatcher list` shows what is watched")
        view = View(found[0].id, timedelta(days=days), METRICS[wanted])
        drawn, _, _ = chart_of(con, view, None, here.clock.now(), str)
    zone = machine_zone()
    drawn = replace(drawn, zone=ZoneInfo(zone), subtitle=drawn.subtitle.rpartition(" · ")[0] + f" · {zone}")
    picture = run(_draw(drawn, dark))
    with written(here, output, PUBLIC) as path:
        path.write_bytes(picture)
    here.err.print(f"{output}: {len(picture):,} bytes", highlight=False, markup=False)


async def _draw(drawn: Chart, dark: bool) -> bytes:
    pictures = Pictures()
    try:
        return await pictures.png(specification(drawn, DARK if dark else LIGHT))
    finally:
        await pictures.close()
