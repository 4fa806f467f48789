"""Both doubles served from a thread, and the real program run as a user runs it: what the tests of commands stand on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

from forked import Forked, forked
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, serve
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.simulator.youtube import API_KEY

KEY = "CANARY-key-0123456789"
TOKEN = "7000000001:CANARY-token-that-nobody-may-see-0123"
CHAT = 4242
PATIENCE = 120.0
"""Real seconds for what takes one or two; only a machine that stands still needs them."""
GLANCE = 0.02
"""Real seconds between two looks at what others do: without a pause, looking would take the processor that they need."""
T = TypeVar("T")


@dataclass
class Served:
    """The doubles and where they are. They live in another thread: change them by `do`."""

    world: World
    youtube: YouTubeDouble
    telegram: TelegramDouble
    youtube_url: str
    telegram_url: str
    loop: asyncio.AbstractEventLoop

    def do(self, change: Callable[[], T]) -> T:
        """Change or look at the doubles in their own thread."""

        async def call() -> T:
            return change()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(PATIENCE)

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Look at the doubles until something is so."""
        ends_at = time.monotonic() + seconds
        while not self.do(condition):
            assert time.monotonic() < ends_at, "it did not come to that"
            time.sleep(GLANCE)


class Running:
    """A running command; what it prints on both streams is collected, and can be waited for."""

    def __init__(self, process: subprocess.Popen[str] | Forked, *streams: IO[str] | None) -> None:
        self.process = process
        self.printed = ""
        self._more = threading.Condition()
        self._readers = [threading.Thread(target=self._read, args=(stream,)) for stream in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str] | None) -> None:
        assert stream is not None
        for line in stream:
            with self._more:
                self.printed += line
                self._more.notify_all()
        stream.close()

    def wait_for(self, text: str, seconds: float = PATIENCE) -> None:
        with self._more:
            assert self._more.wait_for(lambda: text in self.printed, seconds), f"no {text!r} in: {self.printed}"

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ends_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ended(self) -> int:
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        assert not leaks(self.printed), "a secret was printed"
        return code


def leaks(text: str) -> bool:
    return KEY in text or TOKEN.partition(":")[2] in text


@dataclass
class Home:
    """A person's home folder with its environment, in which the program is run."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *args: str, given: str | None = None, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        with TemporaryFile("w+") as typed, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            typed.write(given or "")
            typed.seek(0)
            program = forked(args, {**self.env, **(env or {})}, self.folder, (typed, out, err))
            try:
                code = program.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGKILL)
                raise
            out.seek(0)
            err.seek(0)
            done = subprocess.CompletedProcess(args, code, out.read(), err.read())
        assert not leaks(done.stdout + done.stderr), "a secret was printed"
        assert "Traceback" not in done.stderr
        return done

    def ok(self, *args: str) -> str:
        """What a command that must succeed prints."""
        done = self.run(*args)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.ok(*args, "--json"))

    def start(self, *args: str) -> Running:
        """A command that runs until it is told to stop."""
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with Path(os.devnull).open() as nothing, os.fdopen(out_end, "w") as to_out, os.fdopen(err_end, "w") as to_err:
            process = forked(args, self.env, self.folder, (nothing, to_out, to_err))
        return Running(process, os.fdopen(out), os.fdopen(err))

    def assert_no_leaks(self) -> None:
        """No secret is in any file but those that the test or `init` put it into."""
        for file in self.folder.rglob("*"):
            if file.is_file() and file.suffix not in (".toml", ".secret"):
                assert not leaks(file.read_bytes().decode("utf-8", "replace")), file

    @staticmethod
    def command(*args: str) -> list[str]:
        return [sys.executable, "-m", "ytwatcher", *args]


def now() -> datetime:
    return datetime.now(UTC)


@contextlib.contextmanager
def served(now: Callable[[], datetime] = now, burst: int = 100) -> Iterator[Served]:
    """Doubles on the real clock, unless another is named, with one private chat; key and token are canaries."""
    ready = threading.Event()
    made: list[Served] = []
    stops: list[asyncio.Event] = []

    async def go() -> None:
        world = World(now)
        youtube, telegram = YouTubeDouble(world, now, api_keys=[KEY]), TelegramDouble(now, token=TOKEN, burst=burst)
        telegram.add_chat(CHAT, title="Ada")
        stops.append(asyncio.Event())
        async with serve(youtube.app) as youtube_url, serve(telegram.app) as telegram_url:
            made.append(Served(world, youtube, telegram, youtube_url, telegram_url, asyncio.get_running_loop()))
            ready.set()
            await stops[0].wait()

    thread = threading.Thread(target=asyncio.run, args=(go(),))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield made[0]
    finally:
        made[0].loop.call_soon_threadsafe(stops[0].set)
        thread.join()


def simulated(folder: Path, youtube_url: str, telegram_url: str) -> dict[str, str]:
    """An environment with the simulator's own keys, and doubles at these addresses."""
    return {
        "HOME": str(folder),
        "YTWATCHER_YOUTUBE__BASE_URL": f"{youtube_url}/youtube/v3",
        "YTWATCHER_YOUTUBE__API_KEY": API_KEY,
        "YTWATCHER_TELEGRAM__BASE_URL": telegram_url,
        "YTWATCHER_TELEGRAM__BOT_TOKEN": BOT_TOKEN,
    }


def home(folder: Path, services: Served, *, keys: bool = True) -> Home:
    """An environment that knows nothing but the doubles' addresses and, where wanted, the keys and the chat."""
    env = {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "TERM": "dumb",
        "COLUMNS": "80",
        "TZ": "Europe/Berlin",
        "LANG": "C.UTF-8",
        **({"PYTHONPATH": path} if (path := os.environ.get("PYTHONPATH")) else {}),  # the program that the tests see
        "YTWATCHER_YOUTUBE__BASE_URL": f"{services.youtube_url}/youtube/v3",
        "YTWATCHER_TELEGRAM__BASE_URL": services.telegram_url,
    }
    if keys:
        env |= {
            "YTWATCHER_YOUTUBE__API_KEY": KEY,
            "YTWATCHER_TELEGRAM__BOT_TOKEN": TOKEN,
            "YTWATCHER_TELEGRAM__OPERATOR": f"telegram:{CHAT}",
        }
    return Home(folder, env)
