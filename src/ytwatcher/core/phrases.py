"""What is said in English, and can be said in another language."""

from __future__ import annotations

from typing import Self


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
