"""The rule language: what it accepts, how it is written back, what it says of a fault."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.model import BIGGEST, Metric, RuleKind, RuleSpec, SubjectKind, TargetKind
from ytwatcher.core.rates import PER, RATES
from ytwatcher.core.rules import applies_to, canonical, check_fits, default_rules, explain, note, parse_rule
from ytwatcher.errors import RuleError

VIEWS, LIKES, COMMENTS = Metric.VIEWS, Metric.LIKES, Metric.COMMENTS
EVERY, REACH = RuleKind.EVERY, RuleKind.REACH

READ: dict[str, tuple[RuleSpec, str]] = {
    "likes change": (RuleSpec(RuleKind.CHANGE, LIKES), "likes change"),
    "  LIKES   Change ": (RuleSpec(RuleKind.CHANGE, LIKES), "likes change"),
    "like change": (RuleSpec(RuleKind.CHANGE, LIKES), "likes change"),
    "favourites change": (RuleSpec(RuleKind.CHANGE, Metric.FAVORITES), "favorites change"),
    "views every 1000": (RuleSpec(EVERY, VIEWS, 1000), "views every 1k"),
    "views every 1_000": (RuleSpec(EVERY, VIEWS, 1000), "views every 1k"),
    "views every 1,000": (RuleSpec(EVERY, VIEWS, 1000), "views every 1k"),
    "views every 1,234,567": (RuleSpec(EVERY, VIEWS, 1_234_567), "views every 1234567"),
    "views every 1": (RuleSpec(EVERY, VIEWS, 1), "views every 1"),
    "views every 999": (RuleSpec(EVERY, VIEWS, 999), "views every 999"),
    "views every 1500": (RuleSpec(EVERY, VIEWS, 1500), "views every 1.5k"),
    "views every 1550": (RuleSpec(EVERY, VIEWS, 1550), "views every 1550"),
    "views every 0.5k": (RuleSpec(EVERY, VIEWS, 500), "views every 500"),
    "views every 1 K cooldown 6 h": (RuleSpec(EVERY, VIEWS, 1000, cooldown=timedelta(hours=6)), "views every 1k cooldown 6h"),
    "views reach 1m": (RuleSpec(REACH, VIEWS, 1_000_000), "views reach 1M"),
    "views reach 2.5M": (RuleSpec(REACH, VIEWS, 2_500_000), "views reach 2.5M"),
    "views reach 1B": (RuleSpec(REACH, VIEWS, 10**9), "views reach 1B"),
    f"views reach {BIGGEST}": (RuleSpec(REACH, VIEWS, BIGGEST), f"views reach {BIGGEST}"),
    "views milestones": (RuleSpec(RuleKind.MILESTONES, VIEWS, 1000), "views milestones"),
    "total views milestones": (RuleSpec(RuleKind.MILESTONES, Metric.TOTAL_VIEWS, 1000), "total views milestones"),
    "total_views every 5": (RuleSpec(EVERY, Metric.TOTAL_VIEWS, 5), "total views every 5"),
    "TotalViews change": (RuleSpec(RuleKind.CHANGE, Metric.TOTAL_VIEWS), "total views change"),
    "total view change": (RuleSpec(RuleKind.CHANGE, Metric.TOTAL_VIEWS), "total views change"),
    "likes milestones": (RuleSpec(RuleKind.MILESTONES, LIKES, 10), "likes milestones"),
    "subscribers milestones": (RuleSpec(RuleKind.MILESTONES, Metric.SUBSCRIBERS, 10), "subscribers milestones"),
    "videos every 10": (RuleSpec(EVERY, Metric.VIDEOS, 10), "videos every 10"),
    "likes rise 50": (RuleSpec(RuleKind.RISE, LIKES, 50), "likes rise 50"),
    "likes rise 5%": (RuleSpec(RuleKind.RISE, LIKES, percent=Decimal(5)), "likes rise 5%"),
    "likes rise 150 %": (RuleSpec(RuleKind.RISE, LIKES, percent=Decimal(150)), "likes rise 150%"),
    "comments fall 10": (RuleSpec(RuleKind.FALL, COMMENTS, 10), "comments fall 10"),
    "comments fall 2.50%": (RuleSpec(RuleKind.FALL, COMMENTS, percent=Decimal("2.5")), "comments fall 2.5%"),
    "comments fall 100%": (RuleSpec(RuleKind.FALL, COMMENTS, percent=Decimal(100)), "comments fall 100%"),
    "views faster 5000/h": (RuleSpec(RuleKind.FASTER, VIEWS, 5000, per=timedelta(hours=1)), "views faster 5k/h"),
    "views faster 2.5 M / Day once": (
        RuleSpec(RuleKind.FASTER, VIEWS, 2_500_000, per=timedelta(days=1), once=True),
        "views faster 2.5M/d once",
    ),
    "likes slower 80 per minute": (RuleSpec(RuleKind.SLOWER, LIKES, 80, per=timedelta(minutes=1)), "likes slower 80/min"),
    "availability": (RuleSpec(RuleKind.AVAILABILITY), "availability"),
    "title silent": (RuleSpec(RuleKind.TITLE, silent=True), "title silent"),
    "new once": (RuleSpec(RuleKind.NEW, once=True), "new once"),
    "likes change cooldown 1h30m silent once": (
        RuleSpec(RuleKind.CHANGE, LIKES, once=True, silent=True, cooldown=timedelta(hours=1, minutes=30)),
        "likes change once silent cooldown 1h30m",
    ),
    "views every 10k cooldown 90m": (RuleSpec(EVERY, VIEWS, 10_000, cooldown=timedelta(minutes=90)), "views every 10k cooldown 1h30m"),
}

FAULTS = {
    "": "the rule is empty",
    "   ": "the rule is empty",
    "x" * 201: "at most 200 characters",
    "viws change": "“viws” is not a metric; did you mean “views”?",
    "dislikes change": "“dislikes” is not a metric; did you mean “likes”?",
    "titel": "did you mean “title”?",
    "xyzzy change": "known are views, likes, favorites, comments, subscribers, videos, total views, availability, title, new",
    "total likes change": "“total” is only known in “total views”",
    "total": "“total” is only known in “total views”",
    "views": "“views” is not yet a rule; write for example “views change” or “views every 1000”",
    "views changed": "“changed” is not a rule; did you mean “change”?",
    "views 1000": "“1000” is not a rule; known are change, every, reach, milestones, rise, fall, faster, slower",
    "views faster 5000": "“5000” is not a rate; write it as 5000/h, 80/min or 20k/d",
    "views slower 100/week": "“100/week” is not a rate",
    "views slower": "“slower” needs a number: “views slower 100/h”",
    "views faster 5%/h": "“5%” is not a number",
    "views every": "“every” needs a number: “views every 1000”",
    "views reach once": "“reach” needs a number: “views reach 1M”",
    "views every many": "“many” is not a number",
    "views every 0": "“0” is out of range",
    "views every -5": "“-5” is not a number",
    "views every 1e3": "“1e3” is not a number",
    "views every ١٠": "is not a number",
    "views every 1,00": "“1,00” is not a number",
    "views every 1_0": "“1_0” is not a number",
    "views every 1,000_000": "is not a number",
    "views every 1,5k": "“1,5k” is not a number",
    "views every 1.000": "“1.000” is not a whole number; write a thousand as 1000",
    "views every 1.0005k": "“1.0005k” is not a whole number",
    f"views reach {BIGGEST + 1}": "is out of range",
    "views reach 99999999999B": "is out of range",
    "views every 5%": "“every” takes a number, not a percentage",
    "likes rise x%": "“x%” is not a percentage",
    "likes rise 0%": "is no difference at all",
    "likes rise %": "“%” is not a percentage",
    "comments fall 101%": "nothing can fall by “101%”",
    "views milestones 500": "“500” does not belong behind “views milestones”; known are once, silent, cooldown",
    "views change onec": "“onec” does not belong behind “views change”; did you mean “once”?",
    "views change once once": "“once” stands there twice",
    "views change cooldown 1h cooldown 2h": "“cooldown” stands there twice",
    "views change cooldown": "“cooldown” needs a duration",
    "views change cooldown 6x": "cooldown: “6x” is not a duration",
    "views change cooldown 0s": "cooldown: “0s” is out of range",
    "\x00": "“\\x00” is not a metric",
}


@pytest.mark.parametrize("line", READ)
def test_a_line_is_read_and_written_back(line: str) -> None:
    spec, text = READ[line]
    assert parse_rule(line) == spec
    assert canonical(spec) == text
    assert parse_rule(text) == spec


@pytest.mark.parametrize("line", FAULTS)
def test_a_fault_names_the_word_and_what_would_be_right(line: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(line)
    assert FAULTS[line] in str(caught.value)


@pytest.mark.parametrize("line", ["new", "subscribers change", "videos every 10", "total views milestones"])
def test_some_rules_cannot_hold_on_a_video(line: str) -> None:
    spec = parse_rule(line)
    with pytest.raises(RuleError):
        check_fits(spec, TargetKind.VIDEO)
    check_fits(spec, TargetKind.CHANNEL)


def test_a_playlist_gets_new_videos_but_has_no_subscribers() -> None:
    check_fits(parse_rule("new"), TargetKind.PLAYLIST)
    with pytest.raises(RuleError, match="only a channel has “subscribers”; a playlist can be watched for"):
        check_fits(parse_rule("subscribers change"), TargetKind.PLAYLIST)


@pytest.mark.parametrize("kind", list(TargetKind))
def test_the_default_rules_fit(kind: TargetKind) -> None:
    lines = default_rules(kind)
    for line in lines:
        check_fits(parse_rule(line), kind)
        assert canonical(parse_rule(line)) == line
    assert ("new" in lines, "subscribers milestones" in lines) == (kind is not TargetKind.VIDEO, kind is TargetKind.CHANNEL)


def test_a_rule_is_judged_on_the_subjects_that_have_its_metric() -> None:
    judged = {
        line: (applies_to(parse_rule(line), SubjectKind.VIDEO), applies_to(parse_rule(line), SubjectKind.CHANNEL))
        for line in ("views change", "availability", "title", "subscribers change", "total views milestones", "new")
    }
    assert judged == {
        "views change": (True, False),
        "availability": (True, False),
        "title": (True, False),
        "subscribers change": (False, True),
        "total views milestones": (False, True),
        "new": (False, False),
    }


def test_what_youtube_holds_back_is_said() -> None:
    assert "2015" in (note(parse_rule("favorites change")) or "")
    assert "three digits" in (note(parse_rule("subscribers every 100")) or "")
    assert note(parse_rule("views change")) is None


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("likes change", TargetKind.VIDEO, "Tells when the number of likes of the video changes."),
        (
            "views every 10k",
            TargetKind.VIDEO,
            "Tells when the number of views of the video passes a multiple of 10,000 for the first time.",
        ),
        (
            "views reach 1M once",
            TargetKind.PLAYLIST,
            "the number of views of any video of the playlist passes 1,000,000 for the first time, only the first time for each video.",
        ),
        (
            "subscribers milestones once",
            TargetKind.CHANNEL,
            "subscribers of the channel passes 10, 20, 50, 100 and so on, each for the first time, only the first time.",
        ),
        (
            "likes rise 2.5% cooldown 1d1s",
            TargetKind.VIDEO,
            "likes of the video has grown by 2.5% since the rule was made or last told, then not again for 1 day 1 second.",
        ),
        ("views faster 5k/h", TargetKind.VIDEO, "views of the video comes to grow faster than 5,000 an hour, measured over about an hour."),
        ("likes slower 3/d", TargetKind.CHANNEL, "likes of any video of the channel comes to grow slower than 3 a day"),
        ("comments fall 10", TargetKind.CHANNEL, "has fallen by 10 since the rule was made or last told."),
        ("availability", TargetKind.VIDEO, "Tells when the video vanishes or comes back"),
        ("title silent", TargetKind.CHANNEL, "Tells when the title of any video of the channel changes, without a sound."),
        ("new once", TargetKind.PLAYLIST, "Tells when a new video joins the playlist, only the first time for each video."),
    ],
)
def test_a_rule_is_explained_in_words(line: str, kind: TargetKind, said: str) -> None:
    assert said in explain(parse_rule(line), kind)


def _specs() -> st.SearchStrategy[RuleSpec]:
    metrics, counts = st.sampled_from(Metric), st.integers(1, BIGGEST)
    percents = st.decimals("0.000001", 100, places=6).map(lambda percent: Decimal(f"{percent.normalize():f}"))
    bodies = st.one_of(
        st.builds(RuleSpec, st.sampled_from([RuleKind.AVAILABILITY, RuleKind.TITLE, RuleKind.NEW])),
        st.builds(RuleSpec, st.just(RuleKind.CHANGE), metrics),
        metrics.map(lambda metric: RuleSpec(RuleKind.MILESTONES, metric, 1000 if "views" in metric else 10)),
        st.builds(RuleSpec, st.sampled_from([EVERY, REACH, RuleKind.RISE, RuleKind.FALL]), metrics, counts),
        st.builds(RuleSpec, st.sampled_from([RuleKind.RISE, RuleKind.FALL]), metrics, percent=percents),
        st.builds(RuleSpec, st.sampled_from(sorted(RATES)), metrics, counts, per=st.sampled_from(list(PER.values()))),
    )
    cooldowns = st.none() | st.integers(1, 36_500 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
    return st.builds(
        lambda body, once, silent, cooldown: RuleSpec(body.kind, body.metric, body.n, body.percent, body.per, once, silent, cooldown),
        bodies,
        st.booleans(),
        st.booleans(),
        cooldowns,
    )


@given(_specs())
def test_the_normal_text_says_all_of_a_rule(spec: RuleSpec) -> None:
    assert parse_rule(canonical(spec)) == spec
    for kind in TargetKind:
        assert explain(spec, kind).endswith(".")


WORDS = st.sampled_from(
    [
        *Metric,
        *RuleKind,
        "5k/h",
        "once",
        "silent",
        "cooldown",
        "1k",
        "2.5M",
        "5%",
        "%",
        "1h30m",
        "0",
        "1.5",
        "9" * 30,
        "total",
        "\x00",
        "İ",
    ]
)


@given(st.text() | st.lists(WORDS | st.text(max_size=4), max_size=7).map(" ".join))
def test_any_line_is_a_rule_or_a_fault(line: str) -> None:
    try:
        spec = parse_rule(line)
    except RuleError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert parse_rule(canonical(spec)) == spec
