"""Which watches the configuration file holds, as they were last taken up from it: one fact of the journal."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass

from ytwatcher.store import recipients

_KEY = "declared"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A watch of the file.

    `target` and `rules` are as written there, `address` is whose it is, `target_id` what it is on. An `adopted` watch was made by a
    command before the file named it.
    """

    file: str
    target: str
    rules: tuple[str, ...]
    address: str
    target_id: str = ""
    adopted: bool = False


def load(con: sqlite3.Connection) -> list[Declaration]:
    row = con.execute("SELECT value FROM fact WHERE key = ?", (_KEY,)).fetchone()
    return [Declaration(**{**one, "rules": tuple(one["rules"])}) for one in json.loads(row[0])] if row else []


def of_watch(con: sqlite3.Connection, target_id: str, address: str) -> Declaration | None:
    """The declaration of the address's watch on the target."""
    address = recipients.current(con, address)
    return next((one for one in load(con) if one.target_id == target_id and recipients.current(con, one.address) == address), None)


def put(con: sqlite3.Connection, declared: Declaration) -> None:
    """Note it in the place of an older one of the same watch."""
    _save(con, [*_others(con, declared), declared])


def forget(con: sqlite3.Connection, declared: Declaration) -> None:
    _save(con, _others(con, declared))


def _others(con: sqlite3.Connection, declared: Declaration) -> list[Declaration]:
    same = of_watch(con, declared.target_id, declared.address)
    return [one for one in load(con) if one != same]


def _save(con: sqlite3.Connection, all_of_them: list[Declaration]) -> None:
    text = json.dumps([asdict(one) for one in all_of_them], ensure_ascii=False)
    con.execute("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)", (_KEY, text))
