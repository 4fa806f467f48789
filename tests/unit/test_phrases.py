"""A phrase is its English text, and knows what it was made from."""

from __future__ import annotations

import json
import pickle

from ytwatcher.core.changes import RULE_ENDED, change
from ytwatcher.core.phrases import Phrase, in_english, put_together, recognized, taken_apart
from ytwatcher.core.reasons import REASONS, reason
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


def test_a_phrase_goes_through_json_with_all_that_is_in_it() -> None:
    phrase = Phrase("{n} of {what}: {why}", n=1234, what=Phrase("{n} days", n=3), why='it {is} {"template": so}')
    found = put_together(json.loads(json.dumps(taken_apart(phrase))))
    assert isinstance(found, Phrase)
    assert (found, found.values["n"], taken_apart(found)) == (phrase, 1234, taken_apart(phrase))
    assert put_together("as {it} is") == taken_apart("as {it} is") == in_english("de")("as {it} is") == "as {it} is"


def test_a_stored_text_is_recognized_by_the_template_it_was_made_from() -> None:
    found = recognized("rule “views (.*)” removed from a\nb", [Phrase("rule “{line}” on {title}"), RULE_ENDED])
    assert isinstance(found, Phrase)
    assert (found.template, found.values) == (RULE_ENDED, {"line": "views (.*)", "title": "a\nb"})
    assert change("rule “x” on “y”").template == "rule “{line}” on {title}"  # type: ignore[attr-defined]  # it is a phrase
    assert not isinstance(change("quiet 23:00-07:30"), Phrase)


def test_every_reason_of_ours_is_recognized_and_no_other_is() -> None:
    for one in REASONS:
        made = Phrase(one, fault="A", status="1", name="A", service="A")
        assert reason(str(made)).template == one  # type: ignore[attr-defined]  # it is a phrase
    assert not isinstance(reason("Forbidden: bot was blocked by the user"), Phrase)
