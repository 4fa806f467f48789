"""The only clock. Everything that needs the time or waits takes a `Clock`; the core takes `now` as an argument."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time and waiting: the system's clock, a faster one for the demo, a virtual one in tests."""

    def now(self) -> datetime:
        """The present instant, aware UTC; never goes back within a process."""
        ...

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        """Return at `until` (None: never) or as soon as `wake` is set, whichever is first; does not clear `wake`."""
        ...


class SystemClock:
    """The wall clock at start plus monotonic time, corrected only forwards; `speed` > 1 makes time run faster.

    Args:
        speed: simulated seconds per real second.
        epoch: the simulated time at `real_start`; None: the wall clock, without acceleration.
        real_start: the wall time (seconds since 1970) that `epoch` belongs to; None: now. Given, several processes
            share one accelerated time.
        wall, monotonic: where the real time comes from, in seconds.
    """

    def __init__(
        self,
        speed: float = 1.0,
        epoch: datetime | None = None,
        real_start: float | None = None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._follows_wall = epoch is None
        self._wall_time, self._monotonic_time = wall, monotonic
        now = wall()
        base = epoch if epoch is not None else datetime.fromtimestamp(now, UTC)
        elapsed = now - real_start if real_start is not None else 0.0
        self._start = base + timedelta(seconds=elapsed * speed)
        self._monotonic = monotonic()

    def now(self) -> datetime:
        now = self._start + timedelta(seconds=(self._monotonic_time() - self._monotonic) * self._speed)
        if self._follows_wall:
            ahead = datetime.fromtimestamp(self._wall_time(), UTC) - now
            if ahead > timedelta(seconds=1):  # a suspended laptop: monotonic time may have stood still
                self._start += ahead
                now += ahead
        return now

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        seconds = None if until is None else max(0.0, (until - self.now()).total_seconds() / self._speed)
        if wake is None:
            await asyncio.sleep(seconds if seconds is not None else 365 * 86_400)
            return
        # Waking at least once a minute notices a wall clock that ran on while the machine slept.
        while not wake.is_set() and (until is None or self.now() < until):
            pause = 60.0 if seconds is None else min(60.0, max(0.0, (until - self.now()).total_seconds() / self._speed) if until else 60.0)
            try:
                # Not wait_for: on Python 3.11 it loses a cancellation that comes together with the wake.
                async with asyncio.timeout(pause):
                    await wake.wait()
            except TimeoutError:
                continue


class Pulse:
    """A loop's clock, which shows to others whether the loop is alive: it waits, or has looked at the time not long ago."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits, self._seen_at = True, clock.now()

    def now(self) -> datetime:
        self._seen_at = self._clock.now()
        return self._seen_at

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        self._waits = True
        try:
            await self._clock.wait(until, wake)
        finally:
            self._waits, self._seen_at = False, self._clock.now()

    def works_for(self, now: datetime) -> timedelta:
        """For how long it has been at one piece of work; 0 while it waits."""
        return timedelta(0) if self._waits else now - self._seen_at
