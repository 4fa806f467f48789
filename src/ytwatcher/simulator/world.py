"""The true state of the simulated YouTube: what the double of its API is asked about.

Objects are plain and mutable: a test sets `video.views = 999` and the next answer says so. What shall happen later
is put on the world's agenda (`at`, `every`). Time comes only from the `now` given at construction.
"""

from __future__ import annotations

import heapq
import itertools
import random
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from ytwatcher.core.model import ChannelId, PlaylistId, VideoId
from ytwatcher.simulator.growth import STEP, Counters, Growth

Now = Callable[[], datetime]
Live = Literal["none", "upcoming", "live", "completed"]
VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]")
CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{21}[AQgw]")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
WITNESSES = (VideoId("jNQXAC9IVRw"), VideoId("dQw4w9WgXcQ"))
"""Two old videos of two channels that are always there."""


def _letters(n: int, length: int) -> str:
    return "".join(ALPHABET[n >> 6 * place & 63] for place in reversed(range(length)))


def make_video_id(n: int) -> VideoId:
    """The n-th invented video id, of the form that real ones have."""
    return VideoId("Sim" + _letters(n >> 4, 7) + "AEIMQUYcgkosw048"[n & 15])


def make_channel_id(n: int) -> ChannelId:
    """The n-th invented channel id, of the form that real ones have."""
    return ChannelId("UCSimulator" + _letters(n >> 2, 12) + "AQgw"[n & 3])


def make_playlist_id(n: int) -> PlaylistId:
    """The n-th invented playlist id, of the form that real ones have."""
    return PlaylistId("PLSimulatedList" + _letters(n, 19))


@dataclass(slots=True)
class SimVideo:
    """A video. `likes` None: hidden by the owner; `comments` None: turned off; `views` None: viewCount is not returned.

    `state` is "public", "private" or "deleted"; `statistics` False leaves the whole object out, as was seen once.
    """

    id: VideoId
    title: str
    channel_id: ChannelId
    published_at: datetime
    views: int | None = 0
    likes: int | None = 0
    comments: int | None = 0
    live: Live = "none"
    state: Literal["public", "private", "deleted"] = "public"
    duration: timedelta = timedelta(minutes=3, seconds=33)
    description: str = ""
    thumbnails: bool = True
    statistics: bool = True
    scheduled_start_at: datetime | None = None
    actual_start_at: datetime | None = None
    actual_end_at: datetime | None = None
    viewers: int | None = None
    growth: Growth | None = None
    grown_at: datetime | None = None

    @property
    def phase(self) -> timedelta:
        """Not every counter moves at the same instant: when, within the 5 minutes, this one does."""
        return timedelta(seconds=zlib.crc32(self.id.encode()) % 300)

    def grow(self, until: datetime) -> None:
        """Take the steps of growth that end by `until`; growth begins at the first call."""
        if self.growth is None:
            return
        if self.grown_at is None:
            steps = (until - self.phase).timestamp() // STEP.total_seconds()
            self.grown_at = datetime.fromtimestamp(steps * STEP.total_seconds(), UTC) + self.phase
        while (at := self.grown_at + STEP) <= until:
            before = Counters(self.views or 0, self.likes, self.comments)
            self.views, self.likes, self.comments = self.growth.step(before, self.id, at - self.published_at, at)
            self.grown_at = at

    def start_live(self, at: datetime, viewers: int | None = None) -> None:
        """The broadcast or premiere begins."""
        self.live, self.actual_start_at, self.viewers = "live", at, viewers
        if self.growth is not None:
            self.growth.waiting = False

    def end_live(self, at: datetime) -> None:
        """The broadcast or premiere is over; from now on it is a video like others."""
        self.live, self.actual_end_at, self.viewers = "none", at, None


@dataclass(slots=True)
class SimChannel:
    """A channel. `subscribers` None: hidden. `total_views` and `video_count` None: what its public videos add up to."""

    id: ChannelId
    title: str
    published_at: datetime
    handle: str | None = None
    username: str | None = None
    subscribers: int | None = 1000
    total_views: int | None = None
    video_count: int | None = None
    state: Literal["public", "terminated"] = "public"

    @property
    def uploads_id(self) -> PlaylistId:
        return PlaylistId("UU" + self.id[2:])


@dataclass(slots=True)
class SimEntry:
    """One entry of a playlist, with an id of its own; it outlives its video."""

    id: str
    video_id: VideoId
    added_at: datetime


@dataclass(slots=True)
class SimPlaylist:
    """An ordinary playlist. `state`: "private" answers 404, "closed" 403 playlistItemsNotAccessible."""

    id: PlaylistId
    title: str
    channel_id: ChannelId
    published_at: datetime
    now: Now = field(repr=False)
    entries: list[SimEntry] = field(default_factory=list)
    state: Literal["public", "private", "closed"] = "public"

    def add(self, video_id: str, at: datetime | None = None, *, position: int | None = None) -> SimEntry:
        """Add a video, at the end unless a position is given; `at`: when it was added (None: now)."""
        entry = SimEntry(entry_id(self.id, f"{video_id}.{len(self.entries)}"), VideoId(video_id), at or self.now())
        self.entries.insert(len(self.entries) if position is None else position, entry)
        return entry

    def remove(self, video_id: str) -> None:
        """Take every entry of a video out."""
        self.entries = [entry for entry in self.entries if entry.video_id != video_id]


def entry_id(playlist_id: str, key: str) -> str:
    """An id as playlist entries have them: long, opaque, stable."""
    return "UE" + "".join(f"{zlib.crc32(f'{n}{playlist_id}{key}'.encode()):08X}" for n in range(4))


class World:
    """Videos, channels and playlists, and what is going to happen to them.

    Args:
        now: the present instant, aware UTC; it never goes back.
        seed: another seed, other noise and another order of items.
    """

    def __init__(self, now: Now, *, seed: int = 1) -> None:
        self.now = now
        self.seed = seed
        self.videos: dict[VideoId, SimVideo] = {}
        self.channels: dict[ChannelId, SimChannel] = {}
        self.playlists: dict[PlaylistId, SimPlaylist] = {}
        self.rng = random.Random(seed)  # noqa: S311 - a simulation, nothing secret
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._numbers = itertools.count()
        self._add_witnesses()

    def _add_witnesses(self) -> None:
        old = datetime(2005, 4, 24, tzinfo=UTC)
        for video_id, channel_id, views, title in (
            (WITNESSES[0], "UC4QobU6STFB0P71PMvOGN5A", 380_000_000, "An afternoon at the zoo"),
            (WITNESSES[1], "UCuAXFkgsw1L7xaCfnd5JJOw", 1_700_000_000, "The song that everybody knows"),
        ):
            self.add_channel(channel_id, f"The home of “{title}”", published_at=old)
            self.add_video(
                video_id, title=title, channel_id=channel_id, published_at=old, views=views, likes=views // 100, comments=views // 1000
            )

    def add_channel(
        self,
        channel_id: str,
        title: str = "A channel",
        *,
        handle: str | None = None,
        username: str | None = None,
        subscribers: int | None = 1000,
        published_at: datetime | None = None,
    ) -> SimChannel:
        """Add a channel; `handle` with its @.

        Raises:
            ValueError: an id that no channel could have.
        """
        if not CHANNEL_ID.fullmatch(channel_id):
            raise ValueError(f"{channel_id!r} is not a channel id; make_channel_id(n) makes one")
        channel = SimChannel(ChannelId(channel_id), title, published_at or self.now(), handle, username, subscribers)
        self.channels[channel.id] = channel
        return channel

    def add_video(
        self,
        video_id: str,
        *,
        views: int | None = 0,
        likes: int | None = 0,
        comments: int | None = 0,
        title: str = "A video",
        channel_id: str | None = None,
        published_at: datetime | None = None,
        live: Live = "none",
        growth: Growth | None = None,
    ) -> SimVideo:
        """Add a video; without `published_at` it was published this instant, without `channel_id` on a channel of its own kind.

        Raises:
            ValueError: an id that no video could have, or a channel that was not added.
        """
        if not VIDEO_ID.fullmatch(video_id):
            raise ValueError(f"{video_id!r} is not a video id; make_video_id(n) makes one")
        owner = ChannelId(channel_id) if channel_id else make_channel_id(0)
        if channel_id is None and owner not in self.channels:
            self.add_channel(owner, "The simulator’s own channel")
        if owner not in self.channels:
            raise ValueError(f"add the channel {owner} first")
        now = self.now()
        video = SimVideo(VideoId(video_id), title, owner, published_at or now, views, likes, comments, live, growth=growth)
        video.grow(now)
        self.videos[video.id] = video
        return video

    def add_playlist(
        self, playlist_id: str, title: str = "A playlist", channel_id: str | None = None, video_ids: Iterable[str] = ()
    ) -> SimPlaylist:
        """Add an ordinary playlist; its entries are added this instant. Uploads playlists are there by themselves."""
        owner = ChannelId(channel_id) if channel_id else make_channel_id(0)
        if owner not in self.channels:
            self.add_channel(owner, "The simulator’s own channel")
        playlist = SimPlaylist(PlaylistId(playlist_id), title, owner, self.now(), self.now)
        for video_id in video_ids:
            playlist.add(video_id)
        self.playlists[playlist.id] = playlist
        return playlist

    def at(self, when: datetime, change: Callable[[datetime], None]) -> None:
        """Let `change(when)` happen at `when`."""
        heapq.heappush(self._agenda, (when, next(self._numbers), change))

    def every(self, period: timedelta, change: Callable[[datetime], None]) -> None:
        """Let `change` happen again and again, first after one `period`."""

        def again(when: datetime) -> None:
            change(when)
            self.at(when + period, again)

        self.at(self.now() + period, again)

    def advance(self) -> None:
        """Bring everything to the present instant: the double does so before it answers."""
        now = self.now()
        while self._agenda and self._agenda[0][0] <= now:
            when, _, change = heapq.heappop(self._agenda)
            self._grow(when)
            change(when)
        self._grow(now)

    def public_video(self, video_id: str) -> SimVideo | None:
        """The video, if a stranger with an API key can see it."""
        video = self.videos.get(VideoId(video_id))
        return video if video and video.state == "public" else None

    def public_channel(self, channel_id: str) -> SimChannel | None:
        """The channel, if it exists and is not terminated."""
        channel = self.channels.get(ChannelId(channel_id))
        return channel if channel and channel.state == "public" else None

    def uploads(self, channel_id: str) -> list[SimVideo]:
        """A channel's public videos, newest first."""
        mine = [video for video in self.videos.values() if video.channel_id == channel_id and video.state == "public"]
        return sorted(mine, key=lambda video: video.published_at, reverse=True)

    def visible_playlist(self, playlist_id: str) -> SimPlaylist | None:
        """A playlist as a stranger sees it: an ordinary one with its dead entries, an uploads playlist without them."""
        if not playlist_id.startswith("UU"):
            playlist = self.playlists.get(PlaylistId(playlist_id))
            return playlist if playlist and playlist.state != "private" else None
        channel = self.public_channel("UC" + playlist_id[2:])
        if channel is None:
            return None
        entries = [SimEntry(entry_id(playlist_id, video.id), video.id, video.published_at) for video in self.uploads(channel.id)]
        title = f"Uploads from {channel.title}"
        return SimPlaylist(PlaylistId(playlist_id), title, channel.id, channel.published_at, self.now, entries)

    def _grow(self, until: datetime) -> None:
        for video in self.videos.values():
            video.grow(until)
