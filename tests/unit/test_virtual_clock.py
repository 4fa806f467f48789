from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from virtual_clock import VirtualClock
from ytwatcher.clock import Clock

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_loops_run_in_the_order_of_their_deadlines_and_time_ends_where_it_was_told_to() -> None:
    async def go() -> None:
        clock, seen = VirtualClock(START, loops=2), list[tuple[str, datetime]]()

        async def loop(name: str, every: timedelta) -> None:
            while True:
                await clock.wait(clock.now() + every)
                seen.append((name, clock.now()))

        tasks = [asyncio.create_task(loop("a", 2 * MINUTE)), asyncio.create_task(loop("b", 3 * MINUTE))]
        await clock.run_until(START + 5 * MINUTE)
        assert seen == [("a", START + 2 * MINUTE), ("b", START + 3 * MINUTE), ("a", START + 4 * MINUTE)]
        assert clock.now() == START + 5 * MINUTE
        for task in tasks:
            task.cancel()

    asyncio.run(go())


def test_a_wake_is_followed_at_the_instant_it_is_set_and_before_time_moves() -> None:
    async def go() -> None:
        clock, wake, seen = VirtualClock(START, loops=2), asyncio.Event(), list[datetime]()

        async def sleeper() -> None:
            while True:
                await clock.wait(None, wake)
                wake.clear()
                await asyncio.to_thread(lambda: None)  # real work, during which time stands still
                seen.append(clock.now())

        async def waker() -> None:
            while True:
                await clock.wait(clock.now() + MINUTE)
                wake.set()

        tasks = [asyncio.create_task(sleeper()), asyncio.create_task(waker())]
        await clock.run_until(START + 3 * MINUTE)
        assert seen == [START + n * MINUTE for n in (1, 2, 3)]
        for task in tasks:
            task.cancel()

    asyncio.run(go())


def test_time_stands_still_while_something_is_busy() -> None:
    async def go() -> None:
        clock, wake, jobs, seen = VirtualClock(START), asyncio.Event(), set[asyncio.Task[None]](), list[datetime]()

        async def job() -> None:
            await asyncio.to_thread(lambda: None)
            seen.append(clock.now())

        def ended(task: asyncio.Task[None]) -> None:
            jobs.discard(task)
            wake.set()

        async def loop() -> None:
            task = asyncio.create_task(job())
            jobs.add(task)
            task.add_done_callback(ended)
            while True:
                await clock.wait(START + MINUTE, wake)
                wake.clear()
                if clock.now() >= START + MINUTE:
                    await clock.wait(None)

        clock.busy.append(lambda: bool(jobs))
        task = asyncio.create_task(loop())
        await clock.run_until(START + 2 * MINUTE)
        assert seen == [START]
        task.cancel()

    asyncio.run(go())


def test_work_can_be_driven_to_its_end_and_a_passed_deadline_does_not_wait() -> None:
    async def go() -> None:
        clock: VirtualClock = VirtualClock(START)
        as_clock: Clock = clock

        async def work() -> datetime:
            await as_clock.wait(START - MINUTE)
            await as_clock.wait(START + MINUTE, asyncio.Event())
            return as_clock.now()

        assert await clock.drive(work()) == START + MINUTE

    asyncio.run(go())


def test_loops_that_never_rest_are_told_as_a_hang() -> None:
    async def go() -> None:
        clock = VirtualClock(START, loops=2, patience=0.05)
        task = asyncio.create_task(clock.wait(None))
        with pytest.raises(AssertionError, match="1 of 2 loops wait"):
            await clock.run_until(START + MINUTE)
        task.cancel()

    asyncio.run(go())
