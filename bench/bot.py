"""Many people at once at the bot while alerts flow: how soon each is answered, and what it takes; charts; the idle program with the bot."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import KEY, Call, Doubles, doubles
from bench.figures import Figure, Figures, count, megabytes, milliseconds, quantile
from bench.journals import fill_chats, views
from bench.memory import resident
from ytwatcher import pipeline
from ytwatcher.charts import Chart, Point, Series, specification
from ytwatcher.clock import SystemClock
from ytwatcher.drawing import Pictures
from ytwatcher.store import access, requests
from ytwatcher.store.access import Limits, Role, Served
from ytwatcher.store.db import Database, open_journal

TOLD = 50
"""Chats beside the others that alerts go to, so that an alert is not taken for an answer."""
COMMANDS = ("/help", "/list", "/now", "/rules", "/quota", "/mute", "/start")
LATEST = timedelta(seconds=30)
"""What is not answered by then counts as never."""


def run(
    folder: Path, *, chats: int = 1000, commands_a_second: float = 20, alerts_a_second: float = 5, seconds: float = 60, idle: float = 10
) -> Figures:
    path = folder / "ytwatcher.db"
    _fill(path, chats + TOLD)
    with doubles(chats + TOLD) as double:
        process = _started(folder, double, chats + TOLD)
        try:
            time.sleep(idle)
            before = resident(process.pid)
            answers, told = asyncio.run(_crowd(path, double, process, chats, commands_a_second, alerts_a_second, seconds))
            after = resident(process.pid)
        finally:
            process.terminate()
            process.wait(30)
    cold, warm = asyncio.run(_drawn())
    asked = round(commands_a_second * seconds)
    return Figures(
        "The bot",
        f"`ytwatcher run` with the bot on; {chats} private chats together write {commands_a_second:g} commands a second"
        f" ({', '.join(COMMANDS)}) for {seconds:.0f} s, while {alerts_a_second:g} alerts a second are sent."
        " From the instant at which Telegram (the double, a process of its own) has what was written, to that at which it has the answer. A"
        " chart has 500 readings.",
        [
            Figure("answer, median", milliseconds(quantile(answers, 0.5))),
            Figure("answer, 99th percentile", milliseconds(quantile(answers, 0.99)), "", "< 300 ms"),
            Figure("answered", f"{count(len(answers))} of {count(asked)}", "", "all"),
            Figure("messages with alerts meanwhile", count(told)),
            Figure(f"memory {idle:.0f} s after the start", megabytes(before), "", "< 100 MB"),
            Figure(f"memory after {seconds:.0f} s of this", megabytes(after), megabytes(before), "flat"),
            Figure("a chart, with the start of what draws", milliseconds(cold), "", "< 1,500 ms"),
            Figure("a chart after that, median", milliseconds(warm), "", "< 300 ms"),
        ],
        "a batch of updates is taken in one transaction that waits for the disk (`synchronous=FULL`), then chats are answered side by"
        " side, each in its order.",
    )


def _fill(path: Path, chats: int) -> None:
    """Every chat was let in and watches a video."""
    con = open_journal(path)
    fill_chats(con, chats, chats, "views change")
    now = datetime.now(UTC)
    for chat in range(1, chats + 1):
        access.put(con, Served(f"telegram:{chat}", Role.USER, "private", f"Chat {chat}", None, now, Limits(50, 250, 10_000)))
    con.close()


def _started(folder: Path, both: Doubles, operator: int) -> subprocess.Popen[bytes]:
    env = {
        **os.environ,
        "YTWATCHER_DATA__DIR": str(folder),
        "YTWATCHER_YOUTUBE__BASE_URL": both.youtube,
        "YTWATCHER_YOUTUBE__API_KEY": KEY,
        "YTWATCHER_TELEGRAM__BASE_URL": both.telegram,
        "YTWATCHER_TELEGRAM__BOT_TOKEN": both.token,
        "YTWATCHER_TELEGRAM__OPERATOR": f"telegram:{operator}",
        "YTWATCHER_TELEGRAM__BOT": "true",
    }
    return subprocess.Popen([sys.executable, "-m", "ytwatcher", "run"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _crowd(
    path: Path, double: Doubles, process: subprocess.Popen[bytes], chats: int, commands: float, alerts: float, seconds: float
) -> tuple[list[float], int]:
    """How long each answer took, in seconds; and how many messages with alerts there were."""
    db, clock = Database(path), SystemClock()
    written: list[tuple[int, datetime]] = []

    async def write(number: int) -> None:
        chat = 1 + number * 7 % chats
        written.append((chat, double.write(chat, COMMANDS[number % len(COMMANDS)])))

    async def alert(number: int) -> None:
        now = clock.now()
        await db.write(pipeline.accept, [views(chats + 1 + number % TOLD, now, 1_000 + number)], now)
        await db.write(requests.put, "poke", {}, now)

    await asyncio.gather(_paced(write, commands, seconds), _paced(alert, alerts, seconds))
    ends_at = clock.now() + LATEST
    while len(found := _waits(written, double.messages())) < len(written) and clock.now() < ends_at:
        assert process.poll() is None, "the program has ended"
        await asyncio.sleep(0.5)
    db.close()
    return found, len([call for call in double.messages() if call.chat > chats])


async def _paced(act: Callable[[int], Awaitable[None]], a_second: float, seconds: float) -> None:
    began = time.perf_counter()
    for number in range(round(a_second * seconds)):
        await asyncio.sleep(max(0.0, began + number / a_second - time.perf_counter()))
        await act(number)


def _waits(written: list[tuple[int, datetime]], calls: list[Call]) -> list[float]:
    """From what was written to the next message in that chat; what has none is left out."""
    said: dict[int, list[datetime]] = {}
    for call in calls:
        said.setdefault(call.chat, []).append(call.at)
    answers = [(at, next((there for there in said.get(chat, ()) if there >= at), None)) for chat, at in written]
    return [(there - at).total_seconds() for at, there in answers if there is not None]


async def _drawn(times: int = 5) -> tuple[float, float]:
    """The seconds of the first chart, which starts the child, and the median of those behind it."""
    start, pictures, took = datetime(2026, 10, 5, tzinfo=UTC), Pictures(), []
    points = [Point(start + timedelta(minutes=3 * n), 100_000.0 + 40 * n) for n in range(500)]
    try:
        for _ in range(1 + times):
            began = time.perf_counter()
            await pictures.png(specification(Chart("A title", "views", [Series("views", points)])))
            took.append(time.perf_counter() - began)
    finally:
        await pictures.close()
    return took[0], statistics.median(took[1:])
