"""A situation as an engine meets it: rules, records, and the alerts that the embedded judge finds in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ytwatcher.core.model import RuleSpec
from ytwatcher.streaming.codec import Record


@dataclass(frozen=True, slots=True)
class Found:
    """An alert as it stands on the topic, in so far as every judge must agree on it."""

    alert_id: str
    chat_id: str
    rule_id: str
    previous: int | None
    current: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Phase:
    """What reaches the engine at once: first each video's rules (as in yt_rules), then the records of yt_videos with their video ids."""

    rules: Mapping[str, Sequence[Record]]
    records: Sequence[tuple[str, Record]]


@dataclass(frozen=True, slots=True)
class Case:
    """One situation. A later phase begins once the engine has judged the one before; `expected` is in the order of alert ids.

    `videos` belong to no other case.
    """

    name: str
    videos: frozenset[str]
    phases: Sequence[Phase]
    expected: Sequence[Found]


def rule_record(rule_id: str, chat_id: str, spec: RuleSpec, since_ms: int, until_ms: int | None) -> Record:
    """A rule as it stands in yt_rules."""
    assert spec.metric is not None  # whatever an engine judges has one
    number = {"N": spec.n or 0, "SINCE": since_ms, "UNTIL": until_ms}
    return {"RULE_ID": rule_id, "CHAT_ID": chat_id, "METRIC": spec.metric.value, "KIND": spec.kind.value, **number}


def in_order(found: Sequence[Found] | set[Found]) -> list[Found]:
    """By their ids, for comparing."""
    return sorted(found, key=lambda one: one.alert_id)


def read(name: str) -> Any:
    """One of the files beside this one."""
    return json.loads((files(__package__) / f"{name}.json").read_text(encoding="utf-8"))
