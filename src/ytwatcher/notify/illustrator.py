"""The chart that goes with an alert: drawn in a moment, or the alert leaves without it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from ytwatcher.errors import YTWatcherError
from ytwatcher.pictures import Charts, View
from ytwatcher.store.outbox import Job

PATIENCE = timedelta(seconds=2)
MOST_WAITING = 4
"""More pictures than these would not be drawn in time."""
log = structlog.get_logger(__name__)


class Illustrator:
    """Draws for the dispatcher. What takes too long is drawn to its end all the same: the next one finds the child process started."""

    def __init__(self, charts: Charts, *, patience: timedelta = PATIENCE) -> None:
        self._charts, self._patience = charts, patience
        self._drawing: set[asyncio.Task[bytes | None]] = set()

    async def picture(self, job: Job) -> bytes | None:
        """The chart of what the message is about; None: it is about several things, or cannot be drawn in time."""
        seen = view_of(job)
        if seen is None or len(self._drawing) >= MOST_WAITING:
            return None
        task = asyncio.create_task(self._draw(job.address, *seen))
        self._drawing.add(task)
        task.add_done_callback(self._drawing.discard)
        done, _ = await asyncio.wait([task], timeout=self._patience.total_seconds())
        if not done:
            log.warning("picture_late", message=job.pk)
        return task.result() if done else None

    async def _draw(self, address: str, view: View, number: int | None) -> bytes | None:
        try:
            return await self._charts.of_alert(view, address, number)
        except YTWatcherError as error:
            log.warning("picture_missing", about=view.about, error=str(error))
            return None

    async def close(self) -> None:
        """Give up what is being drawn."""
        for task in self._drawing:
            task.cancel()
        await asyncio.gather(*self._drawing, return_exceptions=True)


def view_of(job: Job) -> tuple[View, int | None] | None:
    """What to draw, with the number that was passed, where all the message is about one video or channel: its first metric."""
    alerts = [item.alert for item in job.items if item.alert is not None]
    metric = next((alert.metric for alert in alerts if alert.metric is not None), None)
    if metric is None or len(alerts) < len(job.items) or len({alert.subject_id for alert in alerts}) > 1:
        return None
    passed = [alert.mark for alert in alerts if alert.metric is metric and alert.mark is not None]
    return View(alerts[0].subject_id, metric=metric), max(passed, default=None)
