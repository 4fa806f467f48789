"""docs/api.md and the API agree: every route, every kind of event."""

from __future__ import annotations

import re
from pathlib import Path

from ytwatcher.store.events import EventKind
from ytwatcher.web.api.answers import PREFIX
from ytwatcher.web.api.routers import API

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_route_is_documented() -> None:
    documented = {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) (/[^` ]*)`", PAGE)}
    documented.add(("POST", "/messages/{}/drop"))  # written as …/drop
    routes = {
        (method, re.sub(r"\{[^}]*\}", "{}", getattr(route, "path").removeprefix(PREFIX)))  # noqa: B009 - routes have it, their base does not say so
        for router in API
        for route in router.routes
        for method in getattr(route, "methods", ())
    }
    assert routes - documented == set()
    assert {(m, p) for m, p in documented - routes if not p.startswith(("/healthz", "/readyz", "/metrics", "/api/v1/stream"))} == set()


def test_every_kind_of_event_is_documented() -> None:
    assert [kind for kind in (*EventKind, "reset") if f"| `{kind}` |" not in PAGE] == []
