"""A publisher as a process of its own: what tests kill. Arguments: the journal, and the settings' bootstrap, registry_url and prefix."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ytwatcher.clock import SystemClock
from ytwatcher.settings import Streaming
from ytwatcher.store.db import Database
from ytwatcher.streaming.publisher import Publisher


async def run(path: Path, streaming: Streaming) -> None:
    async def notify(key: str, text: str) -> None:
        raise AssertionError(text)

    print("ready", flush=True)
    await Publisher(Database(path), SystemClock(), streaming, notify).run()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Streaming(bootstrap=sys.argv[2], registry_url=sys.argv[3], prefix=sys.argv[4])))
