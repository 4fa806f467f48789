"""A message from alerts: what a person reads. Rendered once, when the slot opens.

Findings become lines (one subject, metric and reading), lines stand under the title of their subject. A line is never cut: what does not
fit is left for the next message, in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from ytwatcher.core.cleaning import clean, units
from ytwatcher.core.findings import EMOJI, Finding, Item, findings_of, rule_lines, same_news
from ytwatcher.core.model import RuleKind
from ytwatcher.core.phrases import Phrase, Speak
from ytwatcher.core.plain import alert_url
from ytwatcher.core.policy import SAME_NEWS, Recipient
from ytwatcher.core.words import USUAL, Text, Words

REPEAT = Phrase("↻ May be a repeat: the answer to the first sending was lost.")
"""In no language longer than in English (tests/contracts/test_texts.py): room for it is kept."""
NOTICE = "🔧"
FOLD_OVER = 5
NAMED_RULES = 5
LONGEST_NOTICE = 1500


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may hold: UTF-16 units of visible text, and bytes of raw text.

    More subjects of one target than `fold_over` with the same kind of news become one line with their number; None: never.
    """

    units: int = 4096
    raw_bytes: int = 32_768
    fold_over: int | None = FOLD_OVER


@dataclass(frozen=True, slots=True)
class Composed:
    """A message, and what became of each alert: told in it, suppressed (key → reason), or left for the next one."""

    text: str
    plain: str
    silent: bool
    told: tuple[int, ...]
    suppressed: dict[int, str]
    left: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a message: its heading (same heading, same block) as HTML and plain text, and its words in both."""

    heading: tuple[str, str] | None
    html: str
    plain: str
    told: tuple[Item, ...]
    same: tuple[Item, ...] = ()
    kind: RuleKind | None = None
    findings: tuple[Finding, ...] = field(default=())

    @property
    def order(self) -> int:
        return min(item.pk for item in (*self.told, *self.same))


def compose(
    items: Sequence[Item],
    recipient: Recipient,
    now: datetime,
    limits: Limits,
    texts: Mapping[RuleKind, Text] = USUAL,
    speak: Speak = str,
) -> Composed:
    """One message from the alerts that may leave now; `items` must not be empty. At least its first line always fits.

    Args:
        texts: the operator's own words, for the kinds that have any.
        speak: says it in the recipient's language.
    """
    words = Words(recipient, now, texts, speak)
    notices = [_notice(item, speak) for item in items if item.alert is None]
    news = [_line(findings, words) for findings in same_news(findings_of(items))]
    lines = [*notices, *_folded(news, words, limits.fold_over)]
    blocks = _blocks(lines)
    taken, text, plain = _fitting(blocks, limits)
    left = [line for line in lines if line not in taken]
    return Composed(
        text,
        plain,
        all(item.silent for line in taken for item in line.told),
        tuple(item.pk for line in taken for item in line.told),
        {item.pk: SAME_NEWS for line in taken for item in line.same},
        tuple(sorted(item.pk for line in left for item in (*line.told, *line.same))),
    )


def marked(text: str, speak: Speak = str) -> str:
    """The text of a message whose first sending has an unknown outcome."""
    return f"{speak(REPEAT)}\n\n{text}"


def _line(findings: Sequence[Finding], words: Words) -> _Line:
    main, *others = findings
    alert = main.last
    body = words.facts(main) if alert.metric is None else words.numbers(findings, alert.metric)
    title = clean(main.items[-1].title or "") or alert.subject_id
    url = alert_url(alert)
    usual = f"{EMOJI[alert.kind]} {body}{_rule_names(findings, words.speak)}"
    text = words.own(findings, {"text": usual, "title": title, "url": url}) or usual
    heading = (f'<a href="{escape(url)}">{escape(title, quote=False)}</a>', f"{title}\n{url}")
    same = tuple(item for finding in others for item in finding.items)
    return _Line(heading, escape(text, quote=False), text, main.items, same, alert.kind, tuple(findings))


def _rule_names(findings: Sequence[Finding], speak: Speak) -> str:
    lines = rule_lines(findings)
    if len(lines) < 2:
        return ""
    named, more = "; ".join(lines[:NAMED_RULES]), len(lines) - NAMED_RULES
    said = Phrase("rules: {named} and {n} more", named=named, n=more) if more > 0 else Phrase("rules: {named}", named=named)
    return f" · {speak(said)}"


def _notice(item: Item, speak: Speak) -> _Line:
    text = f"{NOTICE} {clean(speak(item.text), LONGEST_NOTICE)}"
    return _Line(None, escape(text, quote=False), text, (item,))


def _folded(lines: Sequence[_Line], words: Words, fold_over: int | None) -> list[_Line]:
    groups = defaultdict(list)
    for line in lines:
        groups[line.told[0].target_pk, line.kind, line.findings[0].last.metric].append(line)
    kept = []
    for (target_pk, _, _), group in groups.items():
        subjects = {line.findings[0].last.subject_id for line in group}
        if target_pk is None or fold_over is None or len(subjects) <= fold_over:
            kept += group
        else:
            kept.append(_fold(group, len(subjects), words))
    return kept


def _fold(group: Sequence[_Line], count: int, words: Words) -> _Line:
    findings = [line.findings[0] for line in group]
    alert = findings[0].last
    told = tuple(item for line in group for item in line.told)
    text = f"{EMOJI[alert.kind]} {words.of_many(findings, count)}"
    return _Line(None, escape(text, quote=False), text, told, tuple(item for line in group for item in line.same), alert.kind)


def _blocks(lines: Sequence[_Line]) -> list[list[_Line]]:
    """Lines under one heading stand together, in the place of the oldest of them."""
    blocks: dict[object, list[_Line]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: line.order):
        blocks[line.heading or line.order].append(line)
    return list(blocks.values())


def _fitting(blocks: Sequence[Sequence[_Line]], limits: Limits) -> tuple[list[_Line], str, str]:
    """The lines that fit, and the message they make. Room for the mark of a repeat is kept.

    Counting the plain text, which has the links in it, serves both forms: the visible text of the HTML is shorter.
    """
    taken: list[_Line] = []
    text = plain = ""
    for block in blocks:
        for place, line in enumerate(block):
            opening = ("\n\n" if taken else "", "\n\n" if taken else "") if place == 0 else ("\n", "\n")
            if place == 0 and line.heading is not None:
                opening = (f"{opening[0]}{line.heading[0]}\n", f"{opening[1]}{line.heading[1]}\n")
            longer, longer_plain = f"{text}{opening[0]}{line.html}", f"{plain}{opening[1]}{line.plain}"
            if units(marked(longer_plain)) > limits.units or len(marked(longer).encode()) > limits.raw_bytes:
                return taken, text, plain
            text, plain = longer, longer_plain
            taken.append(line)
    return taken, text, plain
