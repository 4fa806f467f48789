"""streaming.json: rules and settled records as an engine meets them, and what the embedded judge finds in them.

A case is one video. Its readings are settled values, one `step` apart: a number or null of the case's metric (likes), or an object with
metrics, title and peak; {"again": n} sends the last n once more. Rules are lines of the rule language, in force from `since` until `until`
(ms from the start). `then` follows once the engine has judged what came before. An expectation is `READING RULE [to CHAT]: BODY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ytwatcher.core.judge import observe
from ytwatcher.core.model import (
    VIDEO_METRICS,
    Absent,
    Alert,
    Lane,
    Metric,
    MetricState,
    Pending,
    Reading,
    Rule,
    RuleId,
    RuleState,
    SubjectId,
    SubjectState,
    Wait,
    from_ms,
    to_ms,
)
from ytwatcher.core.plain import plain_line
from ytwatcher.core.rules import parse_rule
from ytwatcher.streaming.codec import Record
from ytwatcher.streaming.vectors.cases import Case, Found, Phase, in_order, read, rule_record

CHAT = "100"
LONG_AGO = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Assigned:
    """A rule of a situation: for whom, and from when until when (ms; `until` excluded)."""

    rule: Rule
    line: str
    chat_id: str
    since: int
    until: int | None

    @property
    def name(self) -> str:
        """Under which the expectations know it."""
        return self.line if self.chat_id == CHAT else f"{self.line} to {self.chat_id}"

    def in_force(self, at_ms: int) -> bool:
        return self.since <= at_ms and (self.until is None or at_ms < self.until)


@dataclass(frozen=True, slots=True)
class Part:
    """What reaches the engine at once."""

    rules: Sequence[Assigned]
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Situation:
    """One case of the file; it says its alerts one by one, or only how many there are."""

    name: str
    video_id: str
    parts: Sequence[Part]
    expect: Sequence[str] | None
    count: int | None

    def case(self) -> Case:
        rules = [[rule_record(one.rule.id, one.chat_id, one.rule.spec, one.since, one.until) for one in part.rules] for part in self.parts]
        phases = [
            Phase({self.video_id: ruled}, [(self.video_id, record) for record in part.records])
            for ruled, part in zip(rules, self.parts, strict=True)
        ]
        return Case(self.name, frozenset([self.video_id]), phases, in_order(self.judged()))

    def judged(self) -> list[Found]:
        """What the embedded judge finds in the records; one that is not newer than the newest before it is none."""
        found: list[Found] = []
        last: Record | None = None
        for part in self.parts:
            for record in part.records:
                if last is None or record["OBSERVED_AT"] > last["OBSERVED_AT"]:
                    in_force = [one for one in part.rules if one.in_force(record["OBSERVED_AT"])]
                    found += _judge(self.video_id, last, record, in_force)
                    last = record
        return found

    def expected_by_hand(self) -> list[tuple[str, str]]:
        """Alert ids and bodies as the file says them."""
        by_name = {one.name: one for part in self.parts for one in part.rules}
        times = sorted({record["OBSERVED_AT"] for part in self.parts for record in part.records})
        expected = []
        for line in self.expect or ():
            head, _, body = line.partition(": ")
            number, _, rule = head.partition(" ")
            expected.append((f"{by_name[rule].rule.id}:{self.video_id}:{times[int(number)]}", body))
        return expected


def situations(tag: str = "") -> list[Situation]:
    """All of the file; `tag` (up to 4 letters) makes their videos other ones."""
    file = read("streaming")
    start_ms, step_ms = to_ms(datetime.fromisoformat(file["start"])), file["step"] * 1000
    return [_situation(number, data, tag, start_ms, step_ms) for number, data in enumerate(file["cases"])]


def body(found: Found) -> str:
    """The words of an alert's text without the title and the link."""
    return found.text.rpartition(" | ")[0].rpartition(" | ")[2]


def _situation(number: int, data: dict[str, Any], tag: str, start_ms: int, step_ms: int) -> Situation:
    video_id = f"v{number:03d}{tag}".ljust(11, "-")
    ids = iter(range(1, 100))
    sent: list[Record] = []
    parts: list[Part] = []
    for part in (data, data["then"]) if "then" in data else (data,):
        rules = [_assigned(rule, f"{number}{tag}r{next(ids)}", start_ms, parts) for rule in part["rules"]]
        steps = part["readings"] if "readings" in part else list(_burst(part["burst"]))
        parts.append(Part(rules, list(_records(steps, {"step_ms": step_ms, **part}, start_ms, sent))))
    return Situation(data["name"], video_id, parts, data.get("expect"), data.get("expect_count"))


def _assigned(data: str | dict[str, Any], rule_id: str, start_ms: int, before: Sequence[Part]) -> Assigned:
    """A rule that an earlier part has under the same name is the same rule."""
    data = {"rule": data} if isinstance(data, str) else data
    spec = parse_rule(data["rule"])
    since = start_ms + data.get("since", 0)
    until = start_ms + data["until"] if "until" in data else None
    made = Assigned(Rule(RuleId(rule_id), spec, RuleState(from_ms(since))), data["rule"], data.get("to", CHAT), since, until)
    same = (one for part in before for one in part.rules if one.name == made.name)
    return next(same, made)


def _burst(data: dict[str, Any]) -> Iterator[int]:
    value = data["from"]
    for number in range(data["count"]):
        yield value
        value += data["by"][number % len(data["by"])]


def _records(steps: Sequence[Any], data: dict[str, Any], start_ms: int, sent: list[Record]) -> Iterator[Record]:
    """`sent` holds the situation's records so far, without those sent again."""
    metric = data.get("metric", "likes")
    for step in steps:
        if isinstance(step, dict) and "again" in step:
            yield from sent[-step["again"] :]
            continue
        values = step if isinstance(step, dict) else {metric: step}
        record = _record(values, data.get("title", "Alpha"), start_ms + len(sent) * data["step_ms"], sent)
        sent.append(record)
        yield record


def _record(values: dict[str, Any], title: str | None, at_ms: int, sent: Sequence[Record]) -> Record:
    counts = {metric.upper(): values.get(metric) for metric in VIDEO_METRICS}
    peaks = {f"PEAK_{metric.upper()}": values.get("peak", {}).get(metric, _peak(metric.upper(), sent[-1:])) for metric in VIDEO_METRICS}
    described = {"VIDEO_TIMESTAMP": None, "TITLE": values.get("title", title), "DESCRIPTION": None}
    return {**described, **counts, "OBSERVED_AT": at_ms, "CHANNEL_ID": None, "CHANNEL_TITLE": None, **peaks}


def _peak(count: str, last: Sequence[Record]) -> int | None:
    """The highest number up to the last record, from its own and its peak."""
    return max((number for record in last for number in (record[count], record[f"PEAK_{count}"]) if number is not None), default=None)


def _judge(video_id: str, last: Record | None, record: Record, rules: Sequence[Assigned]) -> list[Found]:
    """The embedded judge on two records. They are settled: a wait that is over lets every value settle at once."""
    at = from_ms(record["OBSERVED_AT"])
    states = {metric: _state(metric, last, record, at) for metric in VIDEO_METRICS}
    before = SubjectState(SubjectId(video_id), newest_at=from_ms(last["OBSERVED_AT"]) if last else None, metrics=states)
    values = {one: Absent.NOT_RETURNED if record[one.upper()] is None else record[one.upper()] for one in VIDEO_METRICS}
    reading = Reading(SubjectId(video_id), at, Lane.STATISTICS, values, title=record["TITLE"])
    chats = {one.rule.id: one.chat_id for one in rules}
    outcome = observe(before, reading, [one.rule for one in rules])
    return [_found(alert, chats[alert.rule_id], record["TITLE"]) for alert in outcome.alerts]


def _state(metric: Metric, last: Record | None, record: Record, at: datetime) -> MetricState:
    number, peak, new = last[metric.upper()] if last else None, record[f"PEAK_{metric.upper()}"], record[metric.upper()]
    if number is None:
        return MetricState(peak=peak)
    wait = None if new is None else Wait(Pending.FALL if new < number else Pending.RISE, at - LONG_AGO, at)
    return MetricState(number, None, at - LONG_AGO / 24, peak, wait)


def _found(alert: Alert, chat_id: str, title: str | None) -> Found:
    return Found(alert.id, chat_id, alert.rule_id, alert.previous, alert.current, plain_line(alert, title))
