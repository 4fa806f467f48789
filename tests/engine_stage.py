"""The bench of the vectors, and deployments on the shared stack, for tests that drive an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from stack.parts import Addresses
from stack_parts import shared_stack
from ytwatcher.settings import Streaming
from ytwatcher.streaming import engines
from ytwatcher.streaming.engines.flink import Flink
from ytwatcher.streaming.engines.plan import Deployment
from ytwatcher.streaming.engines.rest import Rest
from ytwatcher.streaming.vectors.bench import Bench
from ytwatcher.streaming.vectors.cases import Case
from ytwatcher.streaming.vectors.drive import send
from ytwatcher.streaming.vectors.situations import situations

EngineStage = Bench
"""Topics of a prefix of their own, made when it is entered and deleted when it is left."""


def settings(addresses: Addresses, prefix: str, partitions: int = 1) -> Streaming:
    return Streaming(
        bootstrap=addresses.bootstrap,
        registry_url=addresses.registry,
        prefix=prefix,
        partitions=partitions,
        flink_url=addresses.flink,
        flink_gateway_url=addresses.gateway,
    )


def deployment(streaming: Streaming, **more: Any) -> Deployment:
    return replace(engines.deployment(streaming), **more)


def small_case(name: str, tag: str = "") -> Case:
    """One of the situations; the tag makes its video another one."""
    return next(one.case() for one in situations(tag) if one.name == name)


def send_phase(stage: EngineStage, case: Case, number: int = 0) -> None:
    """One phase of one case, judged."""
    send(stage, [Case(case.name, case.videos, [case.phases[number]], ())])


@asynccontextmanager
async def flink(wanted: Deployment) -> AsyncIterator[Flink]:
    addresses = shared_stack().addresses()
    async with (
        Rest("Flink's gateway", addresses.gateway, setting="streaming.flink_gateway_url") as gateway,
        Rest("Flink", addresses.flink, setting="streaming.flink_url") as manager,
    ):
        yield Flink(gateway, manager, wanted)


def with_flink(wanted: Deployment, work: Callable[[Flink], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        async with flink(wanted) as engine:
            return await work(engine)

    return asyncio.run(go())


@contextmanager
def deployed(streaming: Streaming, **more: Any) -> Iterator[Deployment]:
    """The deployment runs inside the block."""
    wanted = deployment(streaming, **more)
    with_flink(wanted, deploy)
    try:
        yield wanted
    finally:
        with_flink(wanted, end)


async def deploy(engine: Flink) -> None:
    await engine.carry_out(await engine.plan())


async def end(engine: Flink) -> None:
    await engine.carry_out(await engine.plan(end=True))
