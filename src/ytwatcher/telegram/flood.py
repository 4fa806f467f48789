"""Who writes or presses faster than anybody can read is not answered, so that all others are."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from enum import Enum, auto

BURST = 20
REFILL = timedelta(seconds=2)
"""After a burst one update in this time is answered. Telegram lets a bot send 20 messages a minute to a group, and about one a second
to a person."""
CHATS = 10_000


class Verdict(Enum):
    """What becomes of an update."""

    ANSWER = auto()
    SAY_SLOWER = auto()
    """The first one too many: a word is said, once until it is quieter."""
    DROP = auto()


class Flood:
    """Counts by chat, in memory: a chat has `BURST` updates, and gets one back every `REFILL`."""

    def __init__(self) -> None:
        self._full_at: OrderedDict[str, tuple[datetime, bool]] = OrderedDict()

    def judge(self, chat: str, now: datetime) -> Verdict:
        """What becomes of one more update of the chat."""
        full_at, warned = self._full_at.pop(chat, (now, False))
        full_at = max(full_at, now)
        if full_at + REFILL > now + BURST * REFILL:
            self._full_at[chat] = (full_at, True)
            return Verdict.DROP if warned else Verdict.SAY_SLOWER
        self._full_at[chat] = (full_at + REFILL, warned and full_at > now + BURST * REFILL / 2)
        if len(self._full_at) > CHATS:
            self._full_at.popitem(last=False)
        return Verdict.ANSWER
