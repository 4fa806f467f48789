"""What people do with charts: see one of a video, or of several of a list, over a time. Nothing here knows of Telegram's types."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ytwatcher.charts import DARK, LIGHT, Chart, Mark, MarkKind, Point, Series, human, specification, thin
from ytwatcher.clock import Clock
from ytwatcher.core import breaks
from ytwatcher.core.cleaning import clean, isolated
from ytwatcher.core.model import CHANNEL_METRICS, Metric, RuleKind, SubjectId, SubjectKind, TargetKind, from_ms
from ytwatcher.core.phrases import Phrase, Speak, Spoken, in_english
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rules import METRIC_NAMES
from ytwatcher.core.targets import HandleRef, parse_target
from ytwatcher.drawing import Pictures as Drawing
from ytwatcher.errors import InputError, TargetError
from ytwatcher.store import pictures as stored
from ytwatcher.store import recipients
from ytwatcher.store.db import Database
from ytwatcher.store.pictures import Drawable, Named, Wishes

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_SPAN_NAMES = MappingProxyType({DAY: Phrase("24h"), 7 * DAY: Phrase("7d"), 30 * DAY: Phrase("30d")})
SPANS = MappingProxyType({str(name): span for span, name in _SPAN_NAMES.items()})
"""What people type, and how long it is."""
KIND_WORDS = MappingProxyType(
    {
        RuleKind.CHANGE: Phrase("change"),
        RuleKind.RISE: Phrase("rise"),
        RuleKind.FALL: Phrase("fall"),
        RuleKind.FASTER: Phrase("faster"),
        RuleKind.SLOWER: Phrase("slower"),
    }
)
"""What is written at the instant of an alert that has no number."""
MOST_LINES = 6
"""As many as there are colours that are told apart."""
MOST_POINTS = 600
MOST_MARKS = 6
ALERT_BEFORE = DAY
"""The time that the picture of an alert shows."""


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen: the video, channel or list of this id, over the time up to now, in one metric."""

    about: str
    span: timedelta = DAY
    metric: Metric = Metric.VIEWS


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart, drawn. `left_out`: how many videos of the list have no line in it."""

    png: bytes
    view: View
    title: str
    left_out: int


def metrics_of(kind: TargetKind) -> tuple[Metric, ...]:
    """The metrics that there are charts of; those of a list are of its videos."""
    of_videos = (Metric.VIEWS, Metric.LIKES, Metric.COMMENTS)
    return (*of_videos, Metric.SUBSCRIBERS, Metric.TOTAL_VIEWS) if kind is TargetKind.CHANNEL else of_videos


class Charts:
    """The use cases over one journal. `address` is the recipient: only what it watches is seen; None: whoever holds the journal."""

    def __init__(self, db: Database, clock: Clock, drawing: Drawing, spoken: Spoken = in_english) -> None:
        """`spoken` gives the words of a language."""
        self._db, self._clock, self._drawing, self._spoken = db, clock, drawing, spoken

    async def find(self, text: str, address: str | None) -> list[Named]:
        """What a person means among what is watched: a link, an id, a handle, an exact title, or a part of one; everything where
        nothing is named. YouTube is not asked."""
        return await self._db.read(find, text, address)

    async def picture(self, view: View, address: str | None, speak: Speak = str) -> Picture:
        """The chart of a view.

        Raises:
            InputError: the recipient watches nothing of that id, or there are no readings of that time.
            OutsideError: it cannot be drawn.
        """
        chart, left_out, dark = await self._db.read(chart_of, view, address, self._clock.now(), speak)
        return Picture(await self.draw(chart, dark), view, chart.title, left_out)

    async def of_alert(self, view: View, address: str, number: int | None = None) -> bytes:
        """The chart that goes with an alert: `number` is the one that was passed.

        Raises:
            InputError, OutsideError: as `picture`.
        """
        chart, _, dark = await self._db.read(self._spoken_chart, view, address)
        return await self.draw(replace(chart, threshold=number), dark)

    def _spoken_chart(self, con: sqlite3.Connection, view: View, address: str) -> tuple[Chart, int, bool]:
        speak = self._spoken(_recipient(con, address).language)
        return chart_of(con, view, address, self._clock.now(), speak)

    async def draw(self, chart: Chart, dark: bool) -> bytes:
        """A PNG for a phone."""
        return await self._drawing.png(specification(chart, DARK if dark else LIGHT))

    async def wishes(self, address: str) -> Wishes:
        return await self._db.read(stored.wishes, address)

    async def wish(self, address: str, *, dark: bool | None = None, with_alerts: bool | None = None) -> Wishes:
        """Change how the recipient wants its pictures; None: as it is."""
        return await self._db.write(_wish, address, dark, with_alerts)


def find(con: sqlite3.Connection, text: str, address: str | None) -> list[Named]:
    """See `Charts.find`; in the order in which they were added, the targets first."""
    text = clean(text)
    try:
        ref = parse_target(text)
    except TargetError:
        ref = None
    watched = stored.named(con, address)
    if not text:
        return watched
    target_id = getattr(ref, "id", None)
    handle = ref.handle.casefold() if isinstance(ref, HandleRef) else None
    exact = [one for one in watched if one.id == target_id or (handle and one.handle == handle) or clean(one.title or "") == text]
    if exact or (inside := stored.videos(con, address, target_id or "", text)):
        return exact or inside
    return [one for one in watched if text.casefold() in clean(one.title or "").casefold()] if ref is None else []


def _wish(con: sqlite3.Connection, address: str, dark: bool | None, with_alerts: bool | None) -> Wishes:
    pk, now = recipients.ensure(con, address), stored.wishes(con, address)
    wanted = Wishes(now.dark if dark is None else dark, now.with_alerts if with_alerts is None else with_alerts)
    stored.save_wishes(con, pk, wanted)
    return wanted


def chart_of(con: sqlite3.Connection, view: View, address: str | None, now: datetime, speak: Speak) -> tuple[Chart, int, bool]:
    """The chart, how many lines are left out of it, and whether the recipient wants it dark."""
    kind = SubjectKind.CHANNEL if view.metric in CHANNEL_METRICS else SubjectKind.VIDEO
    found = stored.drawable(con, view.about, kind, view.metric, address)
    if not found:
        raise InputError("this is not watched here, or it has no {metric}", metric=METRIC_NAMES[view.metric])
    since = now - view.span
    shown = found[:MOST_LINES]
    series = [Series(_title(one), _points(con, one, view.metric, since, MOST_POINTS // len(shown))) for one in shown]
    series = [one for one in series if any(point.value is not None for point in one.points)]
    if not series:
        raise InputError("there are no readings of that time yet")
    recipient = _recipient(con, address)
    zone = ZoneInfo(recipient.timezone)
    marks = _marks(con, view, address, [one.id for one in shown], now, speak)
    metric = speak(METRIC_NAMES[view.metric])
    title = series[0].name if len(found) == 1 else _target_title(con, view.about, address) or series[0].name
    subtitle = f"{metric} · {speak(span_name(view.span))} · {recipient.timezone}"
    chart = Chart(title, metric, series, marks=marks, zone=zone, subtitle=subtitle, language=recipient.language, speak=speak)
    return chart, len(found) - len(series), address is not None and stored.wishes(con, address).dark


def _recipient(con: sqlite3.Connection, address: str | None) -> Recipient:
    """The recipient as it is stored; who is not has the usual language and time zone."""
    found = recipients.find(con, address) if address is not None else None
    return found.recipient if found else Recipient(address or "")


def _points(con: sqlite3.Connection, one: Drawable, metric: Metric, since: datetime, most: int) -> list[Point]:
    """The line of one subject: the ends of its spans, parted where YouTube changed what it counts."""
    points: list[Point] = []
    for first, last, value in stored.line(con, one.pk, metric, since):
        from_at, to_at = max(from_ms(first), since), from_ms(last)
        if points and breaks.between(metric, points[-1].at, from_at):
            points.append(Point(points[-1].at, None))
        points.append(Point(from_at, value))
        if to_at > from_at:
            points.append(Point(to_at, value))
    return thin(points, most)


def _marks(con: sqlite3.Connection, view: View, address: str | None, ids: Sequence[SubjectId], now: datetime, speak: Speak) -> list[Mark]:
    since, anew = now - view.span, speak(Phrase("counted anew"))
    marks = [Mark(b.end_at, MarkKind.BREAK, anew) for b in breaks.BREAKS if view.metric in b.metrics and since <= b.end_at <= now]
    if address is not None and len(ids) == 1:  # on a chart of many it would not be seen which line it belongs to
        told = stored.told(con, address, ids, view.metric, since, MOST_MARKS)
        marks += [_alert_mark(one, speak) for one in told]
    return marks


def _alert_mark(one: stored.Told, speak: Speak) -> Mark:
    if one.kind is RuleKind.TITLE:
        return Mark(one.at, MarkKind.TITLE, speak(Phrase("new title")))
    return Mark(one.at, MarkKind.ALERT, speak(human(one.mark) if one.mark is not None else KIND_WORDS.get(one.kind, one.kind.value)))


def _title(one: Drawable) -> str:
    return isolated(clean(one.title or "")) or one.id


def _target_title(con: sqlite3.Connection, about: str, address: str | None) -> str | None:
    return next((isolated(clean(one.title or "")) for one in stored.named(con, address) if one.id == about), None)


def span_name(span: timedelta) -> str:
    return _SPAN_NAMES.get(span) or (f"{span // DAY}d" if span >= DAY else f"{span // HOUR}h")
