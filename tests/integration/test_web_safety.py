"""What the site lets in, and what it refuses."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from web_stage import KEY, TOKEN, Site, site
from ytwatcher import config
from ytwatcher.errors import ConfigError
from ytwatcher.simulator import make_video_id
from ytwatcher.web.port import listen
from ytwatcher.web.security import MOST_BYTES
from ytwatcher.web.sessions import KEY_FILE, hashed

PASSWORD = "correct horse battery"


def test_on_loopback_pages_answer_with_headers_that_forbid_what_they_do_not_need(tmp_path: Path) -> None:
    video = make_video_id(1)
    with site(tmp_path, videos=1, titles=['<script>alert("1")</script>']) as s:
        for path in ("/", f"/videos/{video}", "/nothing"):
            answer = s.get(path)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "private, no-store"
            assert KEY not in answer.text and TOKEN not in answer.text
            assert "<script>alert" not in answer.text and " style=" not in answer.text
        assert "HttpOnly" in (cookie := httpx.get(s.url).headers["set-cookie"]) and "SameSite=Lax" in cookie
        assert s.get("/nothing").status_code == 404 and "There is no such page" in s.get("/nothing").text
        assert stat.S_IMODE((s.app.settings.data.dir / KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "10.0.0.1:{port}", "[::1", ""])
def test_a_foreign_host_header_is_refused(tmp_path: Path, host: str) -> None:
    with site(tmp_path) as s:
        answer = s.get("/", headers={"host": host.format(port=s.url.rpartition(":")[2])})
        assert answer.status_code in (400, 421)
        assert s.get("/", headers={"host": f"localhost:{s.url.rpartition(':')[2]}"}).status_code == 200


def refusals() -> list[tuple[str, Callable[[Site], httpx.Response], int]]:
    return [
        ("from a foreign page", lambda s: s.post("/logout", headers={"origin": "https://evil.example"}), 403),
        ("by a foreign page, as the browser says", lambda s: s.post("/logout", headers={"sec-fetch-site": "cross-site"}), 403),
        ("from a page without an origin", lambda s: s.post("/logout", headers={"origin": "null"}), 403),
        ("without the form's token", lambda s: s.post("/logout", {"form_token": ""}), 403),
        ("with another session's token", lambda s: s.post("/logout", {"form_token": "0" * 64}), 403),
        ("too big", lambda s: s.post("/logout", {"more": "x" * MOST_BYTES}), 413),
        ("right", lambda s: s.post("/logout"), 303),
    ]


def test_what_changes_something_has_to_come_from_a_page_of_the_site(tmp_path: Path) -> None:
    with site(tmp_path) as s:
        for name, ask, status in refusals():
            assert ask(s).status_code == status, name


def test_behind_a_password_nothing_but_the_login_answers_and_it_opens_all(tmp_path: Path) -> None:
    with site(tmp_path, videos=1, settings={"WEB__PASSWORD": hashed(PASSWORD)}) as s:
        assert s.get("/").headers["location"] == "/login?next=%2F"
        assert s.get("/videos/x?span=7d").headers["location"] == "/login?next=%2Fvideos%2Fx%3Fspan%3D7d"
        assert s.get("/api/v1/openapi.json").status_code == 401
        assert s.get("/login").status_code == 200
        wrong = s.post("/login", {"password": "wrong"})
        assert wrong.status_code == 401 and "That is not the password" in wrong.text
        right = s.post("/login", {"password": PASSWORD, "next": "//evil.example"})
        assert right.status_code == 303 and right.headers["location"] == "/"
        assert s.get("/").status_code == 200
        kept = dict(s.browser.cookies)
        s.post("/logout")
        assert s.get("/").status_code == 303
        assert PASSWORD not in str(kept)


def test_guessing_costs_a_wait_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with site(tmp_path, settings={"WEB__PASSWORD": hashed(PASSWORD)}) as s:
        now = s.app.clock.now()
        monkeypatch.setattr(s.app.clock, "now", lambda: now)  # so that no wait is over before it is looked at
        answers = [s.post("/login", {"password": f"wrong {n}"}) for n in range(7)]
        assert [one.status_code for one in answers[:5]] == [401] * 5
        assert answers[-1].status_code == 429 and "Try again in" in answers[-1].text
        assert s.post("/login", {"password": PASSWORD}).status_code == 429, "the right one waits, too"


def test_a_proxy_lets_in_whom_it_names_and_nobody_else_does(tmp_path: Path) -> None:
    trusted = {"WEB__USER_HEADER": "X-Forwarded-User", "WEB__TRUSTED_PROXIES": "127.0.0.1", "WEB__PUBLIC_URL": "https://watch.example.org"}
    with site(tmp_path, settings=trusted) as s:
        named = {"x-forwarded-user": "ada", "host": "watch.example.org"}
        assert s.get("/", headers=named).status_code == 200
        assert "Secure" in s.get("/", headers=named).headers.get("set-cookie", "Secure")
        assert s.get("/", headers={"host": "watch.example.org"}).status_code == 403
    with site(tmp_path, settings={**trusted, "WEB__TRUSTED_PROXIES": "10.0.0.0/8"}) as s:
        assert s.get("/", headers={"x-forwarded-user": "ada"}).status_code == 403


@pytest.mark.parametrize(
    ("web", "said"),
    [
        ({"LISTEN": "0.0.0.0:8470"}, "can be reached by other machines: set password"),
        ({"LISTEN": "127.0.0.1:8470", "PUBLIC_URL": "https://watch.example.org"}, "can be reached by other machines: set password"),
        ({"LISTEN": "8470"}, "is not an address to listen on"),
        ({"LISTEN": "example.org:8470"}, "is not an address to listen on"),
        ({"LISTEN": "0.0.0.0:8470", "PASSWORD": "short"}, "is too short"),
        ({"LISTEN": "0.0.0.0:8470", "USER_HEADER": "X-User"}, "need each other"),
        ({"USER_HEADER": "X-User", "TRUSTED_PROXIES": "a proxy"}, "is not an address"),
        ({"THUMBNAIL_URL": "ftp://x"}, "is not a base URL"),
    ],
)
def test_settings_that_would_leave_the_site_open_are_refused(tmp_path: Path, web: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config.load(None, tmp_path, {"HOME": str(tmp_path), **{f"YTWATCHER_WEB__{name}": value for name, value in web.items()}})


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with listen("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 is taken by another program"):
            listen(f"127.0.0.1:{port}")
