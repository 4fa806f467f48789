"""The overview and a video's page over a filled journal, and the pictures of videos."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web_stage import RECIPIENT, site
from ytwatcher.charts import Point, human
from ytwatcher.core.model import Metric, to_ms
from ytwatcher.simulator import make_video_id, serve
from ytwatcher.web.course import course, paces
from ytwatcher.web.thumbnails import Thumbnails
from ytwatcher.web.views import HEIGHT, WIDTH, spark

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ids(page: str) -> list[str]:
    return re.findall(r'data-id="([^"]+)"', page)


def test_the_overview_sorts_filters_searches_and_pages(tmp_path: Path) -> None:
    first, second, third = (make_video_id(n) for n in (1, 2, 3))
    with site(tmp_path, videos=103, titles=["Gamma", "alpha Häuser", "beta"]) as s:
        assert len(ids(s.get("/").text)) == 100 and "Page 1 of 2" in s.get("/").text
        assert len(ids(s.get("/?page=2").text)) == 3
        assert ids(s.get("/?sort=title").text)[:3] == [second, third, first]
        assert ids(s.get("/?sort=day&falling=true").text)[0] == make_video_id(103), "it grows fastest"
        assert ids(s.get("/?q=BETA").text) == [third]
        assert ids(s.get("/?only=vanished").text) == [] and "Show all" in s.get("/?only=vanished").text
        assert "Single videos" in s.get("/?group=target").text
        assert ids(s.get("/?group=recipient&q=alpha").text) == [second] and RECIPIENT in s.get("/?group=recipient").text
        assert s.get("/?sort=nonsense").status_code == 422


def test_a_row_has_the_numbers_their_moves_and_the_next_milestone(tmp_path: Path) -> None:
    video = make_video_id(3)
    with site(tmp_path, videos=3, hours=170) as s:
        row = s.get(f"/overview/rows?ids={video},unknown").text
        assert ids(row) == [video]
        shown = re.sub(r"<[^>]+>", " ", row)
        assert "15,511" in shown and "+30" in shown and "+720" in shown and "20k" in shown and "in 6 d" in shown
        assert '<path d="M0 ' in row


def test_a_videos_page_shows_its_course_rules_and_readings(tmp_path: Path) -> None:
    one, other = make_video_id(1), make_video_id(2)

    def told(con: sqlite3.Connection) -> None:
        con.execute(
            "INSERT INTO alert (id, recipient_pk, target_pk, rule_id, subject_id, kind, metric, previous, current, observed_at, mark,"
            " made_at, state, reason) SELECT 'r1:x:1', recipient_pk, target_pk, id, ?, 'milestones', 'views', 9990, 10010,"
            " made_at - 3600000, 10000, made_at, 'suppressed', 'muted' FROM rule WHERE id = 'r1'",
            (one,),
        )

    with site(tmp_path, videos=2, prepare=told) as s:
        page = s.get(f"/videos/{one}").text
        assert "views milestones" in page and "Page 1 of" not in page and "muted" in page and "10,000" in page
        document = s.get(f"/videos/{one}/chart.json?beside={other}&span=7d").json()
        assert {row["series"] for row in document["layer"][0]["data"]["values"]} == {"Video 1", "Video 2"}
        assert "counting break" in str(document["layer"][1:]) and human(10_000) in str(document["layer"][1:]), "the alert is marked"
        assert (
            s.get(f"/videos/{one}/chart.json?view=rate&look=dark").json()["layer"][0]["encoding"]["y"]["axis"]["title"] == "views per hour"
        )
        assert other in s.get(f"/videos/{one}?add=Video+2").text
        assert "Nothing that is watched is called" in s.get(f"/videos/{one}?add=nonsense").text
        assert s.get(f"/videos/{one}/readings.csv").text.count("\n") == 50
        head, *lines = s.get(f"/videos/{one}/readings.csv").text.splitlines()
        assert head.startswith("video_id,") and lines == sorted(lines), "oldest first"
        assert s.get(f"/videos/{one}/rehearsal?rule=r1").json()["messages"] >= 0
        wide, narrow = (s.get(f"/videos/{one}/chart.png?beside={other}&look=dark&narrow={narrow}").content for narrow in (False, True))
        assert width_of(wide) > 1.5 * width_of(narrow) > 600, "a phone's picture has letters as big as a wide one's"
        for path in ("", "/chart.json", "/chart.png", "/readings.csv"):
            assert s.get(f"/videos/unknown{path}").status_code == 404
        assert s.get(f"/thumbnails/{one}").headers["content-type"].startswith("image/svg")


def width_of(png: bytes) -> int:
    assert png.startswith(b"\x89PNG")
    return int.from_bytes(png[16:20])


def test_a_long_course_keeps_its_peaks_dips_and_gaps() -> None:
    start = to_ms(AT)
    spans: list[tuple[int, int, int | None]] = [(start + n * 60_000, start + n * 60_000, 1000 + n) for n in range(40_000)]
    spans[20_000], spans[30_001], spans[35_000] = ((*spans[n][:2], value) for n, value in ((20_000, 10**6), (30_001, 1), (35_000, None)))
    points = course(spans, Metric.LIKES, AT, 1_200)
    values = [point.value for point in points]
    assert len(points) <= 1_300 and 10**6 in values and 1 in values and None in values
    assert [point.at for point in points] == sorted(point.at for point in points)


def test_growth_is_measured_over_steps_of_the_time_shown() -> None:
    points = [Point(AT + n * MINUTE, 10 * (n // 5)) for n in range(241)]
    found = paces(points, AT, AT + timedelta(hours=100))
    assert [point.value for point in found] == [120.0] * 8


def test_a_sparkline_spans_its_box_and_leaves_gaps() -> None:
    assert spark([0, None, 10, 5]) == f"M0 {HEIGHT - 1}M75 1L{WIDTH} 11"
    assert spark([None, 3]) == ""


def test_pictures_are_fetched_once_kept_within_a_bound_and_not_asked_for_again_when_missed(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(name := request.path_params["video"])
        if name == "missing":
            return Response("no", 404)
        return Response(b"\xff\xd8" + b"x" * 1_000, media_type="text/html" if name == "page" else "image/jpeg")

    async def go() -> None:
        async with serve(Starlette(routes=[Route("/vi/{video}/mqdefault.jpg", answer)])) as url:
            pictures = Thumbnails(tmp_path / "thumbnails", url, most_bytes=2_500)
            found = await asyncio.gather(*(pictures.picture("one") for _ in range(5)))
            assert all(content is not None and len(content) == 1_002 for content in found) and asked == ["one"]
            for name in ("missing", "missing", "page", "two", "three"):
                content = await pictures.picture(name)
                assert (content is None) == (name in ("missing", "page"))
            await pictures.close()
        assert asked == ["one", "missing", "page", "two", "three"]
        kept = Thumbnails(tmp_path / "thumbnails", None)
        assert len(list((tmp_path / "thumbnails").glob("*.jpg"))) == 2
        assert await kept.picture("three") is not None and await kept.picture("four") is None

    asyncio.run(go())


def test_an_export_of_many_readings_lacks_none_and_tells_its_columns_once(tmp_path: Path) -> None:
    one = make_video_id(1)
    with site(tmp_path, videos=1, hours=2_400) as s:
        found = list(csv.DictReader(io.StringIO(s.get(f"/videos/{one}/readings.csv").text)))
    assert len(found) == len({row["observed_at"] for row in found}) == 2_401
    assert [int(row["views"]) for row in found] == sorted(int(row["views"]) for row in found)
    (tmp_path / "none").mkdir()
    with site(tmp_path / "none", videos=1, hours=-1) as s:
        assert s.get(f"/videos/{one}/readings.csv").text.count("\n") == 1
