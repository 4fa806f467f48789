"""What is asked of the journal at every call and every message looks at what it is about, never at all that ever was."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from journal import Journal
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.core.render import Limits
from ytwatcher.store import outbox, readings, recipients, subjects

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GROWING = ("alert", "a", "message", "m", "x", "reading", "subject", "s", "member", "rule_state")
"""The tables that grow with what is watched and told, and their names in queries."""


def scans(opened: Journal, asked: list[str]) -> list[str]:
    """The steps that read a whole growing table or all that is watched, one index of exactly the open ones excepted."""
    table = rf"SCAN (?:{'|'.join(GROWING)})\b(?! USING (?:COVERING )?INDEX (?:alert|message)_open)"
    whole = re.compile(rf"{table}|SEARCH \w+ USING (?:COVERING )?INDEX subject_watched\b")
    plans = (row[3] for query in asked for row in opened.con.execute(f"EXPLAIN QUERY PLAN {query}"))
    return [step for step in plans if whole.match(step)]


def read(opened: Journal, at: datetime, views: int) -> None:
    opened.accept([Reading(SubjectId("v1"), at, Lane.STATISTICS, {Metric.VIEWS: views})], at)


def test_no_call_and_no_message_reads_a_whole_table(tmp_path: Path) -> None:
    opened = Journal(tmp_path / "journal.db")
    opened.add_target(["v1"], NOW)
    opened.add_rule("views change", NOW)
    opened.add_rule("views every 10 once", NOW)
    read(opened, NOW, 900)
    asked: list[str] = []
    opened.con.set_trace_callback(lambda query: asked.append(query) if query.startswith(("SELECT", "UPDATE", "DELETE")) else None)
    read(opened, NOW + MINUTE, 999)
    opened.write(subjects.mark_asked, ["v1"], NOW, metadata=False)
    opened.write(subjects.want_proof, ["v1"], NOW)
    [errand] = outbox.agenda(opened.con, ["a"])
    job = opened.write(outbox.take, errand.recipient_pk, NOW + MINUTE, Limits())
    assert job is not None
    assert outbox.agenda(opened.con, ["a"]) == []
    opened.write(outbox.record_retry, job.pk, NOW, "later")
    assert [one.message_pk for one in outbox.agenda(opened.con, ["a"])] == [job.pk]
    outbox.history(opened.con, NOW)
    opened.write(outbox.record_sent, job.pk, NOW, None)
    opened.write(recipients.lose, job.recipient_pk, "gone", "console", NOW)
    opened.con.set_trace_callback(None)
    assert len(asked) > 10
    assert scans(opened, asked) == []


def test_forgetting_old_readings_does_not_look_at_the_young_ones(tmp_path: Path) -> None:
    opened = Journal(tmp_path / "journal.db")
    asked: list[str] = []
    opened.con.set_trace_callback(lambda query: asked.append(query) if "FROM reading" in query or "reading SET" in query else None)
    opened.write(readings.prune, NOW, timedelta(days=30))
    opened.con.set_trace_callback(None)
    assert len(asked) == 2
    assert scans(opened, asked) == []
