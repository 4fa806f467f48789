"""The vectors on a server: everything is made under a prefix of its own, judged there, compared, and taken away again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ytwatcher.errors import OutsideError
from ytwatcher.streaming.engines.plan import Plan
from ytwatcher.streaming.vectors import situations, stories
from ytwatcher.streaming.vectors.bench import Bench
from ytwatcher.streaming.vectors.cases import Case, Found, in_order


class Engine(Protocol):
    """One deployment on one engine."""

    async def plan(self, *, end: bool = False) -> Plan: ...

    async def carry_out(self, plan: Plan) -> None: ...


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one situation: the alerts that did not come, and those that should not have."""

    name: str
    missing: Sequence[Found]
    surplus: Sequence[Found]

    @property
    def passed(self) -> bool:
        return not (self.missing or self.surplus)


def all_cases(tag: str = "") -> list[Case]:
    """Every situation of both files that an engine can judge; `tag` (up to 4 letters) makes their videos other ones."""
    return [*(one.case() for one in situations.situations(tag)), *stories.cases(tag)]


async def judge(bench: Bench, engine: Engine, cases: Sequence[Case]) -> str:
    """Deploy, let the engine judge all cases, and end the deployment; returns why not all was judged, empty when it was.

    Raises:
        OutsideError: a server does not do its part.
    """
    try:
        await engine.carry_out(await engine.plan())
        await asyncio.to_thread(send, bench, cases)
    except OutsideError as error:
        if error.reason != "late":
            raise
        await asyncio.to_thread(bench.read)
        return str(error)
    finally:
        await engine.carry_out(await engine.plan(end=True))
    return ""


def send(bench: Bench, cases: Sequence[Case]) -> None:
    """Phase after phase of all cases; one that has fewer keeps its rules. Blocks until the engine has judged all.

    Raises:
        OutsideError: `late`: the engine did not; or as Bench.
    """
    for number in range(max(len(case.phases) for case in cases)):
        phases = [case.phases[number] for case in cases if len(case.phases) > number]
        for phase in phases:
            for video, rules in phase.rules.items():
                bench.rules(video, rules)
        bench.await_rules()
        for phase in phases:
            for video, record in phase.records:
                bench.record(video, record)
        bench.await_records()


def compare(cases: Sequence[Case], found: Sequence[Found]) -> list[Result]:
    """What of each case is missing, and what is too much; an alert that differs in anything is both."""
    case_of = {video: case.name for case in cases for video in case.videos}
    ours: dict[str, set[Found]] = defaultdict(set)
    for one in found:
        ours[case_of.get(one.alert_id.partition(":")[2].rpartition(":")[0], "in no situation")].add(one)
    expected = {case.name: set(case.expected) for case in cases}
    return [
        Result(name, in_order(expected.get(name, set()) - ours[name]), in_order(ours[name] - expected.get(name, set())))
        for name in dict.fromkeys([*expected, *sorted(ours)])
    ]
