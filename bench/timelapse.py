"""The app as a process of its own, on a clock that is faster than the wall's. Arguments: the data folder, and the doubles' pace."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import Pace
from ytwatcher import config
from ytwatcher.app import open_app


async def run(folder: Path, pace: Pace) -> None:
    async with open_app(config.load(None, folder, os.environ), pace.clock(), look_every=timedelta(minutes=10)) as app:
        await app.run()


if __name__ == "__main__":
    speed, epoch, real_start = map(float, sys.argv[2:5])
    asyncio.run(run(Path(sys.argv[1]), Pace(speed, datetime.fromtimestamp(epoch, UTC), real_start)))
