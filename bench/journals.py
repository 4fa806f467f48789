"""Journals of any size for the benchmarks, filled by plain SQL."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ytwatcher.core.model import Lane, Metric, Reading, SubjectId, to_ms

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PUBLISHED = START - timedelta(days=900)


def video(number: int) -> SubjectId:
    """An id of the eleven characters that a video's id has."""
    return SubjectId(f"video{number:06d}")


def fill(con: sqlite3.Connection, videos: int, line: str = "views milestones") -> None:
    """Watch so many videos, each as a target of its own with one rule, all for one recipient."""
    at, keys = to_ms(START), range(1, videos + 1)
    con.execute("BEGIN IMMEDIATE")
    con.execute("INSERT INTO recipient (pk, address) VALUES (1, 'telegram:1')")
    con.executemany(
        "INSERT INTO subject (pk, id, kind, title, channel_id, channel_title, published_at) VALUES (?, ?, 'video', ?, ?, ?, ?)",
        ((k, video(k), f"The title of film {k}", f"UC{k % 997:022d}", f"Channel {k % 997}", to_ms(PUBLISHED)) for k in keys),
    )
    con.executemany("INSERT INTO target (pk, id, kind, added_at) VALUES (?, ?, 'video', ?)", ((k, video(k), at) for k in keys))
    con.executemany("INSERT INTO member (target_pk, subject_pk, joined_at) VALUES (?, ?, ?)", ((k, k, at) for k in keys))
    con.executemany("INSERT INTO watch (pk, target_pk, recipient_pk, added_at) VALUES (?, ?, 1, ?)", ((k, k, at) for k in keys))
    con.executemany(
        "INSERT INTO rule (pk, id, watch_pk, recipient_pk, target_pk, line, made_at) VALUES (?, ?, ?, 1, ?, ?, ?)",
        ((k, f"r{k}", k, k, line, at) for k in keys),
    )
    con.execute("COMMIT")


class World:
    """Videos whose counters grow by up to 2 % of their first ten millions from reading to reading; the seed is fixed."""

    def __init__(self, videos: int) -> None:
        self._dice = random.Random(7)
        self._views = [self._dice.randrange(1_000, 1_000_000) for _ in range(videos)]

    def read(self, first: int, last: int, at: datetime) -> list[Reading]:
        """One statistics reading of each video from `first` to before `last` (1 is the first video)."""
        return [self._reading(number, at) for number in range(first, last)]

    def _reading(self, number: int, at: datetime) -> Reading:
        views = self._views[number - 1]
        views = self._views[number - 1] = views + 1 + int(min(views, 10_000_000) * self._dice.random() * 0.02)
        values = {Metric.VIEWS: views, Metric.LIKES: views // 40, Metric.COMMENTS: views // 900}
        return Reading(video(number), at, Lane.STATISTICS, values, published_at=PUBLISHED)


def batches(world: World, videos: int, size: int, at: datetime) -> Sequence[list[Reading]]:
    """One reading of each of the first so many videos, in batches."""
    return [world.read(first, min(first + size, videos + 1), at) for first in range(1, videos + 1, size)]


def fill_chats(con: sqlite3.Connection, chats: int, videos: int, line: str) -> None:
    """Watch `videos` videos, each by an equal share of so many chats, each chat with one rule on one video."""
    at, keys, numbers = to_ms(START), range(1, videos + 1), range(1, chats + 1)
    watched = [1 + (n - 1) % videos for n in numbers]
    con.execute("BEGIN IMMEDIATE")
    con.executemany(
        "INSERT INTO subject (pk, id, kind, title) VALUES (?, ?, 'video', ?)", ((k, video(k), f"The title of film {k}") for k in keys)
    )
    con.executemany("INSERT INTO target (pk, id, kind, added_at) VALUES (?, ?, 'video', ?)", ((k, video(k), at) for k in keys))
    con.executemany("INSERT INTO member (target_pk, subject_pk, joined_at) VALUES (?, ?, ?)", ((k, k, at) for k in keys))
    con.executemany("INSERT INTO recipient (pk, address) VALUES (?, ?)", ((n, f"telegram:{n}") for n in numbers))
    con.executemany(
        "INSERT INTO watch (pk, target_pk, recipient_pk, added_at) VALUES (?, ?, ?, ?)",
        ((n, k, n, at) for n, k in zip(numbers, watched, strict=True)),
    )
    con.executemany(
        "INSERT INTO rule (pk, id, watch_pk, recipient_pk, target_pk, line, made_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((n, f"r{n}", n, n, k, line, at) for n, k in zip(numbers, watched, strict=True)),
    )
    con.execute("COMMIT")


def views(number: int, at: datetime, count: int) -> Reading:
    """A reading of one video that says only its views."""
    return Reading(video(number), at, Lane.STATISTICS, {Metric.VIEWS: count})
