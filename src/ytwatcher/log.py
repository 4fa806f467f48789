"""The log: key=value events with UTC times, ours and the libraries', in one stream; no secret leaves through it."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ytwatcher.errors import ConfigError

HIDDEN = "***"
SHORTEST_SECRET = 6
"""A shorter text would hide innocent words all over the log."""

_PATTERNS = (
    (re.compile(r"bot[0-9]+(?::|%3A)[A-Za-z0-9_-]+", re.IGNORECASE), f"bot{HIDDEN}"),
    (re.compile(r"\b[0-9]{6,}:[A-Za-z0-9_-]{30,}"), HIDDEN),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{20,}"), HIDDEN),
    (re.compile(r"([?&](?:key|api_key|access_token|token)=)[^&#\s\"'<>]+", re.IGNORECASE), rf"\g<1>{HIDDEN}"),
    (re.compile(r"(://)[^/?#\s\"'<>@]+@"), rf"\g<1>{HIDDEN}@"),
)


def redact(text: str) -> str:
    """Hide what has the shape of a secret: bot tokens, API keys, key parameters and passwords in URLs."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


class Redactor:
    """Hides the secrets it was told, in any text, and whatever has the shape of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._hidden: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide this text from now on, also as it is written in a URL."""
        if len(secret) >= SHORTEST_SECRET:
            self._hidden |= {secret, quote(secret, safe=""), quote(secret)}

    def __call__(self, text: str) -> str:
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return redact(text)


def configure(level: str, format: str, redactor: Redactor, stream: TextIO | None = None, *, file: Path | None = None) -> None:
    """Set up our log and that of the standard library.

    Args:
        level: debug, info, warning or error.
        format: console (for people) or json (one object a line).
        stream: where it goes; None: standard error.
        file: where it goes instead, added to what is there; `reopen` begins it anew after it was moved away.

    Raises:
        ConfigError: the file cannot be written.
    """
    out = stream if stream is not None else sys.stderr
    handler: logging.Handler = logging.StreamHandler(out) if file is None else _log_file(file)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    colors = file is None and out.isatty()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format, colors=colors), _Line(redactor)],
            foreign_pre_chain=shared,
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    _route_standard_library(handler, level)


def reopen() -> None:
    """Open the log's file anew: a rotation has moved the old one away."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.close()  # the next line opens it


class _LogFile(logging.FileHandler):
    """A log that cannot be opened again, for a full disk perhaps, must not stop what it tells of."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            super().emit(record)


def _log_file(file: Path) -> _LogFile:
    try:
        return _LogFile(file, encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"log.file: {file} cannot be written: {error.strerror}"]) from error


class _Line:
    """The last step: it works on the finished line, so that no value, traceback or key can slip past it."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, logger: WrappedLogger, method: str, line: EventDict) -> str:
        return self._redactor(str(line))


def _renderers(format: str, *, colors: bool) -> list[Processor]:
    if format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    # Plain tracebacks: the rich ones show local variables, and break lines in the middle of a secret.
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]


def _route_standard_library(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpx2", "httpcore", "urllib3", "requests_oauthlib", "oauthlib"):  # they log URLs at INFO or DEBUG
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # A record that cannot be formatted would otherwise be printed raw, past the redaction.
    logging.raiseExceptions = False
