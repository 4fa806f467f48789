"""What each refusal of YouTube means. The bodies are in the shapes that YouTube is known to use."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.youtube.faults import Act, YouTubeError, classify, malformed, unanswered


def body(status: int, reason: str | None, message: str = "No.", detail: dict[str, Any] | None = None) -> bytes:
    error: dict[str, Any] = {"code": status, "message": message}
    if reason:
        error["errors"] = [{"message": message, "domain": "global", "reason": reason}]
    if detail:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.Help", "links": []}, detail]
    return json.dumps({"error": error}).encode()


def quota(unit: str | None, limit: str | None = None) -> dict[str, Any]:
    return {"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_unit": unit, "quota_limit": limit}}


@pytest.mark.parametrize(
    ("status", "reason", "detail", "act"),
    [
        (403, "quotaExceeded", None, Act.CLOSE_BUCKET),
        (403, "dailyLimitExceeded", None, Act.CLOSE_BUCKET),
        (429, "rateLimitExceeded", quota("1/d/{project}"), Act.CLOSE_BUCKET),
        (429, "rateLimitExceeded", quota(None, "defaultPerDayPerProject"), Act.CLOSE_BUCKET),
        (429, "rateLimitExceeded", quota("1/min/{project}", "defaultPerMinutePerProject"), Act.BACK_OFF),
        (403, "quotaExceeded", quota("1/min/{project}"), Act.BACK_OFF),
        (429, "rateLimitExceeded", quota(None), Act.BACK_OFF),
        (429, "rateLimitExceeded", None, Act.BACK_OFF),
        (403, "userRateLimitExceeded", None, Act.BACK_OFF),
        (400, "badRequest", {"reason": "API_KEY_INVALID"}, Act.STOP),
        (400, "badRequest", {"reason": "API_KEY_INVALID", "metadata": []}, Act.STOP),
        (400, "keyInvalid", None, Act.STOP),
        (403, "dailyLimitExceededUnreg", None, Act.STOP),
        (403, "forbidden", None, Act.STOP),
        (403, "accessNotConfigured", {"reason": "SERVICE_DISABLED"}, Act.STOP),
        (403, "forbidden", {"reason": "API_KEY_SERVICE_BLOCKED"}, Act.STOP),
        (403, "forbidden", {"reason": "API_KEY_IP_ADDRESS_BLOCKED"}, Act.STOP),
        (403, "forbidden", {"reason": "API_KEY_HTTP_REFERRER_BLOCKED"}, Act.STOP),
        (401, "authError", None, Act.STOP),
        (401, None, {"reason": "CREDENTIALS_MISSING"}, Act.METHOD_ABSENT),
        (404, "playlistNotFound", None, Act.MARK_TARGET),
        (403, "playlistItemsNotAccessible", None, Act.MARK_TARGET),
        (403, "watchLaterNotAccessible", None, Act.MARK_TARGET),
        (400, "invalidPageToken", None, Act.RESTART_LISTING),
        (404, "notFound", None, Act.METHOD_ABSENT),
        (404, None, None, Act.METHOD_ABSENT),
        (405, None, None, Act.METHOD_ABSENT),
        (501, "notImplemented", None, Act.METHOD_ABSENT),
        (400, "invalidFilters", None, Act.OUR_BUG),
        (400, "unknownPart", None, Act.OUR_BUG),
        (400, None, None, Act.OUR_BUG),
        (403, "SERVICE_UNAVAILABLE", None, Act.BACK_OFF),
        (403, None, None, Act.BACK_OFF),
        (500, "backendError", None, Act.BACK_OFF),
        (503, None, None, Act.BACK_OFF),
        (302, None, None, Act.BACK_OFF),
    ],
)
def test_the_most_precise_statement_of_a_refusal_decides(status: int, reason: str | None, detail: dict[str, Any] | None, act: Act) -> None:
    assert classify(status, body(status, reason, detail=detail), {}).act is act


@pytest.mark.parametrize(
    "page",
    [
        b"",
        None,
        b"<!DOCTYPE html><title>Error</title>",
        b"[]",
        b"null",
        b'{"error": "no"}',
        b'{"error": {"errors": [1], "details": 2}}',
        b"[" * 9_999,
    ],
)
def test_a_body_that_is_no_google_error_leaves_the_status_to_decide(page: bytes | None) -> None:
    error = classify(502, page, {})
    assert (error.act, error.reason, str(error)) == (Act.BACK_OFF, "http502", "YouTube answered 502 (http502)")
    assert classify(404, page, {}).act is Act.METHOD_ABSENT


def test_an_html_page_is_never_quoted_for_it_may_show_the_address_that_was_asked() -> None:
    page = b"<p>The requested URL <code>/youtube/v3/videos:batchGetStats?key=AIzaCANARY</code> was not found on this server."
    assert "CANARY" not in str(classify(404, page, {}))


def test_a_message_is_told_without_its_markup_on_one_line_and_not_at_any_length() -> None:
    said = 'You have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>\n &amp; more.'
    assert (
        str(classify(403, body(403, "quotaExceeded", said), {}))
        == "YouTube answered 403 (quotaExceeded): You have exceeded your quota & more."
    )
    assert len(str(classify(403, body(403, "quotaExceeded", "x" * 5_000), {}))) < 350


def test_the_reason_is_the_most_precise_word_and_only_a_word() -> None:
    assert classify(400, body(400, "badRequest", detail={"reason": "API_KEY_INVALID"}), {}).reason == "API_KEY_INVALID"
    assert classify(400, body(400, "two words"), {}).reason == "http400"


def test_what_asking_again_cannot_change_is_permanent() -> None:
    permanent = {act for act in Act if YouTubeError("", act=act, reason="").permanent}
    assert permanent == {Act.STOP, Act.MARK_TARGET, Act.METHOD_ABSENT, Act.OUR_BUG}


DATE = "Tue, 24 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "120"}, timedelta(minutes=2)),
        ({"retry-after": "99999999999999999999"}, timedelta(days=1)),
        ({"retry-after": "Tue, 24 Nov 2026 10:01:30 GMT", "date": DATE}, timedelta(seconds=90)),
        ({"retry-after": "Tue, 24 Nov 2026 10:01:30 -0000", "date": DATE}, timedelta(seconds=90)),
        ({"retry-after": "Tue, 24 Nov 2026 09:00:00 GMT", "date": DATE}, timedelta(0)),
        ({"retry-after": "Tue, 24 Nov 2026 10:01:30 GMT"}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_honoured_in_seconds_or_as_a_date(headers: dict[str, str], pause: timedelta | None) -> None:
    assert classify(503, b"", headers).retry_after == pause


def test_no_answer_and_an_unreadable_one_are_asked_for_again_later() -> None:
    for error in (unanswered("timeout"), unanswered("network"), malformed("it is empty")):
        assert (error.act, error.permanent) == (Act.BACK_OFF, False)
    assert str(unanswered("timeout")) != str(unanswered("network"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "errors", "details", "reason", "message", "metadata", "quota_unit"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.integers(100, 599), JSON, st.text(max_size=30), st.text(max_size=30))
def test_any_answer_at_all_is_understood_somehow(status: int, parsed: Any, retry_after: str, date: str) -> None:
    error = classify(status, json.dumps({"error": parsed}).encode(), {"retry-after": retry_after, "date": date})
    assert isinstance(error.act, Act)
    assert error.reason


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_bytes_at_all_are_understood_somehow(status: int, raw: bytes) -> None:
    assert classify(status, raw, {}).reason == f"http{status}"


def test_a_retry_after_with_a_number_beyond_all_calendars_asks_for_no_pause() -> None:
    date = f"Mon, 05 Oct {'9' * 19} 17:00:00 GMT"
    assert classify(503, b"", {"retry-after": date, "date": date}).retry_after is None
