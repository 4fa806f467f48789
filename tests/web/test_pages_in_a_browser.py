"""The pages as a person sees them: the real program, the doubles, a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser import DESKTOP, OPERATOR, PHONE, Watching, serious_findings, watching, window
from served import CHAT, Served
from ytwatcher.simulator import make_video_id

FIRST, FOURTH = make_video_id(1), make_video_id(4)
PAGES = ("/", "/add", "/rules", f"/rules/new?target={FIRST}", "/outbox", "/recipients", "/quota", "/status", "/nowhere")
"""Also one that is not there."""
MORE_PAGES = (
    f"/videos/{FIRST}?span=7d",
    f"/videos/{FIRST}?view=rate",
    "/?group=recipient",
    "/outbox?view=sent",
    "/outbox?view=dead",
    f"/recipients/edit?address={OPERATOR}",
)


def test_a_video_is_looked_up_and_added(browser: Browser, program: Watching) -> None:
    with window(browser, program.url) as w:
        w.page.goto("/add")
        w.page.get_by_label("Link, id or @handle").fill(f"https://youtu.be/{FOURTH}?t=3")
        w.page.get_by_role("button", name="Look it up").click()
        expect(w.page.get_by_role("heading", name="Old and quiet")).to_be_visible()
        expect(w.page.get_by_text("36,321")).to_be_visible()
        expect(w.page.get_by_text("units a day for statistics")).to_be_visible()
        w.page.get_by_label("Rules").fill("views every 1000\nlikes rise 5%")
        expect(w.page.locator("[data-trials] .trial")).to_have_count(2)
        w.page.get_by_role("button", name="Watch it").click()
        expect(w.page.get_by_text("likes rise 5%")).to_be_visible()
        w.page.goto("/")
        expect(w.page.get_by_role("link", name="Old and quiet")).to_be_visible()


def test_a_rule_is_explained_and_rehearsed_as_one_types(browser: Browser, program: Watching) -> None:
    with window(browser, program.url) as w:
        w.page.goto("/rules")
        w.page.get_by_role("link", name="Add a rule to A film about lakes").click()
        line, shown = w.page.get_by_label("Rule", exact=False).last, w.page.locator("[data-trials]")
        line.press_sequentially("views jump")
        expect(shown.locator(".fault")).to_contain_text("views jump")
        line.fill("views every 100")
        expect(shown).to_contain_text("In the last 14 days this would have sent")
        w.page.get_by_role("button", name="Add the rule").click()
        expect(w.page.locator(".rules .fresh")).to_contain_text("views every 100")
        w.page.get_by_role("button", name="End the rule views every 100").click()
        expect(w.page.get_by_text("views every 100")).to_have_count(0)


def test_a_dead_message_is_sent_again(browser: Browser, program: Watching) -> None:
    services = program.services
    services.do(lambda: services.telegram.block(CHAT))
    program.home.run("outbox", "test", OPERATOR)
    services.do(lambda: services.telegram.unblock(CHAT))
    with window(browser, program.url) as w:
        w.page.goto("/outbox?view=dead")
        row = w.page.locator("tr", has_text="This is a test").first
        expect(row).to_contain_text("dead")
        row.get_by_role("button", name=re.compile("Send message .* again")).click()
        expect(w.page.get_by_role("status").filter(has_text="is sent")).to_be_visible()


def test_a_test_message_goes_the_real_way(browser: Browser, program: Watching) -> None:
    with window(browser, program.url) as w:
        w.page.goto("/outbox")
        w.page.get_by_role("button", name="Send a test").click()
        expect(w.page.get_by_role("status").filter(has_text="The test is sent")).to_be_visible()


def test_everything_is_read_and_done_without_scripts(browser: Browser, program: Watching) -> None:
    with window(browser, program.url, scripts=False) as w:
        w.page.goto("/")
        expect(w.page.get_by_role("link", name="A film about lakes")).to_be_visible()
        expect(w.page.get_by_text("18,321").first).to_be_visible()  # of a video that no other test changes
        w.page.goto(f"/rules/new?target={FIRST}")
        w.page.get_by_label("Rule", exact=False).last.fill("views every 50")
        w.page.get_by_role("button", name="Only try it").click()
        expect(w.page.get_by_text("In the last 14 days this would have sent")).to_be_visible()
        w.page.get_by_role("button", name="Add the rule").click()
        w.page.get_by_role("button", name="End the rule views every 50").click()
        expect(w.page.get_by_text("views every 50")).to_have_count(0)
        for path in PAGES:
            w.page.goto(path)
            expect(w.page.locator("h1")).to_have_count(1)


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_on_any_page_keeps_somebody_out(browser: Browser, program: Watching, size: tuple[int, int], look: str) -> None:
    found: list[str] = []
    with window(browser, program.url, size=size, look=look) as w:
        for path in (*PAGES, *MORE_PAGES, _shared(program)):
            w.page.goto(path)
            found += serious_findings(w.page)
    assert not found, "\n".join(found)


def test_what_cannot_be_read_is_found(browser: Browser, program: Watching) -> None:
    with window(browser, program.url) as w:
        w.page.goto("/quota")
        w.page.evaluate("document.querySelector('h1').style.color = '#eee'")
        assert any("color-contrast" in one for one in serious_findings(w.page))


def _shared(program: Watching) -> str:
    """The address of a page that is shared."""
    link = re.search(r"http\S+/share/\S+", program.home.run("web", "share", "add", FIRST).stdout)
    assert link is not None
    return link[0]


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_no_page_is_wider_than_the_window(browser: Browser, program: Watching, size: tuple[int, int]) -> None:
    with window(browser, program.url, size=size) as w:
        for path in PAGES:
            w.page.goto(path)
            assert w.page.evaluate("document.documentElement.scrollWidth") <= size[0], path


def test_the_password_lets_in(browser: Browser, services: Served, tmp_path: Path) -> None:
    with watching(services, tmp_path, settings={"WEB__PASSWORD": "a long enough one"}) as locked, window(browser, locked.url) as w:
        w.page.goto("/quota")
        w.page.get_by_label("Password").fill("not this one")
        w.page.get_by_role("button", name="Log in").click()
        expect(w.page.get_by_role("alert")).to_have_text("That is not the password.")
        w.page.get_by_label("Password").fill("a long enough one")
        w.page.get_by_role("button", name="Log in").click()
        expect(w.page.get_by_role("heading", name="Quota", exact=True)).to_be_visible()
        assert not serious_findings(w.page)
        w.page.get_by_role("button", name="Log out").click()
        w.page.goto("/quota")
        expect(w.page.get_by_label("Password")).to_be_visible()
