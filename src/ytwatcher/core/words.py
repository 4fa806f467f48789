"""The words of a message in the recipient's language: what was found, numbers, spans and times; ready for translation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime, format_time
from babel.numbers import format_decimal
from babel.units import format_unit

from ytwatcher.core.cleaning import clean, isolated
from ytwatcher.core.findings import Finding, rule_lines
from ytwatcher.core.model import Alert, Metric, RuleKind
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rates import PER, RATES

FACTS = MappingProxyType(
    {
        "vanished": "No longer available: removed or made private",
        "came back": "Available again",
        "likes hidden": "Likes are hidden now",
        "likes shown": "Likes are shown again",
        "comments turned off": "Comments are turned off",
        "comments turned on": "Comments are turned on again",
    }
)
_FROM_ANCHOR = (RuleKind.RISE, RuleKind.FALL)
_NOT_FROM_PREVIOUS = (*_FROM_ANCHOR, *RATES)
_PASSED = (RuleKind.REACH, RuleKind.MILESTONES, RuleKind.EVERY)
LONGEST_TEXT = 1000
FIELDS = ("text", "title", "url", "target", "rule", "metric", "previous", "current", "difference", "span", "mark", "at")
"""What the operator's own words for an alert are made from; each a text as the recipient reads it, empty where there is none."""
Text = Callable[[Mapping[str, str]], str]
"""The operator's own words for a kind of alert; an empty text stands for the usual ones."""
USUAL: Mapping[RuleKind, Text] = MappingProxyType({})
LATE = timedelta(minutes=15)
"""News older than this when it is told says when it was read."""


class Words:
    """Numbers, spans and times in the recipient's language and time zone."""

    def __init__(self, recipient: Recipient, now: datetime, texts: Mapping[RuleKind, Text]) -> None:
        self._locale = Locale.parse(recipient.language)
        self._zone = ZoneInfo(recipient.timezone)
        self._now = now
        self._texts = texts

    def own(self, findings: Sequence[Finding], values: Mapping[str, str]) -> str:
        """The operator's words for the finding that gives the line its words; empty where there are none."""
        main = findings[0]
        text = self._texts.get(main.last.kind)
        if text is None:
            return ""
        made = text({**values, **self._values(main), "rule": "; ".join(rule_lines(findings))})[:LONGEST_TEXT]
        lines = (clean(line, LONGEST_TEXT) for line in made.splitlines())
        return "\n".join(line for line in lines if line)

    def _values(self, finding: Finding) -> dict[str, str]:
        """The values of a template (`FIELDS`) that the finding itself has."""
        first, last = finding.first, finding.last
        previous, current = (self._number_if_known(value) for value in (first.previous, last.current))
        if last.metric is None and last.facts:
            previous = clean(first.facts[0]) if last.kind is RuleKind.TITLE else ""
            current = clean(last.facts[-1]) if last.kind is RuleKind.TITLE else self._fact_words(finding)
        difference = None if last.current is None or first.previous is None else last.current - first.previous
        return {
            "target": clean(finding.items[-1].target_title or ""),
            "metric": last.metric or "",
            "previous": previous,
            "current": current,
            "difference": "" if difference is None else self._difference(difference),
            "span": self.span(last.observed_at - first.previous_at) if first.previous_at is not None else "",
            "mark": self._number_if_known(finding.mark),
            "at": format_datetime(last.observed_at.astimezone(self._zone), "short", tzinfo=self._zone, locale=self._locale),
        }

    def _number_if_known(self, value: int | None) -> str:
        return "" if value is None else self.number(value)

    def _difference(self, difference: int) -> str:
        return f"{'−' if difference < 0 else '+' if difference else '±'}{self.number(abs(difference))}"

    def number(self, value: int) -> str:
        return format_decimal(value, locale=self._locale)

    def numbers(self, findings: Sequence[Finding], metric: Metric) -> str:
        """`Views passed 1,000: 998 → 1,034 (+36 in 12 min)`."""
        main = findings[0]
        if main.last.kind in RATES:
            return self._rate(main.last, metric)
        span = [finding for finding in findings if finding.last.kind not in _NOT_FROM_PREVIOUS] or findings
        first, last = min((finding.first for finding in span), key=lambda alert: alert.observed_at), main.last
        mark = max((finding.mark for finding in findings if finding.mark is not None), default=None)
        head = f"{metric.capitalize()}{self._verb(main.last, mark)}"
        assert last.current is not None  # an alert on a metric has a current value
        if first.previous is None:
            return f"{head}: now {self.number(last.current)}{self._late(last, ' (', ')')}"
        details = self._difference(last.current - first.previous)
        if first.kind not in _FROM_ANCHOR and first.previous_at is not None:
            details += f" in {self.span(last.observed_at - first.previous_at)}"
        rounded = " · rounded by YouTube" if metric is Metric.SUBSCRIBERS and last.current >= 1000 else ""
        change = f"{self.number(first.previous)} → {self.number(last.current)}"
        return f"{head}: {change} ({details}{self._late(last, ', ', '')}){rounded}"

    def _rate(self, alert: Alert, metric: Metric) -> str:
        """`Views grow faster than 5,000/h: 5,400/h (+5,400 in 1 hr, now 12,400)`."""
        assert alert.previous is not None and alert.current is not None and alert.previous_at is not None  # a rate has both its ends
        growth, elapsed = alert.current - alert.previous, alert.observed_at - alert.previous_at
        unit = alert.facts[0].partition("/")[2]
        details = f"+{self.number(growth)} in {self.span(elapsed)}, now {self.number(alert.current)}{self._late(alert, ', ', '')}"
        return f"{metric.capitalize()}{self._verb(alert, None)}: {self.number(round(growth * PER[unit] / elapsed))}/{unit} ({details})"

    def facts(self, finding: Finding) -> str:
        alert = finding.last
        late = self._late(alert, " (", ")")
        if alert.kind is RuleKind.TITLE:
            before, after = (isolated(clean(text)) for text in (finding.first.facts[0], alert.facts[-1]))
            return f"New title: “{before}” → “{after}”{late}"
        if alert.kind is RuleKind.NEW:
            target = clean(finding.items[-1].target_title or "")
            return f"New in {isolated(target)}{late}" if target else f"New video{late}"
        return f"{self._fact_words(finding)}{late}"

    def _fact_words(self, finding: Finding) -> str:
        facts = dict.fromkeys(fact for item in finding.items if item.alert for fact in item.alert.facts)
        return "; ".join(FACTS.get(fact, clean(fact)) for fact in facts)

    def in_common(self, findings: Sequence[Finding]) -> str:
        """What many subjects have in common: `views passed 1,000`."""
        alert = findings[0].last
        if alert.kind is RuleKind.TITLE:
            return "new titles"
        if alert.metric is None:
            facts = {finding.last.facts for finding in findings}
            return "; ".join(facts.pop()) if len(facts) == 1 else "availability changed"
        marks = {finding.mark for finding in findings if finding.mark is not None}
        if len(marks) > 1:
            return f"{alert.metric} passed numbers up to {self.number(max(marks))}"
        verb = self._verb(alert, max(marks, default=None)) or " changed"
        return f"{alert.metric}{verb}"

    def span(self, span: timedelta) -> str:
        """A time span in its largest fitting unit: `40 sec`, `12 min`, `3 hr`, `2 days`."""
        seconds = round(span.total_seconds())
        for unit, size, below in (("second", 1, 60), ("minute", 60, 5400), ("hour", 3600, 129_600)):
            if seconds < below:
                return format_unit(round(seconds / size), unit, length="short", locale=self._locale)
        return format_unit(round(seconds / 86_400), "day", length="short", locale=self._locale)

    def _verb(self, alert: Alert, mark: int | None) -> str:
        kind = alert.kind
        if kind in RATES:
            n, _, unit = alert.facts[0].partition("/")
            return f" grow {kind} than {self.number(int(n))}/{unit}"
        if kind in _PASSED and mark is not None:
            return f" {'reached' if kind is RuleKind.REACH else 'passed'} {self.number(mark)}"
        return {RuleKind.RISE: " rose", RuleKind.FALL: " fell"}.get(kind, "")

    def _late(self, alert: Alert, before: str, after: str) -> str:
        """When it was read, on the recipient's clock, where that is not just now."""
        if self._now - alert.observed_at <= LATE:
            return ""
        local, now = (at.astimezone(self._zone) for at in (alert.observed_at, self._now))
        form = format_time if local.date() == now.date() else format_datetime
        at = form(local, "short", tzinfo=self._zone, locale=self._locale)
        return f"{before}at {at}{after}"
