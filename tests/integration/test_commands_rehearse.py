"""rehearse as a person and as a program sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from served import CHAT, Home, Served, home, served
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.simulator import make_video_id

VIDEO = make_video_id(1)


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, services: Served) -> Home:
    """With a video that gained 100 views an hour for three days."""
    person = home(tmp_path, services)
    folder = person.folder / ".local/share/ytwatcher"
    folder.mkdir(parents=True)
    journal = Journal(folder / "ytwatcher.db", VIDEO)
    now = datetime.now(UTC)
    journal.add_target([VIDEO], now - timedelta(days=4))
    journal.add_rule("title", now - timedelta(days=4), to=f"telegram:{CHAT}")
    readings = [
        Reading(SubjectId(VIDEO), now - timedelta(hours=72 - n), Lane.METADATA, {Metric.VIEWS: 1000 + 100 * n}, title="A <b>film</b>")
        for n in range(72)
    ]
    journal.accept(readings, now)
    journal.con.close()
    return person


def test_it_says_what_would_have_been_sent(person: Home) -> None:
    said = " ".join(person.run("rehearse", "views every 1k").stdout.split())
    assert "Tells when the number of views of the video passes a multiple of 1,000 for the first time." in said
    assert "it would have sent 7 messages" in said
    assert "(7 alerts on 1 subject)" in said
    assert "A <b>film</b>" not in said


def test_it_shows_the_messages(person: Home) -> None:
    said = person.run("rehearse", "views every 1k cooldown 90h", "--show", "--target", VIDEO).stdout
    assert "A <b>film</b>" in said
    assert "Views passed 2,000: 1,900 → 2,000 (+100 in 60 min, at" in " ".join(said.split()) or "Views passed 2,000" in said
    assert "6 alerts would still be held." in said


def test_for_programs_it_is_one_document(person: Home) -> None:
    found = json.loads(person.run("rehearse", "likes change", "--json", "--days", "2").stdout)
    assert (found["messages"], found["rule"], found["subjects"], found["shown"]) == (0, "likes change", 1, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["likes chnge"], "did you mean “change”"),
        (["subscribers change"], "only a channel has"),
        (["views change", "--target", "PLnothing000000"], "is not watched"),
        (["views change", "--days", "0"], "is more than 0"),
        (["views change", "--to", "nobody"], "nobody"),
    ],
)
def test_what_is_not_right_is_named(person: Home, arguments: list[str], said: str) -> None:
    ended = person.run("rehearse", *arguments)
    assert ended.returncode == 2
    assert said in " ".join(ended.stderr.split())
