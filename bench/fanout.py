"""One video that many chats watch: from the reading to all alerts stored, and to the first message on its way."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import Doubles, doubles
from bench.figures import Figure, Figures, count
from bench.journals import fill_chats, views
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.store.db import Database, open_journal
from ytwatcher.telegram.sender import TelegramSender


def run(folder: Path, *, chats: int = 100_000, seconds: float = 20) -> Figures:
    path = folder / "journal.db"
    con = open_journal(path)
    fill_chats(con, chats, 1, "views change")
    con.close()
    with doubles(chats) as double:
        stored, first, sent = asyncio.run(_measure(path, double, chats, seconds))
    return Figures(
        "One video, many chats",
        f"One reading of a video that {chats:,} chats watch with `views change`: all alerts are made and stored in one transaction; then"
        " the dispatcher sends to the Telegram double (a process of its own, real HTTP).",
        [
            Figure(f"reading → {chats:,} stored alerts", f"{stored:.2f} s", "", "< 3 s"),
            Figure("commit → first message at the double", f"{first:.2f} s", "", "< 1 s"),
            Figure(f"messages a second in the first {seconds:.0f} s, with all others waiting", count(sent / seconds)),
        ],
        "each alert is an object made in Python and a row in a table with indexes; sending, Telegram's limit of 30 messages a second.",
    )


async def _measure(path: Path, double: Doubles, chats: int, seconds: float) -> tuple[float, float, int]:
    db, clock = Database(path), SystemClock()
    now = datetime.now(UTC)
    async with TelegramSender(double.telegram, double.token) as sender:
        dispatcher = Dispatcher(db, clock, {"telegram": sender}, "console")
        running = asyncio.create_task(dispatcher.run())
        await db.write(pipeline.accept, [views(1, now - timedelta(minutes=5), 1000)], now)
        began = time.perf_counter()
        accepted = await db.write(pipeline.accept, [views(1, now, 1001)], now)
        took, committed_at = time.perf_counter() - began, datetime.now(UTC)
        assert len(accepted.alerts) == chats
        dispatcher.wake.set()
        await asyncio.sleep(seconds)
        calls = double.messages()
        running.cancel()
        await asyncio.wait([running])
    db.close()
    assert all(call.status == 200 for call in calls)
    return took, (min(call.at for call in calls) - committed_at).total_seconds(), len(calls)
