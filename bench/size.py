"""Bytes of the file for each stored reading, and how large it is after a year."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from bench.figures import Figure, Figures, count, megabytes
from bench.journals import START, World, fill
from ytwatcher import pipeline
from ytwatcher.store import readings
from ytwatcher.store.db import open_journal, transaction

A_DAY = 10_000 * 50
"""Readings that one bucket gives a day."""
RETENTION = timedelta(days=30)
WATCHED = 20_000


def run(folder: Path, *, videos: int = 40, days: int = 365) -> Figures:
    """So many videos at the pace of 20,000 ones: each read as often as the bucket allows those."""
    each = A_DAY // WATCHED
    path = folder / "journal.db"
    con = open_journal(path)
    fill(con, videos)
    empty, world, sizes, began = path.stat().st_size, World(videos), [], time.perf_counter()
    for day in range(days):
        midnight = START + timedelta(days=day)
        for number in range(each):
            at = midnight + number * timedelta(days=1) / each
            with transaction(con, path, "IMMEDIATE"):
                pipeline.accept(con, world.read(1, videos + 1, at), at)
        with transaction(con, path, "IMMEDIATE"):
            readings.prune(con, midnight, RETENTION)
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append(path.stat().st_size)
    stored = con.execute("SELECT count(*) FROM reading").fetchone()[0]
    pages, page = (con.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    con.execute("DELETE FROM reading")
    con.execute("VACUUM")
    bare = con.execute("PRAGMA page_count").fetchone()[0]
    con.close()
    return Figures(
        "Size",
        f"{videos} videos for {days} days, each read {each} times a day (what one bucket of 10,000 calls gives {WATCHED:,} videos), every"
        f" counter changed in every reading, {RETENTION.days} days kept, forgotten once a day. Extrapolated by the number of videos.",
        [
            Figure("bytes of a stored reading", count((pages - bare) * page / stored)),
            Figure(f"the file after {days} days, {videos} videos", megabytes(sizes[-1]), f"{megabytes(empty)} before the first reading"),
            Figure(f"the file after {days} days, {WATCHED:,} videos (extrapolated)", megabytes(sizes[-1] / videos * WATCHED)),
            Figure("readings accepted a second, all of it in the run", count(videos * each * days / (time.perf_counter() - began))),
        ],
        "retention: the file stops growing after thirty days, but for alerts and messages, whose ids stay.",
    )
