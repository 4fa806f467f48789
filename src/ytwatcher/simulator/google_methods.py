"""The five methods of the YouTube Data API that the double has: what each accepts, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from ytwatcher.simulator import google_errors as errors
from ytwatcher.simulator import resources
from ytwatcher.simulator.google_query import Query
from ytwatcher.simulator.resources import Json
from ytwatcher.simulator.world import SimPlaylist, World


class Thing(NamedTuple):
    """Something found: its id and how it is shown with the wanted parts."""

    id: str
    show: Callable[[frozenset[str]], Json]


class Found(NamedTuple):
    """What a filter found. `list_key` names a list, which has an order and pages; None: an answer by ids.

    `whole`: everything is in the one answer, whatever maxResults says.
    """

    things: list[Thing]
    list_key: str | None = None
    whole: bool = False


@dataclass(slots=True)
class StatsForm:
    """What is not settled about videos.batchGetStats: whether it is there, and the forms of its answer.

    Args:
        available: False: the method answers 404.
        summary: with `summary` and `durationMillis`, which only the documentation shows.
        numbers: counters as JSON numbers instead of strings.
    """

    available: bool = True
    summary: bool = False
    numbers: bool = False


Find = Callable[[World, Query, str, StatsForm], Found]
"""Finds what a call asks for: by its query and the filter that it uses."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its name, path, the kind of its answer, its bucket and what it accepts."""

    name: str
    path: str
    kind: str
    bucket: str
    find: Find
    parts: frozenset[str]
    filters: tuple[str, ...]
    others: frozenset[str]
    owners_parts: frozenset[str] = frozenset()
    least_results: int = 0
    no_items_key: bool = False


def _videos(world: World, query: Query, _: str, __: StatsForm) -> Found:
    found = [video for one in query.ids() if (video := world.public_video(one))]
    return Found([Thing(video.id, partial(resources.video, world, video)) for video in found], whole=True)


def _stats(world: World, query: Query, _: str, form: StatsForm) -> Found:
    found = [video for one in query.ids() if (video := world.public_video(one))]
    show = partial(resources.video_stats, numbers=form.numbers, documented=form.summary)
    return Found([Thing(video.id, partial(show, video)) for video in found], whole=True)


def _channels(world: World, query: Query, used: str, _: StatsForm) -> Found:
    asked = query.one(used).lower()
    everyone = [channel for channel in world.channels.values() if channel.state == "public"]
    if used == "id":
        found = [channel for one in query.ids() if (channel := world.public_channel(one))]
    elif used == "forHandle":
        found = [channel for channel in everyone if channel.handle and channel.handle.lower().lstrip("@") == asked.lstrip("@")]
    else:
        found = [channel for channel in everyone if channel.username and channel.username.lower() == asked]
    return Found([Thing(channel.id, partial(resources.channel, world, channel)) for channel in found])


def _playlists(world: World, query: Query, used: str, _: StatsForm) -> Found:
    if used == "id":
        found = [playlist for one in query.ids() if (playlist := world.visible_playlist(one))]
    else:
        found = [
            playlist for playlist in world.playlists.values() if playlist.channel_id == query.one(used) and playlist.state != "private"
        ]
    things = [Thing(playlist.id, partial(resources.playlist, world, playlist)) for playlist in found]
    return Found(things, None if used == "id" else f"channel {query.one(used)}")


def _playlist_items(world: World, query: Query, used: str, _: StatsForm) -> Found:
    if used == "id":
        asked = set(query.ids())
        shown = [playlist for playlist in world.playlists.values() if playlist.state == "public"]
        things = [thing for playlist in shown for thing in _entries(world, playlist) if thing.id in asked]
        return Found(things)
    playlist_id = query.one("playlistId")
    if playlist_id in ("WL", "HL"):
        raise errors.items_not_accessible("watchLaterNotAccessible" if playlist_id == "WL" else "watchHistoryNotAccessible")
    playlist = world.visible_playlist(playlist_id)
    if playlist is None:
        raise errors.playlist_not_found()
    if playlist.state == "closed":
        raise errors.items_not_accessible()
    return Found(_entries(world, playlist, query.one("videoId")), f"playlist {playlist_id}")


def _entries(world: World, playlist: SimPlaylist, video_id: str = "") -> list[Thing]:
    return [
        Thing(entry.id, partial(resources.playlist_item, world, playlist, position, entry))
        for position, entry in enumerate(playlist.entries)
        if video_id in ("", entry.video_id)
    ]


METHODS = (
    Method(
        "videos.list",
        "videos",
        "youtube#videoListResponse",
        "default",
        _videos,
        frozenset(
            [
                "contentDetails",
                "liveStreamingDetails",
                "localizations",
                "monetizationDetails",
                "paidProductPlacementDetails",
                "player",
                "recordingDetails",
                "snippet",
                "statistics",
                "status",
                "topicDetails",
                "ageGating",
                "brandPartner",
            ]
        ),
        ("myRating", "id", "chart"),
        frozenset({"locale", "maxHeight", "maxResults", "maxWidth", "pageToken", "regionCode", "videoCategoryId"}),
        frozenset({"fileDetails", "processingDetails", "suggestions"}),
        1,
    ),
    Method(
        "videos.batchGetStats",
        "videos:batchGetStats",
        "youtube#batchGetStatsResponse",
        "batchGetStats",
        _stats,
        frozenset({"snippet", "statistics", "contentDetails"}),
        ("id",),
        frozenset(),
    ),
    Method(
        "channels.list",
        "channels",
        "youtube#channelListResponse",
        "default",
        _channels,
        frozenset(
            [
                "brandingSettings",
                "contentDetails",
                "contentOwnerDetails",
                "localizations",
                "snippet",
                "statistics",
                "status",
                "topicDetails",
            ]
        ),
        ("id", "forHandle", "forUsername", "mine", "managedByMe", "mySubscribers"),
        frozenset({"maxResults", "pageToken"}),
        frozenset({"auditDetails"}),
        no_items_key=True,
    ),
    Method(
        "playlists.list",
        "playlists",
        "youtube#playlistListResponse",
        "default",
        _playlists,
        frozenset(["contentDetails", "localizations", "player", "snippet", "status"]),
        ("id", "channelId", "mine"),
        frozenset({"maxResults", "pageToken"}),
    ),
    Method(
        "playlistItems.list",
        "playlistItems",
        "youtube#playlistItemListResponse",
        "default",
        _playlist_items,
        frozenset(["contentDetails", "snippet", "status"]),
        ("id", "playlistId"),
        frozenset({"maxResults", "pageToken", "videoId"}),
    ),
)
