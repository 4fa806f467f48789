"""A stage for the tests of delivery: a real journal, the Telegram double over loopback, a dispatcher on a virtual clock."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from virtual_clock import VirtualClock
from ytwatcher.core.model import Alert, Metric, Rule, RuleId, RuleKind, SubjectId, SubjectKind, TargetKind
from ytwatcher.notify.delivery import Sender
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.simulator import TelegramDouble, serve
from ytwatcher.store import outbox_list, recipients, subjects, watches
from ytwatcher.store.db import Database
from ytwatcher.telegram.sender import TelegramSender

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
OPERATOR = "telegram:99"
VIDEO = SubjectId("jNQXAC9IVRw")


class Stage:
    """What a test does and sees. `told(chat)` are the texts that arrived in a chat, as shown there."""

    def __init__(self, db: Database, clock: VirtualClock, telegram: TelegramDouble, sender: TelegramSender) -> None:
        self.db, self.clock, self.telegram, self.sender = db, clock, telegram, sender
        self.senders: dict[str, Sender] = {"telegram": sender}
        self.jitter = 1.0
        self.operator = OPERATOR
        self.dispatcher = self.new_dispatcher()
        self._running: asyncio.Task[None] | None = None
        self._count = 0

    def new_dispatcher(self) -> Dispatcher:
        self.clock.busy.clear()
        dispatcher = Dispatcher(self.db, self.clock, self.senders, self.operator, jitter=lambda: self.jitter)
        self.clock.busy.append(lambda: dispatcher.busy)
        return dispatcher

    def start(self) -> None:
        self._running = asyncio.create_task(self.dispatcher.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def restart(self) -> None:
        await self.stop()
        self.dispatcher = self.new_dispatcher()
        self.start()

    async def run(self, span: timedelta) -> None:
        """Let the time span pass."""
        if self._running is None:
            self.start()
        await self.clock.run_until(self.clock.now() + span)

    async def drain(self) -> None:
        await self.clock.drive(self.dispatcher.drain())

    async def alert(self, address: str = "telegram:1", line: str = "likes change", *, subject: SubjectId = VIDEO, **values: Any) -> str:
        """Store an alert of the recipient's rule `line`, made when it is new, and wake the dispatcher; returns the alert's id."""
        self._count += 1
        base = Alert(RuleId(""), subject, RuleKind.CHANGE, self.clock.now(), Metric.LIKES, self._count, self._count + 1, START)
        alert_id = await self.db.write(add_alert, address, line, replace(base, **values), self.clock.now())
        self.dispatcher.wake.set()
        return alert_id

    async def notice(self, key: str, text: str) -> bool:
        new = await self.db.write(recipients.add_notice, key, text, self.operator, self.clock.now())
        self.dispatcher.wake.set()
        return new

    async def prefer(self, address: str, **values: Any) -> None:
        def job(con: sqlite3.Connection) -> None:
            pk = recipients.ensure(con, address)
            recipients.save_preferences(con, pk, replace(recipients.load(con, pk).recipient, **values))

        await self.db.write(job)
        self.dispatcher.wake.set()

    def told(self, chat: int) -> list[str]:
        return [message.shown for message in self.telegram.messages if message.chat_id == chat]

    async def fate(self, alert_id: str) -> tuple[str, str | None]:
        return await self.db.read(outbox_list.fate, alert_id)

    async def recipient(self, address: str) -> recipients.Stored:
        found = await self.db.read(recipients.find, address)
        assert found is not None
        return found

    async def rows(self, sql: str) -> list[Mapping[str, Any]]:
        return await self.db.read(lambda con: [dict(row) for row in con.execute(sql)])


def add_alert(con: sqlite3.Connection, address: str, line: str, alert: Alert, now: datetime) -> str:
    recipient_pk = recipients.ensure(con, address)
    target_pk = watches.ensure_target(con, alert.subject_id, TargetKind.VIDEO, "A film", None, False, now)
    subject_pk = subjects.ensure(con, alert.subject_id, SubjectKind.VIDEO, now, title="A film")
    watches.join(con, target_pk, subject_pk, None, now)
    watch_pk, _ = watches.ensure_watch(con, target_pk, recipient_pk, now)
    row = con.execute("SELECT pk, id FROM rule WHERE watch_pk = ? AND line = ?", (watch_pk, line)).fetchone()
    rule_id = row["id"] if row else watches.add_rule(con, watch_pk, line, now)
    found = replace(alert, rule_id=RuleId(rule_id))
    rule = watches.RuleRow(0, Rule(found.rule_id, watches.spec_of(line)), recipient_pk, target_pk)
    watches.insert_alerts(con, [(rule, found)], now)
    return found.id


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    clock = VirtualClock(START)
    telegram = TelegramDouble(clock.now)
    for chat in (1, 2, 3, 99):
        telegram.add_chat(chat)
    db = Database(folder / "journal.db")
    try:
        async with serve(telegram.app) as url, TelegramSender(url, telegram.token) as sender:
            scene = Stage(db, clock, telegram, sender)
            yield scene
            await scene.stop()
    finally:
        db.close()
