"""`ytwatcher` as a process of its own that is there at once: a fork of one that has loaded all of the program, and nothing else.

    program = forked(["list"], env={"HOME": "/tmp/x"}, folder=Path("/tmp/x"), files=(stdin, stdout, stderr))
    assert program.wait(30) == 0

To load the program anew for each of hundreds of commands would take a second of the processor each. How one starts from nothing
is seen by the tests that start `python -m ytwatcher` themselves.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import IO

LONGEST = 1 << 20
"""Bytes of an order."""


class Forked:
    """A running program, as `subprocess.Popen` shows one. Its id is nobody else's while this object is there."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.pid = int(_line(channel))
        self._code: int | None = None

    def wait(self, timeout: float) -> int:
        """The exit code (negative: the signal that ended it). Raises subprocess.TimeoutExpired after so many seconds."""
        if self._code is None:
            if not select.select([self._channel], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("ytwatcher", timeout)
            self._code = int(self._channel.recv(16))
            self._channel.close()
        return self._code

    def __del__(self) -> None:
        self._channel.close()

    def send_signal(self, number: int) -> None:
        if self._code is None:
            os.kill(self.pid, number)


def forked(args: Sequence[str], env: Mapping[str, str], folder: Path, files: Sequence[IO[str]]) -> Forked:
    """Start `ytwatcher ARGS` in that folder and environment, and with those standard input, output and error."""
    ours, theirs = socket.socketpair()
    order = json.dumps([list(args), dict(env), str(folder)]).encode()
    assert len(order) < LONGEST
    with theirs:
        socket.send_fds(_parent(), [order], [*(file.fileno() for file in files), theirs.fileno()])
    return Forked(ours)


def _line(channel: socket.socket) -> bytes:
    """A line, and nothing of what may be behind it already."""
    said = b""
    while not said.endswith(b"\n"):
        one = channel.recv(1)
        assert one, "the process that forks is gone"
        said += one
    return said


@functools.cache
def _parent() -> socket.socket:
    """Where orders go: the process that has loaded the program. It ends when this one ends."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C.UTF-8"}
    nothing, end = subprocess.DEVNULL, theirs.fileno()
    with theirs:
        process = subprocess.Popen([sys.executable, __file__, str(end)], env=env, pass_fds=[end], stdin=nothing, stdout=nothing)

    @atexit.register
    def bury() -> None:
        ours.close()
        process.wait()

    return ours


def _load() -> None:
    import_module("typer.rich_utils")
    package = import_module("ytwatcher")
    for module in walk_packages(package.__path__, "ytwatcher."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    assert threading.active_count() == 1, "what has threads cannot be forked"
    gc.freeze()


def main(orders: socket.socket) -> None:
    """Fork for each order; the grandchild returns, to become the program."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children need no burial
    _load()
    while True:
        order, files, _, _ = socket.recv_fds(orders, LONGEST, 4)
        if not order:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (program := os.fork()) == 0:
                os.close(orders.detach())
                return _become(order, files)
            _attend(program, files.pop())
        for file in files:
            os.close(file)


def _attend(program: int, channel: int) -> None:
    """Say the program's id and then its exit code; it is buried only when nobody can send it a signal any more."""
    os.closerange(3, channel)
    os.closerange(channel + 1, channel + 64)
    os.write(channel, b"%d\n" % program)
    ended = os.waitid(os.P_PID, program, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    os.write(channel, b"%d" % (ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status))
    os.read(channel, 1)
    os._exit(0)


def _become(order: bytes, files: list[int]) -> None:
    args, env, folder = json.loads(order)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["ytwatcher", *args]
    sys.path[0] = folder  # not the folder of the tests
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    import_module("ytwatcher.cli").main()
