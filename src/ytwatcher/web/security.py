"""The guard in front of every route: nothing reaches a page or the API that does not come from where it should.

In this order: the Host header, the login, the size of the body, and for what changes something its origin and the form's token. Every
answer leaves with the headers that forbid a browser whatever the pages do not need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ytwatcher.web.access import SAFE, Access, is_for_programs, is_open
from ytwatcher.web.sessions import Session, Sessions

MOST_BYTES = 1_000_000
"""Of a request's body; more than any form or any call of the API needs."""
FORM_FIELD, FORM_HEADER = "form_token", "x-form-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
)
KEPT, NOT_KEPT = "public, max-age=31536000, immutable", "private, no-store"
ALL_SCOPES = frozenset({"read", "write", "admin"})
log = structlog.get_logger(__name__)


class Visitor(NamedTuple):
    """Who asks: a browser with its session, or a program with a token. `scopes`: what they may do; a person inside may do all."""

    name: str
    scopes: frozenset[str]
    session: Session | None
    form_token: str = ""


class Refusal(NamedTuple):
    """Why a request goes no further; `text` says what to do."""

    status: int
    title: str
    text: str


Refuse = Callable[[Request, Refusal], Response]
"""Makes the answer to a refused request: a page, or a problem for a program."""
CheckToken = Callable[[str], Awaitable[frozenset[str] | None]]
"""The scopes of a program's token; None: there is no such token."""


@dataclass(frozen=True, slots=True)
class Guard:
    """An ASGI application around the site's own. It leaves the `Visitor` at `request.state.visitor`."""

    site: ASGIApp
    access: Access
    sessions: Sessions
    refuse: Refuse
    check_token: CheckToken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        answer = _Answer(send, cache=request.url.path.startswith("/static/"))
        try:
            refused, body = await self._examined(request, answer)
            if refused is not None:
                await refused(scope, receive, answer)
            else:
                await self.site(scope, body or receive, answer)
        except Exception as error:
            log.exception("page_fault", path=request.url.path, fault=type(error).__name__)
            if not answer.started:
                await self.refuse(request, FAULT)(scope, receive, answer)

    async def _examined(self, request: Request, answer: _Answer) -> tuple[Response | None, Receive | None]:
        """The answer of a request that goes no further, or the body of one that does, where it was read."""
        headers = request.headers
        if not self.access.answers_to(headers.get("host", "")):
            return self.refuse(request, FOREIGN_HOST), None
        session = self._session(request)
        visitor = await self._visitor(request, session)
        request.state.visitor = visitor or self._stranger(session)
        if visitor is None and not is_open(request.url.path):
            return self._to_login(request), None
        # A shared page gives no session, and what a browser keeps for ever does not either.
        gives = not is_open(request.url.path) or request.url.path == "/login"
        if session is None and gives and (new := request.state.visitor.session) is not None:
            answer.cookie = self.access.cookie_header(self.sessions.sealed(new))
        if request.method in SAFE:
            return None, None
        return await self._examine_change(request)

    async def _examine_change(self, request: Request) -> tuple[Response | None, Receive | None]:
        try:
            body = await _whole_body(request)
        except ValueError:
            return self.refuse(request, TOO_BIG), None
        visitor: Visitor = request.state.visitor
        if visitor.session is not None:
            if not self.access.comes_from_here(request.headers):
                return self.refuse(request, FOREIGN_PAGE), None
            if not self.sessions.is_form_token(visitor.session, _form_token(request, body)):
                return self.refuse(request, STALE_FORM), None
        return None, _replayed(body)

    async def _visitor(self, request: Request, session: Session | None) -> Visitor | None:
        """Who it is, where they may come in."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and is_for_programs(request.url.path):
            scopes = await self.check_token(token.strip())
            return None if scopes is None else Visitor("a token", scopes, None)
        user = self.access.proxied_user(request.headers, request.client.host if request.client else "")
        has_password = session is not None and session.inside and self.access.web.password is not None
        if self.access.locked and user is None and not has_password:
            return None
        return self._with_session(user or "you", ALL_SCOPES, session)

    def _stranger(self, session: Session | None) -> Visitor:
        return self._with_session("", frozenset(), session)

    def _with_session(self, name: str, scopes: frozenset[str], session: Session | None) -> Visitor:
        own = session or self.sessions.new(inside=False)
        return Visitor(name, scopes, own, self.sessions.form_token(own))

    def _session(self, request: Request) -> Session | None:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(request.headers.get("cookie", ""))
        except CookieError:
            return None
        found = jar.get(self.access.cookie)
        return self.sessions.opened(found.value) if found is not None else None

    def _to_login(self, request: Request) -> Response:
        if is_for_programs(request.url.path):
            return self.refuse(request, NO_TOKEN)
        if self.access.web.password is None:
            return self.refuse(request, NO_PROXY)
        if request.method not in SAFE or request.url.path.startswith("/live"):
            return self.refuse(request, LOGGED_OUT)
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(target, safe='')}", 303)


FAULT = Refusal(500, "Something went wrong here", "This is a fault of YT Watcher itself. The log of the running process has the details.")
FOREIGN_HOST = Refusal(
    421,
    "This address is not known",
    "The site does not answer to the name it was called by. Use the address that the program printed; where it has another name,"
    " set web.public_url to it.",
)
TOO_BIG = Refusal(413, "Too much at once", f"A request may have at most {MOST_BYTES:,} bytes.")
FOREIGN_PAGE = Refusal(403, "Refused", "The request came from a page of another site.")
STALE_FORM = Refusal(403, "This form is out of date", "Go back, load the page again, and send it once more.")
NO_TOKEN = Refusal(401, "A token is needed", "Send Authorization: Bearer TOKEN; `ytwatcher web token add` makes one.")
NO_PROXY = Refusal(403, "The proxy named nobody", "Come by way of the reverse proxy, and let it send web.user_header.")
LOGGED_OUT = Refusal(401, "You are logged out", "Log in, and do it once more.")


class _Answer:
    """Passes an answer on, with the headers that every one has."""

    def __init__(self, send: Send, *, cache: bool) -> None:
        self._send, self._cache = send, cache
        self.cookie: str | None = None
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            have = {name.lower() for name, _ in message["headers"]}
            more = {**HEADERS, "cache-control": KEPT if self._cache and message["status"] < 400 else NOT_KEPT}
            new = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in have]
            if self.cookie is not None and b"set-cookie" not in have:
                new.append((b"set-cookie", self.cookie.encode()))
            message = {**message, "headers": [*message["headers"], *new]}
        await self._send(message)


async def _whole_body(request: Request) -> bytes:
    """The request's body.

    Raises:
        ValueError: it is too long.
    """
    if int(request.headers.get("content-length", "0")) > MOST_BYTES:
        raise ValueError
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise ValueError
        parts.append(part)
    return b"".join(parts)


def _replayed(body: bytes) -> Receive:
    """Gives the body once; after it only that the client has gone, which nobody here waits for."""
    messages: list[dict[str, Any]] = [{"type": "http.disconnect"}, {"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if len(messages) > 1 else messages[0]

    return receive


def _form_token(request: Request, body: bytes) -> str:
    if (header := request.headers.get(FORM_HEADER)) is not None:
        return header
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    return parse_qs(body.decode("utf-8", "replace")).get(FORM_FIELD, [""])[0]
