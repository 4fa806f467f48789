"""docs/rules.md speaks of the rule language as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ytwatcher.core.model import Metric, RuleKind, TargetKind
from ytwatcher.core.rules import default_rules, parse_rule

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
TABLE = PAGE[PAGE.index("| rule |") : PAGE.index("Metrics of a video")]
EXAMPLES = [
    *re.findall(r"^```rules\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)[0].splitlines(),
    *(line for row in TABLE.splitlines()[2:] for line in re.findall(r"`([^`]+)`", row.split("|")[1] if row else "")),
]


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_a_rule(line: str) -> None:
    parse_rule(line)


def test_the_table_has_every_kind_of_rule() -> None:
    assert {parse_rule(line).kind for line in EXAMPLES} == set(RuleKind)


def test_every_metric_option_and_default_rule_is_named() -> None:
    named = set(re.findall(r"`([^`\n]+)`", PAGE))
    assert set(Metric) <= named
    assert {"once", "silent", "cooldown 6h"} <= named
    assert {line for kind in TargetKind for line in default_rules(kind)} <= named
