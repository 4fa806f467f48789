"""No secret in anything that is logged, stored, told or raised, whatever goes wrong."""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path

import pytest

from story import OLD, OPERATOR, story
from ytwatcher import log
from ytwatcher.simulator import make_video_id
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.simulator.youtube import API_KEY

CANARIES = (API_KEY, BOT_TOKEN, BOT_TOKEN.split(":")[1])


@pytest.mark.parametrize("key_in", ["header", "query"])
def test_the_keys_are_nowhere_but_in_the_requests(tmp_path: Path, key_in: str) -> None:
    stream = io.StringIO()
    # Told of no secret, the redactor has only their shape to go by.
    log.configure("debug", "json", log.Redactor(), stream)

    async def go() -> str:
        async with story(tmp_path, settings=[("YOUTUBE__KEY_IN", key_in), ("LOG__LEVEL", "debug")]) as s:
            s.world.add_video(make_video_id(1), views=900, title="A title", published_at=OLD)
            await s.add(make_video_id(1), "views change")
            for minutes, kind in enumerate(("html502", "cut", "keyInvalid", "serviceDisabled", "quotaExceeded429", "rateLimit", "noItems")):
                s.youtube.fail("*", kind, times=3)
                s.world.videos[make_video_id(1)].views = 1000 + minutes
                await s.until(s.clock.now() + 6 * (s.at("00:10") - s.at("00:00")))
            for bot_kind in ("html502", "restart500", "unauthorized401", "lostAnswer", "tooMany429"):
                s.telegram.fail("sendMessage", bot_kind, times=1)
                s.world.videos[make_video_id(1)].views += 7  # type: ignore[operator]  # never hidden here
                await s.until(s.clock.now() + (s.at("00:10") - s.at("00:00")))
            failed = await s.app.perform("add", {"text": "@nobody-at-all", "rules": [], "to": None})
            assert s.told() and s.told(OPERATOR)
            return "\n".join([str(failed), repr(s.app.settings), repr(s.app), *(m.text for m in s.telegram.messages)])

    try:
        shown = asyncio.run(go())
    finally:
        logging.getLogger().handlers.clear()
    logged = stream.getvalue()
    assert "youtube_refused" in logged and "message not sent" in logged
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for canary in CANARIES:
        assert canary not in logged
        assert canary not in shown
        assert canary.encode() not in stored
