"""The first run on the page: the real program against both doubles."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import httpx

from served import CHAT, KEY, TOKEN, home, leaks, served


def test_the_first_page_takes_both_keys_checks_and_stores_them_and_it_starts(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with served() as services:
        here = home(tmp_path, services, keys=False)
        here.env |= {"YTWATCHER_WEB__LISTEN": f"127.0.0.1:{port}", "YTWATCHER_WEB__THUMBNAIL_URL": "off"}
        running = here.start("run")
        running.wait_for(f"Pages: http://127.0.0.1:{port}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=30) as browser:

            def send(step: str, **form: str) -> str:
                token = re.search(r'name="form-token" content="([0-9a-f]+)"', browser.get("/").text)
                assert token is not None
                page = browser.post(f"/setup/{step}", data={"form_token": token[1], **form}).text
                assert not leaks(page), "a key is shown"
                return page

            assert "Two keys, and it watches" in browser.get("/").text
            asked = {path: browser.get(path) for path in ("/healthz", "/readyz", "/metrics")}
            assert [one.status_code for one in asked.values()] == [200, 503, 503]
            assert {one.text for one in asked.values()} == {"waits for its keys\n"}
            assert "the API key is missing" in send("key", key=" ")
            assert "YouTube does not know this key" in send("key", key="wrong-key")
            assert "YouTube takes the key" in send("key", key=KEY)
            assert "Telegram refuses the bot token" in send("bot", token=TOKEN[:-1])
            assert "Nobody has written to it yet" in send("bot", token=TOKEN)
            services.do(lambda: services.telegram.user_writes(CHAT, "hello"))
            assert "private chat with Ada" in send("chats")
            assert "It starts" in send("finish", address=f"telegram:{CHAT}")
            running.wait_for("Nothing is watched yet")
            assert "Nothing is watched yet" in browser.get("/").text
        file = tmp_path / "ytwatcher.toml"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert f'operator = "telegram:{CHAT}"' in file.read_text()
        assert running.end() == 0
        here.assert_no_leaks()
