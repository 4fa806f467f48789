"""Recorded files as people have them: good rows, bad rows, and files that are none."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ytwatcher import recorded
from ytwatcher.core.model import Absent, Lane, Metric, Reading
from ytwatcher.errors import InputError
from ytwatcher.recorded import Refused

V1 = "jNQXAC9IVRw"
HEAD = "video_id,observed_at,views,likes,comments"


def rows_of(path: Path, text: str, encoding: str = "utf-8") -> list[Reading | Refused]:
    path.write_bytes(text.encode(encoding))
    return list(recorded.read(path))


def only(rows: list[Reading | Refused]) -> Reading:
    assert len(rows) == 1
    assert isinstance(rows[0], Reading), rows[0]
    return rows[0]


def reason(tmp_path: Path, row: str, head: str = HEAD) -> str:
    (refused,) = rows_of(tmp_path / "r.csv", f"{head}\n{row}\n")
    assert isinstance(refused, Refused)
    return refused.reason


def test_a_csv_row_becomes_a_reading(tmp_path: Path) -> None:
    head = "video_id,observed_at,title,channel,channel_id,published_at,views,likes,comments,favorites,something_else"
    row = f'{V1},2026-01-31T13:00:00+01:00,"Sea, and\nsand",Quiet,UC4QobU6STFB0P71PMvOGN5A,2026-01-01T00:00:00Z,10,2,0,0,x'
    reading = only(rows_of(tmp_path / "r.csv", f"{head}\n{row}\n"))
    assert reading == Reading(
        reading.subject_id,
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        Lane.FILE,
        {Metric.VIEWS: 10, Metric.LIKES: 2, Metric.COMMENTS: 0, Metric.FAVORITES: 0},
        title="Sea, and\nsand",
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        channel_id="UC4QobU6STFB0P71PMvOGN5A",
        channel_title="Quiet",
    )


def test_an_empty_field_is_not_known_and_a_missing_column_likewise(tmp_path: Path) -> None:
    reading = only(rows_of(tmp_path / "r.csv", f"video_id,observed_at,views\n{V1},2026-01-31,\n"))
    assert dict(reading.values) == dict.fromkeys((Metric.VIEWS, Metric.LIKES, Metric.COMMENTS), Absent.NOT_RETURNED)
    assert (reading.title, reading.published_at, reading.channel_id) == (None, None, None)


@pytest.mark.parametrize(
    ("flag", "metric", "absent"),
    [
        ("ratings_disabled", Metric.LIKES, Absent.HIDDEN),
        ("likes_hidden", Metric.LIKES, Absent.HIDDEN),
        ("comments_disabled", Metric.COMMENTS, Absent.DISABLED),
    ],
)
@pytest.mark.parametrize("said", ["True", "true", "1", "yes"])
def test_a_count_with_its_flag_is_absent_whatever_the_file_says_of_it(
    tmp_path: Path, flag: str, metric: Metric, absent: Absent, said: str
) -> None:
    reading = only(rows_of(tmp_path / "r.csv", f"{HEAD},{flag}\n{V1},2026-01-31T00:00:00Z,10,0,0,{said}\n"))
    assert reading.values[metric] is absent


@pytest.mark.parametrize("said", ["False", "0", "no", ""])
def test_a_flag_that_is_off_leaves_the_count(tmp_path: Path, said: str) -> None:
    reading = only(rows_of(tmp_path / "r.csv", f"{HEAD},comments_disabled\n{V1},2026-01-31T00:00:00Z,10,0,7,{said}\n"))
    assert reading.values[Metric.COMMENTS] == 7


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("#NAME?,2026-01-31T00:00:00Z,1,1,1", "video_id '#NAME?' is not the id of a video"),
        (",2026-01-31T00:00:00Z,1,1,1", "video_id '' is not"),
        (f"{V1},,1,1,1", "observed_at is empty"),
        (f"{V1}", "observed_at is empty"),
        (f"{V1},yesterday,1,1,1", "observed_at 'yesterday' is not a time"),
        (f"{V1},0001-01-01T00:00:00+23:00,1,1,1", "is not a time"),
        (f"{V1},2026-01-31T00:00:00Z,1.5,1,1", "views '1.5' is not a whole number"),
        (f"{V1},2026-01-31T00:00:00Z,-1,1,1", "views '-1' is not"),
        (f"{V1},2026-01-31T00:00:00Z,1,٣,1", "likes"),
        (f"{V1},2026-01-31T00:00:00Z,1,1,9223372036854775808", "comments"),
    ],
)
def test_a_row_that_is_no_reading_is_refused_by_name(tmp_path: Path, row: str, named: str) -> None:
    assert named in reason(tmp_path, row)


def test_a_row_with_more_fields_than_columns_is_refused_and_empty_ones_do_no_harm(tmp_path: Path) -> None:
    assert "more fields than the first line has columns" in reason(tmp_path, f"{V1},2026-01-31T13:00:00Z,1,204,500,7")
    assert only(rows_of(tmp_path / "r.csv", f"{HEAD}\n{V1},2026-01-31T13:00:00Z,1,2,3,, \n")).values[Metric.COMMENTS] == 3


def test_a_flag_that_is_neither_is_refused(tmp_path: Path) -> None:
    assert "neither true nor false" in reason(tmp_path, f"{V1},2026-01-31T00:00:00Z,1,1,1,maybe", f"{HEAD},likes_hidden")


def test_bad_rows_stand_between_good_ones_with_their_numbers(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "r.csv", f"{HEAD}\n{V1},2026-01-31T00:00:00Z,1,1,1\nnonsense\n{V1},2026-02-01T00:00:00Z,2,1,1\n")
    assert [row.row if isinstance(row, Refused) else row.values[Metric.VIEWS] for row in rows] == [1, 3, 2]


@pytest.mark.parametrize("text", [f"\ufeff{HEAD}\n{V1},2026-01-31T00:00:00Z,1,2,3\n", f"{HEAD}\r\n{V1},2026-01-31T00:00:00Z,1,2,3\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path, text: str) -> None:
    assert only(rows_of(tmp_path / "r.csv", text)).values[Metric.COMMENTS] == 3


def test_json_lines_hold_the_same_and_one_bad_line_is_refused_alone(tmp_path: Path) -> None:
    good = {"video_id": V1, "observed_at": "2026-01-31T00:00:00Z", "views": 5, "likes_hidden": True, "title": "A"}
    lines = [json.dumps(good), "", "{broken", "[1]", json.dumps({**good, "views": True}), "[" * 5000]
    rows = rows_of(tmp_path / "r.jsonl", "\n".join(lines))
    first = rows[0]
    assert isinstance(first, Reading)
    assert (first.values[Metric.VIEWS], first.values[Metric.LIKES]) == (5, Absent.HIDDEN)
    assert [row for row in rows[1:] if not isinstance(row, Refused)] == []
    assert [row.row for row in rows[1:] if isinstance(row, Refused)] == [3, 4, 5, 6]


@pytest.mark.parametrize("name", ["r.csv.gz", "r.jsonl.gz"])
def test_gzipped_files_are_read_by_their_name(tmp_path: Path, name: str) -> None:
    csv_text = f"{HEAD}\n{V1},2026-01-31T00:00:00Z,1,2,3\n"
    json_text = json.dumps({"video_id": V1, "observed_at": "2026-01-31T00:00:00Z", "views": 1})
    path = tmp_path / name
    path.write_bytes(gzip.compress((json_text if "jsonl" in name else csv_text).encode()))
    assert only(list(recorded.read(path))).values[Metric.VIEWS] == 1


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("r.csv", b"", "has no column video_id and observed_at"),
        ("r.csv", b"id,when\n1,2\n", "has no column video_id and observed_at"),
        ("r.csv", b"video_id,when\n1,2\n", "has no column observed_at"),
        ("r.csv", f"{HEAD}\n{V1},2026-01-31,1,\xe9".encode("latin-1"), "is not UTF-8 text"),
        ("r.csv", f'{HEAD}\n{V1},2026-01-31,"{"x" * 200_000}",1,1\n'.encode(), "is not a CSV file"),
        ("r.csv.gz", b"video_id,observed_at\n", "cannot be read"),
        ("r.csv.gz", gzip.compress(HEAD.encode() * 100)[:30], "cannot be read"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, name: str, content: bytes, named: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=named):
        list(recorded.read(path))


def test_a_directory_and_a_missing_file_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(InputError, match="cannot be read"):
            list(recorded.read(path))


def test_half_of_a_character_in_a_title_can_be_stored(tmp_path: Path) -> None:
    row = f'{{"video_id": "{V1}", "observed_at": "2026-01-31T12:00:00Z", "title": "cut off \\ud83d"}}\n'
    assert only(rows_of(tmp_path / "r.jsonl", row)).title == "cut off ?"
