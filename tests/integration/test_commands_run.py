"""run, demo, status and quota as a person uses them: the real program against both doubles."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from served import CHAT, Home, Served, home, now, served
from ytwatcher.core.model import to_ms
from ytwatcher.core.quota import Bucket
from ytwatcher.core.render import Limits
from ytwatcher.simulator import make_video_id
from ytwatcher.store import outbox, quota, recipients, watches
from ytwatcher.store.db import Lease, open_journal
from ytwatcher.store.quota import Terms

VIDEO = make_video_id(1)
TITLE = "A [bold]boat[/bold] & more"


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        running.do(lambda: running.world.add_video(VIDEO, title=TITLE, views=98_000, likes=7, published_at=now() - timedelta(days=90)))
        yield running


@pytest.fixture
def here(tmp_path: Path, services: Served) -> Iterator[Home]:
    made = home(tmp_path, services)
    (tmp_path / "tmp").mkdir()
    made.env["TMPDIR"] = str(tmp_path / "tmp")
    yield made
    services.do(services.youtube.clear)
    services.do(services.telegram.clear)
    made.assert_no_leaks()


def journal(at: Home) -> Path:
    return at.folder / ".local/share/ytwatcher/ytwatcher.db"


# --- run


def test_run_says_what_to_add_serves_a_command_beside_it_and_stops_with_0(here: Home, services: Served) -> None:
    running = here.start("run")
    running.wait_for("Nothing is watched yet")
    running.wait_for("running")
    assert here.run("status").returncode == 0
    assert here.json("add", VIDEO)["numbers"]["views"] == 98_000
    assert here.json("status")["running"] is True
    assert running.end(signal.SIGTERM) == 0
    assert "answer_taken" in running.printed, "it was the running process that asked YouTube"
    here.ok("recipients", "set", "telegram:77")  # who watches nothing is not named
    again = here.start("run")
    again.wait_for(f"Watching 1 target with 1 video; messages go to telegram:{CHAT} by @ytwatcher_sim_bot")
    again.wait_for("running")
    assert again.end(signal.SIGINT) == 0


def test_run_beside_another_waits_and_takes_over(here: Home) -> None:
    first = here.start("run")
    first.wait_for("running")
    second = here.start("run")
    second.wait_for("Another process works on this journal")
    assert first.end() == 0
    second.wait_for("running")
    third = here.start("run")
    third.wait_for("Another process works on this journal")
    assert third.end(signal.SIGINT) == 0
    assert second.end() == 0


def test_a_second_signal_ends_it_at_once(here: Home, services: Served) -> None:
    here.ok("add", VIDEO)
    calls = services.do(lambda: len(services.youtube.calls))
    services.do(lambda: services.youtube.fail("*", "slow", seconds=20))
    running = here.start("run")
    services.until(lambda: len(services.youtube.calls) > calls)
    running.process.send_signal(signal.SIGTERM)
    assert not running.ends_within(1), "the first one leaves it the work in hand"
    running.process.send_signal(signal.SIGTERM)
    assert running.ended() == -signal.SIGTERM


def test_a_dead_loop_ends_the_process_with_its_error(here: Home) -> None:
    running = here.start("run")
    running.wait_for("running")
    with contextlib.closing(sqlite3.connect(journal(here))) as con:
        con.execute("DROP TABLE request")
    assert running.ended() == 3
    assert "no such table: request" in running.printed
    assert "Traceback" not in running.printed


def test_run_without_a_key_says_how_to_get_one(here: Home) -> None:
    done = here.run("run", env={"YTWATCHER_YOUTUBE__API_KEY": ""})
    assert done.returncode == 2
    assert "ytwatcher init" in done.stderr
    assert here.run("run", "--demo-without-keys", env={"YTWATCHER_YOUTUBE__API_KEY": ""}).returncode == 2, "a token is a key, too"


def test_run_starts_without_telegram_and_says_when_the_token_is_refused(here: Home, services: Served) -> None:
    services.do(lambda: services.telegram.fail("getMe", "html502"))
    running = here.start("run")
    running.wait_for("does not answer at the moment")
    running.wait_for("running")
    assert running.end() == 0
    services.do(services.telegram.clear)
    services.do(lambda: services.telegram.fail("getMe", "unauthorized401"))
    running = here.start("run")
    running.wait_for("refuses the bot token")
    running.wait_for("running")
    assert running.end() == 0


# --- demo


def test_the_demo_shows_messages_within_seconds_and_ends_with_a_summary(here: Home) -> None:
    running = here.start("demo", "--speed", "240")
    running.wait_for("We built a boat from 1,000 bottles")
    running.wait_for("Telegram ·")
    running.wait_for("error page (502)")
    assert running.end(signal.SIGINT) == 0
    assert "nothing false was told" in " ".join(running.printed.split())
    assert "ytwatcher init" in running.printed
    assert list((here.folder / "tmp").iterdir()) == [], "nothing is left behind"


def test_run_without_any_key_is_the_demo_where_that_was_asked_for(tmp_path: Path, services: Served) -> None:
    running = home(tmp_path, services, keys=False).start("run", "--demo-without-keys")
    running.wait_for("No keys are configured, so this is the demo")
    running.wait_for("Slow evenings")
    assert running.end(signal.SIGINT) == 0


def test_the_demo_ends_by_itself_and_names_a_port_that_is_taken(here: Home, services: Served) -> None:
    port = services.youtube_url.rpartition(":")[2]
    taken = here.run("demo", "--port", port)
    assert taken.returncode == 2
    assert "--port" in taken.stderr
    assert here.run("demo", "--minutes", "0").returncode == 0


# --- status


def test_status_of_nothing_says_what_comes_next(here: Home) -> None:
    shown = here.ok("status")
    assert "Nothing is watched yet: ytwatcher add LINK" in shown
    assert here.json("status")["needs_a_hand"] == []


def test_status_names_what_needs_a_hand(here: Home) -> None:
    here.ok("add", VIDEO)
    here.ok("add", VIDEO, "--to", "telegram:77")
    con = open_journal(journal(here))
    target = watches.targets(con)[0]
    watches.mark_fault(con, target.pk, "playlistNotFound", now())
    recipients.lose(con, recipients.ensure(con, "telegram:77"), "bot was [bold]blocked", f"telegram:{CHAT}", now())
    quota.close(con, Bucket.DEFAULT, Terms(), now())
    con.close()
    done = here.run("status")
    shown = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "ytwatcher run starts it" in shown
    assert f"“{TITLE}” cannot be listed (playlistNotFound)" in shown
    assert "telegram:77 is lost (bot was [bold]blocked): ytwatcher outbox test telegram:77" in shown
    assert "closed by YouTube until" in shown
    assert "just now telegram:77 cannot be reached any more" in shown, "the newest notices are shown"
    values = here.run("status", "--json")
    assert values.returncode == 1
    assert '"closed_at": "20' in values.stdout


def test_an_address_that_was_only_tried_is_not_missed(here: Home) -> None:
    assert here.run("outbox", "test", "telegram:78").returncode == 5
    here.ok("outbox", "drop", "1")
    assert here.json("status")["needs_a_hand"] == []


def test_a_vanished_video_is_no_silence_and_news_that_cannot_leave_is_named(here: Home) -> None:
    here.ok("add", VIDEO)
    con, long_ago = open_journal(journal(here)), now() - timedelta(hours=3)
    con.execute("UPDATE subject SET newest_at = ?", (to_ms(long_ago),))
    lease = Lease(journal(here))
    assert lease.take()
    assert here.json("status")["needs_a_hand"] == []
    recipients.add_notice(con, "old", "Old news", f"telegram:{CHAT}", long_ago)
    job = outbox.take(con, recipients.ensure(con, f"telegram:{CHAT}"), long_ago, Limits())
    assert job is not None
    outbox.record_retry(con, job.pk, now(), "Unauthorized")
    con.close()
    done = here.run("status")
    lease.release()
    assert done.returncode == 1
    assert "news made 3 h ago is not sent yet (Unauthorized)" in " ".join(done.stdout.split())


def test_a_journal_that_is_none_ends_with_3(here: Home) -> None:
    journal(here).parent.mkdir(parents=True)
    journal(here).write_bytes(b"not a database at all, but long enough to be looked at as one")
    for command in ("status", "quota", "run"):
        done = here.run(command)
        assert (done.returncode, "not a database" in done.stderr) == (3, True), done.stderr


# --- quota


def test_quota_says_what_was_used_and_what_to_expect(here: Home) -> None:
    assert "Nothing is watched yet" in here.ok("quota")
    here.ok("add", VIDEO)
    asked_at, values, told_at = now(), here.json("quota"), now()
    stats = values["buckets"]["videos.batchGetStats"]
    assert stats["used_total"] == 1
    assert stats["left"] == 9_999
    assert stats["reserve"] == 500
    default = values["buckets"]["default"]
    left = [datetime.fromisoformat(default["resets_at"]) - at for at in (asked_at, told_at)]
    assert default["planned"]["metadata"] in [round(one / timedelta(hours=6)) for one in left], "one call each six hours, until the reset"
    assert (values["videos"], values["videos_near_a_number"]) == (1, 0)
    assert (values["interval"], values["expected_delay"]) == (300, 450)
    shown = " ".join(here.ok("quota").split())
    assert "9,999" in shown
    assert "read every 5 minutes, so news is about 7 minutes 30 seconds old" in shown
    assert "CE" in shown.partition("ends at")[2], "the reset is told in local time"


def test_quota_of_closed_buckets_says_when_they_are_asked_again(here: Home) -> None:
    here.ok("add", VIDEO)
    con = open_journal(journal(here))
    for bucket in Bucket:
        quota.close(con, bucket, Terms(), now())
    con.close()
    shown = " ".join(here.ok("quota").split())
    assert "it is asked again at" in shown
    assert "once an hour" in shown
    assert here.json("quota")["buckets"]["default"]["left"] == 0
