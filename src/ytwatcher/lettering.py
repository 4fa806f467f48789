"""Titles in pictures: each stretch of letters is given the font that has them.

The renderer (usvg) looks for a missing letter in one font after another, and takes Japanese from whichever has it, in any weight; behind
that an emoji may be a box. A stretch that names its font is drawn as it should be; where that font is not installed, it is looked for as
before. In a text of several fonts the renderer counts glyphs that stand for several characters wrongly, up to a crash: so emoji are drawn
as their first symbol, and letters as one character each where there is one. A text with marks above or below its letters (Thai, Hindi)
is left to one font.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from unicodedata import category, normalize

_SYMBOL = "[\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff]"
_SHADE = "[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_JOINED = re.compile(f"({_SYMBOL}){_SHADE}*(?:\u200d{_SYMBOL}{_SHADE}*)*")
_JOINER = re.compile("[\u200d\U000e0020-\U000e007f]")
_VARIANT = re.compile("[\ufe00-\ufe0f\u20e3\U000e0100-\U000e01ef]")
_FLAG_LETTER = MappingProxyType({0x1F1E6 + n: chr(ord("A") + n) for n in range(26)})
_FONTS = MappingProxyType(
    {
        "emoji": (f"{_SYMBOL}+", "Noto Color Emoji, Apple Color Emoji, Segoe UI Emoji, sans-serif"),
        "hangul": ("[\u3130-\u318f\uac00-\ud7a3]+", "Noto Sans CJK KR, Noto Sans KR, sans-serif"),
        "han": ("[\u3001-\u3029\u3030-\u3098\u309b-\u30ff\u3400-\u9fff\uff01-\uff9d]+", "Noto Sans CJK JP, Noto Sans JP, sans-serif"),
    }
)
"""The characters that the renderer does not find well by itself, and the fonts for them."""
_STRETCH = re.compile("|".join(f"(?P<{name}>{letters})" for name, (letters, _) in _FONTS.items()))
_TEXT = re.compile(r"(<text\b[^>]*>)([^<]*)(?=</text>)")
_USUAL_FIRST = "\u200b"
"""Of no width: the text begins in its usual font, by which the renderer counts."""


def with_fonts(svg: str) -> str:
    """The picture with a font named for each stretch of its texts that needs one."""
    return _TEXT.sub(_text, svg)


def single(text: str) -> str:
    """The text in characters that have one glyph each, as far as that goes: a flag is its letters, a family its first member."""
    return _JOINED.sub(r"\1", _VARIANT.sub("", normalize("NFC", text).translate(_FLAG_LETTER)))


def _text(match: re.Match[str]) -> str:
    text = single(match[2])
    marked = any(category(letter).startswith("M") for letter in text)
    lettered = text if marked else _STRETCH.sub(_stretch, _JOINER.sub("", text))
    return match[1] + (text if lettered == text else _USUAL_FIRST + lettered)


def _stretch(match: re.Match[str]) -> str:
    _, fonts = _FONTS[match.lastgroup or ""]
    return f'<tspan font-family="{fonts}">{match[0]}</tspan>'
