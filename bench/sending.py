"""How many messages a second leave when many chats wait, within what the strict double allows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import Call, Doubles, doubles
from bench.figures import Figure, Figures, count
from bench.journals import MINUTE, fill_chats, views
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.store.db import Database, open_journal
from ytwatcher.telegram.sender import TelegramSender

SPARE = 5


def run(folder: Path, *, seconds: int = 60) -> Figures:
    """One message waits for each of more chats than can be told in that time."""
    path, chats = folder / "journal.db", (seconds + SPARE) * 30
    con = open_journal(path)
    fill_chats(con, chats, 1, "views change")
    con.close()
    with doubles(chats) as double:
        calls = asyncio.run(_measure(path, double, seconds))
    refused = sum(call.status == 429 for call in calls)
    return Figures(
        "Sending",
        f"One message waits for each of {chats:,} chats; the dispatcher sends for {seconds} s to the Telegram double, which refuses what"
        " breaks a limit (1 a second in a chat, 30 a second in all, over sliding windows).",
        [
            Figure("messages a second", count(_delivered(calls, seconds)), "30 (the limit)", "≥ 29"),
            Figure("refused (429)", str(refused), "", "0"),
        ],
        "the limit itself: a message counts from its answer on, so that no jitter of the network breaks the limit; a round trip is lost.",
    )


async def _measure(path: Path, double: Doubles, seconds: int) -> list[Call]:
    db, now = Database(path), datetime.now(UTC)
    await db.write(pipeline.accept, [views(1, now - MINUTE, 1000), views(1, now, 1001)], now)
    async with TelegramSender(double.telegram, double.token) as sender:
        running = asyncio.create_task(Dispatcher(db, SystemClock(), {"telegram": sender}, "console").run())
        await asyncio.sleep(seconds + SPARE)
        running.cancel()
        await asyncio.wait([running])
    db.close()
    return double.messages()


def _delivered(calls: list[Call], seconds: int) -> float:
    """Messages a second over the span that begins with the first one."""
    ends_at = calls[0].at + timedelta(seconds=seconds)
    return sum(call.status == 200 and call.at < ends_at for call in calls) / seconds
