"""The pages: how soon overview and chart are there, five hundred who listen, memory and start; the program as a user starts it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from bench.doubles import KEY, Doubles, doubles
from bench.figures import Figure, Figures, count, megabytes, milliseconds, quantile
from bench.memory import as_installed, resident
from ytwatcher.core.model import PRESENT, Metric, MetricState, to_ms
from ytwatcher.simulator import make_video_id
from ytwatcher.store.db import open_journal
from ytwatcher.store.subjects import encode_state

IDLE_VIDEOS = 200
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CHART = timedelta(days=30)
UNTIL = 30.0
"""Seconds that a listener waits for an alert before the measurement fails."""


@dataclass
class Program:
    """`ytwatcher run` with its pages; `started`: seconds from its start to its first answer."""

    url: str
    pid: int
    started: float


def run(
    folder: Path, *, videos: int = 3_000, readings: int = 40_000, listeners: int = 500, rounds: int = 20, idle: float = 10, starts: int = 3
) -> Figures:
    """`rounds`: how often each page is asked for, and how many alerts all listeners hear."""
    began = [_idle(folder / f"idle{n}", idle if n == 0 else 0) for n in range(starts)]
    path = folder / "many"
    _watch(path, videos, readings)
    rarely = {"POLL__MIN_INTERVAL": "24h", "POLL__MAX_INTERVAL": "24h"}
    with doubles(1, 1) as both, program(path, both, **rarely) as p, httpx.Client(base_url=p.url, timeout=60) as client:
        overview, wire = _asked(client, "/?page=2", rounds)
        first = make_video_id(0)
        chart, chart_wire = _asked(client, f"/videos/{first}/chart.json?span=30d", rounds)
        page, _ = _asked(client, f"/videos/{first}?span=30d", rounds)
        bare, _ = _asked(client, "/healthz", rounds)
        before = resident(p.pid)
        heard = asyncio.run(_listen(p, listeners, rounds))
        after = resident(p.pid)
    return Figures(
        "The pages",
        f"`ytwatcher run` with the bot and the pages on; pages over loopback, compressed: the median of {rounds} (in brackets what 95 % do"
        f" not exceed). {videos:,} videos with a week of hourly readings, one of them with {readings:,} readings in 30 days. {listeners}"
        f" clients listen to `/live` and one more reads nothing; {rounds} test messages, each an alert, are asked for by the outbox's form,"
        " and the time is that from sending the form to the last client's reading. The clients share the cores with the program.",
        [
            Figure(f"overview, 100 of {videos:,} videos", _times(overview), f"{_times(bare)} (`/healthz`)", "< 150 ms"),
            Figure("the same on the wire", f"{wire / 1000:,.1f} kB", "", "< 60 kB"),
            Figure(f"30-day chart of {readings:,} readings, its specification", _times(chart), "", "< 200 ms"),
            Figure("the same on the wire", f"{chart_wire / 1000:,.1f} kB"),
            Figure("that video's page", _times(page)),
            Figure(
                f"one alert reaches all {listeners}",
                f"{milliseconds(statistics.median(heard))} ({milliseconds(max(heard))} at most)",
                "",
                "< 1 s",
            ),
            Figure(
                f"memory before, after {listeners} listeners and {rounds} alerts", f"{megabytes(before)}, {megabytes(after)}", "", "flat"
            ),
            Figure(f"memory idle, {IDLE_VIDEOS} videos, {count(idle)} s after the start", megabytes(began[0][1]), "", "< 120 MB"),
            Figure("start → first page, median", f"{statistics.median(one[0] for one in began):.2f} s", "", "< 2 s"),
        ],
        "filling the template's hundred rows, and compressing them.",
    )


def _times(seconds: list[float]) -> str:
    return f"{milliseconds(statistics.median(seconds))} ({milliseconds(quantile(seconds, 0.95))})"


def _asked(client: httpx.Client, path: str, rounds: int) -> tuple[list[float], int]:
    """Seconds of each answer, and the bytes of one on the wire."""
    seconds, size = [], 0
    client.get(path).raise_for_status()
    for _ in range(rounds):
        began = time.perf_counter()
        with client.stream("GET", path) as answer:
            size = sum(map(len, answer.iter_raw()))
        seconds.append(time.perf_counter() - began)
        answer.raise_for_status()
    return seconds, size


def _idle(folder: Path, seconds: float) -> tuple[float, int]:
    """How long the start takes, and the memory after so many seconds."""
    _watch(folder, IDLE_VIDEOS, 0)
    with doubles(1, IDLE_VIDEOS) as both, program(folder, both) as p:
        time.sleep(seconds)
        return p.started, resident(p.pid)


@contextlib.contextmanager
def program(folder: Path, both: Doubles, **settings: str) -> Iterator[Program]:
    """`ytwatcher run` on the journal of the folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    command = [sys.executable, "-m", "ytwatcher", "run"]
    process = subprocess.Popen(command, env=_env(folder, both, port, settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert process.poll() is None, "the program has ended"
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/quota", timeout=60).raise_for_status()
                break
            time.sleep(0.02)
        yield Program(url, process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(30)


def _env(folder: Path, both: Doubles, port: int, settings: Mapping[str, str]) -> Mapping[str, str]:
    more = {
        "DATA__DIR": str(folder),
        "YOUTUBE__BASE_URL": both.youtube,
        "YOUTUBE__API_KEY": KEY,
        "TELEGRAM__BASE_URL": both.telegram,
        "TELEGRAM__BOT_TOKEN": both.token,
        "TELEGRAM__BOT": "true",
        "TELEGRAM__OPERATOR": "telegram:1",
        "WEB__LISTEN": f"127.0.0.1:{port}",
        "WEB__THUMBNAIL_URL": "off",
        **settings,
    }
    return {**as_installed(), **{f"YTWATCHER_{name}": value for name, value in more.items()}}


async def _listen(p: Program, listeners: int, rounds: int) -> list[float]:
    """Of each alert the seconds until the last listener had it; one more connects and never reads."""
    port = int(p.url.rpartition(":")[2])
    _, stalled = await _connect(port)
    readers = [await _connect(port) for _ in range(listeners)]
    for reader, _ in readers:
        await reader.readuntil(b"\r\n\r\n")
    found = []
    async with httpx.AsyncClient(base_url=p.url, timeout=60) as client:
        token = re.search(r'name="form-token" content="(\w+)"', (await client.get("/outbox")).text)
        assert token is not None
        for _ in range(rounds):
            heard = [asyncio.create_task(_until_alert(reader)) for reader, _ in readers]
            began = time.perf_counter()
            form = {"form_token": token[1], "to": "telegram:1"}
            sending = asyncio.create_task(client.post("/outbox/test", data=form, headers={"origin": p.url}))
            found.append(max(await asyncio.gather(*heard)) - began)
            assert (await sending).status_code == 303
    for _, writer in readers:
        writer.close()
    stalled.close()
    return found


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /live?kinds=alert HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return reader, writer


async def _until_alert(reader: asyncio.StreamReader) -> float:
    """When the next new alert was read; its later states are passed over."""
    async with asyncio.timeout(UNTIL):
        while True:
            line = await reader.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data:") and b'"waiting"' in line:
                return time.perf_counter()


def _watch(folder: Path, videos: int, readings: int) -> None:
    """Watch so many videos with a week of hourly readings; the first has `readings` in 30 days instead, where there are any."""
    folder.mkdir()
    con = open_journal(folder / "ytwatcher.db")
    con.execute("BEGIN IMMEDIATE")
    con.execute("INSERT INTO recipient (pk, address) VALUES (1, 'telegram:1')")
    now = datetime.now(UTC)
    for number in range(videos):
        _put(con, number, now)
        times = [(h * HOUR, 10 * h) for h in range(168)] if number or not readings else [(n * CHART / readings, n) for n in range(readings)]
        con.executemany(
            "INSERT INTO reading (subject_pk, from_at, to_at, views, likes, comments) VALUES (?1, ?2, ?2, ?3, ?3 / 40, ?3 / 900)",
            ((number + 1, to_ms(now - past), 500_000 + number - lower + round(50 * math.sin(lower / 9))) for past, lower in times),
        )
    con.execute("COMMIT")
    con.close()


def _put(con: sqlite3.Connection, number: int, now: datetime) -> None:
    key, name, at, views = number + 1, make_video_id(number), to_ms(now), 500_000 + number
    values = {Metric.VIEWS: views, Metric.LIKES: views // 40, Metric.COMMENTS: views // 900}
    state = encode_state({metric: MetricState(value, None, now, value) for metric, value in values.items()}, PRESENT, now)
    con.execute(
        "INSERT INTO subject (pk, id, kind, title, channel_title, published_at, newest_at, read_at, metadata_at, due_at, state)"
        " VALUES (?, ?, 'video', ?, ?, ?, ?, ?, ?, ?, ?)",
        (key, name, f"Film {number}", f"Channel {number % 97}", at - 10**10, at, at, at, at + 86_400_000, state),
    )
    con.execute("INSERT INTO target (pk, id, kind, title, added_at) VALUES (?, ?, 'video', ?, ?)", (key, name, f"Film {number}", at))
    con.execute("INSERT INTO member (target_pk, subject_pk, joined_at) VALUES (?, ?, ?)", (key, key, at))
    con.execute("INSERT INTO watch (pk, target_pk, recipient_pk, added_at) VALUES (?, ?, 1, ?)", (key, key, at))
    con.execute(
        "INSERT INTO rule (pk, id, watch_pk, recipient_pk, target_pk, line, made_at) VALUES (?, ?, ?, 1, ?, 'views milestones', ?)",
        (key, f"r{key}", key, key, at),
    )
