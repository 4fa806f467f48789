"""Processes that outlive the program that started them, found again by id and start time: a recycled id is somebody else's process."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

GRACE = 20.0
"""Seconds between TERM and KILL. A broker that closes its log cleanly takes about five."""

PAUSE = 0.1
"""Seconds between two questions."""


@dataclass(frozen=True)
class Process:
    """A running process. `started` is the system's own word for when: compared, never parsed."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """None = no such process, or one that has ended and only waits for its parent to notice."""
        stat = Path(f"/proc/{pid}/stat")
        if not Path("/proc/self/stat").exists():
            return cls._of_ps(pid)
        try:
            fields = stat.read_text().rpartition(") ")[2].split()  # the name before them may hold anything
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid, fields[19])

    @classmethod
    def _of_ps(cls, pid: int) -> "Process | None":
        """Where there is no /proc (macOS)."""
        said = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
        state, _, started = said.strip().partition(" ")
        return None if not started or state.startswith("Z") else cls(pid, started.strip())

    @classmethod
    def read(cls, file: Path) -> "Process | None":
        """The process that a file names, while it still runs."""
        try:
            pid, _, started = file.read_text().partition(" ")
        except FileNotFoundError:
            return None
        named = cls(int(pid), started)
        return named if cls.of(named.pid) == named else None

    def write(self, file: Path) -> None:
        file.write_text(f"{self.pid} {self.started}")

    def end(self, grace: float = GRACE) -> None:
        """TERM, then KILL after the grace; returns when it is gone. No grace = KILL at once."""
        if grace:
            self._signal(signal.SIGTERM)
            if self._gone_within(grace):
                return
        self._signal(signal.SIGKILL)
        self._gone_within(GRACE)

    def _signal(self, number: signal.Signals) -> None:
        if Process.of(self.pid) == self:
            os.kill(self.pid, number)

    def _gone_within(self, seconds: float) -> bool:
        return wait_until(lambda: Process.of(self.pid) != self, seconds)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again, for at most so long, what another program offers no call to wait for. False = it did not come true."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(PAUSE)
    return True


def spawn(command: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C in the terminal does not reach it; all it says goes to the end of the log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
