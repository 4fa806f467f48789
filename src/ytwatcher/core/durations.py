"""Durations as people type them: `90s`, `15m`, `6h`, `30d`, `1h30m`. Rules and the configuration share them."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import reduce

from ytwatcher.core.phrases import Phrase
from ytwatcher.core.wording import quoted

LONGEST = timedelta(days=36_500)
"""A hundred years: any duration may be added to or taken from a present time without leaving the calendar."""

_SHAPE = re.compile(r"(?:([0-9]{1,8})d)?(?:([0-9]{1,8})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,8})s)?")
_UNITS = ("d", "h", "m", "s")
_WORDS = (
    (Phrase("1 day"), Phrase("{n} days")),
    (Phrase("1 hour"), Phrase("{n} hours")),
    (Phrase("1 minute"), Phrase("{n} minutes")),
    (Phrase("1 second"), Phrase("{n} seconds")),
)


def parse_duration(text: str) -> timedelta:
    """A duration > 0 from days, hours, minutes and seconds, in this order, each at most once; case is free.

    Raises:
        ValueError: it is not a duration; its argument is a phrase that shows what would be.
    """
    match = _SHAPE.fullmatch(text.strip().lower())
    if not text.strip() or match is None:
        raise ValueError(Phrase("{word} is not a duration: write 90s, 15m, 6h, 30d or 1h30m", word=quoted(text)))
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < duration <= LONGEST:
        out = Phrase("{word} is out of range: a duration is at least 1s and at most {most}", word=quoted(text), most=f"{LONGEST.days}d")
        raise ValueError(out)
    return duration


def duration_text(duration: timedelta) -> str:
    """The one normal text of a duration of whole seconds: `parse_duration` reads it back."""
    parts = [f"{count}{unit}" for count, unit in zip(_split(duration), _UNITS, strict=True) if count]
    return "".join(parts)


def duration_words(duration: timedelta) -> Phrase:
    """The duration > 0 in words: `1 hour 30 minutes`."""
    parts = [
        one if count == 1 else Phrase(many, n=str(count)) for count, (one, many) in zip(_split(duration), _WORDS, strict=True) if count
    ]
    return reduce(lambda before, part: Phrase("{before} {part}", before=before, part=part), parts)


def _split(duration: timedelta) -> tuple[int, int, int, int]:
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return duration.days, hours, minutes, seconds
