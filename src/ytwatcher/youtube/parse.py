"""YouTube's JSON as values. Nothing that is not an answer ever becomes a value: what cannot be read is a fault or `not returned`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ytwatcher.core.model import (
    BIGGEST,
    Absent,
    ChannelId,
    Entry,
    Lane,
    Metric,
    PlaylistId,
    Reading,
    SubjectId,
    SubjectKind,
    Value,
    VideoId,
)
from ytwatcher.core.phrases import Phrase
from ytwatcher.youtube.faults import malformed

Json = Mapping[str, Any]
"""A JSON object whose members have yet to be looked at."""


@dataclass(frozen=True, slots=True)
class VideoItem:
    """One video of an answer. What the method does not carry is None; `live` is `none`, `upcoming` or `live`."""

    id: VideoId
    values: Mapping[Metric, Value]
    title: str | None = None
    published_at: datetime | None = None
    channel_id: ChannelId | None = None
    channel_title: str | None = None
    live: str | None = None
    description: str | None = None

    def reading(self, observed_at: datetime, lane: Lane) -> Reading:
        return Reading(
            SubjectId(self.id),
            observed_at,
            lane,
            self.values,
            title=self.title,
            published_at=self.published_at,
            channel_id=self.channel_id,
            channel_title=self.channel_title,
            live=self.live,
            description=self.description,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of the videos asked for, and the ids that are not in it, in the order asked."""

    items: Mapping[VideoId, VideoItem]
    missing: tuple[VideoId, ...]


@dataclass(frozen=True, slots=True)
class ChannelItem:
    """One channel; `handle` with its @, `uploads` the list of its public videos, newest first."""

    id: ChannelId
    values: Mapping[Metric, Value]
    title: str | None = None
    handle: str | None = None
    published_at: datetime | None = None
    uploads: PlaylistId | None = None

    def reading(self, observed_at: datetime, lane: Lane) -> Reading:
        return Reading(
            SubjectId(self.id),
            observed_at,
            lane,
            self.values,
            SubjectKind.CHANNEL,
            title=self.title,
            published_at=self.published_at,
            channel_id=self.id,
            channel_title=self.title,
        )


@dataclass(frozen=True, slots=True)
class PlaylistItem:
    """One playlist; `size` is the number of its entries."""

    id: PlaylistId
    title: str | None = None
    channel_id: ChannelId | None = None
    channel_title: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a playlist's entries; `next_token` is None on the last one."""

    entries: tuple[Entry, ...]
    next_token: str | None


def decode(body: bytes, kind: str) -> Json:
    """The JSON object of the expected kind.

    Raises:
        YouTubeError: malformed; the body is empty, cut off, HTML, or another object.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        raise malformed(Phrase("it is not JSON") if body else Phrase("it is empty")) from None
    if not isinstance(parsed, dict) or parsed.get("kind") != kind:
        raise malformed(Phrase("it is not a {kind}", kind=kind))
    return parsed


def items(answer: Json) -> tuple[Json, ...]:
    """The answer's items, none where the key is left out (as an answer about an unknown channel does).

    Raises:
        YouTubeError: malformed; an item that cannot be told apart could be any of those asked for.
    """
    found = answer.get("items", [])
    if not isinstance(found, list) or not all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in found):
        raise malformed(Phrase("its items are not a list of objects with an id"))
    return tuple(found)


def stats_answer(answer: Json, asked: Sequence[VideoId]) -> Answer:
    """The answer of videos.batchGetStats. Its `summary` is ignored: it is documented, but seldom there."""
    return _answer(answer, asked, _stats_item)


def videos_answer(answer: Json, asked: Sequence[VideoId]) -> Answer:
    """The answer of videos.list."""
    return _answer(answer, asked, _video_item)


def channels_answer(answer: Json) -> tuple[ChannelItem, ...]:
    """The answer of channels.list."""
    return tuple(_channel_item(item) for item in _first_of_each(items(answer)))


def playlists_answer(answer: Json) -> tuple[PlaylistItem, ...]:
    """The answer of playlists.list."""
    return tuple(_playlist_item(item) for item in _first_of_each(items(answer)))


def page(answer: Json) -> Page:
    """The answer of playlistItems.list.

    Here a missing `items` is no empty page: taken for one, a whole list would be believed gone.
    """
    if "items" not in answer:
        raise malformed(Phrase("a page without items"))
    token = answer.get("nextPageToken")
    return Page(tuple(_entry(item) for item in items(answer)), token if isinstance(token, str) and token else None)


def _answer(answer: Json, asked: Sequence[VideoId], parse: Callable[[Json], VideoItem]) -> Answer:
    wanted = dict.fromkeys(asked)
    found = {item["id"]: parse(item) for item in _first_of_each(items(answer)) if item["id"] in wanted}
    return Answer(found, tuple(video for video in wanted if video not in found))


def _first_of_each(found: Sequence[Json]) -> Iterator[Json]:
    seen: set[str] = set()
    for item in found:
        if item["id"] not in seen:
            seen.add(item["id"])
            yield item


def _stats_item(item: Json) -> VideoItem:
    published_at = _time(_object(item, "snippet").get("publishTime"))  # not publishedAt, as everywhere else
    return VideoItem(VideoId(item["id"]), _video_values(_object(item, "statistics")), published_at=published_at)


def _video_item(item: Json) -> VideoItem:
    snippet, statistics = _object(item, "snippet"), _object(item, "statistics")
    channel_id = _text(snippet.get("channelId"))
    return VideoItem(
        VideoId(item["id"]),
        {**_video_values(statistics), Metric.FAVORITES: _count(statistics.get("favoriteCount"))},
        _text(snippet.get("title")),
        _time(snippet.get("publishedAt")),
        ChannelId(channel_id) if channel_id else None,
        _text(snippet.get("channelTitle")),
        _text(snippet.get("liveBroadcastContent")),
        _storable(snippet.get("description")),
    )


def _video_values(statistics: Json) -> dict[Metric, Value]:
    """Likes or comments that are left out while the views are there were hidden or turned off by the owner."""
    views = _count(statistics.get("viewCount"))
    counted = isinstance(views, int)
    return {
        Metric.VIEWS: views,
        Metric.LIKES: _count_or(statistics, "likeCount", Absent.HIDDEN if counted else Absent.NOT_RETURNED),
        Metric.COMMENTS: _count_or(statistics, "commentCount", Absent.DISABLED if counted else Absent.NOT_RETURNED),
    }


def _channel_item(item: Json) -> ChannelItem:
    snippet, statistics = _object(item, "snippet"), _object(item, "statistics")
    hidden = statistics.get("hiddenSubscriberCount") is True
    uploads = _text(_object(_object(item, "contentDetails"), "relatedPlaylists").get("uploads"))
    values = {
        Metric.SUBSCRIBERS: Absent.HIDDEN if hidden else _count(statistics.get("subscriberCount")),
        Metric.VIDEOS: _count(statistics.get("videoCount")),
        Metric.TOTAL_VIEWS: _count(statistics.get("viewCount")),
    }
    return ChannelItem(
        ChannelId(item["id"]),
        values,
        _text(snippet.get("title")),
        _text(snippet.get("customUrl")),
        _time(snippet.get("publishedAt")),
        PlaylistId(uploads) if uploads else None,
    )


def _playlist_item(item: Json) -> PlaylistItem:
    snippet = _object(item, "snippet")
    size = _count(_object(item, "contentDetails").get("itemCount"))
    channel_id = _text(snippet.get("channelId"))
    return PlaylistItem(
        PlaylistId(item["id"]),
        _text(snippet.get("title")),
        ChannelId(channel_id) if channel_id else None,
        _text(snippet.get("channelTitle")),
        size if isinstance(size, int) else None,
    )


def _entry(item: Json) -> Entry:
    """An entry of a list. Titles like "Deleted video" prove nothing; the missing owner does."""
    snippet = _object(item, "snippet")
    video_id = _object(snippet, "resourceId").get("videoId")
    if not isinstance(video_id, str):
        raise malformed(Phrase("a playlist entry without its video's id"))
    return Entry(
        VideoId(video_id), _time(snippet.get("publishedAt")), _text(snippet.get("title")), dead="videoOwnerChannelId" not in snippet
    )


def _count_or(statistics: Json, key: str, absent: Absent) -> Value:
    return _count(statistics[key]) if key in statistics else absent


def _count(raw: object) -> Value:
    """A counter, told as a string or as a number; anything else is `not returned`."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 19:
        raw = int(raw)
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= BIGGEST:
        return raw
    return Absent.NOT_RETURNED


def _object(parent: Json, key: str) -> Json:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(raw: object) -> str | None:
    """A text with something in it."""
    return _storable(raw) or None


def _storable(raw: object) -> str | None:
    """A text, maybe an empty one, that can be stored: JSON may hold half of a surrogate pair, a file cannot."""
    return raw.encode("utf-8", "replace").decode() if isinstance(raw, str) else None


def _time(raw: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(raw) if isinstance(raw, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
