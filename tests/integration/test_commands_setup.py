"""init, doctor and check-config as a person uses them: the real program against both doubles."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from served import CHAT, GLANCE, KEY, PATIENCE, TOKEN, Home, Served, home, leaks, served


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture(autouse=True)
def as_new(services: Served) -> None:
    """Each test finds the services as new."""

    def clear() -> None:
        services.youtube.clear()
        services.telegram.clear()
        services.telegram.webhook = {}
        services.telegram.updates.pending.clear()
        services.telegram.add_chat(CHAT, title="Ada")

    services.do(clear)


@pytest.fixture
def keyless(tmp_path: Path, services: Served) -> Iterator[Home]:
    """A home without a configuration."""
    made = home(tmp_path, services, keys=False)
    (tmp_path / "key.secret").write_text(f"{KEY}\n")
    (tmp_path / "token.secret").write_text(TOKEN)
    yield made
    made.assert_no_leaks()


FILES = ("--youtube-key-file", "key.secret", "--telegram-token-file", "token.secret")


class Terminal:
    """A command in a terminal: what it shows, and what is typed."""

    def __init__(self, at: Home, *args: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            at.command(*args), env=at.env, cwd=at.folder, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.shown = ""

    def read(self, until: str, seconds: float = PATIENCE) -> None:
        ends_at = time.monotonic() + seconds
        while until not in self.shown:
            ready, _, _ = select.select([self._master], [], [], max(0.0, ends_at - time.monotonic()))
            assert ready, f"no {until!r} in: {self.shown}"
            self.shown += os.read(self._master, 65_536).decode("utf-8", "replace")

    def answer(self, question: str, text: str) -> None:
        self.read(question)
        self.shown = self.shown.partition(question)[2]
        os.write(self._master, f"{text}\n".encode())

    def secret(self, question: str, text: str) -> None:
        """Answer a question whose answer is not shown: what is typed before the echo is off is thrown away."""
        self.read(question)
        ends_at = time.monotonic() + PATIENCE
        while termios.tcgetattr(self._master)[3] & termios.ECHO:
            assert time.monotonic() < ends_at, "what is typed is shown"
            time.sleep(GLANCE)
        self.answer(question, text)

    def end(self) -> int:
        """Read to the end; the exit code."""
        try:
            while data := os.read(self._master, 65_536):
                self.shown += data.decode("utf-8", "replace")
        except OSError:  # how the end of a terminal is told
            pass
        os.close(self._master)
        return self.process.wait(PATIENCE)


# --- init


def test_init_asks_checks_finds_the_chat_and_writes_what_only_its_owner_can_read(keyless: Home, services: Served) -> None:
    here = Terminal(keyless, "init")
    here.secret("YouTube API key", "AIzaNotAKey")
    here.read("does not know this key")
    here.secret("YouTube API key", KEY)
    here.read("YouTube takes the key")
    here.secret("Telegram bot token", "1:wrong")
    here.read("refuses the bot token")
    here.secret("Telegram bot token", TOKEN)
    here.read("https://t.me/ytwatcher_sim_bot")
    services.do(lambda: services.telegram.user_writes(CHAT, "[bold]hello", name="Ada"))
    here.read("private chat with Ada, who wrote “[bold]hello” – telegram:4242")
    here.answer("Shall messages go there?", "y")
    here.read("ytwatcher run")
    assert here.end() == 0
    assert not leaks(here.shown)
    file = keyless.folder / "ytwatcher.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    values = keyless.json("check-config")["values"]
    assert values["telegram.operator"] == f"telegram:{CHAT}"
    assert values["telegram.timezone"] == "Europe/Berlin"
    assert "This is a test" in services.do(lambda: services.telegram.messages[-1].shown)
    assert services.do(lambda: services.telegram.updates.pending) == [], "what was read is confirmed"


def test_init_asks_on_when_it_was_the_wrong_chat_and_both_keys_may_be_skipped(keyless: Home, services: Served) -> None:
    services.do(lambda: services.telegram.add_chat(-77, "group", "Others"))
    services.do(lambda: services.telegram.user_writes(-77, "/start"))
    here = Terminal(keyless, "init")
    here.secret("YouTube API key", "")
    here.secret("Telegram bot token", TOKEN)
    here.answer("group “Others”, where Someone wrote – telegram:-77", "n")
    services.do(lambda: services.telegram.user_writes(CHAT, "me"))
    here.answer("telegram:4242", "y")
    assert here.end() == 0
    assert "No API key" in here.shown


def test_init_with_nothing_writes_nothing(keyless: Home) -> None:
    here = Terminal(keyless, "init")
    here.secret("YouTube API key", "")
    here.secret("Telegram bot token", "")
    assert here.end() == 2
    assert "neither key was given" in here.shown
    assert not (keyless.folder / "ytwatcher.toml").exists()


def test_init_explains_a_webhook_and_removes_it_only_with_a_yes(keyless: Home, services: Served) -> None:
    services.do(lambda: services.telegram.webhook.update(url="https://other.example/secret-path"))
    here = Terminal(keyless, "init", *FILES)
    here.answer("webhook at other.example", "n")
    assert here.end() == 2
    assert "--chat telegram:CHAT" in here.shown
    assert services.do(lambda: services.telegram.webhook["url"])
    services.do(lambda: services.telegram.user_writes(CHAT, "hello"))
    here = Terminal(keyless, "init", *FILES)
    here.answer("Remove the webhook?", "y")
    here.answer("Shall messages go there?", "y")
    assert here.end() == 0
    assert not services.do(lambda: services.telegram.webhook)


def test_init_names_another_program_that_fetches_the_messages(keyless: Home, services: Served) -> None:
    here = keyless.start("init", *FILES)
    here.wait_for("Now write something")
    services.until(lambda: services.telegram.updates.polled)
    httpx.post(f"{services.telegram_url}/bot{TOKEN}/getUpdates", json={"timeout": 0})
    assert here.ended() == 2
    assert "409 Conflict" in here.printed


def test_init_without_questions(keyless: Home, services: Served) -> None:
    services.do(lambda: services.telegram.user_writes(CHAT, "hello"))
    done = keyless.run("--config", "conf/yt.toml", "init", *FILES, "--yes")
    assert done.returncode == 0, done.stderr
    assert "A test message is in telegram:4242" in done.stdout
    again = keyless.run("--config", "conf/yt.toml", "init", *FILES, "--yes")
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_init_without_questions_does_not_guess_among_several_chats(keyless: Home, services: Served) -> None:
    services.do(lambda: services.telegram.add_chat(5151, title="A stranger"))
    services.do(lambda: services.telegram.user_writes(CHAT, "hello"))
    services.do(lambda: services.telegram.user_writes(5151, "me, me"))
    done = keyless.run("init", *FILES, "--yes")
    assert done.returncode == 2
    assert "telegram:4242, telegram:5151" in done.stderr


def test_init_anew_keeps_the_other_settings(keyless: Home) -> None:
    file = keyless.folder / "ytwatcher.toml"
    file.write_text('[poll]\nmin_interval = "2m"\nreserve = 0.1\n[telegram]\nlanguage = "de"\n')
    assert keyless.run("init", *FILES, "--chat", f"telegram:{CHAT}", "--yes", "--force").returncode == 0
    values = keyless.json("check-config")["values"]
    assert (values["poll.min_interval"], values["poll.reserve"], values["telegram.language"]) == ("2m", "0.1", "de")
    assert values["youtube.api_key"] == "***"


def test_init_says_when_the_test_message_does_not_arrive(keyless: Home, services: Served) -> None:
    services.do(lambda: services.telegram.block(CHAT))
    done = keyless.run("init", *FILES, "--chat", f"telegram:{CHAT}", "--yes")
    assert "The test message is dead: Forbidden: bot was blocked by the user" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--chat", "telegram:x"), 2, "is not an address"),
        (("--youtube-key-file", "no.secret"), 2, "cannot be read"),
        (("--youtube-key-file", "empty.secret", "--yes"), 2, "is empty"),
        (("--youtube-key-file", "odd.secret", "--yes"), 2, "one word"),
        (("--telegram-token-file", "odd.secret", "--yes"), 2, "refuses the bot token"),
        (("--yes",), 2, "neither key was given"),
    ],
)
def test_init_says_what_is_wrong_with_what_it_was_given(keyless: Home, args: tuple[str, ...], code: int, words: str) -> None:
    (keyless.folder / "empty.secret").write_text("\n")
    (keyless.folder / "odd.secret").write_text("two words")
    done = keyless.run("init", *args)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr


def test_init_tells_a_service_that_is_away_from_a_key_that_is_wrong(keyless: Home, services: Served) -> None:
    services.do(lambda: services.youtube.fail("*", "backend503"))
    assert keyless.run("init", *FILES, "--yes").returncode == 5
    services.do(services.youtube.clear)
    services.do(lambda: services.youtube.fail("*", "serviceDisabled"))
    done = keyless.run("init", *FILES, "--yes")
    assert done.returncode == 2
    assert "Enable it at" in done.stderr


# --- doctor


def test_doctor_finds_nothing_wrong_and_counts_what_it_cost(tmp_path: Path, services: Served) -> None:
    here = home(tmp_path, services)
    report = here.json("doctor")
    states = {finding["name"]: finding["state"] for finding in report["findings"]}
    assert report["ok"] is True
    assert set(states.values()) == {"ok", "warning"}
    warnings = {name for name, state in states.items() if state == "warning"}
    assert warnings - {"pictures"} == {"clock"}, "the double tells no date, and a machine need not have the letters of all scripts"
    assert report["forms"]["videos.batchGetStats: counters are"] == "strings"
    assert report["forms"]["key in the header"] == "taken"
    assert (report["units"], report["counted"]) == (4, True)
    buckets = here.json("quota")["buckets"]
    assert (buckets["default"]["used_total"], buckets["videos.batchGetStats"]["used_total"]) == (3, 1)
    here.assert_no_leaks()


def test_doctor_says_what_to_do(tmp_path: Path, services: Served) -> None:
    here = home(tmp_path, services)
    services.do(lambda: services.telegram.webhook.update(url="https://other.example/secret-path"))
    done = here.run("doctor", env={"YTWATCHER_YOUTUBE__API_KEY": "AIzaWrong"})
    shown = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "does not know this key" in shown
    assert "goes to other.example" in shown
    assert "secret-path" not in shown
    assert "2 units of quota used" in shown


def test_doctor_without_keys_and_with_somebody_elses_database(tmp_path: Path, services: Served) -> None:
    here = home(tmp_path, services, keys=False)
    (tmp_path / "ytwatcher.db").write_text("not a database at all, but long enough to be looked at as one")
    done = here.run("--data", ".", "doctor")
    shown = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "youtube.api_key is not set" in shown
    assert "file is not a database" in shown
    assert "No quota was used" in shown


def test_doctor_reports_services_that_are_away(tmp_path: Path, services: Served) -> None:
    nowhere = "http://127.0.0.1:9"
    done = home(tmp_path, services).run(
        "doctor", "--json", env={"YTWATCHER_YOUTUBE__BASE_URL": nowhere, "YTWATCHER_TELEGRAM__BASE_URL": nowhere}
    )
    failed = {finding["name"] for finding in json.loads(done.stdout)["findings"] if finding["state"] == "failed"}
    assert (done.returncode, failed) == (1, {"YouTube", "Telegram"})


# --- check-config


def test_check_config_shows_every_value_and_no_secret(tmp_path: Path, services: Served) -> None:
    here = home(tmp_path, services)
    shown = here.ok("check-config")
    assert "youtube.api_key" in shown
    assert "***" in shown
    found = here.json("check-config")
    assert found["file"] is None
    assert found["values"]["telegram.bot_token"] == "***"


def test_check_config_names_every_fault_at_once(tmp_path: Path, services: Served) -> None:
    here = home(tmp_path, services)
    (tmp_path / "ytwatcher.toml").write_text('[poll]\nmin_interval = "soon"\n[telegram]\ntimezone = "Berlin"\ncolour = 1\n')
    done = here.run("check-config")
    assert done.returncode == 2
    for words in ("poll.min_interval", "“soon” is not a duration", "telegram.timezone", "telegram.colour", "there is no such setting"):
        assert words in done.stderr
    assert here.run("--config", "missing.toml", "check-config").returncode == 2
