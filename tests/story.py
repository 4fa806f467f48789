"""The whole app on a virtual clock, between doubles of both services over real HTTP: acceptance tests told in times."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from served import simulated
from virtual_clock import VirtualClock
from ytwatcher import config
from ytwatcher.app import App, open_app
from ytwatcher.core.quota import Bucket, Ledger
from ytwatcher.settings import Settings
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_video_id, serve
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.simulator.world import SimVideo
from ytwatcher.simulator.youtube import Call
from ytwatcher.store import access
from ytwatcher.store.access import Limits, Role, Served

START = datetime(2026, 10, 5, 17, tzinfo=UTC)
"""A Monday, 10:00 Pacific daylight time."""
OPERATOR, CHAT = 99, 1001
LOOPS = 4
SLOWLY = (("POLL__MIN_INTERVAL", "1h"),)
"""For stories of days in which nothing hangs on a reading every few minutes."""
OLD = START - timedelta(days=400)


class Story:
    """What a test does and sees. Times are absolute, or texts like `11:30` and `+2 12:00` (two days after the start, UTC)."""

    app: App

    def __init__(
        self,
        clock: VirtualClock,
        world: World,
        youtube: YouTubeDouble,
        telegram: TelegramDouble,
        settings: Settings,
        telegram_served: AsyncExitStack,
    ) -> None:
        self.clock, self.world, self.youtube, self.telegram = clock, world, youtube, telegram
        self.start_at = clock.now()
        self.console = io.StringIO()
        self._settings = settings
        self._telegram_served = telegram_served
        self._opened = AsyncExitStack()
        self._running: asyncio.Task[None] | None = None

    def video(self, n: int, **values: Any) -> SimVideo:
        """The n-th video is put into the world: an old one, unless said otherwise."""
        return self.world.add_video(make_video_id(n), **{"title": f"Video {n}", "published_at": OLD, **values})

    def at(self, text: str | datetime) -> datetime:
        if isinstance(text, datetime):
            return text
        days, _, time = text.rpartition(" ")
        hours, minutes = time.split(":")
        midnight = self.start_at.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes))

    async def until(self, text: str | datetime) -> None:
        """Let everything happen that happens up to then; while the app is stopped time simply passes."""
        moving = asyncio.create_task(self.clock.run_until(self.at(text)))
        loops = [self._running] if self._running is not None else []
        done, _ = await asyncio.wait([moving, *loops], return_when=asyncio.FIRST_COMPLETED)
        if moving not in done:
            moving.cancel()
        for task in done:
            task.result()

    async def add(self, target: str, *rules: str, to: str = f"telegram:{CHAT}") -> dict[str, Any]:
        outcome = await self.app.perform("add", {"text": target, "rules": list(rules), "to": to})
        assert "ok" in outcome, outcome
        answer: dict[str, Any] = outcome["ok"]
        return answer

    async def ask(self, kind: str, **payload: Any) -> dict[str, Any]:
        """What a command of that kind is answered, as it would be printed."""
        return await self.app.perform(kind, payload)

    async def let_in(self, chat: int, role: Role = Role.USER, kind: str = "private") -> None:
        """The chat has access, as if it had used an invitation."""
        served = Served(f"telegram:{chat}", role, kind, f"Chat {chat}", None, self.clock.now(), Limits(50, 250, 200))
        await self.app.db.write(access.put, served)

    def is_asked(self) -> bool:
        """Whether somebody waits for the bot's answer."""
        newest = self.app.talk.newest if self.app.talk is not None else 0
        return self._settings.telegram.bot and any(one["update_id"] > newest for _, one in self.telegram.updates.pending)

    async def writes(self, text: str, chat: int = CHAT, **more: Any) -> list[Delivered]:
        """Somebody writes in a chat: what the bot says or changes there before all is quiet again."""
        return await self._seen(chat, lambda: self.telegram.user_writes(chat, text, **more))

    async def presses(self, button: str, chat: int = CHAT, **more: Any) -> list[Delivered]:
        """Somebody presses the newest button of that text, likewise."""
        return await self._seen(chat, lambda: self.telegram.user_presses(chat, button, **more))

    async def _seen(self, chat: int, act: Callable[[], object]) -> list[Delivered]:
        before = set(self.telegram.messages)
        act()
        await self.clock.rest()
        return [message for message in self.telegram.messages if message.chat_id == chat and message not in before]

    async def telegram_away(self) -> None:
        """Nothing listens any more where Telegram was."""
        await self._telegram_served.aclose()

    async def telegram_back(self) -> None:
        port = urlsplit(self._settings.telegram.base_url).port
        await self._telegram_served.enter_async_context(serve(self.telegram.app, port or 0))

    def told(self, chat: int = CHAT, since: str | datetime | None = None) -> list[str]:
        """The messages that arrived in a chat, as shown there."""
        since_at = self.start_at if since is None else self.at(since)
        return [m.shown for m in self.telegram.messages if m.chat_id == chat and m.at >= since_at]

    def when(self, chat: int = CHAT) -> list[datetime]:
        return [m.at for m in self.telegram.messages if m.chat_id == chat]

    def calls(self, method: str = "", since: str | datetime | None = None, until: str | datetime | None = None) -> list[Call]:
        """The calls that YouTube saw, of one method or of all, in [since, until)."""
        since_at = self.start_at if since is None else self.at(since)
        until_at = datetime.max.replace(tzinfo=UTC) if until is None else self.at(until)
        return [call for call in self.youtube.calls if method in ("", call.method) and since_at <= call.at < until_at]

    async def ledger(self, bucket: Bucket) -> Ledger:
        """What the app has counted of a bucket today."""
        return await self.app.db.read(self.app.reader.ledger, bucket, self.clock.now())

    async def run(self) -> None:
        self.app = await self._opened.enter_async_context(open_app(self._settings, self.clock, out=self.console, look_every=None))
        self.clock.loops = LOOPS + self._settings.telegram.bot  # the loop of its cards
        self._running = asyncio.create_task(self.app.run())
        await self.clock.rest()

    async def stop(self) -> None:
        """The process ends as it does when it is told to; its journal stays."""
        if self._running is not None:
            self.app.stop()
            await self._running
            self._running = None
        self.clock.loops = 0
        await self._opened.aclose()

    async def restart(self) -> None:
        await self.stop()
        await self.run()


@contextlib.asynccontextmanager
async def story(
    folder: Path, *, start: datetime = START, settings: Sequence[tuple[str, str]] = (), burst: int = 1, invited: Sequence[int] = (CHAT,)
) -> AsyncIterator[Story]:
    """A running app with an empty journal in `folder`; chats CHAT and OPERATOR are there. `settings`: variables without their prefix.

    Args:
        invited: the private chats that were let in before, as users.
        burst: of the Telegram double: how many messages in as many seconds a chat takes; a talk needs more than one.
    """
    clock = VirtualClock(start, loops=LOOPS)
    world = World(clock.now)
    youtube, telegram = YouTubeDouble(world, clock.now), TelegramDouble(clock.now, burst=burst)
    telegram.add_chat(CHAT)
    telegram.add_chat(OPERATOR)
    async with AsyncExitStack() as stack:
        youtube_url = await stack.enter_async_context(serve(youtube.app))
        telegram_served = await stack.enter_async_context(AsyncExitStack())
        telegram_url = await telegram_served.enter_async_context(serve(telegram.app))
        env = {
            **simulated(folder, youtube_url, telegram_url),
            "YTWATCHER_TELEGRAM__OPERATOR": f"telegram:{OPERATOR}",
            "YTWATCHER_TELEGRAM__BOT": "false",
            **{f"YTWATCHER_{name}": value for name, value in settings},
        }
        told = Story(clock, world, youtube, telegram, config.load(None, folder, env), telegram_served)
        clock.busy.append(lambda: told.app.dispatcher.busy)
        clock.busy.append(told.is_asked)
        clock.busy.append(lambda: told.app.talk is not None and told.app.talk.busy)
        await told.run()
        for chat in invited:
            await told.let_in(chat)
        try:
            yield told
        finally:
            await told.stop()


def played(
    *, start: datetime = START, settings: Sequence[tuple[str, str]] = (), burst: int = 1, invited: Sequence[int] = (CHAT,)
) -> Callable[[Callable[[Story], Awaitable[None]]], Callable[[Path], None]]:
    """Makes a test of an asynchronous function that takes a running story."""

    def made(tell: Callable[[Story], Awaitable[None]]) -> Callable[[Path], None]:
        def test(tmp_path: Path) -> None:
            async def go() -> None:
                async with story(tmp_path, start=start, settings=settings, burst=burst, invited=invited) as s:
                    await tell(s)

            asyncio.run(go())

        test.__name__ = tell.__name__
        return test

    return made
