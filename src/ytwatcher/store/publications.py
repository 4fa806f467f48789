"""Publications: records on their way to the brokers, kept for a while after they are there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ytwatcher.core.model import SubjectId, from_ms, to_ms
from ytwatcher.core.records import Record, baseline
from ytwatcher.store.subjects import at_or_none, load, ms_or_none, parsed

PRUNED_AT_ONCE = 10_000
_SWITCH = "engine judged until"
_STARTS = "engine reads from"
_ASTRAY = "engine reads a lost topic"


class Publication(NamedTuple):
    """One record to send; `record` has its description beside it."""

    seq: int
    subject_id: SubjectId
    record: dict[str, Any]


class Backlog(NamedTuple):
    """What waits for the brokers: how many, and since when the oldest of them."""

    waiting: int
    oldest_at: datetime | None


def add(con: sqlite3.Connection, subject_pk: int, observed_at: int, records: Iterable[Record]) -> None:
    """Put the records of one reading at the end of the line."""
    con.executemany(
        "INSERT INTO publication (subject_pk, observed_at, record) VALUES (?, ?, ?)",
        [(subject_pk, observed_at, json.dumps(record, ensure_ascii=False, separators=(",", ":"))) for record in records],
    )


def add_baselines(con: sqlite3.Connection, subject_pks: Iterable[int], now: datetime, retention: timedelta) -> int:
    """Where the topic does not surely hold the newest reading of a video, put what is known of it at the end of the line; for how many.

    An engine that begins to judge a video compares its first reading with that one. What lies in the topic for half of the topic's
    `retention` is not counted on.
    """
    kept = con.execute(
        "SELECT subject_pk, max(observed_at) AS newest_at FROM publication WHERE acked_at IS NULL OR acked_at >= ? GROUP BY subject_pk",
        (to_ms(now - retention / 2),),
    )
    newest_kept = {row["subject_pk"]: row["newest_at"] for row in kept}
    ids = con.execute(
        "SELECT id FROM subject WHERE kind = 'video' AND pk IN (SELECT value FROM json_each(?))", (json.dumps([*subject_pks]),)
    )
    lacking = [
        (known, at)
        for known in load(con, (row["id"] for row in ids)).values()
        if (at := ms_or_none(known.state.newest_at)) is not None and newest_kept.get(known.pk) != at
    ]
    for known, at in lacking:
        add(con, known.pk, at, baseline(known.state, known.channel_id, known.channel_title))
    return len(lacking)


def describe(con: sqlite3.Connection, descriptions: Mapping[int, str]) -> None:
    """Keep the newest descriptions, by the subjects' keys; one that has not changed is not written."""
    con.executemany(
        "INSERT INTO description VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text WHERE text <> excluded.text",
        descriptions.items(),
    )


def unacknowledged(con: sqlite3.Connection, limit: int, after: int = 0) -> list[Publication]:
    """The first behind the one numbered `after` that the brokers have not acknowledged, in order."""
    rows = con.execute(
        "SELECT p.seq, s.id, p.record, d.text FROM publication p JOIN subject s ON s.pk = p.subject_pk"
        " LEFT JOIN description d ON d.subject_pk = p.subject_pk WHERE p.acked_at IS NULL AND p.seq > ? ORDER BY p.seq LIMIT ?",
        (after, limit),
    )
    rows.row_factory = None
    found = rows.fetchall()
    records = parsed(row[2] for row in found)
    for record, row in zip(records, found, strict=True):
        record["DESCRIPTION"] = row[3]
    return [Publication(row[0], row[1], record) for record, row in zip(records, found, strict=True)]


def acknowledge(con: sqlite3.Connection, first: int, last: int, now: datetime) -> None:
    """The brokers have all from `first` to `last`."""
    con.execute("UPDATE publication SET acked_at = ? WHERE seq BETWEEN ? AND ? AND acked_at IS NULL", (to_ms(now), first, last))


def send_again(con: sqlite3.Connection, since_at: datetime | None = None) -> int:
    """Put back into the line what is kept from the first reading of `since_at` or later on (None: all); returns how many wait then.

    What was accepted after it follows, whatever its time: a run that is sent again has no gap.
    """
    con.execute(
        "UPDATE publication SET acked_at = NULL WHERE seq >= (SELECT min(seq) FROM publication WHERE observed_at >= ?)",
        (to_ms(since_at) if since_at else 0,),
    )
    return backlog(con).waiting


def kept(con: sqlite3.Connection, since_at: datetime | None = None) -> int:
    """How many `send_again` sends, those that wait already among them."""
    found = con.execute(
        "SELECT count(*) FROM publication WHERE seq >= (SELECT min(seq) FROM publication WHERE observed_at >= ?)",
        (to_ms(since_at) if since_at else 0,),
    ).fetchone()
    return int(found[0])


def cut(con: sqlite3.Connection) -> datetime | None:
    """The instant before which everything is with the brokers; None where there is nothing to tell by.

    Readings of different videos may be a little out of order: some from then on may be there as well.
    """
    oldest_at = backlog(con).oldest_at
    last = con.execute("SELECT observed_at FROM publication WHERE acked_at IS NOT NULL ORDER BY seq DESC LIMIT 1").fetchone()
    return min([*([oldest_at] if oldest_at else []), *([from_ms(last[0] + 1)] if last else [])], default=None)


def note_switch(con: sqlite3.Connection, at: datetime | None) -> None:
    """A version of the engine's statements ends having judged everything before `at`; None: the next one runs."""
    con.execute("DELETE FROM fact WHERE key = ?", (_SWITCH,))
    if at is not None:
        con.execute("INSERT INTO fact VALUES (?, ?)", (_SWITCH, str(to_ms(at))))


def unfinished_switch(con: sqlite3.Connection) -> datetime | None:
    """From where the next version has to judge, where one ended and none has begun."""
    row = con.execute("SELECT value FROM fact WHERE key = ?", (_SWITCH,)).fetchone()
    return None if row is None else from_ms(int(row[0]))


def note_starts(con: sqlite3.Connection, starts: Mapping[str, Sequence[str]]) -> None:
    """Engines shall not read what a topic holds before these offsets: by its name, its own id and the offsets."""
    con.execute("INSERT INTO fact VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", (_STARTS, json.dumps(starts)))


def starts(con: sqlite3.Connection) -> dict[str, list[str]]:
    """What `note_starts` noted last."""
    row = con.execute("SELECT value FROM fact WHERE key = ?", (_STARTS,)).fetchone()
    return {} if row is None else dict(json.loads(row[0]))


def backlog(con: sqlite3.Connection) -> Backlog:
    """What waits."""
    waiting, oldest_at = con.execute("SELECT count(*), min(observed_at) FROM publication WHERE acked_at IS NULL").fetchone()
    return Backlog(waiting, at_or_none(oldest_at))


def meet_topics(con: sqlite3.Connection, ids: Mapping[str, str], readings: str) -> set[str]:
    """Which topics (name -> its own id) are others than those we knew under these names.

    If that of `readings` is, all that is kept waits again, for it is empty; and an engine is astray that has a place in the old one.
    """
    keys = {f"topic {name}": name for name in ids}
    known = dict(con.execute("SELECT key, value FROM fact WHERE key IN (SELECT value FROM json_each(?))", (json.dumps([*keys]),)))
    con.executemany(
        "INSERT INTO fact VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", [(key, ids[name]) for key, name in keys.items()]
    )
    lost = {name for key, name in keys.items() if known.get(key, ids[name]) != ids[name]}
    if readings in lost:
        send_again(con)
        con.execute("INSERT INTO fact VALUES (?, 'runs') ON CONFLICT DO NOTHING", (_ASTRAY,))
    return lost


def astray(con: sqlite3.Connection) -> str | None:
    """Of an engine that has not begun with the topic that is there: that it `runs` astray, or was `ended` for it; otherwise None."""
    row = con.execute("SELECT value FROM fact WHERE key = ?", (_ASTRAY,)).fetchone()
    return None if row is None else str(row[0])


def note_ended(con: sqlite3.Connection) -> None:
    """The engine that is astray ends now: whoever dies on the way knows then that it has to begin again."""
    con.execute("UPDATE fact SET value = 'ended' WHERE key = ?", (_ASTRAY,))


def found_again(con: sqlite3.Connection) -> None:
    """An engine has begun with the topic that is there."""
    con.execute("DELETE FROM fact WHERE key = ?", (_ASTRAY,))


def prune(con: sqlite3.Connection, acked_before: datetime) -> int:
    """Delete of the oldest ten thousand what was acknowledged before that; what was not stays, however old it is."""
    return con.execute(
        "DELETE FROM publication WHERE seq IN (SELECT seq FROM publication ORDER BY seq LIMIT ?) AND acked_at < ?",
        (PRUNED_AT_ONCE, to_ms(acked_before)),
    ).rowcount
