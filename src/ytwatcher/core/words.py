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
from ytwatcher.core.phrases import Phrase, Speak
from ytwatcher.core.policy import Recipient
from ytwatcher.core.rates import PER, RATES
from ytwatcher.core.rules import METRIC_NAMES

FACTS = MappingProxyType(
    {
        "vanished": Phrase("No longer available: removed or made private"),
        "came back": Phrase("Available again"),
        "likes hidden": Phrase("Likes are hidden now"),
        "likes shown": Phrase("Likes are shown again"),
        "comments turned off": Phrase("Comments are turned off"),
        "comments turned on": Phrase("Comments are turned on again"),
    }
)
_OF_MANY = MappingProxyType(
    {
        str(fact): fact
        for fact in (
            Phrase("vanished"),
            Phrase("came back"),
            Phrase("likes hidden"),
            Phrase("likes shown"),
            Phrase("comments turned off"),
            Phrase("comments turned on"),
        )
    }
)
"""What is said of a fact that many videos have in common."""
_FROM_ANCHOR = (RuleKind.RISE, RuleKind.FALL)
_NOT_FROM_PREVIOUS = (*_FROM_ANCHOR, *RATES)
_PASSED = (RuleKind.REACH, RuleKind.MILESTONES, RuleKind.EVERY)
_HAPPENED = MappingProxyType(
    {
        RuleKind.REACH: Phrase("{metric} reached {number}"),
        RuleKind.MILESTONES: Phrase("{metric} passed {number}"),
        RuleKind.EVERY: Phrase("{metric} passed {number}"),
        RuleKind.FASTER: Phrase("{metric} grow faster than {number}"),
        RuleKind.SLOWER: Phrase("{metric} grow slower than {number}"),
        RuleKind.RISE: Phrase("{metric} rose"),
        RuleKind.FALL: Phrase("{metric} fell"),
    }
)
"""What became of a metric; of any other kind it only changed."""
LONGEST_TEXT = 1000
FIELDS = ("text", "title", "url", "target", "rule", "metric", "previous", "current", "difference", "span", "mark", "at")
"""What the operator's own words for an alert are made from; each a text as the recipient reads it, empty where there is none."""
Text = Callable[[Mapping[str, str]], str]
"""The operator's own words for a kind of alert; an empty text stands for the usual ones."""
USUAL: Mapping[RuleKind, Text] = MappingProxyType({})
LATE = timedelta(minutes=15)
"""News older than this when it is told says when it was read."""


class Words:
    """What is said in the recipient's language, with numbers, spans and times as it writes them, on the recipient's clock."""

    def __init__(self, recipient: Recipient, now: datetime, texts: Mapping[RuleKind, Text], speak: Speak) -> None:
        self.speak = speak
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
            "metric": self._metric(last.metric) if last.metric else "",
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

    def _metric(self, metric: Metric) -> str:
        return self.speak(METRIC_NAMES[metric])

    def numbers(self, findings: Sequence[Finding], metric: Metric) -> str:
        """`Views passed 1,000: 998 → 1,034 (+36 in 12 min)`."""
        main = findings[0]
        if main.last.kind in RATES:
            return self._rate(main.last, metric)
        span = [finding for finding in findings if finding.last.kind not in _NOT_FROM_PREVIOUS] or findings
        first, last = min((finding.first for finding in span), key=lambda alert: alert.observed_at), main.last
        mark = max((finding.mark for finding in findings if finding.mark is not None), default=None)
        head = self._head(main.last, metric, mark)
        assert last.current is not None  # an alert on a metric has a current value
        if first.previous is None:
            return f"{head}: {self._now_at(last.current)}{self._late(last, ' (', ')')}"
        details = self._difference(last.current - first.previous)
        if first.kind not in _FROM_ANCHOR and first.previous_at is not None:
            details = self._within(details, last.observed_at - first.previous_at)
        rounded = f" · {self.speak(Phrase('rounded by YouTube'))}" if metric is Metric.SUBSCRIBERS and last.current >= 1000 else ""
        change = f"{self.number(first.previous)} → {self.number(last.current)}"
        return f"{head}: {change} ({details}{self._late(last, ', ', '')}){rounded}"

    def _rate(self, alert: Alert, metric: Metric) -> str:
        """`Views grow faster than 5,000/h: 5,400/h (+5,400 in 1 hr, now 12,400)`."""
        assert alert.previous is not None and alert.current is not None and alert.previous_at is not None  # a rate has both its ends
        growth, elapsed = alert.current - alert.previous, alert.observed_at - alert.previous_at
        unit = alert.facts[0].partition("/")[2]
        head = self._head(alert, metric, None)
        details = f"{self._within(f'+{self.number(growth)}', elapsed)}, {self._now_at(alert.current)}{self._late(alert, ', ', '')}"
        return f"{head}: {self.number(round(growth * PER[unit] / elapsed))}/{unit} ({details})"

    def _head(self, alert: Alert, metric: Metric, mark: int | None) -> str:
        text = self.speak(self._happened(alert, metric, mark) or METRIC_NAMES[metric])
        return text[:1].upper() + text[1:]

    def _now_at(self, value: int) -> str:
        return self.speak(Phrase("now {n}", n=self.number(value)))

    def _within(self, difference: str, span: timedelta) -> str:
        return self.speak(Phrase("{difference} in {span}", difference=difference, span=self.span(span)))

    def facts(self, finding: Finding) -> str:
        alert = finding.last
        late = self._late(alert, " (", ")")
        if alert.kind is RuleKind.TITLE:
            before, after = (isolated(clean(text)) for text in (finding.first.facts[0], alert.facts[-1]))
            return self.speak(Phrase("New title: “{before}” → “{after}”", before=before, after=after)) + late
        if alert.kind is RuleKind.NEW:
            target = isolated(clean(finding.items[-1].target_title or ""))
            return self.speak(Phrase("New in {target}", target=target) if target else Phrase("New video")) + late
        return f"{self._fact_words(finding)}{late}"

    def _fact_words(self, finding: Finding) -> str:
        facts = dict.fromkeys(fact for item in finding.items if item.alert for fact in item.alert.facts)
        return "; ".join(self.speak(FACTS.get(fact, clean(fact))) for fact in facts)

    def of_many(self, findings: Sequence[Finding], count: int) -> str:
        """What is said of so many subjects at once: `12 videos of Cats: views passed 1,000`."""
        target = isolated(clean(findings[-1].items[-1].target_title or "")) or Phrase("what you watch")
        if findings[0].last.kind is RuleKind.NEW:
            return self.speak(Phrase("{n} new videos in {target}", n=self.number(count), target=target))
        what = self._in_common(findings)
        return self.speak(Phrase("{n} videos of {target}: {what}", n=self.number(count), target=target, what=what))

    def _in_common(self, findings: Sequence[Finding]) -> str:
        """`views passed 1,000`."""
        alert = findings[0].last
        if alert.kind is RuleKind.TITLE:
            return Phrase("new titles")
        if alert.metric is None:
            facts = {finding.last.facts for finding in findings}
            if len(facts) > 1:
                return Phrase("availability changed")
            return "; ".join(self.speak(_OF_MANY.get(fact, fact)) for fact in facts.pop())
        marks = {finding.mark for finding in findings if finding.mark is not None}
        metric = METRIC_NAMES[alert.metric]
        if len(marks) > 1:
            return Phrase("{metric} passed numbers up to {number}", metric=metric, number=self.number(max(marks)))
        return self._happened(alert, alert.metric, max(marks, default=None)) or Phrase("{metric} changed", metric=metric)

    def span(self, span: timedelta) -> str:
        """A time span in its largest fitting unit: `40 sec`, `12 min`, `3 hr`, `2 days`."""
        seconds = round(span.total_seconds())
        for unit, size, below in (("second", 1, 60), ("minute", 60, 5400), ("hour", 3600, 129_600)):
            if seconds < below:
                return format_unit(round(seconds / size), unit, length="short", locale=self._locale)
        return format_unit(round(seconds / 86_400), "day", length="short", locale=self._locale)

    def _happened(self, alert: Alert, metric: Metric, mark: int | None) -> Phrase | None:
        """`views passed 1,000`; None where they only changed."""
        number = "" if mark is None else self.number(mark)
        if alert.kind in RATES:
            n, _, unit = alert.facts[0].partition("/")
            number = f"{self.number(int(n))}/{unit}"
        if alert.kind not in _HAPPENED or (alert.kind in _PASSED and mark is None):
            return None
        return Phrase(_HAPPENED[alert.kind], metric=METRIC_NAMES[metric], number=number)

    def _late(self, alert: Alert, before: str, after: str) -> str:
        """When it was read, on the recipient's clock, where that is not just now."""
        if self._now - alert.observed_at <= LATE:
            return ""
        local, now = (at.astimezone(self._zone) for at in (alert.observed_at, self._now))
        if local.date() == now.date():
            at = Phrase("at {clock}", clock=format_time(local, "short", tzinfo=self._zone, locale=self._locale))
        else:
            at = Phrase("at {date}", date=format_datetime(local, "short", tzinfo=self._zone, locale=self._locale))
        return f"{before}{self.speak(at)}{after}"
