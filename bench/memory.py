"""What `ytwatcher run` takes: memory idle and after a week's work, and how soon it reads; the program started as a user starts it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.doubles import KEY, Doubles, Pace, doubles
from bench.figures import Figure, Figures, count, megabytes
from ytwatcher.core.model import SubjectKind, TargetKind
from ytwatcher.simulator import make_video_id
from ytwatcher.store import recipients, subjects, watches
from ytwatcher.store.db import open_journal

VIDEOS = 200
START = datetime(2026, 10, 5, 17, tzinfo=UTC)


def run(folder: Path, *, starts: int = 5, idle: float = 10, days: float = 7, seconds: float = 150) -> Figures:
    """`idle`: the wall seconds after which memory is read; the `days` are run in so many wall `seconds`."""
    helps = [_timed([sys.executable, "-m", "ytwatcher", "--help"]) for _ in range(starts)]
    bare = statistics.median(_timed([sys.executable, "-c", "pass"]) for _ in range(starts))
    polls, memory = zip(*(_start(folder / str(number), idle if number == 0 else 0) for number in range(starts)), strict=True)
    week, calls = _timelapse(folder / "week", days, seconds)
    return Figures(
        "Memory and start",
        f"`ytwatcher run` with the bot's commands and the page off, {VIDEOS} videos with two rules each; the doubles are a process of their"
        f" own. Memory is the resident set of the process. {days:g} days are run in {seconds:.0f} s on a faster clock.",
        [
            Figure(f"memory {idle:.0f} s after the start", megabytes(memory[0]), "", "< 80 MB"),
            Figure(f"memory after {days:g} days ({count(calls)} calls)", megabytes(week), "", "< 80 MB"),
            Figure("start → first call at YouTube, median", f"{statistics.median(polls):.2f} s", f"{bare:.2f} s (Python alone)", "< 1 s"),
            Figure("`ytwatcher --help`, median", f"{statistics.median(helps):.2f} s", f"{bare:.2f} s (Python alone)", "< 0.25 s"),
        ],
        "imports: the HTTP client, the settings' validation and the command line's library.",
    )


def _start(folder: Path, idle: float) -> tuple[float, int]:
    """Seconds from the start to the first call, and the memory after `idle` seconds more."""
    _watch(folder, datetime.now(UTC))
    with doubles(1, VIDEOS) as both:
        began = datetime.now(UTC)
        process = subprocess.Popen([sys.executable, "-m", "ytwatcher", "run"], env=_env(folder, both), stdout=subprocess.DEVNULL)
        try:
            while not (asked := both.asked()):
                assert process.poll() is None, "the program has ended"
                time.sleep(0.02)
            time.sleep(idle)
            return (asked[0] - began).total_seconds(), resident(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _timelapse(folder: Path, days: float, seconds: float) -> tuple[int, int]:
    """The memory after the days, and how many calls there were."""
    pace = Pace(days * 86_400 / seconds, START, time.time())
    _watch(folder, START)
    with doubles(1, VIDEOS, pace) as both:
        command = [sys.executable, "-m", "bench.timelapse", str(folder), str(pace.speed), str(START.timestamp()), str(pace.real_start)]
        process = subprocess.Popen(command, env=_env(folder, both), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while pace.clock().now() < START + timedelta(days=days):
                assert process.poll() is None, "the program has ended"
                time.sleep(0.5)
            return resident(process.pid), len(both.asked())
        finally:
            process.terminate()
            process.wait(30)


def _watch(folder: Path, now: datetime) -> None:
    """Watch all videos, as `ytwatcher add` would have stored it."""
    folder.mkdir()
    con = open_journal(folder / "ytwatcher.db")
    recipient_pk = recipients.ensure(con, "telegram:1")
    for number in range(VIDEOS):
        target = watches.ensure_target(con, make_video_id(number), TargetKind.VIDEO, f"Film {number}", None, False, now)
        watches.join(con, target, subjects.ensure(con, make_video_id(number), SubjectKind.VIDEO, now), None, now)
        watch, _ = watches.ensure_watch(con, target, recipient_pk, now)
        for line in ("views every 1000", "likes milestones"):
            watches.add_rule(con, watch, line, now)
    con.close()


def _env(folder: Path, both: Doubles) -> Mapping[str, str]:
    return {
        **as_installed(),
        "YTWATCHER_DATA__DIR": str(folder),
        "YTWATCHER_YOUTUBE__BASE_URL": both.youtube,
        "YTWATCHER_YOUTUBE__API_KEY": KEY,
        "YTWATCHER_TELEGRAM__BASE_URL": both.telegram,
        "YTWATCHER_TELEGRAM__BOT_TOKEN": both.token,
        "YTWATCHER_TELEGRAM__BOT": "false",
        "YTWATCHER_TELEGRAM__OPERATOR": "telegram:1",
    }


def as_installed() -> dict[str, str]:
    """The environment of a program whose modules are compiled, as pip leaves them, and not anew at each start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=as_installed(), check=True, capture_output=True)
    return time.perf_counter() - began


def resident(pid: int) -> int:
    """Bytes of memory that the process holds."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
