"""The double of the YouTube Data API v3: five GET methods over a simulated world (docs/simulator.md)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import partial
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ytwatcher.simulator import control as control_of
from ytwatcher.simulator import google_errors as errors
from ytwatcher.simulator import resources, selection
from ytwatcher.simulator.connection import CutAnswer, pause
from ytwatcher.simulator.faults import Fault, Faults
from ytwatcher.simulator.google_errors import GoogleError
from ytwatcher.simulator.google_methods import METHODS, Found, Method, StatsForm, Thing
from ytwatcher.simulator.google_query import Query, page_token
from ytwatcher.simulator.resources import Json
from ytwatcher.simulator.world import Now, World

PACIFIC = ZoneInfo("America/Los_Angeles")
API_KEY = "SIMULATED-key"
"""The key that opens the double unless others are named; it opens nothing else."""

KINDS = frozenset(
    [
        "quotaExceeded",
        "quotaExceeded429",
        "rateLimit",
        "html502",
        "backend500",
        "backend503",
        "empty200",
        "noItems",
        "half",
        "missingLikes",
        "notFound404",
        "notImplemented501",
        "badRequest400",
        "badPageToken400",
        "keyInvalid",
        "serviceDisabled",
        "slow",
        "cut",
    ]
)
_BROKEN: dict[str, Callable[[], GoogleError]] = {
    "html502": lambda: GoogleError(502, errors.HTML_502),
    "backend500": errors.backend_500,
    "backend503": errors.backend_503,
    "badRequest400": errors.invalid_filters,
    "badPageToken400": errors.invalid_page_token,
}
_QUOTA_NAMES = {
    "default": ("default", "defaultPerDayPerProject"),
    "search": ("search_list", "defaultSearchListPerDayPerProject"),
    "upload": ("videos_insert", "defaultVideosInsertPerDayPerProject"),
    "batchGetStats": ("videos_batch_get_stats", "defaultVideosBatchGetStatsPerDayPerProject"),
}
"""Metric and limit of each bucket in the 429; those of the last two are not known and made up in the style of the others."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the double saw it, without the key. `units`: what it cost."""

    at: datetime
    method: str
    ids: tuple[str, ...]
    status: int
    units: int
    query: dict[str, str]
    fault: str | None = None


class YouTubeDouble:
    """The API, its quota and its faults.

    `bucket_limits` and `quota_forms` (403 or 429: how an empty bucket is told) are by bucket; `stats` is the form of videos.batchGetStats.

    Args:
        world: what is asked about.
        now: the present instant; the quota day of it is Pacific time's.
        api_keys: the keys that open it.
        control: mount /control/ for tests in another process.
    """

    def __init__(self, world: World, now: Now, *, api_keys: Collection[str] = (API_KEY,), control: bool = False) -> None:
        self.world = world
        self.now = now
        self.api_keys = frozenset(api_keys)
        self.calls: list[Call] = []
        self.bucket_limits = {"default": 10_000, "search": 100, "upload": 100, "batchGetStats": 10_000}
        self.quota_forms = {"default": 403, "search": 429, "upload": 403, "batchGetStats": 429}
        self.stats = StatsForm()
        self.faults = Faults(KINDS, frozenset(method.name for method in METHODS))
        self._spent: dict[tuple[date, str], int] = {}
        routes = [Route(f"/youtube/v3/{method.path}", partial(self._serve, method)) for method in METHODS]
        self.app = Starlette(routes=[*routes, *([control_of.youtube(self)] if control else [])])

    def used(self, bucket: str) -> int:
        """The units spent of a bucket in the present quota day."""
        return self._spent.get((self._day(), bucket), 0)

    def fail(
        self,
        method: str,
        kind: str,
        *,
        times: int | None = None,
        until: datetime | None = None,
        seconds: float = 1.0,
        form: str = "html",
    ) -> Fault:
        """Let calls of a method ("*": of all) fail: `times` times, until an instant, or until `clear`.

        Args:
            kind: one of `KINDS`.
            seconds: how long `slow` takes, in real seconds.
            form: "html" or "json", of `notFound404`.

        Raises:
            ValueError: no such kind or method.
        """
        fault = self.faults.add(method, kind, times, until)
        fault.seconds, fault.form = seconds, form
        return fault

    def clear(self) -> None:
        """Nothing fails any more."""
        self.faults.planned.clear()

    def _day(self) -> date:
        return self.now().astimezone(PACIFIC).date()

    async def _serve(self, method: Method, request: Request) -> Response:
        self.world.advance()
        await request.body()
        fault = self.faults.strike(method.name, self.now())
        before = self.used(method.bucket)
        try:
            response = self._respond(method, request, fault)
        except GoogleError as error:
            response = _error_response(error)
        query = {name: value for name, value in request.query_params.items() if name != "key"}
        ids = tuple(Query(request.query_params).listed("id"))
        units = self.used(method.bucket) - before
        kind = fault.kind if fault else None
        self.calls.append(Call(self.now(), method.name, ids, response.status_code, units, query, kind))
        if fault and fault.kind == "slow":
            await pause(fault.seconds, request.receive)
        return response

    def _respond(self, method: Method, request: Request, fault: Fault | None) -> Response:
        """Raises GoogleError for everything that is not a 200 or a 304."""
        if method.name == "videos.batchGetStats" and not self.stats.available:
            raise errors.method_absent("html")
        if fault and fault.kind == "notFound404":
            raise errors.method_absent(fault.form)
        if fault and fault.kind == "notImplemented501":
            raise errors.not_implemented()
        self._check_key(request, fault)
        self._spend(method, fault)
        query = Query(request.query_params)
        answer = self._answer(method, query, fault)
        wanted = selection.parse(query.one("fields")) if query.one("fields") else {}
        return _ok(request, selection.select(answer, wanted), answer["etag"], cut=fault is not None and fault.kind == "cut")

    def _check_key(self, request: Request, fault: Fault | None) -> None:
        key = request.headers.get("x-goog-api-key") or request.query_params.get("key")
        if not key:
            raise errors.no_key()
        if key not in self.api_keys or (fault and fault.kind == "keyInvalid"):
            raise errors.wrong_key()
        if fault and fault.kind == "serviceDisabled":
            raise errors.service_disabled()

    def _spend(self, method: Method, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        spent = self.used(method.bucket) >= self.bucket_limits[method.bucket]
        if kind == "quotaExceeded" or (spent and self.quota_forms[method.bucket] == 403):
            raise errors.quota_403()
        if kind == "quotaExceeded429" or spent:
            raise self._quota_429(method.bucket)
        if kind == "rateLimit":
            raise errors.quota_429("default", "defaultPerMinutePerProject", 1800, self.now().replace(second=0), "min")
        key = (self._day(), method.bucket)
        self._spent[key] = self._spent.get(key, 0) + 1
        if kind in _BROKEN:
            raise _BROKEN[kind]()

    def _quota_429(self, bucket: str) -> GoogleError:
        metric, limit = _QUOTA_NAMES[bucket]
        return errors.quota_429(metric, limit, self.bucket_limits[bucket], quota_day_start(self.now()))

    def _answer(self, method: Method, query: Query, fault: Fault | None) -> Json:
        query.known(method.others | set(method.filters) | {"part", "onBehalfOfContentOwner", "onBehalfOfContentOwnerChannel"})
        parts = query.parts(method.parts, method.owners_parts)
        found = method.find(self.world, query, query.filter(method.filters), self.stats)
        size, offset = query.max_results(method.least_results), query.offset(found.list_key or "")
        things = _faulty(found.things, fault)
        items = [thing.show(parts) for thing in (things if found.whole else things[offset : offset + size])]
        if found.list_key is None:
            self.world.rng.shuffle(items)
        if fault and fault.kind == "missingLikes":
            for item in items:
                item.get("statistics", {}).pop("likeCount", None)
        stats = method.name == "videos.batchGetStats"
        envelope = {"items": items, **self._summary(query.ids(), items)} if stats else _envelope(found, things, items, offset, size)
        if (not items and method.no_items_key) or (fault and fault.kind == "noItems"):
            del envelope["items"]
        tag = resources.etag([sorted(item["etag"] for item in items), len(things)])
        return {"kind": method.kind, "etag": tag, **envelope}

    def _summary(self, ids: list[str], items: list[Json]) -> Json:
        if not self.stats.summary:
            return {}
        failed = sorted(set(ids) - {item["id"] for item in items})
        counts = {"requestedVideoCount": len(ids), "succeededVideoCount": len(items), "failedVideoCount": len(failed)}
        return {"summary": {**{name: str(count) for name, count in counts.items()}, "failedVideoIds": failed}}


def quota_day_start(now: datetime) -> datetime:
    """The last midnight of Pacific time."""
    return datetime.combine(now.astimezone(PACIFIC).date(), time.min, PACIFIC)


def _faulty(things: list[Thing], fault: Fault | None) -> list[Thing]:
    """What is left of the things found: all, none, or a half that stays the same while the fault lasts."""
    if fault is None or fault.kind not in ("empty200", "noItems", "half"):
        return things
    if fault.kind != "half":
        return []
    ranked = sorted(things, key=lambda thing: zlib.crc32(f"{fault.serial}{thing.id}".encode()))
    lost = {thing.id for thing in ranked[: len(things) // 2]}
    return [thing for thing in things if thing.id not in lost]


def _envelope(found: Found, things: list[Thing], items: list[Json], offset: int, size: int) -> Json:
    """The items with what stands around them in every list answer."""
    end = offset + size
    tokens: Json = {}
    if not found.whole and end < len(things):
        tokens["nextPageToken"] = page_token(found.list_key or "", end)
    if not found.whole and offset > 0:
        tokens["prevPageToken"] = page_token(found.list_key or "", max(0, offset - size))
    per_page = len(items) if found.whole else size
    return {**tokens, "items": items, "pageInfo": {"totalResults": len(things), "resultsPerPage": per_page}}


def _ok(request: Request, answer: Json, tag: str, *, cut: bool) -> Response:
    quoted = f'"{tag}"'
    if request.headers.get("if-none-match") == quoted:
        return Response(status_code=304, headers={"ETag": quoted})
    pretty = request.query_params.get("prettyPrint", "true") != "false"
    body = json.dumps(answer, ensure_ascii=False, indent=2 if pretty else None).encode()
    headers = {"ETag": quoted, "Content-Type": "application/json; charset=UTF-8", "Vary": "Origin, X-Origin, Referer"}
    if "gzip" in request.headers.get("accept-encoding", "") and "gzip" in request.headers.get("user-agent", ""):
        body = gzip.compress(body, compresslevel=1)
        headers["Content-Encoding"] = "gzip"
    return (CutAnswer if cut else Response)(body, headers=headers)


def _error_response(error: GoogleError) -> Response:
    if isinstance(error.body, str):
        return Response(error.body, error.status, {"Content-Type": "text/html; charset=UTF-8"})
    return Response(json.dumps(error.body, indent=2), error.status, {"Content-Type": "application/json; charset=UTF-8"})
