"""A rehearsal finds, and would have sent, what the journal found and sent live from the same readings and the same baseline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import Journal
from ytwatcher.core.model import (
    Absent,
    Alert,
    Entry,
    Lane,
    Listing,
    Metric,
    Reading,
    SubjectId,
    TargetKind,
    VideoId,
    to_ms,
)
from ytwatcher.core.policy import Recipient, parse_digest, parse_quiet
from ytwatcher.core.render import Limits
from ytwatcher.core.rules import parse_rule
from ytwatcher.errors import RuleError
from ytwatcher.rehearsal import MOST_RATED_ROWS, MOST_ROWS, Rehearsal, rehearse
from ytwatcher.store import outbox, recipients, watches

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
DAYS = 14
BEGIN = START + timedelta(days=1)
V1, TO = SubjectId("v1"), "telegram:1"
LINES = (
    "views milestones",
    "views every 7",
    "views every 100 cooldown 6h",
    "views reach 500",
    "views rise 10%",
    "views rise 40 once",
    "views fall 3",
    "likes change",
    "likes change cooldown 3h",
    "views faster 50/h",
    "views slower 20/h",
    "availability",
)
NUMBERS = st.one_of(st.integers(0, 900), st.integers(0, 2_000_000))
VALUES = st.one_of(NUMBERS, NUMBERS, NUMBERS, st.sampled_from([a for a in Absent if a is not Absent.RECOUNTED]))
SEEN = st.builds(
    Reading,
    st.just(V1),
    st.just(START),
    st.just(Lane.STATISTICS),
    st.fixed_dictionaries({Metric.VIEWS: VALUES, Metric.LIKES: VALUES}, optional={Metric.COMMENTS: VALUES}),
    published_at=st.sampled_from([None, START - timedelta(hours=47), START - timedelta(days=9)]),
)
RECIPIENTS = (
    Recipient(TO),
    Recipient(TO, quiet=parse_quiet("22:00-07:00")),
    Recipient(TO, quiet=parse_quiet("22:00-07:00"), digest=parse_digest("daily 06:00")),
)
GAPS = st.one_of(st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=9)), st.timedeltas(timedelta(minutes=1), timedelta(hours=7)))
EVENTS = st.lists(st.tuples(GAPS, SEEN), max_size=20)


@contextmanager
def opened(recipient: Recipient) -> Iterator[Journal]:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        journal.add_target([V1], START)
        journal.write(lambda con: recipients.save_preferences(con, recipients.ensure(con, TO), recipient))
        yield journal
        journal.con.close()


def in_time(events: Sequence[tuple[timedelta, Reading]], start: datetime) -> list[Reading]:
    readings = []
    for gap, reading in events:
        start += gap
        readings.append(replace(reading, observed_at=start.replace(microsecond=start.microsecond // 1000 * 1000)))
    return readings


def sent(journal: Journal, until: datetime) -> Iterator[tuple[datetime, str]]:
    """What the outbox sends up to an instant, each message as soon as it may leave."""
    while errands := [one for one in outbox.agenda(journal.con, ["telegram"]) if one.due_at <= until]:
        at = errands[0].due_at
        job = journal.write(outbox.take, errands[0].recipient_pk, at, Limits())
        if job is not None:
            journal.write(outbox.record_sent, job.pk, at, None)
            yield at, job.plain


def live(journal: Journal, readings: Sequence[Reading], end: datetime) -> tuple[list[Alert], list[tuple[datetime, str]]]:
    found: list[Alert] = []
    told: list[tuple[datetime, str]] = []
    for reading in readings:
        told += sent(journal, reading.observed_at)
        found += journal.accept([reading], reading.observed_at).alerts
    return found, [*told, *sent(journal, end)]


def rehearsed(journal: Journal, line: str, recipient: Recipient, end: datetime, *, days: float = DAYS) -> Rehearsal:
    return rehearse(journal.con, parse_rule(line), line, watches.targets(journal.con), recipient, end, days=days, show=1000)


@settings(max_examples=75)
@given(EVENTS, EVENTS, st.sampled_from(LINES), st.sampled_from(RECIPIENTS))
def test_a_rehearsal_sends_what_was_sent_live(
    before: list[tuple[timedelta, Reading]], after: list[tuple[timedelta, Reading]], line: str, recipient: Recipient
) -> None:
    end = BEGIN + timedelta(days=DAYS)
    with opened(recipient) as journal:
        live(journal, [one for one in in_time(before, START) if one.observed_at < BEGIN], BEGIN)
        journal.add_rule(line, BEGIN, to=TO)
        found, told = live(journal, in_time(after, BEGIN), end)
        dry = rehearsed(journal, line, recipient, end)
    assert [(one.at, one.plain) for one in dry.shown] == told
    assert (dry.alerts, dry.messages) == (len(found), len(told))


@pytest.mark.parametrize("gap", [timedelta(milliseconds=1), timedelta(minutes=20)])
@pytest.mark.parametrize(
    "said",
    [
        [Absent.HIDDEN, 0],
        [Absent.HIDDEN, Absent.DISABLED, 7],
        [Absent.DISABLED, 900, Absent.HIDDEN, 900],
    ],
)
def test_a_reason_that_one_reading_gave_is_told_neither_live_nor_in_a_rehearsal(gap: timedelta, said: list[Absent | int]) -> None:
    likes = [Reading(V1, BEGIN + n * gap, Lane.STATISTICS, {Metric.VIEWS: 1, Metric.LIKES: one}) for n, one in enumerate(said, start=1)]
    with opened(Recipient(TO)) as journal:
        journal.add_rule("availability", BEGIN, to=TO)
        found, _ = live(journal, likes, BEGIN + timedelta(days=DAYS))
        dry = rehearsed(journal, "availability", Recipient(TO), BEGIN + timedelta(days=DAYS))
    assert (len(found), dry.alerts) == (0, 0)


def test_a_number_between_two_reasons_makes_the_second_one_wait_again() -> None:
    """As live, where likes fell while they were hidden, and the fall had not settled."""
    hidden, disabled = Absent.HIDDEN, Absent.DISABLED
    said: list[tuple[int, int | Absent]] = [(0, 500), (1, hidden), (9, hidden), (40, disabled), (41, 7), (60, disabled), (61, 8), (80, 600)]
    likes = [Reading(V1, BEGIN + timedelta(minutes=m), Lane.STATISTICS, {Metric.VIEWS: 1, Metric.LIKES: one}) for m, one in said]
    with opened(Recipient(TO)) as journal:
        journal.add_rule("availability", BEGIN, to=TO)
        found, told = live(journal, likes, BEGIN + timedelta(days=DAYS))
        dry = rehearsed(journal, "availability", Recipient(TO), BEGIN + timedelta(days=DAYS))
    assert [text.splitlines()[-1] for _, text in told] == ["👁 Likes are hidden now", "👁 Likes are shown again"]
    assert [(one.at, one.plain) for one in dry.shown] == told
    assert dry.alerts == len(found)


def grown(journal: Journal, hours: int, step: int = 10, start: datetime = START) -> datetime:
    """Views that grow by a step every hour, and likes that do not."""
    for hour in range(hours):
        at = start + timedelta(hours=hour)
        journal.accept([Reading(V1, at, Lane.STATISTICS, {Metric.VIEWS: 1000 + hour * step, Metric.LIKES: 5})], at)
    return start + timedelta(hours=hours)


def watched(journal: Journal) -> None:
    journal.add_rule("title", START, to=TO)


def test_it_says_how_many_messages_and_how_many_at_night() -> None:
    with opened(Recipient(TO)) as journal:
        watched(journal)
        end = grown(journal, 48)
        dry = rehearsed(journal, "views change", Recipient(TO), end)
        assert (dry.messages, dry.at_night, dry.subjects, dry.suppressed, dry.held) == (47, 18, 1, {}, 0)
        quiet = rehearsed(journal, "views change", Recipient(TO, quiet=parse_quiet("22:00-07:00")), end)
        assert (quiet.messages, quiet.at_night, quiet.alerts) == (29, 0, 47)  # what waited for the morning leaves with its first news
        once = rehearsed(journal, "views change once", Recipient(TO), end)
        assert (once.messages, once.suppressed) == (1, {"once: told before": 46})
        held = rehearsed(journal, "views change cooldown 40h", Recipient(TO), end)
        assert (held.messages, held.held) == (2, 6)


def test_a_mute_is_about_now_and_a_recipient_is_told_in_its_own_words() -> None:
    with opened(Recipient(TO)) as journal:
        watched(journal)
        end = grown(journal, 10)
        muted = Recipient(TO, language="de", muted_until=end + timedelta(hours=8))
        assert "1.090" in rehearsed(journal, "views change", muted, end).shown[-1].plain


def test_what_is_not_stored_is_said() -> None:
    with opened(Recipient(TO)) as journal:
        watched(journal)
        end = grown(journal, 3)
        title, away = rehearsed(journal, "title", Recipient(TO), end), rehearsed(journal, "availability", Recipient(TO), end)
    assert (title.messages, "not stored" in str(title.caveat)) == (0, True)
    assert (away.messages, "hidden likes" in str(away.caveat)) == (0, True)


def test_a_rule_that_fits_nothing_is_refused() -> None:
    with opened(Recipient(TO)) as journal:
        watched(journal)
        with pytest.raises(RuleError, match="only a channel"):
            rehearsed(journal, "subscribers change", Recipient(TO), START)


def test_videos_that_joined_since_are_those_that_new_would_have_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", target="PL1", kind=TargetKind.PLAYLIST)
        journal.add_target([], START)
        rule_id = journal.add_rule("new", START, to=TO)
        old = Entry(VideoId("old"), START - timedelta(days=3), "An old one")
        for hours, entries in ((1, [old]), (30, [old, Entry(VideoId("new"), START + timedelta(hours=29), "A <new> one")])):
            at = START + timedelta(hours=hours)
            found = journal.list(Listing("PL1", at, tuple(entries), complete=True), at).alerts
        dry = rehearsed(journal, "new", Recipient(TO), START + timedelta(days=3))
        journal.con.close()
    assert [(one.rule_id, one.subject_id) for one in found] == [(rule_id, "new")]
    assert (dry.messages, "A <new> one" in dry.shown[0].plain, "A &lt;new&gt; one" in dry.shown[0].text) == (1, True, True)


def test_a_counting_break_is_no_news() -> None:
    around = datetime(2026, 8, 23, 20, tzinfo=UTC)
    with opened(Recipient(TO)) as journal:
        journal.add_rule("views change", around, to=TO)
        readings = [
            Reading(V1, around + timedelta(hours=6 * n), Lane.STATISTICS, {Metric.VIEWS: 1000 * n + 1, Metric.LIKES: 1}) for n in range(24)
        ]
        found, _ = live(journal, readings, around + timedelta(days=9))
        dry = rehearsed(journal, "views change", Recipient(TO), around + timedelta(days=9), days=9)
    assert dry.alerts == len(found) == 6


def fill(journal: Journal, subject: str, days: int, every: timedelta) -> None:
    """A busy video's rows, written past the pipeline."""
    pk = journal.con.execute("SELECT pk FROM subject WHERE id = ?", (subject,)).fetchone()[0]
    count = timedelta(days=days) // every
    rows = [(pk, to_ms(START + every * n), to_ms(START + every * n), 1000 + 7 * n, 10 + n // 9) for n in range(count)]
    journal.write(
        lambda con: con.executemany("INSERT INTO reading (subject_pk, from_at, to_at, views, likes) VALUES (?, ?, ?, ?, ?)", rows)
    )


@pytest.mark.parametrize(
    ("line", "most"),
    [("views milestones", MOST_ROWS), ("views change", MOST_ROWS), ("views faster 1M/h", MOST_RATED_ROWS), ("views rise 5%", MOST_ROWS)],
)
def test_however_much_is_stored_a_rehearsal_looks_at_no_more_than_it_may(line: str, most: int) -> None:
    ids, ends_at = [f"v{n}" for n in range(60)], START + timedelta(days=14)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", target="PL1", kind=TargetKind.PLAYLIST)
        journal.add_target(ids, START)
        journal.add_rule("new", START, to=TO)
        for subject in ids:
            fill(journal, subject, 14, timedelta(minutes=10))
        dry = rehearse(journal.con, parse_rule(line), line, watches.targets(journal.con), Recipient(TO), ends_at, days=14, show=3)
        stored, looked_at = (
            journal.con.execute("SELECT count(*) FROM reading WHERE from_at >= ?", (to_ms(since_at),)).fetchone()[0]
            for since_at in (START, dry.since_at)
        )
        journal.con.close()
    assert dry.shortened
    assert looked_at <= most < stored == 60 * 14 * 144
