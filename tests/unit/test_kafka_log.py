"""What librdkafka says while the brokers are away: once a minute is enough."""

from __future__ import annotations

import logging

from ytwatcher.streaming.kafka_log import AGAIN_AFTER, Sparing, kafka_logger


def said(sparing: Sparing, line: str) -> bool:
    return bool(sparing.filter(logging.LogRecord("librdkafka", logging.ERROR, "", 0, "%s [%s]", (line, "ytwatcher#consumer-1"), None)))


def test_what_was_said_a_moment_ago_is_not_said_again_also_with_other_durations() -> None:
    now = [100.0]
    sparing = Sparing(lambda: now[0])
    assert said(sparing, "Connect failed: refused (after 0ms in state CONNECT)")
    now[0] += AGAIN_AFTER / 2
    assert not said(sparing, "Connect failed: refused (after 12ms in state CONNECT)")
    assert said(sparing, "Connect failed: no route (after 12ms in state CONNECT)")
    now[0] += AGAIN_AFTER / 2
    assert said(sparing, "Connect failed: refused (after 3ms in state CONNECT)")
    assert not said(sparing, "Connect failed: no route (after 0ms in state CONNECT)")


def test_every_client_writes_to_one_logger_with_one_filter() -> None:
    assert kafka_logger() is kafka_logger()
    assert len(kafka_logger().filters) == 1
