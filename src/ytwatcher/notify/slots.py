"""What was sent when: from it follow the slots that the rate limits leave open."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from datetime import datetime

from ytwatcher.core.retry import MINUTE, Pace, next_slot
from ytwatcher.store.recipients import chat_of

REMEMBERED = MINUTE * 2
"""Longer than any limit looks back."""


class Slots:
    """The sendings of the last two minutes, by chat and by scheme."""

    def __init__(self) -> None:
        self._chats: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._schemes: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._in_flight: Counter[str] = Counter()

    def opens_at(self, address: str, pace: Pace, now: datetime) -> datetime:
        """The first instant from now on at which the address may be sent to."""
        scheme = scheme_of(address)
        return next_slot(
            pace, _recent(self._chats[chat_of(address)], now), _recent(self._schemes[scheme], now), now, self._in_flight[scheme]
        )

    def all_open_at(self, scheme: str, pace: Pace, now: datetime) -> datetime:
        """The same as far as all chats of a service together are concerned."""
        return next_slot(pace, (), _recent(self._schemes[scheme], now), now, self._in_flight[scheme])

    def note(self, address: str, at: datetime) -> None:
        """Something was sent."""
        for sent in (self._chats[chat_of(address)], self._schemes[scheme_of(address)]):
            _recent(sent, at).append(at)

    def begin(self, address: str) -> None:
        """Something is being sent from now on, until `end`."""
        self._in_flight[scheme_of(address)] += 1

    def end(self, address: str, at: datetime) -> None:
        """It was answered, or given up: the service counted it before."""
        self._in_flight[scheme_of(address)] -= 1
        self.note(address, at)


def _recent(sent: deque[datetime], now: datetime) -> deque[datetime]:
    while sent and sent[0] < now - REMEMBERED:
        sent.popleft()
    return sent


def scheme_of(address: str) -> str:
    return address.partition(":")[0]
