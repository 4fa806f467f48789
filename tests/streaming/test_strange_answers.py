"""What an engine's server or a broker answers that is neither what was asked for nor an outage: it is said as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from confluent_kafka import KafkaError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.simulator import serve
from ytwatcher.streaming import lag
from ytwatcher.streaming.engines.flink import Flink
from ytwatcher.streaming.engines.plan import Deployment
from ytwatcher.streaming.engines.rest import Rest
from ytwatcher.streaming.strangers import explained

ELECTION = "Service temporarily unavailable due to an ongoing leader election. Please refresh."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: JSONResponse({"errors": [ELECTION]}, 503), f"Flink does not list its jobs: {ELECTION}"),
        (lambda: HTMLResponse("<html>Bad Gateway</html>", 502), "Flink does not answer at {url} (HTTP 502)"),
        (lambda: JSONResponse({"detail": "what?"}, 404), "what answers at {url} is not Flink (HTTP 404, other JSON); look at flink_url"),
    ],
)
def test_a_server_that_begins_is_not_taken_for_another_one(answer: Callable[[], Response], said: str) -> None:
    async def respond(_: Request) -> Response:
        return answer()

    async def go() -> None:
        app = Starlette(routes=[Route("/{path:path}", respond)])
        async with serve(app) as url, Rest("Flink", url, setting="flink_url") as rest:
            with pytest.raises(OutsideError) as caught:
                await Flink(rest, rest, Deployment()).status()
            assert str(caught.value) == said.format(url=url)

    asyncio.run(go())


class Refusing:
    """A consumer that may not read what it is asked for."""

    def __init__(self, _: dict[str, Any]) -> None: ...

    def assign(self, _: object) -> None: ...

    def poll(self, _: float) -> Refusing:
        return self

    def error(self) -> KafkaError:
        return KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed")

    def topic(self) -> str:
        return "yt_videos"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def close(self) -> None: ...


def test_a_fault_is_told_as_it_is_where_we_may_not_read_what_it_may_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "admin_client", lambda *_: nullcontext())
    monkeypatch.setattr(lag, "_span", lambda *_: ({("yt_videos", 0): 0}, {("yt_videos", 0): 5}))
    monkeypatch.setattr(lag, "Consumer", Refusing)
    nowhere = "http://127.0.0.1:9"
    settings = Streaming(bootstrap="127.0.0.1:9", registry_url=nowhere, engine="flink", flink_url=nowhere, flink_gateway_url=nowhere)
    assert explained(settings, "the job failed") == "the job failed"
