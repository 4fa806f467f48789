"""A nursery of processes that tests kill: it loads the program once, and each child is a fork of it, there at once.

A line of JSON in, `[job, argument, …]`, is answered by the child's process id, and, when the child has ended, by its exit code
(negative: the signal that ended it); then the line `bury` lets go of its id. One child at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ytwatcher import backups, config
from ytwatcher.app import journal_path, open_app
from ytwatcher.clock import SystemClock
from ytwatcher.store import readings
from ytwatcher.store.db import Lease, open_as_holder, transaction


def run(folder: str, epoch: float, real_start: float, speed: float) -> None:
    """What `ytwatcher run` runs, on an accelerated clock that it shares with the test: `epoch` at the wall time `real_start`, both in
    seconds since 1970."""

    async def go() -> None:
        settings = config.load(None, Path(folder), os.environ)
        clock = SystemClock(speed, datetime.fromtimestamp(epoch, UTC), real_start)
        Lease(journal_path(settings)).take_or_refuse()
        async with open_app(settings, clock, look_every=timedelta(minutes=10)) as app:
            await app.run()

    asyncio.run(go())


def migrate(journal: str) -> None:
    """What opening a journal of an older schema does."""
    Lease(Path(journal)).take_or_refuse()
    open_as_holder(Path(journal)).close()


def backup(journal: str, folder: str, first: float) -> None:
    """Backups without end, dated a minute after each other; the newest three stay."""
    at = datetime.fromtimestamp(first, UTC)
    while True:
        backups.make_and_keep(Path(journal), Path(folder), 3, at)
        at += timedelta(minutes=1)


def retain(journal: str, now: float) -> None:
    """What `run` does once a day."""
    con = open_as_holder(Path(journal))
    with transaction(con, Path(journal), "IMMEDIATE"):
        readings.prune(con, datetime.fromtimestamp(now, UTC), timedelta(days=30))
    con.close()


def restore(journal: str, file: str, now: float) -> None:
    Lease(Path(journal)).take_or_refuse()
    backups.restore(Path(journal), Path(file), datetime.fromtimestamp(now, UTC), moved=True)


JOBS: Mapping[str, Callable[..., None]] = {"run": run, "migrate": migrate, "backup": backup, "retain": retain, "restore": restore}


def bear(job: str, arguments: list[Any]) -> int:
    """Fork; the child does its job and ends. Returns its process id, to the parent only."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(2, 1)  # the parent's standard output speaks of births and deaths alone
        JOBS[job](*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - the edge of the process
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    for line in sys.stdin:
        job, *arguments = json.loads(line)
        child = bear(job, arguments)
        print(child, flush=True)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        print(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status, flush=True)
        reaped = sys.stdin.readline()  # until then its id is nobody else's, and may be killed once more
        assert reaped.strip() in ("", "bury")
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
