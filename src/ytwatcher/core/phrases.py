"""What is said in English, and can be said in another language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Any, Self


class Phrase(str):
    """A text that knows what it was made from, so that a reader's language can say it anew; to everything else it is English.

    Args:
        template: the English text with `{name}` where a value stands; without values it is the text itself, whatever braces it has.
        values: texts, phrases, and numbers, which are written with `,` between thousands.
    """

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        phrase = super().__new__(cls, template.format(**shown) if values else template)
        phrase.template, phrase.values = template, values
        return phrase


Speak = Callable[[str], str]
"""Says a phrase in a reader's language, and any other text as it is; `str` says everything in English."""
Spoken = Callable[[str], Speak]
"""How a language, given as a Babel locale, is spoken."""


def in_english(language: str) -> Speak:
    """Where nothing is translated."""
    return str


def taken_apart(text: str) -> str | dict[str, Any]:
    """A phrase as what JSON can hold; any other text as it is."""
    if not isinstance(text, Phrase):
        return text
    values = {name: taken_apart(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return {"template": str(text.template), "values": values}


def put_together(found: str | Mapping[str, Any]) -> str:
    """The reverse of `taken_apart`."""
    if isinstance(found, str):
        return found
    values = {name: value if isinstance(value, int) else put_together(value) for name, value in found["values"].items()}
    return Phrase(found["template"], **values)


def recognized(text: str, templates: Iterable[str]) -> str:
    """The phrase that a stored English text was made from, where one of these is its template; otherwise the text."""
    for template in templates:
        match = re.fullmatch(_pattern(template), text, re.DOTALL)
        if match is not None:
            return Phrase(template, **match.groupdict())
    return text


def _pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(re.escape(before) + (f"(?P<{name}>.+)" if name else "") for before, name, _, _ in parts)
