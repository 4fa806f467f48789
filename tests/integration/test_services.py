"""Services reached through Apprise: real HTTP to a service that answers, refuses, waits or is away; its URL is nowhere to be seen."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from outbox_stage import START, stage
from virtual_clock import VirtualClock
from ytwatcher import log
from ytwatcher.app import open_app
from ytwatcher.config import load
from ytwatcher.core.retry import UNPACED
from ytwatcher.errors import ConfigError
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing
from ytwatcher.notify.services import ServiceSender
from ytwatcher.secret import Secret
from ytwatcher.setting_keys import hidden

CANARY = "CANARY-token-9f8e7d6c"
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's, on Python 3.11 and 3.12


class Service(ThreadingHTTPServer):
    """`/STATUS/…` answers so; `/wait/…` answers when the test ends."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, Any]] = []
        self.released = threading.Event()

    def url(self, path: str, scheme: str = "json") -> str:
        return f"{scheme}://me:{CANARY}@127.0.0.1:{self.server_port}/{path}/{CANARY}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, json.loads(body)))
        first = self.path.split("/")[1]
        if first == "wait":
            self.server.released.wait(30)
        with contextlib.suppress(OSError):  # whoever asked may have left
            self.send_response(int(first) if first.isdigit() else 200)
            self.send_header("content-length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def sent(url: str, text: str = "passed 1,000", patience: float = 20) -> DeliveryError | None:
    async def go() -> DeliveryError | None:
        sender = ServiceSender({"team": Secret(url)}, timedelta(seconds=patience))
        try:
            await sender.send("apprise:team", Outgoing(f"<b>{text}</b>", text))
        except DeliveryError as error:
            return error
        return None

    return asyncio.run(go())


def test_a_message_arrives_as_plain_text(service: Service) -> None:
    assert sent(service.url("200"), "A <film> & *more*\nViews passed 1,000 🎉") is None
    [(path, body)] = service.got
    assert path == f"/200/{CANARY}" and body["message"] == "A <film> & *more*\nViews passed 1,000 🎉"


def test_ntfy_arrives_too(service: Service) -> None:
    assert sent(f"ntfy://127.0.0.1:{service.server_port}/topic", "hello") is None
    assert service.got[0][1] == {"topic": "topic", "message": "hello"}


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (401, Failure.UNREACHABLE),
        (404, Failure.UNREACHABLE),
        (429, Failure.TOO_FAST),
        (500, Failure.UNREACHABLE),
        (502, Failure.UNKNOWN),
        (503, Failure.UNREACHABLE),
    ],
)
def test_an_answer_that_says_no_is_sorted_by_what_follows(service: Service, status: int, failure: Failure) -> None:
    error = sent(service.url(str(status)))
    assert error is not None and error.failure is failure and f"HTTP {status}" in str(error)
    assert CANARY not in repr(error) and "127.0.0.1" not in repr(error)


def test_a_service_that_is_away_has_nothing() -> None:
    error = sent(f"json://127.0.0.1:9/{CANARY}")
    assert error is not None and error.failure is Failure.UNREACHABLE and str(error) == "JSON cannot be reached"


def test_a_service_that_never_answers_is_left_after_the_time_out(service: Service) -> None:
    error = sent(f"{service.url('wait')}?rto=60", patience=0.5)
    assert error is not None and error.failure is Failure.UNKNOWN and str(error) == "JSON has not answered"


def test_a_long_message_is_split_and_nothing_is_lost(service: Service) -> None:
    text = "\n".join(f"line {n} " + "x" * 90 for n in range(400))
    assert sent(service.url("200"), text) is None
    assert len(service.got) == 2
    assert "".join(body["message"] for _, body in service.got).replace("\n", "") == text.replace("\n", "")
    error = sent(service.url("500"), text)
    assert error is not None and error.failure is Failure.UNKNOWN  # a part may be there


def test_a_url_that_apprise_does_not_take_is_a_fault_without_it() -> None:
    with pytest.raises(ConfigError) as caught:
        ServiceSender({"a": Secret(f"nonsense://{CANARY}"), "b": Secret(f"discord://{CANARY}"), "c": Secret("json://localhost")})
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["services.a", "services.b"]
    assert CANARY not in str(caught.value)


def test_a_name_that_the_configuration_no_longer_has_waits_for_a_hand() -> None:
    async def go() -> None:
        sender = ServiceSender({})
        assert sender.pace("apprise:gone") == UNPACED and not sender.knows("apprise:gone") and await sender.alive()
        with pytest.raises(DeliveryError) as caught:
            await sender.send("apprise:gone", Outgoing(None, "x"))
        assert caught.value.failure is Failure.NEEDS_ADMIN and "“gone”" in str(caught.value)

    asyncio.run(go())


def test_neither_apprise_nor_jinja_is_loaded_where_nothing_needs_it() -> None:
    code = "import sys, ytwatcher.cli, ytwatcher.commands.run; print(sorted({'apprise', 'requests', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_pace_is_the_services_own() -> None:
    sender = ServiceSender({"phone": Secret("ntfy://localhost/topic"), "hook": Secret("json://localhost")})
    assert sender.pace("apprise:phone").gap > timedelta(seconds=1) and sender.pace("apprise:hook").gap == timedelta(0)


def test_an_outage_is_waited_for_and_ends_in_one_message(service: Service, tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as scene:
            scene.senders["apprise"] = ServiceSender({"team": Secret(f"json://127.0.0.1:9/{CANARY}")})
            await scene.alert("apprise:team")
            await scene.run(timedelta(hours=2))
            [row] = await scene.rows("SELECT state, attempts, last_error FROM message")
            assert row["state"] == "pending" and row["attempts"] > 10 and row["last_error"] == "JSON cannot be reached"
            scene.senders["apprise"] = ServiceSender({"team": Secret(service.url("200"))})
            await scene.run(timedelta(minutes=10))
            assert [row["state"] for row in await scene.rows("SELECT state FROM message")] == ["sent"]

    asyncio.run(go())
    assert len(service.got) == 1 and "May be a repeat" not in service.got[0][1]["message"]


def test_the_url_is_in_no_log_error_or_journal(service: Service, tmp_path: Path) -> None:
    stream = io.StringIO()
    settings = load(
        None, tmp_path, {"HOME": str(tmp_path), "YTWATCHER_SERVICES__TEAM": service.url("401"), "YTWATCHER_LOG__LEVEL": "debug"}
    )
    log.configure("debug", "json", log.Redactor(hidden(settings)), stream)

    async def go() -> str:
        clock = VirtualClock(START)
        async with open_app(settings, clock) as app:
            clock.busy.append(lambda: app.dispatcher.busy)
            outcome = await app.perform("outbox test", {"recipient": "apprise:team"})
            unknown = await app.perform("outbox test", {"recipient": "apprise:teem"})
            await clock.drive(app.dispatcher.drain())
            logging.getLogger("urllib3.connectionpool").warning("%s", service.url("401"))
            return f"{outcome} {unknown} {app!r} {settings!r}"

    try:
        shown = asyncio.run(go())
    finally:
        logging.getLogger().handlers.clear()
    logged = stream.getvalue()
    assert service.got and "HTTP 401" in logged and "there is no service “teem”; did you mean “team”?" in shown
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert CANARY not in logged and CANARY not in shown and CANARY.encode() not in stored
