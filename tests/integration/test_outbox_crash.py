"""A process may end between any two steps of delivery: nothing is lost, and at most the message in hand arrives twice, marked."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from outbox_stage import MINUTE, Stage, stage
from ytwatcher.core.model import Metric
from ytwatcher.core.render import REPEAT, Limits
from ytwatcher.core.retry import Pace
from ytwatcher.notify.delivery import Outgoing, Sender, Sent
from ytwatcher.store import outbox

BEFORE, AFTER = "before sending", "after sending"
IN_THE_JOURNAL = {
    "while the message is made": "INSERT ON message",
    "while its alerts are linked": "UPDATE ON alert",
    "while it is claimed": "UPDATE ON message WHEN new.state = 'sending'",
    "while the answer is recorded": "UPDATE ON message WHEN new.state = 'sent'",
}
STEPS = (*IN_THE_JOURNAL, BEFORE, AFTER)


class Killed(BaseException):
    """The end of a process: nothing handles it."""


class Mortal:
    """A real sender whose process ends around its first call."""

    def __init__(self, sender: Sender, when: str) -> None:
        self._sender = sender
        self._when = when

    async def send(self, address: str, message: Outgoing) -> Sent:
        if self._when == BEFORE:
            raise Killed
        sent = await self._sender.send(address, message)
        if self._when == AFTER:
            raise Killed
        return sent

    async def alive(self) -> bool:
        return await self._sender.alive()

    def pace(self, address: str) -> Pace:
        return self._sender.pace(address)


@contextlib.asynccontextmanager
async def failing(s: Stage, step: str) -> AsyncIterator[None]:
    """Let the step fail: in the journal by a trigger, around the sending by the sender."""
    event = IN_THE_JOURNAL.get(step)
    if event is None:
        s.senders["telegram"] = Mortal(s.sender, step)
    else:
        head, _, condition = event.partition(" WHEN ")
        when = f"WHEN {condition}" if condition else ""
        await s.db.write(lambda con: con.execute(f"CREATE TRIGGER kill BEFORE {head} {when} BEGIN SELECT raise(ABORT, 'killed'); END"))
    yield
    s.senders["telegram"] = s.sender
    await s.db.write(lambda con: con.execute("DROP TRIGGER IF EXISTS kill"))


async def die(s: Stage, step: str) -> None:
    """A process works until it dies in the step; the next one is built on what it left."""
    async with failing(s, step):
        s.dispatcher = s.new_dispatcher()
        with pytest.raises((Killed, sqlite3.IntegrityError)):
            await s.clock.drive(s.dispatcher.run())
    s.dispatcher = s.new_dispatcher()


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_dies_in_any_step_loses_nothing(tmp_path: Path, step: str) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            first = await s.alert()
            await die(s, step)
            second = await s.alert(line="views change", metric=Metric.VIEWS)
            await s.run(MINUTE)
            assert [await s.fate(alert_id) for alert_id in (first, second)] == [("sent", None)] * 2
            told = s.told(1)
            twice = step in (AFTER, "while the answer is recorded")
            assert sum("Likes: 1 → 2" in text for text in told) == (2 if twice else 1)
            assert [text.startswith(REPEAT) for text in told if "Likes: 1 → 2" in text][1:] == [True] * twice
            assert s.telegram.violations == 0

    asyncio.run(go())


def test_many_deaths_in_a_row_lose_nothing_and_repeat_at_most_one_message_each(tmp_path: Path) -> None:
    deaths = 3 * len(STEPS)

    async def go() -> None:
        async with stage(tmp_path) as s:
            alerts: list[str] = []
            for step in islice(cycle(STEPS), deaths):
                alerts.append(await s.alert("telegram:1" if len(alerts) % 2 else "telegram:2", observed_at=s.clock.now()))
                await die(s, step)
            await s.run(10 * MINUTE)
            assert {await s.fate(alert_id) for alert_id in alerts} == {("sent", None)}
            repeats = [text for chat in (1, 2) for text in s.told(chat) if text.startswith(REPEAT)]
            assert len(repeats) <= deaths
            plain = [text for chat in (1, 2) for text in s.told(chat) if not text.startswith(REPEAT)]
            assert len(plain) == len(set(plain))

    asyncio.run(go())


def test_a_message_is_claimed_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            await s.alert()
            now = s.clock.now()
            jobs = [await s.db.write(outbox.take, 1, now, Limits()) for _ in range(2)]
            assert [job is None for job in jobs] == [False, True]
            assert await s.db.read(outbox.agenda, ["telegram"]) == []

    asyncio.run(go())
