"""The operator's own words: what a template may say, what is refused and why, and that no title becomes markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.cleaning import units
from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert, Metric, RuleId, RuleKind, SubjectId
from ytwatcher.core.policy import Recipient
from ytwatcher.core.render import Composed, Limits, compose
from ytwatcher.core.templates import LONGEST_TEMPLATE, compile_template, preview
from ytwatcher.core.words import FIELDS, LONGEST_TEXT

NOW = datetime(2026, 10, 5, 17, tzinfo=UTC)
ALERT = Alert(
    RuleId("r1"), SubjectId("jNQXAC9IVRw"), RuleKind.MILESTONES, NOW, Metric.VIEWS, 998, 1034, NOW.replace(hour=16, minute=48), 1000
)
ITEM = Item(7, "r1:jNQXAC9IVRw:1", ALERT, title="A film", rule="views milestones", target_pk=1, target_title="A list")


def told(source: str, *items: Item, kind: RuleKind = RuleKind.MILESTONES, recipient: Recipient | None = None) -> Composed:
    return compose(items or (ITEM,), recipient or Recipient("console"), NOW, Limits(), {kind: compile_template(kind, source)})


def refused(source: str, kind: RuleKind = RuleKind.MILESTONES) -> str:
    with pytest.raises(ValueError) as caught:
        compile_template(kind, source)
    return str(caught.value)


def test_every_value_is_a_text_as_the_recipient_reads_it() -> None:
    source = " · ".join(f"{name}={{{{ {name} }}}}" for name in FIELDS if name != "text")
    german = Recipient("console", language="de", timezone="Europe/Berlin")
    assert told(source, recipient=german).plain.splitlines()[-1] == (
        "title=A film · url=https://youtu.be/jNQXAC9IVRw · target=A list · rule=views milestones · metric=views · previous=998"
        " · current=1.034 · difference=+36 · span=12 Min. · mark=1.000 · at=05.10.26, 19:00"
    )


def test_the_usual_words_can_be_part_of_it() -> None:
    usual = compose([ITEM], Recipient("console"), NOW, Limits()).plain.splitlines()[-1]
    assert told("Look: {{ text }}").plain.splitlines()[-1] == f"Look: {usual}"


def test_only_its_own_kind_is_told_in_its_words() -> None:
    assert "Mine" not in told("Mine", kind=RuleKind.REACH).plain


@pytest.mark.parametrize("kind", RuleKind)
def test_every_kind_has_an_example(kind: RuleKind) -> None:
    shown = preview(kind, compile_template(kind, "Mine: {{ title }} | {{ previous }} | {{ current }}"))
    assert shown.startswith("Me at the zoo\nhttps://youtu.be/jNQXAC9IVRw\nMine: Me at the zoo")
    if kind is RuleKind.TITLE:
        assert shown.endswith("| The old title | The new title")
    if kind is RuleKind.AVAILABILITY:
        assert shown.endswith("|  | No longer available: removed or made private".replace("|  |", "| |"))


@pytest.mark.parametrize("title", ["<b>bold</b>", "a & b </a>", "{{ 7 }}{% if %}", "x\n\n<i>"])
def test_a_title_never_becomes_markup_or_a_template(title: str) -> None:
    composed = told("<u>{{ title }}</u>", replace(ITEM, title=title))
    line = composed.text.split("</a>\n")[-1]
    assert "<" not in line and line.startswith("&lt;u&gt;")
    assert " ".join(title.split()) in composed.plain


def test_lines_are_kept_and_empty_ones_left_out() -> None:
    assert told("one\n\n  two\n{% if previous %}\nthree\n{% endif %}").plain.splitlines()[2:] == ["one", "two", "three"]


def test_what_is_long_is_cut_and_still_fits() -> None:
    composed = told("{{ title }}" * 150, replace(ITEM, title="🎬" * 150))
    line = composed.plain.splitlines()[-1]
    assert len(line) <= LONGEST_TEXT and units(composed.plain) <= 4096 and composed.told == (7,)


def test_the_usual_words_stand_in_where_nothing_comes_of_it() -> None:
    assert "passed 1,000" in told("{% if title != 'A film' %}other{% endif %}").plain
    assert "passed 1,000" in told("{% if title == 'A film' and title < 1 %}{% endif %}x").plain


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("{{ titel }}", "line 1: there is no value “titel”; did you mean “title”? there are text, title,"),
        ("ok\n{{ zzzzzz }}", "line 2: there is no value “zzzzzz”; there are text,"),
        ("{{ title", "line 1: unexpected end of template"),
        (
            "{% for x in title %}{% endfor %}",
            "line 1: “for” is not possible here; there are values, if and else, and the filters capitalize",
        ),
        ("{{ title * 99 }}", "“mul” is not possible"),
        ("{{ title.upper() }}", "is not possible"),
        ("{{ ''.__class__ }}", "“getattr” is not possible"),
        ("{% set a = 1 %}x", "“assign” is not possible"),
        ("{% include 'x' %}", "“include” is not possible"),
        ("{{ title|nope }}", "line 1: No filter named 'nope'."),
        ("{{ title|replace('a', 'b') }}", "No filter named 'replace'."),
        ("{{ title|truncate(title) }}", "not supported between"),
        ("  \n", "nothing comes of it"),
        ("{% if previous %}x{% endif %}", "nothing comes of it where there is no previous value"),
        ("{{ " + "(" * 900 + "1" + ")" * 900 + " }}", "is nested too deeply"),
        ("x" * (LONGEST_TEMPLATE + 1), "has 2,001 characters; 2,000 are the most"),
    ],
)
def test_what_is_no_template_is_refused_with_its_place(source: str, part: str) -> None:
    assert part in refused(source)


def test_a_kind_that_always_has_a_previous_value_may_ask_for_it() -> None:
    assert compile_template(RuleKind.RISE, "{% if previous %}x{% endif %}")(dict.fromkeys(FIELDS, "1")) == "x"


_PARTS = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "if ",
        "else",
        "endif",
        "title",
        "previous",
        "|upper",
        "|truncate(",
        ")",
        "(",
        "~",
        "'",
        "*",
        "9",
        "not ",
        "-",
        "\n",
    ]
)


@given(st.lists(_PARTS | st.text(max_size=3), max_size=25).map("".join))
def test_any_text_is_a_template_or_refused(source: str) -> None:
    try:
        text = compile_template(RuleKind.REACH, source)
    except ValueError as error:
        assert str(error)
    else:
        assert len(text(dict.fromkeys(FIELDS, "x" * 150))) <= len(source) * 150 + 1
