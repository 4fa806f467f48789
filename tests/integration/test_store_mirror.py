"""Which rules an engine is handed, when, and what its alerts become: one judge for each rule at every reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from ytwatcher import pipeline
from ytwatcher.core.model import Alert, Entry, Lane, Listing, Metric, Reading, RuleId, RuleKind, SubjectId, TargetKind, VideoId, to_ms
from ytwatcher.store import mirror, publications, recipients
from ytwatcher.store.mirror import Options, Wanted

START = datetime(2026, 10, 5, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
VIDEO = SubjectId("v1")
OURS, CONNECT = Options(), Options(connect=True)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "journal.db", target=VIDEO)
    made.add_target([VIDEO], START)
    return made


def _read(journal: Journal, minutes: float, views: int) -> list[str]:
    at = START + minutes * MINUTE
    return [alert.id for alert in journal.accept([Reading(VIDEO, at, Lane.STATISTICS, {Metric.VIEWS: views})], at).alerts]


def _stale(journal: Journal, minutes: float, *, moving: bool = True, options: Options = OURS) -> list[Wanted]:
    return journal.write(mirror.stale, START + minutes * MINUTE, options, moving=moving)


def _confirm(journal: Journal, wanted: list[Wanted], minutes: float) -> int:
    return journal.write(mirror.confirm, wanted, START + minutes * MINUTE)


def _engine_found(rule_id: str, minutes: float, previous: int, current: int) -> Alert:
    at = START + minutes * MINUTE
    return Alert(RuleId(rule_id), VIDEO, RuleKind.CHANGE, at, Metric.VIEWS, previous, current, at - MINUTE)


def test_a_rule_is_handed_over_at_one_instant_and_every_reading_has_one_judge(journal: Journal) -> None:
    rule_id = journal.add_rule("views change", START)
    assert _stale(journal, 0) == [], "without a baseline it stays where it is"
    _read(journal, 1, 100)
    [wanted] = _stale(journal, 2)
    assert [rule["RULE_ID"] for rule in wanted.rules] == [rule_id]
    assert _confirm(journal, [wanted], 2.5) == 1
    assert _read(journal, 3.9, 110), "before the instant it is judged here"
    assert _read(journal, 4, 120) == [], "and from it on there"
    assert _stale(journal, 5) == [], "nothing is written twice"


def test_an_acknowledgement_that_comes_late_moves_nothing_and_the_record_is_written_anew(journal: Journal) -> None:
    journal.add_rule("views change", START)
    _read(journal, 1, 100)
    late = _stale(journal, 2)
    assert _confirm(journal, late, 3.5) == 0
    assert _read(journal, 5, 110), "the embedded judge goes on"
    [again] = _stale(journal, 6)
    assert again.rules[0]["SINCE"] > late[0].rules[0]["SINCE"]
    assert _confirm(journal, [again], 6) == 1


def test_nothing_moves_while_the_engine_does_not_run(journal: Journal) -> None:
    journal.add_rule("views change", START)
    _read(journal, 1, 100)
    assert _stale(journal, 2, moving=False) == []


def test_only_what_an_engine_can_judge_moves(journal: Journal) -> None:
    for line in ("views change", "views rise 5", "availability", "title", "likes every 10"):
        journal.add_rule(line, START)
    _read(journal, 1, 100)
    journal.accept([Reading(VIDEO, START + 2 * MINUTE, Lane.STATISTICS, {Metric.VIEWS: 100, Metric.LIKES: 5})], START + 2 * MINUTE)
    [wanted] = _stale(journal, 3)
    assert [(rule["METRIC"], rule["KIND"], rule["N"]) for rule in wanted.rules] == [("views", "change", 0), ("likes", "every", 10)]


def test_with_connect_delivering_what_needs_our_delivery_stays(journal: Journal) -> None:
    for line, to in (
        ("views change", "telegram:1"),
        ("views change once", "telegram:2"),
        ("views change silent", "telegram:3"),
        ("views change cooldown 1h", "telegram:4"),
        ("views change", "telegram:-100:7"),
        ("views change", "console"),
        ("views change", "telegram:5"),
    ):
        journal.add_rule(line, START, to=to)
    hushed = journal.write(recipients.ensure, "telegram:5")
    journal.con.execute("UPDATE recipient SET quiet = '23:00-07:00' WHERE pk = ?", (hushed,))
    _read(journal, 1, 100)
    [wanted] = _stale(journal, 2, options=CONNECT)
    assert [rule["CHAT_ID"] for rule in wanted.rules] == ["1"]
    [ours] = _stale(journal, 2)
    assert len(ours.rules) == 7
    assert all(":" not in rule["CHAT_ID"] for rule in ours.rules), "an address never leaves"
    kept = journal.write(mirror.staying, connect=True)
    assert [one.address for one in kept] == ["telegram:2", "telegram:3", "telegram:4", "telegram:-100:7", "console", "telegram:5"]
    assert (kept[-1].line, kept[-1].why) == ("views change", "its recipient has quiet hours or a digest, or is muted")
    assert journal.write(mirror.staying, connect=False) == []


def test_a_removed_rule_ends_in_the_record_first_and_is_dropped_later(journal: Journal) -> None:
    rule_id = journal.add_rule("views change", START)
    _read(journal, 1, 100)
    _confirm(journal, _stale(journal, 2), 2)
    journal.con.execute("UPDATE rule SET until_at = ? WHERE id = ?", (int((START + 5 * MINUTE).timestamp() * 1000), rule_id))
    [ended] = _stale(journal, 5)
    assert ended.rules[0]["UNTIL"] is not None
    _confirm(journal, [ended], 5)
    assert _stale(journal, 6) == []
    [dropped] = _stale(journal, 16)
    assert dropped.rules == [], "an empty list: a tombstone would not be seen"
    _confirm(journal, [dropped], 16)
    assert _stale(journal, 17) == []


def test_a_lost_topic_is_filled_again_with_the_same_instants(journal: Journal) -> None:
    journal.add_rule("views change", START)
    _read(journal, 1, 100)
    [wanted] = _stale(journal, 2)
    _confirm(journal, [wanted], 2)
    journal.write(mirror.forget)
    [again] = _stale(journal, 9)
    assert (again.rules, again.moves) == (wanted.rules, ())


def test_another_engine_begins_anew_and_the_same_one_goes_on(journal: Journal) -> None:
    journal.add_rule("views change", START)
    assert journal.write(mirror.set_engine, "flink")
    _read(journal, 1, 100)
    _confirm(journal, _stale(journal, 2), 2)
    assert not journal.write(mirror.set_engine, "flink")
    assert _read(journal, 5, 110) == []
    assert journal.write(mirror.set_engine, "embedded")
    assert _read(journal, 6, 120), "judged here again"


def test_more_rules_than_a_record_holds_stay_embedded(journal: Journal) -> None:
    for number in range(3):
        journal.add_rule(f"views every {number + 1}000", START)
    _read(journal, 1, 100)
    [wanted] = _stale(journal, 2, options=Options(most_rules=2))
    assert len(wanted.rules) == len(wanted.moves) == 2


def test_an_engines_alert_is_stored_once_whatever_path_it_came_by(journal: Journal) -> None:
    rule_id = journal.add_rule("views change", START)
    _read(journal, 1, 100)
    assert _read(journal, 2, 110)
    taken = journal.write(mirror.take_alerts, [_engine_found(rule_id, 2, 100, 110), _engine_found(rule_id, 3, 110, 120)], START)
    assert ([alert.current for alert in taken.new], taken.known, taken.stray) == ([120], 1, 0)


def test_alerts_of_rules_that_are_gone_or_had_ended_tell_nothing(journal: Journal) -> None:
    rule_id = journal.add_rule("views change", START)
    journal.con.execute("UPDATE rule SET until_at = ? WHERE id = ?", (int((START + 2 * MINUTE).timestamp() * 1000), rule_id))
    found = [_engine_found(rule_id, 1, 1, 2), _engine_found(rule_id, 2, 2, 3), _engine_found("r999", 1, 1, 2)]
    taken = journal.write(mirror.take_alerts, found, START)
    assert (len(taken.new), taken.stray) == (1, 2)


RECORD = {"rule_id": "r1", "video_id": "v1", "metric": "views", "kind": "every", "n": 100, "previous": 90, "current": 250}


def test_a_record_becomes_the_alert_the_embedded_judge_would_have_made() -> None:
    alert = mirror.alert_of({**RECORD, "observed_at": 1000, "previous_at": 500})
    assert (alert.id, alert.mark, alert.previous, alert.current) == ("r1:v1:1000", 200, 90, 250)
    assert mirror.alert_of({**RECORD, "kind": "milestones", "observed_at": 1000}).mark == 200
    assert mirror.alert_of({**RECORD, "kind": "reach", "observed_at": 1000}).mark == 100
    assert mirror.alert_of({**RECORD, "kind": "change", "observed_at": 1000}).mark is None


@pytest.mark.parametrize("wrong", [{"kind": "dance"}, {"metric": "dislikes"}, {"current": None}, {"observed_at": None}])
def test_a_record_that_is_no_alert_of_ours_says_why(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"it has no|is not a valid"):
        mirror.alert_of({**RECORD, "observed_at": 1000, **wrong})


def _published(journal: Journal) -> list[tuple[int | None, int, int]]:
    """Views, peak and minute of each record in the line."""
    found = [one.record for one in publications.unacknowledged(journal.con, 100)]
    return [(one["VIEWS"], one["PEAK_VIEWS"], (one["OBSERVED_AT"] - to_ms(START)) // 60_000) for one in found]


def test_with_a_rule_goes_what_its_videos_next_reading_is_compared_with(journal: Journal) -> None:
    journal.add_rule("views change", START)
    _read(journal, 1, 100)
    assert _published(journal) == [], "read before there was a topic"
    _confirm(journal, _stale(journal, 2), 2)
    assert _published(journal) == [(None, 100, 1), (100, 100, 1)]
    journal.add_rule("views every 10", START)
    _confirm(journal, _stale(journal, 3), 3)
    assert len(_published(journal)) == 2, "it is in the line already"


def test_what_the_topic_may_have_dropped_is_published_again_for_a_new_deployment(journal: Journal) -> None:
    journal.add_rule("views change", START)
    at = START + MINUTE
    journal.write(pipeline.accept, [Reading(VIDEO, at, Lane.STATISTICS, {Metric.VIEWS: 100})], at, publish=True)
    _confirm(journal, _stale(journal, 2), 2)
    journal.write(publications.acknowledge, 0, 9, at)
    retention = timedelta(hours=2)
    assert journal.write(mirror.add_baselines, at + retention / 4, retention) == 0
    assert journal.write(mirror.add_baselines, at + retention, retention) == 1
    assert _published(journal) == [(None, 100, 1), (100, 100, 1)]


def _judges(journal: Journal, minutes: float, options: Options = OURS, *, engine: bool = True) -> list[tuple[str, str, int]]:
    found = journal.write(mirror.judges, START + minutes * MINUTE, options, engine=engine)
    return [(one.judge, one.why, one.rules) for one in found]


def test_who_judges_what_is_counted_with_the_reason(journal: Journal) -> None:
    for line in ("views change", "views every 10", "availability"):
        journal.add_rule(line, START)
    stays = ("embedded", "engines do not judge availability", 1)
    assert _judges(journal, 0, engine=False) == [("embedded", "no engine is configured", 3)]
    assert _judges(journal, 0) == [("embedded", "waits for its baseline", 2), stays]
    _read(journal, 1, 100)
    assert _judges(journal, 1) == [("embedded", "waits to be handed to the engine", 2), stays]
    few = Options(most_rules=1)
    _confirm(journal, _stale(journal, 2, options=few), 2)
    over = ("embedded", "more than 1 rules on one video", 1)
    assert _judges(journal, 3, few) == [
        stays,
        ("embedded", "more than 1 rules on one video", 1),
        ("embedded", "moves within two minutes", 1),
    ]
    assert _judges(journal, 5, few) == [("engine", "", 1), stays, over]


def test_the_newest_alert_of_an_engine_is_known_by_the_instant_at_which_its_rule_moved(journal: Journal) -> None:
    rule_id = journal.add_rule("views change", START)
    _read(journal, 1, 100)
    assert _read(journal, 1.5, 101)
    _confirm(journal, _stale(journal, 2), 2)
    assert journal.write(mirror.newest_from_engine) is None, "the embedded judge's do not count"
    journal.write(mirror.take_alerts, [_engine_found(rule_id, 6, 101, 120)], START + 7 * MINUTE)
    assert journal.write(mirror.newest_from_engine) == START + 7 * MINUTE


def test_a_rule_ends_on_a_video_that_left_the_list_though_another_watch_still_reads_it(tmp_path: Path) -> None:
    listed = Journal(tmp_path / "list.db", "p1", TargetKind.PLAYLIST)
    listed.add_target([VIDEO, "v2"], START)
    rule_id = listed.add_rule("views change", START)
    _read(listed, 1, 100)
    [wanted] = _stale(listed, 2)
    _confirm(listed, [wanted], 2)
    for day in (1, 2, 3):
        at = START + timedelta(days=day)
        listed.list(Listing("p1", at, (Entry(VideoId("v2"), START, "Two"),), complete=True), at)
    minutes = 2 * 24 * 60 + 1
    [ended] = _stale(listed, minutes)
    assert [rule["UNTIL"] for rule in ended.rules] == [to_ms(START + timedelta(days=2))]
    taken = listed.write(mirror.take_alerts, [_engine_found(rule_id, minutes, 100, 120)], START + minutes * MINUTE)
    assert (taken.new, taken.stray) == ([], 1)
    _confirm(listed, [ended], minutes)
    [gone] = _stale(listed, minutes + 11)
    assert gone.rules == []
