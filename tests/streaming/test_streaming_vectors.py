"""The vectors of the streaming way say what the embedded judge says; the engines are held against the same (test_engine_flink.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ytwatcher.streaming.vectors.drive import Result, all_cases, compare
from ytwatcher.streaming.vectors.situations import Situation, body, situations


@pytest.mark.parametrize("situation", situations(), ids=lambda situation: situation.name)
def test_the_embedded_judge_finds_what_was_written_by_hand(situation: Situation) -> None:
    found = situation.judged()
    if situation.expect is None:
        assert len(found) == situation.count
    else:
        assert sorted((one.alert_id, body(one)) for one in found) == sorted(situation.expected_by_hand())


def test_every_case_has_a_name_and_videos_of_its_own() -> None:
    found = all_cases("tag")
    videos = [video for case in found for video in case.videos]
    assert len({case.name for case in found}) == len(found) > 140
    assert len(set(videos)) == len(videos)


def test_what_the_watchers_vectors_say_of_an_engines_rules_is_among_them() -> None:
    found = {case.name: case for case in all_cases()}
    several = found["every: several at once"]
    assert [one.text for one in several.expected] == [
        f"Video: {video} | Views passed 12000: now 12300 | https://youtu.be/{video}" for video in several.videos
    ]
    kinds = {rule["KIND"] for case in found.values() for phase in case.phases for rules in phase.rules.values() for rule in rules}
    assert kinds == {"change", "every", "reach", "milestones"}


def test_an_alert_that_differs_in_anything_is_missing_and_too_much() -> None:
    case = situations()[0].case()
    first, second = case.expected
    other = replace(first, text=f"{first.text} ")
    stray = replace(first, alert_id="r1:nobodys video:1")
    assert compare([case], [second, first]) == [Result(case.name, [], [])]
    assert compare([case], [second, other, stray]) == [Result(case.name, [first], [other]), Result("in no situation", [], [stray])]
    assert not compare([case], [])[0].passed
