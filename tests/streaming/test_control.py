"""What commands ask of publishing while it runs: a pause that ends by itself, and sending again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from publishing_stage import START, Stage, streaming
from stack_parts import needs
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import to_ms
from ytwatcher.store.db import Database
from ytwatcher.streaming import way

MINUTE = timedelta(minutes=1)


async def _notify(key: str, text: str) -> None: ...


@needs("broker", "registry")
def test_a_pause_holds_what_comes_ends_by_itself_and_sending_again_waits_for_the_batch_in_hand(tmp_path: Path) -> None:
    async def go() -> None:
        stage = Stage(tmp_path / "journal.db", streaming())
        clock = SystemClock(60.0, START)
        db = Database(stage.path)
        built = way.build(db, clock, stage.settings, _notify, lambda: None)
        pause, resend = built.handlers["stream pause"], built.handlers["stream resend"]
        stage.put([("v1", 1)])
        assert await resend(since=None) == {"readings": 1}, "without a running publisher it is written down"
        running = asyncio.ensure_future(built.loops[0]())
        try:
            await stage.until(lambda: stage.waiting() == 0)
            while not (await pause(seconds=180))["idle"]:
                await clock.wait(clock.now() + timedelta(seconds=6))
            cut = {"alerts_from": (START + timedelta(milliseconds=1)).isoformat()}
            assert await built.handlers["stream switch"]() == await built.handlers["stream unfinished"]() == cut
            assert await built.handlers["stream deployed"]() == {"videos": 0}
            assert await built.handlers["stream unfinished"]() == {"alerts_from": None}
            stage.put([("v1", 2)], first=1)
            built.published()
            await clock.wait(clock.now() + MINUTE)
            assert stage.waiting() == 1
            await stage.until(lambda: stage.waiting() == 0)  # nobody asked again
            await pause(seconds=3600)
            stage.put([("v1", 3)], first=2)
            await pause(seconds=0)
            await stage.until(lambda: stage.waiting() == 0)
            assert await resend(since=(START + timedelta(seconds=1)).isoformat()) == {"readings": 2}
            arrived = await asyncio.to_thread(stage.arrived, 5)
            assert [(one.value["VIEWS"], to_ms(one.value["OBSERVED_AT"]) - to_ms(START)) for one in arrived] == [
                (1, 0),
                (2, 1000),
                (3, 2000),
                (2, 1000),
                (3, 2000),
            ]
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            db.close()

    asyncio.run(go())
