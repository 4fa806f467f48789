"""Charts from stored readings: what is seen by whom, over which time, with which marks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from virtual_clock import VirtualClock
from ytwatcher import pipeline
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId, SubjectKind, TargetKind
from ytwatcher.core.render import Limits
from ytwatcher.drawing import Pictures
from ytwatcher.errors import InputError
from ytwatcher.pictures import Charts, View
from ytwatcher.simulator import make_video_id
from ytwatcher.store import outbox, recipients, subjects, watches
from ytwatcher.store.db import Database
from ytwatcher.telegram.texts import Texts

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ME, YOU = "telegram:1", "telegram:2"
ONE, TWO = make_video_id(1), make_video_id(2)


def reading(video: str, at: datetime, views: int) -> Reading:
    return Reading(SubjectId(video), at, Lane.STATISTICS, {Metric.VIEWS: views, Metric.LIKES: 10, Metric.COMMENTS: 1})


def watch(con: sqlite3.Connection, target_id: str, kind: TargetKind, title: str, videos: list[str], line: str, address: str) -> None:
    target = watches.ensure_target(con, target_id, kind, title, None, False, NOW - timedelta(days=60))
    for video in videos:
        named = subjects.ensure(con, video, SubjectKind.VIDEO, NOW, title=f"Film {video}", published_at=NOW - timedelta(days=400))
        watches.join(con, target, named, None, NOW)
    pk, _ = watches.ensure_watch(con, target, recipients.ensure(con, address, timezone="Asia/Tokyo"), NOW)
    watches.add_rule(con, pk, line, NOW - timedelta(days=60))


class Seen(Pictures):
    """Keeps what it was to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, Any] = {}

    async def png(self, specification: Any, *, scale: float = 2.0) -> bytes:
        self.asked = dict(specification)
        return b"\x89PNG"


def charting(work: Callable[[Charts, Seen, Database], Awaitable[None]]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        async def go() -> None:
            db, seen = Database(tmp_path / "journal.db"), Seen()
            await db.write(watch, ONE, TargetKind.VIDEO, "A <b>film</b>", [ONE], "views every 1000", ME)
            await db.write(watch, "PLaaaaaaaaaaaaaaaa", TargetKind.PLAYLIST, "Two films", [ONE, TWO], "likes change", YOU)
            await work(Charts(db, VirtualClock(NOW), seen), seen, db)
            db.close()

        asyncio.run(go())

    test.__name__ = work.__name__
    return test


async def read(db: Database, *values: tuple[timedelta, int], video: str = ONE) -> None:
    for before, views in values:
        await db.write(pipeline.accept, [reading(video, NOW - before, views)], NOW - before)


def rows(seen: Seen) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seen.asked["layer"][0]["data"]["values"]
    return found


HOUR = timedelta(hours=1)


@charting
async def test_a_video_is_drawn_from_its_settled_values_on_the_recipients_clock(charts: Charts, seen: Seen, db: Database) -> None:
    await read(db, (3 * HOUR, 500), (2 * HOUR, 600), (HOUR, 600))
    picture = await charts.picture(View(ONE), ME)
    assert picture.title == f"Film {ONE}"
    assert [row["value"] for row in rows(seen)] == [500, 600, 600]
    assert rows(seen)[0]["at"] == "2026-11-24T18:00:00.000Z", "12:00 UTC less 3 h is 18:00 in Tokyo"
    assert "Asia/Tokyo" in seen.asked["title"]["subtitle"]


@charting
async def test_what_reaches_into_the_time_begins_with_it_and_older_things_are_not_drawn(charts: Charts, seen: Seen, db: Database) -> None:
    await read(db, (50 * HOUR, 400), (30 * HOUR, 500), (20 * HOUR, 500), (HOUR, 600))
    await charts.picture(View(ONE), ME)
    assert [(row["at"][11:16], row["value"]) for row in rows(seen)] == [("21:00", 500), ("01:00", 500), ("20:00", 600)]


@charting
async def test_a_list_is_drawn_with_all_its_videos_and_named_by_its_title(charts: Charts, seen: Seen, db: Database) -> None:
    await read(db, (3 * HOUR, 500))
    await read(db, (3 * HOUR, 900), video=TWO)
    picture = await charts.picture(View("PLaaaaaaaaaaaaaaaa"), YOU)
    assert (picture.title, picture.left_out) == ("Two films", 0)
    assert [row["series"] for row in rows(seen)] == [f"Film {TWO}", f"Film {ONE}"]


@charting
async def test_nobody_sees_what_others_watch(charts: Charts, seen: Seen, db: Database) -> None:
    await read(db, (3 * HOUR, 500))
    for about in (TWO, "PLaaaaaaaaaaaaaaaa", "nothing"):
        with pytest.raises(InputError, match="not watched here"):
            await charts.picture(View(about), ME)
        assert await charts.find(about, ME) == []
    assert await charts.find("two films", ME) == []


@charting
async def test_a_time_without_readings_says_so(charts: Charts, seen: Seen, db: Database) -> None:
    with pytest.raises(InputError, match="no readings"):
        await charts.picture(View(ONE), ME)


@charting
async def test_alerts_that_were_told_are_marked(charts: Charts, seen: Seen, db: Database) -> None:
    await read(db, (3 * HOUR, 900), (2 * HOUR, 1100))
    found = await db.read(recipients.find, ME)
    assert found is not None
    await db.write(outbox.take, found.pk, NOW, Limits())
    await charts.picture(View(ONE), ME)
    assert [mark["text"] for mark in seen.asked["layer"][1]["data"]["values"]] == ["1K"]
    await charts.of_alert(View(ONE), ME, 1000)
    assert seen.asked["layer"][1]["data"]["values"][0]["text"] == "1,000"


@charting
async def test_the_line_is_parted_where_what_is_counted_changed(charts: Charts, seen: Seen, db: Database) -> None:
    end = datetime(2026, 8, 28, tzinfo=UTC)
    for at, views in ((end - timedelta(days=5), 500), (end + HOUR, 700)):
        await db.write(pipeline.accept, [reading(ONE, at, views)], at)
    await charts.picture(View(ONE, timedelta(days=100)), ME)
    assert [row["value"] for row in rows(seen)] == [500, None, 700]
    assert seen.asked["layer"][1]["data"]["values"][0]["text"] == "counted anew"
    await charts.picture(View(ONE, timedelta(days=100)), ME, Texts().of("de").plain)
    assert seen.asked["layer"][1]["data"]["values"][0]["text"] == "neu gezählt"
    assert seen.asked["layer"][0]["encoding"]["y"]["axis"]["title"] == "Aufrufe"
    assert seen.asked["title"]["subtitle"].startswith("Aufrufe · ")


def test_the_picture_of_an_alert_speaks_the_language_of_who_is_told(tmp_path: Path) -> None:
    async def go() -> None:
        db, seen = Database(tmp_path / "journal.db"), Seen()
        charts = Charts(db, VirtualClock(NOW), seen, lambda language: Texts().of(language).plain)
        await db.write(lambda con: recipients.ensure(con, ME, language="de"))
        await db.write(watch, ONE, TargetKind.VIDEO, "A film", [ONE], "views every 1000", ME)
        await read(db, (3 * HOUR, 500))
        await charts.of_alert(View(ONE), ME, 1000)
        assert seen.asked["layer"][0]["encoding"]["y"]["axis"]["title"] == "Aufrufe"
        db.close()

    asyncio.run(go())


@charting
async def test_things_are_found_by_link_title_and_a_part_of_it(charts: Charts, seen: Seen, db: Database) -> None:
    for text in (ONE, f"https://youtu.be/{ONE}", "A <b>film</b>", "film"):
        assert [one.id for one in await charts.find(text, ME)] == [ONE]
    assert [one.id for one in await charts.find(f"film {TWO}", YOU)] == [TWO], "a video inside a list, by its title"
    assert [one.id for one in await charts.find("films", YOU)] == ["PLaaaaaaaaaaaaaaaa"]
    assert await charts.find("@nobody_has_this", ME) == []


@charting
async def test_how_pictures_are_wanted_is_kept(charts: Charts, seen: Seen, db: Database) -> None:
    await read(db, (3 * HOUR, 500))
    assert not (await charts.wishes(ME)).dark
    await charts.wish(ME, dark=True)
    assert await charts.wish(ME, with_alerts=True) == (True, True)
    await charts.picture(View(ONE), ME)
    assert seen.asked["background"] == "#0d1117"
    assert not (await charts.wishes(YOU)).dark
