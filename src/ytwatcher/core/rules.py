"""The rule language (docs/rules.md): one line a person can type, parsed once, written back in one normal form, explained in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from ytwatcher.core.durations import duration_text, duration_words, parse_duration
from ytwatcher.core.model import BIGGEST, CHANNEL_METRICS, Metric, RuleKind, RuleSpec, SubjectKind, TargetKind
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.rates import PER, RATES, text
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.errors import RuleError

LONGEST_LINE = 200

_UNITS = MappingProxyType({"k": 10**3, "m": 10**6, "b": 10**9})
_PLAIN = MappingProxyType({kind.value: kind for kind in (RuleKind.AVAILABILITY, RuleKind.TITLE, RuleKind.NEW)})
_METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.value: metric for metric in Metric}
    | {metric.value.removesuffix("s"): metric for metric in Metric}
    | {"favourites": Metric.FAVORITES, "favourite": Metric.FAVORITES}
    | {"totalviews": Metric.TOTAL_VIEWS, "total_views": Metric.TOTAL_VIEWS}
)
_SPANS = MappingProxyType({**PER, "minute": PER["min"], "hour": PER["h"], "day": PER["d"]})
_A_SPAN = MappingProxyType({PER["min"]: Phrase("a minute"), PER["h"]: Phrase("an hour"), PER["d"]: Phrase("a day")})
METRIC_NAMES = MappingProxyType(
    {
        Metric.VIEWS: Phrase("views"),
        Metric.LIKES: Phrase("likes"),
        Metric.FAVORITES: Phrase("favorites"),
        Metric.COMMENTS: Phrase("comments"),
        Metric.SUBSCRIBERS: Phrase("subscribers"),
        Metric.TOTAL_VIEWS: Phrase("total views"),
        Metric.VIDEOS: Phrase("videos"),
    }
)
_KINDS = ("change", "every", "reach", "milestones", "rise", "fall", "faster", "slower")
_OPTIONS = ("once", "silent", "cooldown")
_EXAMPLES = MappingProxyType({"every": "1000", "reach": "1M", "rise": "50", "fall": "2%", "faster": "5000/h", "slower": "100/h"})

_GROUPED = re.compile(r"[0-9]{1,3}(?:_[0-9]{3})+|[0-9]{1,3}(?:,[0-9]{3})+")
_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?([kmb])?")
_LOOSE_SLASH = re.compile(r"\s*/\s*|(?<=[0-9kmb])\s+per\s+")
_LOOSE_UNIT = re.compile(r"(?<=[0-9])\s+(?=[%kmbdhs](?:[\s/]|$))")
_PERCENT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?%")


def parse_rule(line: str) -> RuleSpec:
    """Parse one rule line. Case and spacing are free.

    Raises:
        RuleError: it is not in the rule language; the text names the word and shows what would be right.
    """
    if len(line) > LONGEST_LINE:
        raise RuleError("a rule has at most {most} characters, this line has {n}", most=LONGEST_LINE, n=len(line))
    words = _LOOSE_UNIT.sub("", _LOOSE_SLASH.sub("/", line.lower())).split()
    if not words:
        raise RuleError("the rule is empty; write for example “views milestones” or “likes rise 5%”")
    spec, options = _parse_body(words)
    return _with_options(spec, options)


def canonical(spec: RuleSpec) -> str:
    """The one normal text of a parsed rule; parsing it gives the rule again."""
    words: list[str] = [spec.metric.value] if spec.metric else []
    words.append(spec.kind.value)
    if spec.percent is not None:
        words.append(f"{_plain(spec.percent)}%")
    elif spec.n is not None and spec.kind is not RuleKind.MILESTONES:
        words.append(f"{_short(spec.n)}/{text(spec).partition('/')[2]}" if spec.per else _short(spec.n))
    words += [word for word, wanted in (("once", spec.once), ("silent", spec.silent)) if wanted]
    if spec.cooldown is not None:
        words += ["cooldown", duration_text(spec.cooldown)]
    return " ".join(words)


def default_rules(target_kind: TargetKind) -> tuple[str, ...]:
    """The rules of a watch that was made without any."""
    lines = ("views milestones", "likes milestones", "availability")
    if target_kind is TargetKind.VIDEO:
        return lines
    if target_kind is TargetKind.PLAYLIST:
        return (*lines, "new")
    return (*lines, "new", "subscribers milestones")


def check_fits(spec: RuleSpec, target_kind: TargetKind) -> None:
    """See that the rule can hold on such a target; on a channel or playlist a video's rule holds for each of its videos.

    Raises:
        RuleError: it never could.
    """
    if spec.kind is RuleKind.NEW and target_kind is TargetKind.VIDEO:
        raise RuleError("“new” tells of videos that join a channel or playlist; a single video has nothing that could join it")
    if spec.metric in CHANNEL_METRICS and target_kind is not TargetKind.CHANNEL:
        video = Phrase("a video can be watched for views, likes, favorites and comments")
        playlist = Phrase("a playlist can be watched for views, likes, favorites and comments")
        there = video if target_kind is TargetKind.VIDEO else playlist
        raise RuleError("only a channel has {metric}; {there}", metric=quoted(spec.metric), there=there)


def applies_to(spec: RuleSpec, subject_kind: SubjectKind) -> bool:
    """Whether the rule is judged on readings of such a subject; `new` is judged on listings, never on readings."""
    if spec.kind is RuleKind.NEW:
        return False
    return (spec.metric in CHANNEL_METRICS) == (subject_kind is SubjectKind.CHANNEL)


def note(spec: RuleSpec) -> Phrase | None:
    """What a person should know before relying on the rule; None when there is nothing."""
    if spec.metric is Metric.FAVORITES:
        return Phrase("YouTube has returned 0 favorites for every video since 2015, so this rule will hardly ever tell anything.")
    if spec.metric is Metric.SUBSCRIBERS:
        return Phrase("YouTube rounds subscribers down to three digits (12,345 is given as 12,300), so steps below that cannot be seen.")
    return None


def explain(spec: RuleSpec, target_kind: TargetKind) -> Phrase:
    """The rule in words, as one sentence."""
    said = _news(spec, target_kind)
    for option in _policy(spec, target_kind):
        said = Phrase("{said}, {option}", said=said, option=option)
    return Phrase("{said}.", said=said)


def _policy(spec: RuleSpec, target_kind: TargetKind) -> Iterator[Phrase]:
    if spec.once:
        single = target_kind is TargetKind.VIDEO or spec.metric in CHANNEL_METRICS
        yield Phrase("only the first time") if single else Phrase("only the first time for each video")
    if spec.cooldown is not None:
        yield Phrase("then not again for {span}", span=duration_words(spec.cooldown))
    if spec.silent:
        yield Phrase("without a sound")


def _parse_body(words: Sequence[str]) -> tuple[RuleSpec, Sequence[str]]:
    """What to tell, and the words after it."""
    plain = _PLAIN.get(words[0])
    if plain is not None:
        return RuleSpec(plain), words[1:]
    metric, rest = _parse_metric(words)
    if not rest:
        like = {"change": f"“{metric} change”", "every": f"“{metric} every 1000”"}
        raise RuleError("{word} is not yet a rule; write for example {change} or {every}", word=quoted(metric), **like)
    kind, rest = rest[0], rest[1:]
    if kind not in _KINDS:
        raise RuleError("{word} is not a rule; {hint}", word=quoted(kind), hint=_hint(kind, _KINDS))
    return _parse_amount(RuleKind(kind), metric, rest)


def _parse_metric(words: Sequence[str]) -> tuple[Metric, Sequence[str]]:
    if words[0] == "total":
        if " ".join(words[:2]) not in _METRICS:
            raise RuleError("“total” is only known in “total views”")
        return Metric.TOTAL_VIEWS, words[2:]
    metric = _METRICS.get(words[0])
    if metric is None:
        raise RuleError("{word} is not a metric; {hint}", word=quoted(words[0]), hint=_hint(words[0], [*Metric, *_PLAIN]))
    return metric, words[1:]


def _parse_amount(kind: RuleKind, metric: Metric, rest: Sequence[str]) -> tuple[RuleSpec, Sequence[str]]:
    if kind is RuleKind.CHANGE:
        return RuleSpec(kind, metric), rest
    if kind is RuleKind.MILESTONES:
        first = 1000 if metric in (Metric.VIEWS, Metric.TOTAL_VIEWS) else 10
        return RuleSpec(kind, metric, first), rest
    if not rest or rest[0] in _OPTIONS:
        raise RuleError("{word} needs a number: “{like}”", word=quoted(kind), like=f"{metric} {kind} {_EXAMPLES[kind]}")
    if kind in RATES:
        return _parse_rate(kind, metric, rest[0]), rest[1:]
    if not rest[0].endswith("%"):
        return RuleSpec(kind, metric, _parse_number(rest[0])), rest[1:]
    if kind not in (RuleKind.RISE, RuleKind.FALL):
        raise RuleError("{word} takes a number, not a percentage: “{like}”", word=quoted(kind), like=f"{metric} {kind} {_EXAMPLES[kind]}")
    return RuleSpec(kind, metric, percent=_parse_percent(rest[0], kind)), rest[1:]


def _parse_rate(kind: RuleKind, metric: Metric, word: str) -> RuleSpec:
    """`5000/h`; also per minute or day."""
    number, slash, span = word.partition("/")
    per = _SPANS.get(span)
    if not slash or per is None:
        raise RuleError("{word} is not a rate; write it as 5000/h, 80/min or 20k/d", word=quoted(word))
    return RuleSpec(kind, metric, _parse_number(number), per=per)


def _parse_number(word: str) -> int:
    """A whole number > 0 that a 64-bit counter can reach; computed in integers, so nothing is rounded."""
    digits = re.sub("[_,]", "", word) if _GROUPED.fullmatch(word) else word
    match = _NUMBER.fullmatch(digits)
    if match is None:
        raise RuleError("{word} is not a number; write it as 1000, 1_000, 1,000, 1k, 2.5M or 1B", word=quoted(word))
    whole, fraction, unit = match[1], match[2] or "", match[3]
    if fraction and not unit:
        raise RuleError(
            "{word} is not a whole number; write a thousand as 1000, and two and a half as 2.5k, 2.5M or 2.5B", word=quoted(word)
        )
    scale: int = 10 ** len(fraction)
    number, left = divmod(int(whole + fraction) * _UNITS.get(unit, 1), scale)
    if left:
        raise RuleError("{word} is not a whole number", word=quoted(word))
    if not 0 < number <= BIGGEST:
        raise RuleError("{word} is out of range; a number is at least 1 and at most {most}", word=quoted(word), most=str(BIGGEST))
    return number


def _parse_percent(word: str, kind: RuleKind) -> Decimal:
    if not _PERCENT.fullmatch(word):
        raise RuleError("{word} is not a percentage; write it as 5% or 2.5%", word=quoted(word))
    percent = Decimal(word[:-1])
    if percent == 0:
        raise RuleError("{word} is no difference at all; write at least 0.000001%", word=quoted(word))
    if kind is RuleKind.FALL and percent > 100:
        raise RuleError("nothing can fall by {word}; write at most 100%", word=quoted(word))
    return Decimal(_plain(percent))


def _with_options(spec: RuleSpec, words: Sequence[str]) -> RuleSpec:
    rest, seen = list(words), set[str]()
    while rest:
        word = rest.pop(0)
        if word in seen:
            raise RuleError("{word} stands there twice; once is enough", word=quoted(word))
        seen.add(word)
        if word == "cooldown":
            spec = replace(spec, cooldown=_parse_cooldown(rest))
        elif word in _OPTIONS:
            spec = replace(spec, once=spec.once or word == "once", silent=spec.silent or word == "silent")
        else:
            known = {"rule": canonical(spec), "hint": _hint(word, _OPTIONS)}
            raise RuleError("{word} does not belong behind “{rule}”; {hint}", word=quoted(word), **known)
    return spec


def _parse_cooldown(rest: list[str]) -> timedelta:
    if not rest:
        raise RuleError("“cooldown” needs a duration: “cooldown 6h”")
    try:
        return parse_duration(rest.pop(0))
    except ValueError as error:
        raise RuleError("cooldown: {error}", error=error.args[0]) from error


def _hint(word: str, known: Iterable[str]) -> Phrase:
    names = list(known)
    return did_you_mean(word, names) or Phrase("known are {names}", names=", ".join(names))


def _short(n: int) -> str:
    """`1k`, `2.5M`, or plain digits where the short form would have more than one decimal."""
    for letter, unit in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if n >= unit:
            whole, tenths = divmod(n * 10 // unit, 10)
            return str(n) if n * 10 % unit else f"{whole}.{tenths}{letter}" if tenths else f"{whole}{letter}"
    return str(n)


def _plain(percent: Decimal) -> str:
    """The percentage without exponent and trailing zeros."""
    return f"{percent.normalize():f}"


def _owner(target_kind: TargetKind) -> Phrase:
    if target_kind is TargetKind.VIDEO:
        return Phrase("the video")
    return Phrase("any video of the playlist") if target_kind is TargetKind.PLAYLIST else Phrase("any video of the channel")


def _of_owner(target_kind: TargetKind) -> Phrase:
    """Whole phrases: other languages have cases."""
    if target_kind is TargetKind.VIDEO:
        return Phrase("of the video")
    return Phrase("of any video of the playlist") if target_kind is TargetKind.PLAYLIST else Phrase("of any video of the channel")


def _news(spec: RuleSpec, target_kind: TargetKind) -> Phrase:
    if spec.metric is not None:
        of = Phrase("of the channel") if spec.metric in CHANNEL_METRICS else _of_owner(target_kind)
        happens = _happening(spec)
        return Phrase("Tells when the number of {metric} {of} {happens}", metric=METRIC_NAMES[spec.metric], of=of, happens=happens)
    if spec.kind is RuleKind.AVAILABILITY:
        return Phrase(
            "Tells when {owner} vanishes or comes back, hides its likes or shows them again, or turns its comments off or on",
            owner=_owner(target_kind),
        )
    if spec.kind is RuleKind.TITLE:
        return Phrase("Tells when the title {of} changes", of=_of_owner(target_kind))
    playlist = target_kind is TargetKind.PLAYLIST
    return Phrase("Tells when a new video joins the playlist") if playlist else Phrase("Tells when a new video joins the channel")


def _happening(spec: RuleSpec) -> Phrase:
    if spec.kind is RuleKind.CHANGE:
        return Phrase("changes")
    n = spec.n or 0
    if spec.per is not None:
        span = _A_SPAN[spec.per]
        if spec.kind is RuleKind.FASTER:
            return Phrase("comes to grow faster than {n} {span}, measured over about an hour", n=n, span=span)
        return Phrase("comes to grow slower than {n} {span}, measured over about an hour", n=n, span=span)
    if spec.kind is RuleKind.EVERY:
        return Phrase("passes a multiple of {n} for the first time", n=n)
    if spec.kind is RuleKind.REACH:
        return Phrase("passes {n} for the first time", n=n)
    if spec.kind is RuleKind.MILESTONES:
        first, second, third, fourth = (n * factor for factor in (1, 2, 5, 10))
        marks = {"first": first, "second": second, "third": third, "fourth": fourth}
        return Phrase("passes {first}, {second}, {third}, {fourth} and so on, each for the first time", **marks)
    amount = Phrase("{n}", n=n) if spec.percent is None else Phrase("{percent}%", percent=Decimal(_plain(spec.percent)))
    if spec.kind is RuleKind.RISE:
        return Phrase("has grown by {amount} since the rule was made or last told", amount=amount)
    return Phrase("has fallen by {amount} since the rule was made or last told", amount=amount)
