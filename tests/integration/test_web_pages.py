"""The pages beside overview and video, over real HTTP: what they show, what their forms do, and what they refuse."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from served import served
from web_stage import KEY, RECIPIENT, TOKEN, site
from ytwatcher.core.model import to_ms
from ytwatcher.simulator import make_video_id
from ytwatcher.store import recipients
from ytwatcher.store.access import Limits, Role, Served
from ytwatcher.store.access import put as let_in

FIRST = make_video_id(1)
HOSTILE = "<script>alert(1)</script>\u202e"
NOW = datetime.now(UTC)


def dead_message(con: sqlite3.Connection) -> None:
    """The operator's message 1, given up."""
    recipients.add_notice(con, "test", "Something happened", RECIPIENT, NOW)
    pk = recipients.ensure(con, RECIPIENT)
    con.execute(
        "INSERT INTO message (pk, recipient_pk, text, plain, silent, made_at, next_at, state, attempts, last_error)"
        " VALUES (1, ?, 'x', 'Something happened', 0, ?, ?, 'dead', 3, 'chat not found')",
        (pk, to_ms(NOW), to_ms(NOW)),
    )
    con.execute("UPDATE alert SET state = 'message', message_pk = 1")


def test_every_page_says_what_to_do_where_there_is_nothing(tmp_path: Path) -> None:
    with site(tmp_path) as s:
        assert "Nothing is watched yet" in s.get("/rules").text
        assert "everything that was to be told has been told" in s.get("/outbox").text
        assert "Nothing is watched yet" in s.get("/quota").text
        assert "All is well" in s.get("/status").text
        assert "Watch something" in s.get("/add").text
        assert s.get("/recipients").status_code == 200
        for path in ("/rules", "/outbox", "/quota", "/status", "/add", "/recipients"):
            text = s.get(path).text
            assert KEY not in text and TOKEN not in text
            assert " style=" not in text and "<script>" not in text


def test_rules_are_listed_in_pages_and_found_by_their_words(tmp_path: Path) -> None:
    with site(tmp_path, videos=60, hours=1, titles=[HOSTILE]) as s:
        first = s.get("/rules")
        assert "60 watches" in first.text and "Page 1 of 2" in first.text
        assert "&lt;script&gt;" in first.text and "\u202e" not in first.text
        assert "Page 2 of 2" in s.get("/rules?page=2").text and "Page 2 of 2" in s.get("/rules?page=999999").text
        assert "1 watch<" in s.get(f"/rules?q={FIRST}").text
        assert "Nothing like that" in s.get("/rules?q=nowhere").text


def test_a_rule_is_tried_made_and_ended(tmp_path: Path) -> None:
    with site(tmp_path, videos=1) as s:
        tried = s.get("/rules/try", params={"line": "views every 100\nlikes jump", "target": FIRST})
        assert "<code>views every 100</code>" in tried.text
        assert "message" in tried.text and "In the last 14 days this would have sent" in tried.text
        assert "did you mean" in tried.text or "jump" in tried.text
        without = s.post("/rules/new", {"target": FIRST, "line": "views every 100", "do": "try"})
        assert "In the last 14 days this would have sent" in without.text
        wrong = s.post("/rules/new", {"target": FIRST, "line": "likes jump"})
        assert wrong.status_code == 400 and 'role="alert"' in wrong.text and 'value="likes jump"' in wrong.text
        made = s.post("/rules/new", {"target": FIRST, "to": RECIPIENT, "line": "comments fall 10"}, follow_redirects=True)
        assert "comments fall 10" in made.text
        rule_id = str(made.url.params["added"])
        ended = s.post("/rules/remove", {"rule": rule_id}, follow_redirects=True)
        assert "comments fall 10" not in ended.text
        assert s.post("/rules/remove", {"rule": rule_id}).status_code == 400


def test_a_watch_is_ended(tmp_path: Path) -> None:
    with site(tmp_path, videos=2, hours=1) as s:
        left = s.post("/watches/remove", {"target": FIRST, "to": RECIPIENT}, follow_redirects=True)
        assert "1 watch<" in left.text and FIRST not in left.text


def test_what_is_added_is_shown_first_with_its_numbers_and_cost(tmp_path: Path) -> None:
    with served() as d:
        video = make_video_id(77)
        d.do(lambda: d.world.add_video(video, title="A <b>new</b> one", views=123_456, likes=789))
        with site(tmp_path, settings={"YOUTUBE__BASE_URL": f"{d.youtube_url}/youtube/v3"}) as s:
            shown = s.post("/add", {"text": f"https://youtu.be/{video}"})
            assert shown.status_code == 200, shown.text
            assert "A &lt;b&gt;new&lt;/b&gt; one" in shown.text and "123,456" in shown.text and "units a day" in shown.text
            assert "<code>views milestones</code>" in shown.text
            assert "Nothing is watched yet" in s.get("/rules").text
            added = s.post("/add", {"text": video, "rules": "views every 1000\n", "do": "add"}, follow_redirects=True)
            assert "A &lt;b&gt;new&lt;/b&gt; one" in added.text and "views every 1000" in added.text
            wrong = s.post("/add", {"text": video, "rules": "views jump", "do": "add"})
            assert wrong.status_code == 400 and "views jump</textarea>" in wrong.text
            gone = s.post("/add", {"text": make_video_id(78)})
            assert gone.status_code == 400 and "no public video" in gone.text


def test_a_dead_message_is_sent_again_or_dropped(tmp_path: Path) -> None:
    with site(tmp_path, prepare=dead_message) as s:
        shown = s.get("/outbox?view=dead")
        assert "chat not found" in shown.text and "Send again" in shown.text
        again = s.post("/outbox/retry", {"message": 1}, follow_redirects=True)
        assert "Message 1 is <b>pending</b>" in again.text
        dropped = s.post("/outbox/drop", {"message": 1}, follow_redirects=True)
        assert "Message 1 is <b>dropped</b>" in dropped.text
        assert s.post("/outbox/retry", {"message": 1}).status_code == 400
        assert s.post("/outbox/retry", {"message": 2}).status_code == 400
        assert s.get("/outbox?message=99").status_code == 400
        assert s.get("/outbox?alert=nothing").status_code == 400


def test_old_messages_are_on_further_pages(tmp_path: Path) -> None:
    def many(con: sqlite3.Connection) -> None:
        pk = recipients.ensure(con, RECIPIENT)
        con.executemany(
            "INSERT INTO message (recipient_pk, text, plain, silent, made_at, next_at, state, sent_at, attempts)"
            " VALUES (?, 'x', ?, 0, 1, 1, 'sent', 1, 1)",
            [(pk, f"News {n}.") for n in range(120)],
        )

    with site(tmp_path, prepare=many) as s:
        seen, path = [], "/outbox?view=sent"
        while path:
            text = s.get(path).text
            seen += [n for n in range(120) if f"News {n}." in text]
            path = text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert seen == [*range(119, -1, -1)] or sorted(seen) == list(range(120))


def test_a_test_message_to_the_console_says_what_became_of_it(tmp_path: Path) -> None:
    with site(tmp_path) as s:
        answered = s.post("/outbox/test", {"to": "console"}, follow_redirects=True)
        assert "The test is <b>waiting</b>" in answered.text  # nothing sends here
        assert s.post("/outbox/test", {"to": "nonsense"}).status_code == 400


def test_quota_shows_today_and_the_days_before(tmp_path: Path) -> None:
    def spent(con: sqlite3.Connection) -> None:
        day = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
        con.execute("INSERT INTO ledger VALUES (?, 'default', 'metadata', 4321)", (day,))

    with site(tmp_path, videos=3, hours=1, prepare=spent) as s:
        text = s.get("/quota").text
        assert "3 videos" in text and "4,321" in text and "of 10,000 units used today" in text


def test_a_recipient_is_changed_and_a_wrong_field_is_named(tmp_path: Path) -> None:
    with site(tmp_path, videos=1, hours=1) as s:
        path = f"/recipients/edit?address={quote(RECIPIENT)}"
        assert 'name="quiet"' in s.get(path).text
        fields = {"address": RECIPIENT, "language": "de", "timezone": "Europe/Berlin", "quiet": "23:00-07:30", "digest": "", "mute": "8h"}
        wrong = s.post("/recipients/edit", {**fields, "quiet": "at night"})
        assert wrong.status_code == 400 and "at night" in wrong.text
        saved = s.post("/recipients/edit", fields, follow_redirects=True)
        assert "de, Europe/Berlin" in saved.text and "quiet 23:00-07:30" in saved.text and "muted" in saved.text
        ended = s.post("/recipients/edit", {**fields, "quiet": "", "mute": "off"}, follow_redirects=True)
        assert "at once" in ended.text
        assert s.get("/recipients/edit?address=telegram:5").status_code == 400


def test_a_chat_gets_other_limits_and_is_shut_out(tmp_path: Path) -> None:
    guest = "telegram:2002"

    def invite(con: sqlite3.Connection) -> None:
        let_in(con, Served(guest, Role.USER, "private", HOSTILE, None, NOW, Limits(5, 6, 7)))
        pk = recipients.ensure(con, guest)
        con.execute("INSERT INTO watch (target_pk, recipient_pk, added_at) VALUES (1, ?, 1)", (pk,))

    with site(tmp_path, videos=1, hours=1, prepare=invite) as s:
        assert "1/5 targets" in s.get("/recipients").text
        limits = {"chat": guest, "targets": 9, "rules": 8, "messages": 7}
        assert 'value="9"' in s.post("/recipients/limits", limits, follow_redirects=True).text
        assert s.post("/recipients/limits", {**limits, "targets": 0}).status_code == 422
        out = s.post("/recipients/shut-out", {"chat": guest}, follow_redirects=True)
        assert "Served no more" in out.text
        assert s.do(s.app.db.read(lambda con: con.execute("SELECT count(*) FROM watch").fetchone()[0])) == 1


def test_an_invitation_is_shown_once(tmp_path: Path) -> None:
    with served() as d, site(tmp_path, settings={"TELEGRAM__BASE_URL": d.telegram_url, "TELEGRAM__BOT": "true"}) as s:
        made = s.post("/recipients/invite", {"role": "manager"})
        assert "?start=" in made.text and "?startgroup=" in made.text
        assert "?start=" not in s.get("/recipients").text
        assert s.post("/recipients/invite", {"role": "king"}).status_code == 400


def test_status_names_what_needs_a_hand(tmp_path: Path) -> None:
    with site(tmp_path, videos=2, hours=1, prepare=dead_message) as s:
        text = s.get("/status").text
        assert "Needs a hand" in text and "could not be delivered" in text
        assert "statistics" in text and "chat not found" in text


def test_a_status_page_does_not_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    with site(
        tmp_path, videos=1, hours=1, settings={"STREAMING__BOOTSTRAP": "127.0.0.1:1", "STREAMING__REGISTRY_URL": "http://127.0.0.1:1"}
    ) as s:
        first = s.get("/status").text
        assert "To be published" in first and "The parts are being asked" in first
        ends_at = time.monotonic() + 60
        while "Kafka does not answer" not in (page := s.get("/status").text):
            assert "The parts are being asked" in page and time.monotonic() < ends_at
        assert "Asked <time" in page


def test_what_the_parts_say_is_on_the_status_page(tmp_path: Path) -> None:
    said = {
        "at": "2026-11-24T12:00:00+00:00",
        "topics": [
            {"topic": "yt_videos", "partitions": 3, "offsets": 1234, "newest_at": "2026-11-24T11:00:00+00:00"},
            {"topic": "yt_changes", "partitions": 0, "offsets": 0, "newest_at": None},
        ],
        "engine": [{"name": "yt-alerts-v1", "state": "FAILED", "fault": "out of <memory>", "checkpoint": "", "checkpoint_at": None}],
        "readers": [{"group": "yt-readings-flink", "topic": "yt_videos", "behind": 1500}],
        "connector": {"state": "RUNNING", "fault": "", "tasks": [{"number": 0, "state": "FAILED", "fault": "401"}], "runs": False},
    }

    async def look(patience: float) -> dict[str, Any]:
        return {"known": said, "asking": True}

    away = {"STREAMING__BOOTSTRAP": "127.0.0.1:1", "STREAMING__REGISTRY_URL": "http://127.0.0.1:1"}
    with site(tmp_path, settings={**away, "STREAMING__CONNECT_URL": "http://127.0.0.1:1"}) as s:
        s.app.requested.more = {**s.app.requested.more, "stream look": look}
        text = s.get("/status").text
    for shown in ("1,234", "not there", "1,500 behind", "failed: ", "out of &lt;memory&gt;", "task 0: failed", "are being asked"):
        assert shown in text, shown


def test_without_streaming_nothing_is_said_of_it(tmp_path: Path) -> None:
    with site(tmp_path) as s:
        assert "Streaming" not in s.get("/status").text


def test_what_changes_something_is_refused_without_the_form_token(tmp_path: Path) -> None:
    with site(tmp_path, videos=1, hours=1) as s:
        for path in ("/add", "/rules/new", "/rules/remove", "/watches/remove", "/outbox/test", "/recipients/edit", "/recipients/invite"):
            assert s.browser.post(path, data={"target": FIRST, "to": RECIPIENT}).status_code == 403, path
