"""From YouTube's answer to the request at Telegram, at a steady pace over many chats."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import Call, Doubles, doubles
from bench.figures import Figure, Figures, milliseconds, quantile
from bench.journals import fill_chats, video
from ytwatcher import pipeline
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import Lane, VideoId
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.store.db import Database, open_journal
from ytwatcher.telegram.sender import TelegramSender
from ytwatcher.youtube import parse

IDS = 50
"""Videos in an answer; one of them has changed."""


def run(folder: Path, *, chats: int = 200, alerts_a_second: float = 20, seconds: float = 30) -> Figures:
    path = folder / "journal.db"
    con = open_journal(path)
    fill_chats(con, chats, chats, "views change")
    con.close()
    with doubles(chats) as double:
        waits = asyncio.run(_measure(path, double, chats, alerts_a_second, seconds))
    return Figures(
        "From an answer to Telegram",
        f"{alerts_a_second:.0f} answers a second for {seconds:.0f} s, each with views, likes and comments of {IDS} videos of which one has"
        f" changed, over {chats} chats. Measured from the answer's bytes (parsed, accepted, stored, alert made, message rendered and"
        " stored) to the instant at which the Telegram double (a process of its own, real HTTP) has the request.",
        [
            Figure("median", milliseconds(quantile(waits, 0.5))),
            Figure("99th percentile", milliseconds(quantile(waits, 0.99)), "", "< 20 ms"),
        ],
        "the processor, in Python: fifty readings are parsed, judged and stored, an alert and a message made of one, stored and sent. Three"
        " transactions wait for the disk as well: the readings with their alert, the message, the mark of the one before.",
    )


async def _measure(path: Path, double: Doubles, chats: int, alerts_a_second: float, seconds: float) -> list[float]:
    db, clock, counts = Database(path), SystemClock(), [1000] * chats
    ids = [VideoId(video(number)) for number in range(1, chats + 1)]
    answered: dict[int, list[datetime]] = {chat: [] for chat in range(1, chats + 1)}
    for first in range(0, chats, IDS):
        some = ids[first : first + IDS]
        await _accept(db, some, _answer(some, counts[first : first + IDS]), datetime.now(UTC) - timedelta(hours=1))
    async with TelegramSender(double.telegram, double.token) as sender:
        dispatcher = Dispatcher(db, clock, {"telegram": sender}, "console")
        running = asyncio.create_task(dispatcher.run())
        began = time.perf_counter()
        for number in range(round(alerts_a_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / alerts_a_second - time.perf_counter()))
            changed = number * 7 % chats
            counts[changed] += 1
            first = changed // IDS * IDS
            some = ids[first : first + IDS]
            body = _answer(some, counts[first : first + IDS])
            now = datetime.now(UTC)
            answered[changed + 1].append(now)
            await _accept(db, some, body, now)
            dispatcher.wake.set()
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
    db.close()
    return _waits(answered, double.messages())


def _answer(ids: Sequence[VideoId], counts: Sequence[int]) -> bytes:
    items = [
        {"id": one, "statistics": {"viewCount": str(count), "likeCount": "52", "commentCount": "7"}}
        for one, count in zip(ids, counts, strict=True)
    ]
    return json.dumps({"items": items}).encode()


async def _accept(db: Database, ids: Sequence[VideoId], body: bytes, at: datetime) -> None:
    answer = parse.stats_answer(json.loads(body), ids)
    await db.write(pipeline.accept, [item.reading(at, Lane.STATISTICS) for item in answer.items.values()], at)


def _waits(answered: dict[int, list[datetime]], calls: list[Call]) -> list[float]:
    """How long each answer's message took; a chat's messages come in the order of its answers."""
    told: dict[int, list[datetime]] = {chat: [] for chat in answered}
    for call in calls:
        told[call.chat].append(call.at)
    return [
        (there - asked).total_seconds() for chat, instants in answered.items() for asked, there in zip(instants, told[chat], strict=True)
    ]
