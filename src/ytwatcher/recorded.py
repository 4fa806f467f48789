"""Recorded readings in a file: CSV or JSON lines, plain or gzipped, one row a reading.

Columns: video_id, observed_at, views, likes, comments, favorites, title, channel, channel_id, published_at,
comments_disabled, ratings_disabled (or likes_hidden). Only the first two are needed; an empty field is not known.
An export also has observed_until (the row held until then), raw (JSON: what YouTube said where it is not what was taken as true) and
rows of channels: channel_id without video_id, with subscribers, videos and total_views.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ytwatcher.core.model import BIGGEST, CHANNEL_METRICS, VIDEO_METRICS, Absent, Lane, Metric, Reading, SubjectId, SubjectKind, Value
from ytwatcher.core.targets import is_channel_id, is_video_id
from ytwatcher.errors import InputError

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")
_ABSENT = frozenset(map(str, Absent))
SURPLUS = "has more fields than the first line has columns; a text with a comma in it belongs in quotes"


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is no reading, by its number in the file (the header is row 1 of a CSV file), and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row's number in the file, and its reading; two where it says how long it held."""

    row: int
    readings: tuple[Reading, ...]


def has_surplus(row: Mapping[Any, Any]) -> bool:
    """Whether a row of a `csv.DictReader` has something behind its last column: then nobody knows which field is which."""
    return any(field.strip() for field in row.get(None) or ())


def read(path: Path) -> Iterator[Reading | Refused]:
    """The file's readings of videos in its own order; rows that are none are named with their reason.

    Raises:
        InputError: the file cannot be read or has no such columns.
    """
    for row in read_rows(path):
        if isinstance(row, Refused):
            yield row
        elif row.readings[0].kind is SubjectKind.CHANNEL:
            yield Refused(row.row, "is a reading of a channel, not of a video")
        else:
            yield from row.readings


def read_rows(path: Path) -> Iterator[Row | Refused]:
    """The file's rows in its own order, those of channels as well.

    Raises:
        InputError: the file cannot be read or has no such columns.
    """
    try:
        yield from _rows(path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8 CSV or JSON lines") from error
    except csv.Error as error:
        raise InputError(f"{path}: is not a CSV file: {error}") from error


def _rows(path: Path) -> Iterator[Row | Refused]:
    name = path.name.removesuffix(".gz")
    with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
        if name.endswith((".jsonl", ".ndjson", ".json")):
            rows: Iterable[tuple[int, Any]] = _json_rows(text)
        else:
            reader = csv.DictReader(text)
            missing = [column for column in ("video_id", "observed_at") if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: has no column {' and '.join(missing)}; the first line must name the columns")
            rows = ((reader.line_num, Refused(reader.line_num, SURPLUS) if has_surplus(row) else row) for row in reader)
        for number, row in rows:
            yield row if isinstance(row, Refused) else _reading(number, row)


def _json_rows(text: Iterable[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield number, row if isinstance(row, dict) else Refused(number, "is not a JSON object")


def _reading(number: int, row: Mapping[str, Any]) -> Row | Refused:
    try:
        return Row(number, tuple(_readings(row)))
    except ValueError as error:
        return Refused(number, str(error))


def _readings(row: Mapping[str, Any]) -> Iterator[Reading]:
    parse = _parse_channel if not row.get("video_id") and row.get("channel_id") else _parse_video
    observed_at, until_at = _time(row, "observed_at"), _time(row, "observed_until")
    if observed_at is None:
        raise ValueError("observed_at is empty")
    yield parse(row, observed_at)
    if until_at is not None and until_at < observed_at:
        raise ValueError("observed_until is before observed_at")
    if until_at is not None and until_at != observed_at:
        yield parse(row, until_at)


def _parse_video(row: Mapping[str, Any], observed_at: datetime) -> Reading:
    video_id = str(row.get("video_id") or "")
    if not is_video_id(video_id):
        raise ValueError(f"video_id {video_id[:40]!r} is not the id of a video")
    likes_hidden = _flag(row, "ratings_disabled") or _flag(row, "likes_hidden")
    values: dict[Metric, Value] = {
        Metric.VIEWS: _count(row, "views"),
        Metric.LIKES: Absent.HIDDEN if likes_hidden else _count(row, "likes"),
        Metric.COMMENTS: Absent.DISABLED if _flag(row, "comments_disabled") else _count(row, "comments"),
    }
    if "favorites" in row:
        values[Metric.FAVORITES] = _count(row, "favorites")
    return Reading(
        SubjectId(video_id),
        observed_at,
        Lane.FILE,
        _said(row, values),
        title=_text(row, "title"),
        published_at=_time(row, "published_at"),
        channel_id=_text(row, "channel_id"),
        channel_title=_text(row, "channel") or _text(row, "channel_title"),
    )


def _parse_channel(row: Mapping[str, Any], observed_at: datetime) -> Reading:
    channel_id = str(row["channel_id"])
    if not is_channel_id(channel_id):
        raise ValueError(f"channel_id {channel_id[:40]!r} is not the id of a channel")
    values = {metric: _count(row, metric.replace(" ", "_")) for metric in CHANNEL_METRICS}
    return Reading(SubjectId(channel_id), observed_at, Lane.FILE, _said(row, values), kind=SubjectKind.CHANNEL, title=_text(row, "title"))


def _said(row: Mapping[str, Any], values: dict[Metric, Value]) -> dict[Metric, Value]:
    """The row's numbers, and in place of them what YouTube said where that is something else."""
    text = row.get("raw") or {}
    try:
        said = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        said = None
    known = {str(metric): metric for metric in (VIDEO_METRICS if Metric.VIEWS in values else CHANNEL_METRICS)}
    if not isinstance(said, dict) or not said.keys() <= known.keys():
        raise ValueError(f"raw {str(text)[:40]!r} is not a JSON object of metrics")
    raw = {known[name]: Absent(one) if isinstance(one, str) and one in _ABSENT else _count(said, name) for name, one in said.items()}
    # An export says of every metric that was asked for what the answer was; an empty field was not asked for.
    asked = {m: value for m, value in values.items() if value is not Absent.NOT_RETURNED} if "observed_until" in row else values
    return asked | raw


def _text(row: Mapping[str, Any], name: str) -> str | None:
    """The field as a text that can be stored: JSON may hold half of a surrogate pair, a journal cannot."""
    value = row.get(name)
    return str(value).encode("utf-8", "replace").decode() if value not in (None, "") else None


def _time(row: Mapping[str, Any], name: str) -> datetime | None:
    text = _text(row, name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} {text[:40]!r} is not a time like 2026-01-31T12:00:00Z") from None


def _count(row: Mapping[str, Any], name: str) -> Value:
    text = _text(row, name)
    if text is None:
        return Absent.NOT_RETURNED
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= BIGGEST):
        raise ValueError(f"{name} {text[:40]!r} is not a whole number")
    return int(text)


def _flag(row: Mapping[str, Any], name: str) -> bool:
    text = (_text(row, name) or "").lower()
    if text not in _TRUE and text not in _FALSE:
        raise ValueError(f"{name} {text[:40]!r} is neither true nor false")
    return text in _TRUE
