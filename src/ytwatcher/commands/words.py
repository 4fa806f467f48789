"""How commands say numbers, times and titles to a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from babel.localtime import get_localzone
from rich.table import Table
from rich.text import Text

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import CHANNEL_METRICS, VIDEO_METRICS, Absent, Metric, MetricState, SubjectKind, SubjectState, TargetKind
from ytwatcher.core.wording import age as age
from ytwatcher.core.wording import counted as counted
from ytwatcher.core.wording import iso as iso
from ytwatcher.standing import WAITS
from ytwatcher.store.watches import StoredRule

ABSENT = {
    Absent.HIDDEN: "hidden",
    Absent.DISABLED: "turned off",
    Absent.NOT_RETURNED: "not returned",
    Absent.RECOUNTED: "recounted",
}
NOTHING_WATCHED = "Nothing is watched yet. Begin with: ytwatcher add LINK"


def title(text: str | None, otherwise: str, longest: int = 60) -> Text:
    """A stranger's title on one line, shown as it is: no markup, no control characters."""
    return Text(clean(text, longest) if text else otherwise)


def value(state: MetricState) -> str:
    """A settled number with its thousands grouped, or why there is none."""
    return f"{state.number:,}" if state.absent is None and state.number is not None else ABSENT[state.absent or Absent.NOT_RETURNED]


def numbers(state: SubjectState) -> list[str]:
    """`views 50,120`, one for each metric that such a subject has; favorites, which are 0 for everybody, only where they are not."""
    metrics = VIDEO_METRICS if state.kind is SubjectKind.VIDEO else CHANNEL_METRICS
    shown = [metric for metric in metrics if metric is not Metric.FAVORITES or state.metric(metric).value]
    return [f"{metric} {value(state.metric(metric))}{f' ({WAITS})' if state.metric(metric).wait else ''}" for metric in shown]


def signed(difference: int | None) -> str:
    """`+1,200`, `0`, `-3`, or a dash where it is not known."""
    return "–" if difference is None else f"{difference:+,}" if difference else "0"


def local(at: datetime) -> str:
    """The instant on this machine's clock, with the zone's name."""
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"


def machine_zone() -> str:
    """This machine's time zone by its IANA name; UTC where it has none."""
    try:
        name = getattr(get_localzone(), "key", None)
    except (LookupError, ValueError):  # TZ holds a rule of POSIX, or nothing that is known
        name = None
    return name if isinstance(name, str) else "UTC"


def passed_text(rule: StoredRule, subjects: int) -> str | None:
    """How a `reach` that so many of its subjects have passed is marked: there it has nothing left to tell."""
    if not subjects:
        return None
    alone = rule.target_kind is TargetKind.VIDEO or rule.spec.metric in CHANNEL_METRICS
    return "passed already" if alone else f"passed already by {counted(subjects, 'video')}"


def rule_table(rules: Iterable[Mapping[str, Any]]) -> Table:
    """Rules explained back: what the answers to `add` and `rules add` hold of each."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for column in ("cyan", "bold", ""):
        table.add_column(style=column)
    for rule in rules:
        remarks = [rule["explained"], *_remarks(rule)]
        table.add_row(Text(rule["id"]), Text(rule["rule"]), Text("\n".join(remarks)))
    return table


def _remarks(rule: Mapping[str, Any]) -> Iterator[str]:
    if rule.get("passed"):
        yield f"{rule['passed'].capitalize()}."
    if rule.get("refused"):
        yield f"Refused, {rule['refused']}."
    elif rule.get("next_number"):
        yield f"The next number told is {rule['next_number']:,}."
    if rule.get("skipped") and not rule.get("refused"):
        yield f"{counted(rule['skipped'], 'video')} passed it already and cannot tell it any more."
    if rule.get("note"):
        yield rule["note"]
