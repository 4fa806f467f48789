"""A clock that tests move: it jumps from deadline to deadline while real HTTP and real SQLite work finish in between.

    clock = VirtualClock(start, loops=2)              # e.g. a poller's and a dispatcher's loop wait on it
    clock.busy.append(lambda: dispatcher.busy)        # work that goes on while its loop waits
    async with asyncio.TaskGroup() as group:
        group.create_task(poller.run()); group.create_task(dispatcher.run())
        await clock.run_until(start + timedelta(hours=3))

Time stands still while any loop works. It moves only when all is quiet: at least `loops` tasks are inside `wait`, so is every other
task that ever waited and has not ended, no waiter's `wake` is set, and nothing in `busy` says True. Whatever ends busy work must set
the `wake` of a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class _Waiter:
    until: datetime | None
    wake: asyncio.Event | None
    due: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ready(self) -> bool:
        return self.due.is_set() or (self.wake is not None and self.wake.is_set())


class VirtualClock:
    """Implements `ytwatcher.clock.Clock`.

    Args:
        start: the first instant, aware UTC.
        loops: how many tasks must be waiting before time may move.
        patience: real seconds in which the loops must come to rest between two jumps; longer is a hang, and told as one.
    """

    def __init__(self, start: datetime, loops: int = 1, patience: float = 120.0) -> None:
        self.loops = loops
        self._patience = patience
        self.busy: list[Callable[[], bool]] = []
        self._now = start
        self._waiters: dict[asyncio.Task[Any], _Waiter] = {}
        self._known: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        if (until is not None and until <= self._now) or (wake is not None and wake.is_set()):
            await asyncio.sleep(0)
            return
        task = self._register()
        waiter = self._waiters[task] = _Waiter(until, wake)
        self._changed.set()
        try:
            await _first(waiter.due, wake)
        finally:
            del self._waiters[task]

    async def run_until(self, until: datetime) -> None:
        """Let everything happen that happens up to and including `until`, and come to rest there."""
        await self._rest()
        while (deadline := self._next_deadline()) is not None and deadline <= until:
            self._jump(deadline)
            await self._rest()
        if until > self._now:
            self._jump(until)

    def suspend(self, span: timedelta) -> None:
        """The machine sleeps: it is later, and nothing happened meanwhile."""
        self._jump(self._now + span)

    async def rest(self) -> None:
        """Let everything happen that happens at the present instant."""
        await self._rest()

    async def drive(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, jumping to the next deadline whenever all is quiet; for a test without other loops."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._changed.set())
        while not task.done():
            await self._rest(task)
            if not task.done():
                deadline = self._next_deadline()
                assert deadline is not None, "the work waits for an event that nobody will set"
                self._jump(deadline)
        return await task

    def _register(self) -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        if task not in self._known:
            self._known.add(task)
            task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._known.discard(task)
        self._changed.set()

    def _next_deadline(self) -> datetime | None:
        return min((waiter.until for waiter in self._waiters.values() if waiter.until is not None), default=None)

    def _jump(self, to: datetime) -> None:
        self._now = max(self._now, to)
        for waiter in self._waiters.values():
            if waiter.until is not None and waiter.until <= self._now:
                waiter.due.set()

    def _quiet(self) -> bool:
        working = self._known - self._waiters.keys() - {asyncio.current_task()}
        return (
            len(self._waiters) >= self.loops
            and not working
            and not any(waiter.ready for waiter in self._waiters.values())
            and not any(busy() for busy in self.busy)
        )

    async def _rest(self, work: asyncio.Task[Any] | None = None) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while not self._quiet() and not (work is not None and work.done()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(self._complaint()) from None

    def _complaint(self) -> str:
        working = sorted(repr(task.get_coro()) for task in self._known - self._waiters.keys())
        return (
            f"not at rest within {self._patience:g} s at {self._now}: {len(self._waiters)} of {self.loops} loops wait,"
            f" working: {working}, busy: {[busy() for busy in self.busy]}"
        )


async def _first(due: asyncio.Event, wake: asyncio.Event | None) -> None:
    """Return when either event is set."""
    if wake is None:
        await due.wait()
        return
    tasks = [asyncio.ensure_future(event.wait()) for event in (due, wake)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
