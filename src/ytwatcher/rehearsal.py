"""Rehearsing a rule: what it would have sent on the stored history. Nothing is asked of YouTube, and nothing is stored."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter

from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert, Rule, RuleId, RuleKind, RuleSpec, SubjectId, from_ms, to_ms
from ytwatcher.core.phrases import Phrase, Speak
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rates import RATES
from ytwatcher.core.rehearse import Judging, Message, asked, at_night, caveat, deliver, lead_ms
from ytwatcher.core.render import Limits, compose
from ytwatcher.core.rules import applies_to, check_fits, explain
from ytwatcher.errors import RuleError
from ytwatcher.store import readings, subjects, watches
from ytwatcher.store.subjects import Known
from ytwatcher.store.watches import Target

DAYS = 14
MOST_ROWS, MOST_RATED_ROWS = 100_000, 30_000
"""More stored rows are not looked at: the rehearsal then begins later, and says so. A rate is computed for each of them."""
MOST_ALERTS = 10_000


@dataclass(frozen=True, slots=True)
class Told:
    """A message that would have been sent, as it would have been read."""

    at: datetime
    text: str
    plain: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rule would have sent between two instants.

    messages, at_night: how many, and how many of them at hours at which people sleep.
    alerts: what it would have found; `more`: and that was not all.
    suppressed: alerts that would not have been told, by the reason.
    shown: the newest messages, as many as were asked for, oldest first.
    caveat: what cannot be said; shortened: there is more history than is looked at.
    """

    explained: Phrase
    since_at: datetime
    until_at: datetime
    subjects: int
    messages: int
    at_night: int
    alerts: int
    more: bool
    suppressed: Counter[str]
    held: int
    shown: tuple[Told, ...]
    caveat: Phrase | None
    shortened: bool


def rehearse(
    con: sqlite3.Connection,
    spec: RuleSpec,
    line: str,
    targets: Sequence[Target],
    recipient: Recipient,
    now: datetime,
    *,
    days: float,
    show: int,
    speak: Speak = str,
) -> Rehearsal:
    """Judge the stored rows of the targets by the rule, as if it had been made `days` ago, and tell the recipient as it is told now.

    A mute does not count: it is about now. `speak` says the messages that are shown in the recipient's language.

    Raises:
        RuleError: the rule fits none of the targets.
    """
    fitting = _fitting(spec, targets)
    members = {target.pk: _members(con, target, spec) for target in fitting}
    since_at, shortened = _begin(con, spec, {known.pk for found in members.values() for known in found}, now, days)
    found = sorted(_alerts(con, spec, fitting, members, since_at), key=attrgetter("observed_at"))
    kept = replace(recipient, lost=False, muted_until=None)
    delivered = deliver(found, spec, kept, now)
    told = [_told(message, line, kept, members, fitting, speak) for message in delivered.messages[-show:]] if show else []
    return Rehearsal(
        explain(spec, fitting[0].kind),
        since_at,
        now,
        sum(map(len, members.values())),
        len(delivered.messages),
        sum(at_night(message.at, recipient.timezone) for message in delivered.messages),
        len(found),
        len(found) == MOST_ALERTS,
        delivered.suppressed,
        delivered.held,
        tuple(told),
        caveat(spec),
        shortened,
    )


def _fitting(spec: RuleSpec, targets: Sequence[Target]) -> list[Target]:
    found, fault = [], RuleError("nothing is watched that it could be rehearsed on")
    for target in targets:
        try:
            check_fits(spec, target.kind)
        except RuleError as error:
            fault = error
        else:
            found.append(target)
    if not found:
        raise fault
    return found


def _members(con: sqlite3.Connection, target: Target, spec: RuleSpec) -> list[Known]:
    """The subjects of the target that the rule holds on."""
    ids = [member.subject_id for member in watches.members(con, target.pk).values() if member.left_at is None]
    return [known for known in subjects.load(con, ids).values() if spec.kind is RuleKind.NEW or applies_to(spec, known.state.kind)]


def _begin(con: sqlite3.Connection, spec: RuleSpec, pks: set[int], now: datetime, days: float) -> tuple[datetime, bool]:
    """Since when; later than was asked where there are more rows than are looked at."""
    span, asked_for = timedelta(days=days), timedelta(days=days)
    most = MOST_RATED_ROWS if spec.kind in RATES else MOST_ROWS
    while asked(spec) and readings.count_since(con, sorted(pks), to_ms(now - span)) > most:
        span /= 2
    return now - span, span < asked_for


def _alerts(
    con: sqlite3.Connection, spec: RuleSpec, targets: Sequence[Target], members: dict[int, list[Known]], since_at: datetime
) -> Iterable[Alert]:
    def found() -> Iterator[Alert]:
        for target in targets:
            rule = Rule(RuleId(f"rehearsed-{target.pk}"), spec)
            if spec.kind is RuleKind.NEW:
                yield from _joined(con, rule, target, since_at)
            elif asked(spec):
                for known in members[target.pk]:
                    yield from _judged(con, rule, known, since_at)

    return islice(found(), MOST_ALERTS)


def _judged(con: sqlite3.Connection, rule: Rule, known: Known, since_at: datetime) -> Iterator[Alert]:
    metrics, since_ms = asked(rule.spec), to_ms(since_at)
    first_ms = since_ms - lead_ms(rule.spec)
    judging = Judging(rule, known.state.subject_id, known.state.kind, since_ms, readings.peaks(con, known.pk, metrics, first_ms))
    return judging.alerts(readings.past(con, known.pk, metrics, first_ms, why=rule.spec.kind is RuleKind.AVAILABILITY))


def _joined(con: sqlite3.Connection, rule: Rule, target: Target, since_at: datetime) -> Iterator[Alert]:
    for one in watches.joined(con, target.pk, to_ms(since_at)):
        yield Alert(rule.id, SubjectId(one.subject_id), RuleKind.NEW, from_ms(one.joined_at), facts=(one.title or "",))


def _told(
    message: Message, line: str, recipient: Recipient, members: dict[int, list[Known]], targets: Sequence[Target], speak: Speak
) -> Told:
    titles = {known.state.subject_id: known.state.title for found in members.values() for known in found}
    named = {f"rehearsed-{target.pk}": target for target in targets}
    items = [
        Item(
            place,
            alert.id,
            alert,
            title=titles.get(alert.subject_id) or "".join(alert.facts[:1] if alert.kind is RuleKind.NEW else ()),
            rule=line,
            target_pk=named[alert.rule_id].pk,
            target_title=named[alert.rule_id].title,
        )
        for place, alert in enumerate(message.alerts)
    ]
    composed = compose(items, recipient, message.at, Limits(), speak=speak)
    return Told(message.at, composed.text, composed.plain)
