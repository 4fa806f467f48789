"""What people do with watches: add, remove, list, rules. Shared by every way of asking; nothing here prints."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ytwatcher.clock import Clock
from ytwatcher.core.addresses import check_address
from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import ChannelId, Metric, SubjectId, SubjectKind, SubjectState, TargetKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.rules import canonical, check_fits, default_rules, parse_rule
from ytwatcher.core.schedule import DailyCost, daily_cost
from ytwatcher.core.targets import ChannelRef, TargetRef, parse_target
from ytwatcher.errors import InputError, RuleError, TargetError
from ytwatcher.reader import Reader
from ytwatcher.resolving import Resolved, resolve
from ytwatcher.rule_answers import RuleAnswer, check_reach, refusal
from ytwatcher.store import access, declared, recipients, subjects
from ytwatcher.store import watches as stored
from ytwatcher.store.db import Database
from ytwatcher.store.declared import Declaration

ReadNow = Callable[[str], Awaitable[None]]
"""Lists a target and reads its subjects at once, as far as that is quick."""


class Defaults(NamedTuple):
    """What a new recipient begins with: a Babel locale and an IANA time zone."""

    language: str = "en"
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Added:
    """The answer to `add`. `numbers` are today's settled values of the video or channel itself.

    `units_a_day` is what it costs in the buckets for statistics and for everything else.
    """

    target: Resolved
    address: str
    new: bool
    videos: int
    numbers: dict[Metric, int | None]
    units_a_day: DailyCost
    rules: tuple[RuleAnswer, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What adding would bring: how many videos there are (None: only a listing tells), what it costs, and who is told already."""

    target: Resolved
    videos: int | None
    units_a_day: DailyCost
    told: tuple[str, ...]


class Watches:
    """The use cases over one journal. `read_now` is the poller's; without it the plan reads when it is due."""

    def __init__(self, db: Database, reader: Reader, clock: Clock, read_now: ReadNow, defaults: Defaults) -> None:
        self._db, self._reader, self._clock, self._read_now, self._defaults = db, reader, clock, read_now, defaults

    async def add(self, text: str, lines: Sequence[str], address: str) -> Added:
        """Watch what the text names for this recipient; without rule lines with the default ones.

        Raises:
            InputError: the text, a rule or the address is not right, or all the rules given are refused; nothing was stored.
            YouTubeError: it could not be looked up; nothing was stored.
        """
        ref = parse_target(text)
        specs = [parse_rule(line) for line in lines]
        check_address(address)
        await self._db.read(_check_room, text, ref, address, self._clock.now())
        watched = await self._db.read(_watched, ref, address)
        target = watched or await resolve(self._reader, ref)
        for spec in specs:
            check_fits(spec, target.kind)
        watch_new, rule_ids = await self._db.write(_store_by_hand, target, list(lines), address, self._defaults, self._clock.now())
        if watched is None or lines:
            await self._read_now(target.id)
        rules = await self._db.write(check_reach, target.kind, rule_ids, self._clock.now())
        if lines and all(rule.refused for rule in rules):
            if watch_new:
                await self._db.write(_remove, target.id, address, self._clock.now())
            raise refusal(rules)
        videos, numbers = await self._db.read(_numbers, target.id)
        cost = daily_cost(videos, listed=target.list_id is not None, newest_first=target.newest_first)
        return Added(target, address, watch_new, videos, numbers, cost, rules)

    async def preview(self, text: str) -> Preview:
        """What the text names, and what watching it would cost; nothing is stored.

        Raises:
            InputError: the text is not right.
            YouTubeError: it could not be looked up.
        """
        target = await resolve(self._reader, parse_target(text))
        found = target.numbers.get(Metric.VIDEOS) if target.kind is TargetKind.CHANNEL else target.size
        videos = 1 if target.kind is TargetKind.VIDEO else found if isinstance(found, int) else None
        cost = daily_cost(videos or 0, listed=target.list_id is not None, newest_first=target.newest_first)
        told = [to for watched, to in await self._db.read(stored.watches) if watched.id == target.id]
        return Preview(target, videos, cost, tuple(told))

    async def add_rule(self, target_text: str, line: str, address: str) -> RuleAnswer:
        """One more rule on a watch that is there.

        Raises:
            InputError: no such watch, the rule is not right, or it is refused.
        """
        spec = parse_rule(line)
        target = await self.find(target_text)
        check_fits(spec, target.kind)
        rule_id = await self._db.write(_store_rule, target.id, line, address, self._clock.now())
        await self._read_now(target.id)
        rules = await self._db.write(check_reach, target.kind, [rule_id], self._clock.now())
        if rules[0].refused:
            raise refusal(rules)
        return rules[0]

    async def replace_rule(self, rule_id: str, line: str, address: str) -> RuleAnswer:
        """Another rule in a rule's place, in one step; asked twice it is done once.

        Raises:
            InputError: the recipient has no such rule, or the new one is refused; then all is as it was.
        """
        spec = parse_rule(line)
        old = await self._db.read(stored.rule, rule_id)
        if old is None or old.address != address:
            raise InputError("there is no such rule here")
        check_fits(spec, old.target.kind)
        new_id = await self._db.write(_replace_rule, old, line, address, self._clock.now())
        await self._read_now(old.target.id)
        rules = await self._db.write(check_reach, old.target.kind, [new_id], self._clock.now())
        if rules[0].refused:
            await self._db.write(_add_again, old, self._clock.now())
            raise refusal(rules)
        return rules[0]

    async def remove_rule(self, rule_id: str) -> None:
        """End a rule by its id.

        Raises:
            InputError: there is no such rule.
        """
        if not await self._db.write(_end_rule, rule_id, self._clock.now()):
            raise InputError("there is no rule “{id}”; `ytwatcher rules list` shows the ids", id=rule_id)

    async def remove(self, text: str, address: str) -> stored.Target:
        """End a recipient's watch; what nobody watches any longer keeps only the highest number told.

        Raises:
            InputError: the recipient has no such watch.
        """
        target = await self.find(text)
        if not await self._db.write(_remove_by_hand, target.id, address, self._clock.now()):
            shown = clean(target.title or target.id)
            raise InputError("{address} does not watch “{title}”; `ytwatcher list` shows what is watched", address=address, title=shown)
        return target

    async def stop(self, address: str, *, topics: bool = False) -> int:
        """End all watches of a recipient, or (`topics`) of a chat with all its topics, but those of the configuration file. How many."""
        return await self._db.write(_stop, address, topics, self._clock.now())

    async def declare(self, entry: Declaration) -> tuple[RuleAnswer, ...]:
        """Take up a watch of the configuration file: it has exactly the rules of the entry. Answers for the rules that are new.

        Raises:
            InputError: YouTube does not know the target, or a rule does not fit it; nothing was stored.
            YouTubeError: it could not be looked up; nothing was stored.
        """
        target = await resolve(self._reader, parse_target(entry.target))
        for line in entry.rules:
            check_fits(parse_rule(line), target.kind)
        made = await self._db.write(_declare, target, entry, self._defaults, self._clock.now())
        await self._read_now(target.id)
        return await self._db.write(check_reach, target.kind, made, self._clock.now())

    async def undeclare(self, gone: Declaration) -> None:
        """The file does not hold it any longer: the watch ends, unless a command had made it before."""
        await self._db.write(_undeclare, gone, self._clock.now())

    async def find(self, text: str) -> stored.Target:
        """The stored target that a text names: a link, an id, a handle, or its exact title; YouTube is asked only for a name unknown here.

        Raises:
            InputError: nothing of that name is watched.
        """
        try:
            ref = parse_target(text)
        except TargetError:
            ref = None
        found = await self._db.read(stored.named, text, ref)
        if not found and ref is not None and not hasattr(ref, "id"):
            resolved = await resolve(self._reader, ref)
            found = await self._db.read(stored.named, text, ChannelRef(ChannelId(resolved.id)))
        if not found:
            raise InputError("“{text}” is not watched; `ytwatcher list` shows what is", text=text)
        return found[0]


def _check_by_hand(con: sqlite3.Connection, target_id: str, address: str) -> None:
    """See that the watch is not one of the configuration file, as long as that is there.

    Raises:
        InputError: it is.
    """
    found = declared.of_watch(con, target_id, address)
    if found is not None and Path(found.file).is_file():
        what = {"address": found.address, "target": found.target, "file": str(found.file)}
        raise InputError("{address} watches “{target}” by a [[watch]] in {file}; change it there", **what)


def _watched(con: sqlite3.Connection, ref: TargetRef, address: str) -> Resolved | None:
    """What the recipient watches already, as it is known here: YouTube is not asked about it again."""
    target = stored.find_target(con, getattr(ref, "id", ""))
    if target is None or stored.find_watch(con, target.pk, recipients.current(con, address)) is None:
        return None
    also = getattr(ref, "also_playlist", None)
    return Resolved(target.id, target.kind, target.title, target.list_id, target.newest_first, also, handle=target.handle)


def _check_room(con: sqlite3.Connection, text: str, ref: TargetRef, address: str, now: datetime) -> None:
    """See that one more target has room, before YouTube is asked about it: a chat that is full costs no quota.

    Raises:
        InputError: it has none.
    """
    limits = access.limits_of(con, address)
    if limits is None or access.use_of(con, address, now).targets < limits.targets:
        return
    watched = {target.id for target, to in stored.watches(con) if to == recipients.current(con, address)}
    if not any(target.id in watched for target in stored.named(con, text, ref)):
        raise InputError("this chat watches {n} targets, as many as it may; remove one first, or ask for more", n=limits.targets)


def _check_limits(con: sqlite3.Connection, address: str, now: datetime) -> None:
    """See that what was just stored is not more than the chat may have; else nothing of it is stored.

    Raises:
        InputError: it is.
    """
    limits = access.limits_of(con, address)
    if limits is None:
        return
    used = access.use_of(con, address, now)
    targets, rules = Phrase("targets"), Phrase("rules")
    for what, n, most in ((targets, used.targets, limits.targets), (rules, used.rules, limits.rules)):
        if n > most:
            held = {"most": most, "what": what, "n": n}
            raise InputError("this chat may have {most} {what}, and would have {n}; remove one first, or ask for more", **held)


def _store_by_hand(
    con: sqlite3.Connection, target: Resolved, lines: list[str], address: str, defaults: Defaults, now: datetime
) -> tuple[bool, list[str]]:
    _check_by_hand(con, target.id, address)
    stored_now = _store(con, target, lines, address, defaults, now)
    _check_limits(con, address, now)
    return stored_now


def _declare(con: sqlite3.Connection, target: Resolved, entry: Declaration, defaults: Defaults, now: datetime) -> list[str]:
    known = declared.of_watch(con, target.id, entry.address)
    address = recipients.current(con, entry.address)
    before = {rule.id: canonical(rule.spec) for rule in stored.rules(con, target.id, address)}
    lines = list(entry.rules or default_rules(target.kind))
    new, ids = _store(con, target, lines, address, defaults, now)
    for rule_id in before.keys() - set(ids):
        stored.end_rule(con, rule_id, now)
    adopted = known.adopted if known else not new
    declared.put(con, replace(entry, target_id=target.id, adopted=adopted))
    return [rule_id for rule_id in ids if rule_id not in before]


def _undeclare(con: sqlite3.Connection, gone: Declaration, now: datetime) -> None:
    declared.forget(con, gone)
    if not gone.adopted:
        _remove(con, gone.target_id, gone.address, now)


def _end_rule(con: sqlite3.Connection, rule_id: str, now: datetime) -> bool:
    rule = next((rule for rule in stored.rules(con) if rule.id == rule_id), None)
    if rule is not None:
        _check_by_hand(con, rule.target_id, rule.address)
    return stored.end_rule(con, rule_id, now)


def _remove_by_hand(con: sqlite3.Connection, target_id: str, address: str, now: datetime) -> bool:
    _check_by_hand(con, target_id, address)
    return _remove(con, target_id, address, now)


def _store(
    con: sqlite3.Connection, target: Resolved, lines: list[str], address: str, defaults: Defaults, now: datetime
) -> tuple[bool, list[str]]:
    address = recipients.current(con, address)
    target_pk = stored.ensure_target(
        con, target.id, target.kind, target.title, target.list_id, target.newest_first, now, handle=target.handle
    )
    if target.kind is not TargetKind.PLAYLIST:
        kind = SubjectKind.VIDEO if target.kind is TargetKind.VIDEO else SubjectKind.CHANNEL
        subject_pk = subjects.ensure(con, target.id, kind, now, title=target.title, published_at=target.published_at)
        stored.join(con, target_pk, subject_pk, None, now)
    recipient_pk = recipients.ensure(con, address, language=defaults.language, timezone=defaults.timezone)
    recipients.revive(con, recipient_pk)  # whoever adds for a recipient takes it to be reachable
    watch_pk, new = stored.ensure_watch(con, target_pk, recipient_pk, now)
    have = {canonical(rule.spec): rule.id for rule in stored.rules(con, target.id, address)}
    if not lines and not have:
        lines = list(default_rules(target.kind))
    ids: list[str] = []
    for line in lines:
        text = canonical(parse_rule(line))
        if text not in have:
            have[text] = stored.add_rule(con, watch_pk, line, now)
        ids.append(have[text])
    if new or lines:
        _want_all(con, target_pk, now)
    return new, list(dict.fromkeys(ids)) or list(have.values())


def _store_rule(con: sqlite3.Connection, target_id: str, line: str, address: str, now: datetime) -> str:
    address = recipients.current(con, address)
    _check_by_hand(con, target_id, address)
    target = stored.find_target(con, target_id)
    watch_pk = stored.find_watch(con, target.pk, address) if target else None
    if target is None or watch_pk is None:
        raise InputError("{address} does not watch this; add it first with `ytwatcher add`", address=address)
    for rule in stored.rules(con, target_id, address):
        if canonical(rule.spec) == canonical(parse_rule(line)):
            raise RuleError("“{line}” is a rule of this watch already ({id})", line=rule.line, id=rule.id)
    rule_id = stored.add_rule(con, watch_pk, line, now)
    _check_limits(con, address, now)
    _want_all(con, target.pk, now)
    return rule_id


def _replace_rule(con: sqlite3.Connection, old: stored.PastRule, line: str, address: str, now: datetime) -> str:
    """Where the wanted rule is there already, the old one only ends."""
    _check_by_hand(con, old.target.id, address)
    wanted = canonical(parse_rule(line))
    there = next((rule.id for rule in stored.rules(con, old.target.id, address) if canonical(rule.spec) == wanted), None)
    if old.ended and there is None:
        raise InputError("that rule is gone; /rules shows those in force")
    stored.end_rule(con, old.id, now)
    if there is not None and there != old.id:
        return there
    watch_pk = stored.find_watch(con, old.target.pk, address)
    assert watch_pk is not None  # a rule in force has its watch
    rule_id = stored.add_rule(con, watch_pk, line, now)
    _want_all(con, old.target.pk, now)
    return rule_id


def _add_again(con: sqlite3.Connection, old: stored.PastRule, now: datetime) -> None:
    watch_pk = stored.find_watch(con, old.target.pk, old.address)
    if watch_pk is not None:
        stored.add_rule(con, watch_pk, old.line, now)


def _want_all(con: sqlite3.Connection, target_pk: int, now: datetime) -> None:
    """A new rule wants a reading of all its subjects at once: its baseline."""
    ids = [member.subject_id for member in stored.members(con, target_pk).values() if member.left_at is None]
    subjects.want(con, ids, now)


def _numbers(con: sqlite3.Connection, target_id: str) -> tuple[int, dict[Metric, int | None]]:
    target = stored.find_target(con, target_id)
    assert target is not None  # it was just stored
    members = [m for m in stored.members(con, target.pk).values() if m.left_at is None and m.kind is SubjectKind.VIDEO]
    known = subjects.load(con, [target_id]).get(SubjectId(target_id))
    state = known.state if known else SubjectState(SubjectId(target_id))
    return len(members), {metric: state.metric(metric).value for metric in state.metrics}


def _remove(con: sqlite3.Connection, target_id: str, address: str, now: datetime) -> bool:
    target, recipient = stored.find_target(con, target_id), recipients.find(con, address)
    if target is None or recipient is None or not stored.remove_watch(con, target.pk, recipient.pk, now):
        return False
    subjects.release_unwatched(con)
    return True


def _stop(con: sqlite3.Connection, address: str, topics: bool, now: datetime) -> int:
    mine = {one.recipient.address for one in recipients.of_chat(con, address)} if topics else {recipients.current(con, address)}
    ended = 0
    for target, to in stored.watches(con):
        found = declared.of_watch(con, target.id, to) if to in mine else None
        if to in mine and not (found is not None and Path(found.file).is_file()):
            ended += _remove(con, target.id, to, now)
    return ended
