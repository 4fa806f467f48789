"""One video that many chats watch: from the reading to all alerts stored, and to the first message on its way."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import Doubles, doubles
from bench.figures import Figure, Figures, count, of_rounds
from bench.journals import fill_chats, views
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.store.db import Database, open_journal, transaction
from ytwatcher.telegram.sender import TelegramSender


def run(folder: Path, *, chats: int = 100_000, seconds: float = 20, rounds: int = 7) -> Figures:
    path, now = folder / "journal.db", datetime.now(UTC)
    con = open_journal(path)
    fill_chats(con, chats, 1, "views change")
    _accept(con, path, 1000, now - timedelta(minutes=5))
    con.close()
    stored = [_stored(path, folder / f"round-{number}.db", now) for number in range(rounds)]
    with doubles(chats) as double:
        first, sent = asyncio.run(_sent(path, double, chats, seconds))
    return Figures(
        "One video, many chats",
        f"One reading of a video that {chats:,} chats watch with `views change`: all alerts are made and stored in one transaction; then"
        f" the dispatcher sends to the Telegram double (a process of its own, real HTTP). Storing is the median of {rounds} rounds, each on"
        " a fresh copy of the journal, and between what they lay.",
        [
            Figure(f"reading → {chats:,} stored alerts, in seconds", of_rounds(stored), "", "< 3 s"),
            Figure("commit → first message at the double", f"{first:.2f} s", "", "< 1 s"),
            Figure(f"messages a second in the first {seconds:.0f} s, with all others waiting", count(sent / seconds)),
        ],
        "each alert is an object made in Python and a row in a table with indexes; sending, Telegram's limit of 30 messages a second.",
    )


def _stored(path: Path, copy: Path, now: datetime) -> float:
    """The seconds that all alerts of one reading take."""
    shutil.copy(path, copy)
    con = open_journal(copy)
    began = time.perf_counter()
    _accept(con, copy, 1001, now)
    took = time.perf_counter() - began
    con.close()
    copy.unlink()
    return took


def _accept(con: sqlite3.Connection, path: Path, count: int, at: datetime) -> None:
    with transaction(con, path, "IMMEDIATE"):
        pipeline.accept(con, [views(1, at, count)], at)


async def _sent(path: Path, double: Doubles, chats: int, seconds: float) -> tuple[float, int]:
    """The seconds from the commit to the first message at the double, and how many came in all the time."""
    db, clock = Database(path), SystemClock()
    async with TelegramSender(double.telegram, double.token) as sender:
        dispatcher = Dispatcher(db, clock, {"telegram": sender}, "console")
        running = asyncio.create_task(dispatcher.run())
        now = datetime.now(UTC)
        accepted = await db.write(pipeline.accept, [views(1, now, 1001)], now)
        committed_at = datetime.now(UTC)
        assert len(accepted.alerts) == chats
        dispatcher.wake.set()
        await asyncio.sleep(seconds)
        calls = double.messages()
        running.cancel()
        await asyncio.wait([running])
    db.close()
    assert all(call.status == 200 for call in calls)
    return (min(call.at for call in calls) - committed_at).total_seconds(), len(calls)
