"""The outbox's loop: from alerts that wait to messages that are there. At least once, in order per recipient, within the rate limits.

Everything is decided in the journal and recorded there before and after each sending; what is in memory (slots, pauses of a whole
service) may be lost with the process.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from ytwatcher.clock import Clock, Pulse
from ytwatcher.core.model import EPOCH, RuleKind
from ytwatcher.core.phrases import Phrase, Spoken, in_english
from ytwatcher.core.reasons import SENDER_FAULT, SILENT
from ytwatcher.core.render import Limits, marked
from ytwatcher.core.retry import backoff, gives_up
from ytwatcher.core.words import USUAL, Text
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing, Sender, Sent
from ytwatcher.notify.slots import REMEMBERED, Slots, scheme_of
from ytwatcher.store import outbox, recipients
from ytwatcher.store.db import Database
from ytwatcher.store.outbox import Errand, Job
from ytwatcher.store.recipients import chat_of

MOST_AT_ONCE = 16
ASK_ADMIN_AGAIN = timedelta(hours=1)
NO_ACCESS_PAUSE = timedelta(minutes=5)
ALIVE_PAUSE = timedelta(minutes=1)
TOO_FAST_PAUSE = timedelta(seconds=30)
"""The pause after a 429 that names none."""
SAME_FLOOD = timedelta(minutes=1)
DRAIN_PATIENCE = timedelta(seconds=90)
PAGE_SERVES = timedelta(seconds=1)
LONGEST_GATE = timedelta(minutes=10)
Illustrate = Callable[[Job], Awaitable[bytes | None]]
"""Draws the chart that goes with a message, soon or not at all (None)."""

_log = structlog.stdlib.get_logger(__name__)


class Dispatcher:
    """Sends what the outbox holds. `run` is a loop for a TaskGroup; set `wake` after a commit that brought alerts.

    Args:
        senders: by scheme, the first part of an address; what has no sender waits.
        operator: the address that is told about the service itself.
        texts: the operator's own words, for the kinds of alerts that have any.
        spoken: how the languages of recipients are spoken.
        jitter: a source of numbers in [0, 1).
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        senders: Mapping[str, Sender],
        operator: str,
        *,
        limits: Limits | None = None,
        texts: Mapping[RuleKind, Text] = USUAL,
        spoken: Spoken = in_english,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.wake = asyncio.Event()
        self.illustrate: Illustrate | None = None
        self._db = db
        self.pulse = self._clock = Pulse(clock)
        self._senders = senders
        self._operator = operator
        self._limits = limits or Limits()
        self._texts, self._spoken = texts, spoken
        self._jitter = jitter
        self._slots = Slots()
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._gate: datetime | None = None
        self._stopped: dict[str, datetime] = {}
        self._floods: dict[str, datetime] = {}
        self._page: list[Errand] = []
        self._page_until = EPOCH
        self._fault: BaseException | None = None
        self._recovered = False

    @property
    def slots(self) -> Slots:
        """What was sent when; who else sends to the same service notes it here."""
        return self._slots

    @property
    def busy(self) -> bool:
        """Whether a message is in hand; its end sets `wake`."""
        return bool(self._jobs)

    def hold(self, until: datetime | None = None) -> None:
        """After an outage of ours: make no new message before `release`, at most for 10 minutes, so that all news leaves as one."""
        latest = self._clock.now() + LONGEST_GATE
        self._gate = latest if until is None else min(until, latest)

    def release(self) -> None:
        """Everything due was read: slots open again."""
        self._gate = None
        self.wake.set()

    async def run(self) -> None:
        """Send for ever. Cancelled, it finishes and records the messages in hand, and leaves."""
        await self._recover()
        try:
            while True:
                self.wake.clear()
                await self._clock.wait(await self._start_due(), self.wake)
        finally:
            await self._finish()

    async def drain(self) -> None:
        """Send all that can leave within the next one and a half minutes, slot by slot; what is held or backs off for longer stays."""
        await self._recover()
        try:
            while True:
                self.wake.clear()
                next_at = await self._start_due()
                if not self._jobs and (next_at is None or next_at > self._clock.now() + DRAIN_PATIENCE):
                    return
                await self._clock.wait(next_at, self.wake)
        finally:
            await self._finish()

    async def _recover(self) -> None:
        """Once per process: take over what an earlier one left."""
        if self._recovered:
            return
        now = self._clock.now()
        unknown = await self._db.write(outbox.recover, now)
        for address, at in await self._db.read(outbox.history, now - REMEMBERED):
            self._slots.note(address, at)
        self._recovered = True
        if unknown:
            _log.warning("messages of unknown outcome are sent again", count=unknown)

    async def _finish(self) -> None:
        while self._jobs:
            await asyncio.wait(self._jobs.values())
            await asyncio.sleep(0)  # the callbacks that take the ended ones out
        self._raise_fault()

    async def _start_due(self) -> datetime | None:
        """Start every errand whose slot is open; returns when the next one opens. The end of a job sets `wake`."""
        self._raise_fault()
        now = self._clock.now()
        self._stopped = {scheme: until for scheme, until in self._stopped.items() if until > now}
        next_at = min(self._stopped.values(), default=None)
        started, known_for_a_while = set(), bool(self._page) and now < self._page_until
        for errand in await self._errands(now):
            if len(self._jobs) >= MOST_AT_ONCE:
                break
            opens_at = self._opens_at(errand, now)
            if opens_at is None:
                continue
            if opens_at <= now:
                self._start(errand, now)
                started.add(errand.recipient_pk)
            elif next_at is None or opens_at < next_at:
                next_at = opens_at
        self._page = [errand for errand in self._page if errand.recipient_pk not in started]
        if known_for_a_while and (next_at is None or self._page_until < next_at):
            return self._page_until  # what came since is not in it
        return next_at

    async def _errands(self, now: datetime) -> list[Errand]:
        """What may be next. A full page is more than can leave in a second: it serves for so long, since where a hundred thousand chats
        wait, finding out who is first takes a tenth of one."""
        if not self._page or now >= self._page_until:
            self._page = await self._db.read(outbox.agenda, self._senders.keys() - self._stopped.keys())
            self._page_until = now + PAGE_SERVES if len(self._page) == outbox.AT_ONCE else now
        return self._page

    def _opens_at(self, errand: Errand, now: datetime) -> datetime | None:
        """When the errand may start; None while its chat has a message in hand, or nothing can reach it."""
        scheme = scheme_of(errand.address)
        sender = self._senders.get(scheme)
        if sender is None or chat_of(errand.address) in self._jobs:
            return None
        slot = self._slots.opens_at(errand.address, sender.pace(errand.address), now)
        gate = self._gate if self._gate is not None and errand.message_pk is None else now
        return max(errand.due_at, slot, gate, self._stopped.get(scheme, now))

    def _start(self, errand: Errand, now: datetime) -> None:
        chat = chat_of(errand.address)
        self._slots.begin(errand.address)
        task = self._jobs[chat] = asyncio.create_task(self._work(errand))
        task.add_done_callback(lambda ended: self._ended(chat, ended))

    def _ended(self, chat: str, task: asyncio.Task[None]) -> None:
        del self._jobs[chat]
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
        self.wake.set()

    def _raise_fault(self) -> None:
        """A job fails only where the journal does: then the loop ends, loudly."""
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    async def _work(self, errand: Errand) -> None:
        sender = self._senders[scheme_of(errand.address)]
        if errand.message_pk is not None and errand.unknowns >= 2 and not await sender.alive():
            # Two answers were lost already: before a third copy, see that an answer can arrive at all.
            await self._db.write_brief(outbox.record_retry, errand.message_pk, self._clock.now() + ALIVE_PAUSE, SILENT)
            self._slots.end(errand.address, self._clock.now())
            return
        job = await self._db.write_brief(outbox.take, errand.recipient_pk, self._clock.now(), self._limits, self._texts, self._spoken)
        if job is None:
            self._slots.end(errand.address, self._clock.now())
        else:
            await self._send(job, sender)

    async def _send(self, job: Job, sender: Sender) -> None:
        try:
            sent = await sender.send(job.address, replace(_outgoing(job, self._spoken), photo=await self._photo(job)))
        except DeliveryError as error:
            await self._failed(job, error)
        except Exception as error:  # noqa: BLE001 - the edge of the loop: a fault in a sender must not stop the others' messages
            _log.exception("sender fault", message=job.pk, to=job.address)
            await self._failed(job, DeliveryError(Failure.UNKNOWN, Phrase(SENDER_FAULT, fault=type(error).__name__)))
        else:
            await self._sent(job, sent)

    async def _photo(self, job: Job) -> bytes | None:
        """The chart that goes with a message, at the first attempt; it may only be missing, never in the way."""
        if self.illustrate is None or not job.pictured or job.attempts > 1:
            return None
        return await self.illustrate(job)

    async def _sent(self, job: Job, sent: Sent) -> None:
        now = self._clock.now()
        self._slots.end(job.address, now)
        await self._db.write_brief(outbox.record_sent, job.pk, now, sent.remote_id)
        _log.info("message sent", message=job.pk, to=job.address, alerts=len(job.items), attempt=job.attempts, repeat=job.unknowns > 0)

    async def _failed(self, job: Job, error: DeliveryError) -> None:
        now = self._clock.now()
        self._slots.end(job.address, now)
        if error.failure is Failure.NO_ACCESS:
            self._stopped[scheme_of(job.address)] = now + NO_ACCESS_PAUSE
            _log.error("nothing can be sent", to=scheme_of(job.address), error=str(error), pause=str(NO_ACCESS_PAUSE))
        if error.failure is Failure.TOO_FAST:
            self._note_flood(job.address, now, error.retry_after or TOO_FAST_PAUSE)
        await self._db.write_brief(_record_failure, job, error, now, self._jitter(), self._operator)
        _log.warning("message not sent", message=job.pk, to=job.address, failure=error.reason, error=str(error), attempt=job.attempts)

    def _note_flood(self, address: str, now: datetime, pause: timedelta) -> None:
        """A 429 does not say whether it is about the chat or about us: from a second chat within a minute on, all of us rest."""
        self._floods = {chat: at for chat, at in self._floods.items() if now - at <= SAME_FLOOD}
        self._floods[chat_of(address)] = now
        if len(self._floods) > 1:
            self._stopped[scheme_of(address)] = now + pause


def _outgoing(job: Job, spoken: Spoken) -> Outgoing:
    speak = spoken(job.language)
    text, plain = (marked(job.text, speak), marked(job.plain, speak)) if job.unknowns else (job.text, job.plain)
    return Outgoing(None if job.as_plain else text, plain, job.silent, job.items, key=job.pk, language=job.language)


def _record_failure(con: sqlite3.Connection, job: Job, error: DeliveryError, now: datetime, jitter: float, operator: str) -> None:
    """Write down what follows from a failure; all of it in one transaction."""
    match error.failure:
        case Failure.LOST | Failure.NEEDS_ADMIN | Failure.MOVED | Failure.TOO_FAST:
            _record_of_recipient(con, job, error, now, operator)
        case Failure.NO_ACCESS:
            outbox.record_retry(con, job.pk, now, error.phrase)
        case Failure.MARKUP if not job.as_plain:
            outbox.record_retry(con, job.pk, now, error.phrase, as_plain=True)
        case Failure.MARKUP | Failure.REFUSED:
            outbox.record_dead(con, job.pk, error.phrase, operator, now)
        case Failure.UNREACHABLE | Failure.UNKNOWN:
            _record_passing(con, job, error, now, jitter, operator)


def _record_of_recipient(con: sqlite3.Connection, job: Job, error: DeliveryError, now: datetime, operator: str) -> None:
    if error.failure is Failure.LOST:
        recipients.lose(con, job.recipient_pk, error.phrase, operator, now)
        return
    next_at = now
    if error.failure is Failure.NEEDS_ADMIN:
        recipients.pause(con, job.recipient_pk, error.phrase, operator, now)
        next_at = now + ASK_ADMIN_AGAIN
    elif error.failure is Failure.TOO_FAST:
        next_at = now + (error.retry_after or TOO_FAST_PAUSE)
        recipients.throttle(con, chat_of(job.address), next_at)
    elif error.migrate_to is not None:
        recipients.migrate(con, chat_of(job.address), error.migrate_to)
    outbox.record_retry(con, job.pk, next_at, error.phrase)


def _record_passing(con: sqlite3.Connection, job: Job, error: DeliveryError, now: datetime, jitter: float, operator: str) -> None:
    next_at = now + max(backoff(job.attempts, jitter), error.retry_after or timedelta(0))
    if error.unknown:
        outbox.record_unknown(con, job.pk, next_at, error.phrase)
    else:
        outbox.record_retry(con, job.pk, next_at, error.phrase)
    if gives_up(job.attempts, now - job.made_at):
        outbox.record_dead(con, job.pk, error.phrase, operator, now)
