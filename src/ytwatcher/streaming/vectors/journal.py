"""A journal on a real file, as the vectors drive it: targets, members, watches and rules in one line each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from ytwatcher import pipeline
from ytwatcher.core.model import Absence, Listing, Reading, SubjectKind, TargetKind
from ytwatcher.store import subjects, watches
from ytwatcher.store.db import open_journal, transaction

P = ParamSpec("P")
T = TypeVar("T")


class Journal:
    """One target on one journal file, driven directly, without threads."""

    def __init__(self, path: Path, target: str = "v1", kind: TargetKind = TargetKind.VIDEO) -> None:
        self.path, self.target, self.kind = path, target, kind
        self.con = open_journal(path)

    def restart(self) -> None:
        self.con.close()
        self.con = open_journal(self.path)

    def write(self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with transaction(self.con, self.path, "IMMEDIATE"):
            return function(self.con, *args, **kwargs)

    def add_target(self, members: Iterable[str], now: datetime) -> int:
        """The target with its videos, and with itself where it has numbers of its own."""

        def add(con: sqlite3.Connection) -> int:
            list_id = None if self.kind is TargetKind.VIDEO else f"list of {self.target}"
            target_pk = watches.ensure_target(con, self.target, self.kind, None, list_id, False, now)
            for member in members:
                watches.join(con, target_pk, subjects.ensure(con, member, SubjectKind.VIDEO, now), None, now)
            if self.kind is not TargetKind.PLAYLIST:
                own = SubjectKind.VIDEO if self.kind is TargetKind.VIDEO else SubjectKind.CHANNEL
                watches.join(con, target_pk, subjects.ensure(con, self.target, own, now), None, now)
            return target_pk

        return self.write(add)

    def add_rule(self, line: str, now: datetime, rule_id: str | None = None, to: str = "a") -> str:
        def add(con: sqlite3.Connection) -> str:
            watch_pk, _ = watches.ensure_watch(con, self._target_pk(), self._recipient_pk(to), now)
            return watches.add_rule(con, watch_pk, line, now, rule_id=rule_id)

        return self.write(add)

    def unwatch(self, now: datetime, to: str = "a") -> None:
        def remove(con: sqlite3.Connection) -> None:
            watches.remove_watch(con, self._target_pk(), self._recipient_pk(to), now)
            subjects.release_unwatched(con)

        self.write(remove)

    def accept(
        self, observations: Sequence[Reading | Absence], now: datetime, *, replay: bool = False, publish: bool = False
    ) -> pipeline.Accepted:
        return self.write(pipeline.accept, observations, now, next_row_settles=replay, publish=publish)

    def list(self, listing: Listing, now: datetime) -> pipeline.Accepted:
        return self.write(pipeline.accept_listing, self._target_pk(), listing, now)

    def _target_pk(self) -> int:
        target = watches.find_target(self.con, self.target)
        assert target is not None
        return target.pk

    def _recipient_pk(self, address: str) -> int:
        self.con.execute("INSERT INTO recipient (address) VALUES (?) ON CONFLICT DO NOTHING", (address,))
        return int(self.con.execute("SELECT pk FROM recipient WHERE address = ?", (address,)).fetchone()[0])
