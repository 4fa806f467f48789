"""Which schema a reading is written with, and what the registry's schemas must not differ in."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.streaming import names, schemas
from ytwatcher.streaming.codec import COUNTS, is_narrow

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "VIDEO_TIMESTAMP": st.just("2026-10-01T12:00:00Z"),
    "TITLE": st.text(),
    "DESCRIPTION": st.text(),
    **{count: st.one_of(st.integers(0, 2**33), st.integers(2**63 - 2, 2**63 - 1), st.integers(2**31 - 2, 2**31)) for count in COUNTS},
    "OBSERVED_AT": st.integers(0, 2**41),
    "CHANNEL_ID": st.text(),
    "CHANNEL_TITLE": st.text(),
    **{f"PEAK_{count}": st.integers(0, 2**63 - 1) for count in COUNTS},
}
RECORDS = st.fixed_dictionaries({name: st.none() | values for name, values in FIELDS.items()})


@given(RECORDS)
def test_every_reading_fits_the_schema_that_is_chosen_for_it(record: dict[str, Any]) -> None:
    name = "reading-narrow" if is_narrow(record) else "reading-wide"
    assert is_narrow(record) == all(record[count] is None or record[count] < 2**31 for count in COUNTS)
    schema = json.loads(schemas.text(name))
    assert [field["name"] for field in schema["fields"]] == list(FIELDS)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record, strict=True)
    stream.seek(0)
    wide = fastavro.parse_schema(json.loads(schemas.text("reading-wide")))
    read = fastavro.schemaless_reader(stream, schema, wide)
    assert isinstance(read, dict)
    assert {name: read[name] for name in FIELDS if name != "OBSERVED_AT"} == {n: v for n, v in record.items() if n != "OBSERVED_AT"}


def test_names_carry_the_prefix() -> None:
    assert names.topics().videos == "yt_videos"
    assert names.topics("test_").outbound == "test_telegram_outbound"
    assert names.subject("test_yt_rules") == "test_yt_rules-value"


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "namespace": "n", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}


@pytest.mark.parametrize(
    ("theirs", "ours", "found"),
    [
        (record(A="int"), record(A=["null", "long"], B="string"), []),
        (record(A="long", C="string"), record(A="long"), []),
        (record(A=["null", "long"]), record(A=["null", "int"]), ["A is null or long there, null or int here"]),
        (record(A="string", B="int"), record(A="long", B="string"), ["A is string there, long here", "B is int there, string here"]),
        ("string", record(A="int"), ["it is string there, a record here"]),
        ({**record(A="int"), "name": "Other"}, record(A="int"), ["the record is called n.Other there, n.R here"]),
        (record(A={"type": "array", "items": "int"}), record(A={"type": "array", "items": "long"}), []),
        (
            record(A={"type": "array", "items": "int"}),
            record(A={"type": "array", "items": "string"}),
            ["A is array of int there, array of string here"],
        ),
        (record(A=record(B="int")), record(A=record(B="long")), []),
        (record(A=record(B="long")), record(A=record(B="int")), ["A is record there, record here"]),
    ],
)
def test_differences_are_named_field_by_field(theirs: Any, ours: dict[str, Any], found: list[str]) -> None:
    assert list(schemas.differences(theirs, ours)) == found


def test_the_schemas_of_a_subject_can_follow_each_other() -> None:
    narrow, wide = json.loads(schemas.text("reading-narrow")), json.loads(schemas.text("reading-wide"))
    assert not list(schemas.differences(narrow, wide))
    assert list(schemas.differences(wide, narrow))
    assert not list(schemas.differences(json.loads(schemas.text("changes-tutorial")), json.loads(schemas.text("changes"))))
