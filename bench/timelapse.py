"""The app as a process of its own, on a clock that is faster than the wall's. Arguments: the data folder, and the doubles' pace.

It has loaded what `ytwatcher run` has loaded, and nothing of the doubles.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ytwatcher.cli
import ytwatcher.commands.run  # noqa: F401 - for its memory
from ytwatcher import config
from ytwatcher.app import open_app
from ytwatcher.clock import SystemClock


async def run(folder: Path, clock: SystemClock) -> None:
    async with open_app(config.load(None, folder, os.environ), clock, look_every=timedelta(minutes=10)) as app:
        await app.run()


if __name__ == "__main__":
    speed, epoch, real_start = map(float, sys.argv[2:5])
    asyncio.run(run(Path(sys.argv[1]), SystemClock(speed, datetime.fromtimestamp(epoch, UTC), real_start)))
