"""What a text names: a link, an id or a handle, looked up at YouTube."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ytwatcher.core.model import ChannelId, Metric, TargetKind, Value
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.quota import Bucket, Share
from ytwatcher.core.targets import ChannelRef, CustomRef, HandleRef, PlaylistRef, TargetRef, UserRef, VideoRef, target_url, uploads_playlist
from ytwatcher.errors import TargetError
from ytwatcher.reader import Reader
from ytwatcher.youtube.parse import ChannelItem


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a text names, as YouTube knows it."""

    id: str
    kind: TargetKind
    title: str | None
    list_id: str | None
    newest_first: bool
    also_playlist: str | None = None
    published_at: datetime | None = None
    handle: str | None = None
    numbers: Mapping[Metric, Value] = field(default_factory=dict)
    """What YouTube says of the video or channel itself now."""
    size: int | None = None
    """How many entries a playlist has."""

    @property
    def url(self) -> str:
        return target_url(self.id, self.kind)


async def resolve(reader: Reader, ref: TargetRef) -> Resolved:
    """Look up what a text names; one unit of the default bucket (two for a /c/ link).

    Raises:
        TargetError: YouTube does not know it, or shows it to nobody.
        YouTubeError: it could not be asked.
    """
    if isinstance(ref, VideoRef):
        return await _video(reader, ref)
    if isinstance(ref, PlaylistRef):
        return await _playlist(reader, ref)
    return await _channel(reader, ref)


async def _video(reader: Reader, ref: VideoRef) -> Resolved:
    answer = await reader.ask(Bucket.DEFAULT, Share.COMMANDS, lambda: reader.client.videos([ref.id]))
    item = answer.items.get(ref.id)
    if item is None:
        raise TargetError("YouTube has no public video {id}: it is private, deleted or was never there ({url})", id=ref.id, url=ref.url)
    return Resolved(ref.id, TargetKind.VIDEO, item.title, None, False, ref.also_playlist, item.published_at, numbers=item.values)


async def _playlist(reader: Reader, ref: PlaylistRef) -> Resolved:
    found = await reader.ask(Bucket.DEFAULT, Share.COMMANDS, lambda: reader.client.playlists([ref.id]))
    if not found:
        raise TargetError("YouTube has no public playlist {id}: it is private, deleted or was never there ({url})", id=ref.id, url=ref.url)
    return Resolved(ref.id, TargetKind.PLAYLIST, found[0].title, ref.id, ref.is_uploads, size=found[0].size)


async def _channel(reader: Reader, ref: ChannelRef | HandleRef | UserRef | CustomRef) -> Resolved:
    channel = None
    for arguments in _channel_questions(ref):
        found = await _ask_channel(reader, arguments)
        if found:
            channel = found[0]
            break
    if channel is None:
        if isinstance(ref, CustomRef):
            hint = Phrase("a /c/ name cannot be looked up: open the page and use its @handle")
            raise TargetError("YouTube has no channel at {url}; {hint}", url=ref.url, hint=hint)
        raise TargetError("YouTube has no channel at {url}", url=ref.url)
    uploads = channel.uploads or uploads_playlist(channel.id)
    handle = ref.handle if isinstance(ref, HandleRef) else None
    if channel.handle and channel.handle.startswith("@"):  # a channel from before there were handles may have a name without it
        handle = channel.handle
    made_at, numbers = channel.published_at, channel.values
    return Resolved(channel.id, TargetKind.CHANNEL, channel.title, uploads, True, published_at=made_at, handle=handle, numbers=numbers)


async def _ask_channel(reader: Reader, arguments: dict[str, str]) -> tuple[ChannelItem, ...]:
    client = reader.client

    def call() -> Awaitable[tuple[ChannelItem, ...]]:
        if "id" in arguments:
            return client.channels(ids=[ChannelId(arguments["id"])])
        return client.channels(handle=arguments.get("handle"), username=arguments.get("username"))

    return await reader.ask(Bucket.DEFAULT, Share.COMMANDS, call)


def _channel_questions(ref: ChannelRef | HandleRef | UserRef | CustomRef) -> list[dict[str, str]]:
    """How to ask for a channel, the likeliest first: a custom name is often the handle or the old user name, too."""
    if isinstance(ref, ChannelRef):
        return [{"id": ref.id}]
    if isinstance(ref, HandleRef):
        return [{"handle": ref.handle}]
    if isinstance(ref, UserRef):
        return [{"username": ref.name}]
    return [{"handle": f"@{ref.name}"}, {"username": ref.name}]
