"""A stack: one folder with its ports, processes, logs and data. Several live side by side; the kits are shared."""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from stack import kits
from stack.parts import KITS_OF, NEEDS, PARTS, PORT_NAMES, Addresses, Launch, Login, Part, Place, format_command, free_ports, launch
from stack.process import Process, spawn, wait_until

READY_WITHIN = 120.0
"""Seconds. On two idle cores the slowest part needs 6; a busy machine has been seen to need 40."""

ERROR = re.compile(r"\b(ERROR|FATAL)\b|^Error|^Exception|^Caused by|^[\w.$]+(Exception|Error)\b")
"""A line of a Java program's log that says what went wrong."""


class Failed(Exception):
    """A part did not start; shows what its log says about it."""


def _silent(_: str) -> None:
    return None


class Stack:
    """`say` receives one line for each thing that takes a while."""

    def __init__(self, home: Path, say: Callable[[str], None] = _silent) -> None:
        self.home = home.absolute()
        self._say = say
        self._children: dict[Part, subprocess.Popen[bytes]] = {}  # kept only so that those we started are reaped

    def install(self, parts: Iterable[Part]) -> None:
        """Raises kits.MissingTool, kits.InstallFailed."""
        kits.install((kit for part in parts for kit in KITS_OF[part]), self._say)

    def up(self, parts: Iterable[Part] = PARTS) -> Addresses:
        """Install and start these parts and what they need, as many at once as can be. Raises as `install` and `start`."""
        wanted = [part for part in PARTS if part in _with_needs(parts)]
        self.install(wanted)
        for wave in ([part for part in wanted if part != "connect"], [part for part in wanted if part == "connect"]):
            launched = [(part, self._launch(part, {})) for part in wave if not self._process(part)]
            for part, begun in launched:
                self._await(part, begun)
        return self.addresses()

    def start(self, part: Part, environment: Mapping[str, str] | None = None) -> None:
        """Start one installed part, unless it runs, and wait until it is ready; the environment is added to ours. Raises Failed."""
        if not self._process(part):
            self._await(part, self._launch(part, environment or {}))

    def stop(self, part: Part) -> None:
        """As an operator would: it finishes what it has in hand."""
        self._end(part)

    def kill(self, part: Part) -> None:
        """As a power cut would."""
        self._end(part, grace=0)

    def down(self) -> None:
        """Stop everything; what another part needs goes last."""
        for part in reversed(PARTS):
            self.stop(part)

    def reset(self) -> None:
        """Stop everything and forget it all: data, logs, ports."""
        for part in reversed(PARTS):
            self.kill(part)
        shutil.rmtree(self.home, ignore_errors=True)

    def running(self) -> dict[Part, int]:
        """Process ids by part."""
        found = {part: self._process(part) for part in PARTS}
        return {part: process.pid for part, process in found.items() if process}

    def addresses(self) -> Addresses:
        """Chosen when first asked for and kept."""
        return self._place().addresses

    def login(self) -> Login:
        """For the secure listener; chosen when first asked for and kept."""
        return self._place().login

    def log(self, part: Part) -> Path:
        return self.home / "logs" / f"{part}.log"

    @property
    def secrets(self) -> Path:
        """A folder whose files Connect reads as `${secrets:FOLDER:FILE}`."""
        return self._place().data("secrets")

    def _place(self) -> Place:
        file = self.home / "chosen.json"
        with kits.exclusive(self.home / "lock"):
            chosen: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"ports": {}, "password": secrets.token_hex(16)}
            if not chosen["ports"].keys() >= set(PORT_NAMES):  # a new stack, or one from before a port was added
                chosen["ports"] = {**free_ports(zlib.crc32(str(self.home).encode())), **chosen["ports"]}
                file.write_text(json.dumps(chosen))
        return Place(self.home, chosen["ports"], Login("watcher", chosen["password"], self.home / "data" / "certificates" / "ca.pem"))

    def _process(self, part: Part) -> Process | None:
        return Process.read(self._pid_file(part))

    def _pid_file(self, part: Part) -> Path:
        return self.home / f"{part}.pid"

    def _launch(self, part: Part, environment: Mapping[str, str]) -> "_Begun":
        self._say(f"starting {part}")
        place = self._place()
        log = self.log(part)
        log.parent.mkdir(exist_ok=True)
        if part == "broker":
            self._format(place)
        begun = _Begun(launch(part, place), log, log.stat().st_size if log.exists() else 0)
        child = spawn(begun.launch.command, log, {**os.environ, **begun.launch.environment, **environment})
        self._children[part] = child
        if process := Process.of(child.pid):
            process.write(self._pid_file(part))
        return begun

    def _format(self, place: Place) -> None:
        if (place.data("broker") / "meta.properties").exists():
            return
        # A leading dash would be read as an option.
        cluster_id = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        done = subprocess.run(format_command(place, cluster_id), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"the broker's folder could not be prepared:\n{done.stdout}{done.stderr}")

    def _await(self, part: Part, begun: "_Begun") -> None:
        in_time = wait_until(lambda: not self._process(part) or begun.is_ready(), READY_WITHIN)
        if not self._process(part):
            self._end(part)
            raise Failed(f"{part} ended while it started; {begun.complaint()}")
        if not in_time:
            raise Failed(f"{part} was not ready within {READY_WITHIN:.0f} s; {begun.complaint()}")

    def _end(self, part: Part, grace: float | None = None) -> None:
        if process := self._process(part):
            process.end() if grace is None else process.end(grace)
        if child := self._children.pop(part, None):
            child.wait()
        self._pid_file(part).unlink(missing_ok=True)


class _Begun:
    """A part that was launched: its log from there on."""

    def __init__(self, launch: Launch, log: Path, offset: int) -> None:
        self.launch = launch
        self.log = log
        self._offset = offset

    def is_ready(self) -> bool:
        try:
            return self.launch.ready()
        except httpx.HTTPError:
            return False

    def complaint(self) -> str:
        """The last lines of the log that name an error, else simply the last ones."""
        with self.log.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().decode(errors="replace").splitlines()
        errors = [line for line in lines if ERROR.search(line)]
        return "\n".join([f"from {self.log}:", *(errors or lines)[-20:]])


def _with_needs(parts: Iterable[Part]) -> set[Part]:
    return {needed for part in parts for needed in (part, *NEEDS[part])}
