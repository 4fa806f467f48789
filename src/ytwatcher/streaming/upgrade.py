"""Bringing a deployment to its engine while readings are published: nothing is lost, and no reading overtakes its rules.

Publishing pauses, the old version finishes what is in the topics and ends, the new one begins, and publishing goes on once it has read what
is there. The new version reads the topics from their beginning, so that it knows each video's last reading, and alerts from the instant at
which the old one ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import lag, names, schemas, strangers, topics
from ytwatcher.streaming.engines.plan import Action, Deployment, Part, Plan, only, starts_in
from ytwatcher.streaming.lag import Reader

LEASE_SECONDS = 600.0
"""A pause that nobody renews ends by then. It outlasts the end of one version and the start of the next."""
PATIENCE = 300.0
"""Seconds for the engine to read what is in the topics."""
LOOK_EVERY = 0.5


class Engine(Protocol):
    """One deployment on one engine."""

    async def plan(self, *, end: bool = False) -> Plan: ...

    async def carry_out(self, plan: Plan) -> None: ...

    async def status(self) -> list[Part]: ...


Open = Callable[[Deployment], AbstractAsyncContextManager[Engine]]
Ask = Callable[..., Awaitable[dict[str, Any]]]
"""Have the process with the lease do something: `ask("stream pause", seconds=…)` (streaming/control.py)."""


async def bring(streaming: Streaming, kind: str, opened: Open, wanted: Deployment, ask: Ask, *, drain: bool) -> topics.Report:
    """Replace what runs by what is wanted, or make it where nothing runs.

    Args:
        kind: of engine, `flink` or `ksqldb`.
        drain: alert from where the old version ends, after it has judged all that is published; else from `wanted.alerts_from`.

    Raises:
        OutsideError: the engine or Kafka does not do it. `busy`: it runs, but does not get to the end of the topics in time.
    """
    try:
        await _until(ask, lambda: _idle(ask), "the batch in hand was not acknowledged")
        async with opened(wanted) as engine:
            ends = only(await engine.plan(), Action.END)
            if drain:
                wanted = replace(wanted, alerts_from=await _cut(streaming, kind, engine, ask, wanted.alerts_from, ends=bool(ends)))
            await engine.carry_out(ends)
        if kind == "flink":  # ksqlDB's new queries have new groups
            await asyncio.to_thread(lag.forget, streaming)
        report = await asyncio.to_thread(topics.ensure, streaming)
        await asyncio.to_thread(schemas.ensure, streaming)
        starts = starts_in((await ask("stream starts"))["starts"], report.ids)
        await _begin(streaming, kind, opened, replace(wanted, starts=starts), ask)
    finally:
        await ask("stream pause", seconds=0)
    return report


async def _begin(streaming: Streaming, kind: str, opened: Open, wanted: Deployment, ask: Ask) -> None:
    """Make it run, and wait until it has read what is in the topics."""
    async with opened(wanted) as engine:
        await engine.carry_out(only(await engine.plan(), Action.MAKE))
        await ask("stream deployed")
        readers = await _readers(streaming, kind, engine)
        await _until(ask, lambda: _drained(streaming, readers), "the new version runs, but has not read what is in the topics")


async def skip(streaming: Streaming, opened: Open, wanted: Deployment, ask: Ask) -> Sequence[str]:
    """Replace Flink's job by one that begins behind all that is in the topics; which records it could not have read, in words.

    The journal's rules and readings are published again behind them: so nothing is lost that the journal keeps. The new job judges from
    the first reading on that the old one did not.

    Raises:
        OutsideError: as `bring`.
    """
    try:
        await _until(ask, lambda: _idle(ask), "the batch in hand was not acknowledged")
        left = await asyncio.to_thread(strangers.unread, streaming)
        report = await asyncio.to_thread(topics.ensure, streaming)
        await asyncio.to_thread(schemas.ensure, streaming)
        ours = names.topics(streaming.prefix)
        ends = await asyncio.to_thread(lag.ends, streaming, (ours.videos, ours.rules))
        starts = {topic: [report.ids[topic], offsets] for topic, offsets in ends.items()}
        oldest = left.oldest_at.isoformat() if left.oldest_at else None
        cut = (await ask("stream anew", starts=starts, alerts_from=oldest))["alerts_from"]
        async with opened(wanted) as engine:
            await engine.carry_out(await engine.plan(end=True))
        await asyncio.to_thread(lag.forget, streaming)
        await _begin(streaming, "flink", opened, replace(wanted, alerts_from=datetime.fromisoformat(cut), starts=ends), ask)
    finally:
        await ask("stream pause", seconds=0)
    return left.strangers


async def end(streaming: Streaming, kind: str, opened: Open, wanted: Deployment, ask: Ask) -> Plan:
    """End what runs when it has judged all that is published, and note that: the next deployment goes on from there.

    Raises:
        OutsideError: as `bring`.
    """
    try:
        await _until(ask, lambda: _idle(ask), "the batch in hand was not acknowledged")
        async with opened(wanted) as engine:
            plan = await engine.plan(end=True)
            if plan:
                await _cut(streaming, kind, engine, ask, None, ends=True)
            await engine.carry_out(plan)
    finally:
        await ask("stream pause", seconds=0)
    return plan


async def _cut(streaming: Streaming, kind: str, engine: Engine, ask: Ask, otherwise: datetime | None, *, ends: bool) -> datetime | None:
    """From which reading on the new version has to judge: where the old one ends, now or when somebody died between its end and this."""
    if ends:
        readers = await _readers(streaming, kind, engine)
        await _until(ask, lambda: _drained(streaming, readers), "the version that runs has not read what is in the topics")
        return datetime.fromisoformat((await ask("stream switch"))["alerts_from"])
    unfinished = (await ask("stream unfinished"))["alerts_from"]
    return datetime.fromisoformat(unfinished) if unfinished else otherwise


async def _pause(ask: Ask) -> dict[str, Any]:
    return await ask("stream pause", seconds=LEASE_SECONDS)


async def _idle(ask: Ask) -> bool:
    return bool((await _pause(ask))["idle"])


async def _readers(streaming: Streaming, kind: str, engine: Engine) -> list[Reader]:
    parts = [part.name for part in await engine.status()]
    return await asyncio.to_thread(lag.readers, streaming, kind, parts)


async def _drained(streaming: Streaming, readers: list[Reader]) -> bool:
    return await asyncio.to_thread(lag.drained, streaming, readers)


async def _until(ask: Ask, look: Callable[[], Awaitable[bool]], failure: str) -> None:
    """Wait for something, and renew the pause meanwhile."""
    ends_at = time.monotonic() + PATIENCE
    while not await look():
        if time.monotonic() > ends_at:
            raise OutsideError(f"{failure} within {PATIENCE:.0f} seconds; `ytwatcher stream status` shows more", reason="busy")
        await _pause(ask)
        await asyncio.sleep(LOOK_EVERY)
