"""Error answers as Google's servers give them, in the forms of docs/simulator.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Json = dict[str, Any]

HTML_502 = (
    "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Error 502 (Server Error)!!1</title>"
    "<p><b>502.</b> <ins>That’s an error.</ins><p>The server encountered a temporary error. <ins>That’s all we know.</ins></html>"
)
HTML_404 = (
    "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Error 404 (Not Found)!!1</title>"
    "<p><b>404.</b> <ins>That’s an error.</ins><p>The requested URL was not found on this server.</html>"
)


class GoogleError(Exception):
    """An error answer: its HTTP status and its body, JSON or an HTML page."""

    def __init__(self, status: int, body: Json | str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def google_error(
    status: int,
    message: str,
    reason: str,
    domain: str = "global",
    *,
    code: str | None = None,
    location: tuple[str, str] | None = None,
    details: list[Json] | None = None,
) -> GoogleError:
    """An error in the common JSON form.

    Args:
        code: the `status` word beside the number; the classic YouTube errors have none.
        location: what is wrong and its kind, e.g. ("pageToken", "parameter").
        details: google.rpc details.
    """
    one: Json = {"message": message, "domain": domain, "reason": reason}
    if location:
        one["location"], one["locationType"] = location
    error: Json = {"code": status, "message": message, "errors": [one]}
    if code:
        error["status"] = code
    if details:
        error["details"] = details
    return GoogleError(status, {"error": error})


def _info(reason: str, metadata: Mapping[str, str]) -> Json:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "youtube.googleapis.com", **metadata},
    }


def invalid_parameter(message: str, name: str) -> GoogleError:
    return google_error(400, message, "invalidParameter", location=(name, "parameter"))


def unknown_parameter(name: str) -> GoogleError:
    cannot = f"Cannot bind query parameter. Field '{name}' could not be found in request message."
    message = f'Invalid JSON payload received. Unknown name "{name}": {cannot}'
    return google_error(400, message, "badRequest", code="INVALID_ARGUMENT")


def missing_part() -> GoogleError:
    return google_error(400, "Required parameter: part", "required", location=("part", "parameter"))


def unknown_part(part: str) -> GoogleError:
    return google_error(400, part, "unknownPart", "youtube.part", location=("part", "parameter"))


def owners_part() -> GoogleError:
    message = "The request cannot access some of the requested parts without the authorization of the owner."
    return google_error(403, message, "forbidden", "youtube.common", location=("part", "parameter"))


def no_filter(filters: tuple[str, ...]) -> GoogleError:
    message = f"No filter selected. Expected one of: {', '.join(filters)}"
    return google_error(400, message, "missingRequiredParameter", "youtube.parameter", location=("parameters.", "other"))


def two_filters(names: list[str]) -> GoogleError:
    message = f"Incompatible parameters specified in the request: {', '.join(names)}"
    return google_error(400, message, "incompatibleParameters", "youtube.parameter", location=("parameters.", "other"))


def invalid_filters() -> GoogleError:
    message = "The request specifies an invalid filter parameter."
    return google_error(400, message, "invalidFilters", "youtube.parameter", location=("parameters.", "other"))


def invalid_page_token() -> GoogleError:
    message = "The request specifies an invalid page token."
    return google_error(400, message, "invalidPageToken", "youtube.parameter", location=("pageToken", "parameter"))


def needs_login() -> GoogleError:
    message = "The request uses a parameter that only an authorized user may use."
    return google_error(401, message, "authorizationRequired", "youtube.parameter", code="UNAUTHENTICATED")


def playlist_not_found() -> GoogleError:
    message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
    return google_error(404, message, "playlistNotFound", "youtube.playlistItem", location=("playlistId", "parameter"))


def items_not_accessible(reason: str = "playlistItemsNotAccessible") -> GoogleError:
    message = "The request is not properly authorized to retrieve the specified playlist's items."
    return google_error(403, message, reason, "youtube.playlistItem", location=("playlistId", "parameter"))


def no_key() -> GoogleError:
    message = (
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API."
    )
    return google_error(403, message, "forbidden", code="PERMISSION_DENIED")


def wrong_key() -> GoogleError:
    message = "API key not valid. Please pass a valid API key."
    local = {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}
    return google_error(400, message, "badRequest", code="INVALID_ARGUMENT", details=[_info("API_KEY_INVALID", {}), local])


def service_disabled() -> GoogleError:
    message = (
        "YouTube Data API v3 has not been used in project 000000000000 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/youtube.googleapis.com/overview?project=000000000000 then retry."
    )
    info = _info("SERVICE_DISABLED", {"consumer": "projects/000000000000"})
    return google_error(403, message, "accessNotConfigured", "usageLimits", code="PERMISSION_DENIED", details=[info])


def quota_403() -> GoogleError:
    message = 'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">quota</a>.'
    return google_error(403, message, "quotaExceeded", "youtube.quota")


def quota_429(metric: str, limit: str, value: int, since: datetime, unit: str = "d") -> GoogleError:
    """A spent quota in the newer form, of a day or (`unit` "min") of a minute: only the details tell which."""
    metadata = {
        "quota_location": "global",
        "window_start_time": str(int(since.timestamp())),
        "quota_limit": limit,
        "consumer": "projects/000000000000",
        "quota_unit": f"1/{unit}/{{project}}",
        "quota_metric": f"youtube.googleapis.com/{metric}",
        "quota_limit_value": str(value),
    }
    message = (
        f"Quota exceeded for quota metric '{metric}' and limit '{limit}' of service 'youtube.googleapis.com' "
        "for consumer 'project_number:000000000000'."
    )
    details = [_info("RATE_LIMIT_EXCEEDED", metadata)]
    return google_error(429, message, "rateLimitExceeded", code="RESOURCE_EXHAUSTED", details=details)


def backend_500() -> GoogleError:
    return google_error(500, "Internal error encountered.", "backendError", code="INTERNAL")


def backend_503() -> GoogleError:
    return google_error(503, "The service is currently unavailable.", "backendError", code="UNAVAILABLE")


def method_absent(form: str) -> GoogleError:
    """A method that is not there: an HTML page, or (`form` "json") the JSON error."""
    return google_error(404, "Method not found.", "notFound", code="NOT_FOUND") if form == "json" else GoogleError(404, HTML_404)


def not_implemented(message: str = "Operation is not implemented, or supported, or enabled.") -> GoogleError:
    return google_error(501, message, "notImplemented", code="UNIMPLEMENTED")
