"""Targets, watches and rules in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from ytwatcher.core.model import Alert, Lane, Metric, Reading, RuleId, RuleKind, SubjectId, SubjectKind, TargetKind, to_ms
from ytwatcher.core.targets import parse_target
from ytwatcher.store import subjects, watches

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A watched channel c1 with the video v1."""
    journal = Journal(tmp_path / "journal.db", "c1", TargetKind.CHANNEL)
    journal.add_target(["v1"], START)
    yield journal
    journal.con.close()


def test_rule_ids_are_never_used_again(journal: Journal) -> None:
    first = journal.add_rule("views change", START)
    journal.con.execute("DELETE FROM rule")
    assert (first, journal.add_rule("views change", START)) == ("r1", "r2")


def test_a_rule_ends_once_and_stays_in_the_journal(journal: Journal) -> None:
    rule_id = journal.add_rule("views change", START)
    assert journal.write(watches.end_rule, rule_id, START + HOUR)
    assert not journal.write(watches.end_rule, rule_id, START + 2 * HOUR)
    assert watches.rules(journal.con) == []
    assert journal.con.execute("SELECT line, until_at FROM rule").fetchone()[:] == ("views change", to_ms(START + HOUR))


def test_rules_are_listed_in_the_order_they_were_made_by_target_and_recipient(journal: Journal) -> None:
    for line, to in (("views change", "a"), ("new", "b"), ("likes rise 5%", "a")):
        journal.add_rule(line, START, to=to)
    assert [(rule.id, rule.line, rule.address) for rule in watches.rules(journal.con)] == [
        ("r1", "views change", "a"),
        ("r2", "new", "b"),
        ("r3", "likes rise 5%", "a"),
    ]
    assert [rule.id for rule in watches.rules(journal.con, address="a")] == ["r1", "r3"]
    assert watches.rules(journal.con, "another target") == []
    assert watches.rules(journal.con, "c1")[1].spec.kind is RuleKind.NEW


def test_a_rule_holds_on_the_subjects_it_fits(journal: Journal) -> None:
    for line in ("views change", "subscribers change", "availability", "new"):
        journal.add_rule(line, START)
    known = subjects.load(journal.con, ["c1", "v1"])
    found = watches.rules_on(journal.con, [(k.pk, k.state.kind) for k in known.values()])
    lines = {name: [row.rule.id for row in found[known[SubjectId(name)].pk]] for name in ("c1", "v1")}
    assert lines == {"c1": ["r2"], "v1": ["r1", "r3"]}
    assert [row.rule.id for row, made_at in watches.new_video_rules(journal.con, 1) if made_at == START] == ["r4"]


def test_removing_a_watch_ends_its_rules_and_leaves_those_of_others(journal: Journal) -> None:
    journal.add_rule("views change", START, to="a")
    journal.add_rule("views change", START, to="b")
    assert journal.write(watches.remove_watch, 1, 1, START + HOUR)
    assert not journal.write(watches.remove_watch, 1, 1, START + HOUR)
    assert [rule.address for rule in watches.rules(journal.con)] == ["b"]
    assert [target.id for target in watches.targets(journal.con)] == ["c1"]
    journal.write(watches.remove_watch, 1, 2, START + HOUR)
    assert watches.targets(journal.con) == []


def test_a_watch_is_made_once(journal: Journal) -> None:
    journal.add_rule("views change", START)
    assert journal.write(watches.ensure_watch, 1, 1, START) == (1, False)


def test_a_target_that_is_added_again_keeps_its_row_and_loses_its_fault(journal: Journal) -> None:
    journal.add_rule("new", START)
    journal.write(watches.mark_fault, 1, "playlistNotFound", START + HOUR)
    assert [listing.faulty for listing in watches.listings(journal.con)] == [True]
    target = watches.find_target(journal.con, "c1")
    assert target is not None
    assert (target.fault, target.listed_at, target.wanted_at) == ("playlistNotFound", START + HOUR, None)
    again = journal.write(watches.ensure_target, "c1", TargetKind.CHANNEL, "Title", "list", True, START + 2 * HOUR)
    target = watches.find_target(journal.con, "c1")
    assert target is not None
    assert (again, target.title, target.fault, target.wanted_at) == (1, "Title", None, START + 2 * HOUR)


def test_a_channel_is_named_by_its_handle_until_another_one_has_it(journal: Journal) -> None:
    journal.add_rule("new", START)

    def named(text: str) -> list[str]:
        return [target.id for target in watches.named(journal.con, text, parse_target(text))]

    assert named("@harbour") == []
    journal.write(watches.ensure_target, "c1", TargetKind.CHANNEL, "Title", "list", True, START, handle="@Harbour")
    journal.write(watches.ensure_target, "c1", TargetKind.CHANNEL, "Title", "list", True, START + HOUR)
    assert named("youtube.com/@HARBOUR") == ["c1"]
    journal.write(watches.ensure_target, "c2", TargetKind.CHANNEL, "Other", "list 2", True, START + HOUR, handle="@harbour")
    assert named("@harbour") == []  # nobody watches the other one


def test_a_member_that_comes_back_is_the_same_member(journal: Journal) -> None:
    def member() -> watches.Member:
        return watches.members(journal.con, 1)["v1"]

    pk = member().subject_pk
    journal.write(watches.set_missing, 1, pk, START, START + HOUR)
    assert (member().missing_at, member().left_at) == (START, START + HOUR)
    journal.write(watches.join, 1, pk, START, START + 2 * HOUR)
    assert (member().missing_at, member().left_at, member().kind) == (None, None, SubjectKind.VIDEO)
    assert journal.con.execute("SELECT added_at, joined_at FROM member WHERE subject_pk = ?", (pk,)).fetchone()[:] == (None, to_ms(START))


def test_an_alert_is_stored_once_whatever_path_it_came_by(journal: Journal) -> None:
    journal.add_rule("likes change silent", START)
    known = subjects.load(journal.con, ["v1"])[SubjectId("v1")]
    (row,) = watches.rules_on(journal.con, [(known.pk, SubjectKind.VIDEO)])[known.pk]
    alert = Alert(RuleId("r1"), SubjectId("v1"), RuleKind.CHANGE, START, Metric.LIKES, 1, 2, START - HOUR)
    assert journal.write(watches.insert_alerts, [(row, alert)], START) == [alert]
    assert journal.write(watches.insert_alerts, [(row, alert)], START + HOUR) == []
    stored = journal.con.execute("SELECT id, state, silent, made_at, facts FROM alert").fetchall()
    assert [tuple(r) for r in stored] == [(alert.id, "waiting", 1, to_ms(START), None)]


def test_the_peaks_of_the_subjects_that_a_rule_has_a_baseline_on_are_known(journal: Journal) -> None:
    rule_id = journal.add_rule("views reach 1000", START)
    assert watches.peaks(journal.con, rule_id) == []
    journal.accept([Reading(SubjectId("v1"), START, Lane.STATISTICS, {Metric.VIEWS: 1234})], START)
    assert watches.peaks(journal.con, rule_id) == [1234]
