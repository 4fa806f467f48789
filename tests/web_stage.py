"""The site over real HTTP with a journal of its own, filled: what the tests of pages and API stand on.

    with site(tmp_path, videos=3) as s:
        assert "Video 1" in s.get("/").text
        s.post("/rules", {"rule": "views change"})     # with the form's token, as a page of the site sends it

The app's loops do not run: what is done is done by `App.perform`, and nothing is asked of YouTube or Telegram unless the test serves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from ytwatcher import config
from ytwatcher.app import App, open_app
from ytwatcher.clock import SystemClock
from ytwatcher.core.model import PRESENT, Metric, MetricState, to_ms
from ytwatcher.simulator import make_video_id
from ytwatcher.store.subjects import encode_state
from ytwatcher.tls import trusted
from ytwatcher.web.opening import show
from ytwatcher.web.port import listen, url_of

T = TypeVar("T")
HOUR = timedelta(hours=1)
RECIPIENT = "telegram:1001"
KEY = "CANARY-key-0123456789"
TOKEN = "7000000001:CANARY-token-that-nobody-may-see-0123"


@dataclass
class Site:
    """A served site. `app` lives in another thread: use it by `do`."""

    app: App
    url: str
    browser: httpx.Client
    loop: asyncio.AbstractEventLoop
    now: datetime

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.browser.get(path, **more)

    def post(self, path: str, form: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a form as a page of the site does: with its origin and token."""
        headers = {"origin": self.url, "sec-fetch-site": "same-origin", **more.pop("headers", {})}
        return self.browser.post(path, data={"form_token": self.form_token(), **(form or {})}, headers=headers, **more)

    def form_token(self, page: str = "/login") -> str:
        found = re.search(r'name="form-token" content="([0-9a-f]+)"', self.browser.get(page, follow_redirects=True).text)
        assert found, "the page has no form token"
        return found[1]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run asynchronous work in the app's own thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(120)


@contextlib.contextmanager
def site(
    folder: Path,
    *,
    videos: int = 0,
    hours: int = 48,
    titles: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    listen_on: str = "127.0.0.1",
    prepare: Callable[[sqlite3.Connection], object] | None = None,
) -> Iterator[Site]:
    """Serve the site on a free port.

    Args:
        videos: how many are watched by `RECIPIENT`, with an hourly reading for so many `hours`; the n-th has the n-th title, where given.
        settings: variables without their prefix, like `WEB__PASSWORD`.
        prepare: changes the journal before the site is there.
    """
    ready = threading.Event()
    made: list[tuple[App, str, asyncio.AbstractEventLoop, asyncio.Event]] = []
    faults: list[BaseException] = []
    now = datetime.now(UTC)

    async def go() -> None:
        listener = listen(f"{listen_on}:0")
        env = {
            "HOME": str(folder),
            "YTWATCHER_YOUTUBE__API_KEY": KEY,
            "YTWATCHER_TELEGRAM__BOT_TOKEN": TOKEN,
            "YTWATCHER_TELEGRAM__OPERATOR": RECIPIENT,
            "YTWATCHER_WEB__LISTEN": f"{listen_on}:{listener.getsockname()[1]}",
            "YTWATCHER_WEB__THUMBNAIL_URL": "off",
            **{f"YTWATCHER_{name}": value for name, value in (settings or {}).items()},
        }
        async with open_app(config.load(None, folder, env), SystemClock(), out=io.StringIO(), look_every=None) as app:
            await app.db.write(fill, videos, hours, now, titles)
            if prepare is not None:
                await app.db.write(prepare)
            stop = asyncio.Event()
            pulses = {"poller": app.poller.pulse, "dispatcher": app.dispatcher.pulse}
            serving = asyncio.create_task(show(app.settings, app.db, app.clock, app.watches, app.perform, pulses, listener))
            made.append((app, url_of(listener), asyncio.get_running_loop(), stop))
            ready.set()
            try:
                await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
            finally:
                serving.cancel()
                await asyncio.wait([serving])
                listener.close()

    def run() -> None:
        try:
            asyncio.run(go())
        except BaseException as error:
            faults.append(error)
            ready.set()
            raise

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(120)
    if faults:
        thread.join()
        raise faults[0]
    app, url, loop, stop = made[0]
    try:
        with httpx.Client(base_url=url, timeout=30, verify=trusted()) as browser:
            yield Site(app, url, browser, loop, now)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def fill(con: sqlite3.Connection, videos: int, hours: int, now: datetime, titles: Sequence[str] = ()) -> None:
    """Watch so many videos, each as a target of its own with two rules; the n-th grows by 10 n views an hour."""
    at = to_ms(now)
    con.execute("INSERT INTO recipient (address) VALUES (?) ON CONFLICT DO NOTHING", (RECIPIENT,))
    recipient = con.execute("SELECT pk FROM recipient WHERE address = ?", (RECIPIENT,)).fetchone()[0]
    for n in range(1, videos + 1):
        video, name = make_video_id(n), titles[n - 1] if n <= len(titles) else f"Video {n}"
        views = 10_000 + 137 * n + 10 * n * hours
        values = {Metric.VIEWS: views, Metric.LIKES: views // 40, Metric.COMMENTS: views // 900}
        state = {metric: MetricState(value, None, now, value) for metric, value in values.items()}
        con.execute(
            "INSERT INTO subject (pk, id, kind, title, channel_id, channel_title, published_at, newest_at, read_at, state)"
            " VALUES (?, ?, 'video', ?, ?, ?, ?, ?, ?, ?)",
            (n, video, name, f"UC{n % 7:022d}", f"Channel {n % 7}", at - 9 * 10**9, at, at, encode_state(state, PRESENT, now)),
        )
        con.execute("INSERT INTO target (pk, id, kind, title, added_at) VALUES (?, ?, 'video', ?, ?)", (n, video, name, at))
        con.execute("INSERT INTO member (target_pk, subject_pk, joined_at) VALUES (?, ?, ?)", (n, n, at))
        con.execute("INSERT INTO watch (pk, target_pk, recipient_pk, added_at) VALUES (?, ?, ?, ?)", (n, n, recipient, at))
        for number, line in enumerate(("views milestones", "likes milestones")):
            con.execute(
                "INSERT INTO rule (id, watch_pk, recipient_pk, target_pk, line, made_at) VALUES (?, ?, ?, ?, ?, ?)",
                (f"r{2 * n - 1 + number}", n, recipient, n, line, at),
            )
        con.executemany(
            "INSERT INTO reading (subject_pk, from_at, to_at, views, likes, comments) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    n,
                    to_ms(now - h * HOUR),
                    to_ms(now - h * HOUR),
                    views - 10 * n * h,
                    (views - 10 * n * h) // 40,
                    (views - 10 * n * h) // 900,
                )
                for h in range(hours, -1, -1)
            ],
        )
