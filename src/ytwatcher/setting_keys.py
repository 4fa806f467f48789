"""The settings by their keys: every key that there can be, its variable, and its value as it may be shown."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import unquote

from ytwatcher.core.durations import duration_text
from ytwatcher.secret import Secret
from ytwatcher.settings import SECTIONS, TABLES, DeclaredWatch, Sections, Settings

PREFIX = "YTWATCHER_"
_HOST = re.compile(r"localhost|[0-9.]+|([A-Za-z0-9-]+\.)+[a-z]{2,}")


def keys() -> tuple[str, ...]:
    """Every key that there can be, as section.key; those of the `TABLES` are names of one's own."""
    return tuple(f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields)


def variable(key: str) -> str:
    """The environment variable of a key."""
    return PREFIX + key.replace(".", "__").upper()


def secrets(settings: Settings | Sections) -> dict[str, Secret]:
    """Every secret that is set, by its key."""
    values = {key: getattr(getattr(settings, section), name) for key in keys() for section, name in [key.split(".")]}
    values |= {f"services.{name}": secret for name, secret in settings.services.items()}
    return {key: value for key, value in values.items() if isinstance(value, Secret)}


def hidden(settings: Settings) -> set[str]:
    """Every text that no log may show: the secrets, and of those that are URLs each part that may be a token."""
    texts = {secret.reveal() for secret in secrets(settings).values()}
    return texts.union(*(_url_parts(text) for text in texts if "://" in text))


def _url_parts(url: str) -> set[str]:
    """Its words, as they are and decoded, without names of hosts; where a host would be, Apprise has tokens, too."""
    words = re.split(r"[/@?&=#:]", url.partition("://")[2])
    return {form for word in words if not _HOST.fullmatch(word) for form in (word, unquote(word))}


def shown(settings: Settings) -> dict[str, str]:
    """Each key with its value as a text that would be read again; secrets as `***`."""
    values = {key: _value_text(getattr(getattr(settings, section), name)) for key in keys() for section, name in [key.split(".")]}
    values |= {f"{table}.{name}": str(value) for table in TABLES for name, value in getattr(settings, table).items()}
    return values | {f"watch.{n}": _watch_text(one) for n, one in enumerate(settings.watch, 1)}


def _watch_text(one: DeclaredWatch) -> str:
    return f"{one.target} → {one.to or 'the operator'}: {'; '.join(one.rules) or 'the usual rules'}"


def _value_text(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return duration_text(value) if isinstance(value, timedelta) else str(value)
