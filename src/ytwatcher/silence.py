"""Times without any answer of YouTube: the operator hears of them, and what they held back is told in one message."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from ytwatcher.clock import Clock
from ytwatcher.core.phrases import Phrase
from ytwatcher.reader import Notify

SILENCE = timedelta(hours=1)
CATCH_UP = timedelta(minutes=10)


class Gate(Protocol):
    """Holds messages back while we catch up after an outage of ours, so that all news leaves as one."""

    def hold(self, until: datetime | None = None) -> None: ...

    def release(self) -> None: ...


class Silence:
    """Notes every answer. After an hour without one the operator is told, and messages wait until everything due was read.

    Args:
        notify: tells the operator once per incident.
    """

    def __init__(self, clock: Clock, gate: Gate, notify: Notify) -> None:
        self._clock, self._gate, self._notify = clock, gate, notify
        self._started_at = clock.now()
        self._answered_at: datetime | None = None
        self._told_at: datetime | None = None
        self._catching_up = False

    def begin(self, answered_at: datetime | None) -> None:
        """We listen from now on; YouTube last answered at `answered_at`, maybe to an earlier process."""
        self._started_at, self._answered_at = self._clock.now(), answered_at

    def answered(self) -> None:
        """YouTube answered; if that ends a silence, messages wait for each other."""
        now = self._clock.now()
        if self._answered_at is not None and now - self._answered_at >= SILENCE:
            self._gate.hold(now + CATCH_UP)
            self._catching_up = True
        self._answered_at = now

    def caught_up(self) -> None:
        """Everything due was read."""
        if self._catching_up:
            self._catching_up = False
            self._gate.release()

    async def watch(self, *, failing: bool) -> datetime | None:
        """Tell the operator what there is to tell; returns when to look again.

        Args:
            failing: whether calls fail for a reason that was not told; where none fails, none was due or a bucket is closed.
        """
        now, since_at = self._clock.now(), self._answered_at or self._started_at
        if self._told_at is not None and since_at > self._told_at:
            await self._notify(f"reading-again:{since_at:%Y-%m-%dT%H:%M}", Phrase("YouTube answers again; nothing was lost."))
            self._told_at = None
        silent_at = max(since_at, self._started_at) + SILENCE
        if now < silent_at:
            return silent_at
        if failing and self._told_at is None:
            self._told_at = now
            await self._notify(
                f"silence:{since_at:%Y-%m-%dT%H:%M}",
                Phrase(
                    "Nothing could be read from YouTube since {at} UTC. It is tried again all the time;"
                    " `ytwatcher doctor` shows what is wrong.",
                    at=f"{since_at:%Y-%m-%d %H:%M}",
                ),
            )
        return None
