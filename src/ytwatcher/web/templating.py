"""How templates say numbers, times and strangers' titles.

Times are written as UTC in <time>; the pages' script puts them into the viewer's zone.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ytwatcher.core.cleaning import clean
from ytwatcher.web.security import FORM_FIELD, Visitor

_STEPS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=2), timedelta(hours=1), "h"),
    (timedelta(minutes=1), timedelta(minutes=1), "min"),
)
PAGES = (
    ("/", "Overview"),
    ("/add", "Add"),
    ("/rules", "Rules"),
    ("/outbox", "Outbox"),
    ("/recipients", "Recipients"),
    ("/quota", "Quota"),
    ("/status", "Status"),
)
"""The pages' addresses and names, in the order of the bar at the top."""
_SHORT = ((10**9, "B"), (10**6, "M"), (10**3, "k"))


def environment() -> Environment:
    """The templates with their filters; whatever a template is given is escaped."""
    made = Environment(
        loader=PackageLoader("ytwatcher.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(number=number, short=short, signed=signed, when=when, age=age, title=title, plain=plain)
    made.filters.update(span=span, delay=delay, utc=utc)
    made.globals.update(asset=Assets(), form_token=form_token, pages=PAGES)
    return made


def form_token(visitor: Visitor) -> Markup:
    """What every form that changes something has to have in it."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_FIELD, visitor.form_token)


class Assets:
    """Addresses of the own style and scripts. They carry a hash of the content, so a browser may keep them for ever."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self._hashes:
            content = resources.files("ytwatcher.web").joinpath("static", name).read_bytes()
            self._hashes[name] = hashlib.sha256(content).hexdigest()[:10]
        return f"/static/{name}?v={self._hashes[name]}"


def number(value: float | None) -> str:
    """`1,204,500`; a dash where it is not known."""
    return "–" if value is None else f"{value:,.0f}"


def short(value: int | None) -> str:
    """`1.2M`, for what is round anyway."""
    if value is None:
        return "–"
    for unit, name in _SHORT:
        if abs(value) >= unit:
            return f"{value / unit:.3g}{name}"
    return str(value)


def signed(value: float | None) -> str:
    """`+1,200`, `0`, `−3`; a dash where it is not known."""
    if value is None:
        return "–"
    return f"{value:+,.0f}".replace("-", "−") if value else "0"


def when(at: datetime | None, otherwise: str = "not yet") -> Markup:
    """The instant, in UTC as long as no script puts it into the viewer's zone."""
    if at is None:
        return Markup("<span class=faint>{}</span>").format(otherwise)
    return Markup('<time datetime="{}">{}</time>').format(utc(at), f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")


def age(at: datetime | None, now: datetime, otherwise: str = "not yet") -> Markup:
    """How long ago it was: `3 min`."""
    if at is None:
        return Markup("<span class=faint>{}</span>").format(otherwise)
    return Markup('<time datetime="{}" data-age>{}</time>').format(utc(at), span(now - at))


def span(past: timedelta) -> str:
    """`3 min`, `5 h`, `12 d`."""
    return next((f"{past // unit} {name}" for least, unit, name in _STEPS if past >= least), "now")


def delay(took: timedelta) -> str:
    """How long something took: `4 s`, `3 min`."""
    return f"{max(0, int(took.total_seconds()))} s" if took < timedelta(minutes=2) else span(took)


def title(text: str | None, otherwise: str = "") -> Markup:
    """A stranger's text on one line, apart from the words around it, whichever way it runs."""
    return Markup("<bdi>{}</bdi>").format(clean(text) if text else otherwise)


def plain(text: str | None, otherwise: str = "") -> str:
    """The same for an attribute, where no markup can be."""
    return clean(text) if text else otherwise


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
