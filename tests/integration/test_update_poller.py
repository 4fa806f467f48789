"""The loop that fetches what people write, against the double over real HTTP: what goes wrong is told in clear words, once a day; nothing
is skipped, nothing applied twice, and nothing asked for without a pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ytwatcher.clock import Clock, SystemClock
from ytwatcher.errors import DiskFullError, StorageError
from ytwatcher.simulator import TelegramDouble, serve
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.store import conversation, recipients
from ytwatcher.store.db import Database
from ytwatcher.telegram.lanes import chat_in
from ytwatcher.telegram.setup import BotSetup, TelegramError
from ytwatcher.telegram.updates import UpdatePoller

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
CHAT, OTHER = 1001, 1002
FAST = 300.0
"""Pauses of half a minute pass in a tenth of a second."""


class SkippingClock:
    """Time passes in waits only, and at once."""

    def __init__(self) -> None:
        self._now = NOON

    def now(self) -> datetime:
        return self._now

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        assert until is not None and wake is None
        self._now = max(self._now, until)
        await asyncio.sleep(0)


class Stage:
    """A poller with a journal, on a fast clock; what it hands on is in `handled`, what it tells the operator in `notices`."""

    def __init__(self, folder: Path, url: str, clock: Clock, double: TelegramDouble) -> None:
        self.db, self.clock, self.double = Database(folder / "journal.db"), clock, double
        self.url, self.setup = url, BotSetup(url, BOT_TOKEN)
        self.handled: list[int] = []
        self.notices: list[str] = []
        self.told = 0
        self.fault: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.away: Callable[[], None] = lambda: None
        self.poller = self.anew()

    def anew(self) -> UpdatePoller:
        return UpdatePoller(self.setup, self.db, self.clock, self._prepare, self._handle, self._notify, self._tell)

    async def _prepare(self) -> None:
        self.away()

    async def _handle(self, update: Mapping[str, Any]) -> None:
        self.fault(update)
        self.handled.append(update["update_id"])

    async def _notify(self, key: str, text: str) -> None:
        if await self.db.write(recipients.add_notice, key, text, "telegram:99", self.clock.now()):
            self.notices.append(text)

    def _tell(self) -> None:
        self.told += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the poller run until something is so; it is asked again and again, for at most two minutes."""
        async with asyncio.timeout(120):
            while not condition():
                assert not self.running.done(), self.running.exception()
                await asyncio.sleep(0.005)

    @property
    def conflicts(self) -> int:
        return len([call for call in self.double.calls if call.status == 409])

    @contextlib.asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        self.running = asyncio.create_task(self.poller.run())
        try:
            yield
        finally:
            self.running.cancel()
            await asyncio.wait([self.running])


Play = Callable[[Stage], Awaitable[None]]


def play(folder: Path, tell: Play, *, app: Starlette | None = None, skipping: bool = False) -> None:
    """Run a scene against the double, or against another server in its place."""

    async def go() -> None:
        clock: Clock = SkippingClock() if skipping else SystemClock(FAST, NOON)
        double = TelegramDouble(clock.now)
        double.add_chat(CHAT)
        async with serve(app or double.app) as url:
            s = Stage(folder, url, clock, double)
            async with s.setup:
                await tell(s)
            s.db.close()

    asyncio.run(go())


def server(answer: Callable[[int, dict[str, Any]], Response]) -> tuple[Starlette, list[dict[str, Any]]]:
    """A server that answers as told: the number of the call and what was asked; and all that it was asked."""
    asked: list[dict[str, Any]] = []

    async def respond(request: Request) -> Response:
        asked.append(await request.json())
        return answer(len(asked), asked[-1])

    return Starlette(routes=[Route("/{path:path}", respond, methods=["POST"])]), asked


def updates(*found: Any) -> Response:
    return Response(json.dumps({"ok": True, "result": list(found)}), media_type="application/json")


def message(update_id: int) -> dict[str, Any]:
    return {"update_id": update_id, "message": {"text": "hi"}}


def test_a_second_poller_is_told_once_and_what_people_wrote_is_handled_once(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        async with s.polling(), BotSetup(s.url, BOT_TOKEN) as other:
            while s.conflicts < 3:
                await s.until(lambda: s.double.updates.polled)
                await other.updates(0, 0)  # the newer call ends ours
            first = s.double.user_writes(CHAT, "one")
            await s.until(lambda: s.handled == [first])
        assert len(s.notices) == 1
        assert "Another program asks for this bot's updates" in s.notices[0]

    play(tmp_path, tell)


def test_a_webhook_left_behind_is_named_and_when_it_is_gone_all_goes_on(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        s.double.webhook = {"url": "https://hooks.example/secret-path"}
        first = s.double.user_writes(CHAT, "waits")
        async with s.polling():
            await s.until(lambda: s.conflicts >= 3)
            assert s.handled == []
            s.double.webhook = {}
            await s.until(lambda: s.handled == [first])
        assert len(s.notices) == 1
        assert "A webhook on hooks.example takes this bot's updates" in s.notices[0]
        assert "secret-path" not in s.notices[0]

    play(tmp_path, tell)


def test_a_webhook_after_a_second_poller_is_told_the_same_day(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        async with s.polling(), BotSetup(s.url, BOT_TOKEN) as other:
            await s.until(lambda: s.double.updates.polled)
            await other.updates(0, 0)
            await s.until(lambda: len(s.notices) == 1)
            s.double.webhook = {"url": "https://hooks.example/"}
            await s.until(lambda: len(s.notices) == 2)
        assert "webhook" in s.notices[1]

    play(tmp_path, tell)


def test_a_token_refused_in_the_middle_is_told_once_and_nothing_is_lost(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        async with s.polling():
            first = s.double.user_writes(CHAT, "before")
            await s.until(lambda: s.handled == [first])
            await s.until(lambda: s.double.updates.polled)
            refused = s.double.fail("getUpdates", "unauthorized401")
            second = s.double.user_writes(CHAT, "the poll in hand brings it")
            await s.until(lambda: s.handled == [first, second])
            await s.until(lambda: len([call for call in s.double.calls if call.fault == refused.kind]) >= 2)
            third = s.double.user_writes(CHAT, "meanwhile")
            s.double.clear()
            await s.until(lambda: s.handled == [first, second, third])
        assert len(s.notices) == 1
        assert "Telegram refuses the bot token" in s.notices[0]
        assert "ytwatcher init --force" in s.notices[0]
        assert BOT_TOKEN not in s.notices[0]

    play(tmp_path, tell)


def test_what_still_fails_on_the_next_day_is_told_again(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        s.double.fail("getUpdates", "unauthorized401")
        async with s.polling():
            await s.until(lambda: len(s.notices) >= 2)

    play(tmp_path, tell, skipping=True)


def test_an_answer_nobody_expects_is_told(tmp_path: Path) -> None:
    body = json.dumps({"ok": False, "error_code": 400, "description": "Bad Request: <b>what</b>"})
    app, asked = server(lambda number, _: Response(body, 400))

    async def tell(s: Stage) -> None:
        async with s.polling():
            await s.until(lambda: len(asked) >= 4)
        assert len(s.notices) == 1
        assert "Telegram answered 400" in s.notices[0]

    play(tmp_path, tell, app=app)


NO_JSON = {
    "half of it": b'{"ok":true,"result":[{"update_id":1,',
    "a page": b"<html><body>Sign in to this network</body></html>",
    "nothing": b"",
    "no text": b"\xff\xfe\x00",
    "a list": b"[1]",
    "nested without end": b"[" * 200_000,
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_answer_of_telegrams_is_asked_for_again(tmp_path: Path, body: bytes) -> None:
    app, asked = server(lambda number, _: Response(body) if number <= 2 else updates(message(7)))

    async def tell(s: Stage) -> None:
        async with s.polling():
            await s.until(lambda: s.handled == [7])
        assert asked[0] == asked[1] == asked[2]
        assert s.notices == []

    play(tmp_path, tell, app=app)


def test_a_batch_of_four_megabytes_is_handled_in_order_and_forgotten(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        found = [s.double.user_writes(CHAT, "x" * 40_000) for _ in range(100)]
        tracemalloc.start()
        async with s.polling():
            await s.until(lambda: s.handled == found)
            await s.until(lambda: s.double.updates.polled and not s.double.updates.pending)
            s.double.calls.clear()
            gc.collect()
            kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 3_000_000
        assert peak < 60_000_000, "the double's own share included"
        assert s.told == 100

    play(tmp_path, tell)


def test_the_same_update_in_two_batches_is_handled_once_and_a_deaf_server_is_not_asked_without_pause(tmp_path: Path) -> None:
    app, asked = server(lambda number, _: updates(message(5), message(6)))

    async def tell(s: Stage) -> None:
        async with s.polling():
            began = s.clock.now()
            await s.until(lambda: len(asked) >= 9)
            assert s.clock.now() - began > timedelta(seconds=10)
        assert s.handled == [5, 6]
        assert {one["offset"] for one in asked[1:]} == {7}

    play(tmp_path, tell, app=app, skipping=True)


@pytest.mark.parametrize(
    "result", [[], None, {"a": 1}, [[1]], [{"no": "number"}], [{"update_id": "1"}], [{"update_id": 2**70}], [{"update_id": -1}]]
)
def test_a_server_that_brings_nothing_of_use_is_asked_less_and_less(tmp_path: Path, result: Any) -> None:
    found = Response(json.dumps({"ok": True, "result": result}))
    app, _asked = server(lambda number, _: found if number < 9 else updates(message(1)))

    async def tell(s: Stage) -> None:
        async with s.polling():
            began = s.clock.now()
            await s.until(lambda: s.handled == [1])
            assert s.clock.now() - began > timedelta(seconds=20)

    play(tmp_path, tell, app=app, skipping=True)


def test_poison_in_the_middle_is_kept_aside_whatever_its_letters(tmp_path: Path) -> None:
    half = '{"ok":true,"result":[{"update_id":1,"m":1},{"update_id":2,"\\ud800":"\\udfff"},{"update_id":3,"m":1}]}'
    app, _ = server(lambda number, __: Response(half) if number == 1 else updates())

    async def tell(s: Stage) -> None:
        def refuse(update: Mapping[str, Any]) -> None:
            if update["update_id"] == 2:
                raise RuntimeError("\ud800 cannot be read")

        s.fault = refuse
        async with s.polling():
            await s.until(lambda: s.handled == [1, 3])
        assert await s.db.read(conversation.quarantined) == 1
        assert await s.db.read(conversation.offset) == 4

    play(tmp_path, tell, app=app)


def test_as_long_as_the_bot_is_not_connected_nothing_is_taken(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        found = [s.double.user_writes(CHAT, text) for text in ("one", "two", "three")]
        left = [1, 2]

        def fail() -> None:
            if left:
                left.pop()
                raise TelegramError("Telegram does not answer", reason="unreachable")

        s.away = fail
        async with s.polling():
            await s.until(lambda: s.handled == found)
        assert left == []
        assert await s.db.read(conversation.quarantined) == 0

    play(tmp_path, tell)


def test_telegram_goes_away_and_comes_back(tmp_path: Path) -> None:
    async def go() -> None:
        clock = SystemClock(FAST, NOON)
        double = TelegramDouble(clock.now)
        double.add_chat(CHAT)
        async with AsyncExitStack() as served:
            url = await served.enter_async_context(serve(double.app))
            s = Stage(tmp_path, url, clock, double)
            async with s.setup, s.polling():
                first = double.user_writes(CHAT, "before")
                await s.until(lambda: s.handled == [first])
                await s.until(lambda: double.updates.polled)
                await served.aclose()
                second = double.user_writes(CHAT, "while it is away")
                await s.until(lambda: s.poller._failures >= 3)
                await served.enter_async_context(serve(double.app, urlsplit(url).port or 0))
                await s.until(lambda: s.handled == [first, second])
            assert s.notices == []
            s.db.close()

    asyncio.run(go())


def test_a_restart_goes_on_behind_what_was_handled_also_with_a_clock_that_was_set_back(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        first = s.double.user_writes(CHAT, "one")
        async with s.polling():
            await s.until(lambda: s.handled == [first])
        s.clock = SystemClock(FAST, NOON - timedelta(hours=20))
        s.poller = s.anew()
        second = s.double.user_writes(CHAT, "two")
        async with s.polling():
            await s.until(lambda: s.handled == [first, second])
        assert await s.db.read(conversation.offset) == second + 1

    play(tmp_path, tell)


def test_told_to_stop_it_finishes_the_update_in_hand_and_the_next_start_does_the_rest(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        found = [s.double.user_writes(CHAT, text) for text in ("one", "two", "three")]

        def stop(_: Mapping[str, Any]) -> None:
            s.running.cancel()

        s.fault = stop
        async with s.polling():
            await asyncio.wait([s.running], timeout=120)
        assert s.handled == found[:1]
        assert await s.db.read(conversation.offset) == found[-1] + 1, "Telegram need not keep them any more"
        s.poller, s.fault = s.anew(), lambda _: None
        async with s.polling():
            await s.until(lambda: s.handled == found)
            await s.until(lambda: not s.poller.busy)
        assert await s.db.read(conversation.taken) == []

    play(tmp_path, tell)


def test_what_was_left_by_the_last_start_waits_until_the_bot_is_connected(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        left, connected = [1, 2], []

        def fail() -> None:
            if left:
                left.pop()
                raise TelegramError("Telegram does not answer", reason="unreachable")
            connected.append(True)

        def handle(_: Mapping[str, Any]) -> None:
            assert connected

        s.away, s.fault = fail, handle
        await s.db.write(conversation.take, {7: '{"update_id": 7}'}, s.clock.now())
        async with s.polling():
            await s.until(lambda: not left)
            await s.until(lambda: s.handled == [7])
        assert await s.db.read(conversation.quarantined) == 0

    play(tmp_path, tell)


def test_a_batch_that_a_full_disk_held_up_is_not_handled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted of it has nothing to delete before it is written, so it finds room where the batch does not."""

    async def tell(s: Stage) -> None:
        full, take = asyncio.Event(), conversation.take

        def write(con: sqlite3.Connection, updates: Mapping[int, str], now: datetime) -> None:
            if not full.is_set():
                raise DiskFullError("the disk is full")
            take(con, updates, now)

        async def wait(_: DiskFullError) -> None:
            await s.until(lambda: s.handled == [found])
            await s.db.write(lambda _: None)  # behind what was noted, if it was
            full.set()

        monkeypatch.setattr(conversation, "take", write)
        s.db.when_full = wait
        found = s.double.user_writes(CHAT, "/list")
        async with s.polling():
            await s.until(lambda: full.is_set() and not s.poller.busy)
        assert await s.db.read(conversation.taken) == []

    play(tmp_path, tell)


def test_what_a_slow_answer_holds_up_is_its_own_chat_alone(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        s.double.add_chat(OTHER)
        goes_on = asyncio.Event()

        async def slowly(update: Mapping[str, Any]) -> None:
            if update["update_id"] == slow:
                await goes_on.wait()
            s.handled.append(update["update_id"])

        s.poller = UpdatePoller(s.setup, s.db, s.clock, s._prepare, slowly, s._notify, s._tell)
        slow, behind = s.double.user_writes(CHAT, "one"), s.double.user_writes(CHAT, "two")
        others = [s.double.user_writes(OTHER, "mine")]
        async with s.polling():
            await s.until(lambda: s.handled == others)
            others.append(s.double.user_writes(OTHER, "and the next batch"))
            await s.until(lambda: s.handled == others)
            goes_on.set()
            await s.until(lambda: s.handled == [*others, slow, behind])

    play(tmp_path, tell)


def test_a_journal_that_takes_nothing_ends_the_loop(tmp_path: Path) -> None:
    async def tell(s: Stage) -> None:
        def refuse(_: Mapping[str, Any]) -> None:
            raise StorageError("no room")

        s.fault = refuse
        s.double.user_writes(CHAT, "one")
        async with s.polling():
            await asyncio.wait([s.running], timeout=120)
        assert isinstance(s.running.exception(), StorageError)
        assert len(await s.db.read(conversation.taken)) == 1

    play(tmp_path, tell)


@pytest.mark.parametrize(
    ("update", "chat"),
    [
        ({"update_id": 1, "message": {"chat": {"id": -5}, "from": {"id": 7}}}, -5),
        ({"update_id": 1, "callback_query": {"from": {"id": 7}, "message": {"chat": {"id": -5}}}}, -5),
        ({"update_id": 1, "callback_query": {"from": {"id": 7}, "message": "gone"}}, 7),
        ({"update_id": 1, "my_chat_member": {"chat": {"id": -5}, "from": {"id": 7}}}, -5),
        ({"update_id": 1, "message": {"chat": "what", "from": 8}}, 0),
        ({"update_id": 1}, 0),
    ],
)
def test_the_chat_of_an_update_whatever_its_kind(update: dict[str, Any], chat: int) -> None:
    assert chat_in(update) == chat
