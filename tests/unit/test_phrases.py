"""A phrase is its English text, and knows what it was made from."""

from __future__ import annotations

import pickle

from ytwatcher.core.phrases import Phrase
from ytwatcher.errors import InputError, RuleError


def test_a_phrase_is_its_english_text() -> None:
    hint = Phrase("did you mean {word}?", word="“{every}”")
    phrase = Phrase("{n} of {most} are {hint}", n=1234, most="1234", hint=hint)
    assert phrase == "1,234 of 1234 are did you mean “{every}”?"
    assert (phrase.template, phrase.values["hint"]) == ("{n} of {most} are {hint}", hint)


def test_without_values_braces_are_text() -> None:
    assert Phrase("write {n}") == str(InputError("write {n}")) == "write {n}"


def test_an_error_holds_the_phrase_it_was_made_from() -> None:
    error = RuleError("{word} is not a rule", word="“x”")
    assert (str(error), error.phrase.template, error.phrase.values) == ("“x” is not a rule", "{word} is not a rule", {"word": "“x”"})
    assert RuleError(error.phrase).phrase is error.phrase


def test_a_copy_of_a_phrase_is_one() -> None:
    copy = pickle.loads(pickle.dumps(Phrase("{n} days", n="3")))  # our own bytes
    assert (copy, copy.template, copy.values) == ("3 days", "{n} days", {"n": "3"})
