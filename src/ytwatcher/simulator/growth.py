"""How the counters of a simulated video grow.

The curve and the shares are calibrated on recorded readings of real videos (docs/simulator.md says which figures).
A counter moves in steps of 5 minutes. Each step has a random number generator of its own, seeded by the video and
the instant, so that the numbers do not depend on how often one looks.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

STEP = timedelta(minutes=5)
COUNTING_BREAK_AT = datetime(2026, 8, 24, tzinfo=UTC)
"""From here on YouTube counts a view when playback starts."""
BREAK_FACTOR = 1.25
_RECOUNT, _DEEP_RECOUNT = 0.0016, 1 / (2500 * 288)
_LIKE_DIP, _COMMENT_DIP = 0.006, 0.01


class Counters(NamedTuple):
    """What a step starts from and ends with; `None` is hidden or turned off."""

    views: int
    likes: int | None
    comments: int | None


@dataclass(slots=True)
class Growth:
    """The growth of one video.

    Args:
        size: roughly the views of its first month.
        like_share: likes per view.
        comment_share: comments per view.
        waiting: a premiere's waiting room: views stand still while likes come in.
        seed: another seed, other numbers.
    """

    size: float = 1e6
    like_share: float = 0.03
    comment_share: float = 0.0034
    waiting: bool = False
    seed: int = 1
    frozen_steps: int = 0
    held: int = 0

    @classmethod
    def of_rate(cls, per_hour: float, age: timedelta, *, like_share: float = 0.03, comment_share: float = 0.0034, seed: int = 1) -> Growth:
        """The growth of a release that at this age is watched `per_hour` times an hour."""
        return cls(per_hour / 0.017 / _slowing(age / timedelta(hours=1)), like_share, comment_share, seed=seed)

    def step(self, counters: Counters, key: str, age: timedelta, at: datetime) -> Counters:
        """The counters after the step that ends at `at`."""
        rng = random.Random(f"{self.seed}:{key}:{at.timestamp()}")  # noqa: S311 - a simulation, nothing secret
        hours = max(0.0, age / timedelta(hours=1))
        seen = poisson(rng, self.views_per_hour(hours, at) / 12)
        likes = poisson(rng, 8.0 if self.waiting else seen * self.like_share)
        comments = poisson(rng, seen * self.comment_share)
        return Counters(
            self._views(rng, counters.views, seen, hours, at),
            dipped(rng, counters.likes, likes, _LIKE_DIP, 1),
            dipped(rng, counters.comments, comments, _COMMENT_DIP, 2),
        )

    def views_per_hour(self, hours: float, at: datetime) -> float:
        """The mean rate `hours` after publication: a power law fitted to a table of rates by age."""
        factor = BREAK_FACTOR if at >= COUNTING_BREAK_AT else 1.0
        return factor * 0.017 * self.size * _slowing(hours)

    def _views(self, rng: random.Random, views: int, seen: int, hours: float, at: datetime) -> int:
        if self.waiting:
            return views
        if at - STEP < COUNTING_BREAK_AT <= at:
            views = round(views * BREAK_FACTOR)
        if self.frozen_steps == 0 and rng.random() < (0.02 if hours < 24 else 0.0005):
            self.frozen_steps = rng.randint(3, 18)
        self.held += seen
        if self.frozen_steps > 0:
            self.frozen_steps -= 1
            return views
        views, self.held = views + self.held, 0
        if rng.random() < _DEEP_RECOUNT:
            return round(views * 0.85)
        return round(views * 0.99985) if rng.random() < _RECOUNT else views


def _slowing(hours: float) -> float:
    return float((1 + hours / 6) ** -0.85)


def dipped(rng: random.Random, count: int | None, more: int, chance: float, dip: int) -> int | None:
    """A count with what came in, or now and then a little less than before."""
    if count is None:
        return None
    return max(0, count - dip) if rng.random() < chance else count + more


def poisson(rng: random.Random, mean: float) -> int:
    """A Poisson number; from a mean of 50 on its normal approximation."""
    if mean >= 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, n = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        n += 1
    return n


class Start(NamedTuple):
    """A calibrated release: its views so far, and how it goes on."""

    views: int
    likes: int
    comments: int
    growth: Growth


def calibrated(rng: random.Random, age: timedelta, seed: int) -> Start:
    """A release as they are found: log-normal views of the recorded median and spread, likes and comments in proportion."""
    views = math.exp(rng.gauss(math.log(2.9e5), 1.9))
    like_share = min(0.2, math.exp(rng.gauss(math.log(0.03), 0.98)))
    comment_share = min(0.05, math.exp(rng.gauss(math.log(0.0034), 0.94)))
    # The rate of a release of 1 M, integrated to this age, gives the size that would have had these views by now.
    hours = age / timedelta(hours=1)
    size = 1e6 * views / max(1000.0, 17_000 * 6 / 0.15 * ((1 + hours / 6) ** 0.15 - 1))
    return Start(round(views), round(views * like_share), round(views * comment_share), Growth(size, like_share, comment_share, seed=seed))
