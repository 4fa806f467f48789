"""Cards: pinned messages that are kept up to date, one for each recipient and subject."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ytwatcher.core.model import Metric, SubjectId, SubjectKind, from_ms, to_ms
from ytwatcher.store import recipients
from ytwatcher.store.readings import COLUMNS


@dataclass(frozen=True, slots=True)
class Card:
    """One card. `shown` is its text but for the time; `watched`: the recipient still watches what it is about."""

    recipient_pk: int
    subject_pk: int
    address: str
    language: str
    timezone: str
    message_id: int
    shown: str
    failures: int
    subject_id: SubjectId
    kind: SubjectKind
    title: str | None
    watched: bool
    reachable: bool


_SELECT = (
    "SELECT k.recipient_pk, k.subject_pk, c.address, c.language, c.timezone, k.message_id, k.shown, k.failures, s.id, s.kind, s.title,"
    " EXISTS (SELECT 1 FROM watch w JOIN member m ON m.target_pk = w.target_pk AND m.left_at IS NULL"
    " WHERE w.recipient_pk = k.recipient_pk AND m.subject_pk = k.subject_pk), c.state = 'active'"
    " FROM card k JOIN recipient c ON c.pk = k.recipient_pk JOIN subject s ON s.pk = k.subject_pk"
)


def due(con: sqlite3.Connection, now: datetime, most: int) -> list[Card]:
    """The cards that may be edited now, the longest due first."""
    return [_card(row) for row in con.execute(f"{_SELECT} WHERE k.next_at <= ? ORDER BY k.next_at LIMIT ?", (to_ms(now), most))]


def find(con: sqlite3.Connection, address: str, subject_id: str) -> Card | None:
    row = con.execute(f"{_SELECT} WHERE c.address = ? AND s.id = ?", (recipients.current(con, address), subject_id)).fetchone()
    return None if row is None else _card(row)


def blank(con: sqlite3.Connection, address: str, subject_id: str) -> Card | None:
    """A card that is not there yet; None: the recipient does not watch what it would be about."""
    row = con.execute(
        "SELECT c.pk, s.pk, c.address, c.language, c.timezone, 0, '', 0, s.id, s.kind, s.title, 1, 1 FROM watch w"
        " JOIN recipient c ON c.pk = w.recipient_pk JOIN member m ON m.target_pk = w.target_pk AND m.left_at IS NULL"
        " JOIN subject s ON s.pk = m.subject_pk WHERE c.address = ? AND s.id = ? LIMIT 1",
        (recipients.current(con, address), subject_id),
    ).fetchone()
    return None if row is None else _card(row)


def count(con: sqlite3.Connection, address: str) -> int:
    """How many cards a recipient has."""
    query = "SELECT count(*) FROM card k JOIN recipient c ON c.pk = k.recipient_pk WHERE c.address = ?"
    return int(con.execute(query, (recipients.current(con, address),)).fetchone()[0])


def next_at(con: sqlite3.Connection) -> datetime | None:
    """When the next card may be edited; None: there are none."""
    found = con.execute("SELECT min(next_at) FROM card").fetchone()[0]
    return None if found is None else from_ms(found)


def put(con: sqlite3.Connection, address: str, subject_id: str, message_id: int, shown: str, at: datetime) -> None:
    """A new card, or another message in the place of the old one; not edited before `at`."""
    con.execute(
        "INSERT OR REPLACE INTO card (recipient_pk, subject_pk, message_id, shown, next_at)"
        " SELECT ?, pk, ?, ?, ? FROM subject WHERE id = ?",
        (recipients.ensure(con, address), message_id, shown, to_ms(at), subject_id),
    )


def record(con: sqlite3.Connection, card: Card, shown: str, at: datetime, failures: int = 0) -> None:
    """What the card shows now, how often in a row it could not be edited, and when it is looked at again. A newer message is left alone."""
    con.execute(
        "UPDATE card SET shown = ?, failures = ?, next_at = ? WHERE recipient_pk = ? AND subject_pk = ? AND message_id = ?",
        (shown, failures, to_ms(at), card.recipient_pk, card.subject_pk, card.message_id),
    )


def end(con: sqlite3.Connection, card: Card) -> bool:
    """Keep the card up to date no longer; whether it was until now."""
    return (
        con.execute(
            "DELETE FROM card WHERE recipient_pk = ? AND subject_pk = ? AND message_id = ?",
            (card.recipient_pk, card.subject_pk, card.message_id),
        ).rowcount
        > 0
    )


def spans(con: sqlite3.Connection, subject_pk: int, metrics: Sequence[Metric], since: datetime) -> list[tuple[int, ...]]:
    """The stored spans that reach into the time from `since` on, oldest first: from, to (ms), and the values of the metrics."""
    names = ", ".join(COLUMNS[metric] for metric in metrics)
    return con.execute(
        f"SELECT from_at, to_at, {names} FROM reading WHERE subject_pk = ?1 AND from_at >= coalesce("  # noqa: S608 - own names
        "(SELECT max(x.from_at) FROM reading x WHERE x.subject_pk = ?1 AND x.from_at <= ?2), ?2) ORDER BY from_at",
        (subject_pk, to_ms(since)),
    ).fetchall()


def _card(row: sqlite3.Row) -> Card:
    recipient_pk, subject_pk, address, language, timezone, message_id, shown, failures, subject_id, kind, title, watched, reachable = row
    place = (recipient_pk, subject_pk, address, language, timezone, message_id, shown, failures)
    return Card(*place, SubjectId(subject_id), SubjectKind(kind), title, bool(watched), bool(reachable))
