"""From an accepted reading to the request at Telegram, by each of the ways: embedded alone, beside Kafka, and through Flink."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import Call, Doubles, doubles
from bench.figures import Figure, Figures, megabytes, milliseconds, quantile
from bench.journals import fill_chats, video, views
from bench.memory import resident
from stack import Stack
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import to_ms
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.settings import Streaming
from ytwatcher.store.db import Database, open_journal
from ytwatcher.streaming import engines, schemas, topics
from ytwatcher.streaming.engines.flink import Flink
from ytwatcher.streaming.engines.rest import Rest
from ytwatcher.streaming.outbound import Outbound
from ytwatcher.streaming.publisher import Publisher
from ytwatcher.streaming.vectors.bench import Bench
from ytwatcher.telegram.sender import TelegramSender

CHATS = 40
LATE = 60.0


def run(folder: Path, *, readings: int = 400, a_second: float = 10) -> Figures:
    """So many readings, each of which one chat is told of."""
    stack = Stack(folder / "stack")
    try:
        at = stack.up()
        streaming = Streaming(
            bootstrap=at.bootstrap, registry_url=at.registry, prefix="bench_", flink_url=at.flink, flink_gateway_url=at.gateway
        )
        topics.ensure(streaming)
        schemas.ensure(streaming)
        told = {
            "embedded": _told(folder, None, readings, a_second),
            "embedded, published to Kafka": _told(folder, streaming, readings, a_second),
        }
        with _engine(streaming):
            memory = {part: resident(process) for part, process in stack.running().items()}
            told["Kafka, Flink (exactly-once, 1 s), Kafka"] = _told(folder, streaming, readings, a_second, judged_there=True)
    finally:
        stack.reset()
    return Figures(
        "From a reading to Telegram, by each way",
        f"{a_second:g} readings a second, {readings} in all, each of which one of {CHATS} chats is told of; from the reading's"
        " being handed to `pipeline.accept` to the request at the Telegram double. Every part is a real one, of one node, on this machine.",
        [
            *(
                Figure(f"{way}: median, 99th percentile", f"{milliseconds(quantile(waits, 0.5))}, {milliseconds(quantile(waits, 0.99))}")
                for way, waits in told.items()
            ),
            *(Figure(f"memory: {part}", megabytes(size)) for part, size in memory.items()),
        ],
        "with Flink, its checkpoints: what it finds is committed, and can be read, once a second.",
    )


@contextmanager
def _engine(streaming: Streaming) -> Iterator[None]:
    """Flink's job runs, and knows every chat's rule."""
    asyncio.run(_carry_out(streaming, end=False))
    with Bench(streaming) as bench:
        try:
            for number in range(1, CHATS + 1):
                change = {"METRIC": "views", "KIND": "change", "N": 0, "SINCE": 0, "UNTIL": None}
                bench.rules(video(number), [{"RULE_ID": f"r{number}", "CHAT_ID": str(number), **change}])
            bench.await_rules()
            yield
        finally:
            asyncio.run(_carry_out(streaming, end=True))


async def _carry_out(streaming: Streaming, *, end: bool) -> None:
    async with (
        Rest("Flink's gateway", str(streaming.flink_gateway_url), setting="streaming.flink_gateway_url") as gateway,
        Rest("Flink", str(streaming.flink_url), setting="streaming.flink_url") as manager,
    ):
        engine = Flink(gateway, manager, engines.deployment(streaming))
        await engine.carry_out(await engine.plan(end=end))


def _told(folder: Path, streaming: Streaming | None, readings: int, a_second: float, *, judged_there: bool = False) -> list[float]:
    """How long each reading's message took, in seconds."""
    path = folder / f"{time.time_ns()}.db"
    con = open_journal(path)
    fill_chats(con, CHATS, CHATS, "views change")
    con.close()
    with doubles(CHATS) as both:
        return asyncio.run(_measure(path, both, streaming, readings, a_second, judged_there))


async def _measure(
    path: Path, both: Doubles, streaming: Streaming | None, readings: int, a_second: float, judged_there: bool
) -> list[float]:
    db, publish = Database(path), streaming is not None
    before = datetime.now(UTC) - timedelta(minutes=1)
    await db.write(pipeline.accept, [views(number, before, 1000) for number in range(1, CHATS + 1)], before, publish=publish)
    if judged_there:
        await db.write(lambda con: con.execute("UPDATE rule_state SET engine_since = ?", (to_ms(before) + 1,)))
    asked: list[datetime] = []
    async with _running(db, both, streaming) as (dispatcher, publisher):
        await asyncio.sleep(5)  # the consumer has found its topic, and the first readings are published
        for number in range(readings):
            now = datetime.now(UTC)
            asked.append(now)
            reading = views(number % CHATS + 1, now, 1001 + number)
            await db.write(pipeline.accept, [reading], now, publish=publish)
            dispatcher.wake.set()
            if publisher is not None:
                publisher.wake.set()
            await asyncio.sleep(1 / a_second)
        calls = await _arrived(both, readings)
    db.close()
    return _waits(asked, calls)


async def _arrived(both: Doubles, least: int) -> list[Call]:
    ends_at = time.monotonic() + LATE
    while len(calls := both.messages()) < least:  # the double is a process of its own: there is nothing here to be woken by
        if time.monotonic() > ends_at:
            raise TimeoutError(f"{len(calls)} of {least} messages have come after {LATE:.0f} s")
        await asyncio.sleep(0.2)
    return calls


@asynccontextmanager
async def _running(db: Database, both: Doubles, streaming: Streaming | None) -> AsyncIterator[tuple[Dispatcher, Publisher | None]]:
    async def notify(key: str, text: str) -> None:
        raise AssertionError(text)

    clock = SystemClock()
    async with TelegramSender(both.telegram, both.token) as sender:
        dispatcher, publisher = Dispatcher(db, clock, {"telegram": sender}, "console"), None
        loops: list[Awaitable[None]] = [dispatcher.run()]
        if streaming is not None:
            publisher = Publisher(db, clock, streaming, notify)
            loops += [publisher.run(), Outbound(db, clock, streaming, dispatcher.wake.set).run()]
        tasks = [asyncio.ensure_future(loop) for loop in loops]
        try:
            yield dispatcher, publisher
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


def _waits(asked: Sequence[datetime], calls: Sequence[Call]) -> list[float]:
    """A chat's messages come in the order of its readings."""
    there: dict[int, list[datetime]] = {}
    for call in calls:
        there.setdefault(call.chat, []).append(call.at)
    return [(there[number % CHATS + 1][number // CHATS] - at).total_seconds() for number, at in enumerate(asked)]
