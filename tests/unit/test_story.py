"""A message of the demo as Telegram shows it."""

from __future__ import annotations

from datetime import UTC, datetime

from ytwatcher.commands.story import shown
from ytwatcher.core.model import ChatId
from ytwatcher.simulator.telegram_html import parse
from ytwatcher.simulator.telegram_messages import Delivered


def delivered(text: str) -> Delivered:
    parsed = parse(text)
    return Delivered(ChatId(1), text, parsed.text, parsed.entities, datetime(2026, 1, 1, tzinfo=UTC), 1, None, False)


def test_a_title_is_a_link_and_its_address_is_readable() -> None:
    text = shown(delivered('🎉 <a href="https://youtu.be/x">🚣 A [bold]boat[/bold]</a>\nViews passed 1,000'))
    assert text.plain == "🎉 🚣 A [bold]boat[/bold]  youtu.be/x\nViews passed 1,000"
    link = next(span for span in text.spans if "link" in str(span.style))
    assert text.plain[link.start : link.end] == "🚣 A [bold]boat[/bold]"


def test_markup_becomes_style_and_what_is_nested_is_shown_once() -> None:
    text = shown(delivered("<b>bold <i>and more</i></b> plain"))
    assert text.plain == "bold and more plain"
