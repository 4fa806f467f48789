"""Quiet readings on a real file: the short way leaves what the long way leaves, to the last byte, whatever happens in between."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import Journal
from observed import any_reading
from ytwatcher.core.intervals import PACE
from ytwatcher.core.model import VIDEO_METRICS, Absence, Absent, Lane, Metric, Reading, SubjectId, SubjectKind, TargetKind, Value, to_ms
from ytwatcher.store import quiet, readings, subjects, watches

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
VIDEOS = (SubjectId("v1"), SubjectId("v2"))
LINES = ("views milestones", "views every 500", "likes change", "likes rise 50", "views rise 10%", "comments fall 1", "views reach 5000")
MORE = ("likes milestones", "availability", "title", "views faster 100/h", "favorites change", "subscribers change", "new")


class Step(NamedTuple):
    """What happens after a while: a reading of each video (`grown`: how much each count grew), an observation, or a change by its name."""

    gap: timedelta
    grown: tuple[dict[Metric, int], dict[Metric, int]]
    seen: Reading | Absence | None
    change: str


GAPS = st.one_of(st.just(5 * MINUTE), st.timedeltas(timedelta(milliseconds=1), timedelta(hours=3)))
GROWTH = st.fixed_dictionaries({metric: st.integers(0, 60) for metric in VIDEO_METRICS if metric is not Metric.FAVORITES})
VALUES: st.SearchStrategy[Value] = st.one_of(st.integers(0, 3_000), st.sampled_from([Absent.HIDDEN, Absent.DISABLED, Absent.NOT_RETURNED]))
SEEN = any_reading(
    VIDEOS, START, VALUES, (timedelta(days=9),), {"channel_id": st.sampled_from([None, "c"]), "live": st.sampled_from([None, "live"])}
)
NOTHING: st.SearchStrategy[tuple[dict[Metric, int], dict[Metric, int]]] = st.just(({}, {}))
OTHER = st.one_of(
    st.builds(Step, GAPS, NOTHING, SEEN, st.just("")),
    st.builds(Step, GAPS, NOTHING, st.sampled_from([Absence(video, START) for video in VIDEOS]), st.just("")),
    st.builds(
        Step,
        GAPS,
        NOTHING,
        st.none(),
        st.sampled_from([*LINES, *MORE, "end", "engine", "embedded", "want", "asked", "unwatch"]),
    ),
)
READ = st.builds(Step, GAPS, st.tuples(GROWTH, GROWTH), st.none(), st.just(""))
STEPS = st.lists(st.one_of(READ, READ, READ, OTHER), max_size=20)


@contextmanager
def opened(lines: Sequence[str]) -> Iterator[Journal]:
    """A playlist of two videos, read once in both lanes, with these rules."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", "p", TargetKind.PLAYLIST)
        journal.con.execute("PRAGMA synchronous = OFF")  # nothing here is about a loss of power
        journal.add_target(VIDEOS, START)
        for line in lines:
            journal.add_rule(line, START)
        for lane, after in ((Lane.METADATA, 1), (Lane.STATISTICS, 2)):
            values: dict[Metric, Value] = {Metric.VIEWS: 900, Metric.LIKES: 400, Metric.COMMENTS: 200}
            seen = [Reading(video, START + after * MINUTE, lane, values, title="A") for video in VIDEOS]
            journal.accept([replace(one, title=None) for one in seen] if lane is Lane.STATISTICS else seen, START + MINUTE)
        yield journal
        journal.con.close()


def change(journal: Journal, what: str, at: datetime) -> None:
    """Do what the step names; a line is made a rule."""
    if what == "end":
        journal.con.execute("UPDATE rule SET until_at = ? WHERE pk = (SELECT min(pk) FROM rule WHERE until_at IS NULL)", (to_ms(at),))
    elif what in ("engine", "embedded"):
        since = to_ms(at) if what == "engine" else None
        journal.con.execute("UPDATE rule_state SET engine_since = ? WHERE rule_pk = (SELECT max(rule_pk) FROM rule_state)", (since,))
    elif what == "want":
        journal.write(subjects.want, VIDEOS, at)
    elif what == "asked":
        journal.write(subjects.mark_asked, VIDEOS, at, metadata=False)
    elif what == "unwatch":
        journal.unwatch(at)
    else:
        journal.add_rule(what, at)


def left(lines: Sequence[str], steps: Sequence[Step], *, long: bool) -> tuple[list[Any], list[Any]]:
    """The alerts, and all that the journal holds in the end. Twice in a batch, a reading takes the long way, and the second is late."""
    told: list[Any] = []
    with opened(lines) as journal:
        at = START + 5 * MINUTE
        counts = [dict.fromkeys(VIDEO_METRICS, 900) for _ in VIDEOS]
        for step in steps:
            at += step.gap
            batch: list[Reading | Absence] = []
            if step.change:
                change(journal, step.change, at)
            elif step.seen is not None:
                batch = [replace(step.seen, observed_at=at)]
            for count, grown, video in zip(counts, step.grown, VIDEOS, strict=True):
                count.update({metric: count[metric] + by for metric, by in grown.items()})
                if grown:
                    batch.append(Reading(video, at, Lane.STATISTICS, {metric: count[metric] for metric in grown}))
            told += sorted(alert.id for alert in journal.accept(batch * 2 if long else batch, at).alerts)
        tables = ("subject", "reading", "rule_state", "alert", "rule", "publication")
        kept = [tuple(row) for table in tables for row in journal.con.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
        return told, kept


@settings(max_examples=60)
@given(st.lists(st.sampled_from(LINES + MORE), max_size=4), STEPS)
def test_the_short_way_leaves_what_the_long_way_leaves(lines: list[str], steps: list[Step]) -> None:
    assert left(lines, steps, long=False) == left(lines, steps, long=True)


def taken(journal: Journal, reading: Reading | Absence) -> bool:
    """Whether the reading is quiet; it is stored where it is."""
    latest = START + timedelta(hours=1)
    return journal.write(quiet.take, [reading], latest, PACE) == []


def plain(**values: int | Absent) -> Reading:
    """A statistics reading of v1, five minutes after the last one."""
    known = {"views": 910, "likes": 405, "comments": 200, **values}
    return Reading(VIDEOS[0], START + 7 * MINUTE, Lane.STATISTICS, {Metric(name): value for name, value in known.items()})


def test_a_reading_that_grew_a_little_is_quiet_and_an_unchanged_one_extends_its_row() -> None:
    with opened(["views milestones", "likes milestones", "availability", "likes rise 50"]) as journal:
        assert taken(journal, plain())
        assert taken(journal, replace(plain(), observed_at=START + 12 * MINUTE))
        ends = [(point.from_at, point.to_at, point.values[Metric.VIEWS]) for point in readings.history(journal.con, "v1")]
        assert ends == [(START + MINUTE, START + 2 * MINUTE, 900), (START + 7 * MINUTE, START + 12 * MINUTE, 910)]


@pytest.mark.parametrize(
    "reading",
    [
        plain(views=1_000),
        plain(likes=450),
        plain(views=899),
        plain(likes=601),
        plain(comments=Absent.DISABLED),
        plain(favorites=1),
        replace(plain(), lane=Lane.METADATA),
        replace(plain(), kind=SubjectKind.CHANNEL),
        replace(plain(), title="B"),
        replace(plain(), channel_id="c"),
        replace(plain(), channel_title="C"),
        replace(plain(), live="live"),
        replace(plain(), description=""),
        replace(plain(), published_at=START),
        replace(plain(), values={Metric.LIKES: 401}),
        replace(plain(), subject_id=SubjectId("v3")),
        replace(plain(), observed_at=START + 2 * MINUTE),
        replace(plain(), observed_at=START + timedelta(hours=2)),
        Absence(VIDEOS[0], START + 7 * MINUTE),
    ],
)
def test_a_reading_that_says_more_is_not_quiet(reading: Reading | Absence) -> None:
    with opened(["views milestones", "likes rise 50"]) as journal:
        assert not taken(journal, reading)


@pytest.mark.parametrize("line", ["views faster 100/h", "favorites change", "likes change"])
def test_a_rule_that_looks_at_more_or_finds_something_makes_no_reading_quiet(line: str) -> None:
    with opened([line]) as journal:
        assert not taken(journal, plain())


def test_a_rule_without_its_baseline_on_an_engine_or_a_wish_makes_no_reading_quiet() -> None:
    with opened(["views milestones"]) as journal:
        for what in ("views every 500", "engine", "want"):
            change(journal, what, START + 3 * MINUTE)
            assert not taken(journal, plain())
            journal.con.execute("UPDATE rule SET until_at = 1 WHERE line <> 'views milestones'")
            journal.con.execute("UPDATE rule_state SET engine_since = NULL")
        journal.con.execute("UPDATE subject SET wanted_at = NULL")
        assert taken(journal, plain())


def test_two_readings_of_one_video_in_a_batch_are_left() -> None:
    with opened([]) as journal:
        batch = [plain(), replace(plain(), observed_at=START + 8 * MINUTE)]
        assert journal.write(quiet.take, batch, START + timedelta(hours=1), PACE) == batch


def test_what_is_stored_by_the_short_way_reads_back_as_it_was_said() -> None:
    with opened(["views milestones"]) as journal:
        assert taken(journal, plain())
        known = subjects.load(journal.con, VIDEOS)[VIDEOS[0]]
        assert {metric: one.value for metric, one in known.state.metrics.items()} == {
            Metric.VIEWS: 910,
            Metric.LIKES: 405,
            Metric.COMMENTS: 200,
        }
        assert known.state.newest_at == START + 7 * MINUTE
        (row,) = watches.rules_on(journal.con, [(known.pk, SubjectKind.VIDEO)])[known.pk]
        assert row.rule.state is not None
