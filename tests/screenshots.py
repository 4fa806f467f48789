"""./dev screenshots [FOLDER] [--only PART]: every page, wide and narrow, light and dark, with nothing, a few and 3,000 videos watched."""

from __future__ import annotations

import argparse
import math
import random
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser

from browser import DESKTOP, PHONE, chromium, window
from web_stage import RECIPIENT, Site, site
from ytwatcher.core.model import to_ms
from ytwatcher.core.quota import Bucket
from ytwatcher.simulator import make_video_id
from ytwatcher.store import access, recipients
from ytwatcher.store.access import Change, Limits, Role, Served

TITLES = (
    "We built a boat from 1,000 bottles 🚣",
    "Rain on a tin roof 🌧️ | 10 hours",
    "Fish & chips: the “proper” way",
    "도시의 밤 산책 | 4K 브이로그",
    "Why bridges hum (and why that's fine)",
    "طريقة عمل الخبز في المنزل خطوة بخطوة",
    "A slow train through the Highlands",
)
PICTURES = """() => Promise.all([...document.images]
    .filter(one => one.getBoundingClientRect().top < innerHeight).map(one => one.decode().catch(() => 0)))"""
"""Done when all that can be seen are there. Nothing is polled for: that would need eval, which the pages' policy forbids."""
SIZES = {"desktop": DESKTOP, "phone": PHONE}
CROWDS = {"empty": 0, "few": 3, "many": 3_000}
MESSAGES = (
    ("sent", 1, None, "Video: We built a boat from 1,000 bottles 🚣 | views passed 20,000 | https://youtu.be/…"),
    ("sent", 1, None, "Video: Rain on a tin roof 🌧️ | 10 hours | likes passed 500 | https://youtu.be/…"),
    ("pending", 2, "Telegram answered 502 (Bad Gateway)", "Video: Fish & chips: the “proper” way | views rose by 5 % | https://youtu.be/…"),
    (
        "dead",
        5,
        "Forbidden: bot was blocked by the user",
        "Video: Why bridges hum (and why that's fine) | views passed 200,000 | https://youtu.be/…",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev screenshots", description="Make a picture of every page.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"), help="where they go; ./screenshots when left out")
    parser.add_argument("--only", default="", help="only those whose name has this in it, like few-desktop-light")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for crowd, videos in CROWDS.items():
            if any(arguments.only in name for name, *_ in shots(crowd)):
                with tempfile.TemporaryDirectory() as data, site(Path(data), videos=videos, hours=170, titles=TITLES, prepare=furnish) as s:
                    take(browser, s, crowd, arguments.folder, arguments.only)
    return 0


def shots(crowd: str) -> Iterator[tuple[str, str, str, str]]:
    """Name, size, look and path of each picture."""
    first, second = make_video_id(1), make_video_id(2)
    pages = {
        "overview": "/",
        "add": "/add",
        "rules": "/rules",
        "outbox": "/outbox",
        "sent": "/outbox?view=sent",
        "recipients": "/recipients",
        "quota": "/quota",
        "status": "/status",
    }
    if CROWDS[crowd]:
        pages |= {
            "video": f"/videos/{first}?span=7d&beside={second}",
            "rule": f"/rules/new?target={first}",
            "recipient": f"/recipients/edit?address={RECIPIENT}",
        }
    for name, path in pages.items():
        for size in SIZES:
            for look in ("light", "dark"):
                yield f"{name}-{crowd}-{size}-{look}", size, look, path


def take(browser: Browser, s: Site, crowd: str, folder: Path, only: str) -> None:
    for size, measures in SIZES.items():
        for look in ("light", "dark"):
            wanted = [shot for shot in shots(crowd) if shot[1:3] == (size, look) and only in shot[0]]
            if not wanted:
                continue
            with window(browser, s.url, size=measures, look=look) as w:
                for name, _, _, path in wanted:
                    w.page.goto(path)
                    if name.startswith("rule-"):
                        w.page.locator("[data-line]").fill("views every 100 cooldown 6h")
                        w.page.wait_for_selector(".rehearsal")
                    if name.startswith("video"):
                        w.page.wait_for_selector("#chart canvas")
                    w.page.evaluate(PICTURES)
                    w.page.screenshot(path=folder / f"{name}.png")
                    sys.stderr.write(f"{name}\n")


def furnish(con: sqlite3.Connection) -> None:
    """Curves that look like some, messages in every state, days of quota, people."""
    now, chance = datetime.now(UTC), random.Random(7)
    con.create_function("bend", 3, partial(_bend, to_ms(now)))
    con.execute(
        "UPDATE reading SET views = bend(views, subject_pk, from_at), likes = bend(likes, subject_pk, from_at),"
        " comments = bend(comments, subject_pk, from_at) WHERE subject_pk <= 120"
    )
    operator = recipients.ensure(con, RECIPIENT)
    if not con.execute("SELECT count(*) FROM watch").fetchone()[0]:
        return
    for n, (state, attempts, error, text) in enumerate(MESSAGES):
        made = to_ms(now - timedelta(minutes=7 + 31 * n))
        con.execute(
            "INSERT INTO message (recipient_pk, text, plain, state, attempts, made_at, next_at, sent_at, last_error)"
            " VALUES (?, 'x', ?, ?, ?, ?, ?, ?, ?)",
            (operator, text, state, attempts, made, to_ms(now + timedelta(minutes=4)), made + 900 if state == "sent" else None, error),
        )
    for day in range(1, 21):
        named = (now - timedelta(days=day)).date().isoformat()
        for bucket, share, units in ((Bucket.DEFAULT, "metadata", (300, 2_400)), (Bucket.STATS, "statistics", (4_000, 9_900))):
            con.execute("INSERT INTO ledger VALUES (?, ?, ?, ?)", (named, bucket, share, chance.randint(*units)))
    guest = "telegram:-100200300"
    access.put(con, Served(guest, Role.USER, "group", "Film club", RECIPIENT, now - timedelta(days=12), Limits(50, 250, 200)))
    con.execute("INSERT INTO watch (target_pk, recipient_pk, added_at) VALUES (2, ?, ?)", (recipients.ensure(con, guest), to_ms(now)))
    con.execute("UPDATE recipient SET quiet = '23:00-07:30', timezone = 'Europe/Berlin', language = 'de' WHERE address = ?", (guest,))
    access.record(con, Change(now - timedelta(hours=5), guest, 42, "Ada", "quiet 23:00-07:30"))


def _bend(now: int, value: int, pk: int, at: int) -> int:
    """The straight line of the stage with the days and nights of a real one; its end stays where it is."""
    wave, end = (math.sin(moment / 3_600_000 * math.tau / 24 + pk) for moment in (at, now))
    return round(value + value * 0.0015 * min(pk, 6) * (wave - end))


if __name__ == "__main__":
    sys.exit(main())
