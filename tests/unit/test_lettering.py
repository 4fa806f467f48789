"""The fonts that a picture's titles are given."""

from __future__ import annotations

import pytest

from ytwatcher.lettering import single, with_fonts

EMOJI, KOREAN, JAPANESE = ("Noto Color Emoji", "Noto Sans CJK KR", "Noto Sans CJK JP")


@pytest.mark.parametrize(
    ("title", "fonts"),
    [
        ("a title &amp; more", []),
        ("日本語 😀🎉 test", [JAPANESE, EMOJI]),
        ("한국어 🎵 漢字", [KOREAN, EMOJI, JAPANESE]),
        ("العربية 🚀", [EMOJI]),
        ("ไทยแลนด์ 😀", []),
    ],
)
def test_a_stretch_of_letters_names_the_font_that_has_them(title: str, fonts: list[str]) -> None:
    drawn = with_fonts(f'<svg><text x="1" font-family="x">{title}</text><path d="M0"/></svg>')
    assert [part.partition(",")[0] for part in drawn.split('<tspan font-family="')[1:]] == fonts
    assert drawn.startswith('<svg><text x="1" font-family="x">')
    assert drawn.endswith('</text><path d="M0"/></svg>')


@pytest.mark.parametrize(
    ("title", "plain"),
    [("🇯🇵 ok", "JP ok"), ("❤️", "❤"), ("👨‍👩‍👧 x", "👨 x"), ("1️⃣", "1"), ("👍🏽", "👍"), ("か\u3099", "が"), ("plain", "plain")],
)
def test_what_several_characters_make_is_drawn_as_one(title: str, plain: str) -> None:
    assert single(title) == plain


def test_letters_beside_emoji_keep_no_joiner() -> None:
    assert "\u200d" not in with_fonts("<text>😀\u200dx</text>")
