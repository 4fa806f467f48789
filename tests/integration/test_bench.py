"""Each benchmark runs, at a tiny size and without looking at the clock, so that none of them rots."""

from __future__ import annotations

from pathlib import Path

from bench import accept, bot, detection, fanout, memory, planner, response, sending, size, web
from bench.figures import Figure, Figures, replaced, section


def test_accepting_is_measured_beside_its_ceiling(tmp_path: Path) -> None:
    figures = accept.run(tmp_path, videos=20, many=30, read=20, rounds=1)
    assert [row.what for row in figures.rows][::2] == [
        "accept, 20 known videos: readings/s",
        "accept, 30 known videos: readings/s",
        "the naive SQLite loop: readings/s",
    ]


def test_a_video_of_many_chats_is_measured(tmp_path: Path) -> None:
    assert len(fanout.run(tmp_path, chats=20, seconds=1, rounds=2).rows) == 3


def test_the_way_from_an_answer_to_telegram_is_measured(tmp_path: Path) -> None:
    assert len(response.run(tmp_path, chats=50, alerts_a_second=20, seconds=0.5).rows) == 2


def test_sending_is_measured(tmp_path: Path) -> None:
    assert sending.run(tmp_path, seconds=1).rows[1].measured == "0"


def test_memory_and_start_are_measured(tmp_path: Path) -> None:
    assert len(memory.run(tmp_path, starts=1, idle=0, days=0.02, seconds=3).rows) == 4


def test_the_size_of_a_year_is_measured(tmp_path: Path) -> None:
    assert len(size.run(tmp_path, videos=2, days=2).rows) == 4


def test_plans_are_measured(tmp_path: Path) -> None:
    assert len(planner.run(tmp_path, videos=120, repeats=1).rows) == 3


def test_the_delay_of_detection_is_measured(tmp_path: Path) -> None:
    assert len(detection.run(tmp_path, sizes=(20,), days=2, counts=20).rows) == 2


def test_the_plan_reads_milestones_far_sooner_than_uniform_reading() -> None:
    found = detection.milestones(60, 2)
    assert found["plan"].median * 2 < found["uniform"].median
    assert found["clairvoyant"].p95 < 10


def test_the_plan_of_plain_changes_is_near_the_square_root_law() -> None:
    mean, least = detection.changes(100, 2)
    assert least <= mean < 1.2 * least


def test_the_pages_are_measured(tmp_path: Path) -> None:
    assert len(web.run(tmp_path, videos=3, readings=50, listeners=3, rounds=1, idle=0, starts=1).rows) == 9


def test_the_bot_is_measured(tmp_path: Path) -> None:
    rows = bot.run(tmp_path, chats=5, commands_a_second=5, alerts_a_second=2, seconds=1, idle=2).rows
    assert rows[2].measured == "5 of 5"


def test_a_new_section_takes_the_place_of_its_older_self_and_leaves_the_others() -> None:
    def text(name: str, measured: str) -> str:
        return section(name, Figures("A title", "How.", [Figure("x", measured)]), "a machine")

    page = replaced("# Benchmarks\n", {"b": text("b", "1"), "a": text("a", "2")}, ["a", "b"])
    assert page.index("bench a`") < page.index("bench b`")
    again = replaced(page, {"b": text("b", "3")}, ["a", "b"])
    assert again == page.replace("| x | 1 |", "| x | 3 |")
