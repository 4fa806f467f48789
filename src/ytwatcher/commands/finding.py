"""What a person names among the things that are watched, without asking YouTube."""

from __future__ import annotations

import sqlite3

from ytwatcher.app import require_key
from ytwatcher.core.targets import ChannelRef, PlaylistRef, TargetRef, VideoRef, parse_target
from ytwatcher.errors import InputError, TargetError
from ytwatcher.settings import Settings
from ytwatcher.store import subjects, watches
from ytwatcher.store.subjects import Known


def require_key_for(settings: Settings, con: sqlite3.Connection, text: str) -> None:
    """See that there is a key where only YouTube can say what the text names: an @handle that is not known here.

    Raises:
        ConfigError: there is none.
    """
    ref = _ref(text)
    if ref is not None and _id_of(ref) is None and not find_targets(con, text):
        require_key(settings)


def find_targets(con: sqlite3.Connection, text: str) -> list[watches.Target]:
    """The watched targets of that id, handle or title."""
    return watches.named(con, text, _ref(text))


def find_subjects(con: sqlite3.Connection, text: str | None) -> list[Known]:
    """All watched subjects, or those of the target or video that the text names: a link, an id, an @handle or an exact title.

    Raises:
        InputError: nothing of that name is watched.
    """
    known = subjects.watched(con)
    if text is None:
        return list(known.values())
    targets = find_targets(con, text)
    if targets:
        members = {m.subject_id for target in targets for m in watches.members(con, target.pk).values() if m.left_at is None}
        return [subject for subject in known.values() if subject.state.subject_id in members]
    ref = _ref(text)
    named = _id_of(ref) if ref else None
    found = [subject for subject in known.values() if subject.state.subject_id == named or subject.state.title == text]
    if not found:
        hint = " under this name: name the channel by its title or id" if ref is not None and named is None else ""
        raise InputError(f"“{text}” is not watched{hint}; `ytwatcher list` shows what is")
    return found


def find_one(con: sqlite3.Connection, text: str) -> Known:
    """The one video, or the channel itself, that the text names.

    Raises:
        InputError: nothing of that name is watched, or it is a list of videos.
    """
    found = find_subjects(con, text)
    ref = _ref(text)
    ids = {_id_of(ref) if ref else None, *(target.id for target in find_targets(con, text))}
    own = [subject for subject in found if subject.state.subject_id in ids or subject.state.title == text]
    if len(own or found) != 1:
        raise InputError(f"“{text}” is {len(found)} videos; name one of them: `ytwatcher now` lists them")
    return (own or found)[0]


def _ref(text: str) -> TargetRef | None:
    try:
        return parse_target(text)
    except TargetError:
        return None


def _id_of(ref: TargetRef) -> str | None:
    return ref.id if isinstance(ref, VideoRef | PlaylistRef | ChannelRef) else None
