"""The chart's specification: what stands in it, and what thinning keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.charts import DARK, Chart, Mark, MarkKind, Point, Series, human, rates, specification, thin
from ytwatcher.telegram.texts import Texts

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
values = st.none() | st.integers(0, 10**12)


def points(*values: float | None) -> list[Point]:
    return [Point(START + timedelta(minutes=5 * index), value) for index, value in enumerate(values)]


def chart(**more: object) -> Chart:
    given: dict[str, object] = {"title": "A boat", "metric": "views", "series": [Series("A boat", points(1, None, 3))], **more}
    return Chart(**given)  # type: ignore[arg-type]  # each test names the fields it is about


def test_readings_are_its_data_and_an_unknown_value_stays_unknown() -> None:
    lines = specification(chart())["layer"][0]
    assert [row["value"] for row in lines["data"]["values"]] == [1, None, 3]
    assert lines["data"]["values"][0] == {"at": "2026-11-24T10:00:00.000Z", "value": 1, "series": "A boat"}
    assert lines["encoding"]["color"]["legend"] is None, "one line needs no legend"


def test_times_are_those_of_the_given_zone() -> None:
    lines = specification(chart(zone=ZoneInfo("Asia/Tokyo")))["layer"][0]
    assert lines["data"]["values"][0]["at"] == "2026-11-24T19:00:00.000Z"
    assert lines["encoding"]["x"]["scale"] == {"type": "utc"}


def test_the_threshold_is_a_line_with_its_number_and_a_mark_has_its_word() -> None:
    marks = [Mark(START, MarkKind.BREAK, "recounted"), Mark(START, MarkKind.ALERT, "passed 1,000,000 views for the first time")]
    made = specification(chart(threshold=1_000_000, marks=marks), DARK)
    assert made["layer"][1]["data"]["values"] == [{"value": 1_000_000, "text": "1,000,000"}]
    assert [row["text"] for row in made["layer"][3]["data"]["values"]] == ["recounted", "passed 1,000,000 views…"]
    assert made["background"] == DARK.background
    json.dumps(made)


def test_several_series_have_a_legend_and_long_titles_are_cut() -> None:
    made = specification(chart(title="x" * 100, series=[Series("a", points(1)), Series("b", points(2))]))
    assert made["layer"][0]["encoding"]["color"]["legend"]["orient"] == "bottom"
    assert len(made["title"]["text"]) == 60


def test_rates_are_growth_per_hour_and_unknown_across_a_fall_or_a_gap() -> None:
    assert [point.value for point in rates(points(100, 200, 150, None, 10, 20))] == [1200, None, None, None, 120]
    assert rates(points(1)) == []


@given(st.lists(values, max_size=400), st.integers(8, 100))
def test_thinning_keeps_ends_extremes_and_gaps(given_values: list[int | None], most: int) -> None:
    all_points = points(*given_values)
    kept = thin(all_points, most)
    assert kept == sorted(set(kept), key=lambda point: point.at), "in order, each once"
    assert len(kept) <= max(most * 5 // 4 + 5, 0)
    known = [value for value in given_values if value is not None]
    if all_points:
        assert (kept[0], kept[-1]) == (all_points[0], all_points[-1])
        assert any(point.value is None for point in kept) == (None in given_values)
    if known:
        left = [point.value for point in kept if point.value is not None]
        assert (min(left), max(left)) == (min(known), max(known))


def test_numbers_and_months_are_written_as_the_language_does() -> None:
    spoken = Texts().spoken("de")
    made = specification(chart(threshold=12_500, language="de", speak=spoken))
    axes = [made["layer"][0]["encoding"][axis]["axis"]["labelExpr"] for axis in "xy"]
    assert "'%-d. %b'" in axes[0] and "' Tsd.'" in axes[1] and "' Mrd.'" in axes[1]
    assert made["layer"][1]["data"]["values"][0]["text"] == "12.500"
    assert made["config"]["locale"]["number"] == {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", ""]}
    assert made["config"]["locale"]["time"]["shortMonths"][9] == "Okt"
    assert "locale" not in specification(chart())["config"]
    assert (spoken(human(1_234_567)), human(1_234_567), human(999), spoken(human(500_000))) == ("1,235 Mio.", "1.235M", "999", "500 Tsd.")
