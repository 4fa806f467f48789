"""What the API's answers hold. Times are UTC; a number that is not known is null."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from ytwatcher.core.model import Alert, ChannelId, Metric, RuleKind, SubjectKind, TargetKind, VideoId
from ytwatcher.core.plain import plain_line
from ytwatcher.core.policy import digest_text, quiet_text
from ytwatcher.core.rules import explain
from ytwatcher.core.targets import channel_url, target_url, video_url
from ytwatcher.store.outbox_list import Message as StoredMessage
from ytwatcher.store.pages import AlertRow, WatchRow
from ytwatcher.store.readings import Point
from ytwatcher.store.recipients import Stored
from ytwatcher.store.subjects import Known
from ytwatcher.store.watches import StoredRule


class Watch(BaseModel):
    target: str
    kind: TargetKind
    title: str | None
    url: str
    to: str
    added_at: datetime
    subjects: int
    rules: int
    fault: str | None

    @classmethod
    def of(cls, row: WatchRow) -> Watch:
        return cls(
            target=row.target_id,
            kind=row.kind,
            title=row.title,
            url=target_url(row.target_id, row.kind),
            to=row.address,
            added_at=row.added_at,
            subjects=row.subjects,
            rules=row.rules,
            fault=row.fault,
        )


def _url(subject_id: str, kind: SubjectKind) -> str:
    return video_url(VideoId(subject_id)) if kind is SubjectKind.VIDEO else channel_url(ChannelId(subject_id))


class Value(BaseModel):
    """A settled number, or why there is none; `pending` says what waits for a second reading."""

    number: int | None
    absent: str | None
    pending: str | None


class Subject(BaseModel):
    id: str
    kind: SubjectKind
    title: str | None
    url: str
    channel: str | None
    channel_title: str | None
    published_at: datetime | None
    newest_at: datetime | None
    vanished_at: datetime | None
    values: dict[Metric, Value]

    @classmethod
    def of(cls, known: Known) -> Subject:
        state = known.state
        values = {
            metric: Value(
                number=one.number if one.absent is None else None,
                absent=one.absent,
                pending=one.wait.kind if one.wait else None,
            )
            for metric, one in state.metrics.items()
        }
        return cls(
            id=state.subject_id,
            kind=state.kind,
            title=state.title,
            url=_url(state.subject_id, state.kind),
            channel=known.channel_id,
            channel_title=known.channel_title,
            published_at=state.published_at,
            newest_at=state.newest_at,
            vanished_at=state.presence.vanished_at,
            values=values,
        )


class ReadingSpan(BaseModel):
    """The readings of a time in which nothing changed; `raw` is what YouTube said where that is not the settled value."""

    from_at: datetime
    to_at: datetime
    values: dict[Metric, int | None]
    raw: dict[str, int | str]

    @classmethod
    def of(cls, point: Point) -> ReadingSpan:
        return cls(from_at=point.from_at, to_at=point.to_at, values=point.values, raw=point.raw)


class Readings(BaseModel):
    """`whole`: nothing was left out; otherwise the first, the last, the highest and the lowest of every stretch stay."""

    subject: str
    whole: bool
    items: list[ReadingSpan]


class Rule(BaseModel):
    id: str
    rule: str
    explained: str
    target: str
    target_title: str | None
    to: str
    made_at: datetime

    @classmethod
    def of(cls, row: StoredRule) -> Rule:
        return cls(
            id=row.id,
            rule=row.line,
            explained=explain(row.spec, row.target_kind),
            target=row.target_id,
            target_title=row.target_title,
            to=row.address,
            made_at=row.made_at,
        )


class RuleTaken(BaseModel):
    """A rule as it was taken: explained, with the next number that would be told."""

    id: str
    rule: str
    explained: str
    note: str | None
    next_number: int | None
    refused: str | None
    skipped: int


class WatchTaken(BaseModel):
    """What is watched now. `numbers` are today's, `units_a_day` what it costs of the quota."""

    id: str
    kind: TargetKind
    title: str | None
    url: str
    also_playlist: str | None
    to: str
    new: bool
    videos: int
    numbers: dict[Metric, int | None]
    units_a_day: dict[str, int]
    rules: list[RuleTaken]


class Explained(BaseModel):
    """What a rule would tell; `normal` is its one normal text."""

    normal: str
    explained: str
    note: str | None


class WouldTell(BaseModel):
    """A message that would have been sent, as it would have been read."""

    at: datetime
    plain: str


class Rehearsed(BaseModel):
    """What a rule would have sent between two instants; `more`: and that was not all, `shortened`: there is more history."""

    explained: str
    since_at: datetime
    until_at: datetime
    subjects: int
    messages: int
    at_night: int
    alerts: int
    more: bool
    suppressed: dict[str, int]
    held: int
    shown: list[WouldTell]
    caveat: str | None
    shortened: bool


class AlertFound(BaseModel):
    id: str
    rule: str | None
    line: str
    kind: RuleKind
    subject: str
    title: str | None
    metric: Metric | None
    previous: int | None
    current: int | None
    mark: int | None
    facts: list[str]
    observed_at: datetime
    made_at: datetime
    to: str
    state: str
    reason: str | None
    hold_until: datetime | None
    message: int | None
    text: str

    @classmethod
    def of(cls, row: AlertRow) -> AlertFound:
        alert = row.item.alert
        assert isinstance(alert, Alert)  # notices are not listed
        return cls(
            id=row.item.id,
            rule=alert.rule_id,
            line=row.item.rule,
            kind=alert.kind,
            subject=alert.subject_id,
            title=row.item.title,
            metric=alert.metric,
            previous=alert.previous,
            current=alert.current,
            mark=alert.mark,
            facts=list(alert.facts),
            observed_at=alert.observed_at,
            made_at=row.made_at,
            to=row.address,
            state=row.state,
            reason=row.reason,
            hold_until=row.hold_until,
            message=row.message,
            text=plain_line(alert, row.item.title),
        )


class Message(BaseModel):
    message: int
    to: str
    state: str
    text: str | None
    attempts: int
    made_at: datetime
    next_at: datetime | None
    sent_at: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, row: StoredMessage) -> Message:
        facts: dict[str, Any] = {**asdict(row), "message": row.pk, "to": row.address, "text": row.plain}
        facts["next_at"] = row.next_at if row.state == "pending" else None
        return cls(**{name: facts[name] for name in cls.model_fields})


class Recipient(BaseModel):
    address: str
    state: str
    reason: str | None
    language: str
    timezone: str
    quiet: str | None
    digest: str | None
    muted_until: datetime | None

    @classmethod
    def of(cls, one: Stored, now: datetime) -> Recipient:
        told = one.recipient
        return cls(
            address=told.address,
            state=one.state,
            reason=one.reason,
            language=told.language,
            timezone=told.timezone,
            quiet=quiet_text(told.quiet) if told.quiet else None,
            digest=digest_text(told.digest) if told.digest else None,
            muted_until=told.muted_until if told.muted_until is not None and told.muted_until > now else None,
        )
