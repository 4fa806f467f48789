"""Strangers' texts made fit for a line, and how long a text is."""

from __future__ import annotations

import unicodedata

LONGEST_TITLE = 150

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def clean(text: str, longest: int = LONGEST_TITLE) -> str:
    """A stranger's text made fit for a line: no control or bidi characters, single spaces, not overlong."""
    kept = "".join(_clean_character(character) for character in text)
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip("\u200d ") + "…"


def units(text: str) -> int:
    """Length in UTF-16 code units, the larger of the two ways in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def _clean_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category in ("Cs", "Cn") or character in _BIDI or character == "\ufeff" else character


def isolated(text: str) -> str:
    """The text in a bidi isolate of our own where it runs from right to left, so that the words around it keep their order."""
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return f"{_ISOLATE}{text}{_END_ISOLATE}"
    return text
