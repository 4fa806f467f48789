"""Replays on a real journal: what is told once, what is told again, and what becomes of an interrupted one."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from virtual_clock import VirtualClock
from ytwatcher import replay as replaying
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.core.policy import Recipient, parse_quiet
from ytwatcher.core.render import Limits
from ytwatcher.errors import InputError, RuleError
from ytwatcher.notify.console import ConsoleSender
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing, Sent
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.replay import Replayed
from ytwatcher.store import outbox_list
from ytwatcher.store.db import Database

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
V1, V2 = SubjectId("jNQXAC9IVRw"), SubjectId("dQw4w9WgXcQ")
CONSOLE = Recipient("console")


def row(day: float, views: int, video: SubjectId = V1, likes: int = 5) -> Reading:
    return Reading(video, START + DAY * day, Lane.FILE, {Metric.VIEWS: views, Metric.LIKES: likes}, title="A film")


FILE = [row(0, 900), row(1, 1100), row(2, 4000), row(3, 6000, likes=6)]


class Place:
    """A replay journal with a console that can be read, on a clock that jumps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(NOW)
        self.out = io.StringIO()
        self.sender: ConsoleSender | Broken = ConsoleSender(self.out, as_json=True)

    def replay(
        self, lines: Sequence[str], readings: Sequence[Reading] = FILE, recipient: Recipient = CONSOLE, **options: Any
    ) -> tuple[Replayed, list[dict[str, Any]]]:
        """What it did, and the alerts it printed."""
        self.out.seek(0)
        self.out.truncate()

        self.clock = VirtualClock(self.clock.now())  # each has an event loop of its own

        async def go() -> Replayed:
            db = Database(self.folder / "replay.db")
            senders = {"console": self.sender}
            dispatcher = Dispatcher(db, self.clock, senders, "console", limits=Limits(10**9, 10**9, None), jitter=lambda: 0.5)
            self.clock.busy.append(lambda: dispatcher.busy)
            try:
                work = replaying.replay(db, dispatcher, self.clock, readings, "file", lines, recipient, **options)
                return await self.clock.drive(work)
            finally:
                db.close()

        result = asyncio.run(go())
        printed = self.out.getvalue()
        return result, [json.loads(line) for line in printed.splitlines()] if printed.startswith("{") else []


class Broken:
    """A way to people that fails as it is told to."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def send(self, address: str, message: Outgoing) -> Sent:
        raise DeliveryError(self._failure, "no way")

    async def alive(self) -> bool:
        return False

    def pace(self, address: str) -> Any:
        return ConsoleSender(io.StringIO()).pace(address)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_same_rule_tells_nothing_twice_however_it_is_typed(place: Place) -> None:
    first, told = place.replay(["views milestones"])
    assert [(alert["previous"], alert["current"]) for alert in told] == [(900, 1100), (1100, 4000), (4000, 6000)]
    assert (first.accepted, first.late, first.alerts, first.messages, first.unsent) == (4, 0, 3, 1, {})
    again, told = place.replay(["VIEWS   milestones", "view milestones"])
    assert (told, again.alerts, again.messages, again.accepted) == ([], 0, 0, 4)


def test_another_rule_tells_all_of_its_own_and_the_first_one_nothing(place: Place) -> None:
    place.replay(["views milestones"])
    _, told = place.replay(["views milestones", "likes change"])
    assert [(alert["rule"], alert["current"]) for alert in told] == [("likes change", 6)]


def test_a_reach_that_the_first_row_has_passed_is_skipped(place: Place) -> None:
    _, told = place.replay(["views reach 800", "views reach 5k"])
    assert [alert["rule"] for alert in told] == ["views reach 5k"]


def test_rows_of_the_same_instant_are_one_and_the_first_wins(place: Place) -> None:
    result, told = place.replay(["views change"], [row(0, 900), row(1, 1100), row(1, 1200), row(2, 1300)])
    assert [(alert["previous"], alert["current"]) for alert in told] == [(900, 1100), (1100, 1300)]
    assert (result.accepted, result.late) == (3, 1)


def test_rows_of_the_future_are_counted_and_never_waited_for(place: Place) -> None:
    result, told = place.replay(["views change"], [*FILE, row(365 * 28, 7000)], speed=86_400.0)
    assert (result.accepted, result.future, len(told)) == (4, 1, 3)
    assert place.clock.now() == NOW + timedelta(seconds=3)


def test_a_file_of_the_future_alone_tells_nothing(place: Place) -> None:
    result, told = place.replay(["views change"], [row(365 * 28, 7000)])
    assert (result.accepted, result.future, told) == (0, 1, [])


def test_at_a_speed_each_instant_is_told_when_it_comes(place: Place) -> None:
    done: list[tuple[int, datetime]] = []
    place.replay(["views change"], speed=86_400.0, progress=lambda n: done.append((n, place.clock.now())))
    assert done == [(n + 1, NOW + timedelta(seconds=n)) for n in range(4)]
    with sqlite3.connect(place.folder / "replay.db") as con:
        assert con.execute("SELECT count(*) FROM message").fetchone()[0] == 3
    con.close()


def test_what_could_not_be_sent_is_found_again_by_the_next_replay_also_of_a_lost_recipient(place: Place) -> None:
    console = place.sender
    for failure in (Failure.LOST, Failure.UNREACHABLE, Failure.REFUSED):
        place.sender = Broken(failure)
        result, told = place.replay(["views change"])
        assert (result.alerts, result.messages, told) == (3, 0, [])
        assert result.failure == "no way"
        assert result.unsent == {"no way": 3}
    place.sender = console
    result, told = place.replay(["views change"])
    assert (len(told), result.failure, result.unsent) == (3, None, {})


def test_what_an_interrupted_replay_left_waiting_never_leaves_with_another_rule(place: Place) -> None:
    place.sender = Broken(Failure.UNREACHABLE)
    place.replay(["views change"])
    place.sender = ConsoleSender(place.out, as_json=True)
    _, told = place.replay(["likes change"])
    assert [alert["rule"] for alert in told] == ["likes change"]


def test_a_message_in_hand_at_a_kill_is_sent_again_with_its_rules_even_when_they_are_not_asked_for(place: Place) -> None:
    place.replay(["views change"])
    with sqlite3.connect(place.folder / "replay.db") as con:
        con.execute("UPDATE message SET state = 'sending'")
    con.close()
    _, told = place.replay(["likes change"])
    assert [alert["rule"] for alert in told] == ["views change"] * 3 + ["likes change"]


def test_what_policy_holds_back_is_counted_with_its_reason(place: Place) -> None:
    result, told = place.replay(["views change once", "likes change cooldown 6h"])
    assert result.unsent == {"once: told before": 2}
    assert len(told) == 2
    result, told = place.replay(["views change"], recipient=Recipient("console", quiet=parse_quiet("00:00-06:00")))
    assert (result.unsent, told) == ({"quiet hours": 3}, [])


def test_the_recipient_reads_in_the_language_and_zone_of_this_replay(place: Place) -> None:
    place.sender = ConsoleSender(place.out)
    place.replay(["views every 1000"])
    assert "passed 6,000: 900 → 6,000" in place.out.getvalue()
    place.replay(["views every 2000"], recipient=Recipient("console", language="de"))
    assert "passed 6.000: 1.100 → 6.000" in place.out.getvalue()


def test_the_journal_of_replays_keeps_no_more_than_the_last_file(place: Place) -> None:
    place.replay(["views change"])
    place.replay(["views change"], [row(0, 1, V2)])
    with sqlite3.connect(place.folder / "replay.db") as con:
        assert con.execute("SELECT id FROM subject").fetchall() == [(V2,)]
        assert con.execute("SELECT count(*) FROM reading").fetchone()[0] == 1
        con.row_factory = sqlite3.Row
        assert outbox_list.counts(con) == {"sent": 1}
    con.close()


def test_only_rules_that_can_be_judged_on_videos_are_taken() -> None:
    replaying.check_rules(["views change", "new", "availability"])
    for line in ("subscribers change", "views rech 5"):
        with pytest.raises(RuleError):
            replaying.check_rules([line])


def test_a_file_is_read_in_time_order_and_its_bad_rows_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"video_id,observed_at,views\n{V1},2026-02-02,2\nx,2026-02-01,1\n{V1},2026-02-01,1\n{V2},2026-02-02,3\n")
    readings, refused = replaying.load(path)
    assert [reading.values[Metric.VIEWS] for reading in readings] == [1, 2, 3]
    assert [bad.row for bad in refused] == [3]


@pytest.mark.parametrize("text", ["video_id,observed_at\n", "video_id,observed_at\nx,y\n"])
def test_a_file_without_a_single_reading_is_refused_with_its_first_reason(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="holds no reading" + ("; row 2" if "x" in text else "")):
        replaying.load(path)
