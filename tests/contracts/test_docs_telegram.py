"""docs/telegram.md names every command of the bot and the text of every button."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from ytwatcher.telegram.menu import COMMANDS

PAGE = (Path(__file__).parents[2] / "docs" / "telegram.md").read_text(encoding="utf-8")
FOLDER = Path(import_module("ytwatcher.telegram").__path__[0])


def buttons() -> Iterator[str]:
    """The texts of the buttons in the code: what stands first in a tuple with the button's data, or in InlineKeyboardButton."""
    for file in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Tuple) and len(node.elts) in (2, 3) and _is_data(node.elts[1]):
                yield from _text(node.elts[0])
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InlineKeyboardButton" and node.args:
                yield from _text(node.args[0])


def _is_data(node: ast.expr) -> bool:
    """A call of one of the functions that make data, or the kind of a button by name."""
    return (isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("data", "chart_data")) or isinstance(node, ast.Constant)


def _text(node: ast.expr) -> Iterator[str]:
    """The words of `say("…")`, or a sign that needs no translation."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "unescape":
        node = node.args[0]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" and isinstance(node.args[0], ast.Constant):
        yield str(node.args[0].value)
    elif isinstance(node, ast.Constant) and node.value in ("◀", "▶"):
        yield node.value


@pytest.mark.parametrize("name", ["start", *(one.name for one in COMMANDS)])
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"`/{name}[` ]", PAGE)


def test_the_buttons_are_found() -> None:
    assert {"Why?", "Stop watching", "Keep it", "End this card", "This chat", "◀", "Undo", "{n} h"} <= set(buttons())


@pytest.mark.parametrize("text", sorted(set(buttons())))
def test_every_button_is_documented(text: str) -> None:
    plain = re.sub(r"\{\w+\}", "", text).strip()
    assert re.search(rf"\*\*[^*|]*{re.escape(plain)}[^*|]*\*\*", PAGE), f"docs/telegram.md does not say what “{text}” does"
