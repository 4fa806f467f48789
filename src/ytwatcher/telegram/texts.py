"""What the bot says: English stands in the code, other languages in `locales/LANGUAGE.po`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from html import escape
from importlib import resources
from typing import NamedTuple

from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from ytwatcher.core.cleaning import clean
from ytwatcher.core.phrases import Phrase, Speak
from ytwatcher.errors import InputError, YTWatcherError


class Marked(str):
    """HTML that was made here; anything else is text, and is escaped."""

    __slots__ = ()


class Say(NamedTuple):
    """One language: `say("{title} is watched", title=…)`. Values are escaped; titles from strangers stay text."""

    language: str
    catalog: Mapping[str, str]

    def __call__(self, text: str, /, **values: object) -> str:
        return (self.catalog.get(text) or text).format(**{name: self._marked(value) for name, value in values.items()})

    def plain(self, text: str) -> str:
        """A phrase in this language, without HTML; any other text is said as it is. Numbers are written as this language writes them."""
        if not isinstance(text, Phrase):
            return text
        template = self.catalog.get(text.template) or text.template
        return template.format(**{name: self._value(value) for name, value in text.values.items()}) if text.values else template

    def html(self, text: str) -> Marked:
        """The same, uncut, for a message."""
        return Marked(escape(self.plain(text), quote=False))

    def fault(self, error: InputError) -> Marked:
        """What was not right, as a sentence of its own."""
        text = self.plain(error.phrase)
        return Marked(escape(text[:1].upper() + text[1:], quote=False))

    def _marked(self, value: object) -> str:
        if isinstance(value, YTWatcherError):
            value = value.phrase
        if isinstance(value, Phrase):
            return self.html(value)
        return value if isinstance(value, Marked) else escape(clean(str(value)), quote=False)

    def _value(self, value: object) -> str:
        if isinstance(value, int | Decimal):
            return format_decimal(value, locale=self.language, decimal_quantization=False)
        return self.plain(value) if isinstance(value, str) else str(value)


class Texts:
    """All languages; one that has no catalog is English."""

    def of(self, language: str) -> Say:
        """What to say it with; `language` is a Babel locale or what Telegram calls one (`de`, `pt-BR`)."""
        short = language.replace("-", "_").partition("_")[0].lower()
        return Say(short, self.catalogs.get(short, {}))

    def spoken(self, language: str) -> Speak:
        """The same for a plain text, as alerts and pictures are."""
        return self.of(language).plain

    @property
    def catalogs(self) -> Mapping[str, Mapping[str, str]]:
        """English text → text, by language."""
        return _catalogs()


@cache
def _catalogs() -> Mapping[str, Mapping[str, str]]:
    """Read once, whoever speaks."""
    folder = resources.files("ytwatcher.telegram").joinpath("locales")
    found = {}
    for file in folder.iterdir():
        if file.name.endswith(".po"):
            with file.open("rb") as source:
                found[file.name.removesuffix(".po")] = {
                    str(one.id): str(one.string) for one in read_po(source) if one.id and one.string and not one.fuzzy
                }
    return found
