"""What one recipient watches, as it is looked at: page by page, by name, by the numbers. Nothing is asked of YouTube."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import Metric, SubjectId, SubjectKind
from ytwatcher.pictures import find
from ytwatcher.standing import Standing, standing
from ytwatcher.store import readings, subjects, watches
from ytwatcher.store.watches import StoredRule, Target

PAGE = 10
DAY = timedelta(days=1)


class Watched(NamedTuple):
    """One watch. `own`: where the video or channel itself stands; a playlist has no numbers of its own."""

    target: Target
    videos: int
    own: Standing | None
    rules: tuple[StoredRule, ...]


class Page(NamedTuple):
    """A part of the watches; pages count from 1. `first`: how many are on the pages before."""

    watches: Sequence[Watched]
    number: int
    pages: int
    first: int
    total: int


class Ranked(NamedTuple):
    """A video's views now, and how many came in the last 24 hours, as far as that is known."""

    subject_id: str
    title: str | None
    views: int
    grown: int | None


def targets_of(con: sqlite3.Connection, address: str) -> list[Target]:
    """What the recipient watches, in the order in which it was added."""
    return [target for target, to in watches.watches(con) if to == address]


def page_of(con: sqlite3.Connection, address: str, number: int) -> Page:
    """A page of the watches; beyond the last one it is the last one."""
    found = targets_of(con, address)
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(number, 1), pages)
    first = (number - 1) * PAGE
    return Page([_watched(con, one, address) for one in found[first : first + PAGE]], number, pages, first, len(found))


def watched(con: sqlite3.Connection, address: str, target_pk: int) -> Watched | None:
    """One watch; None: the recipient has none of that target."""
    target = next((one for one in targets_of(con, address) if one.pk == target_pk), None)
    return None if target is None else _watched(con, target, address)


def _watched(con: sqlite3.Connection, target: Target, address: str) -> Watched:
    known = subjects.load(con, [target.id]).get(SubjectId(target.id))
    videos = sum(member.kind is SubjectKind.VIDEO for member in watches.members(con, target.pk).values() if member.left_at is None)
    return Watched(target, videos, standing(con, known) if known else None, tuple(watches.rules(con, target.id, address)))


def named(con: sqlite3.Connection, address: str, text: str) -> list[Target]:
    """The watches that a text may mean: a link, an id, a handle, a title or a part of one; without a text all of them."""
    mine = targets_of(con, address)
    if not text:
        return mine
    ids = {one.id for one in find(con, text, address)}
    return [target for target in mine if target.id in ids]


def standings(con: sqlite3.Connection, address: str, text: str) -> list[Standing]:
    """Where the videos or channels stand that a text may mean, also those that are in a list; at most a page of them."""
    ids = [one.id for one in find(con, text, address)] or _by_part(con, address, text)
    known = subjects.load(con, ids := ids[:PAGE])
    return [standing(con, known[SubjectId(one)]) for one in ids if SubjectId(one) in known]


def _by_part(con: sqlite3.Connection, address: str, text: str) -> list[str]:
    """The videos whose title has the text in it."""
    part = clean(text).casefold()
    members = {m.subject_id for one in targets_of(con, address) for m in watches.members(con, one.pk).values() if m.left_at is None}
    return [known.state.subject_id for known in subjects.load(con, members).values() if part in clean(known.state.title or "").casefold()]


def ranking(con: sqlite3.Connection, target: Target, *, by_growth: bool) -> list[Ranked]:
    """The videos of one target by their views, or by what came in a day; a page of them.

    It goes no wider than one target: YouTube's terms do not allow to rank the videos of different owners.
    """
    ids = [member.subject_id for member in watches.members(con, target.pk).values() if member.left_at is None]
    found = []
    for known in subjects.load(con, ids).values():
        state = known.state
        views = state.metric(Metric.VIEWS).value
        if state.kind is SubjectKind.VIDEO and views is not None and state.newest_at is not None:
            before = readings.value_at(con, known.pk, Metric.VIEWS, state.newest_at - DAY, DAY / 2)
            found.append(Ranked(state.subject_id, state.title, views, None if before is None else views - before))
    found.sort(key=lambda one: (one.grown is not None, one.grown) if by_growth else (True, one.views), reverse=True)
    return found[:PAGE]
