"""A second, naive evaluator of recorded readings, made from docs/rules.md alone: it imports nothing of the product.

It answers for one metric of one video at a time and keeps nothing but plain variables. In a file the second
reading of a kind is the file's next row.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

RUNGS = [first * 10**power for power in range(19) for first in (1, 2, 5)]
BREAK_FROM, BREAK_TO = datetime(2026, 8, 24, tzinfo=UTC), datetime(2026, 8, 28, tzinfo=UTC)
OFF_FLAGS = {"likes": "ratings_disabled", "comments": "comments_disabled", "views": ""}


class Found(NamedTuple):
    """One alert as far as an evaluator of numbers can tell."""

    video_id: str
    observed_at: datetime
    previous: int | None
    current: int


class Settled(NamedTuple):
    """A row at which a metric settled as a number: the value before it (None: not known), the highest before it, and it."""

    at: datetime
    before: int | None
    peak: int | None
    value: int
    baseline: bool


Row = dict[str, str]


def load(path: Path) -> dict[str, list[Row]]:
    """The rows of each video in their time order; of equal instants the first."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    videos: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in csv.DictReader(io.StringIO(raw.decode("utf-8"), newline="")):
        videos[row["video_id"]].setdefault(row["observed_at"], row)
    return {video: [rows[at] for at in sorted(rows)] for video, rows in videos.items()}


def evaluate(videos: dict[str, list[Row]], rule: str) -> list[Found]:
    """All that one rule line on numbers tells."""
    metric, kind, *rest = rule.split()
    found = []
    for video, rows in videos.items():
        series = settle(metric, rows)
        if kind in ("faster", "slower"):
            found += by_rate(video, rows, metric, kind, int(rest[0].removesuffix("/h")))
        elif kind in ("rise", "fall"):
            found += from_anchor(video, series, kind, Fraction(int(rest[0].rstrip("%")), 100))
        elif kind == "change":
            found += [Found(video, s.at, s.before, s.value) for s in series[1:] if not s.baseline and s.before not in (None, s.value)]
        else:
            found += passing(video, series, kind, rest)
    return sorted(found, key=lambda f: (f.observed_at, f.video_id))


def settle(metric: str, rows: list[Row], offs: set[datetime] | None = None) -> list[Settled]:
    """The rows at which the metric settles as a number, oldest first; `offs` is filled with those at which it is not known any more."""
    offs = set() if offs is None else offs
    series: list[Settled] = []
    known, waiting, number, supported = False, "", None, datetime.min.replace(tzinfo=UTC)
    published = datetime.min.replace(tzinfo=UTC)  # not known: as old as can be
    for row in rows:
        published = datetime.fromisoformat(row["published_at"]) if row["published_at"] else published
        at = datetime.fromisoformat(row["observed_at"])
        if metric == "views" and BREAK_FROM <= at < BREAK_TO:
            known, waiting = False, ""
            offs.add(at)
            continue
        off = bool(OFF_FLAGS[metric]) and row[OFF_FLAGS[metric]] == "True"
        if off:
            if waiting == "off":
                known = False
                offs.add(at)
            waiting = "off" if known or number is None else ""
            continue
        if row[metric] == "":
            continue
        raw, age = int(row[metric]), at - published
        broken = metric == "views" and number is not None and supported < BREAK_TO <= at
        if number is None or broken:
            if metric == "views" and raw == 0 and age > timedelta(hours=1):
                continue
            doubt = ""
        else:
            doubt = "fall" if raw < number else "rise" if doubtful(metric, number, raw, at - supported, age) else ""
        if doubt and waiting != doubt:
            waiting = doubt
            continue
        peak = max((s.value for s in series), default=None)
        series.append(Settled(at, number if known else None, peak, raw, baseline=broken))
        known, waiting, number, supported = True, "", raw, at
    return series


def doubtful(metric: str, number: int, raw: int, since: timedelta, age: timedelta) -> bool:
    more = raw - number
    enough = 1000 if metric == "views" else 100
    return since <= timedelta(hours=6) and age > timedelta(hours=48) and more > Fraction(number, 2) and more >= enough


def passing(video: str, series: list[Settled], kind: str, rest: list[str]) -> list[Found]:
    found = []
    for s in series[1:]:
        if s.baseline or s.peak is None or s.value <= s.peak:
            continue
        if kind == "every":
            step = int(rest[0])
            passed = s.value // step > s.peak // step
        elif kind == "reach":
            passed = s.peak < 1_000_000 <= s.value
            assert rest == ["1M"]
        else:
            passed = any(s.peak < rung <= s.value for rung in RUNGS if rung >= 1000)
        if passed:
            found.append(Found(video, s.at, s.before, s.value))
    return found


def from_anchor(video: str, series: list[Settled], kind: str, share: Fraction) -> list[Found]:
    found, anchor = [], 0
    for s in series:
        if anchor == 0 or s.baseline:
            anchor = s.value
            continue
        moved = s.value - anchor if kind == "rise" else anchor - s.value
        if moved >= share * anchor and moved > 0:
            found.append(Found(video, s.at, anchor, s.value))
            anchor = s.value
    return found


def by_rate(video: str, rows: list[Row], metric: str, kind: str, number: int) -> list[Found]:
    """Rates from the start of the stored row nearest to an hour back."""
    starts, found, armed = row_starts(rows, metric), [], ""
    for index, s in enumerate(settle(metric, rows)):
        if s.baseline or index == 0:
            armed = ""
            continue
        span = rate([start for start in starts if start[0] < s.at], s.at, s.value)
        if span is None:
            continue
        older, per_hour = span
        if kind == "slower":  # the same with everything turned round
            per_hour, limit, again = -per_hour, -number, -number * Fraction(5, 4)
        else:
            limit, again = number, number * Fraction(4, 5)
        if per_hour >= limit:
            if armed == "yes":
                found.append(Found(video, s.at, older, s.value))
                armed = "told"
        elif not armed or per_hour < again:
            armed = "yes"
    return found


def row_starts(rows: list[Row], metric: str) -> list[tuple[datetime, int | None]]:
    """When a stored row starts, with the metric's value: wherever anything of the video, settled or raw, was not as before."""
    offs: dict[str, set[datetime]] = {name: set() for name in OFF_FLAGS}
    settled = {name: {s.at: s.value for s in settle(name, rows, offs[name])} for name in OFF_FLAGS}
    values: dict[str, int | None] = dict.fromkeys(OFF_FLAGS)
    starts, content = [], None
    for row in rows:
        at = datetime.fromisoformat(row["observed_at"])
        for name in OFF_FLAGS:
            values[name] = settled[name].get(at, None if at in offs[name] else values[name])
        now = (dict(values), [row.get(field) for pair in OFF_FLAGS.items() for field in pair])
        if now != content:
            starts.append((at, values[metric]))
            content = now
    return starts


def rate(starts: list[tuple[datetime, int | None]], at: datetime, value: int) -> tuple[int, Fraction] | None:
    """The value that the rate starts from, and the rate an hour."""
    hour = timedelta(hours=1)
    able = [(abs(at - start - hour), start) for start, _ in starts if timedelta(minutes=30) <= at - start <= timedelta(hours=36)]
    if not able:
        return None
    begin = min(able)[1]
    between = [v for start, v in starts if start >= begin]
    numbers = [v for v in between if v is not None]
    if len(numbers) < len(between) or sorted(numbers) != numbers or not numbers[-1] < value or begin < BREAK_TO <= at:
        return None
    return numbers[0], Fraction(value - numbers[0]) * Fraction(hour // timedelta(seconds=1)) / Fraction(
        (at - begin) // timedelta(seconds=1)
    )
