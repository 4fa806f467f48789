"""Words that are the same wherever they are said: what a person typed, in quotes; how many; how long ago."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches

from ytwatcher.core.phrases import Phrase

LONGEST = 60
_STEPS = (
    (timedelta(days=2), timedelta(days=1), Phrase("{n} days")),
    (timedelta(hours=2), timedelta(hours=1), Phrase("{n} h")),
    (timedelta(minutes=1), timedelta(minutes=1), Phrase("{n} min")),
)


def quoted(text: str) -> Phrase:
    """The text in quotes, on one line and short enough to be read back."""
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return Phrase("“{text}”", text=shown if shown.isprintable() else ascii(shown)[1:-1])


def did_you_mean(word: str, known: Iterable[str], *, before: str = "") -> Phrase | None:
    """A question that names the nearest known word, with what stands `before` all of them; None when no word is near."""
    near = get_close_matches(word[:LONGEST], list(known), n=1, cutoff=0.6)
    return Phrase("did you mean {word}?", word=quoted(before + near[0])) if near else None


def counted(n: int, noun: str, many: str | None = None) -> str:
    """`1 row`, `1,200 rows`; `many` is the plural where it is not the noun with an s."""
    return f"{n:,} {noun if n == 1 else many or f'{noun}s'}"


def age(at: datetime | None, now: datetime) -> Phrase:
    """`3 min ago`."""
    if at is None:
        return Phrase("not yet")
    past = elapsed(now - at)
    return Phrase("{span} ago", span=past) if past else Phrase("just now")


def elapsed(span: timedelta) -> Phrase | None:
    """`3 min`; None below a minute."""
    return next((Phrase(words, n=str(span // unit)) for least, unit, words in _STEPS if span >= least), None)


def iso(at: datetime | None) -> str | None:
    """For programs: UTC."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
