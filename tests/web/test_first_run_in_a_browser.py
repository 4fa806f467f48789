"""The first run as a person sees it: a program without keys, a browser, and no terminal."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from browser import PHONE, serious_findings, watching, window
from served import CHAT, KEY, TOKEN, Served, leaks
from ytwatcher.simulator import make_video_id

PAGES = ("/", "/add", "/rules", "/outbox", "/recipients", "/quota", "/status", "/metrics", "/api/v1/status")


def test_without_keys_the_page_takes_them_and_watching_begins_without_a_restart(browser: Browser, services: Served, tmp_path: Path) -> None:
    with watching(services, tmp_path, keys=False) as fresh, window(browser, fresh.url) as w:
        page = w.page
        page.goto("/")
        expect(page.get_by_role("heading", name="Two keys, and it watches")).to_be_visible()
        expect(page.get_by_text("An API key lets it read public numbers; it is free.")).to_be_visible()
        assert not serious_findings(page)

        give(page, "YouTube API key", "a-wrong-key")
        expect(page.get_by_role("alert")).to_contain_text("YouTube does not know this key")
        give(page, "YouTube API key", KEY)
        expect(page.get_by_text("YouTube takes the key")).to_be_visible()
        shows_no_key(page)

        give(page, "Bot token", TOKEN[:-1])
        expect(page.get_by_role("alert")).to_contain_text("Telegram refuses the bot token")
        give(page, "Bot token", TOKEN)
        expect(page.get_by_text("Nobody has written to it yet.")).to_be_visible()
        shows_no_key(page)

        services.do(lambda: services.telegram.user_writes(CHAT, "hello"))
        page.get_by_role("button", name="I have written to it").click()
        expect(page.get_by_label("private chat with Ada")).to_be_checked()
        assert not serious_findings(page)
        page.get_by_role("button", name="Store it and start").click()
        expect(page.get_by_text("only its owner can read")).to_be_visible()
        shows_no_key(page)

        expect(page.get_by_role("heading", name="Nothing is watched yet")).to_be_visible(timeout=60_000)  # the page goes there by itself
        fresh.running.wait_for("Ctrl-C")
        fresh.sends("/add", text=make_video_id(1), do="add")
        page.goto("/")
        expect(page.get_by_text("9,321").first).to_be_visible()
        for path in PAGES:
            page.goto(path)
            shows_no_key(page)


def test_the_first_page_fits_a_phone_and_works_without_scripts(browser: Browser, services: Served, tmp_path: Path) -> None:
    with watching(services, tmp_path, keys=False) as fresh, window(browser, fresh.url, size=PHONE, scripts=False) as w:
        w.page.goto("/videos/anything")  # whatever is asked for, this page is all there is
        give(w.page, "YouTube API key", KEY)
        expect(w.page.get_by_text("YouTube takes the key")).to_be_visible()
        width = w.page.locator("body").bounding_box()
        assert width is not None
        assert width["width"] <= PHONE[0]
        w.page.get_by_role("button", name="Start without Telegram").click()
        expect(w.page.get_by_role("heading", name="It starts …")).to_be_visible()
        fresh.running.wait_for("Nothing is watched yet")


def give(page: Page, label: str, value: str) -> None:
    page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Check it").click()
    page.wait_for_load_state()


def shows_no_key(page: Page) -> None:
    """Neither the page nor a field of it has a key, or the address it was sent to."""
    fields = page.locator("input").evaluate_all("all => all.map(one => one.value).join(' ')")
    assert not leaks(f"{page.url} {page.content()} {fields}"), page.url
