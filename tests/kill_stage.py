"""Children that are there at once and killed at random moments."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

NURSERY = Path(__file__).parent / "killed_app.py"
PATIENCE = 120
"""Real seconds within which a child is born, or ends; only a machine that stands still needs them."""


class Nursery:
    """Gives birth to one child at a time, and says how it ended."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log
        self._child: int | None = None

    async def bear(self, job: str, *arguments: Any) -> int:
        """A new process that does one of the jobs of killed_app.py: its id."""
        self._say(json.dumps([job, *map(_plain, arguments)]))
        self._child = await self._number()
        return self._child

    async def ended(self) -> int:
        """The exit code of the child; negative: the signal that ended it."""
        code = await self._number()
        self._child = None
        self._say("bury")
        return code

    async def kill(self, within: float = 0) -> bool:
        """kill -9, unless it ends by itself within so many seconds; whether it was killed, by us or by itself."""
        ending = asyncio.ensure_future(self.ended())
        await asyncio.wait({ending}, timeout=within)
        if not ending.done():
            self.send(signal.SIGKILL)
        return await ending == -signal.SIGKILL

    def send(self, number: signal.Signals) -> None:
        assert self._child is not None
        os.kill(self._child, number)

    async def close(self) -> None:
        if self._child is not None:
            await self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def _number(self) -> int:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        assert line, self.log.read_text()[-3000:]
        return int(line)


def _plain(argument: Any) -> Any:
    return str(argument) if isinstance(argument, Path) else argument


@asynccontextmanager
async def nursery(log: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Nursery]:
    """A nursery; `env` is added to its environment, what its children print goes to `log`."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(NURSERY),
            env={**os.environ, **(env or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=out,
        )
    born = Nursery(process, log)
    try:
        yield born
    finally:
        await born.close()
