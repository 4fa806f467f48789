"""One browser, and one running program with some videos, for all tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from browser import Watching, chromium, watching
from served import Served, now, served
from ytwatcher.simulator import make_video_id

TITLES = ("A film about lakes", "Building a boat <b>alone</b>", "שיעור ראשון: מים", "Old and quiet")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def services() -> Iterator[Served]:
    with served() as made:
        for n, title in enumerate(TITLES, 1):
            values = {"views": 9_000 * n + 321, "likes": 400 * n, "comments": 30 * n}
            made.do(
                lambda n=n, title=title, values=values: made.world.add_video(  # type: ignore[misc]  # each its own
                    make_video_id(n), title=title, published_at=now() - timedelta(days=90), **values
                )
            )
        yield made


@pytest.fixture(scope="session")
def program(services: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    """Watches the first three videos."""
    with watching(services, tmp_path_factory.mktemp("program")) as made:
        for n in (1, 2, 3):
            made.sends("/add", text=make_video_id(n), rules="views milestones\navailability", do="add")
        yield made
