"""What people write to the bot and press, and forge: every message gets an answer that Telegram takes, and no handler fails."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from fuzz.fuzzing import fuzz
from fuzz.mutations import HOSTILE_TEXTS, text
from ytwatcher import config
from ytwatcher.app import open_app
from ytwatcher.drawing import Pictures
from ytwatcher.people import People
from ytwatcher.pictures import Charts
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.simulator.youtube import API_KEY
from ytwatcher.store import access
from ytwatcher.store.access import Limits, Role, Served
from ytwatcher.telegram.admins import Admins
from ytwatcher.telegram.bot import Bot
from ytwatcher.telegram.cards import Cards
from ytwatcher.telegram.desk import Desk
from ytwatcher.telegram.errands import Errands
from ytwatcher.telegram.request import AnswerRequest
from ytwatcher.telegram.texts import Texts

pytestmark = pytest.mark.timeout(4 * 60 * 60)  # of the full form
NOW = datetime(2026, 10, 5, 17, tzinfo=UTC)
OPERATOR, CHAT, GROUP, STRANGER = 99, 1001, -1001234567890, 666
IDS = [make_video_id(n) for n in range(8)]
PLAYLIST, CHANNEL = make_playlist_id(1), make_channel_id(1)
A_PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de")
LINES = (
    *(f"/add https://youtu.be/{IDS[0]}", f"/add {IDS[1]} views every 1000, likes change", f"/add {PLAYLIST} new", f"/add {CHANNEL}"),
    *(f"look: https://youtu.be/{IDS[2]}?si=x and youtube.com/watch?v={IDS[3]}", "/list", "/list Video", "/top 24h", "/now Video 1"),
    *(f"/remove {IDS[0]}", "/remove Video", "/rules Video 0", f"/rules {IDS[1]} views reach 1M once", "views every 5k", "likes rise 5%"),
    *(
        "/mute 2h",
        "/mute",
        "/quiet 22:00-07:00",
        "/quiet off",
        "/digest daily 18:00",
        "/digest off",
        "/timezone Europe/Berlin",
        "/timezone",
    ),
    *("/language de", "/language", "/chart Video 1 likes 7d", "/charts on", "/card", "/card off", "/quota", "/status", "/export", "/stop"),
    *(
        "/invite manager",
        "/people",
        "/limits videos 10",
        "/dismiss 5",
        "/log",
        "/for",
        "/for -1001234567890",
        "/start",
        "/start abcdef",
        "/help",
    ),
)
WORDS = ("/", "@", "\n", ",", "off", "all", "7d", "views", "Video 1", IDS[0], PLAYLIST, "@ytwatcher_sim_bot", "{say}", "%s", *HOSTILE_TEXTS)
DATA: tuple[str, ...] = (
    "list:1001/1",
    "watch:1001/1",
    "remove:1001/1",
    "removed:1001/1",
    "top:1001/1.v",
    "rules:1001/1",
    "newrule:1001/1",
    "kind:1001/1.m0_k1",
)
DATA += (
    "try:1001/1.m0_k1_1",
    "mute:1001/2",
    "zone:1001/Europe/Berlin",
    "lang:1001/de",
    "stop:1001/no",
    "why:1",
    "end:1001/1",
    "chart:1001/1",
)


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody writes, or presses the n-th newest button: with its own data, or with this."""

    chat: int
    user: int
    line: str | None
    button: int = 0
    forged: str | None = None


class TimeThatPasses:
    """A clock on which whoever waits has waited."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        return self._now

    def go_on(self, span: timedelta) -> None:
        self._now += span

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        if until is not None:
            self._now = max(self._now, until)
        await asyncio.sleep(0)


class Inside(httpx.AsyncBaseTransport):
    """Carries the bot's calls to the double by function calls, and remembers what it refused."""

    def __init__(self, double: TelegramDouble) -> None:
        self._double = httpx.ASGITransport(double.app)
        self.refused: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._double.handle_async_request(request)
        if response.status_code != httpx.codes.OK:
            self.refused.append((await response.aread()).decode())
        return response


class Blank(Pictures):
    """Draws nothing, at once: the renderer is not what is fuzzed."""

    async def png(self, _: Mapping[str, Any], *, scale: float = 1.0) -> bytes:
        return A_PIXEL


@dataclass(frozen=True, slots=True)
class Room:
    """The bot on its double."""

    clock: TimeThatPasses
    telegram: TelegramDouble
    wire: Inside
    bot: Bot
    errands: Errands
    ended: asyncio.Event
    """An errand has."""

    async def takes(self, act: Act) -> None:
        """Let one thing happen and be answered.

        Raises:
            Exception: a handler's.
        """
        self.clock.go_on(timedelta(seconds=50))
        if act.line is not None:
            self.telegram.user_writes(act.chat, act.line, user=act.user)
        else:
            buttons = [
                (message, button.data)
                for message in reversed(self.telegram.messages[-30:])
                for row in message.keyboard
                for button in row
                if message.chat_id == act.chat and button.data
            ]
            if not buttons:
                return
            message, own = buttons[act.button % len(buttons)]
            self.telegram.conversation.query(message, act.forged if act.forged is not None else str(own), act.user, "Somebody")
        pending = [update for _, update in self.telegram.updates.pending]
        self.telegram.updates.pending.clear()
        for update in pending:
            await self.bot.handle(json.loads(json.dumps(update)))
        if self.errands.busy:
            self.ended.clear()
            await self.ended.wait()
        del self.telegram.messages[:-100], self.telegram.calls[:]


@asynccontextmanager
async def _room(folder: Path) -> AsyncIterator[Room]:
    clock = TimeThatPasses()
    world = World(lambda: NOW)
    world.add_channel(CHANNEL, "A <channel> & more", handle="@handle")
    for number, video in enumerate(IDS):
        world.add_video(
            video, views=60_000, likes=900, title=f"Video {number} <b>&amp;", channel_id=CHANNEL, published_at=NOW - timedelta(days=400)
        )
    world.add_playlist(PLAYLIST, "A list", CHANNEL, IDS[4:])
    youtube, telegram = YouTubeDouble(world, clock.now), TelegramDouble(clock.now, burst=1_000)
    youtube.bucket_limits |= {"default": 10**9, "batchGetStats": 10**9}
    telegram.rates.overall_per_second = telegram.rates.group_per_minute = 10**6
    for chat in (OPERATOR, CHAT, STRANGER):
        telegram.add_chat(chat)
    telegram.add_chat(GROUP, "supergroup", "A group").bot_is_admin = True
    telegram.chats[next(chat for chat in telegram.chats if chat == GROUP)].admins.add(CHAT)
    values = {
        "YOUTUBE__BASE_URL": "http://youtube/youtube/v3",
        "YOUTUBE__API_KEY": API_KEY,
        "YOUTUBE__DAILY_UNITS": "1000000000",
        "YOUTUBE__DAILY_STATS_UNITS": "1000000000",
        "TELEGRAM__BASE_URL": "http://telegram",
        "TELEGRAM__BOT_TOKEN": BOT_TOKEN,
        "TELEGRAM__OPERATOR": f"telegram:{OPERATOR}",
        "TELEGRAM__BOT": "true",
    }
    settings = config.load(None, folder, {"HOME": str(folder), **{f"YTWATCHER_{name}": value for name, value in values.items()}})
    limits = Limits(**dict(settings.access))
    transport = httpx.ASGITransport(youtube.app)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings, clock, out=io.StringIO(), look_every=None, transport=transport))
        people = People(app.db, clock, f"telegram:{OPERATOR}", limits, "en", "UTC")
        for chat, kind in ((CHAT, "private"), (GROUP, "group")):
            await app.db.write(access.put, Served(f"telegram:{chat}", Role.USER, kind, f"Chat {chat}", None, clock.now(), limits))
        ended = asyncio.Event()
        errands, wire = Errands(ended.set), Inside(telegram)
        cards, charts = Cards(app.db, clock, app.dispatcher.slots), Charts(app.db, clock, Blank())
        desk = Desk(app.db, clock, app.watches, Texts(), f"telegram:{OPERATOR}", people, Admins(clock), charts, settings, errands, cards)
        bot = Bot("http://telegram", BOT_TOKEN, AnswerRequest(clock, app.dispatcher.slots, transport=wire), desk)
        stack.push_async_callback(bot.close)
        stack.push_async_callback(errands.close)
        await bot.connect()
        yield Room(clock, telegram, wire, bot, errands, ended)


def _act(dice: Random) -> Act:
    chat, user = dice.choice(((CHAT, CHAT), (CHAT, CHAT), (OPERATOR, OPERATOR), (GROUP, CHAT), (GROUP, STRANGER), (STRANGER, STRANGER)))
    if dice.random() < 0.65:
        line = dice.choice(LINES)
        return Act(chat, user, (text(dice, line, WORDS) if dice.random() < 0.8 else line)[:4_096])
    forged = text(dice, dice.choice(DATA), WORDS)[:64] if dice.random() < 0.5 else None
    return Act(chat, user, None, dice.randrange(30), forged)


def test_whatever_is_written_or_pressed_is_answered_in_a_way_that_telegram_takes(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    """All inputs meet one journal, which the earlier ones have changed."""
    answered = 0

    with asyncio.Runner() as runner, capture_logs() as logs:
        stack = AsyncExitStack()
        room = runner.run(stack.enter_async_context(_room(tmp_path)))

        def check(act: Act) -> None:
            nonlocal answered
            before = len(room.telegram.messages)
            runner.run(room.takes(act))
            answered += len(room.telegram.messages) > before
            assert [said for said in room.wire.refused if not _may_be_refused(said)] == []
            assert [entry for entry in logs if entry["event"] == "errand_fault"] == []
            room.wire.refused.clear()
            logs.clear()

        fuzz(sized(100, 20_000), _act, check)
        runner.run(stack.aclose())
    assert answered


def _may_be_refused(said: str) -> bool:
    return "message is not modified" in said
