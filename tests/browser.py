"""A real browser for the tests of the pages: the system's Chromium, driven by Playwright; and the real program that it looks at."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from served import CHAT, Home, Running, Served, home
from ytwatcher.tls import trusted

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
"""Milliseconds for anything that a page does; the machine may be busy."""
SERIOUS = ("serious", "critical")
DESKTOP, PHONE = (1280, 800), (390, 844)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. On a machine without one the test is skipped with the reason; in the CI it fails there."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("not run: there is no Chromium (Debian: apt install chromium)")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found, args=list(FLAGS)) as browser:
        yield browser


@dataclass
class Window:
    """A page of a context of its own, and what went wrong in it."""

    context: BrowserContext
    page: Page
    faults: list[str]


@contextlib.contextmanager
def window(browser: Browser, url: str, *, size: tuple[int, int] = DESKTOP, look: str = "light", scripts: bool = True) -> Iterator[Window]:
    """A private window whose paths are relative to `url`; at its end no script may have failed, and the policy forbidden nothing.

    Args:
        look: `light` or `dark`, as the system prefers it.
        scripts: whether JavaScript runs.
    """
    values: dict[str, Any] = {"color_scheme": look, "java_script_enabled": scripts, "reduced_motion": "reduce", "locale": "en-GB"}
    context = browser.new_context(base_url=url, viewport={"width": size[0], "height": size[1]}, timezone_id="Europe/Berlin", **values)
    context.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None)
    try:
        yield Window(context, page, faults)
    finally:
        context.close()
    assert not faults, faults


def serious_findings(page: Page) -> list[str]:
    """What axe finds on the page that keeps somebody out: each with its place.

    The script is injected past the page's policy, which forbids it as any other.
    """
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{page.url}: {one['id']} ({one['impact']}): {node['html'][:120]}: {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]


@dataclass
class Watching:
    """The real program at work against the doubles, with its pages."""

    services: Served
    home: Home
    running: Running
    url: str

    def sends(self, path: str, **form: str) -> None:
        """Send a form as a page does, without a browser: what a test begins with."""
        with httpx.Client(base_url=self.url, timeout=30, verify=trusted()) as client:
            token = re.search(r'name="form-token" content="(\w+)"', client.get(path).text)
            assert token is not None
            answer = client.post(path, data={"form_token": token[1], **form}, headers={"origin": self.url})
            assert answer.status_code == 303, answer.text


@contextlib.contextmanager
def watching(services: Served, folder: Path, *, keys: bool = True, settings: Mapping[str, str] | None = None) -> Iterator[Watching]:
    """`ytwatcher run` with the pages on a free port.

    Args:
        keys: without them it serves the page of the first run.
        settings: further variables without their prefix.
    """
    port = free_port()
    more = {"WEB__LISTEN": f"127.0.0.1:{port}", "WEB__THUMBNAIL_URL": "off", "POLL__MIN_INTERVAL": "10s", **(settings or {})}
    made = home(folder, services, keys=keys)
    made.env |= {f"YTWATCHER_{name}": value for name, value in more.items()}
    running = made.start("run")
    try:
        running.wait_for("Pages: ")
        if keys:
            running.wait_for("Ctrl-C")
        yield Watching(services, made, running, f"http://127.0.0.1:{port}")
    finally:
        running.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Line:
    """A line between the browser and the program that can be cut: what is connected ends, and nothing new gets through."""

    def __init__(self) -> None:
        self._to, self._cut = 0, threading.Event()
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def lead_to(self, port: int) -> None:
        self._to = port

    def cut(self) -> None:
        self._cut.set()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut.clear()

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            if self._cut.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pass, args=(source, target))
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65_536):
                target.sendall(part)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()
        self._open.discard(source)


OPERATOR = f"telegram:{CHAT}"
