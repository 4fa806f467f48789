"""The log hides secrets, wherever in an event they stand."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from ytwatcher.log import Redactor, configure, redact

TOKEN = "987654321:CANARY_token-aaaaaaaaaaaaaaaaaaaaaaa"
KEY = "CANARY+key/1"


@contextmanager
def logging_to(format: str, level: str = "info") -> Iterator[io.StringIO]:
    """The log as a text; what the process had set up before is put back."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, root_level, raising = root.handlers[:], root.level, logging.raiseExceptions
    try:
        configure(level, format, Redactor([TOKEN, KEY]), stream)
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(root_level)
        logging.raiseExceptions = raising
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("format", ["console", "json"])
def test_no_secret_leaves_through_any_part_of_an_event(format: str) -> None:
    with logging_to(format) as stream:
        log, library = structlog.get_logger("ytwatcher.test"), logging.getLogger("somewhere")
        log.info(f"event with {KEY}", text=TOKEN, nested={"a": [KEY, {"b": (TOKEN,)}], KEY: 1}, error=ValueError(TOKEN), raw=KEY.encode())
        log.bind(bound=KEY).warning("bound")
        structlog.contextvars.bind_contextvars(context=TOKEN)
        try:
            raise RuntimeError(f"calling https://api.telegram.org/bot{TOKEN}/getMe?x=CANARY%2Bkey%2F1")
        except RuntimeError:
            log.exception("failed")
            library.exception("failed %s", KEY)
        library.warning("HTTP Request: GET https://example.org/?key=CANARY-unknown&part=id %s", {"key": KEY})
        text = stream.getvalue()
    assert "CANARY" not in text
    assert text.count("Traceback") == 2 and "part=id" in text and "***" in text


def test_json_is_one_object_a_line_with_utc_times() -> None:
    with logging_to("json") as stream:
        structlog.contextvars.bind_contextvars(cycle=7)
        structlog.get_logger("ytwatcher.poller").info("read", ids=50)
        logging.getLogger("uvicorn.error").warning("careful")
        ours, theirs = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {"event": "read", "ids": 50, "cycle": 7, "level": "info", "logger": "ytwatcher.poller"}
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("careful", "warning", "uvicorn.error")


def test_the_console_shows_key_value_pairs() -> None:
    with logging_to("console") as stream:
        structlog.get_logger("ytwatcher.poller").info("read", ids=50)
        line = stream.getvalue()
    assert "ids=50" in line and "read" in line and "\x1b" not in line


def test_the_level_holds_and_http_libraries_are_quiet() -> None:
    with logging_to("console", "warning") as stream:
        structlog.get_logger("a").info("hidden")
        logging.getLogger("b").info("hidden")
        structlog.get_logger("a").warning("shown")
        assert "hidden" not in stream.getvalue() and "shown" in stream.getvalue()
    with logging_to("console", "debug") as stream:
        logging.getLogger("httpx").info("hidden")
        logging.getLogger("httpx2").info("hidden")
        logging.getLogger("httpcore.connection").debug("hidden")
        structlog.get_logger("a").debug("shown")
        assert "hidden" not in stream.getvalue() and "shown" in stream.getvalue()


def test_a_record_that_cannot_be_formatted_is_not_printed_raw(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to("console"):
        logging.getLogger("somewhere").warning("%d", TOKEN)
    assert "CANARY" not in capsys.readouterr().err


def test_by_default_the_log_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to("console"):
        configure("info", "console", Redactor())
        structlog.get_logger("a").info("shown")
    assert "shown" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://api.telegram.org/bot123:abc_-D/sendMessage", "https://api.telegram.org/bot***/sendMessage"),
        ("https://api.telegram.org/BOT123%3Aabc/sendMessage", "https://api.telegram.org/bot***/sendMessage"),
        (f"the token is {TOKEN}.", "the token is ***."),
        ("https://example.org/v3/videos?part=id&key=abc&id=x", "https://example.org/v3/videos?part=id&key=***&id=x"),
        ("https://example.org/?KEY=abc#top", "https://example.org/?KEY=***#top"),
        ("https://me:password@example.org/a", "https://***@example.org/a"),
        ("AIzaSyA-0123456789_abcdefghij", "***"),
        ("at 12:30 robot7 said monkey=5", "at 12:30 robot7 said monkey=5"),
        ("https://www.youtube.com/@handle", "https://www.youtube.com/@handle"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_redactor_hides_what_it_is_told_and_not_innocent_words() -> None:
    redactor = Redactor()
    assert redactor("s3cr3t word") == "s3cr3t word"
    redactor.add("s3cr3t")
    redactor.add("s3cr3t word")
    redactor.add("a")
    assert redactor("a s3cr3t and an s3cr3t word, s3cr3t%20word") == "a *** and an ***, ***"
