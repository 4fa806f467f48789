"""An oracle for runs under faults: it reads every answer that reached the app: what may be told from when on, and what must be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

COUNTERS = {"views": "viewCount", "likes": "likeCount"}
FIRST = {"views": 1_000, "likes": 10}
TWICE = timedelta(minutes=5)
"""Between two answers that both show a number: what was seen so must be told."""
GONE = timedelta(minutes=10)
"""Between two answers that both lack a video."""
ABOUT = timedelta(seconds=1)
"""The app's own instant of an answer may differ by so much."""
UNDOUBTED = timedelta(hours=6) - TWICE
"""After so long without a sound answer a rise is believed at once (docs/rules.md)."""

Key = tuple[str, str]
"""Title and metric; or title and what was switched off."""
Number = tuple[str, str, int]
"""Title, metric, and the number passed."""


@dataclass(slots=True)
class Seen:
    """What the answers showed of one counter."""

    baseline: int
    peak: int
    sound_at: datetime
    """When an answer last showed a count that the counter really had."""
    rung: int
    """The lowest number that no answer has shown yet."""
    once: dict[int, datetime | None] = field(default_factory=dict)
    """Numbers shown in one answer, and when; None: that sighting does not count any more."""


@dataclass(slots=True)
class Oracle:
    """Reads answers in the order in which they reached the app.

    Args:
        titles: by video id.
        real: the highest count that a counter really had so far, by title and metric: what an answer shows above it is a slip.
    """

    titles: dict[str, str]
    real: Callable[[Key], int]
    true: dict[Number, datetime] = field(default_factory=dict)
    """Since when a number may be told: the count was real, two answers showed it, or nothing spoke against it."""
    certain: dict[Number, datetime] = field(default_factory=dict)
    """Since when a number must be told: two answers in a row of it have shown it, at least 5 minutes apart."""
    off: defaultdict[Key, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """When a video may have been told as gone, its likes as hidden, its comments as turned off: two answers in a row lacked them."""
    on: defaultdict[Key, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """When an answer showed again what was off."""
    slips: int = 0
    seen: int = 0
    _lacked: dict[Key, datetime] = field(default_factory=dict)
    _counts: dict[Key, Seen] = field(default_factory=dict)

    def see(self, asked: Collection[str], body: bytes, at: datetime, *, proves_absence: bool) -> None:
        """An answer about these ids, as the app is given it; what is no answer at all shows nothing."""
        try:
            items = json.loads(body)["items"]
        except (ValueError, KeyError):
            return
        for item in items:
            if item["id"] in asked and (title := self.titles.get(item["id"])) is not None:
                self._see_video(title, item.get("statistics", {}), at)
        if proves_absence and items:
            here = {item["id"] for item in items}
            for video in asked:
                if video not in here and video in self.titles:
                    self._lacks((self.titles[video], "video"), at, GONE)

    def forget_waits(self) -> None:
        """The app's clock was set back: what it had seen once, it may have to see twice again."""
        for seen in self._counts.values():
            seen.once = dict.fromkeys(seen.once)

    def put_forward(self, by: timedelta) -> None:
        """The app's clock was set forward while it did not run: nothing tells it that less time went by."""
        self._lacked = {key: at - by for key, at in self._lacked.items()}
        for seen in self._counts.values():
            seen.sound_at -= by
            seen.once = {rung: at and at - by for rung, at in seen.once.items()}

    def _see_video(self, title: str, statistics: dict[str, str], at: datetime) -> None:
        self.seen += 1
        self._shows((title, "video"), at)
        if "viewCount" not in statistics:
            return
        for what, counter in (("likes", "likeCount"), ("comments", "commentCount")):
            if counter in statistics:
                self._shows((title, what), at)
            else:
                self._lacks((title, what), at, TWICE)
        for metric, counter in COUNTERS.items():
            if counter in statistics:
                self._see_count((title, metric), int(statistics[counter]), at)

    def _lacks(self, key: Key, at: datetime, need: timedelta) -> None:
        if at - self._lacked.setdefault(key, at) >= need - ABOUT:
            self.off[key].append(at)

    def _shows(self, key: Key, at: datetime) -> None:
        self._lacked.pop(key, None)
        if key in self.off:
            self.on[key].append(at)

    def _see_count(self, key: Key, count: int, at: datetime) -> None:
        seen = self._counts.get(key)
        if seen is None:
            seen = self._counts[key] = Seen(count, count, at, next(rungs_above(FIRST[key[1]], count)))
        real = self.real(key)
        if count <= real:
            seen.sound_at = at
        else:
            self.slips += 1
        if seen.once:
            self._again(key, seen, count, at)
        if count >= seen.rung:
            believed = at - seen.sound_at >= UNDOUBTED
            for rung in rungs_above(FIRST[key[1]], seen.peak):
                if rung > count:
                    seen.rung = rung
                    break
                seen.once[rung] = at
                if rung <= real or believed:
                    self.true.setdefault((*key, rung), at)
            seen.peak = count

    def _again(self, key: Key, seen: Seen, count: int, at: datetime) -> None:
        """Numbers that were shown before: one that this answer does not reach has to be shown twice anew."""
        real = self.real(key)
        for rung, first in list(seen.once.items()):
            if rung > count:
                seen.once[rung] = None
                continue
            again = first is not None and at - first >= TWICE - ABOUT
            if rung <= real or again or at - seen.sound_at >= UNDOUBTED:
                self.true.setdefault((*key, rung), at)
            if first is None:
                seen.once[rung] = at
            elif at - first >= TWICE + ABOUT:
                del seen.once[rung]
                self.certain[*key, rung] = at


def rungs_above(first: int, above: int) -> Iterator[int]:
    """The numbers of the 1-2-5 ladder from `first` on and above a count, without end."""
    scale = 10 ** max(0, len(str(above)) - 1)
    while True:
        for one in (1, 2, 5):
            if one * scale > above and one * scale >= first:
                yield one * scale
        scale *= 10
