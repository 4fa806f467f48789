"""What doctor makes of a clock, a refusal, a wire form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ytwatcher.commands.checkup import State, clock_finding, key_finding, zone_finding
from ytwatcher.commands.keys import meaning
from ytwatcher.commands.wire import forms
from ytwatcher.youtube.client import Raw
from ytwatcher.youtube.faults import classify

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def refused(status: int, reason: str, detail: str | None = None) -> Raw:
    details = [{"reason": detail}] if detail else []
    body = {"error": {"code": status, "message": "No.", "errors": [{"reason": reason}], "details": details}}
    return Raw(status, {}, json.dumps(body).encode())


@pytest.mark.parametrize(("off", "state"), [(0, State.OK), (-4, State.OK), (60, State.WARNING), (-400, State.FAILED)])
def test_a_clock_that_is_off_is_noticed(off: int, state: State) -> None:
    date = format_datetime(NOW + timedelta(seconds=off), usegmt=True)
    assert clock_finding({"date": date}, NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)).state is state


@pytest.mark.parametrize("headers", [None, {}, {"date": "yesterday"}])
def test_a_clock_that_cannot_be_compared_is_only_a_warning(headers: dict[str, str] | None) -> None:
    assert clock_finding(headers, NOW, NOW).state is State.WARNING


def test_the_time_zone_database_is_there() -> None:
    assert zone_finding().state is State.OK


def test_a_spent_day_is_no_fault_of_the_key() -> None:
    assert key_finding(refused(403, "quotaExceeded")).state is State.WARNING


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (refused(400, "badRequest", "API_KEY_INVALID"), "does not know this key"),
        (refused(403, "accessNotConfigured"), "Enable it at"),
        (refused(403, "accessNotConfigured", "SERVICE_DISABLED"), "Enable it at"),
        (refused(403, "forbidden", "API_KEY_SERVICE_BLOCKED"), "other APIs"),
        (refused(403, "forbidden", "API_KEY_IP_ADDRESS_BLOCKED"), "IP addresses"),
        (refused(403, "forbidden", "API_KEY_HTTP_REFERRER_BLOCKED"), "web pages"),
        (refused(500, "backendError"), "backendError"),
    ],
)
def test_every_refusal_of_a_key_is_explained(raw: Raw, words: str) -> None:
    finding = key_finding(raw)
    assert finding.state is State.FAILED
    assert words in (finding.todo or "")
    assert words in meaning(classify(raw.status, raw.body, raw.headers))


def answer(*items: object, **more: object) -> Raw:
    return Raw(200, {}, json.dumps({"items": items, **more}).encode())


def test_wire_forms_are_named_as_they_are() -> None:
    stats = answer({"statistics": {"viewCount": 5, "likeCount": "3"}, "contentDetails": {"duration": "180s"}}, summary={})
    seen = forms(answer({"statistics": {"viewCount": "5"}}), {"stats": stats, "misshapen": refused(400, "badRequest")})
    assert seen["videos.list: counters are"] == "strings"
    assert seen["videos.batchGetStats: counters are"] == "numbers and strings"
    assert seen["videos.batchGetStats: summary"] == "there"
    assert seen["videos.batchGetStats: duration"] == 'duration = "180s"'
    assert seen["videos.batchGetStats: time of publication"] == "not in the answer"
    assert seen["videos.list: with a misshapen id"].startswith("HTTP 400")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items": 5}', b'{"items": [5, {"statistics": null}]}'])
def test_an_answer_of_no_known_form_is_shown_as_that(body: bytes) -> None:
    assert forms(Raw(200, {}, body), {"stats": Raw(404, {}, body)})["videos.batchGetStats: counters are"] == "not in the answer"
