"""Which addresses the site answers to, and whom it lets in: pure decisions over what a request says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from ytwatcher.setting_types import is_loopback, split_listen
from ytwatcher.settings import Web

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN = ("/login", "/healthz", "/static/", "/share/", "/feed/")
"""What answers without login: paths, and beginnings that end in a slash."""
TOKENS = ("/api/", "/metrics", "/readyz", "/feed/")
"""What programs ask: without a session they show a token, and a refusal is no page."""

STAYS = timedelta(days=14)
"""How long a browser keeps its session."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the settings say about who may come. `port` is the one that is really listened on."""

    web: Web
    port: int

    @property
    def secure(self) -> bool:
        """Whether browsers come by https."""
        return (self.web.public_url or "").startswith("https:")

    @property
    def locked(self) -> bool:
        """Whether a visitor has to prove who they are."""
        return self.web.password is not None or self.web.user_header is not None

    @property
    def cookie(self) -> str:
        """Cookies do not know ports, so the name does; with https no other host can set it."""
        return "__Host-ytwatcher" if self.secure else f"ytwatcher-{self.port}"

    def cookie_header(self, value: str) -> str:
        """Gives a browser its session."""
        secure = "; Secure" if self.secure else ""
        return f"{self.cookie}={value}; Path=/; Max-Age={int(STAYS.total_seconds())}; HttpOnly; SameSite=Lax{secure}"

    def answers_to(self, host: str) -> bool:
        """Whether the Host header names this site. Another name that leads here is a trick of a foreign page (DNS rebinding).

        An address in numbers cannot be such a trick: where other machines may come, each is right.
        """
        try:
            parts = urlsplit(f"//{host.lower()}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if self.web.public_url is not None and host.lower() == urlsplit(self.web.public_url).netloc.lower():
            return True
        listened = split_listen(self.web.listen)[0] if self.web.listen else "127.0.0.1"
        if is_loopback(listened):
            return is_loopback(name) and port == self.port
        return is_loopback(name) or _in_numbers(name)

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a page of this site made the request; `host` was checked before."""
        public = urlsplit(self.web.public_url) if self.web.public_url else None
        if public is not None and origin.lower() == f"{public.scheme}://{public.netloc}".lower():
            return True
        return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")

    def comes_from_here(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something was made by a page of this site, or by no browser."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or self.is_own_origin(origin, headers.get("host", ""))

    def proxied_user(self, headers: Mapping[str, str], peer: str) -> str | None:
        """The user whom a trusted proxy names."""
        if self.web.user_header is None or not self.is_proxy(peer):
            return None
        return headers.get(self.web.user_header) or None

    def is_proxy(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in ip_network(part.strip()) for part in (self.web.trusted_proxies or "").split(",") if part.strip())


def is_open(path: str) -> bool:
    """Whether the path answers without login."""
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN)


def is_for_programs(path: str) -> bool:
    return any(path == one.rstrip("/") or path.startswith(f"{one.rstrip('/')}/") for one in TOKENS)


def _in_numbers(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
