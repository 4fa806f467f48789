"""Opens the site: from the settings and the running app's parts to something that is served."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

from ytwatcher.clock import Clock, Pulse
from ytwatcher.drawing import Pictures
from ytwatcher.settings import Settings
from ytwatcher.store.db import Database
from ytwatcher.watches import Watches
from ytwatcher.web.access import Access
from ytwatcher.web.bundle import Bundle
from ytwatcher.web.desk import Desk, Perform
from ytwatcher.web.live import Live
from ytwatcher.web.metrics import Gauges
from ytwatcher.web.serving import serve
from ytwatcher.web.sessions import Sessions, load_key
from ytwatcher.web.site import build_site
from ytwatcher.web.templating import environment
from ytwatcher.web.thumbnails import Thumbnails


async def show(
    settings: Settings,
    db: Database,
    clock: Clock,
    watches: Watches,
    perform: Perform,
    pulses: Mapping[str, Pulse],
    listener: socket.socket,
) -> None:
    """Serve pages and API until cancelled.

    Raises:
        ConfigError: the data folder cannot hold the site's key.
    """
    access = Access(settings.web, listener.getsockname()[1])
    key = await asyncio.to_thread(load_key, settings.data.dir)
    base_url = settings.web.thumbnail_url
    thumbnails = Thumbnails(settings.data.dir / "thumbnails", None if base_url == "off" else base_url)
    sessions, drawing, gauges = Sessions(key, settings.web.password), Pictures(), Gauges()
    live = Live(db, gauges.observe)
    desk = Desk(
        settings,
        db,
        clock,
        watches,
        perform,
        access,
        sessions,
        environment(),
        thumbnails,
        Bundle(settings.data.dir),
        drawing,
        live,
        gauges,
        pulses,
    )
    try:
        async with asyncio.TaskGroup() as group:  # cancelled, both end together: who listens holds up nothing
            group.create_task(live.run())
            group.create_task(serve(build_site(desk), listener))
    finally:
        await drawing.close()
        await thumbnails.close()
