"""What a refusal of YouTube means. Pure: a status, a body and headers become one `YouTubeError` that says what to do.

Google's `reason` alone misleads: an exhausted day may arrive as 429 `rateLimitExceeded` exactly like a short burst, and a
wrong key as `badRequest`. So the most precise statement is looked at first: the quota's unit, the detailed reason, the
plain reason, the status.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from ytwatcher.core.phrases import Phrase
from ytwatcher.errors import OutsideError

MAX_PAUSE = timedelta(days=1)
_TEXT_LIMIT = 300
_WORD = re.compile(r"[A-Za-z0-9_.]{1,64}")


class Act(StrEnum):
    """What the caller has to do about a fault."""

    CLOSE_BUCKET = "close the bucket until midnight Pacific time"
    STOP = "stop: the operator has to see to the key or the project"
    MARK_TARGET = "mark the target: it cannot be read"
    RESTART_LISTING = "restart the listing from its first page"
    METHOD_ABSENT = "do without the method: this service does not have it"
    BACK_OFF = "ask again later"
    OUR_BUG = "do not repeat the request: it is wrong"


_PERMANENT = frozenset({Act.STOP, Act.MARK_TARGET, Act.METHOD_ABSENT, Act.OUR_BUG})

_BY_DETAIL = {
    "API_KEY_INVALID": Act.STOP,
    "API_KEY_EXPIRED": Act.STOP,
    "API_KEY_SERVICE_BLOCKED": Act.STOP,
    "API_KEY_IP_ADDRESS_BLOCKED": Act.STOP,
    "API_KEY_HTTP_REFERRER_BLOCKED": Act.STOP,
    "API_KEY_ANDROID_APP_BLOCKED": Act.STOP,
    "API_KEY_IOS_APP_BLOCKED": Act.STOP,
    "SERVICE_DISABLED": Act.STOP,
    "CONSUMER_INVALID": Act.STOP,
    "CONSUMER_SUSPENDED": Act.STOP,
    "BILLING_DISABLED": Act.STOP,
    "RATE_LIMIT_EXCEEDED": Act.BACK_OFF,
    # A method that takes no API keys at all says this; to us it is as good as not there.
    "CREDENTIALS_MISSING": Act.METHOD_ABSENT,
}

_BY_REASON = {
    "quotaExceeded": Act.CLOSE_BUCKET,
    "dailyLimitExceeded": Act.CLOSE_BUCKET,
    "dailyLimitExceededUnreg": Act.STOP,
    "keyInvalid": Act.STOP,
    "keyExpired": Act.STOP,
    "accessNotConfigured": Act.STOP,
    "ipRefererBlocked": Act.STOP,
    "forbidden": Act.STOP,
    "playlistNotFound": Act.MARK_TARGET,
    "playlistForbidden": Act.MARK_TARGET,
    "playlistItemsNotAccessible": Act.MARK_TARGET,
    "playlistOperationUnsupported": Act.MARK_TARGET,
    "watchHistoryNotAccessible": Act.MARK_TARGET,
    "watchLaterNotAccessible": Act.MARK_TARGET,
    "channelNotFound": Act.MARK_TARGET,
    "channelForbidden": Act.MARK_TARGET,
    "channelClosed": Act.MARK_TARGET,
    "channelSuspended": Act.MARK_TARGET,
    "videoNotFound": Act.MARK_TARGET,
    "commentsDisabled": Act.MARK_TARGET,
    "invalidPageToken": Act.RESTART_LISTING,
    "rateLimitExceeded": Act.BACK_OFF,
    "userRateLimitExceeded": Act.BACK_OFF,
    "servingLimitExceeded": Act.BACK_OFF,
    "backendError": Act.BACK_OFF,
    "internalError": Act.BACK_OFF,
}

_BY_STATUS = {400: Act.OUR_BUG, 401: Act.STOP, 404: Act.METHOD_ABSENT, 405: Act.METHOD_ABSENT, 501: Act.METHOD_ABSENT}


class YouTubeError(OutsideError):
    """YouTube did not answer what was asked. `act` says what to do, `reason` is Google's word for it (or ours).

    Its text never holds a key or an address that was asked.
    """

    def __init__(self, message: str, *, act: Act, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message, reason=reason, permanent=act in _PERMANENT, retry_after=retry_after)
        self.act = act


def malformed(what: str) -> YouTubeError:
    """A 200 whose body is not the answer that was asked for."""
    return YouTubeError(Phrase("YouTube's answer could not be read: {what}", what=what), act=Act.BACK_OFF, reason="malformed")


def unanswered(reason: str) -> YouTubeError:
    """No answer at all; `reason` is `timeout` or `network`."""
    late, broken = Phrase("YouTube did not answer in time"), Phrase("YouTube could not be reached, or the connection broke off")
    return YouTubeError(late if reason == "timeout" else broken, act=Act.BACK_OFF, reason=reason)


def classify(status: int, body: bytes | None, headers: Mapping[str, str]) -> YouTubeError:
    """The error that a response other than a 200 stands for; `headers` with names in lower case."""
    error = _error_object(body)
    units = [unit for detail in _objects(error, "details") for unit in _quota_units(detail)]
    details = [word for detail in _objects(error, "details") for word in _words(detail.get("reason"))]
    reasons = [word for entry in _objects(error, "errors") for word in _words(entry.get("reason"))]
    act = (
        _by_quota_unit(units)
        or next((_BY_DETAIL[word] for word in details if word in _BY_DETAIL), None)
        or next((_BY_REASON[word] for word in reasons if word in _BY_REASON), None)
        or _BY_STATUS.get(status, Act.BACK_OFF)
    )
    reason = next(iter([*details, *reasons]), f"http{status}")
    said = _clean(error.get("message"))
    text = Phrase("YouTube answered {status} ({reason})", status=str(status), reason=reason)
    if said:
        text = Phrase("{answered}: {said}", answered=text, said=said)
    return YouTubeError(text, act=act, reason=reason, retry_after=_retry_after(headers))


def _by_quota_unit(units: list[str]) -> Act | None:
    if not units:
        return None
    return Act.CLOSE_BUCKET if any(unit.startswith("1/d") or "PerDay" in unit for unit in units) else Act.BACK_OFF


def _quota_units(detail: Mapping[str, object]) -> Iterator[str]:
    metadata = detail.get("metadata")
    if isinstance(metadata, dict):
        for key in ("quota_unit", "quota_limit"):
            if isinstance(metadata.get(key), str):
                yield metadata[key]


def _error_object(body: bytes | None) -> Mapping[str, object]:
    """The `error` of a Google error body; empty where the body is a page of HTML or anything else."""
    try:
        parsed = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _objects(error: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    entries = error.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _words(raw: object) -> Iterator[str]:
    if isinstance(raw, str) and _WORD.fullmatch(raw):
        yield raw


def _clean(message: object) -> str:
    """Google's message without its markup, on one line, of bounded length, and such that it can be stored."""
    if not isinstance(message, str):
        return ""
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", "", message)).split()).encode("utf-8", "replace").decode()
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """`Retry-After` in seconds, or as a date relative to the response's own `Date`: our clock may be wrong, theirs is not."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), MAX_PAUSE)
    until, sent = _http_date(value), _http_date(headers.get("date", ""))
    if until is None or sent is None:
        return None
    return min(max(until - sent, timedelta(0)), MAX_PAUSE)


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
