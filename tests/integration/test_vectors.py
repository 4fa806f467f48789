"""The vectors (src/ytwatcher/streaming/vectors/README.md) drive the real pipeline on a real file; everything an alert has is compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ytwatcher.core.model import Metric, SubjectId, from_ms, to_ms
from ytwatcher.core.rules import parse_rule
from ytwatcher.pipeline import Fate
from ytwatcher.store import subjects
from ytwatcher.streaming.vectors.stories import Step, Story, stories

Alerts = list[dict[str, Any]]
COUNTED = {"late": Fate.LATE, "future": Fate.FUTURE, "nobody": Fate.UNKNOWN}


@pytest.mark.parametrize("data", stories(), ids=lambda data: data["name"])
def test_vector(data: Step, tmp_path: Path) -> None:
    run = Run(data, tmp_path / "journal.db")
    for step in data["steps"]:
        run.take(step)
    assert in_order(run.stored()) == in_order(run.expected()), data["says"]
    assert run.settled(data.get("settled", {})) == data.get("settled", {})
    assert {name: run.fates[fate] for name, fate in COUNTED.items() if run.fates[fate]} == data.get("counted", {})
    run.journal.con.close()


def test_every_case_has_a_name_of_its_own_and_says_what_it_pins() -> None:
    names = Counter(data["name"] for data in stories())
    assert max(names.values()) == 1
    assert len(names) >= 75
    assert all(data["says"] for data in stories())


def in_order(alerts: Alerts) -> Alerts:
    return sorted(alerts, key=lambda alert: (alert["observed_at"], alert["rule_id"], alert["subject_id"]))


class Run(Story):
    """A story, and what it says of its end."""

    def expected(self) -> Alerts:
        return [self._expected(data) for data in self.data["expect"]]

    def _expected(self, data: Step) -> dict[str, Any]:
        line, to = self.lines[data["rule"]]
        at, subject_id = self.time(data["at"]), self.subject(data)
        return {
            "id": data.get("id", f"{data['rule']}:{subject_id}:{to_ms(at)}"),
            "address": to,
            "rule_id": data["rule"],
            "subject_id": subject_id,
            "kind": parse_rule(line).kind,
            "metric": data.get("metric"),
            "previous": data.get("previous"),
            "current": data.get("current"),
            "previous_at": self.time_or_none(data.get("previous_at")),
            "observed_at": at,
            "mark": data.get("mark"),
            "facts": data.get("facts"),
            "state": "waiting",
        }

    def stored(self) -> Alerts:
        return list(self._stored_alerts())

    def _stored_alerts(self) -> Iterator[dict[str, Any]]:
        for row in self.journal.con.execute(
            "SELECT a.id, address, rule_id, subject_id, kind, metric, previous, current, previous_at, observed_at, mark, facts, a.state"
            " FROM alert a JOIN recipient c ON c.pk = a.recipient_pk"
        ):
            alert = dict(row)
            alert["observed_at"] = from_ms(row["observed_at"])
            alert["previous_at"] = None if row["previous_at"] is None else from_ms(row["previous_at"])
            alert["facts"] = json.loads(row["facts"]) if row["facts"] else None
            yield alert

    def settled(self, asked: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        known = subjects.load(self.journal.con, asked)
        return {s: {m: known[SubjectId(s)].state.metric(Metric(m)).value for m in metrics} for s, metrics in asked.items()}
