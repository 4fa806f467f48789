"""Quieter versions of a rule: ten times as far between two news, a pause of six hours, or only milestones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from ytwatcher.core.model import BIGGEST, Metric, RuleKind, RuleSpec
from ytwatcher.core.rules import parse_rule

TIMES = 10
PAUSE = timedelta(hours=6)
BIGGEST_PERCENT = 999_999_999
"""More digits are not read."""
_LONGER = (RuleKind.EVERY, RuleKind.RISE, RuleKind.FALL, RuleKind.FASTER)


def quieter(spec: RuleSpec) -> Mapping[str, RuleSpec]:
    """What can be offered: `x10`, `pause`, `milestones`; each only where it makes a difference."""
    found = {}
    if spec.kind in _LONGER and (farther := _farther(spec)) is not None:
        found["x10"] = farther
    elif spec.kind is RuleKind.SLOWER and spec.n is not None and spec.n >= TIMES:
        found["x10"] = replace(spec, n=spec.n // TIMES)
    if not spec.once and spec.kind is not RuleKind.REACH and (spec.cooldown is None or spec.cooldown < PAUSE):
        found["pause"] = replace(spec, cooldown=PAUSE)
    if spec.metric is not None and spec.kind not in (RuleKind.MILESTONES, RuleKind.REACH) and not spec.once:
        found["milestones"] = milestones(spec.metric, silent=spec.silent)
    return found


def milestones(metric: Metric, *, silent: bool = False) -> RuleSpec:
    return replace(parse_rule(f"{metric} milestones"), silent=silent)


def _farther(spec: RuleSpec) -> RuleSpec | None:
    """Ten times the number; a fall has no more than 100 % to go."""
    if spec.percent is not None:
        most = 100 if spec.kind is RuleKind.FALL else BIGGEST_PERCENT
        percent = Decimal(f"{min(spec.percent * TIMES, Decimal(most)).normalize():f}")
        return None if percent == spec.percent else replace(spec, percent=percent)
    assert spec.n is not None  # the parser gives these kinds a number or a percentage
    return replace(spec, n=spec.n * TIMES) if spec.n * TIMES <= BIGGEST else None
