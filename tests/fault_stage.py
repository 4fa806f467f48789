"""The streaming way whole, to be broken: doubles of YouTube and Telegram, real Kafka, registry, Flink and Connect, and two processes of
`ytwatcher run` on one journal, the second of which waits for the first one's lease.

Alerts leave twice: through our own delivery, and through Connect to a Telegram double of its own. An oracle that has only the readings
and the rule lines says what must arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from brute_force import RUNGS
from connect_stage import QUICK, token_reference
from served import CHAT, TOKEN, Home, Running, Served, home, served
from stack_parts import shared_stack
from ytwatcher import config
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import SubjectKind, TargetKind
from ytwatcher.core.render import REPEAT
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.simulator import make_video_id
from ytwatcher.store import recipients, subjects, watches
from ytwatcher.store.db import open_journal
from ytwatcher.streaming import lag, names, schemas, topics
from ytwatcher.streaming.codec import Decoder
from ytwatcher.streaming.connect import Flavour, configuration, open_connect
from ytwatcher.streaming.connection import kafka_config
from ytwatcher.streaming.groups import committed, group_client, partitions
from ytwatcher.streaming.way import open_engine

SPEED = 20.0
EPOCH = datetime(2026, 10, 5, 17, tzinfo=UTC)
GROWS_EVERY = timedelta(seconds=8)
PARTITIONS = 6
CHATS, OPERATOR = (CHAT, 4343), 99
VIDEOS = tuple(make_video_id(number) for number in range(5))
RULES = ("views every 10", "likes change", "comments milestones", "views reach 10100")
PATIENCE = 300.0
RUNNER = Path(__file__).parent / "killed_run.py"
_OURS = ", ".join(f"'telegram:{chat}'" for chat in CHATS)
METRICS = ("views", "likes", "comments")

Counts = tuple[int | None, ...]


class Alert(NamedTuple):
    id: str
    previous: int | None
    current: int


class Arrived(NamedTuple):
    """Records of telegram_outbound by chat and text, how many are no alerts, and the ids of the alerts."""

    texts: Counter[tuple[str, str]]
    strangers: int
    ids: Counter[str]


@dataclass
class Stage:
    folder: Path
    services: Served
    connects: Served
    """Whose Telegram the connector writes to."""
    clock: SystemClock
    real_start: float
    streaming: Streaming
    home: Home
    growing: bool = True
    truth: dict[str, set[Counts]] = field(default_factory=lambda: defaultdict(set))
    """All that each video's counts ever were."""
    ended: list[Running] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What was done to the parts, with the second in which it was done."""
    died: int = 0
    """How many processes have ended that nobody killed."""
    _processes: list[Running] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    # --- our processes -----------------------------------------------------------------------------------------------

    @property
    def leader(self) -> Running:
        """The process that holds the lease; the other one waits."""
        return self._processes[0]

    @property
    def standby(self) -> Running:
        return self._processes[1]

    def start_process(self) -> None:
        command = [sys.executable, str(RUNNER), str(self.folder), str(EPOCH.timestamp()), str(self.real_start), str(SPEED)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=self.home.env, stdout=pipe, stderr=pipe, text=True, bufsize=1)
        self._processes.append(Running(process, process.stdout, process.stderr))

    def start_processes(self) -> None:
        """One that leads, and one that waits."""
        self.start_process()
        self.until("the first process works", lambda: "running" in self.leader.printed)
        self.start_process()

    def kill_leader(self) -> None:
        """The standby takes over, and a new one begins to wait."""
        self._replace_ended()
        self.standby.wait_for("waiting to take over", 60)
        killed = self._processes.pop(0)
        killed.end(signal.SIGKILL)
        self.ended.append(killed)
        self.start_process()

    def _replace_ended(self) -> None:
        """As a supervisor would: a process that has ended by itself is started anew.

        So is Flink's worker: Flink ends one that cannot end its transactions while the broker is away (by itself it would not come back).
        """
        if "taskmanager" not in shared_stack().running():
            self.note("Flink has ended its worker")
            shared_stack().start("taskmanager")
        if self._processes and self._processes[0].ends_within(0):
            ended = self._processes.pop(0)
            self.note(f"a process ended by itself with {ended.ended()}: {ended.printed[-3000:]}")
            self.ended.append(ended)
            self.died += 1
            assert self.died < 3, ended.printed[-6000:]
            self.start_process()

    def kill_processes(self) -> None:
        """Whatever still runs."""
        while self._processes:
            killed = self._processes.pop()
            killed.end(signal.SIGKILL)
            self.ended.append(killed)

    def limit_files(self, room: int | None) -> None:
        """As if the disk were full: nothing is written beyond so many bytes of a file (None: no limit). One that ends by it is replaced."""
        pid, most = self.leader.process.pid, resource.RLIM_INFINITY
        if not self.leader.ends_within(0):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most if room is None else room, most))

    def said(self) -> str:
        """What our processes printed, but for the readings that they took and the brokers that they did not reach."""
        often = ("answer_taken", "FAIL [")
        return "\n".join(line for line in self.printed().splitlines() if not any(words in line for words in often))

    def printed(self) -> str:
        return "".join(process.printed for process in (*self.ended, *self._processes))

    # --- the world ---------------------------------------------------------------------------------------------------

    def begin_to_grow(self, rng: Random) -> None:
        self.services.world.every(GROWS_EVERY, lambda _: self.grow(rng))

    def grow(self, rng: Random) -> None:
        """Some videos' counts rise; for the world's agenda."""
        if self.growing:
            for video_id in rng.sample(VIDEOS, 2):
                video = self.services.world.videos[video_id]
                assert video.views is not None and video.likes is not None and video.comments is not None
                video.views += rng.randrange(1, 15)
                video.likes += rng.randrange(2)
                video.comments += rng.randrange(2)
                self.truth[video_id].add((video.views, video.likes, video.comments))

    def pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def note(self, what: str) -> None:
        self.told.append(f"{time.monotonic() - self._began:.1f} s: {what}")

    def until(self, what: str, look: Callable[[], bool], seconds: float = PATIENCE) -> None:
        ends_at = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < ends_at, f"{what}: not within {seconds:.0f} s. {self.told}\n{self.ends()}\n{self.said()[-6000:]}"
            self._replace_ended()
            self.pause(0.1)

    def until_alerts(self, more: int) -> None:
        """Until so many more alerts are stored than there were."""
        before = len(self.alerts())
        self.until(f"{more} more alerts", lambda: len(self.alerts()) >= before + more)

    # --- the journal -------------------------------------------------------------------------------------------------

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        con = sqlite3.connect(self.folder / "ytwatcher.db", timeout=10)
        with contextlib.closing(con):
            return con.execute(sql).fetchall()

    def engine_judges(self) -> bool:
        """Whether every rule has moved, and its instant is over."""
        now = int(self.clock.now().timestamp() * 1000)
        found = self.rows("SELECT engine_since FROM rule_state")
        return len(found) == len(VIDEOS) * len(CHATS) * len(RULES) and all(since is not None and since < now for (since,) in found)

    def readings(self) -> dict[str, list[tuple[int, Counts]]]:
        found = defaultdict(list)
        columns = ", ".join(METRICS)
        for video, at, *counts in self.rows(
            f"SELECT s.id, r.from_at, {columns} FROM reading r JOIN subject s ON s.pk = r.subject_pk ORDER BY s.id, r.from_at"
        ):
            found[video].append((at, tuple(counts)))
        return found

    def expected(self) -> set[Alert]:
        """What the rules find in the stored readings, by a second, naive judge."""
        readings = self.readings()
        rules = self.rows(
            "SELECT r.id, r.line, s.id FROM rule_state x JOIN rule r ON r.pk = x.rule_pk JOIN subject s ON s.pk = x.subject_pk"
        )
        return {
            Alert(f"{rule_id}:{video}:{at}", before, now)
            for rule_id, line, video in rules
            for at, before, now in judged(line, readings[video])
        }

    def alerts(self) -> set[Alert]:
        return {Alert(*row) for row in self.rows("SELECT id, previous, current FROM alert WHERE kind <> 'notice'")}

    def all_read(self) -> bool:
        """Whether the newest reading of each video is what the world says."""
        readings, world = self.readings(), self.services.world
        counts = self.services.do(
            lambda: {video: (world.videos[video].views, world.videos[video].likes, world.videos[video].comments) for video in VIDEOS}
        )
        return all(readings[video] and readings[video][-1][1] == counts[video] for video in VIDEOS)

    def waiting(self) -> int:
        """How many readings the brokers have not acknowledged."""
        return int(self.rows("SELECT count(*) FROM publication WHERE acked_at IS NULL")[0][0])

    def messages(self) -> int:
        """How many messages were made for the chats that watch."""
        return int(
            self.rows(f"SELECT count(*) FROM message m JOIN recipient r ON r.pk = m.recipient_pk WHERE r.address IN ({_OURS})")[0][0]
        )

    def nothing_open(self) -> bool:
        questions = (
            "SELECT count(*) FROM alert WHERE state IN ('waiting', 'held')",
            "SELECT count(*) FROM message WHERE state IN ('pending', 'sending')",
        )
        return not self.waiting() and not any(self.rows(question)[0][0] for question in questions)

    def come_to_rest(self) -> None:
        """Nothing grows any more: until all is read, judged and told."""
        self.growing = False
        self.note("coming to rest")
        self.until("all is read", self.all_read)
        expected = self.expected()
        self.until("all is judged", lambda: self.alerts() >= expected)
        self.until("all is told", self.nothing_open)
        ends = self.readings_end()
        self.until("the engine has read so far", lambda: self._engine_is_at(ends))
        self.note("at rest")

    # --- Kafka and Connect -------------------------------------------------------------------------------------------

    def committed(self, topic: str) -> list[Message]:
        """All that a reader of committed records finds in the topic, in each partition's order."""
        consumer = Consumer(
            {
                **kafka_config(self.streaming),
                "group.id": f"{self.streaming.prefix}oracle",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        with contextlib.closing(consumer):
            consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
            found, ends, ends_at = list[Message](), set[int | None](), time.monotonic() + 30
            while len(ends) < PARTITIONS:
                assert time.monotonic() < ends_at, f"{topic} was not read to its end"
                for message in consumer.consume(1000, 0.2):
                    if message.error() is None:
                        found.append(message)
                    else:
                        ends.add(message.partition())
        return found

    def ends(self) -> str:
        """Where the readings and the alerts end, for those who read all and for those who read what is committed: what is open shows; and
        how far each reader has noted that it is."""
        found = []
        for isolation in ("read_uncommitted", "read_committed"):
            consumer = Consumer({**kafka_config(self.streaming), "group.id": f"{self.streaming.prefix}ends", "isolation.level": isolation})
            with contextlib.closing(consumer), contextlib.suppress(KafkaException):
                for topic in (self.names.videos, self.names.outbound):
                    marks = [consumer.get_watermark_offsets(TopicPartition(topic, number), 5) for number in range(PARTITIONS)]
                    found.append(f"{topic}, {isolation}: {[mark[1] if mark else None for mark in marks]}")
        for reader in (lag.delivering(self.streaming), *lag.readers(self.streaming, "flink", ())):
            with group_client(self.streaming, reader.group) as client:
                noted = committed(client, partitions(client, [reader.topic]))
                found.append(f"{reader.group}: {[offset for _, offset in sorted(noted.items())]}")
        return "\n".join(found)

    def readings_end(self) -> list[int]:
        with contextlib.closing(Consumer({**kafka_config(self.streaming), "group.id": f"{self.streaming.prefix}ends"})) as consumer:
            marks = [consumer.get_watermark_offsets(TopicPartition(self.names.videos, number), 10) for number in range(PARTITIONS)]
        return [mark[1] for mark in marks if mark]

    def _engine_is_at(self, ends: list[int]) -> bool:
        """Flink notes how far it has read when what it made of it is committed."""
        group = lag.readers(self.streaming, "flink", ())[0].group
        with contextlib.closing(Consumer({**kafka_config(self.streaming), "group.id": group})) as consumer:
            noted = consumer.committed([TopicPartition(self.names.videos, number) for number in range(PARTITIONS)], 10)
        return all(max(0, one.offset) >= end for one, end in zip(noted, ends, strict=True))

    def outbound(self) -> Arrived:
        texts, ids, strangers = Counter[tuple[str, str]](), Counter[str](), 0
        with contextlib.closing(Decoder(self.streaming, self.names.outbound)) as decoder:
            for message in self.committed(self.names.outbound):
                try:
                    record = decoder.decode(value_of(message))
                except OutsideError:
                    strangers += 1
                    continue
                texts[record["chat_id"], record["text"]] += 1
                ids[record["alert_id"]] += 1
        return Arrived(texts, strangers, ids)

    def told_by_connect(self) -> Counter[tuple[str, str]]:
        messages = self.connects.do(lambda: list(self.connects.telegram.messages))
        return Counter((str(message.chat_id), message.text) for message in messages)

    @property
    def names(self) -> names.Topics:
        return names.topics(self.streaming.prefix)

    # --- our Telegram ------------------------------------------------------------------------------------------------

    def check_told(self) -> int:
        """Each message that was made has arrived, and what arrived again says so; returns how often that was."""
        assert self.rows("SELECT count(*) FROM message WHERE state <> 'sent'") == [(0,)]
        in_none = self.rows("SELECT count(*) FROM alert WHERE message_pk IS NULL AND kind <> 'notice'")
        assert in_none == [(0,)], "every alert is in a message, as a line or as news that a line tells"
        seen, again = set[tuple[int, str]](), 0
        for message in self.services.do(lambda: list(self.services.telegram.messages)):
            if message.chat_id not in CHATS:
                continue
            body = message.shown.removeprefix(f"{REPEAT}\n\n")
            if (message.chat_id, body) in seen:
                assert message.shown.startswith(REPEAT), f"told twice, and not marked: {message.shown}"
                again += 1
            seen.add((message.chat_id, body))
        assert len(seen) == self.messages(), "every message arrived"
        assert self.services.telegram.violations == 0
        return again


def lose_topic(s: Stage) -> None:
    s.note("topic lost")
    admin = AdminClient(kafka_config(s.streaming))
    admin.delete_topics([s.names.videos])[s.names.videos].result(30)


def check(s: Stage) -> None:
    """Comes to rest, and compares all that arrived with what the oracle says."""
    s.come_to_rest()
    expected = s.expected()
    assert s.alerts() == expected, s.told
    assert s.died == 0, "\n".join(s.told)
    assert all(counts in s.truth[video] for video, readings in s.readings().items() for _, counts in readings)
    again = s.check_told()
    with contextlib.closing(Decoder(s.streaming, s.names.videos)) as decoder:
        runs = check_order(s.committed(s.names.videos), decoder)
    print(
        f"\n{s.told}\n{len(expected)} alerts, {again} messages told again and marked, {runs} times a video's readings were published again"
    )


def judged(line: str, readings: list[tuple[int, Counts]]) -> Iterator[tuple[int, int | None, int]]:
    """What one rule finds: instant, previous and current value. The first reading is its baseline; counts never fall here."""
    metric, kind, *rest = line.split()
    series = [(at, counts[METRICS.index(metric)]) for at, counts in readings]
    for (_, before), (at, now) in pairwise(series):
        assert before is not None
        assert now is not None
        assert before <= now
        if _finds(kind, int(rest[0]) if rest else 0, before, now):
            yield at, before, now


def _finds(kind: str, number: int, before: int, now: int) -> bool:
    if kind == "change":
        return before != now
    if kind == "every":
        return before // number < now // number
    passed = [rung for rung in RUNGS if rung >= 10] if kind == "milestones" else [number]
    return any(before < one <= now for one in passed)


def value_of(message: Message) -> bytes:
    """Its bytes."""
    value = message.value()
    assert isinstance(value, bytes)
    return value


def check_order(records: list[Message], decoder: Decoder) -> int:
    """In each partition a video's readings come in order, but for runs without a gap that are sent again; returns how many runs."""
    runs, whereabouts = 0, dict[str, int]()
    orders: dict[str, list[int]] = defaultdict(list)
    position: dict[str, int] = {}
    for message in records:
        key, at = message.key(), decoder.decode(value_of(message))["OBSERVED_AT"]
        video = key.decode() if isinstance(key, bytes) else str(key)
        at_ms = round(at.timestamp() * 1000) if isinstance(at, datetime) else at
        assert whereabouts.setdefault(video, message.partition() or 0) == (message.partition() or 0), "a video stays in its partition"
        known, here = orders[video], position.get(video, -1) + 1
        if here < len(known) and known[here] == at_ms:
            position[video] = here
        elif here == len(known) and (not known or at_ms > known[-1]):
            known.append(at_ms)
            position[video] = here
        else:
            assert at_ms in known, f"{video}: {at_ms} came after a later reading"
            position[video] = known.index(at_ms)
            runs += 1
    return runs


def _watch_everything(folder: Path, now: datetime) -> None:
    """Every chat watches every video, as `ytwatcher add` would have stored it."""
    con = open_journal(folder / "ytwatcher.db")
    for number, video in enumerate(VIDEOS):
        target = watches.ensure_target(con, video, TargetKind.VIDEO, f"Video {number}", None, False, now)
        watches.join(con, target, subjects.ensure(con, video, SubjectKind.VIDEO, now), None, now)
        for chat in CHATS:
            watch, _ = watches.ensure_watch(con, target, recipients.ensure(con, f"telegram:{chat}"), now)
            for line in RULES:
                watches.add_rule(con, watch, line, now)
    con.close()


@contextlib.contextmanager
def stage(folder: Path, seed: int) -> Iterator[Stage]:
    """Everything runs, and the engine judges every rule; readings flow."""
    real_start = time.time()
    clock = SystemClock(SPEED, EPOCH, real_start)
    with served(clock.now) as services, served(clock.now, burst=10_000) as connects:
        connects.telegram.rates.overall_per_second = 10_000  # what Connect does under limits is another test's
        (shared_stack().secrets / "canary").write_text(TOKEN)
        at = shared_stack().addresses()
        user = home(folder, services)
        user.env |= {
            "YTWATCHER_TELEGRAM__OPERATOR": f"telegram:{OPERATOR}",
            "YTWATCHER_POLL__MIN_INTERVAL": "10s",
            "YTWATCHER_DATA__DIR": str(folder),
            "YTWATCHER_STREAMING__BOOTSTRAP": at.bootstrap,
            "YTWATCHER_STREAMING__REGISTRY_URL": at.registry,
            "YTWATCHER_STREAMING__PREFIX": f"faults{uuid.uuid4().hex[:8]}_",
            "YTWATCHER_STREAMING__PARTITIONS": str(PARTITIONS),
            "YTWATCHER_STREAMING__ENGINE": "flink",
            "YTWATCHER_STREAMING__FLINK_GATEWAY_URL": at.gateway,
            "YTWATCHER_STREAMING__FLINK_URL": at.flink,
            "YTWATCHER_STREAMING__CONNECT_URL": at.connect,
        }
        streaming = config.load(None, folder, user.env).streaming
        s = Stage(folder, services, connects, clock, real_start, streaming, user)
        s.note("the doubles are there")
        _fill_world(s)
        _watch_everything(folder, clock.now())
        topics.ensure(streaming)
        schemas.ensure(streaming)
        connector = configuration(streaming, Flavour.CAMEL, connects.telegram_url, token=token_reference(), more=QUICK)
        asyncio.run(_deploy(streaming, connector))
        s.note("all is deployed")
        try:
            s.start_processes()
            s.until("the engine judges", s.engine_judges)
            s.note("the engine judges")
            services.do(lambda: s.begin_to_grow(Random(seed)))
            yield s
        finally:
            s.kill_processes()
            asyncio.run(_end(streaming))


def _fill_world(s: Stage) -> None:
    def fill() -> None:
        for chat in (*CHATS, OPERATOR):
            s.services.telegram.add_chat(chat)
            s.connects.telegram.add_chat(chat)
        # A wide window between a delivery and its record.
        s.services.telegram.fail("sendMessage", "slow", seconds=0.1, delivered=True)
        for number, video_id in enumerate(VIDEOS):
            counts = (9_900 + 30 * number, 500, 5)
            s.services.world.add_video(
                video_id,
                views=counts[0],
                likes=counts[1],
                comments=counts[2],
                title=f"Video {number} 🎬",
                published_at=EPOCH - timedelta(days=9),
            )
            s.truth[video_id].add(counts)

    s.services.do(fill)


async def _deploy(streaming: Streaming, connector: dict[str, str]) -> None:
    async with open_engine(streaming) as engine, open_connect(streaming) as connect:
        await asyncio.gather(engine.carry_out(await engine.plan()), connect.deploy(connector))


async def _end(streaming: Streaming) -> None:
    async with open_engine(streaming) as engine, open_connect(streaming) as connect:
        await connect.remove()
        await engine.carry_out(await engine.plan(end=True))
