from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.cleaning import clean, isolated, units
from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert, Metric, RuleId, RuleKind, SubjectId
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.plain import plain_line
from ytwatcher.core.policy import Recipient
from ytwatcher.core.render import REPEAT, Composed, Limits, compose, marked
from ytwatcher.core.words import FACTS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ANNA = Recipient("telegram:1")
BERND = Recipient("telegram:2", language="de", timezone="Europe/Berlin")
VIDEO, CHANNEL = SubjectId("jNQXAC9IVRw"), SubjectId("UC4QobU6STFB0P71PMvOGN5A")
V, L, S = Metric.VIEWS, Metric.LIKES, Metric.SUBSCRIBERS


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def alert(
    kind: RuleKind = RuleKind.CHANGE,
    metric: Metric | None = L,
    previous: int | None = 5,
    current: int | None = 6,
    *,
    rule: str = "r1",
    subject: SubjectId = VIDEO,
    at: datetime = NOON,
    mark: int | None = None,
    facts: tuple[str, ...] = (),
) -> Alert:
    return Alert(RuleId(rule), subject, kind, at, metric, previous, current, at - minutes(12), mark, facts)


def item(pk: int, found: Alert, *, rule: str = "likes change", title: str | None = "A film", target: int = 1, silent: bool = False) -> Item:
    return Item(pk, found.id, found, title=title, rule=rule, target_pk=target, target_title="My list", silent=silent)


def notice(pk: int, text: str) -> Item:
    return Item(pk, f"notice:{pk}", None, text=text)


def message(*items: Item, to: Recipient = ANNA, now: datetime = NOON, limits: Limits | None = None) -> Composed:
    return compose(items, to, now, limits or Limits())


def lines(*items: Item, to: Recipient = ANNA, now: datetime = NOON) -> list[str]:
    return message(*items, to=to, now=now).plain.split("\n")


def test_a_message_names_its_video_and_says_what_happened() -> None:
    passed = item(1, alert(RuleKind.MILESTONES, V, 998, 1034, mark=1000), rule="views milestones")
    made = message(passed)
    assert made.text == '<a href="https://youtu.be/jNQXAC9IVRw">A film</a>\n🎉 Views passed 1,000: 998 → 1,034 (+36 in 12 min)'
    assert made.plain == "A film\nhttps://youtu.be/jNQXAC9IVRw\n🎉 Views passed 1,000: 998 → 1,034 (+36 in 12 min)"
    assert (made.told, made.suppressed, made.left, made.silent) == ((1,), {}, (), False)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (alert(RuleKind.CHANGE, L, 6, 5), "🔄 Likes: 6 → 5 (−1 in 12 min)"),
        (alert(RuleKind.CHANGE, L, 5, 5), "🔄 Likes: 5 → 5 (±0 in 12 min)"),
        (alert(RuleKind.EVERY, V, None, 2034, mark=2000), "🎉 Views passed 2,000: now 2,034"),
        (alert(RuleKind.REACH, V, 999, 1000, mark=1000), "🎯 Views reached 1,000: 999 → 1,000 (+1 in 12 min)"),
        (alert(RuleKind.RISE, L, 100, 150), "📈 Likes rose: 100 → 150 (+50)"),
        (alert(RuleKind.FALL, Metric.COMMENTS, 100, 90), "📉 Comments fell: 100 → 90 (−10)"),
        (alert(RuleKind.AVAILABILITY, None, facts=("vanished",)), "👁 No longer available: removed or made private"),
        (alert(RuleKind.AVAILABILITY, None, facts=("likes hidden", "something new")), "👁 Likes are hidden now; something new"),
        (alert(RuleKind.TITLE, None, facts=("Old", "New")), "✏️ New title: “Old” → “New”"),
        (alert(RuleKind.NEW, None, facts=("A film",)), "🆕 New in My list"),
        (alert(RuleKind.MILESTONES, Metric.TOTAL_VIEWS, 1, 2, subject=CHANNEL, mark=2), "🎉 Total views passed 2: 1 → 2 (+1 in 12 min)"),
        (
            alert(RuleKind.MILESTONES, S, 999_000, 1_010_000, subject=CHANNEL, mark=1_000_000),
            "🎉 Subscribers passed 1,000,000: 999,000 → 1,010,000 (+11,000 in 12 min) · rounded by YouTube",
        ),
    ],
)
def test_each_kind_of_news_has_its_words(found: Alert, line: str) -> None:
    assert lines(item(1, found))[2:] == [line]


def test_a_new_video_in_a_list_without_a_title_is_told_too() -> None:
    assert lines(replace(item(1, alert(RuleKind.NEW, None)), target_title=None))[2] == "🆕 New video"


def test_a_channel_is_linked_as_one_and_a_title_that_is_not_known_is_the_id() -> None:
    found = item(1, alert(RuleKind.CHANGE, S, 5, 6, subject=CHANNEL), title=None)
    assert lines(found)[:2] == [CHANNEL, f"https://www.youtube.com/channel/{CHANNEL}"]


def test_numbers_and_times_are_the_recipients_own() -> None:
    found = item(1, alert(RuleKind.CHANGE, V, 998, 12_034))
    assert lines(found, to=BERND, now=NOON + minutes(20))[2] == "🔄 Views: 998 → 12.034 (+11.036 in 12 Min., at 13:00)"


def test_late_news_says_when_it_was_read_with_the_day_where_it_is_another() -> None:
    found = item(1, alert())
    assert lines(found, now=NOON + minutes(15))[2] == "🔄 Likes: 5 → 6 (+1 in 12 min)"
    assert lines(found, to=BERND, now=NOON + timedelta(hours=11))[2].endswith("(+1 in 12 Min., at 24.11.26, 13:00)")
    first = item(1, alert(RuleKind.EVERY, V, None, 2034, mark=2000))
    assert lines(first, to=BERND, now=NOON + minutes(20))[2] == "🎉 Views passed 2.000: now 2.034 (at 13:00)"
    gone = item(1, alert(RuleKind.AVAILABILITY, None, facts=("came back",)))
    assert lines(gone, to=BERND, now=NOON + minutes(20))[2] == "👁 Available again (at 13:00)"


@pytest.mark.parametrize(
    ("span", "text"),
    [(timedelta(seconds=40), "40 sec"), (minutes(65), "65 min"), (timedelta(hours=3), "3 hr"), (timedelta(hours=40), "2 days")],
)
def test_time_spans_are_in_their_largest_fitting_unit(span: timedelta, text: str) -> None:
    found = replace(alert(), previous_at=NOON - span)
    assert lines(item(1, found))[2] == f"🔄 Likes: 5 → 6 (+1 in {text})"
    assert lines(item(1, replace(alert(), previous_at=None)))[2] == "🔄 Likes: 5 → 6 (+1)"


def test_lines_stand_under_their_subject_and_notices_stand_alone() -> None:
    other = SubjectId("9bZkp7q19f0")
    made = lines(
        item(1, alert()),
        item(2, alert(subject=other), title="Another"),
        notice(3, "The quota is spent."),
        item(4, alert(RuleKind.EVERY, V, 9, 11, rule="r2", mark=10)),
    )
    assert made == [
        "A film",
        "https://youtu.be/jNQXAC9IVRw",
        "🔄 Likes: 5 → 6 (+1 in 12 min)",
        "🎉 Views passed 10: 9 → 11 (+2 in 12 min)",
        "",
        "Another",
        "https://youtu.be/9bZkp7q19f0",
        "🔄 Likes: 5 → 6 (+1 in 12 min)",
        "",
        "🔧 The quota is spent.",
    ]


def test_one_news_is_one_line_that_names_all_its_rules() -> None:
    made = message(
        item(1, alert(RuleKind.CHANGE, V, 998, 1034), rule="views change"),
        item(2, alert(RuleKind.EVERY, V, 998, 1034, rule="r2", mark=500), rule="views every 500"),
        item(3, alert(RuleKind.MILESTONES, V, 998, 1034, rule="r3", mark=1000), rule="views milestones"),
        item(4, alert(RuleKind.RISE, V, 10, 1034, rule="r4"), rule="views rise 1000"),
    )
    assert made.plain.split("\n")[2:] == [
        "🎉 Views passed 1,000: 998 → 1,034 (+36 in 12 min) · rules: views milestones; views every 500; views rise 1000; views change"
    ]
    assert (made.told, made.suppressed) == ((3,), dict.fromkeys((2, 4, 1), "same news"))


def test_at_most_five_rules_are_named() -> None:
    made = lines(*(item(n, alert(RuleKind.EVERY, V, 0, 9, rule=f"r{n}", mark=n), rule=f"views every {n}") for n in range(1, 8)))
    assert made[2].endswith("views every 4; views every 5 and 2 more")


def test_readings_of_one_rule_leave_as_one_line_from_first_to_last_with_the_highest_number() -> None:
    made = message(
        item(1, alert(RuleKind.EVERY, V, 998, 1034, mark=1000, at=NOON - minutes(10))),
        item(2, alert(RuleKind.EVERY, V, 1990, 2040, mark=2000, at=NOON - minutes(5))),
        item(3, alert(RuleKind.EVERY, V, 2990, 3040, mark=3000)),
    )
    assert made.plain.split("\n")[2:] == ["🎉 Views passed 3,000: 998 → 3,040 (+2,042 in 22 min)"]
    assert made.told == (1, 2, 3)
    switched = [
        alert(RuleKind.AVAILABILITY, None, at=NOON - minutes(n), facts=(fact,)) for n, fact in ((9, "likes hidden"), (1, "likes shown"))
    ]
    assert lines(*(item(n, found) for n, found in enumerate(switched)))[2] == "👁 Likes are hidden now; Likes are shown again"
    renamed = [alert(RuleKind.TITLE, None, at=NOON - minutes(n), facts=facts) for n, facts in ((9, ("A", "B")), (1, ("B", "C")))]
    assert lines(*(item(n, found) for n, found in enumerate(renamed)))[2] == "✏️ New title: “A” → “C”"


def many(kind: RuleKind, metric: Metric | None, marks: Sequence[int | None], facts: tuple[str, ...] = ()) -> list[Item]:
    subjects = [SubjectId(f"video{n:05d}A") for n in range(len(marks))]
    return [item(n, alert(kind, metric, 1, 9, subject=subject, mark=marks[n], facts=facts)) for n, subject in enumerate(subjects)]


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (many(RuleKind.CHANGE, L, [None] * 12), "🔄 12 videos of My list: likes changed"),
        (many(RuleKind.RISE, L, [None] * 6), "📈 6 videos of My list: likes rose"),
        (many(RuleKind.REACH, V, [1000] * 6), "🎯 6 videos of My list: views reached 1,000"),
        (many(RuleKind.MILESTONES, V, [1000] * 5 + [5000]), "🎉 6 videos of My list: views passed numbers up to 5,000"),
        (many(RuleKind.NEW, None, [None] * 6), "🆕 6 new videos in My list"),
        (many(RuleKind.TITLE, None, [None] * 6, ("A", "B")), "✏️ 6 videos of My list: new titles"),
        (many(RuleKind.AVAILABILITY, None, [None] * 6, ("vanished",)), "👁 6 videos of My list: vanished"),
    ],
)
def test_over_five_of_a_kind_and_target_are_one_line(items: list[Item], text: str) -> None:
    made = message(*items)
    assert made.plain == text
    assert made.told == tuple(range(len(items)))


def test_unlike_switches_of_many_videos_are_told_as_such() -> None:
    items = many(RuleKind.AVAILABILITY, None, [None] * 6, ("vanished",))
    found = items[0].alert
    assert found is not None
    items[0] = replace(items[0], alert=replace(found, facts=("likes hidden",)))
    assert message(*items).plain == "👁 6 videos of My list: availability changed"


def test_five_or_different_targets_are_not_folded_and_a_fold_without_a_title_has_a_name() -> None:
    assert len(message(*many(RuleKind.CHANGE, L, [None] * 5)).plain.split("\n")) == 5 * 4 - 1
    assert "videos of" not in message(*many(RuleKind.CHANGE, L, [None] * 9), limits=Limits(fold_over=None)).plain
    apart = [replace(found, target_pk=n % 2) for n, found in enumerate(many(RuleKind.CHANGE, L, [None] * 10))]
    assert "videos of" not in message(*apart).plain
    unnamed = [replace(found, target_title=None) for found in many(RuleKind.CHANGE, L, [None] * 6)]
    assert message(*unnamed).plain == "🔄 6 videos of what you watch: likes changed"


def test_a_message_is_silent_when_all_it_tells_is() -> None:
    loud, silent = item(1, alert()), item(2, alert(rule="r2", subject=SubjectId("9bZkp7q19f0")), silent=True)
    assert message(silent).silent
    assert not message(loud, silent).silent


def test_what_does_not_fit_is_left_in_order_and_no_line_is_cut() -> None:
    items = [replace(found, target_pk=None) for found in many(RuleKind.CHANGE, L, [None] * 400)]
    made = message(*items)
    assert made.told + made.left == tuple(range(400))
    assert made.left
    assert made.plain.endswith("🔄 Likes: 1 → 9 (+8 in 12 min)")
    assert units(marked(made.plain)) <= 4096
    assert message(*items, limits=Limits(units=10_000)).told[: len(made.told) + 1] == (*made.told, made.left[0])
    assert message(*items[:3], limits=Limits(raw_bytes=200)).told == (0,)


def test_a_repeat_is_marked() -> None:
    assert marked("x") == "↻ May be a repeat: the answer to the first sending was lost.\n\nx"


def test_control_and_bidi_characters_are_stripped_and_emoji_stay_whole() -> None:
    assert clean("a\u202eb\x00c\n d\u2028e\ud800f\ufeff") == "ab c d ef"
    assert clean("👩\u200d👧 ok") == "👩\u200d👧 ok"
    assert clean("x" * 200) == "x" * 149 + "…"


def test_a_title_from_right_to_left_does_not_turn_the_words_around_it() -> None:
    assert isolated("plain") == "plain"
    assert isolated("مرحبا") == "\u2068مرحبا\u2069"


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (alert(RuleKind.CHANGE, L, 5, 6), "Video: T | Likes changed: 5 -> 6 | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.EVERY, V, 998, 1034, mark=1000), "Video: T | Views passed 1000: now 1034 | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.MILESTONES, V, 998, 1034, mark=1000), "Video: T | Views passed 1000: now 1034 | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.REACH, V, 998, 1034, mark=1000), "Video: T | Views reached 1000: now 1034 | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.RISE, L, 100, 150), "Video: T | Likes rose by 50: 100 -> 150 | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.FALL, L, 150, 100), "Video: T | Likes fell by 50: 150 -> 100 | https://youtu.be/jNQXAC9IVRw"),
        (
            alert(RuleKind.FASTER, V, 100, 700, facts=("500/h",)),
            "Video: T | Views faster than 500/h: 100 -> 700 | https://youtu.be/jNQXAC9IVRw",
        ),
        (
            alert(RuleKind.SLOWER, V, 100, 101, facts=("5/d",)),
            "Video: T | Views slower than 5/d: 100 -> 101 | https://youtu.be/jNQXAC9IVRw",
        ),
        (alert(RuleKind.AVAILABILITY, None, facts=("vanished",)), "Video: T | Vanished | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.TITLE, None, facts=("S", "T")), "Video: T | Title changed: S -> T | https://youtu.be/jNQXAC9IVRw"),
        (alert(RuleKind.NEW, None), "Video: T | New video | https://youtu.be/jNQXAC9IVRw"),
        (
            alert(RuleKind.EVERY, S, 9, 11, subject=CHANNEL, mark=10),
            f"Channel: T | Subscribers passed 10: now 11 | https://www.youtube.com/channel/{CHANNEL}",
        ),
    ],
)
def test_an_alert_is_one_plain_line_for_programs(found: Alert, line: str) -> None:
    assert plain_line(found, "T") == line
    assert plain_line(found, None) == line.replace(": T |", f": {found.subject_id} |")


class Strict(HTMLParser):
    """What a message may hold: text and one kind of tag, well nested."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "a"
        assert [name for name, _ in attrs] == ["href"]
        self.open += 1

    def handle_endtag(self, tag: str) -> None:
        assert tag == "a"
        self.open -= 1

    def handle_data(self, data: str) -> None:
        self.text += data


def rated(pk: int, kind: RuleKind = RuleKind.FASTER, facts: str = "5000/h") -> Item:
    found = replace(alert(kind, V, 7_000, 12_400, facts=(facts,)), previous_at=NOON - timedelta(hours=1))
    return item(pk, found, rule=f"views {kind} {facts}")


def test_a_rate_is_told_in_the_rules_own_unit() -> None:
    assert lines(rated(1))[-1] == "🚀 Views grow faster than 5,000/h: 5,400/h (+5,400 in 60 min, now 12,400)"
    assert lines(rated(1, RuleKind.SLOWER, "100/min"))[-1] == "🐌 Views grow slower than 100/min: 90/min (+5,400 in 60 min, now 12,400)"


def test_a_rate_in_one_line_with_another_rule_leaves_the_line_its_own_previous_value() -> None:
    passed = item(2, alert(RuleKind.MILESTONES, V, 9_900, 12_400, mark=10_000, rule="r2"), rule="views milestones")
    [line] = [line for line in lines(rated(1), passed) if "passed" in line]
    assert line.startswith("🎉 Views passed 10,000: 9,900 → 12,400 (+2,500 in 12 min)")


def test_many_rates_of_one_list_are_one_line() -> None:
    many = [item(n, replace(rated(n).alert or alert(), subject_id=SubjectId(f"video{n:05d}A"))) for n in range(6)]
    assert lines(*many) == ["🚀 6 videos of My list: views grow faster than 5,000/h"]


@given(st.lists(st.tuples(st.text(max_size=400), st.text(max_size=400), st.sampled_from(list(RuleKind))), min_size=1, max_size=40))
def test_no_title_breaks_a_message(titles: list[tuple[str, str, RuleKind]]) -> None:
    items = []
    for n, (title, other, kind) in enumerate(titles):
        found = alert(kind, None, subject=SubjectId(f"video{n:05d}A"), facts=(title, other))
        items.append(replace(item(n, found, title=title), target_title=other, target_pk=n % 3))
    made = message(*items, notice(1000, titles[0][0]))
    parser = Strict()
    parser.feed(made.text)
    parser.close()
    assert parser.open == 0
    assert units(marked(parser.text)) <= units(marked(made.plain)) <= 4096
    assert len(marked(made.text).encode()) <= 32_768
    assert sorted((*made.told, *made.suppressed, *made.left)) == [*range(len(titles)), 1000]
    assert made.told


def in_capitals(text: str) -> str:
    """A language of its own: what is said in it has only capitals, and what was not said in it is seen."""
    if not isinstance(text, Phrase):
        return text
    parts = Formatter().parse(text.template)
    values = {name: in_capitals(value) if isinstance(value, str) else str(value) for name, value in text.values.items()}
    return "".join(before.upper() + (values[name] if name else "") for before, name, _, _ in parts)


def unsaid(*items: Item, now: datetime = NOON) -> list[str]:
    """The lines of a message in that language that have a word of another one; units of time and of rates are Babel's and the rule's."""
    capitals = [replace(one, title=one.title and "TITLE", target_title=one.target_title and "LIST", rule="RULE") for one in items]
    plain = compose(capitals, ANNA, now, Limits(10**9, 10**9), speak=in_capitals).plain
    lines = [line for line in plain.split("\n") if not line.startswith("http")]
    assert lines
    return [line for line in lines if re.search("[a-z]", re.sub(" min|/h", "", line))]


def every_kind(n: int = 0) -> list[Item]:
    """An alert of each kind, on each metric that it may be about, of the n-th video."""
    of_none = {RuleKind.TITLE: ("OLD", "NEW"), RuleKind.AVAILABILITY: tuple(FACTS), RuleKind.NEW: ()}
    rate = {RuleKind.FASTER: ("5000/h",), RuleKind.SLOWER: ("100/h",)}
    found = [
        alert(kind, metric, 998, 1034, mark=1000, facts=rate.get(kind, ())) for kind in RuleKind if kind not in of_none for metric in Metric
    ]
    found += [alert(kind, None, None, None, facts=facts) for kind, facts in of_none.items()]
    return [of_video(one, n, place) for place, one in enumerate(found)]


def of_video(found: Alert, n: int, place: int = 0) -> Item:
    """The alert as one of the n-th video; those of one place are one news."""
    video = SubjectId(f"video{n:05d}A")
    moved = replace(found, rule_id=RuleId(f"r{place}"), subject_id=video, observed_at=NOON + minutes(place))
    return item(100 * n + place, replace(moved, previous_at=moved.observed_at - minutes(12)))


@pytest.mark.parametrize("late", [timedelta(0), minutes(200), timedelta(days=2)])
def test_every_word_of_an_alert_is_said_in_the_recipients_language(late: timedelta) -> None:
    assert not unsaid(*every_kind(), now=NOON + late)
    assert not unsaid(of_video(alert(RuleKind.EVERY, V, None, 2034, mark=2000), 1), now=NOON + late)


def test_so_is_what_is_said_of_many_videos_and_of_several_rules() -> None:
    assert not unsaid(*(one for n in range(6) for one in every_kind(n)))
    passed = [of_video(alert(RuleKind.EVERY, V, 900, 1034, mark=100 * n + 100), n) for n in range(6)]
    assert not unsaid(*passed)
    assert not unsaid(*(replace(one, target_title=None) for one in passed))
    for facts in (*([fact] for fact in FACTS), list(FACTS)):
        assert not unsaid(
            *(of_video(alert(RuleKind.AVAILABILITY, None, None, None, facts=(facts[n % len(facts)],)), n) for n in range(6)),
            of_video(alert(), 7),
        )
    several = [of_video(alert(RuleKind.EVERY, V, 900, 1034, mark=1000), 1) for _ in range(7)]
    named = [replace(one, pk=n, alert=one.alert and replace(one.alert, rule_id=RuleId(f"r{n}"))) for n, one in enumerate(several)]
    assert not unsaid(*named)
    many = compose([replace(one, rule=f"RULE {one.pk}") for one in named], ANNA, NOON, Limits(), speak=in_capitals)
    assert "RULES: RULE 0; RULE 1; RULE 2; RULE 3; RULE 4 AND 2 MORE" in many.plain


def test_what_the_operator_is_told_and_the_mark_of_a_repeat_are_said_in_it_too() -> None:
    told = compose([notice(1, Phrase("the {what}: x", what=Phrase("disk")))], ANNA, NOON, Limits(), speak=in_capitals)
    assert told.plain == "🔧 THE DISK: X"
    assert marked("X", in_capitals) == f"{REPEAT.upper()}\n\nX"
