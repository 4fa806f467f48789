"""Which rules an engine may have, and what its alerts passed."""

from __future__ import annotations

import pytest

from ytwatcher.core.model import RuleKind
from ytwatcher.core.rules import parse_rule
from ytwatcher.core.streams import engine_judges, mark_of, stays_because

CHAT = ("telegram:-100123", False)


@pytest.mark.parametrize(
    ("line", "recipient", "alone", "with_connect"),
    [
        ("views every 1000", CHAT, "", ""),
        ("likes change", ("telegram:1", False), "", ""),
        ("comments reach 10", ("telegram:1:7", False), "", "its recipient is not a plain Telegram chat"),
        ("views milestones", ("console", False), "", "its recipient is not a plain Telegram chat"),
        ("views change once", CHAT, "", "it has once, silent or cooldown"),
        ("views change silent", CHAT, "", "it has once, silent or cooldown"),
        ("views change cooldown 6h", CHAT, "", "it has once, silent or cooldown"),
        ("views change", ("telegram:1", True), "", "its recipient has quiet hours or a digest, or is muted"),
        ("views rise 5%", CHAT, "engines do not judge rise", "engines do not judge rise"),
        ("views faster 5000/h", CHAT, "engines do not judge faster", "engines do not judge faster"),
        ("views slower 100/h", CHAT, "engines do not judge slower", "engines do not judge slower"),
        ("availability", CHAT, "engines do not judge availability", "engines do not judge availability"),
        ("subscribers milestones", CHAT, "engines do not judge subscribers", "engines do not judge subscribers"),
    ],
)
def test_an_engine_gets_what_it_can_judge_and_connect_can_deliver(
    line: str, recipient: tuple[str, bool], alone: str, with_connect: str
) -> None:
    spec = parse_rule(line)
    assert stays_because(spec, recipient, connect=False) == alone
    assert stays_because(spec, recipient, connect=True) == with_connect
    assert engine_judges(spec, recipient, connect=True) == (not with_connect)


@pytest.mark.parametrize(
    ("kind", "n", "current", "mark"),
    [
        (RuleKind.EVERY, 1000, 3999, 3000),
        (RuleKind.REACH, 1000, 3999, 1000),
        (RuleKind.MILESTONES, 0, 3999, 2000),
        (RuleKind.CHANGE, 0, 3999, None),
    ],
)
def test_the_number_that_was_passed(kind: RuleKind, n: int, current: int, mark: int | None) -> None:
    assert mark_of(kind, n, current) == mark
