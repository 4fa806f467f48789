"""What an engine outside may judge, and what follows from what it found."""

from __future__ import annotations

from ytwatcher.core.judge import rung
from ytwatcher.core.model import VIDEO_METRICS, RuleKind, RuleSpec

ENGINE_KINDS = frozenset({RuleKind.CHANGE, RuleKind.EVERY, RuleKind.REACH, RuleKind.MILESTONES})


def engine_judges(spec: RuleSpec, recipient: tuple[str, bool], *, connect: bool) -> bool:
    """Whether an engine may judge the rule; the arguments are those of `stays_because`."""
    return not stays_because(spec, recipient, connect=connect)


def stays_because(spec: RuleSpec, recipient: tuple[str, bool], *, connect: bool) -> str:
    """Why the embedded judge keeps the rule; empty where an engine may have it.

    Args:
        recipient: its address, and whether it has quiet hours or a digest, or is muted.
        connect: Connect delivers. Then whatever the delivery policy would hold, and whoever is not a plain Telegram chat, stays with us.
    """
    address, hushed = recipient
    if spec.kind not in ENGINE_KINDS:
        return f"engines do not judge {spec.kind}"
    if spec.metric not in VIDEO_METRICS:
        return f"engines do not judge {spec.metric}"
    if not connect:
        return ""
    if not (address.startswith("telegram:") and address.count(":") == 1):
        return "its recipient is not a plain Telegram chat"
    if spec.once or spec.silent or spec.cooldown:
        return "it has once, silent or cooldown"
    return "its recipient has quiet hours or a digest, or is muted" if hushed else ""


def mark_of(kind: RuleKind, n: int, current: int) -> int | None:
    """The number that an engine's alert passed: the highest multiple or rung up to the current value, or the number itself."""
    if kind is RuleKind.EVERY:
        return current // n * n
    if kind is RuleKind.REACH:
        return n
    return rung(current) if kind is RuleKind.MILESTONES else None
