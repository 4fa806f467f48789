"""A control interface over HTTP, for tests in another process: the same switches that a test in this one uses directly.

JSON in, JSON out; 400 with the reason for what makes no sense. docs/simulator.md lists the paths.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from ytwatcher.core.model import ChannelId, VideoId

if TYPE_CHECKING:
    from ytwatcher.simulator.telegram import TelegramDouble
    from ytwatcher.simulator.youtube import YouTubeDouble

Json = dict[str, Any]
Action = Callable[[Request, Json], Any]
_TIMES = frozenset({"until", "at", "published_at", "scheduled_start_at", "actual_start_at", "actual_end_at"})


def youtube(double: YouTubeDouble) -> Mount:
    """The control interface of the YouTube double."""
    world = double.world

    def add_video(request: Request, body: Json) -> Any:
        return world.add_video(request.path_params["id"], **body)

    def set_video(request: Request, body: Json) -> Any:
        return _set(world.videos[VideoId(request.path_params["id"])], body)

    def add_channel(request: Request, body: Json) -> Any:
        return world.add_channel(request.path_params["id"], **body)

    def set_channel(request: Request, body: Json) -> Any:
        return _set(world.channels[ChannelId(request.path_params["id"])], body)

    def add_playlist(request: Request, body: Json) -> Any:
        return world.add_playlist(request.path_params["id"], **body).entries

    def add_entry(request: Request, body: Json) -> Any:
        return world.playlists[request.path_params["id"]].add(**body)

    return Mount(
        "/control",
        routes=[
            _route("/videos/{id}", "PUT", add_video),
            _route("/videos/{id}", "PATCH", set_video),
            _route("/channels/{id}", "PUT", add_channel),
            _route("/channels/{id}", "PATCH", set_channel),
            _route("/playlists/{id}", "PUT", add_playlist),
            _route("/playlists/{id}/entries", "POST", add_entry),
            _route("/faults", "POST", lambda _, body: double.fail(**body)),
            _route("/faults", "DELETE", lambda _, __: double.clear()),
            _route("/limits", "PATCH", lambda _, body: double.bucket_limits.update(body)),
            _route("/used", "GET", lambda _, __: {bucket: double.used(bucket) for bucket in double.bucket_limits}),
            _route("/calls", "GET", lambda _, __: double.calls),
        ],
    )


def telegram(double: TelegramDouble) -> Mount:
    """The control interface of the Telegram double."""
    events: dict[str, Callable[..., Any]] = {
        "block": double.block,
        "unblock": double.unblock,
        "kick": double.kick,
        "deactivate": double.deactivate,
        "migrate": double.migrate,
        "close_topic": double.close_topic,
        "delete_topic": double.delete_topic,
        "revoke_rights": double.revoke_rights,
        "grant_rights": double.grant_rights,
        "user_writes": double.user_writes,
    }

    def add_chat(request: Request, body: Json) -> Any:
        topics = {int(thread): name for thread, name in body.pop("topics", {}).items()}
        return double.add_chat(int(request.path_params["id"]), topics=topics, **body)

    def happen(request: Request, body: Json) -> Any:
        return events[request.path_params["event"]](int(request.path_params["id"]), **body)

    return Mount(
        "/control",
        routes=[
            _route("/chats/{id}", "PUT", add_chat),
            _route("/chats/{id}/{event}", "POST", happen),
            _route("/updates", "POST", lambda _, body: double.push(body)),
            _route("/faults", "POST", lambda _, body: double.fail(**body)),
            _route("/faults", "DELETE", lambda _, __: double.clear()),
            _route("/lose_answers", "POST", lambda _, body: double.lose_answers(**body)),
            _route("/messages", "GET", lambda _, __: double.messages),
            _route("/violations", "GET", lambda _, __: double.violations),
            _route("/calls", "GET", lambda _, __: double.calls),
        ],
    )


def _route(path: str, method: str, action: Action) -> Route:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            result = action(request, _read(body))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse(_plain(result))

    return Route(path, endpoint, methods=[method])


def _read(body: bytes) -> Json:
    values: Json = json.loads(body) if body else {}
    return {name: datetime.fromisoformat(value) if name in _TIMES and value else value for name, value in values.items()}


def _set(thing: Any, values: Json) -> Any:
    for name, value in values.items():
        getattr(thing, name)  # an unknown name is an error, not a new attribute
        setattr(thing, name, value)
    return thing


def _plain(value: Any) -> Any:
    """A value as JSON has it: dataclasses as objects, times as ISO texts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value
