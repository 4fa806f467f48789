"""The dead man's switch: called while readings flow, quiet when they stop, and never in anybody's way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from story import story
from ytwatcher.simulator import serve

TOKEN = "CANARY-of-the-switch"


def test_it_is_called_every_five_minutes_while_readings_flow(tmp_path: Path) -> None:
    calls: list[str] = []

    def called(request: Request) -> PlainTextResponse:
        calls.append(request.url.path)
        return PlainTextResponse("ok")

    async def go() -> None:
        async with (
            serve(Starlette(routes=[Route("/{rest:path}", called)])) as url,
            story(tmp_path, settings=[("DEADMAN__URL", f"{url}/{TOKEN}")]) as s,
        ):
            s.clock.loops += 1  # the one that calls
            await s.until(s.clock.now() + timedelta(hours=1))
            assert calls == []  # nothing was read: nothing is watched
            await s.add(s.video(1).id)
            await s.until(s.clock.now() + timedelta(hours=1))
            assert 11 <= len(calls) <= 13 and set(calls) == {f"/{TOKEN}"}
            s.youtube.fail("*", "html502")
            await s.until(s.clock.now() + timedelta(hours=2))
            before = len(calls)
            await s.until(s.clock.now() + timedelta(hours=3))
            assert len(calls) == before <= 25
            s.youtube.clear()
            await s.until(s.clock.now() + timedelta(hours=2))
            assert len(calls) > before

    asyncio.run(go())


def test_a_switch_that_is_away_disturbs_nothing_and_is_said_once_without_its_url(tmp_path: Path) -> None:
    async def go() -> None:
        async with story(tmp_path, settings=[("DEADMAN__URL", f"http://127.0.0.1:9/{TOKEN}")]) as s:
            s.clock.loops += 1
            await s.add(s.video(1, views=900).id, "views change")
            s.world.videos[s.video(1).id].views = 1000
            await s.until(s.clock.now() + timedelta(hours=1))
            assert s.told()

    with capture_logs() as logged:
        asyncio.run(go())
    assert [line["error"] for line in logged if line["event"] == "deadman_not_reached"] == ["ConnectError"]
    assert TOKEN not in str(logged)
