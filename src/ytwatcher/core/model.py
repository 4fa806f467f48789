"""The values that travel through the product, in the words of docs/architecture.md.

Times are aware UTC and end in `_at`; durations are `timedelta`. `None` means not known and `0` means zero.
Counters and chat ids are 64-bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, NewType

VideoId = NewType("VideoId", str)
ChannelId = NewType("ChannelId", str)
PlaylistId = NewType("PlaylistId", str)
ChatId = NewType("ChatId", int)
SubjectId = NewType("SubjectId", str)
"""A video id or a channel id: whatever has readings."""
RuleId = NewType("RuleId", str)

BIGGEST = 2**63 - 1
"""Counters are 64-bit."""
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# Remembered: the readings of a batch share few instants, and so do the states they are compared with.
@lru_cache(maxsize=4096)
def to_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware time; exact, without the rounding of `timestamp()`."""
    delta = at - EPOCH
    return delta.days * 86_400_000 + delta.seconds * 1000 + delta.microseconds // 1000


def first_ms(at: datetime) -> int:
    """The first whole millisecond that is not before this: how an instant is kept before which nothing may happen."""
    return to_ms(at + timedelta(microseconds=999))


@lru_cache(maxsize=4096)
def from_ms(ms: int) -> datetime:
    """The aware UTC time of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)


class SubjectKind(StrEnum):
    VIDEO = "video"
    CHANNEL = "channel"


class TargetKind(StrEnum):
    VIDEO = "video"
    PLAYLIST = "playlist"
    CHANNEL = "channel"


class Lane(StrEnum):
    """One kind of API work; a replayed file counts as a lane of its own."""

    STATISTICS = "statistics"
    METADATA = "metadata"
    MEMBERSHIP = "membership"
    FILE = "file"


class Metric(StrEnum):
    VIEWS = "views"
    LIKES = "likes"
    FAVORITES = "favorites"
    COMMENTS = "comments"
    SUBSCRIBERS = "subscribers"
    VIDEOS = "videos"
    TOTAL_VIEWS = "total views"


VIDEO_METRICS = (Metric.VIEWS, Metric.LIKES, Metric.FAVORITES, Metric.COMMENTS)
CHANNEL_METRICS = (Metric.SUBSCRIBERS, Metric.VIDEOS, Metric.TOTAL_VIEWS)


class Absent(StrEnum):
    """Why a metric is `None`."""

    HIDDEN = "hidden"
    DISABLED = "disabled"
    NOT_RETURNED = "not returned"
    RECOUNTED = "recounted"


Value = int | Absent
"""What a reading says of one metric: a number, or why there is none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One observation of one subject at one instant.

    `values` holds the metrics its lane carries; what is not in it was not asked for. `title`, `description` and
    `published_at` are None where the lane does not carry them. `live` is YouTube's liveBroadcastContent.
    """

    subject_id: SubjectId
    observed_at: datetime
    lane: Lane
    values: Mapping[Metric, Value]
    kind: SubjectKind = SubjectKind.VIDEO
    title: str | None = None
    published_at: datetime | None = None
    channel_id: str | None = None
    channel_title: str | None = None
    live: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """A subject that was asked for and is missing from a metadata answer that had at least one other id in it."""

    subject_id: SubjectId
    observed_at: datetime


class Entry(NamedTuple):
    """One entry of a playlist. `added_at` is when it was added to the list; `dead`: deleted or private now."""

    video_id: VideoId
    added_at: datetime | None
    title: str | None = None
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of a channel's uploads or of a playlist; `complete` when every page was read."""

    target_id: str
    observed_at: datetime
    entries: tuple[Entry, ...]
    complete: bool


class Pending(StrEnum):
    """The kind of raw value that waits for a second reading."""

    RISE = "rise"
    FALL = "fall"
    HIDDEN = "hidden"
    DISABLED = "disabled"


class Wait(NamedTuple):
    """An unsettled value: the first reading of its kind, and the instant from which a second one settles it."""

    kind: Pending
    since_at: datetime
    until_at: datetime


class MetricState(NamedTuple):
    """What is known of one metric of one subject.

    `number` is the newest settled number and stays through a `None`; `absent` says why the settled value is
    `None` at present (None: the number is the value). `supported_at` is the reading that last supported the number.
    `grown` in `hours` is its pace of late, for the plan (core/intervals.py); kept where a rule asks for it.
    """

    number: int | None = None
    absent: Absent | None = Absent.NOT_RETURNED
    supported_at: datetime | None = None
    peak: int | None = None
    wait: Wait | None = None
    grown: float = 0.0
    hours: float = 0.0

    @property
    def value(self) -> int | None:
        """The settled value."""
        return self.number if self.absent is None else None


UNKNOWN = MetricState()


class Presence(NamedTuple):
    """Whether a video is there. `missing_at`: the first of two metadata answers without it; `back_at`: with it again."""

    missing_at: datetime | None = None
    vanished_at: datetime | None = None
    back_at: datetime | None = None


PRESENT = Presence()


class SubjectState(NamedTuple):
    """The newest state of a subject: all that the next reading is compared with."""

    subject_id: SubjectId
    kind: SubjectKind = SubjectKind.VIDEO
    newest_at: datetime | None = None
    title: str | None = None
    published_at: datetime | None = None
    metrics: Mapping[Metric, MetricState] = MappingProxyType({})
    presence: Presence = PRESENT

    def metric(self, metric: Metric) -> MetricState:
        return self.metrics.get(metric, UNKNOWN)


class RuleKind(StrEnum):
    CHANGE = "change"
    EVERY = "every"
    REACH = "reach"
    MILESTONES = "milestones"
    RISE = "rise"
    FALL = "fall"
    FASTER = "faster"
    SLOWER = "slower"
    AVAILABILITY = "availability"
    TITLE = "title"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule line, parsed. `n` is a count, or None where `percent` (of the anchor) is used or the kind has no number.

    For `milestones`, `n` is the ladder's first rung; for `faster` and `slower`, `n` is per `per`.
    """

    kind: RuleKind
    metric: Metric | None = None
    n: int | None = None
    percent: Decimal | None = None
    per: timedelta | None = None
    once: bool = False
    silent: bool = False
    cooldown: timedelta | None = None


class RuleState(NamedTuple):
    """Where one rule stands on one subject: judged from `since_at` on; `rise` and `fall` measure from `anchor`.

    Of `faster` and `slower`, `anchor` is ARMED, TOLD (it waits to be re-armed), or None: not yet on the other side.
    """

    since_at: datetime
    anchor: int | None = None


TOLD, ARMED = 0, 1


class Rule(NamedTuple):
    """A rule as it is judged on one subject; `state` is None until its baseline reading there."""

    id: RuleId
    spec: RuleSpec
    state: RuleState | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """What one rule found in one reading.

    `previous` is the settled value of the subject's preceding reading, and `previous_at` when that was; of `rise` and
    `fall` it is the anchor, whose time is not kept, of `faster` and `slower` the stored value that the rate starts from. `mark`
    is the highest number passed; `facts` are the findings of `availability`, a title before and after, or the rate that was passed.
    `lane` is what read it, where that is known: it is no part of what was found.
    """

    rule_id: RuleId
    subject_id: SubjectId
    kind: RuleKind
    observed_at: datetime
    metric: Metric | None = None
    previous: int | None = None
    current: int | None = None
    previous_at: datetime | None = None
    mark: int | None = None
    facts: tuple[str, ...] = ()
    lane: Lane | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """Deterministic: the same finding has the same id whatever path it came by."""
        return f"{self.rule_id}:{self.subject_id}:{to_ms(self.observed_at)}"
