"""The live stream: nothing missed and nothing twice across reconnects; many listeners, and one that takes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from web_stage import Site, fill, site
from ytwatcher.core.model import to_ms
from ytwatcher.simulator import make_video_id
from ytwatcher.store import events
from ytwatcher.store.db import Database
from ytwatcher.store.events import Event, EventKind
from ytwatcher.web.live import EventStream, Live, cursor_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALL = frozenset(EventKind)


class Heard(NamedTuple):
    seq: int
    kind: str
    data: dict[str, Any]


def heard(text: str) -> list[Heard]:
    """The events in a piece of a stream; blocks without data only move the cursor."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append(Heard(int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])))
    return found


def read_again(con: sqlite3.Connection, n: int, at: datetime) -> None:
    """A reading of the n-th video is accepted."""
    con.execute("UPDATE subject SET newest_at = ? WHERE id = ?", (to_ms(at), make_video_id(n)))


def find(con: sqlite3.Connection, n: int) -> None:
    """A rule finds something."""
    con.execute(
        "INSERT INTO alert (id, recipient_pk, target_pk, rule_id, subject_id, kind, metric, previous, current, observed_at, mark, made_at)"
        " SELECT ?, pk, 1, 'r1', ?, 'milestones', 'views', 900, 1000, ?, 1000, ? FROM recipient",
        (f"r1:x:{n}", make_video_id(1), to_ms(NOW), to_ms(NOW)),
    )


class Stage:
    """A journal with videos, and who follows it."""

    def __init__(self, db: Database) -> None:
        self.db, self.observed = db, list[Event]()
        self.live = Live(db, self.observed.append)

    async def listen(
        self, cursor: int | None, until: int, kinds: frozenset[EventKind] = ALL, ready: asyncio.Barrier | None = None
    ) -> list[Heard]:
        """What a listener hears until it has heard of the event `until`; it begins as all that share `ready` are there."""
        told: list[Heard] = []
        async with asyncio.timeout(120), contextlib.aclosing(self.live.listen(cursor, kinds)) as chunks:
            async for chunk in chunks:
                if ready is not None and not told:
                    await ready.wait()
                    ready = None
                told += heard(chunk.decode())
                if f"id: {until}\n" in chunk.decode():
                    return told
        raise AssertionError("the stream ended")

    async def newest(self) -> int:
        return (await self.db.read(events.kept)).newest


def staged(tmp_path: Path, play: Callable[[Stage], Awaitable[None]], videos: int = 3) -> None:
    async def go() -> None:
        async with opened(tmp_path, videos) as stage:
            await play(stage)

    asyncio.run(go())


@contextlib.asynccontextmanager
async def opened(folder: Path, videos: int) -> AsyncIterator[Stage]:
    db = Database(folder / "journal.db")
    following: asyncio.Task[None] | None = None
    try:
        await db.write(fill, videos, 2, NOW)
        stage = Stage(db)
        following = asyncio.create_task(stage.live.run())
        await stage.live.began.wait()
        yield stage
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        db.close()


def test_a_reading_an_alert_and_its_states_are_told_with_what_there_is_to_say(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        start = await s.newest()
        listening = asyncio.create_task(s.listen(start, start + 3))
        await s.db.write(read_again, 2, NOW + timedelta(minutes=5))
        await s.db.write(find, 1)
        await s.db.write(lambda con: con.execute("UPDATE alert SET state = 'held', reason = 'quiet hours'") and None)
        reading, waiting, held = await listening
        assert (reading.kind, reading.data["subject"], reading.data["at"]) == ("reading", make_video_id(2), "2026-11-20T12:05:00.000Z")
        assert reading.data["values"]["views"] == 10_000 + 137 * 2 + 10 * 2 * 2
        assert (waiting.kind, waiting.data["state"], waiting.data["current"]) == ("alert", "waiting", 1000)
        assert (held.data["state"], held.data["reason"], held.data["to"]) == ("held", "quiet hours", "telegram:1001")
        assert [event.seq for event in s.observed] == [start + 1, start + 2, start + 3], "the gauges saw each of them once"

    staged(tmp_path, play)


def test_who_reconnects_with_a_cursor_misses_nothing_and_hears_nothing_twice(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        start = await s.newest()
        told: list[Heard] = []
        for n in range(1, 301):
            writing = asyncio.create_task(s.db.write(read_again, 1 + n % 3, NOW + timedelta(seconds=n)))
            if n % 7 == 0:  # a connection that is cut at any moment
                told += await s.listen(told[-1].seq if told else start, start + n - 1) if n > 7 else await s.listen(start, start + n - 1)
            await writing
        told += await s.listen(told[-1].seq, start + 300)
        assert [event.seq for event in told] == list(range(start + 1, start + 301))

    staged(tmp_path, play)


def test_what_is_not_kept_ready_is_replayed_from_the_journal_also_by_another_process(tmp_path: Path) -> None:
    def read_often(con: sqlite3.Connection) -> None:
        for n in range(1, 1201):
            read_again(con, 1 + n % 3, NOW + timedelta(seconds=n))

    async def first(s: Stage) -> None:
        await s.db.write(read_often)

    async def second(s: Stage) -> None:
        newest = await s.newest()
        told = await s.listen(1, newest)
        assert [event.seq for event in told] == list(range(2, newest + 1))
        assert told[-1].kind == "started", "what happened while nobody recorded is not among them, and that is said"

    staged(tmp_path, first)

    async def again() -> None:
        db = Database(tmp_path / "journal.db")
        stage = Stage(db)
        following = asyncio.create_task(stage.live.run())
        await stage.live.began.wait()
        try:
            await second(stage)
        finally:
            following.cancel()
            await asyncio.wait([following])
            db.close()

    asyncio.run(again())


def test_a_cursor_that_was_never_given_or_is_too_old_is_told_to_begin_anew(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        newest = await s.newest()
        for cursor in (newest + 50, -2, cursor_of("nonsense")):
            assert [event.kind for event in await s.listen(cursor, newest)] == ["reset"]
        await s.db.write(
            lambda con: con.execute("DELETE FROM event") and con.execute("INSERT INTO event VALUES (900, 'started', 0, 1)") and None
        )
        assert (await s.listen(3, 900))[0].kind == "reset"

    staged(tmp_path, play)
    assert cursor_of(None) is None and cursor_of("") is None and cursor_of("17") == 17


def test_who_wants_alerts_only_hears_no_readings_and_keeps_its_place(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        start = await s.newest()
        await s.db.write(read_again, 1, NOW + timedelta(seconds=1))
        await s.db.write(find, 1)
        await s.db.write(read_again, 1, NOW + timedelta(seconds=2))
        told = await s.listen(start, start + 3, frozenset({EventKind.ALERT}))
        assert [event.kind for event in told] == ["alert"]

    staged(tmp_path, play)


def test_the_journal_keeps_only_the_newest_events(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        await s.db.write(lambda con: con.execute("INSERT INTO event VALUES (?, 'started', 0, NULL)", (events.KEPT + 10,)) and None)
        assert await s.db.read(events.kept) == (events.KEPT + 10, events.KEPT + 10)

    staged(tmp_path, play)


def test_one_alert_reaches_five_hundred_listeners(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        start = await s.newest()
        ready = asyncio.Barrier(501)
        listening = [asyncio.create_task(s.listen(start, start + 1, ready=ready)) for _ in range(500)]
        await ready.wait()
        await s.db.write(find, 1)
        told = await asyncio.gather(*listening)
        assert all([event.seq for event in one] == [start + 1] for one in told)
        assert s.live.listeners == 0

    staged(tmp_path, play)


def test_a_listener_that_takes_nothing_is_dropped_and_one_that_leaves_ends_its_stream(tmp_path: Path) -> None:
    async def play(s: Stage) -> None:
        never, gone = asyncio.Event(), asyncio.Event()

        async def takes_nothing(message: Any) -> None:
            if message["type"] == "http.response.body":
                await never.wait()

        async def takes(message: Any) -> None:
            pass

        async def stays() -> Any:
            await never.wait()

        async def leaves() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        stalled = asyncio.create_task(EventStream(s.live.listen(None, ALL), patience=0.05)({}, stays, takes_nothing))
        leaving = asyncio.create_task(EventStream(s.live.listen(None, ALL))({}, leaves, takes))
        async with asyncio.timeout(60):
            await stalled
            assert s.live.listeners == 1
            gone.set()
            await leaving
            assert s.live.listeners == 0

    staged(tmp_path, play)


def followed(s: Site) -> int:
    """The newest event once the site follows the journal, which notes that as an event: a listener is answered only then."""
    with s.browser.stream("GET", "/live") as answer:
        next(answer.iter_raw())
    return s.do(s.app.db.read(events.kept)).newest


def test_the_stream_is_served_and_a_browser_goes_on_where_it_was(tmp_path: Path) -> None:
    with site(tmp_path, videos=2) as s:
        start = followed(s)
        for n in range(1, 5):
            s.do(s.app.db.write(read_again, 1, s.now + timedelta(seconds=n)))

        def first_lines(headers: dict[str, str], enough: int) -> list[Heard]:
            text = ""
            with httpx.stream("GET", f"{s.url}/live", headers=headers, timeout=60) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert answer.headers["cache-control"] == "no-store"
                for part in answer.iter_text():
                    text += part
                    if len(heard(text)) >= enough:
                        return heard(text)
            raise AssertionError(text)

        assert [one.seq for one in first_lines({"last-event-id": str(start)}, 4)] == [start + 1, start + 2, start + 3, start + 4]
        assert [one.seq for one in first_lines({"last-event-id": str(start + 3)}, 1)] == [start + 4]


def test_a_page_names_the_cursor_from_which_its_stream_goes_on(tmp_path: Path) -> None:
    with site(tmp_path, videos=1) as s:
        newest = followed(s)
        assert f'<meta name="live-cursor" content="{newest}">' in s.get("/").text
