"""The five reading methods of the YouTube Data API that are used, over one HTTP client.

Every method here costs one unit of its bucket a call, whatever it asks for; who may call when is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Literal, NamedTuple, Self
from urllib.parse import quote

import httpx

from ytwatcher import __version__
from ytwatcher.core.model import ChannelId, PlaylistId, VideoId
from ytwatcher.core.quota import Bucket
from ytwatcher.core.targets import is_channel_id, is_playlist_id, is_video_id
from ytwatcher.errors import InputError
from ytwatcher.tls import trusted
from ytwatcher.youtube import parse
from ytwatcher.youtube.faults import classify, unanswered
from ytwatcher.youtube.parse import Answer, ChannelItem, Json, Page, PlaylistItem

MAX_IDS = 50

_KEY = re.compile(r"[!-~]+")


class Method(NamedTuple):
    """One method: its path below the base, the kind of its answer, what is asked of it, and the bucket it draws on."""

    name: str
    path: str
    kind: str
    part: str
    fields: str
    bucket: Bucket


class Raw(NamedTuple):
    """An answer as it came; the names of `headers` in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


BATCH_STATS = Method(
    "videos.batchGetStats",
    "videos:batchGetStats",
    "youtube#batchGetStatsResponse",
    "id,snippet,statistics",
    "kind,items(id,snippet(publishTime),statistics(viewCount,likeCount,commentCount))",
    Bucket.STATS,
)
VIDEOS = Method(
    "videos.list",
    "videos",
    "youtube#videoListResponse",
    "id,snippet,statistics",
    "kind,items(id,snippet(title,description,publishedAt,channelId,channelTitle,liveBroadcastContent),"
    "statistics(viewCount,likeCount,favoriteCount,commentCount))",
    Bucket.DEFAULT,
)
CHANNELS = Method(
    "channels.list",
    "channels",
    "youtube#channelListResponse",
    "id,snippet,statistics,contentDetails",
    "kind,items(id,snippet(title,customUrl,publishedAt),statistics(viewCount,subscriberCount,hiddenSubscriberCount,videoCount),"
    "contentDetails(relatedPlaylists(uploads)))",
    Bucket.DEFAULT,
)
PLAYLISTS = Method(
    "playlists.list",
    "playlists",
    "youtube#playlistListResponse",
    "id,snippet,contentDetails",
    "kind,items(id,snippet(title,channelId,channelTitle),contentDetails(itemCount))",
    Bucket.DEFAULT,
)
PLAYLIST_ITEMS = Method(
    "playlistItems.list",
    "playlistItems",
    "youtube#playlistItemListResponse",
    "id,snippet",
    "kind,nextPageToken,items(id,snippet(publishedAt,title,videoOwnerChannelId,resourceId(videoId)))",
    Bucket.DEFAULT,
)
METHODS = (BATCH_STATS, VIDEOS, CHANNELS, PLAYLISTS, PLAYLIST_ITEMS)


class YouTubeClient:
    """Asks YouTube; knows no clock, no quota and no store. Use it as an async context manager.

    Args:
        base_url: where the methods are, e.g. …/youtube/v3.
        api_key: sent with each request and hidden in whatever comes back.
        key_in: the header is the default; the query is for services that read the key only there.
        timeout: seconds that one call may take in all.
        transport: what carries the requests; None: the network.

    Every method raises `YouTubeError` for anything but an answer, and ValueError for more than 50 ids. An id that cannot be
    one is not sent (it could fail the whole call): it is missing from the answer.

    Raises:
        InputError: the key holds characters that no key has.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        key_in: Literal["header", "query"] = "header",
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not _KEY.fullmatch(api_key):
            raise InputError(
                "youtube.api_key: an API key is one word of letters, digits, - and _; copy it again from the Google Cloud console"
            )
        self._base_url = base_url.rstrip("/")
        self._secrets = {api_key.encode(), quote(api_key, safe="").encode()}
        self._timeout = timeout
        # Google compresses only for clients that name gzip in both headers.
        headers = {"User-Agent": f"ytwatcher/{__version__} (gzip)", "Accept-Encoding": "gzip"}
        if key_in == "header":
            headers["X-Goog-Api-Key"] = api_key
        self._key_params = {"key": api_key} if key_in == "query" else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=timeout, verify=trusted(), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    async def batch_stats(self, ids: Sequence[VideoId]) -> Answer:
        """Views, likes and comments (videos.batchGetStats). A missing id may be a passing failure: only `videos` tells."""
        return parse.stats_answer(await self._by_ids(BATCH_STATS, ids, is_video_id), ids)

    async def videos(self, ids: Sequence[VideoId]) -> Answer:
        """Title, channel, live state and all counters (videos.list); deleted, private and unknown ids are missing."""
        return parse.videos_answer(await self._by_ids(VIDEOS, ids, is_video_id), ids)

    async def channels(
        self, *, ids: Sequence[ChannelId] = (), handle: str | None = None, username: str | None = None
    ) -> tuple[ChannelItem, ...]:
        """Channels by their ids, or the one of a handle or of a legacy user name; none where it is not known."""
        if handle is not None:
            return parse.channels_answer(await self._get(CHANNELS, {"forHandle": handle}))
        if username is not None:
            return parse.channels_answer(await self._get(CHANNELS, {"forUsername": username}))
        # Without maxResults the answer may end at its default of 5.
        return parse.channels_answer(await self._by_ids(CHANNELS, ids, is_channel_id, {"maxResults": str(MAX_IDS)}))

    async def playlists(self, ids: Sequence[PlaylistId]) -> tuple[PlaylistItem, ...]:
        """Playlists by their ids; private and unknown ones are missing."""
        return parse.playlists_answer(await self._by_ids(PLAYLISTS, ids, is_playlist_id, {"maxResults": str(MAX_IDS)}))

    async def playlist_page(self, playlist_id: PlaylistId, page_token: str | None = None) -> Page:
        """Up to 50 entries of a list, from its start or from a page's token on."""
        params = {"playlistId": playlist_id, "maxResults": str(MAX_IDS)}
        return parse.page(await self._get(PLAYLIST_ITEMS, params | ({"pageToken": page_token} if page_token else {})))

    async def _by_ids(
        self, method: Method, ids: Sequence[str], valid: Callable[[str], bool], params: Mapping[str, str] | None = None
    ) -> Json:
        if len(ids) > MAX_IDS:
            raise ValueError(f"{method.name} takes at most {MAX_IDS} ids, not {len(ids)}")
        sound = [one for one in dict.fromkeys(ids) if valid(one)]
        if not sound:
            return {}
        return await self._get(method, {"id": ",".join(sound), **(params or {})})

    async def _get(self, method: Method, params: Mapping[str, str]) -> Json:
        raw = await self.raw(method.path, {"part": method.part, "fields": method.fields, **params})
        if raw.status != httpx.codes.OK:
            raise classify(raw.status, raw.body, raw.headers)
        return parse.decode(raw.body, method.kind)

    async def raw(self, path: str, params: Mapping[str, str]) -> Raw:
        """One request, and its answer whatever it says: for a look at the wire. A body that is no 200's has no key in it.

        Raises:
            YouTubeError: there was no answer.
        """
        # Joined by hand: as a relative address, "videos:batchGetStats" would have the scheme "videos".
        url = f"{self._base_url}/{path}"
        query = {"prettyPrint": "false", **params, **self._key_params}
        # `from None`: the text of a transport's error may quote the request, and the request holds the key.
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.get(url, params=query)
        except (TimeoutError, httpx.TimeoutException):
            raise unanswered("timeout") from None
        except httpx.HTTPError:
            raise unanswered("network") from None
        body = response.content if response.status_code == httpx.codes.OK else self._hidden(response.content)
        return Raw(response.status_code, response.headers, body)

    def _hidden(self, body: bytes) -> bytes:
        """The body without the key, should Google quote the request."""
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return body
