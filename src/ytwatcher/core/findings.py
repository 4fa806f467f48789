"""What is told as one: alerts become findings (one rule on one subject), findings of the same news stand together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import Alert, RuleKind

EMOJI = MappingProxyType(
    {
        RuleKind.REACH: "🎯",
        RuleKind.MILESTONES: "🎉",
        RuleKind.EVERY: "🎉",
        RuleKind.FASTER: "🚀",
        RuleKind.SLOWER: "🐌",
        RuleKind.RISE: "📈",
        RuleKind.FALL: "📉",
        RuleKind.CHANGE: "🔄",
        RuleKind.AVAILABILITY: "👁",
        RuleKind.TITLE: "✏️",
        RuleKind.NEW: "🆕",
    }
)
"""In the order in which a line that several rules found takes its words."""
_PRIORITY = tuple(EMOJI)


@dataclass(frozen=True, slots=True)
class Item:
    """One stored alert with all that its words need. Without `alert` it is an operator's notice, and `text` says it.

    `rule` is the rule's line; `title` is the subject's, `target_title` that of what the person watches.
    """

    pk: int
    id: str
    alert: Alert | None
    text: str = ""
    title: str | None = None
    rule: str = ""
    target_pk: int | None = None
    target_title: str | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found on one subject: its alerts in time order, told as one."""

    items: tuple[Item, ...]
    first: Alert
    last: Alert

    @property
    def mark(self) -> int | None:
        return max((item.alert.mark for item in self.items if item.alert and item.alert.mark is not None), default=None)


def findings_of(items: Iterable[Item]) -> list[Finding]:
    groups = defaultdict(list)
    for item in items:
        if item.alert is not None:
            groups[item.alert.rule_id, item.alert.subject_id].append((item.alert.observed_at, item.pk, item, item.alert))
    found = []
    for group in groups.values():
        group.sort(key=lambda entry: entry[:2])
        found.append(Finding(tuple(item for _, _, item, _ in group), group[0][3], group[-1][3]))
    return found


def same_news(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one subject, metric and reading, the one that gives the line its words first."""
    groups = defaultdict(list)
    for finding in findings:
        alert = finding.last
        groups[alert.subject_id, alert.metric or alert.kind, alert.observed_at].append(finding)
    return [sorted(group, key=lambda finding: _PRIORITY.index(finding.last.kind)) for group in groups.values()]


def rule_lines(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(clean(item.rule) for finding in findings for item in finding.items))
