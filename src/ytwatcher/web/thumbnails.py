"""The videos' pictures, through this server: fetched once, politely, kept on the disk within a bound, and given to browsers from there."""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path

import httpx
import structlog

from ytwatcher.tls import trusted

NAME = "mqdefault.jpg"
"""320 × 180; every video has one."""
MOST_BYTES, LARGEST = 64 * 2**20, 256 * 2**10
"""Of the whole folder, and of one picture."""
FRESH = timedelta(days=7)
"""After that it is fetched anew: a picture may change."""
AGAIN = timedelta(minutes=15)
"""Before that a picture that could not be had is not asked for again."""
AT_ONCE, PATIENCE = 4, 5.0
MOST_MISSES = 10_000
PLACEHOLDER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180"><rect width="320" height="180" fill="#8b949e" opacity=".22"/>'
    b'<path d="M138 62v56l48-28z" fill="#8b949e" opacity=".7"/></svg>'
)
log = structlog.get_logger(__name__)


class Thumbnails:
    """The pictures in a folder. `close` ends the fetching.

    Args:
        base_url: where they are fetched from; None: nowhere, what is not in the folder is not to be had.
        most_bytes: past that the pictures used least recently go.
    """

    def __init__(self, folder: Path, base_url: str | None, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._base_url, self._most_bytes = folder, base_url, most_bytes
        self._places = asyncio.Semaphore(AT_ONCE)
        self._fetching: dict[str, asyncio.Task[bytes | None]] = {}
        self._missed: OrderedDict[str, float] = OrderedDict()
        self._http: httpx.AsyncClient | None = None

    async def picture(self, video_id: str) -> bytes | None:
        """The JPEG of a video; None where it cannot be had. The caller has seen that the video is watched."""
        path = self._folder / f"{video_id}.jpg"
        kept, is_fresh = await asyncio.to_thread(_kept, path)
        if is_fresh or self._base_url is None or self._has_missed(video_id):
            return kept
        if video_id not in self._fetching:
            task = self._fetching[video_id] = asyncio.create_task(self._fetch(video_id, path))
            task.add_done_callback(lambda _: self._fetching.pop(video_id, None))
        return kept or await asyncio.shield(self._fetching[video_id])

    async def close(self) -> None:
        for task in list(self._fetching.values()):
            task.cancel()
        if self._http is not None:
            await self._http.aclose()

    def _has_missed(self, video_id: str) -> bool:
        return time.monotonic() < self._missed.get(video_id, 0)

    async def _fetch(self, video_id: str, path: Path) -> bytes | None:
        async with self._places:
            try:
                found = await self._asked(f"{self._base_url}/vi/{video_id}/{NAME}")
                if found is not None:
                    await asyncio.to_thread(_keep, path, found, self._most_bytes)
                    return found
            except (httpx.HTTPError, OSError) as error:
                log.debug("thumbnail_missed", video=video_id, error=type(error).__name__)
        self._missed[video_id] = time.monotonic() + AGAIN.total_seconds()
        if len(self._missed) > MOST_MISSES:
            self._missed.popitem(last=False)
        return None

    async def _asked(self, url: str) -> bytes | None:
        if self._http is None:
            self._http = httpx.AsyncClient(headers={"User-Agent": "ytwatcher"}, timeout=PATIENCE, verify=trusted())
        async with self._http.stream("GET", url) as answer:
            if answer.status_code != 200 or not answer.headers.get("content-type", "").startswith("image/jpeg"):
                return None
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > LARGEST:
                    return None
            return content


def _kept(path: Path) -> tuple[bytes | None, bool]:
    """What is in the folder, and whether it is fresh enough."""
    try:
        content = path.read_bytes()
        age = time.time() - path.stat().st_mtime
        os.utime(path, (time.time(), path.stat().st_mtime))  # when it was used last
    except OSError:
        return None, False
    return content, age < FRESH.total_seconds()


def _keep(path: Path, content: bytes, most_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(path)
    pictures = [(one.stat(), one) for one in path.parent.glob("*.jpg")]
    size = sum(found.st_size for found, _ in pictures)
    for found, one in sorted(pictures, key=lambda pair: pair[0].st_atime):
        if size <= most_bytes:
            break
        one.unlink(missing_ok=True)
        size -= found.st_size
