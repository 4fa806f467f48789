"""The streaming way whole: a reading of YouTube's double goes through Kafka and Flink and comes out in a chat of Telegram's."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal import Journal
from served import simulated
from stack_parts import needs, shared_stack
from ytwatcher import config
from ytwatcher.app import App, open_app
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId, from_ms
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_video_id, serve
from ytwatcher.store import publications
from ytwatcher.store.db import Database
from ytwatcher.streaming import lag, schemas, topics
from ytwatcher.streaming.way import EngineWatch, open_engine

SPEED = 20.0
EPOCH = datetime(2026, 10, 5, 17, tzinfo=UTC)
CHAT, VIDEO = 1001, make_video_id(1)
PATIENCE = 180.0


class Stage:
    def __init__(self, app: App, world: World, telegram: TelegramDouble) -> None:
        self.app, self.world, self.telegram = app, world, telegram

    def told(self) -> list[str]:
        return [message.shown for message in self.telegram.messages if message.chat_id == CHAT]

    async def until(self, what: str, look: Callable[[], Awaitable[object]]) -> None:
        """Real time: the parts are real. Looked at often, so nothing waits longer than it must."""
        ends_at = time.monotonic() + PATIENCE
        while not await look():
            assert time.monotonic() < ends_at, f"{what}: not within {PATIENCE:.0f} s"
            await self.app.clock.wait(self.app.clock.now() + timedelta(seconds=4))

    async def engine_judges(self) -> bool:
        """Whether every rule that can has moved, and its instant is over."""
        now = int(self.app.clock.now().timestamp() * 1000)
        rows = await self.app.db.read(lambda con: con.execute("SELECT engine_since FROM rule_state").fetchall())
        return bool(rows) and all(row[0] is not None and row[0] < now for row in rows)


@asynccontextmanager
async def stage(folder: Path, engine: str) -> AsyncIterator[Stage]:
    """The running app with its topics under a prefix of their own, and the engine deployed where one is named."""
    addresses = shared_stack().addresses()
    clock = SystemClock(SPEED, EPOCH)
    world = World(clock.now)
    youtube, telegram = YouTubeDouble(world, clock.now), TelegramDouble(clock.now, burst=5)
    telegram.add_chat(CHAT)
    async with AsyncExitStack() as stack:
        youtube_url = await stack.enter_async_context(serve(youtube.app))
        telegram_url = await stack.enter_async_context(serve(telegram.app))
        env = {
            **simulated(folder, youtube_url, telegram_url),
            "YTWATCHER_STREAMING__BOOTSTRAP": addresses.bootstrap,
            "YTWATCHER_STREAMING__REGISTRY_URL": addresses.registry,
            "YTWATCHER_STREAMING__PREFIX": f"way{uuid.uuid4().hex[:8]}_",
            "YTWATCHER_STREAMING__ENGINE": engine,
            "YTWATCHER_STREAMING__FLINK_GATEWAY_URL": addresses.gateway,
            "YTWATCHER_STREAMING__FLINK_URL": addresses.flink,
        }
        app = await stack.enter_async_context(open_app(config.load(None, folder, env), clock, look_every=None))
        streaming = app.settings.streaming
        if engine != "embedded":
            await asyncio.to_thread(topics.ensure, streaming)
            await asyncio.to_thread(schemas.ensure, streaming)
            flink = await stack.enter_async_context(open_engine(streaming))
            await flink.carry_out(await flink.plan())
            stack.push_async_callback(lambda: _end(streaming))
        running = asyncio.create_task(app.run())
        try:
            yield Stage(app, world, telegram)
        finally:
            app.stop()
            await running


async def _end(streaming: object) -> None:
    async with open_engine(streaming) as engine:  # type: ignore[arg-type]  # the settings of the stage
        await engine.carry_out(await engine.plan(end=True))


@needs("broker", "registry", "jobmanager", "taskmanager", "gateway")
def test_a_milestone_goes_through_kafka_and_flink_to_a_chat_in_the_embedded_words(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path, "flink") as s:
            s.world.add_video(
                VIDEO, views=10_950, likes=5, comments=0, title="A “title” | & pipes 🎬", published_at=EPOCH - timedelta(days=9)
            )
            outcome = await s.app.perform("add", {"text": VIDEO, "rules": ["views every 1000"], "to": f"telegram:{CHAT}"})
            assert "ok" in outcome, outcome
            await s.until("the rule moves to the engine", s.engine_judges)
            assert s.told() == []
            s.world.videos[VIDEO].views = 12_034

            async def told() -> bool:
                return bool(s.told())

            await s.until("the message arrives", told)
            [message] = s.told()
            assert message.splitlines()[0] == "A “title” | & pipes 🎬"
            assert "Views passed 12,000: 10,950 → 12,034 (+1,084" in message
            columns = "id, metric, kind, mark, previous, current, previous_at, observed_at"
            [stored] = await s.app.db.read(lambda con: con.execute(f"SELECT {columns} FROM alert").fetchall())
            rows = await s.app.db.read(lambda con: con.execute("SELECT record FROM publication ORDER BY seq").fetchall())
            twin = embedded_twin(tmp_path / "twin.db", stored["id"].partition(":")[0], [json.loads(row["record"]) for row in rows])
            assert [tuple(stored)] == [tuple(row) for row in twin.execute(f"SELECT {columns} FROM alert")]
            twin.close()

    asyncio.run(go())


@needs("broker", "registry", "jobmanager", "taskmanager", "gateway")
def test_an_engine_that_was_ended_for_a_topic_made_anew_begins_even_if_that_failed_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = shared_stack().addresses()
    settings = Streaming(
        bootstrap=at.bootstrap,
        registry_url=at.registry,
        prefix=f"anew{uuid.uuid4().hex[:8]}_",
        engine="flink",
        flink_gateway_url=at.gateway,
        flink_url=at.flink,
    )

    async def notify(key: str, text: str) -> None: ...

    async def go() -> None:
        ids = topics.ensure(settings).ids
        schemas.ensure(settings)
        db = Database(tmp_path / "journal.db")
        watch = EngineWatch(db, SystemClock(), settings, notify)
        async with open_engine(settings) as engine:
            await watch.begin_anew(ids)
            assert await engine.plan(end=True) == (), "nobody had deployed it"
            await engine.carry_out(await engine.plan())
            await db.write(publications.meet_topics, {"videos": "before"}, "videos")
            await db.write(publications.meet_topics, {"videos": "after"}, "videos")
            with monkeypatch.context() as patched:
                patched.setattr(lag, "forget", refuse)
                with pytest.raises(OutsideError, match="not now"):
                    await watch.begin_anew(ids)
            assert await engine.plan(end=True) == (), "it was ended"
            await watch.begin_anew(ids)
            [part] = await engine.status()
            assert (part.state, part.fault) == ("RUNNING", "")
            await engine.carry_out(await engine.plan(end=True))
        db.close()

    def refuse(*_: object) -> None:
        raise OutsideError("not now", reason="unreachable")

    asyncio.run(go())


def embedded_twin(path: Path, rule_id: str, records: list[dict[str, Any]]) -> sqlite3.Connection:
    """A journal where the embedded judge has found what there is in the same readings for the same rule."""
    twin = Journal(path, VIDEO)
    twin.add_target([], EPOCH)
    twin.add_rule("views every 1000", EPOCH, rule_id)
    for record in records:
        at = from_ms(record["OBSERVED_AT"])
        twin.accept([Reading(SubjectId(VIDEO), at, Lane.STATISTICS, {Metric.VIEWS: record["VIEWS"]})], at)
    return twin.con


@needs("broker", "registry")
def test_without_an_engine_the_readings_are_published_and_judged_here(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path, "embedded") as s:
            s.world.add_video(VIDEO, views=10_950, likes=5, comments=0, title="A title", published_at=EPOCH - timedelta(days=9))
            await s.app.perform("add", {"text": VIDEO, "rules": ["views every 1000"], "to": f"telegram:{CHAT}"})
            s.world.videos[VIDEO].views = 12_034

            async def told_and_published() -> bool:
                waiting = await s.app.db.read(
                    lambda con: con.execute("SELECT count(*) FROM publication WHERE acked_at IS NULL").fetchone()[0]
                )
                return bool(s.told()) and waiting == 0

            await s.until("told and published", told_and_published)
            rows = await s.app.db.read(lambda con: con.execute("SELECT record FROM publication").fetchall())
            assert any('"VIEWS":12034' in row[0] and '"PEAK_VIEWS":10950' in row[0] for row in rows)

    asyncio.run(go())
