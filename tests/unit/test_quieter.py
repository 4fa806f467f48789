"""Quieter versions of a rule."""

from __future__ import annotations

import pytest

from ytwatcher.core.quieter import quieter
from ytwatcher.core.rules import canonical, parse_rule
from ytwatcher.telegram.keyboards import LONGEST, data, packed, unpacked


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("views every 1k", {"x10": "views every 10k", "pause": "views every 1k cooldown 6h", "milestones": "views milestones"}),
        ("likes rise 5% silent", {"x10": "likes rise 50% silent", "milestones": "likes milestones silent"}),
        ("views rise 900000000%", {"x10": "views rise 999999999%"}),
        ("likes fall 20%", {"x10": "likes fall 100%"}),
        ("likes fall 100% cooldown 7h", {"milestones": "likes milestones"}),
        ("views slower 100/h once", {"x10": "views slower 10/h once"}),
        ("views slower 9/h once", {}),
        ("views faster 9223372036854775807/h once", {}),
        ("views milestones", {"pause": "views milestones cooldown 6h"}),
        ("views reach 1M", {}),
        ("likes change cooldown 1h", {"pause": "likes change cooldown 6h", "milestones": "likes milestones"}),
        ("availability", {"pause": "availability cooldown 6h"}),
    ],
)  # fmt: skip
def test_what_makes_a_difference_is_offered(line: str, offered: dict[str, str]) -> None:
    found = {name: canonical(spec) for name, spec in quieter(parse_rule(line)).items()}
    assert found.items() >= offered.items()
    assert all(line != one for one in found.values())


@pytest.mark.parametrize(
    "line", ["total views faster 9223372036854775807/min once silent cooldown 365d", "new", "likes rise 0.000001%", "views milestones"]
)
def test_a_rule_goes_into_a_button_and_comes_out_of_it(line: str) -> None:
    spec = parse_rule(line)
    assert unpacked(packed(spec)) == spec
    assert len(packed(spec)) <= 41


def test_data_names_the_chat_and_fits() -> None:
    longest = data("why", "telegram:-1009999999999:999999", 10**12)
    assert longest == "why:-1009999999999:999999/1000000000000"
    assert len(longest) <= LONGEST
