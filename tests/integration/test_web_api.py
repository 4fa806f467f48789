"""The API: who may do what, what answers look like, pages of long lists, problems, tags."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import httpx
import pytest
from starlette.routing import BaseRoute, Mount

from program_stage import HOSTILE, locked
from web_stage import KEY, RECIPIENT, TOKEN, site
from ytwatcher.core.model import to_ms
from ytwatcher.simulator import make_video_id
from ytwatcher.web.access import OPEN, is_open
from ytwatcher.web.api.routers import API
from ytwatcher.web.site import PAGES


def paths() -> Iterator[tuple[str, str]]:
    """Every route of the site: its method, and its path with something filled in."""
    routes: list[BaseRoute] = [route for router in (*PAGES, *API) for route in router.routes]
    for route in routes:
        assert not isinstance(route, Mount)
        for method in sorted(getattr(route, "methods", ())):
            yield method, re.sub(r"\{[^}]*\}", "1", getattr(route, "path"))  # noqa: B009 - routes have it, their base does not say so


def test_without_login_no_route_answers_beyond_loopback_but_those_that_are_open(tmp_path: Path) -> None:
    with locked(tmp_path, None, videos=1) as (_, stranger):
        for method, path in [*paths(), ("GET", "/api/v1/openapi.json")]:
            answer = stranger.request(method, path)
            if is_open(path):
                assert answer.status_code in (200, 401, 403, 404, 422), (method, path, answer.status_code)
            elif method in ("GET", "HEAD"):
                assert answer.status_code in (303, 401), (method, path, answer.status_code)
            else:
                assert answer.status_code in (401, 403), (method, path, answer.status_code)
            assert KEY not in answer.text and TOKEN not in answer.text and make_video_id(1) not in answer.text
    assert OPEN == ("/login", "/healthz", "/static/", "/share/", "/feed/")


def test_a_token_may_do_what_its_scope_says(tmp_path: Path) -> None:
    with locked(tmp_path, None, videos=1) as (_, program):

        def status(method: str, path: str, scope: str, **more: Any) -> int:
            return program.request(method, path, headers={"authorization": f"Bearer secret-{scope}"}, **more).status_code

        assert status("GET", "/api/v1/watches", "read") == 200
        assert status("GET", "/metrics", "read") == status("GET", "/readyz", "read") == 200
        assert status("GET", "/api/v1/watches", "wrong") == 401
        assert status("DELETE", "/api/v1/rules/r1", "read") == 403
        assert status("DELETE", "/api/v1/rules/r1", "write") == 204
        assert status("DELETE", "/api/v1/rules/r1", "write") == 404
        assert status("GET", "/api/v1/shares", "write") == 403
        assert status("GET", "/api/v1/shares", "admin") == 200
        assert status("GET", "/", "admin") == 303, "a token is for programs only"
        assert status("POST", "/api/v1/rules/explain", "read", json={"rule": "views every 1k"}) == 200


def test_on_loopback_without_a_lock_reading_needs_no_token_and_a_change_needs_the_pages_own_form(tmp_path: Path) -> None:
    with site(tmp_path, videos=1) as s:
        assert s.get("/api/v1/watches").status_code == 200
        refused = s.browser.delete("/api/v1/rules/r1")
        assert refused.status_code == 403 and refused.headers["content-type"] == "application/problem+json"
        allowed = s.browser.delete("/api/v1/rules/r1", headers={"x-form-token": s.form_token(), "origin": s.url})
        assert allowed.status_code == 204


def test_long_lists_come_in_pages_without_gaps_or_doubles(tmp_path: Path) -> None:
    with locked(tmp_path, videos=7) as (_, program):
        for path, name in (("watches", "target"), ("subjects", "id"), ("rules", "id"), ("alerts", "id")):
            whole = program.get(f"/api/v1/{path}").json()
            found, cursor = [], None
            while True:
                page = program.get(f"/api/v1/{path}", params={"most": 2, **({"cursor": cursor} if cursor else {})}).json()
                found += page["items"]
                if (cursor := page["next"]) is None:
                    break
            assert found == whole["items"] and whole["next"] is None
            assert len({one[name] for one in found}) == len(found) >= 5


def test_every_fault_is_a_problem(tmp_path: Path) -> None:
    with locked(tmp_path, videos=1) as (_, program):
        faults: list[tuple[str, str, dict[str, Any], int, str]] = [
            ("GET", "/api/v1/subjects/nothing", {}, 404, "is not watched"),
            ("GET", "/api/v1/nothing", {}, 404, ""),
            ("PUT", "/api/v1/watches", {}, 405, ""),
            ("GET", "/api/v1/watches?cursor=xyz", {}, 400, "`next`"),
            ("GET", "/api/v1/watches?most=0", {}, 422, "most"),
            ("GET", f"/api/v1/subjects/{make_video_id(1)}/readings?since=0001-01-01T00:00:00%2B12:00", {}, 422, "1970"),
            ("POST", "/api/v1/rules/explain", {"json": {"rule": "vews change"}}, 400, "views"),
            ("POST", "/api/v1/rules", {"json": {"target": "x", "rule": "views change", "more": 1}}, 422, "more"),
            ("POST", "/api/v1/rules", {"content": b"{", "headers": {"content-type": "application/json"}}, 422, ""),
            ("POST", "/api/v1/rules", {"content": b"x" * 1_000_001}, 413, "1,000,000"),
            ("POST", "/api/v1/messages/8/retry", {}, 404, "8"),
            ("PATCH", f"/api/v1/recipients/{RECIPIENT}", {"json": {"timezone": "Nowhere"}}, 400, "time zone"),
            ("DELETE", f"/api/v1/recipients/{RECIPIENT}", {}, 409, "operator"),
        ]
        for method, path, more, status, said in faults:
            answer = program.request(method, path, **more)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (path, answer.text)
            problem = answer.json()
            assert problem["status"] == status and problem["type"] == "about:blank" and problem["title"] and said in problem["detail"], (
                problem
            )


def test_what_was_read_has_a_tag_and_is_not_sent_again(tmp_path: Path) -> None:
    with locked(tmp_path, videos=2) as (_, program):
        first = program.get("/api/v1/watches")
        again = program.get("/api/v1/watches", headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == first.headers["etag"]
        program.delete(f"/api/v1/watches/{make_video_id(1)}").raise_for_status()
        assert program.get("/api/v1/watches", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_thinned_readings_keep_the_peak(tmp_path: Path) -> None:
    def peak(con: sqlite3.Connection) -> None:
        con.execute("UPDATE reading SET likes = 999999 WHERE from_at = (SELECT from_at FROM reading ORDER BY from_at LIMIT 1 OFFSET 333)")

    with site(tmp_path, videos=1, hours=700, prepare=peak) as s:
        path = f"/api/v1/subjects/{make_video_id(1)}/readings"
        thinned, whole = s.get(path, params={"most": 60}).json(), s.get(path, params={"most": 5000}).json()
        assert whole["whole"] and len(whole["items"]) == 701
        assert not thinned["whole"] and len(thinned["items"]) <= 60
        assert max(one["values"]["likes"] for one in thinned["items"]) == 999_999
        assert thinned["items"] == [one for one in whole["items"] if one in thinned["items"]], "what stays is as it was, in order"


def test_a_dead_message_is_sent_again_and_dropped(tmp_path: Path) -> None:
    with locked(tmp_path, videos=1) as (_, program):
        assert [one["state"] for one in program.get("/api/v1/messages").json()["items"]] == ["dead"]
        assert [one["id"] for one in program.get("/api/v1/alerts?state=dead").json()["items"]] == ["r1:x:1"]
        assert program.post("/api/v1/messages/7/retry").json()["state"] == "pending"
        assert program.post("/api/v1/messages/7/retry").status_code == 409
        assert program.post("/api/v1/messages/7/drop").json()["state"] == "dropped"


def test_a_recipients_preferences_change_one_by_one(tmp_path: Path) -> None:
    with locked(tmp_path, videos=1) as (_, program):
        path = f"/api/v1/recipients/{RECIPIENT}"
        assert program.patch(path, json={"quiet": "22:00-07:00", "timezone": "Europe/Berlin"}).json()["quiet"] == "22:00-07:00"
        assert program.patch(path, json={"mute": "2h", "digest": "weekly mon 9:00"}).json()["muted_until"] is not None
        assert program.get(path).json()["digest"] == "weekly mon 09:00"
        assert program.patch(path, json={"digest": "now and then"}).status_code == 400
        changed = program.patch(path, json={"quiet": None, "digest": None, "mute": None}).json()
        assert changed["digest"] is None
        assert changed["quiet"] is None and changed["muted_until"] is None and changed["timezone"] == "Europe/Berlin"


def test_a_share_link_shows_its_watch_and_nothing_else_until_it_is_revoked(tmp_path: Path) -> None:
    with locked(tmp_path, videos=2, titles=(HOSTILE, "The other one")) as (_, program):
        made = program.post("/api/v1/shares", json={"target": make_video_id(1)}).json()
        with httpx.Client(timeout=30) as stranger:
            page = stranger.get(made["link"])
            assert page.status_code == 200 and "<script>alert" not in page.text and "&lt;script&gt;" in page.text
            assert "noindex" in page.headers["x-robots-tag"] and page.headers["referrer-policy"] == "no-referrer"
            assert "set-cookie" not in page.headers and "The other one" not in page.text and RECIPIENT not in page.text
            chart = stranger.get(f"{made['link']}/chart.png")
            assert chart.content.startswith(b"\x89PNG") and "noindex" in chart.headers["x-robots-tag"] and "set-cookie" not in chart.headers
            assert stranger.get(f"{made['link']}x/chart.png").status_code == 404
            assert stranger.get(made["link"].replace("/share/", "/feed/")).status_code == 404
            assert all(one["link"] is None for one in program.get("/api/v1/shares").json()["items"]), "it is shown once"
            assert program.delete(f"/api/v1/shares/{made['id']}").status_code == 204
            assert stranger.get(made["link"]).status_code == 404


def test_a_share_link_ends_with_its_watch_for_good(tmp_path: Path) -> None:
    with locked(tmp_path, videos=1) as (s, program):
        link = program.post("/api/v1/shares", json={"target": make_video_id(1)}).json()["link"]
        program.delete(f"/api/v1/watches/{make_video_id(1)}").raise_for_status()
        assert s.get(link).status_code == 404

        def watch_again(con: sqlite3.Connection) -> None:
            con.execute("INSERT INTO watch (target_pk, recipient_pk, added_at) SELECT 1, pk, ? FROM recipient", (to_ms(datetime.now(UTC)),))

        s.do(s.app.db.write(watch_again))
        assert s.get(link).status_code == 404


def test_the_feed_is_atom_with_hostile_titles(tmp_path: Path) -> None:
    with locked(tmp_path, videos=1, titles=(HOSTILE,)) as (_, program):
        link = program.post("/api/v1/shares", json={"to": RECIPIENT}).json()["link"]
        with httpx.Client(timeout=30) as reader:
            answer = reader.get(link)
            assert answer.headers["content-type"].startswith("application/atom+xml")
            assert reader.get(link, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
        atom = "{http://www.w3.org/2005/Atom}"
        feed = Xml.fromstring(answer.content)
        entries = feed.findall(f"{atom}entry")
        assert feed.tag == f"{atom}feed" and len(entries) == 5
        assert [one.get("href") for one in feed.findall(f"{atom}link") if one.get("rel") == "self"] == [link]
        ids = [one.findtext(f"{atom}id") for one in (feed, *entries)]
        assert len(set(ids)) == 6 and all(one is not None and one.startswith("urn:uuid:") for one in ids)
        for one in (feed, *entries):
            assert one.findtext(f"{atom}title") and datetime.fromisoformat(str(one.findtext(f"{atom}updated"))).tzinfo is not None
        assert all(entry.find(f"{atom}link") is not None and entry.findtext(f"{atom}content") for entry in entries)
        assert feed.findtext(f"{atom}author/{atom}name") == "YT Watcher"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_machines_learn_that_all_is_well(tmp_path: Path, path: str) -> None:
    with site(tmp_path) as s:
        assert s.get(path).status_code == 200
