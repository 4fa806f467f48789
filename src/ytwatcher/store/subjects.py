"""Subjects: their newest settled state, and when they want to be read."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ytwatcher.core.intervals import HOUR_MS, IDS_PER_CALL, PACE, Kind
from ytwatcher.core.model import (
    PRESENT,
    Absent,
    Metric,
    MetricState,
    Pending,
    Presence,
    SubjectId,
    SubjectKind,
    SubjectState,
    VideoId,
    Wait,
    from_ms,
    to_ms,
)
from ytwatcher.core.quiet import AS_USUAL, GROWN, Count
from ytwatcher.core.schedule import Due, Load
from ytwatcher.store import many

COLUMNS = (
    "pk, id, kind, newest_at, title, published_at, state, near, read_at, wanted_at, metadata_at, metadata_wanted_at,"
    " channel_id, channel_title, live, due_at, step"
)
"""What `known_of` takes."""
_KINDS = {str(kind): kind for kind in SubjectKind}
_METRICS = {str(metric): metric for metric in Metric}
_QUOTED = {str(metric): f'"{metric}"' for metric in Metric}
_ENCODER = json.JSONEncoder(check_circular=False, default=to_ms)
UPDATE = (
    "UPDATE subject SET state = column1, newest_at = column2, near = column3, read_at = column4, due_at = column5, step = column6"
    " FROM (VALUES {rows}) WHERE pk = column7"
)
"""What every reading changes."""


@dataclass(slots=True)
class Known:
    """A subject as the pipeline works on it: its row's key and what the batch makes of it."""

    pk: int
    state: SubjectState
    near: bool = False
    read_at: int | None = None
    wanted_at: int | None = None
    metadata_at: int | None = None
    metadata_wanted_at: int | None = None
    channel_id: str | None = None
    channel_title: str | None = None
    live: str | None = None
    due_at: int | None = None
    step: int = 0
    seldom: tuple[object, ...] = ()
    """What a reading seldom changes, as it is stored; written only where it is another."""


def ensure(
    con: sqlite3.Connection,
    subject_id: str,
    kind: SubjectKind,
    now: datetime,
    *,
    title: str | None = None,
    published_at: datetime | None = None,
) -> int:
    """The subject's key; made when it is new, taken up again when it was no longer watched. It wants to be read at once."""
    row = con.execute("SELECT pk, watched FROM subject WHERE id = ?", (subject_id,)).fetchone()
    at = to_ms(now)
    if row is None:
        cursor = con.execute(
            "INSERT INTO subject (id, kind, title, published_at, wanted_at, metadata_wanted_at) VALUES (?, ?, ?, ?, ?, ?)",
            (subject_id, kind, title, ms_or_none(published_at), at, at),
        )
        return int(cursor.lastrowid or 0)
    if not row["watched"]:
        con.execute("UPDATE subject SET watched = 1, wanted_at = ?, metadata_wanted_at = ? WHERE pk = ?", (at, at, row["pk"]))
    return int(row["pk"])


def load(con: sqlite3.Connection, ids: Iterable[str]) -> dict[SubjectId, Known]:
    """The watched subjects of these ids; of an unwatched one only the latch may be kept, so nothing is taken for it."""
    # Told to begin with the ids: left to itself, SQLite goes through all that is watched.
    asked = "(SELECT value AS asked FROM json_each(?))"
    query = f"SELECT {COLUMNS} FROM {asked} CROSS JOIN subject ON id = asked WHERE watched = 1"  # noqa: S608 - own names
    rows = con.execute(query, (json.dumps(sorted(set(ids))),))
    rows.row_factory = None
    return {known.state.subject_id: known for known in _known(rows.fetchall())}


def watched(con: sqlite3.Connection) -> dict[SubjectId, Known]:
    """All watched subjects, in the order they were first seen."""
    rows = con.execute(f"SELECT {COLUMNS} FROM subject WHERE watched = 1 ORDER BY pk")  # noqa: S608 - own names
    rows.row_factory = None
    return {known.state.subject_id: known for known in _known(rows.fetchall())}


def parsed(texts: Iterable[str]) -> list[Any]:
    """What each text of JSON holds; one call for all of them, since much of each is the call."""
    found: list[Any] = json.loads(f"[{','.join(texts)}]")
    return found


def known_of(row: Sequence[Any]) -> Known:
    """The subject that a row of `COLUMNS` holds."""
    [known] = _known([row])
    return known


def _known(rows: Sequence[Sequence[Any]]) -> Iterator[Known]:
    states = parsed(row[6] for row in rows)
    for row, state in zip(rows, states, strict=True):
        (
            pk,
            subject_id,
            kind,
            newest_at,
            title,
            published_at,
            _,
            near,
            read_at,
            wanted_at,
            metadata_at,
            metadata_wanted_at,
            channel_id,
            channel_title,
            live,
            due_at,
            step,
        ) = row
        presence = _decode_presence(state.pop("presence")) if "presence" in state else PRESENT
        newest = None if newest_at is None else from_ms(newest_at)
        published = None if published_at is None else from_ms(published_at)
        subject = SubjectState(subject_id, _KINDS[kind], newest, title, published, _decode_metrics(state, newest), presence)
        seldom = (title, published_at, wanted_at, metadata_at, metadata_wanted_at, channel_id, channel_title, live)
        yield Known(
            pk, subject, near, read_at, wanted_at, metadata_at, metadata_wanted_at, channel_id, channel_title, live, due_at, step, seldom
        )


def save(con: sqlite3.Connection, subjects: Iterable[Known]) -> None:
    """Write the subjects back; each column that is in an index costs, so those that are as they were are left alone."""
    always: list[tuple[object, ...]] = []
    seldom: list[tuple[object, ...]] = []
    for s in subjects:
        state = s.state
        read = s.read_at is not None
        newest_at, text = ms_or_none(state.newest_at), encode_state(state.metrics, state.presence, state.newest_at)
        always.append((text, newest_at, int(read and s.near), s.read_at, s.due_at if read else None, s.step, s.pk))
        rest = (
            state.title,
            ms_or_none(state.published_at),
            s.wanted_at,
            s.metadata_at,
            s.metadata_wanted_at,
            s.channel_id,
            s.channel_title,
            s.live,
        )
        if rest != s.seldom:
            seldom.append((*rest, s.pk))
    many.run(con, UPDATE, always)
    con.executemany(
        "UPDATE subject SET title = ?, published_at = ?, wanted_at = ?, metadata_at = ?, metadata_wanted_at = ?, channel_id = ?,"
        " channel_title = ?, live = ? WHERE pk = ?",
        seldom,
    )


def want(con: sqlite3.Connection, ids: Sequence[str], at: datetime, *, metadata: bool = False) -> None:
    """Ask the plan for a reading of these subjects at `at`, or sooner where one is wanted sooner."""
    column = "metadata_wanted_at" if metadata else "wanted_at"
    con.execute(
        f"UPDATE subject SET {column} = min(coalesce({column}, ?1), ?1) WHERE id IN (SELECT value FROM json_each(?2))",  # noqa: S608 - one of two names
        (to_ms(at), json.dumps(list(ids))),
    )


def due_statistics(con: sqlite3.Connection) -> list[Due]:
    """The watched videos whose turn in the statistics lane may come next: of each kind of turn as many as can go into two calls."""
    what = "SELECT id, read_at, wanted_at, near, due_at FROM subject WHERE watched = 1 AND kind = 'video'"
    return _due(con, f"{what} AND wanted_at IS NOT NULL ORDER BY wanted_at", *(f"{what} AND near = {n} ORDER BY due_at" for n in (1, 0)))


def due_metadata(con: sqlite3.Connection) -> list[Due]:
    """The same of the metadata lane."""
    what = "SELECT id, metadata_at, metadata_wanted_at, 0, NULL FROM subject WHERE watched = 1 AND kind = 'video'"
    return _due(con, f"{what} AND metadata_wanted_at IS NOT NULL ORDER BY metadata_wanted_at", f"{what} ORDER BY metadata_at")


def due_channels(con: sqlite3.Connection) -> list[Due]:
    """All watched channels."""
    return _due(con, "SELECT id, read_at, wanted_at, 0, NULL FROM subject WHERE watched = 1 AND kind = 'channel'", limit=-1)


def _due(con: sqlite3.Connection, *queries: str, limit: int = 2 * IDS_PER_CALL) -> list[Due]:
    found: dict[str, Due] = {}
    for query in queries:
        rows = con.execute(f"{query} LIMIT {limit}")
        rows.row_factory = None
        found |= {row[0]: Due(SubjectId(row[0]), row[1], row[2], bool(row[3]), row[4]) for row in rows}
    return list(found.values())


class Counted(NamedTuple):
    """Subjects by the size of their interval, up to the key `last_pk`; `ended`: there are none behind it."""

    kinds: Counter[Kind]
    last_pk: int
    ended: bool


def count_some(con: sqlite3.Connection, kind: SubjectKind, after_pk: int, at_most: int) -> Counted:
    """Go on counting what `load_of` counts, behind this key; so many are looked at."""
    rows = con.execute(
        "SELECT pk, kind = ?1 AND watched = 1 AND due_at IS NOT NULL, near, step FROM subject WHERE pk > ?2 ORDER BY pk LIMIT ?3",
        (kind, after_pk, at_most),
    )
    rows.row_factory = None
    found = rows.fetchall()
    kinds = Counter([(near, step) for _, counts, near, step in found if counts])
    last_pk = found[-1][0] if found else after_pk
    return Counted(Counter({Kind(bool(near), step): n for (near, step), n in kinds.items()}), last_pk, len(found) < at_most)


def load_of(con: sqlite3.Connection, kind: SubjectKind) -> Load:
    """How many subjects there are of each size of interval, and how many were never read; looks at every subject, so not for every call."""
    rows = con.execute(
        "SELECT near, step, count(*) FROM subject WHERE watched = 1 AND kind = ? AND due_at IS NOT NULL GROUP BY near, step", (kind,)
    )
    kinds = {Kind(bool(row[0]), row[1]): row[2] for row in rows}
    return Load(kinds, never_read(con, kind))


def last_asked(con: sqlite3.Connection, kind: SubjectKind) -> int | None:
    """When (ms) one of these was last asked for; looks at every subject."""
    found: int | None = con.execute("SELECT max(read_at) FROM subject WHERE watched = 1 AND kind = ?", (kind,)).fetchone()[0]
    return found


def counted(con: sqlite3.Connection, kind: SubjectKind) -> int:
    """How many subjects of the kind are watched."""
    return int(con.execute("SELECT count(*) FROM subject WHERE watched = 1 AND kind = ?", (kind,)).fetchone()[0])


def never_read(con: sqlite3.Connection, kind: SubjectKind = SubjectKind.VIDEO) -> int:
    query = "SELECT count(*) FROM subject INDEXED BY subject_due WHERE watched = 1 AND kind = ? AND near = 0 AND due_at IS NULL"
    return int(con.execute(query, (kind,)).fetchone()[0])


def metadata_load(con: sqlite3.Connection) -> Load:
    """Of the metadata lane, whose videos all have the same interval."""
    index = "FROM subject INDEXED BY subject_metadata WHERE watched = 1 AND kind = 'video'"
    query = f"SELECT count(*), count(metadata_at), max(metadata_at) {index}"
    videos, read, last = con.execute(query).fetchone()
    return Load({Kind(near=False, step=0): read}, videos - read, last)


def mark_asked(con: sqlite3.Connection, ids: Sequence[str], at: datetime, *, metadata: bool) -> None:
    """Note that an answered call asked for these subjects, whether or not they were in the answer: what was wanted of it is done."""
    read_at, wanted_at = ("metadata_at", "metadata_wanted_at") if metadata else ("read_at", "wanted_at")
    if not metadata:
        con.execute(
            "UPDATE subject SET near = 0, due_at = ?1 + max(?2, coalesce(due_at - read_at, 0))"
            " WHERE read_at IS NOT ?1 AND id IN (SELECT value FROM json_each(?3))",
            (to_ms(at), PACE.usual_ms, json.dumps(list(ids))),
        )
    con.execute(
        f"UPDATE subject SET {read_at} = max(coalesce({read_at}, 0), ?1), {wanted_at} = nullif({wanted_at}, min({wanted_at}, ?1))"  # noqa: S608 - own names
        " WHERE id IN (SELECT value FROM json_each(?2))",
        (to_ms(at), json.dumps(list(ids))),
    )


def want_proof(con: sqlite3.Connection, ids: Sequence[str], at: datetime) -> None:
    """A statistics answer lacked these: ask the metadata lane at once, unless it is on to them already."""
    con.execute(
        "UPDATE subject SET metadata_wanted_at = ?"
        " WHERE json_extract(state, '$.presence') IS NULL AND id IN (SELECT value FROM json_each(?))",
        (to_ms(at), json.dumps(list(ids))),
    )


def witness(con: sqlite3.Connection, ids: Sequence[str]) -> VideoId | None:
    """A video of another channel than these have, the one that was read last; None where there is none."""
    row = con.execute(
        "SELECT id FROM subject WHERE kind = 'video' AND watched = 1 AND read_at IS NOT NULL AND json_extract(state, '$.presence') IS NULL"
        " AND id NOT IN (SELECT value FROM json_each(?1)) AND channel_id IS NOT NULL"
        " AND channel_id NOT IN (SELECT channel_id FROM subject WHERE channel_id IS NOT NULL AND id IN (SELECT value FROM json_each(?1)))"
        " ORDER BY newest_at DESC LIMIT 1",
        (json.dumps(list(ids)),),
    ).fetchone()
    return VideoId(row["id"]) if row else None


def last_read_at(con: sqlite3.Connection) -> datetime | None:
    """When YouTube last answered about anything that is watched, also where the answer lacked it: a vanished video is no silence."""
    query = "SELECT max(max(coalesce(newest_at, read_at), coalesce(read_at, newest_at))) FROM subject WHERE watched = 1"
    return at_or_none(con.execute(query).fetchone()[0])


def release_unwatched(con: sqlite3.Connection) -> int:
    """Keep of each subject that no target holds any longer only its latch: the highest number told of each metric."""
    rows = con.execute(
        "SELECT * FROM subject WHERE watched = 1 AND pk NOT IN (SELECT m.subject_pk FROM member m JOIN watch w"
        " ON w.target_pk = m.target_pk WHERE m.left_at IS NULL)"
    ).fetchall()
    for row in rows:
        latch = {
            Metric(told["metric"]): MetricState(peak=told["mark"])
            for told in con.execute(
                "SELECT metric, max(mark) AS mark FROM alert WHERE subject_id = ? AND mark IS NOT NULL GROUP BY metric", (row["id"],)
            )
        }
        for metric, state in decode_state(row["state"], at_or_none(row["newest_at"]))[0].items():
            if state.number is None and state.peak is not None:  # a latch from an earlier time
                latch[metric] = MetricState(peak=max(state.peak, latch.get(metric, state).peak or 0))
        con.execute("DELETE FROM reading WHERE subject_pk = ?", (row["pk"],))
        con.execute("DELETE FROM rule_state WHERE subject_pk = ?", (row["pk"],))
        con.execute("DELETE FROM description WHERE subject_pk = ?", (row["pk"],))
        con.execute(
            "UPDATE subject SET watched = 0, newest_at = NULL, near = 0, due_at = NULL, step = 0, read_at = NULL, wanted_at = NULL,"
            " metadata_at = NULL, metadata_wanted_at = NULL, state = ? WHERE pk = ?",
            (encode_state(latch, PRESENT, None), row["pk"]),
        )
    return len(rows)


def encode_state(metrics: Mapping[Metric, MetricState], presence: Presence, newest_at: datetime | None) -> str:
    """JSON: metric → the count as it is stored (`core/quiet.py`); the presence's times."""
    state: dict[str, object] = {metric: _as_stored(one, newest_at) for metric, one in metrics.items()}
    if presence != PRESENT:
        state["presence"] = presence
    return _ENCODER.encode(state)


def state_text(counts: Mapping[str, Count]) -> str:
    """The same of counts that are as they are stored, of a video that is there; most are written out, since the encoder takes longer."""
    return f"{{{', '.join([f'{_QUOTED[metric]}: {_count_text(count)}' for metric, count in counts.items()])}}}"


def _count_text(count: Count) -> str:
    if len(count) == 1:
        return f"[{count[0]}]"
    if len(count) == AS_USUAL:
        return f"[{count[0]}, {count[1]}, {count[2]}]"
    return _ENCODER.encode(count)


def _as_stored(one: MetricState, newest_at: datetime | None) -> Sequence[object]:
    number, absent, supported_at, peak, wait, grown, hours = one
    count = [number, round(grown * GROWN), round(hours * HOUR_MS), peak, supported_at, absent, wait]
    if wait is not None:
        return count
    if absent is not None:
        return count[:6]
    if supported_at != newest_at:
        return count[:5]
    if peak != number:
        return count[:4]
    return count[:3] if grown or hours else count[:1]


def decode_state(text: str, newest_at: datetime | None) -> tuple[dict[Metric, MetricState], Presence]:
    """The reverse of `encode_state`."""
    data = json.loads(text)
    presence = _decode_presence(data.pop("presence")) if "presence" in data else PRESENT
    return _decode_metrics(data, newest_at), presence


def _decode_presence(times: list[int | None]) -> Presence:
    return Presence(*map(at_or_none, times))


def _decode_metrics(data: dict[str, list[Any]], newest_at: datetime | None) -> dict[Metric, MetricState]:
    metrics = {}
    for name, count in data.items():
        metric = _METRICS.get(name) or Metric(name)
        if len(count) > AS_USUAL:
            metrics[metric] = _decode_metric(count, newest_at)
        else:  # nearly all
            number, grown, seen = count if len(count) == AS_USUAL else (*count, 0, 0)
            metrics[metric] = MetricState(number, None, newest_at, number, None, grown / GROWN, seen / HOUR_MS)
    return metrics


def _decode_metric(count: list[Any], newest_at: datetime | None) -> MetricState:
    number, grown, seen, peak, *odd = count
    supported_at = at_or_none(odd[0]) if odd else newest_at
    absent, wait = (*odd[1:], None, None)[:2]
    return MetricState(
        number,
        Absent(absent) if absent else None,
        supported_at,
        peak,
        Wait(Pending(wait[0]), from_ms(wait[1]), from_ms(wait[2])) if wait else None,
        grown / GROWN,
        seen / HOUR_MS,
    )


def ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def at_or_none(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
