"""`ytwatcher run` as a process of its own, on an accelerated clock that it shares with the test: what tests of faults kill.

Arguments: the data folder, the simulated time at a wall time (both seconds since 1970), and how much faster it runs.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ytwatcher import config
from ytwatcher.clock import SystemClock
from ytwatcher.commands.context import Context
from ytwatcher.commands.run import watch
from ytwatcher.log import Redactor, configure
from ytwatcher.setting_keys import secrets


def main(folder: Path, epoch: float, real_start: float, speed: float) -> None:
    faulthandler.enable()
    settings = config.load(None, folder, os.environ)
    configure(settings.log.level, settings.log.format, Redactor(secret.reveal() for secret in secrets(settings).values()))
    here = Context(settings, Console(), Console(stderr=True))
    here.clock = SystemClock(speed, datetime.fromtimestamp(epoch, UTC), real_start)
    asyncio.run(watch(here))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:5]))
