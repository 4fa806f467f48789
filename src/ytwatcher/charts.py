"""One specification for every chart: a Vega-Lite document, drawn as a picture for chats (drawing.py) and by the browser on pages.

Pure: what is drawn is given, and the same input gives the same document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import format_decimal, get_decimal_symbol, get_group_symbol

from ytwatcher.core.phrases import Phrase, Speak

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONTS = "Noto Sans, Noto Sans Arabic, Noto Sans CJK JP, Noto Sans CJK KR, Noto Color Emoji, DejaVu Sans, sans-serif"
LONGEST_TITLE = 60
HOUR = timedelta(hours=1)
_THOUSANDS, _MILLIONS, _BILLIONS = Phrase("{n}K"), Phrase("{n}M"), Phrase("{n}B")


class Point(NamedTuple):
    """A settled value at an instant; None where it is not known: the line breaks there."""

    at: datetime
    value: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """One line, named for the legend."""

    name: str
    points: Sequence[Point]


class MarkKind(StrEnum):
    ALERT = "alert"
    BREAK = "counting break"
    TITLE = "new title"


class Mark(NamedTuple):
    """Something that happened at an instant: an upright rule with a word."""

    at: datetime
    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is to be seen. `threshold` is the number that an alert was about; `zone` None leaves times to the browser's own clock.

    `language` (a Babel locale) is that of numbers and months, and `speak` says the words around them in it.
    """

    title: str
    metric: str
    series: Sequence[Series]
    threshold: int | None = None
    marks: Sequence[Mark] = ()
    zone: ZoneInfo | None = None
    subtitle: str = ""
    language: str = "en"
    speak: Speak = str


class Look(NamedTuple):
    """Colours, as the pages use them."""

    background: str
    text: str
    faint: str
    grid: str
    lines: tuple[str, ...]
    alert: str


LIGHT = Look("#ffffff", "#1f2328", "#59636e", "#e4e7eb", ("#0969da", "#bc4c00", "#8250df", "#1a7f37", "#cf222e", "#9a6700"), "#cf222e")
DARK = Look("#0d1117", "#e6edf3", "#9198a1", "#2a313c", ("#58a6ff", "#f0883e", "#bc8cff", "#3fb950", "#ff7b72", "#d29922"), "#ff7b72")


def specification(chart: Chart, look: Look = LIGHT, *, width: int | str = 640, height: int = 320, columns: int = 2) -> dict[str, Any]:
    """The chart as a Vega-Lite document; `width` may be "container" on a page, and the names below it stand in so many `columns`."""
    layers = [_lines(chart, look, columns)]
    if chart.threshold is not None:
        layers += _threshold(format_decimal(chart.threshold, locale=chart.language), chart.threshold, look)
    if chart.marks:
        layers += _marks(chart, look)
    return {
        "$schema": SCHEMA,
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 14,
        "background": look.background,
        "title": {"text": _short(chart.title), "subtitle": chart.subtitle, "anchor": "start", "offset": 12},
        "layer": layers,
        "config": _config(look) | ({"locale": _locale(chart.language)} if chart.language != "en" else {}),
    }


def human(number: float) -> str:
    """A number as the axis shows it: 1.2M, 500K."""
    for size, written in ((1e9, _BILLIONS), (1e6, _MILLIONS), (1e3, _THOUSANDS)):
        if abs(number) >= size:
            return Phrase(written, n=Decimal(f"{number / size:.4g}"))
    return f"{number:g}"


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most about `most` points that look the same: of every stretch of equal count its first, lowest, highest and last one.

    Peaks, dips and gaps (None) all stay.
    """
    if len(points) <= most:
        return list(points)
    size = -(-len(points) * 4 // most)
    kept: list[Point] = []
    for start in range(0, len(points), size):
        kept += _telling(points[start : start + size])
    return kept


def rates(points: Sequence[Point]) -> list[Point]:
    """The growth per hour between neighbours, at the later one's instant; unknown where the value fell or is not known."""
    found = []
    for (before_at, before), (at, value) in pairwise(points):
        known = before is not None and value is not None and value >= before and at > before_at
        found.append(
            Point(at, (value - before) / ((at - before_at) / HOUR) if known and value is not None and before is not None else None)
        )
    return found


def _telling(stretch: Sequence[Point]) -> list[Point]:
    known = [(point.value, index) for index, point in enumerate(stretch) if point.value is not None]
    unknown = [index for index, point in enumerate(stretch) if point.value is None][:1]
    extremes = [min(known)[1], max(known)[1]] if known else []
    return [stretch[index] for index in sorted({0, len(stretch) - 1, *extremes, *unknown})]


def _rows(chart: Chart) -> list[dict[str, Any]]:
    return [
        {"at": _instant(point.at, chart.zone), "value": point.value, "series": series.name}
        for series in chart.series
        for point in series.points
    ]


def _instant(at: datetime, zone: ZoneInfo | None) -> str:
    """With a zone the wall clock's time there, written as UTC: a picture has no clock of its own."""
    shown = at.astimezone(UTC) if zone is None else at.astimezone(zone).replace(tzinfo=None)
    return f"{shown.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _time_axis(chart: Chart) -> dict[str, Any]:
    utc = "utc" if chart.zone is not None else ""
    # A clock of 24 hours, and days as a number with their month: neither needs a language's AM and PM, nor its weekdays.
    at_midnight = f"{utc}hours(datum.value) == 0 && {utc}minutes(datum.value) == 0"
    label = f"{utc or 'time'}Format"
    text = f"{at_midnight} ? {label}(datum.value, '{chart.speak(Phrase('%-d %b'))}') : {label}(datum.value, '%H:%M')"
    axis: dict[str, Any] = {
        "field": "at",
        "type": "temporal",
        "title": None,
        "axis": {"tickCount": 6, "labelOverlap": True, "labelSeparation": 10, "labelExpr": text},
    }
    if chart.zone is not None:
        axis["scale"] = {"type": "utc"}
    return axis


def _lines(chart: Chart, look: Look, columns: int) -> dict[str, Any]:
    several = len(chart.series) > 1
    axis = {"title": chart.metric, "tickCount": 5, "labelExpr": _human_label(chart.speak), "titleAnchor": "end"}
    return {
        "data": {"values": _rows(chart)},
        "mark": {
            "type": "line",
            "interpolate": "linear",
            "strokeWidth": 2.5,
            "clip": True,
            "point": _few(chart.series),
            "invalid": "break-paths-show-domains",
        },
        "encoding": {
            "x": _time_axis(chart),
            "y": {"field": "value", "type": "quantitative", "scale": {"zero": False, "nice": True}, "axis": axis},
            "color": {
                "field": "series",
                "type": "nominal",
                "sort": None,
                "scale": {"range": list(look.lines)},
                "legend": {"title": None, "orient": "bottom", "labelLimit": 260, "columns": columns} if several else None,
            },
        },
    }


def _human_label(speak: Speak) -> str:
    """Numbers for people: 1.2M and 3B rather than 1,200,000 and 3G."""
    text = "format(datum.value, '~s')"
    for letter, written in (("k", _THOUSANDS), ("M", _MILLIONS), ("G", _BILLIONS)):
        text = f"replace({text}, '{letter}', '{speak(Phrase(written, n=''))}')"
    return text


def _few(series: Iterable[Series]) -> bool:
    """Few readings are shown as what they are."""
    return max((len(one.points) for one in series), default=0) <= 12


def _threshold(written: str, number: int, look: Look) -> list[dict[str, Any]]:
    data = {"values": [{"value": number, "text": written}]}
    y = {"field": "value", "type": "quantitative"}
    text = {"type": "text", "align": "left", "baseline": "bottom", "dx": 4, "dy": -3, "color": look.alert, "fontWeight": 600}
    return [
        {"data": data, "mark": {"type": "rule", "color": look.alert, "strokeDash": [6, 4], "strokeWidth": 1.5}, "encoding": {"y": y}},
        {"data": data, "mark": text, "encoding": {"y": y, "x": {"value": 0}, "text": {"field": "text"}}},
    ]


def _marks(chart: Chart, look: Look) -> list[dict[str, Any]]:
    values = [{"at": _instant(mark.at, chart.zone), "text": _short(mark.text, 24), "kind": mark.kind} for mark in chart.marks]
    x = _time_axis(chart)
    colours = {"domain": list(MarkKind), "range": [look.alert, look.faint, look.lines[2]]}
    colour = {"field": "kind", "type": "nominal", "scale": colours, "legend": None}
    text = {"type": "text", "angle": 270, "align": "right", "baseline": "bottom", "dx": -4, "dy": -2, "fontSize": 11}
    return [
        {"data": {"values": values}, "mark": {"type": "rule", "strokeDash": [2, 3]}, "encoding": {"x": x, "stroke": colour}},
        {"data": {"values": values}, "mark": text, "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "text"}, "fill": colour}},
    ]


def _locale(language: str) -> dict[str, Any]:
    """How the renderer writes numbers and the names of months. It insists on more names than are drawn: those are empty."""
    locale = Locale.parse(language)
    names = locale.months["stand-alone"]
    wide, short = ([names[width][month] for month in range(1, 13)] for width in ("wide", "abbreviated"))
    nothing: dict[str, Any] = {"dateTime": "", "date": "", "time": "", "periods": ["", ""], "days": [""] * 7, "shortDays": [""] * 7}
    decimal, thousands = get_decimal_symbol(locale), get_group_symbol(locale)
    return {
        "number": {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""]},
        "time": {**nothing, "months": wide, "shortMonths": short},
    }


def _short(text: str, longest: int = LONGEST_TITLE) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _config(look: Look) -> dict[str, Any]:
    return {
        "font": FONTS,
        "view": {"stroke": None},
        "title": {"color": look.text, "fontSize": 18, "fontWeight": 600, "subtitleColor": look.faint, "subtitleFontSize": 13},
        "axis": {
            "labelColor": look.faint,
            "titleColor": look.faint,
            "labelFontSize": 13,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "gridColor": look.grid,
            "domain": False,
            "tickColor": look.grid,
        },
        "axisX": {"grid": False},
        "legend": {"labelColor": look.text, "labelFontSize": 13, "symbolStrokeWidth": 3},
    }
