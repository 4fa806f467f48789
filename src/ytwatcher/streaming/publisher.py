"""The loop from the journal to the topic of readings: what the brokers have not acknowledged is sent, in order, until they have.

A batch is acknowledged as a whole. Whatever goes wrong in between, the next attempt begins with its first record: a run without a gap is
sent again, in order, and nothing is left out. That is all that an engine needs to judge each reading once.

While the brokers take one batch, the bytes of the next are made: the one waits for the network, the other for the processor.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple, ParamSpec, TypeVar

import structlog
from confluent_kafka import KafkaError, Message, Producer

from ytwatcher.clock import Clock
from ytwatcher.core.model import SubjectId
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.retry import backoff
from ytwatcher.errors import OutsideError
from ytwatcher.reader import Notify
from ytwatcher.settings import Streaming
from ytwatcher.store import publications
from ytwatcher.store.db import Database
from ytwatcher.store.publications import Publication
from ytwatcher.streaming import names, schemas, topics
from ytwatcher.streaming.codec import Encoder
from ytwatcher.streaming.connection import Hearing, kafka_config, kafka_errors, kafka_fault

P = ParamSpec("P")
T = TypeVar("T")
BATCH = 5_000
"""Records in flight at most."""
SLICE_SECONDS = 0.5
LEAVE_SECONDS = 2.0
LOOK_EVERY = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(seconds=30)
TELL_AFTER = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Ready(NamedTuple):
    """A publication as the brokers get it."""

    seq: int
    key: SubjectId
    value: bytes


class Session:
    """One producer with the schemas it writes with. Everything here blocks, and is called from one thread; `encode` from any.

    Raises:
        OutsideError: a topic or schema cannot be had, `unreachable`, `not authorised` or `incompatible`.
    """

    def __init__(self, streaming: Streaming) -> None:
        self.report = topics.ensure(streaming)
        self.ids = schemas.ensure(streaming)
        self._streaming = streaming
        self._topic = names.topics(streaming.prefix).videos
        self._encoder = Encoder(streaming)
        self._error: KafkaError | None = None
        self._producer = Producer(
            {
                **kafka_config(streaming),
                "enable.idempotence": True,
                "acks": "all",
                # A record is never given up while a later one of its partition arrives: rather all of them fail.
                "enable.gapless.guarantee": True,
                "log_level": 3,  # errors: as a warning it would say at each start that this option is an experiment
                "message.timeout.ms": 0,
                # Java's partitioner: an engine joins readings and rules of a video by their partition.
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "compression.type": "lz4",
                "on_delivery": self._failed,
                "error_cb": self._noticed,
                "delivery.report.only.error": True,  # an acknowledged record has left the queue: the queue's length says enough
            }
        )
        self._hearing = Hearing(self._producer, streaming, "publishing")

    def encode(self, batch: Sequence[Publication]) -> list[Ready]:
        """The batch as bytes."""
        reading = self._encoder.reading
        return [Ready(publication.seq, publication.subject_id, reading(publication.record)) for publication in batch]

    def send(self, batch: Sequence[Ready]) -> None:
        """Hand the batch to the producer, in its order."""
        with kafka_errors("publishing", self._streaming):
            for _, key, value in batch:
                self._producer.produce(self._topic, value, key)
        self._hearing.heard()

    def settle(self, seconds: float) -> int:
        """Wait for acknowledgements; returns how many records are still without one.

        Raises:
            OutsideError: one of them failed for good, or the producer has lost its way to Kafka. The session is of no use any more.
        """
        left = self._producer.flush(seconds)
        if self._error is not None:
            raise kafka_fault(self._error, "publishing", self._streaming)
        if left:
            self._hearing.check()
        return left

    def close(self) -> None:
        """Drop what is still in flight."""
        self._producer.purge()
        self._producer.flush(LEAVE_SECONDS)
        self._encoder.close()

    def _failed(self, error: KafkaError | None, _: Message | None) -> None:
        self._error = self._error or error

    def _noticed(self, error: KafkaError) -> None:
        """An outage is waited for; a password that is refused from now on is not."""
        if kafka_fault(error, "publishing", self._streaming).permanent:
            self._failed(error, None)


class Publisher:
    """Sends publication rows to the brokers. `run` is a loop for a TaskGroup; set `wake` after a commit that wrote some.

    Args:
        notify: tells the operator once per incident.
        anew: called after the topic of rules was found lost and made anew: whoever writes it has to fill it again.
        begin_anew: has the engine begin with the topics that are there (name -> its own id), before a reading is in them. It raises
            OutsideError where it cannot. None: there is no engine.
        paused: whether nothing is to be sent at present; the batch in hand is finished.
        jitter: a source of numbers in [0, 1).
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        streaming: Streaming,
        notify: Notify,
        *,
        anew: Callable[[], None] = lambda: None,
        begin_anew: Callable[[Mapping[str, str]], Awaitable[None]] | None = None,
        paused: Callable[[], bool] = lambda: False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.wake = asyncio.Event()
        self._db, self._clock, self._streaming, self._notify = db, clock, streaming, notify
        self._anew, self._begin_anew, self._paused, self._jitter = anew, begin_anew, paused, jitter
        self.runs = False
        self.idle = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._session: Session | None = None
        self._in_hand: Sequence[Ready] = ()
        self._again_from: datetime | None = None
        self._look_at: datetime | None = None
        self._failures = 0
        self._stuck_at: datetime | None = None
        self._told = False

    async def run(self) -> None:
        """Publish for ever. Cancelled, it waits a moment for the batch in hand, records it, and leaves."""
        self.runs = True
        try:
            while True:
                self.wake.clear()
                if self._paused():
                    await self._clock.wait(self._clock.now() + LOOK_EVERY, self.wake)
                    continue
                self.idle = False
                try:
                    await self._turn()
                    until, wake = self._clock.now() + LOOK_EVERY, self.wake
                except OutsideError as error:
                    until, wake = await self._failed(error), None
                self.idle = True
                await self._clock.wait(until, wake)
        finally:
            await self._leave()

    def resend(self, since_at: datetime) -> None:
        """Send again what is kept from the first reading of `since_at` or later on, between two batches: a run must not have a gap."""
        self._again_from = since_at if self._again_from is None else min(since_at, self._again_from)
        self.wake.set()

    async def _turn(self) -> None:
        """Send all that waits."""
        session = await self._usable_session()
        await self._put_back()
        batch = await self._ready(session)
        while batch and not self._paused():
            following = asyncio.create_task(self._ready(session, batch[-1].seq))
            try:
                await self._send(session, batch)
                batch = await following
            finally:
                following.cancel()
            if self._again_from is not None:
                await self._put_back()
                batch = await self._ready(session)
        await self._db.write(publications.prune, self._clock.now() - self._streaming.keep)

    async def _ready(self, session: Session, after: int = 0) -> Sequence[Ready]:
        """The first that wait behind the one numbered `after`, none where none does."""
        return await asyncio.to_thread(session.encode, await self._db.read(publications.unacknowledged, BATCH, after))

    async def _send(self, session: Session, batch: Sequence[Ready]) -> None:
        self._in_hand = batch
        await self._call(session.send, batch)
        while left := await self._call(session.settle, SLICE_SECONDS):
            await self._stuck(f"{left} readings wait for an acknowledgement")
        await self._record()
        await self._flowing()
        log.debug("published", readings=len(batch))

    async def _record(self) -> None:
        """The batch in hand is acknowledged."""
        await self._db.write(publications.acknowledge, self._in_hand[0].seq, self._in_hand[-1].seq, self._clock.now())
        self._in_hand = ()

    async def _put_back(self) -> None:
        if self._again_from is not None:
            since_at, self._again_from = self._again_from, None
            waiting = await self._db.write(publications.send_again, since_at)
            log.info("sending_again", since=since_at, readings=waiting)

    async def _usable_session(self) -> Session:
        """The session; a new one when there is none, or when topics or schemas are not what they were."""
        now = self._clock.now()
        if self._session is not None and self._look_at is not None and now >= self._look_at and await self._call(self._outlived):
            await self._drop()
        if self._session is None:
            self._session = await self._call(Session, self._streaming)
            await self._meet(self._session.report)
        if self._look_at is None or now >= self._look_at:
            self._look_at = now + LOOK_EVERY
        return self._session

    def _outlived(self) -> bool:
        """Whether a topic or a schema of the session is gone. A registry that is away for a while changes nothing. Blocks."""
        assert self._session is not None  # the caller has seen to it
        if topics.lost(self._streaming, self._session.report.ids):
            return True
        try:
            return schemas.ensure(self._streaming) != self._session.ids
        except OutsideError as error:
            if error.permanent:
                raise
            log.warning("registry_not_checked", reason=error.reason, error=str(error))
            return False

    async def _meet(self, report: topics.Report) -> None:
        """A topic under a known name with another id is a new one: all that is kept goes there again.

        Before that, the engine begins anew. It would go on at its place in the lost topic: where that is not behind the end, it would
        pass over what lies before.
        """
        for line in report.differences:
            log.warning("topic_differs", difference=line)
        ours = names.topics(self._streaming.prefix)
        lost = await self._db.write(publications.meet_topics, report.ids, ours.videos)
        if lost:
            log.warning("topics_lost", topics=sorted(lost))
        if ours.rules in lost:
            self._anew()
        if await self._db.read(publications.astray):
            if self._begin_anew is not None:
                await self._begin_anew(report.ids)
            await self._db.write(publications.found_again)

    async def _failed(self, error: OutsideError) -> datetime:
        """Begin anew after a pause; returns when it ends."""
        await self._drop()
        self._failures += 1
        if error.permanent and not self._told:
            self._stuck_at, self._told = self._stuck_at or self._clock.now(), True
            text = Phrase("No reading can be published: {error}. It is tried again.", error=error.phrase)
            await self._notify(f"publishing:{self._stuck_at:%Y-%m-%dT%H:%M}", text)
        await self._stuck(error.phrase)
        pause = min(backoff(self._failures, self._jitter()), LONGEST_PAUSE)
        log.warning("publishing_failed", reason=error.reason, error=str(error), pause=pause)
        return self._clock.now() + pause

    async def _stuck(self, why: str) -> None:
        """Nothing moves at present; after an hour the operator is told."""
        now = self._clock.now()
        self._stuck_at = self._stuck_at or now
        if not self._told and now - self._stuck_at >= TELL_AFTER:
            self._told = True
            await self._notify(
                f"publishing:{self._stuck_at:%Y-%m-%dT%H:%M}",
                Phrase(
                    "Nothing could be published since {at} UTC: {why}. Nothing is lost: it waits in the journal.",
                    at=f"{self._stuck_at:%Y-%m-%d %H:%M}",
                    why=why,
                ),
            )

    async def _flowing(self) -> None:
        self._failures = 0
        if self._told and self._stuck_at is not None:
            text = Phrase("Readings are published again; nothing was lost.")
            await self._notify(f"publishing-again:{self._stuck_at:%Y-%m-%dT%H:%M}", text)
        self._stuck_at, self._told = None, False

    async def _drop(self) -> None:
        """What was in flight is sent again by the next session."""
        session, self._session, self._in_hand = self._session, None, ()
        if session is not None:
            await self._call(session.close)

    async def _leave(self) -> None:
        session = self._session
        try:
            if session is not None and self._in_hand and not await self._call(session.settle, LEAVE_SECONDS):
                await self._record()
        except OutsideError as error:
            log.warning("publishing_failed", reason=error.reason, error=str(error))
        await self._drop()
        self._thread.shutdown(wait=False)

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Run what blocks on the publisher's own thread, one after the other."""
        return asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))
