"""librdkafka's log in ours, without its repetitions: with all brokers away it says so twice a second, for each client."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

AGAIN_AFTER = 60.0
"""Seconds until a line that says the same is let through again."""
_VARIES = re.compile(r"\d+ ?ms")


class Sparing(logging.Filter):
    """Lets a line through that says something new, and of the same ones (other durations apart) one a minute.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, line = self._now(), _VARIES.sub("", record.getMessage())
        self._said = {said: at for said, at in self._said.items() if now - at < AGAIN_AFTER}
        new = line not in self._said
        if new:
            self._said[line] = now
        return new


def kafka_logger() -> logging.Logger:
    """What librdkafka's clients write to."""
    logger = logging.getLogger("librdkafka")
    if not logger.filters:
        logger.addFilter(Sparing())
    return logger
