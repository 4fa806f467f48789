"""`run` with a log file: a rotation moves it away, SIGHUP begins a new one, and no address of a service is in either."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from served import GLANCE, PATIENCE, home, served

CANARY = "CANARY-webhook-5f4e3d2c"


def until_written(file: Path, text: str, seconds: float = PATIENCE) -> None:
    ends_at = time.monotonic() + seconds
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < ends_at, f"no {text!r} in {file}"
        time.sleep(GLANCE)


def test_a_rotation_is_followed_at_sighup(tmp_path: Path) -> None:
    file, moved = tmp_path / "ytwatcher.log", tmp_path / "ytwatcher.log.1"
    with served() as services:
        person = home(tmp_path, services)
        person.env |= {
            "YTWATCHER_LOG__FILE": str(file),
            "YTWATCHER_LOG__LEVEL": "debug",
            "YTWATCHER_SERVICES__TEAM": f"json://127.0.0.1:9/{CANARY}",
        }
        running = person.start("run")
        until_written(file, "running")
        file.rename(moved)
        running.process.send_signal(signal.SIGHUP)
        person.run("outbox", "test", "apprise:team")
        until_written(file, "message not sent")
        assert running.end() == 0
        until_written(file, "stopped")
        assert "running" in moved.read_text() and "stopped" not in moved.read_text()
        assert CANARY not in file.read_text() + moved.read_text() + running.printed
        person.assert_no_leaks()


def test_a_log_file_that_cannot_be_written_is_a_fault_of_its_key(tmp_path: Path) -> None:
    with served() as services:
        done = home(tmp_path, services).run("run", env={"YTWATCHER_LOG__FILE": str(tmp_path / "nowhere" / "x.log")})
    assert done.returncode == 2 and f"log.file: {tmp_path}/nowhere/x.log cannot be written: No such file" in done.stderr
