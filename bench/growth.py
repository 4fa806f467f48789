"""Videos as they grow, calibrated with real readings; what their counters answer at any instant, and when a number can first be seen.

Calibration (the recorded sets that docs/benchmarks.md names): views at the start log-normal, median 290,000, p10 to p90 18,000 to 2.4 M;
growth a day log-normal, median 4 %, p90 55 %; the rate falls with age as (1 + t / age)^-0.85; ±40 % over the day; an hour's rate scatters
by 20 %; once in 60 days a burst of 3 to 10 times for six hours. Views arrive one by one (Poisson), and the API refreshes a counter about
every 5 minutes, each video at instants of its own.
"""

from __future__ import annotations

import math
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator

REFRESH = 1 / 12
"""Hours."""


class Video:
    """One video's views over `hours`. `read` may only go forwards."""

    def __init__(self, rng: random.Random, hours: int) -> None:
        self._rng = rng
        self.start = max(1, int(rng.lognormvariate(math.log(2.9e5), 1.908)))
        self.rate = self.start * rng.lognormvariate(math.log(0.04), 2.05) / 24
        self._phase = rng.random() * REFRESH
        self._expected = array("d", self._hourly(rng, hours))
        self._points = list(self._crossings(rng, hours))
        self._known, self._at, self._next = self.start, 0.0, 0

    def _hourly(self, rng: random.Random, hours: int) -> Iterator[float]:
        """The views expected by the end of each hour."""
        age, phase = rng.lognormvariate(math.log(240), 1.2), rng.random() * 24
        total, burst_ends, burst, drift = 0.0, -1, 1.0, 0.0
        yield total
        for hour in range(hours):
            if rng.random() < 1 / 1440:
                burst_ends, burst = hour + 6, rng.uniform(3, 10)
            drift = 0.8 * drift + rng.gauss(0, 0.12)
            shape = (1 + hour / age) ** -0.85 * (1 + 0.4 * math.sin((hour + phase) * math.tau / 24)) * math.exp(drift)
            total += self.rate * shape * (burst if hour < burst_ends else 1.0)
            yield total

    def _crossings(self, rng: random.Random, hours: int) -> Iterator[tuple[float, int]]:
        """(expected views, mark) at which each number of the 1-2-5 ladder is reached: the sum of that many waits."""
        value, expected = self.start, 0.0
        for mark in ladder(self.start):
            expected += _gamma(rng, mark - value)
            if expected > self._expected[hours]:
                return
            value = mark
            yield expected, mark

    def seen(self) -> Iterator[tuple[float, int]]:
        """When the API first answers each mark or more (hours), and the mark."""
        for expected, mark in self._points:
            yield self._refresh(self._when(expected), up=True), mark

    def read(self, hours: float) -> int:
        """The API's answer: the counter at its last refresh."""
        at = self._refresh(hours, up=False)
        expected = self._when_expected(at)
        while self._next < len(self._points) and self._points[self._next][0] <= expected:
            self._at, self._known = self._points[self._next]
            self._next += 1
        if expected <= self._at:
            return self._known
        if self._next < len(self._points):
            until, mark = self._points[self._next]
            more = _binomial(self._rng, mark - 1 - self._known, (expected - self._at) / (until - self._at))
        else:
            more = poisson(self._rng, expected - self._at)
        self._known, self._at = self._known + more, expected
        return self._known

    def _refresh(self, hours: float, *, up: bool) -> float:
        count = (hours - self._phase) / REFRESH
        return self._phase + REFRESH * (math.ceil(count) if up else math.floor(count))

    def _when_expected(self, hours: float) -> float:
        if hours <= 0:
            return 0.0
        hour = min(int(hours), len(self._expected) - 2)
        return self._expected[hour] + (self._expected[hour + 1] - self._expected[hour]) * (hours - hour)

    def _when(self, expected: float) -> float:
        hour = max(0, min(bisect_right(self._expected, expected) - 1, len(self._expected) - 2))
        return hour + (expected - self._expected[hour]) / (self._expected[hour + 1] - self._expected[hour])


def ladder(above: int) -> Iterator[int]:
    """1, 2, 5, 10, … from 1,000 on, those above a value."""
    power = 1000
    while True:
        yield from (first * power for first in (1, 2, 5) if first * power > above)
        power *= 10


def _gamma(rng: random.Random, shape: int) -> float:
    return rng.gammavariate(shape, 1.0) if shape < 10_000 else max(0.0, rng.gauss(shape, math.sqrt(shape)))


def _binomial(rng: random.Random, n: int, share: float) -> int:
    if n < 30:
        return sum(rng.random() < share for _ in range(n))
    return min(n, max(0, round(rng.gauss(n * share, math.sqrt(n * share * (1 - share))))))


def poisson(rng: random.Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product = 0, rng.random()
    while product > math.exp(-mean):
        count, product = count + 1, product * rng.random()
    return count
