"""What the bot says: every text of the code stands in every language's catalog, with the same fields; and nothing else does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from telegram.ext import BaseHandler, CommandHandler

from ytwatcher.core.cleaning import units
from ytwatcher.core.render import REPEAT
from ytwatcher.telegram.bot import ROOMS
from ytwatcher.telegram.menu import COMMANDS
from ytwatcher.telegram.texts import Texts

ERRORS = ("InputError", "RuleError", "TargetError")
SPEAKERS = ("condition", "people", "pictures", "rehearsal", "requested", "resolving", "rule_answers", "watches")
"""The use cases that a chat can reach: what is wrong there is said in it."""
TOLD = {
    **dict.fromkeys(("TelegramError", "YouTubeError", "malformed"), 0),
    **dict.fromkeys(("notify", "_notify", "tell_operator", "DeliveryError"), 1),
    "add_notice": 2,
}
"""What tells the operator's chat something, or why something was not sent or read; and which of its arguments says it."""
FOLDER = Path(import_module("ytwatcher.telegram").__path__[0])
CATALOGS = sorted((FOLDER / "locales").glob("*.po"))


@cache
def calls() -> list[tuple[Path, str, ast.Call]]:
    """Every call of the product's code, with its file and the name of what is called."""
    files = sorted(FOLDER.parent.rglob("*.py"))
    nodes = ((file, node) for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return [
        (file, node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node)
        for file, node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]


def phrases() -> Iterator[tuple[str, ast.expr]]:
    """Where something is said that has to be known in every language, and the text."""
    for file, name, call in calls():
        spoken = file.stem in SPEAKERS or {"core", "telegram"} & set(file.relative_to(FOLDER.parent).parts)
        if call.args and (name == "Phrase" or (name in ERRORS and spoken)):
            yield f"{file.name}:{call.lineno}", call.args[0]


def said() -> Iterator[str]:
    """The texts of phrases and errors, of all calls of `say`, and of what `Texts.of` gives."""
    for _, text in phrases():
        if isinstance(text, ast.Constant) and re.search(r"[^\W\d_]|%|“", re.sub(r"{\w+}", "", str(text.value))):
            yield str(text.value)
    for file in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and _says(node.func):
                yield str(node.args[0].value)


def _says(function: ast.expr) -> bool:
    if isinstance(function, ast.Call):  # desk.texts.of(language)("…")
        return isinstance(function.func, ast.Attribute) and function.func.attr == "of"
    return isinstance(function, ast.Name) and function.id == "say"


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def catalog(file: Path) -> dict[str, str]:
    with file.open("rb") as source:
        return {str(one.id): str(one.string) for one in read_po(source, abort_invalid=True) if one.id}


def test_a_phrase_and_an_error_have_a_template_and_values_and_are_never_formatted_before() -> None:
    assert not [place for place, text in phrases() if isinstance(text, ast.JoinedStr | ast.BinOp)]


def test_what_the_operator_is_told_is_a_phrase() -> None:
    made = [one for one in calls() if one[0].name != "request.py"]  # its TelegramError is python-telegram-bot's, and nobody reads it
    told = [(file, call.lineno, call.args[TOLD[name]]) for file, name, call in made if len(call.args) > TOLD.get(name, len(call.args))]
    assert len(told) > 40
    assert not [f"{file.name}:{line}" for file, line, text in told if isinstance(text, ast.JoinedStr | ast.Constant)]


@pytest.mark.parametrize("file", CATALOGS, ids=lambda file: file.stem)
def test_the_mark_of_a_repeat_needs_no_more_room_than_in_english(file: Path) -> None:
    repeat = catalog(file)[REPEAT]
    assert (units(repeat), len(repeat.encode())) <= (units(REPEAT), len(REPEAT.encode()))


@pytest.mark.parametrize("file", CATALOGS, ids=lambda file: file.stem)
def test_every_text_is_in_the_catalog(file: Path) -> None:
    missing = set(said()) - {text for text, translated in catalog(file).items() if translated}
    assert not missing, f"not in {file.name}:\n" + "\n".join(sorted(missing))


@pytest.mark.parametrize("file", CATALOGS, ids=lambda file: file.stem)
def test_the_catalog_holds_nothing_that_nobody_says(file: Path) -> None:
    assert not catalog(file).keys() - set(said())


@pytest.mark.parametrize("file", CATALOGS, ids=lambda file: file.stem)
def test_a_translation_has_the_fields_and_the_commands_of_its_text(file: Path) -> None:
    wrong = {text: translated for text, translated in catalog(file).items() if fields(text) != fields(translated)}
    assert not wrong
    named = {text: translated for text, translated in catalog(file).items() if _commands(text) != _commands(translated)}
    assert not named


def _commands(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w/])/[a-z]+", text)) & {f"/{one.name}" for one in COMMANDS}


def test_german_is_there_and_english_needs_no_catalog() -> None:
    assert Texts().of("de-AT").catalog
    assert not Texts().of("en").catalog


def test_every_command_that_is_answered_is_in_the_menu_and_its_purpose_fits_there() -> None:
    desk: object = None
    handlers = [handler for room in ROOMS for handler in room(desk)]  # type: ignore[arg-type]  # only the handlers' names are looked at
    names = {name for one in handlers if isinstance(one, CommandHandler) for name in one.commands}
    assert all(isinstance(one, BaseHandler) for one in handlers)
    assert names - {"start"} <= {one.name for one in COMMANDS}
    assert all(1 <= len(one.purpose) <= 256 for one in COMMANDS)
