"""A recorded file through the real pipeline and the real outbox, in a journal of its own.

Each replay judges the file from its first row on empty state. Only the ids of the alerts told before are kept, and a rule's id follows
from its text: the same rule tells nothing twice, another rule tells all of its own. What an interrupted replay found and did not send is
found again by the next one.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

from ytwatcher import recorded
from ytwatcher.clock import Clock
from ytwatcher.core.model import Reading, SubjectKind, TargetKind, to_ms
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rules import canonical, check_fits, parse_rule
from ytwatcher.errors import InputError
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.pipeline import FUTURE, Accepted, Fate, accept
from ytwatcher.recorded import Refused
from ytwatcher.store import outbox_list, recipients, subjects, watches
from ytwatcher.store.db import Database

JOURNAL = "replay.db"
BATCH = 1000


@dataclass(slots=True)
class Replayed:
    """What a replay did: rows by fate, new alerts, messages sent, and `unsent`: by reason, alerts that are in none of them."""

    accepted: int = 0
    late: int = 0
    future: int = 0
    alerts: int = 0
    messages: int = 0
    unsent: dict[str, int] = field(default_factory=dict)
    failure: str | None = None
    """Why a message could not be sent, if one could not."""


def load(path: Path) -> tuple[list[Reading], list[Refused]]:
    """The file's readings in their time order (equal times in the file's order), and the rows that are none.

    Raises:
        InputError: the file cannot be read, or holds no reading at all.
    """
    rows = list(recorded.read(path))
    readings = sorted((row for row in rows if isinstance(row, Reading)), key=lambda reading: reading.observed_at)
    refused = [row for row in rows if isinstance(row, Refused)]
    if not readings:
        first = f"; row {refused[0].row}: {refused[0].reason}" if refused else ""
        raise InputError(f"{path}: holds no reading{first}")
    return readings, refused


def rule_id(line: str) -> str:
    """The id of a rule in a replay: the same for the same rule, however it is typed."""
    return f"replay-{hashlib.sha256(canonical(parse_rule(line)).encode()).hexdigest()[:12]}"


def check_rules(lines: Sequence[str]) -> None:
    """See that the rules can be judged on a file of video readings.

    Raises:
        RuleError: one of them cannot.
    """
    for line in lines:
        check_fits(parse_rule(line), TargetKind.PLAYLIST)


async def replay(
    db: Database,
    dispatcher: Dispatcher,
    clock: Clock,
    readings: Sequence[Reading],
    name: str,
    lines: Sequence[str],
    recipient: Recipient,
    *,
    speed: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Replayed:
    """Run the readings, which are in time order, through the pipeline and send what they cause.

    Args:
        speed: recorded seconds per second; None: as fast as it goes, and what waits leaves together.
        progress: called with the number of rows done.
    """
    target_pk = await db.write(begin, name, lines, recipient, clock.now())
    sent_before = (await db.read(outbox_list.counts)).get("sent", 0)
    # Rows of a wrong clock are counted, but nobody waits for the year that they name.
    present = [reading for reading in readings if reading.observed_at <= clock.now() + FUTURE]
    result = Replayed(future=len(readings) - len(present))
    done, previous_at = result.future, present[0].observed_at if present else clock.now()
    for batch in _batches(present, speed):
        if speed is not None:
            await clock.wait(clock.now() + (batch[0].observed_at - previous_at) / speed)
            previous_at = batch[0].observed_at
        accepted = await db.write(_accept, target_pk, batch, clock.now())
        result.accepted += accepted.fates[Fate.ACCEPTED]
        result.late += accepted.fates[Fate.LATE]
        result.alerts += len(accepted.alerts)
        done += len(batch)
        progress(done)
        if speed is not None:
            await dispatcher.drain()
    await dispatcher.drain()
    result.messages = (await db.read(outbox_list.counts)).get("sent", 0) - sent_before
    result.unsent, result.failure = await db.read(_unsent)
    return result


def _batches(readings: Sequence[Reading], speed: float | None) -> Iterator[Sequence[Reading]]:
    if speed is None:
        for start in range(0, len(readings), BATCH):
            yield readings[start : start + BATCH]
    else:
        for _, group in groupby(readings, key=lambda reading: reading.observed_at):
            yield list(group)


def begin(con: sqlite3.Connection, name: str, lines: Sequence[str], recipient: Recipient, now: datetime) -> int:
    """Forget the last replay but for the ids of the alerts it told; the file becomes a target with these rules. Returns its key.

    A message that was being sent when the last replay was killed stays too: it is sent again, marked. So do ended rules: it names them.
    """
    kept = "SELECT pk FROM message WHERE state IN ('sent', 'sending')"
    con.execute(f"DELETE FROM alert WHERE message_pk IS NULL OR message_pk NOT IN ({kept})")  # noqa: S608 - a fixed text
    con.execute(f"DELETE FROM message WHERE pk NOT IN ({kept})")  # noqa: S608 - a fixed text
    for table in ("rule_state", "watch", "member", "reading", "subject", "target"):
        con.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed names
    con.execute("UPDATE rule SET until_at = ? WHERE until_at IS NULL", (to_ms(now),))
    recipient_pk = recipients.ensure(con, recipient.address)
    recipients.revive(con, recipient_pk)
    recipients.save_preferences(con, recipient_pk, recipient)
    target_pk = watches.ensure_target(con, name, TargetKind.PLAYLIST, name, None, False, now)
    watch_pk, _ = watches.ensure_watch(con, target_pk, recipient_pk, now)
    for made, line in {rule_id(line): line for line in lines}.items():
        con.execute("DELETE FROM rule WHERE id = ?", (made,))
        watches.add_rule(con, watch_pk, line, now, rule_id=made)
    return target_pk


def _accept(con: sqlite3.Connection, target_pk: int, batch: Sequence[Reading], now: datetime) -> Accepted:
    for subject_id in dict.fromkeys(reading.subject_id for reading in batch):
        watches.join(con, target_pk, subjects.ensure(con, subject_id, SubjectKind.VIDEO, now), None, now)
    return accept(con, batch, now, next_row_settles=True)


def _unsent(con: sqlite3.Connection) -> tuple[dict[str, int], str | None]:
    """Alerts in no sent message, counted by the reason, and the error of the first message that could not be sent."""
    rows = con.execute(
        "SELECT coalesce(a.reason, m.last_error, a.state) AS why, count(*) AS n FROM alert a LEFT JOIN message m ON m.pk = a.message_pk"
        " WHERE a.kind <> 'notice' AND (a.message_pk IS NULL OR m.state <> 'sent') GROUP BY why ORDER BY n DESC"
    )
    failed = next((message for message in outbox_list.messages(con) if message.last_error), None)
    return {row["why"]: row["n"] for row in rows}, failed.last_error if failed else None
