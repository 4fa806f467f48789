"""One JSON call to an engine's server, its faults put into one sentence."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from ytwatcher.errors import OutsideError
from ytwatcher.tls import trusted

NOT_FOUND = 404
_NOT_NOW = (502, 503, 504)
TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class Answer(NamedTuple):
    """`body` is the document, or the text where the answer was none."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Rest:
    """A server's REST interface; `name` is what people call it, `setting` holds its address. Use it as an async context manager."""

    def __init__(
        self, name: str, base_url: str, auth: tuple[str, str] | None = None, media_type: str = "application/json", *, setting: str
    ) -> None:
        self.name, self.setting = name, setting
        self._media_type = media_type
        self._base = base_url.rstrip("/")
        headers = {"Accept": media_type, "User-Agent": "ytwatcher"}
        self._client = httpx.AsyncClient(timeout=TIMEOUT, auth=auth, headers=headers, verify=trusted())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.aclose()

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        """
        Raises:
            OutsideError: `unreachable`: there was no answer; `not authorised`.
        """
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {} if content is None else {"Content-Type": self._media_type}
        try:
            response = await self._client.request(method, self._base + path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise OutsideError(f"{self.name} does not answer at {self._base} ({type(error).__name__})", reason="unreachable") from None
        if response.status_code in (401, 403):
            raise OutsideError(
                f"{self.name} at {self._base} refuses the name or password (HTTP {response.status_code})",
                reason="not authorised",
                permanent=True,
            )
        try:
            return Answer(response.status_code, response.json())
        except ValueError:
            return Answer(response.status_code, response.text)

    def stranger(self, answer: Answer) -> OutsideError:
        """The error for an answer that this kind of server does not give: something else has the address, or stands in for it."""
        if answer.status in _NOT_NOW:  # of a server that begins, or of a proxy before one that is away
            return OutsideError(f"{self.name} does not answer at {self._base} (HTTP {answer.status})", reason="unreachable")
        text = f"what answers at {self._base} is not {self.name} ({_kind(answer)}); look at {self.setting}"
        return OutsideError(text, reason="refused", permanent=True)

    def fault(self, what: str, why: str, *, reason: str = "refused", permanent: bool = True) -> OutsideError:
        """The error that says what this server did not do."""
        return OutsideError(f"{self.name} {what}: {why}", reason=reason, permanent=permanent)


def _kind(answer: Answer) -> str:
    """What an answer is, for people."""
    words = ("a web page" if answer.body.lstrip().startswith("<") else "no JSON") if isinstance(answer.body, str) else "other JSON"
    return f"HTTP {answer.status}, {words}"
