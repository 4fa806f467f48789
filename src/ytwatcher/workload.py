"""All that a lane has to read, for its plan: counted bit by bit, since that looks at everything, and a plan is made before every call."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ytwatcher.core.intervals import Kind
from ytwatcher.core.model import Lane, SubjectKind, to_ms
from ytwatcher.core.schedule import Load
from ytwatcher.store import subjects

COUNT_EVERY = timedelta(minutes=1)
AT_ONCE = 5_000
"""How many subjects a plan waits for to be looked at: a few milliseconds."""
_JUST_READ = Kind(near=False, step=0)


@dataclass(slots=True)
class _Count:
    """A count under way, of what was `new` when it began."""

    new: int
    kinds: Counter[Kind] = field(default_factory=Counter)
    last_pk: int = 0


class Workload:
    """The load of each lane as of its last whole count, which begins anew every minute; all is counted at once only the first time.

    The membership lane's is that of channels' own numbers.
    """

    def __init__(self) -> None:
        self._counted: dict[Lane, tuple[datetime, Load]] = {}
        self._asked: dict[Lane, int | None] = {}
        self._under_way: _Count | None = None  # of videos

    def asked(self, at: datetime, *lanes: Lane) -> None:
        """A call was answered that counts for these lanes."""
        self._asked |= dict.fromkeys(lanes, to_ms(at))

    def of(self, con: sqlite3.Connection, lane: Lane, now: datetime) -> Load:
        load = self._of_videos(con, now) if lane is Lane.STATISTICS else self._of_others(con, lane, now)
        return load._replace(last_ms=self._asked[lane])

    def _of_videos(self, con: sqlite3.Connection, now: datetime) -> Load:
        new = subjects.never_read(con)
        if Lane.STATISTICS not in self._counted:
            self._asked.setdefault(Lane.STATISTICS, subjects.last_asked(con, SubjectKind.VIDEO))
            self._counted[Lane.STATISTICS] = now, subjects.load_of(con, SubjectKind.VIDEO)
        counted_at, load = self._counted[Lane.STATISTICS]
        if self._under_way is not None or now - counted_at >= COUNT_EVERY or new != load.new:
            self._go_on(con, now, new)
        _, load = self._counted[Lane.STATISTICS]
        just_read = max(0, load.new - new)  # since the count
        return Load({**load.kinds, _JUST_READ: load.kinds.get(_JUST_READ, 0) + just_read} if just_read else load.kinds, new)

    def _go_on(self, con: sqlite3.Connection, now: datetime, new: int) -> None:
        count = self._under_way = self._under_way or _Count(new)
        some = subjects.count_some(con, SubjectKind.VIDEO, count.last_pk, AT_ONCE)
        count.kinds += some.kinds
        count.last_pk = some.last_pk
        if some.ended:
            self._counted[Lane.STATISTICS] = now, Load(dict(count.kinds), count.new)
            self._under_way = None

    def _of_others(self, con: sqlite3.Connection, lane: Lane, now: datetime) -> Load:
        """Counted whole: of the metadata lane an index is added up, and channels are few."""
        counted_at, load = self._counted.get(lane, (None, Load({})))
        if counted_at is None or now - counted_at >= COUNT_EVERY:
            load = self._count(con, lane)
            self._counted[lane] = now, load
        return load

    def _count(self, con: sqlite3.Connection, lane: Lane) -> Load:
        if lane is Lane.METADATA:
            load = subjects.metadata_load(con)
            self._asked.setdefault(lane, load.last_ms)
            return load
        if lane not in self._asked:
            self._asked[lane] = subjects.last_asked(con, SubjectKind.CHANNEL)
        return subjects.load_of(con, SubjectKind.CHANNEL)
