"""The JSON of the API's resources, part by part: what is there, and what is left out when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ytwatcher.simulator.world import SimChannel, SimEntry, SimPlaylist, SimVideo, World

Json = dict[str, Any]
Parts = Mapping[str, Callable[[], Json | None]]
_SIZES = {"default": (120, 90), "medium": (320, 180), "high": (480, 360)}


def etag(value: object) -> str:
    """An opaque tag of a JSON value."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:27]


def resource(kind: str, resource_id: str, parts: Parts, wanted: frozenset[str]) -> Json:
    """A resource with the wanted parts, those left out that it does not have."""
    made = {name: part for name, make in parts.items() if name in wanted and (part := make()) is not None}
    return {"kind": f"youtube#{kind}", "etag": etag(made), "id": resource_id, **made}


def video(world: World, video: SimVideo, wanted: frozenset[str]) -> Json:
    """A youtube#video."""
    parts: Parts = {
        "snippet": lambda: _video_snippet(world, video),
        "contentDetails": lambda: _video_details(video),
        "status": lambda: {
            "uploadStatus": "processed",
            "privacyStatus": "public",
            "license": "youtube",
            "embeddable": True,
            "publicStatsViewable": True,
            "madeForKids": False,
        },
        "statistics": lambda: statistics(video, favorites=True),
        "liveStreamingDetails": lambda: _live_details(video),
    }
    return resource("video", video.id, parts, wanted)


def video_stats(video: SimVideo, wanted: frozenset[str], *, numbers: bool, documented: bool) -> Json:
    """A youtube#videoStats; `numbers`: counters as JSON numbers, `documented`: with what only the documentation shows."""

    def counters() -> Json | None:
        found = statistics(video, favorites=False)
        return {name: int(count) for name, count in found.items()} if found and numbers else found

    def details() -> Json:
        millis = {"durationMillis": str(video.duration // timedelta(milliseconds=1))} if documented else {}
        return {"duration": duration(video), **millis}

    parts: Parts = {
        "snippet": lambda: {"publishTime": timestamp(video.published_at)},
        "statistics": counters,
        "contentDetails": details,
    }
    return resource("videoStats", video.id, parts, wanted)


def statistics(video: SimVideo, *, favorites: bool) -> Json | None:
    """The counters as strings; what is hidden or turned off is left out."""
    if not video.statistics:
        return None
    counts = {"viewCount": video.views, "likeCount": video.likes, "favoriteCount": 0 if favorites else None, "commentCount": video.comments}
    return {name: str(count) for name, count in counts.items() if count is not None}


def channel(world: World, channel: SimChannel, wanted: frozenset[str]) -> Json:
    """A youtube#channel."""
    parts: Parts = {
        "snippet": lambda: {
            "title": channel.title,
            "description": "",
            **({"customUrl": channel.handle.lower()} if channel.handle else {}),
            "publishedAt": timestamp(channel.published_at),
            "thumbnails": _thumbnails(channel.id, {"default": (88, 88), "medium": (240, 240), "high": (800, 800)}),
            "localized": {"title": channel.title, "description": ""},
        },
        "contentDetails": lambda: {"relatedPlaylists": {"likes": "", "uploads": channel.uploads_id}},
        "statistics": lambda: _channel_statistics(world, channel),
        "status": lambda: {"privacyStatus": "public", "isLinked": True, "longUploadsStatus": "longUploadsUnspecified"},
    }
    return resource("channel", channel.id, parts, wanted)


def _channel_statistics(world: World, channel: SimChannel) -> Json:
    videos = world.uploads(channel.id)
    views = sum(video.views or 0 for video in videos) if channel.total_views is None else channel.total_views
    count = len(videos) if channel.video_count is None else channel.video_count
    hidden = channel.subscribers is None
    return {
        "viewCount": str(views),
        **({} if channel.subscribers is None else {"subscriberCount": str(rounded_down(channel.subscribers))}),
        "hiddenSubscriberCount": hidden,
        "videoCount": str(count),
    }


def rounded_down(count: int) -> int:
    """To three significant figures, as subscribers are shown."""
    unit = int(10 ** max(0, len(str(count)) - 3))
    return count // unit * unit


def playlist(world: World, playlist: SimPlaylist, wanted: frozenset[str]) -> Json:
    """A youtube#playlist."""
    parts: Parts = {
        "snippet": lambda: {
            "publishedAt": timestamp(playlist.published_at),
            "channelId": playlist.channel_id,
            "title": playlist.title,
            "description": "",
            "thumbnails": {},
            "channelTitle": _channel_title(world, playlist.channel_id),
            "localized": {"title": playlist.title, "description": ""},
        },
        "status": lambda: {"privacyStatus": "public"},
        "contentDetails": lambda: {"itemCount": len(playlist.entries)},
    }
    return resource("playlist", playlist.id, parts, wanted)


def playlist_item(world: World, playlist: SimPlaylist, position: int, entry: SimEntry, wanted: frozenset[str]) -> Json:
    """A youtube#playlistItem; of a dead video only the shell is left."""
    alive = world.public_video(entry.video_id)
    dead = world.videos.get(entry.video_id)
    private = dead is not None and dead.state == "private"
    published = {"videoPublishedAt": timestamp(alive.published_at)} if alive else {}
    parts: Parts = {
        "snippet": lambda: {
            "publishedAt": timestamp(entry.added_at),
            "channelId": playlist.channel_id,
            **(_alive(world, alive) if alive else _dead(private=private)),
            "channelTitle": _channel_title(world, playlist.channel_id),
            "playlistId": playlist.id,
            "position": position,
            "resourceId": {"kind": "youtube#video", "videoId": entry.video_id},
        },
        "contentDetails": lambda: {"videoId": entry.video_id, **published},
        "status": lambda: {"privacyStatus": "public" if alive else "private" if private else "privacyStatusUnspecified"},
    }
    return resource("playlistItem", entry.id, parts, wanted)


def _alive(world: World, video: SimVideo) -> Json:
    return {
        "title": video.title,
        "description": video.description,
        "thumbnails": _thumbnails(video.id, _SIZES) if video.thumbnails else {},
        "videoOwnerChannelTitle": _channel_title(world, video.channel_id),
        "videoOwnerChannelId": video.channel_id,
    }


def _dead(*, private: bool) -> Json:
    title, description = ("Private video", "This video is private.") if private else ("Deleted video", "This video is unavailable.")
    return {"title": title, "description": description, "thumbnails": {}}


def _video_snippet(world: World, video: SimVideo) -> Json:
    return {
        "publishedAt": timestamp(video.published_at),
        "channelId": video.channel_id,
        "title": video.title,
        "description": video.description,
        "thumbnails": _thumbnails(video.id, _SIZES) if video.thumbnails else {},
        "channelTitle": _channel_title(world, video.channel_id),
        "categoryId": "22",
        "liveBroadcastContent": video.live,
        "localized": {"title": video.title, "description": video.description},
    }


def _video_details(video: SimVideo) -> Json:
    return {
        "duration": duration(video),
        "dimension": "2d",
        "definition": "hd",
        "caption": "false",
        "licensedContent": False,
        "contentRating": {},
        "projection": "rectangular",
    }


def _live_details(video: SimVideo) -> Json | None:
    times = {
        "scheduledStartTime": video.scheduled_start_at,
        "actualStartTime": video.actual_start_at,
        "actualEndTime": video.actual_end_at,
    }
    details: Json = {name: timestamp(at) for name, at in times.items() if at is not None}
    if video.live == "live" and video.viewers:
        details["concurrentViewers"] = str(video.viewers)
    return details or None


def duration(video: SimVideo) -> str:
    """ISO 8601; `P0D` for what is live or still to come."""
    if video.live in ("live", "upcoming"):
        return "P0D"
    days, rest = divmod(int(video.duration.total_seconds()), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    units = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    time = "".join(f"{n}{unit}" for n, unit in units if n) or ("" if days else "0S")
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def _thumbnails(key: str, sizes: Mapping[str, tuple[int, int]]) -> Json:
    return {name: {"url": f"https://i.ytimg.com/vi/{key}/{name}.jpg", "width": w, "height": h} for name, (w, h) in sizes.items()}


def _channel_title(world: World, channel_id: str) -> str:
    known = world.public_channel(channel_id)
    return known.title if known else ""
