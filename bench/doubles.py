"""The doubles in a process of their own, so that what is measured does not pay for them."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from ytwatcher.clock import SystemClock
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_video_id, serve
from ytwatcher.simulator.growth import Growth

KEY = "BENCH-key"
PLENTY = 10**9


class Call(NamedTuple):
    """A message as the double met it: when (by the doubles' clock), for which chat, and its HTTP status."""

    at: datetime
    chat: int
    status: int


class Pace(NamedTuple):
    """The doubles' clock: from `epoch` at the wall time `real_start` on it is so many times faster; the default is the wall clock."""

    speed: float = 1.0
    epoch: datetime | None = None
    real_start: float | None = None

    def clock(self) -> SystemClock:
        return SystemClock(*self)


@dataclass
class Doubles:
    """Both doubles, from outside."""

    youtube: str
    telegram: str
    token: str
    _pipe: Connection

    def messages(self) -> list[Call]:
        """All calls of sendMessage so far."""
        return [Call(*one) for one in self._ask("messages")]

    def asked(self) -> list[datetime]:
        """When YouTube was asked for something."""
        found: list[datetime] = self._ask("asked")
        return found

    def write(self, chat: int, text: str) -> datetime:
        """Somebody writes to the bot; the instant at which Telegram has it."""
        at: datetime = self._ask((chat, text))
        return at

    def _ask(self, what: str | tuple[int, str]) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


@contextlib.contextmanager
def doubles(chats: int, videos: int = 0, pace: Pace = Pace()) -> Iterator[Doubles]:  # noqa: B008 - a constant
    """The strict doubles with private chats 1, 2, 3 … and with growing videos."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, chats, videos, pace))
    process.start()
    try:
        youtube, telegram, token = ours.recv()
        yield Doubles(youtube, telegram, token, ours)
        ours.send("end")
    finally:
        process.join(10)
        process.kill()


def _serve(pipe: Connection, chats: int, videos: int, pace: Pace) -> None:
    asyncio.run(_both(pipe, chats, videos, pace))


async def _both(pipe: Connection, chats: int, videos: int, pace: Pace) -> None:
    now = pace.clock().now if pace.epoch else lambda: datetime.now(UTC)
    world = World(now)
    for number in range(videos):
        age = timedelta(days=100 + number)
        growth = Growth.of_rate(60 + 20 * number, age)
        world.add_video(make_video_id(number), views=100_000, likes=3_000, comments=300, published_at=now() - age, growth=growth)
    youtube, telegram = YouTubeDouble(world, now, api_keys=[KEY]), TelegramDouble(now)
    youtube.bucket_limits = dict.fromkeys(youtube.bucket_limits, PLENTY)
    for chat in range(1, chats + 1):
        telegram.add_chat(chat)
    async with serve(youtube.app) as youtube_url, serve(telegram.app) as telegram_url:
        pipe.send((f"{youtube_url}/youtube/v3", telegram_url, telegram.token))
        while (asked := await asyncio.to_thread(pipe.recv)) != "end":
            if isinstance(asked, tuple):
                pipe.send(now())
                telegram.user_writes(*asked)
            elif asked == "messages":
                sent = [call for call in telegram.calls if call.method == "sendMessage"]
                pipe.send([(call.at, int(call.arguments["chat_id"]), call.status) for call in sent])
            else:
                pipe.send([call.at for call in youtube.calls])
