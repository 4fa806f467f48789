"""What is said of a rule that was just stored: explained, its next number, and whether it could still find anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from ytwatcher.core.judge import next_number
from ytwatcher.core.model import CHANNEL_METRICS, RuleKind, RuleSpec, TargetKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.rules import explain, note
from ytwatcher.errors import RuleError
from ytwatcher.store import watches as stored


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """A rule as it was taken: explained, with what to know about it and the next number that would be told."""

    id: str
    line: str
    explained: Phrase
    note: Phrase | None
    next_number: int | None
    refused: Phrase | None = None
    skipped: int = 0


def check_reach(con: sqlite3.Connection, kind: TargetKind, rule_ids: Sequence[str], now: datetime) -> tuple[RuleAnswer, ...]:
    """Refuse a `reach` that one video has passed already; on a target of many, count the videos that it skips."""
    return tuple(_rule_answer(con, kind, rule, now) for rule in stored.rules(con) if rule.id in rule_ids)


def _rule_answer(con: sqlite3.Connection, kind: TargetKind, rule: stored.StoredRule, now: datetime) -> RuleAnswer:
    spec, refused = rule.spec, None
    peaks, skipped = stored.peaks(con, rule.id), stored.passed(con, rule)
    if skipped and (kind is TargetKind.VIDEO or spec.metric in CHANNEL_METRICS):
        refused = Phrase("passed already: the highest number known is {n}", n=peaks[0])
        stored.end_rule(con, rule.id, now)
    return RuleAnswer(rule.id, rule.line, explain(spec, kind), note(spec), _next(spec, peaks), refused, skipped)


def refusal(rules: Sequence[RuleAnswer]) -> RuleError:
    lines = [Phrase("“{line}” is refused, {why}", line=rule.line, why=rule.refused) for rule in rules]
    return RuleError(reduce(lambda before, line: Phrase("{before}\n{line}", before=before, line=line), lines))


def _next(spec: RuleSpec, peaks: Sequence[int]) -> int | None:
    """The next number that would be told, where there is one subject to say it of."""
    if len(peaks) != 1 or spec.n is None or spec.kind not in (RuleKind.EVERY, RuleKind.REACH, RuleKind.MILESTONES):
        return None
    return next_number(spec.kind, spec.n, peaks[0])
