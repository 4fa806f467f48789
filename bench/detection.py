"""How soon a number that was passed is read: the plan, uniform reading, and one that knows the future, on simulated growth."""

from __future__ import annotations

import heapq
import math
import random
import statistics
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure, Figures
from bench.growth import Video, poisson
from ytwatcher.core.intervals import HOUR_MS, IDS_PER_CALL, PACE, Kind, fitting, learn, next_reading
from ytwatcher.core.model import MetricState, Rule, RuleId, RuleState, SubjectId, SubjectState
from ytwatcher.core.rules import parse_rule

CALLS_A_DAY = 9_500
START = datetime(2026, 10, 1, tzinfo=UTC)
REST_HOURS = 1 / 60
PLAN_EVERY = 1 / 6
Answers = Callable[[int, float], int]
"""What the API answers of one video at one time (hours)."""


class Life:
    """Reads by the plan; times in hours. `readings[i]` are those of video i."""

    def __init__(self, count: int, line: str, answers: Answers, calls_a_day: int) -> None:
        self._rule = Rule(RuleId("r1"), parse_rule(line), RuleState(START))
        self._answers, self._slot = answers, 24 / calls_a_day
        self.readings = [array("d") for _ in range(count)]
        self._states = [MetricState() for _ in range(count)]
        self._kinds: list[Kind | None] = [None] * count
        self._load: Counter[Kind] = Counter()
        self._new = deque(range(count))
        self._near: list[tuple[float, int]] = []
        self._far: list[tuple[float, int]] = []
        self._due = array("d", [0.0] * count)
        self._pace, self._planned_at, self.calls = PACE, -1.0, 0

    def live(self, hours: float) -> None:
        for number in range(int(hours / self._slot)):
            now = number * self._slot
            if now - self._planned_at >= PLAN_EVERY:
                self._pace, self._planned_at = fitting(self._load, 1 / (self._slot * HOUR_MS), self._pace), now
            ids = self._take(now)
            self.calls += bool(ids)
            for index in ids:
                self._read(index, now)

    def _take(self, now: float) -> list[int]:
        ids = [self._new.popleft() for _ in range(min(IDS_PER_CALL, len(self._new)))]
        for heap in (self._near, self._far):
            while heap and len(ids) < IDS_PER_CALL and heap[0][0] <= now:
                due, index = heapq.heappop(heap)
                if self._due[index] == due:
                    ids.append(index)
        if ids:
            self._fill(ids, now)
        return ids

    def _fill(self, ids: list[int], now: float) -> None:
        """The places left over go to those due next, but for those just read."""
        kept = []
        while self._far and len(ids) < IDS_PER_CALL:
            due, index = heapq.heappop(self._far)
            if self._due[index] != due:
                continue
            if now - self.readings[index][-1] >= REST_HOURS:
                ids.append(index)
            else:
                kept.append((due, index))
        for entry in kept:
            heapq.heappush(self._far, entry)

    def _read(self, index: int, now: float) -> None:
        self.readings[index].append(now)
        value = self._answers(index, now)
        before = self._states[index]
        after = MetricState(value, None, START + timedelta(hours=now), max(value, before.peak or 0))
        self._states[index] = after = learn(before, after)
        metric = self._rule.spec.metric
        assert metric is not None
        following = next_reading([self._rule], SubjectState(SubjectId("v"), metrics={metric: after}), self._pace)
        kind = Kind(following.near, following.step)
        old = self._kinds[index]
        if old is not None:
            self._load[old] -= 1
        self._load[kind] += 1
        self._kinds[index] = kind
        self._due[index] = due = now + following.interval_ms / HOUR_MS
        heapq.heappush(self._near if following.near else self._far, (due, index))


class Delays(NamedTuple):
    """In seconds."""

    median: float
    p95: float
    mean: float
    events: int


def summed(waits: list[float]) -> Delays:
    waits.sort()
    median, p95 = waits[len(waits) // 2], waits[int(len(waits) * 0.95)]
    return Delays(3600 * median, 3600 * p95, 3600 * statistics.fmean(waits), len(waits))


def after(times: Sequence[float], at: float, end: float) -> float:
    place = bisect_left(times, at)
    return (times[place] if place < len(times) else end) - at


def milestones(count: int, days: int, seed: int = 1, calls: int = CALLS_A_DAY) -> dict[str, Delays]:
    """Of `views milestones`: by the plan, by uniform reading with full calls and with one id a call, and by one that knows the future."""
    rng = random.Random(seed)
    world = [Video(random.Random(rng.random()), days * 24) for _ in range(count)]
    end = days * 24.0
    life = Life(count, "views milestones", lambda index, now: world[index].read(now), calls)
    life.live(end)
    seen = [(at, index) for index, video in enumerate(world) for at, _ in video.seen() if at < end - 1]
    found = {"plan": summed([after(life.readings[index], at, end) for at, index in seen])}
    for name, size, least in (("uniform", IDS_PER_CALL, 1 / 12), ("one id a call", 1, 0.0)):
        every = max(count / size * 24 / calls, least)
        phases = [rng.random() * every for _ in range(count)]
        found[name] = summed([(phases[index] - at) % every for at, index in seen])
    found["clairvoyant"] = summed([-at % (24 / calls) for at, _ in seen])
    return found


def changes(count: int, days: int, seed: int = 1) -> tuple[float, float]:
    """Of `likes change` with constant rates: the mean delay by the plan and the least one that intervals can have, in seconds.

    The calls are as many a video as 20,000 videos have."""
    rng = random.Random(seed)
    rates = [rng.lognormvariate(math.log(0.5), 2.3) for _ in range(count)]
    ticks, counts = zip(*(_ticks(rng, rate, days * 24) for rate in rates), strict=True)
    calls, end = CALLS_A_DAY * count // 20_000, days * 24.0
    life = Life(count, "likes change", lambda index, now: int(counts[index][bisect_right(ticks[index], now)]), calls)
    life.live(end)
    waits = [after(life.readings[index], at, end) for index in range(count) for at in ticks[index] if 24 <= at < end - 3]
    return 3600 * statistics.fmean(waits), 3600 * _least(rates, IDS_PER_CALL * calls / 24)


def _ticks(rng: random.Random, rate: float, hours: int) -> tuple[array[float], array[float]]:
    """The refreshes at which a count changed, and the count after so many of them."""
    at, total, phase = array("d"), array("d", [1000.0]), rng.random() / 12
    for tick in range(hours * 12):
        more = poisson(rng, rate / 12)
        if more:
            at.append(phase + tick / 12)
            total.append(total[-1] + more)
    return at, total


def _least(rates: Sequence[float], readings_an_hour: float) -> float:
    """The square-root law for known rates: no interval below a refresh, all of them together as many readings as there are."""
    news = [12 * (1 - math.exp(-rate / 12)) for rate in rates]
    low, high = 0.0, 1e4
    for _ in range(60):
        middle = (low + high) / 2
        if sum(1 / max(1 / 12, middle / math.sqrt(rate)) for rate in news) > readings_an_hour:
            low = middle
        else:
            high = middle
    return sum(rate * max(1 / 12, high / math.sqrt(rate)) / 2 for rate in news) / sum(news)


def run(folder: Path, *, sizes: Sequence[int] = (100, 1_000, 20_000), days: int = 14, counts: int = 2_000) -> Figures:
    """Nothing is stored: `folder` is not used."""
    rows = []
    for count in sizes:
        found = milestones(count, days)
        plan, others = found.pop("plan"), "; ".join(f"{name} {_said(one)}" for name, one in found.items())
        target = "median < 1 min, p95 < 10 min" if count == 20_000 else ""
        rows.append(Figure(f"`views milestones`, {count:,} videos ({plan.events:,} passed)", _said(plan), others, target))
    mean, least = changes(counts, min(days, 5))
    rows.append(Figure("`likes change`, mean delay at known rates", f"{mean:,.0f} s", f"{least:,.0f} s (optimum)", "within 20 %"))
    return Figures(
        "From the API to a reading",
        "From the first instant at which the API would answer a number at or past the threshold to the reading of it: median and 95 of 100."
        f" {days} days with {CALLS_A_DAY:,} calls a day of 50 ids; the rate model and the plan only, fixed seeds, from each video's first"
        " reading on. *Uniform*: all videos in turn, in full calls, not more often than every 5 minutes; *clairvoyant*: the next call.",
        rows,
        "the shortest interval (1 minute) for the median; for the tail, videos whose rate is not known yet and jumps of the rate.",
    )


def _said(one: Delays) -> str:
    return f"{one.median:,.0f} s / {one.p95:,.0f} s"
