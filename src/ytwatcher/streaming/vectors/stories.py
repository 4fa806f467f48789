"""judge.json and rates.json: what happens to a target and its readings, driven through the real pipeline on a journal of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ytwatcher.core.model import (
    Absence,
    Absent,
    Alert,
    Entry,
    Lane,
    Listing,
    Metric,
    Reading,
    SubjectId,
    SubjectKind,
    TargetKind,
    Value,
    VideoId,
)
from ytwatcher.core.plain import plain_line
from ytwatcher.core.rules import parse_rule
from ytwatcher.core.streams import engine_judges
from ytwatcher.pipeline import Fate
from ytwatcher.store import publications, watches
from ytwatcher.store.mirror import chat_id
from ytwatcher.streaming.codec import Record
from ytwatcher.streaming.vectors.cases import Case, Found, Phase, in_order, read, rule_record
from ytwatcher.streaming.vectors.journal import Journal

Step = dict[str, Any]
MOST_RECORDS = 10_000
_OFFSET = re.compile(r"([+-]?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?|0")
_TARGETS = {"video": "v1", "playlist": "p1", "channel": "c1"}


def stories() -> list[Step]:
    """All of judge.json, and those of the rules on rates; the defaults are filled in."""
    return [{"kind": "video", **file["defaults"], **story} for file in (read("judge"), read("rates")) for story in file["cases"]]


def cases(tag: str = "") -> list[Case]:
    """The stories that have rules an engine judges, each with what the embedded judge found; `tag` makes their videos other ones."""
    theirs = [story for story in stories() if any(_of_engine(step) for step in story["steps"])]
    with TemporaryDirectory() as folder:
        made = [_case(story, Path(folder) / f"{number}.db", f"j{number:03d}{tag}") for number, story in enumerate(theirs)]
    return [case for case in made if case.phases[0].rules]


def _of_engine(step: Step) -> bool:
    return "rule" in step and engine_judges(parse_rule(step["rule"]), ("", False), connect=False)


def _case(data: Step, path: Path, prefix: str) -> Case:
    story = Story(data, path, prefix)
    for step in data["steps"]:
        story.take(step)
    records = story.records()
    rules = story.engine_rules()
    story.journal.con.close()
    videos = frozenset(video for video, _ in records)
    return Case(data["name"], videos, [Phase(rules, records)], in_order(_found(story, records, rules)))


def _found(story: Story, records: Sequence[tuple[str, Record]], rules: dict[str, list[Record]]) -> list[Found]:
    """The embedded judge's alerts of those rules, with the title that stands beside them on the topic."""
    titles = {(video, record["OBSERVED_AT"]): record["TITLE"] for video, record in records}
    chats = {(video, rule["RULE_ID"]): rule["CHAT_ID"] for video, ours in rules.items() for rule in ours}
    return [
        Found(alert.id, chats[key], alert.rule_id, alert.previous, alert.current, plain_line(alert, titles[at]))
        for alert in story.alerts
        if (key := (alert.subject_id, alert.rule_id)) in chats and (at := (alert.subject_id, int(alert.id.rpartition(":")[2]))) in titles
    ]


class Story:
    """One story on a journal of its own; `prefix` goes in front of the ids of its subjects and rules."""

    def __init__(self, data: Step, path: Path, prefix: str = "") -> None:
        self.data, self.prefix = data, prefix
        self.start = datetime.fromisoformat(data["start"])
        self.clock = self.start
        self.fates = Counter[Fate]()
        self.alerts: list[Alert] = []
        """All that the embedded judge has found so far."""
        self.lines: dict[str, tuple[str, str]] = {}
        """Each rule's line and recipient."""
        self._since: dict[tuple[str, str], int] = {}
        kind = TargetKind(data["kind"])
        self.journal = Journal(path, prefix + _TARGETS[kind], kind)
        self.journal.add_target([prefix + member for member in data.get("members", ["v1"])], self.start)

    def take(self, step: Step) -> None:
        if "restart" in step:
            return self.journal.restart()
        self.clock = max(self.clock, self.time(step["clock"] if "clock" in step else step["at"]))
        takers: dict[str, Callable[[Step], None]] = {
            "rule": self._rule,
            "end_rule": lambda step: self._end(step["end_rule"]),
            "unwatch": lambda step: self.journal.unwatch(self.clock, step["unwatch"]),
            "reading": self._reading,
            "absent": self._absent,
            "listing": self._listing,
        }
        (taker,) = (taker for name, taker in takers.items() if name in step)
        return taker(step)

    def time(self, text: str) -> datetime:
        match = _OFFSET.fullmatch(text)
        if match is None:
            return datetime.fromisoformat(text)
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
        offset = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self.start - offset if match[1] == "-" else self.start + offset

    def time_or_none(self, text: str | None) -> datetime | None:
        return None if text is None else self.time(text)

    def subject(self, data: Step) -> SubjectId:
        return SubjectId(self.prefix + data.get("of", "c1" if self.data["kind"] == "channel" else "v1"))

    def records(self) -> list[tuple[str, Record]]:
        """What was published, with the video ids."""
        return [(one.subject_id, one.record) for one in publications.unacknowledged(self.journal.con, MOST_RECORDS)]

    def engine_rules(self) -> dict[str, list[Record]]:
        """By video, the rules that an engine judges: from their baselines on, until they ended or the video left their target."""
        found: dict[str, list[Record]] = {}
        rows = self.journal.con.execute(
            "SELECT s.id AS video, r.id, r.line, coalesce(min(r.until_at, m.left_at), r.until_at, m.left_at) AS until_at, r.recipient_pk,"
            " c.address FROM rule r JOIN recipient c ON c.pk = r.recipient_pk JOIN member m ON m.target_pk = r.target_pk"
            " JOIN subject s ON s.pk = m.subject_pk ORDER BY r.pk, s.pk"
        )
        for row in rows:
            spec, since = parse_rule(row["line"]), self._since.get((row["video"], row["id"]))
            if since is not None and engine_judges(spec, (row["address"], False), connect=False):
                chat = chat_id(row["address"], row["recipient_pk"])
                found.setdefault(row["video"], []).append(rule_record(row["id"], chat, spec, since, row["until_at"]))
        return found

    def _rule(self, step: Step) -> None:
        to, rule_id = step.get("to", "a"), self.prefix + step["id"]
        self.lines[rule_id] = step["rule"], to
        self.journal.add_rule(step["rule"], self.clock, rule_id, to)

    def _end(self, rule_id: str) -> None:
        assert self.journal.write(watches.end_rule, self.prefix + rule_id, self.clock)

    def _reading(self, step: Step) -> None:
        subject_id = self.subject(step)
        kind = SubjectKind.CHANNEL if subject_id == f"{self.prefix}c1" else SubjectKind.VIDEO
        lane = (
            Lane.FILE if self.data.get("replay") else Lane(step.get("lane", "membership" if kind is SubjectKind.CHANNEL else "statistics"))
        )
        values = {Metric(name): value_of(value) for name, value in step["reading"].items()}
        published_at = self.time_or_none(self.data["published_at"]) if kind is SubjectKind.VIDEO else None
        self._accept(Reading(subject_id, self.time(step["at"]), lane, values, kind, step.get("title"), published_at))

    def _absent(self, step: Step) -> None:
        self._accept(Absence(self.subject(step), self.time(step["at"])))

    def _accept(self, observation: Reading | Absence) -> None:
        accepted = self.journal.accept([observation], self.clock, replay=bool(self.data.get("replay")), publish=True)
        self.fates += accepted.fates
        self.alerts += accepted.alerts
        for video, rule_id, since in self._standing():
            self._since.setdefault((video, rule_id), since)  # a rule on a video that nobody watches any longer has no state

    def _standing(self) -> Iterator[tuple[str, str, int]]:
        return self.journal.con.execute(
            "SELECT s.id, r.id, x.since_at FROM rule_state x JOIN rule r ON r.pk = x.rule_pk JOIN subject s ON s.pk = x.subject_pk"
            " WHERE s.kind = 'video'"
        )

    def _listing(self, step: Step) -> None:
        entries = tuple(
            Entry(VideoId(self.prefix + one["id"]), self.time_or_none(one["added_at"]), one.get("title"), one.get("dead", False))
            for one in step["listing"]
        )
        listing = Listing(self.journal.target, self.time(step["at"]), entries, step.get("complete", True))
        self.alerts += self.journal.list(listing, self.clock).alerts


def value_of(value: int | str | None) -> Value:
    """A reading's value as the file writes it."""
    return Absent.NOT_RETURNED if value is None else Absent(value) if isinstance(value, str) else value
