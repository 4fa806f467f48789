"""The topics' names: the tutorial's and ours, with the configured prefix in front of each."""

from __future__ import annotations

from typing import NamedTuple

CANARY = "ytwatcher-canary"
"""The video of test readings: longer than any video's id."""
NOBODY = "canary:nobody"
"""Whom a test alert is for: no chat and none of our recipients can be called so."""


class Topics(NamedTuple):
    """`videos`: readings by video id · `rules`: each video's rules · `changes`: pairs of readings · `outbound`: alerts by chat ·
    `dlq`: what could not be delivered or read."""

    videos: str
    rules: str
    changes: str
    outbound: str
    dlq: str


def topics(prefix: str = "") -> Topics:
    """The names on a cluster where ours begin with the prefix."""
    return Topics(*(prefix + name for name in ("yt_videos", "yt_rules", "yt_changes", "telegram_outbound", "telegram_dlq")))


def subject(topic: str) -> str:
    """The Schema Registry's name for the values of a topic."""
    return f"{topic}-value"


def outbound_group(prefix: str = "") -> str:
    """The consumer group in which our own delivery notes how far it read the alerts."""
    return f"{prefix}ytwatcher-outbound"
