"""What the pages show without being loaded again, and what they show to whom has a link."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from browser import Line, Watching, serious_findings, watching, window
from served import Served
from ytwatcher.simulator import make_video_id
from ytwatcher.store.db import open_journal

FIRST, SECOND = make_video_id(1), make_video_id(2)
HEAR = """() => {
  window.heard = [];
  const stream = new EventSource("/live");
  const hear = (event) => window.heard.push(Number(event.lastEventId));
  for (const kind of ["reading", "alert", "message"]) stream.addEventListener(kind, hear);
  return new Promise((resolve) => { stream.onopen = () => resolve(true); });
}"""


def is_read_again(program: Watching, views: int, line: str) -> None:
    """The first video has so many views, and a new rule asks for a reading of it at once."""

    def grow() -> None:
        program.services.world.videos[FIRST].views = views

    program.services.do(grow)
    program.sends("/rules/new", target=FIRST, line=line)


def test_a_new_number_is_seen_without_loading_the_page_again(browser: Browser, program: Watching) -> None:
    with window(browser, program.url) as w:
        w.page.goto("/")
        expect(w.page.locator("#live")).to_have_text("live")
        w.page.evaluate("window.same = true")
        is_read_again(program, 9_777, "views every 111")
        expect(w.page.locator("#videos")).to_contain_text("9,777")
        assert w.page.evaluate("window.same") is True


def test_the_stream_comes_back_without_gaps_or_doubles(browser: Browser, services: Served, tmp_path: Path) -> None:
    line = Line()
    with watching(services, tmp_path, settings={"WEB__PUBLIC_URL": line.url}) as program, window(browser, line.url) as w:
        line.lead_to(urlsplit(program.url).port or 0)
        program.sends("/add", text=FIRST, rules="availability", do="add")
        w.page.goto("/")
        expect(w.page.locator("#live")).to_have_text("live")
        w.page.evaluate(HEAR)
        is_read_again(program, 10_001, "views every 1")
        _until_heard(w.page, _newest(tmp_path))
        line.cut()
        expect(w.page.locator("#live")).to_have_text("connecting …")
        is_read_again(program, 10_002, "views every 2")
        is_read_again(program, 10_004, "views every 4")
        line.mend()
        expect(w.page.locator("#live")).to_have_text("live")
        expect(w.page.locator("#videos")).to_contain_text("10,004")
        is_read_again(program, 10_008, "views every 8")
        heard = _until_heard(w.page, _newest(tmp_path))
    line.close()
    assert heard == [seq for seq in _events(tmp_path) if heard[0] <= seq <= heard[-1]]


def _until_heard(page: Page, seq: int) -> list[int]:
    page.wait_for_function("seq => window.heard.includes(seq)", arg=seq)
    heard: list[int] = page.evaluate("window.heard")
    return heard


def _events(folder: Path) -> list[int]:
    """The numbers of all that happened, in order."""
    con = open_journal(next(folder.rglob("ytwatcher.db")))
    try:
        return [row[0] for row in con.execute("SELECT seq FROM event WHERE kind <> 'started' ORDER BY seq")]
    finally:
        con.close()


def _newest(folder: Path) -> int:
    return _events(folder)[-1]


def test_several_videos_are_drawn_on_one_chart(browser: Browser, program: Watching) -> None:
    with window(browser, program.url) as w:
        w.page.goto(f"/videos/{FIRST}")
        expect(w.page.locator("#chart canvas")).to_be_visible()
        w.page.get_by_label("Compare with").fill(SECOND)
        w.page.get_by_role("button", name="Compare").click()
        expect(w.page.get_by_label("Leave out Building a boat")).to_be_visible()
        expect(w.page.locator("#chart canvas")).to_be_visible()
        w.page.get_by_role("link", name="Per hour").click()
        expect(w.page.locator("#chart canvas")).to_be_visible()
        assert not serious_findings(w.page)
    with window(browser, program.url, scripts=False) as w:
        w.page.goto(f"/videos/{FIRST}")
        expect(w.page.locator("#chart img")).to_be_visible()


def test_a_shared_watch_is_read_by_its_link_until_that_is_taken_back(browser: Browser, program: Watching) -> None:
    path = urlsplit(program.home.ok("web", "share", "add", FIRST).strip()).path
    number = program.home.json("web", "share", "list")[0]["id"]
    with window(browser, program.url) as w:
        w.page.goto(path)
        expect(w.page.get_by_text("A shared view, read only.")).to_be_visible()
        expect(w.page.get_by_role("heading", name="A film about lakes")).to_be_visible()
        assert not serious_findings(w.page)
        program.home.ok("web", "share", "revoke", str(number))
        w.page.goto(path)
        expect(w.page.get_by_text("A shared view, read only.")).to_have_count(0)
