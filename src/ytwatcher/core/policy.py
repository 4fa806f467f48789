"""Delivery policy: whether an alert is told now, held until an instant, or suppressed; always with the reason (docs/rules.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ytwatcher.core.model import RuleSpec
from ytwatcher.errors import InputError

SAME_NEWS = "same news"
LOST = "recipient lost"

_QUIET = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-3]):([0-5]\d)")
_DIGEST = re.compile(r"(?:daily|weekly\s+([a-z]{3})[a-z]*)\s+([01]?\d|2[0-3]):([0-5]\d)", re.IGNORECASE)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = timedelta(minutes=1)


class Quiet(NamedTuple):
    """Quiet hours on the recipient's own clock, from `start` until just before `end`; over midnight where start > end."""

    start: time
    end: time


class Digest(NamedTuple):
    """When alerts come together, on the recipient's own clock: every day, or on one weekday (0: Monday)."""

    weekday: int | None
    time: time


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told: where, in which language and time zone, and when not. `language` is a Babel locale, `timezone` an IANA name."""

    address: str
    lost: bool = False
    language: str = "en"
    timezone: str = "UTC"
    quiet: Quiet | None = None
    muted_until: datetime | None = None
    digest: Digest | None = None


class Tell(NamedTuple):
    """It may leave now; without a sound where `silent`."""

    silent: bool = False


class Hold(NamedTuple):
    """It waits; what is decided at `until` is decided anew."""

    until: datetime
    why: str


class Suppress(NamedTuple):
    """It is never told."""

    why: str


Decision = Tell | Hold | Suppress


def decide(
    spec: RuleSpec | None,
    recipient: Recipient,
    told_at: datetime | None,
    now: datetime,
    *,
    found_at: datetime | None = None,
    full_until: datetime | None = None,
) -> Decision:
    """What becomes of an alert of the rule.

    Without a rule it is an operator's notice. Mute, quiet hours, digests and limits are about news of videos: a notice says that the
    news itself may be missing, so it always comes, in quiet hours without a sound.

    Args:
        told_at: when this rule last told something of this subject.
        found_at: when the alert was found; None: now. A digest is the first one from then on, and after a cooldown.
        full_until: when the chat has room for another message, while it has had as many as it may.
    """
    if recipient.lost:
        return Suppress(LOST)
    if spec is None:
        return Tell(silent=_quiet_end(recipient, now) is not None)
    if recipient.muted_until is not None and now < recipient.muted_until:
        return Suppress("muted")
    if spec.once and told_at is not None:
        return Suppress("once: told before")
    holds = [hold for hold in _holds(spec, recipient, told_at, now, found_at or now, full_until) if now < hold.until]
    return holds[0] if holds else Tell(spec.silent)


def _holds(
    spec: RuleSpec, recipient: Recipient, told_at: datetime | None, now: datetime, found_at: datetime, full_until: datetime | None
) -> Iterator[Hold]:
    """Everything that an alert may wait for, whether it is over or not; when one ends, all is decided anew."""
    ready_at = found_at
    if spec.cooldown is not None and told_at is not None:
        ready_at = max(found_at, told_at + spec.cooldown)
        yield Hold(told_at + spec.cooldown, "cooldown")
    if recipient.digest is not None:
        yield Hold(digest_at(recipient.digest, ZoneInfo(recipient.timezone), ready_at), "digest")
    end_at = _quiet_end(recipient, now)
    if end_at is not None:
        yield Hold(end_at, "quiet hours")
    if full_until is not None:
        yield Hold(full_until, "as many messages as it may get in 24 hours")


def digest_at(digest: Digest, zone: ZoneInfo, after: datetime) -> datetime:
    """The digest's first instant from `after` on."""
    day = after.astimezone(zone).date()
    while True:
        if digest.weekday in (None, day.weekday()) and (at := instant(datetime.combine(day, digest.time), zone)) >= after:
            return at
        day += timedelta(days=1)


def parse_digest(text: str) -> Digest:
    """When a digest comes, as people type it: `daily 09:00`, `weekly mon 09:00`.

    Raises:
        InputError: it is not; the text shows what would be right.
    """
    match = _DIGEST.fullmatch(text.strip())
    weekday = match[1].lower() if match is not None and match[1] else None
    if match is None or (weekday is not None and weekday not in _DAYS):
        raise InputError("“{text}” is no time for a digest; write for example daily 09:00, or weekly mon 09:00", text=text)
    return Digest(None if weekday is None else _DAYS.index(weekday), time(int(match[2]), int(match[3])))


def digest_text(digest: Digest) -> str:
    """The one normal text of a digest; `parse_digest` reads it back."""
    return f"daily {digest.time:%H:%M}" if digest.weekday is None else f"weekly {_DAYS[digest.weekday]} {digest.time:%H:%M}"


def parse_quiet(text: str) -> Quiet:
    """Quiet hours as people type them: `23:00-07:30`.

    Raises:
        InputError: they are not; the text shows what would be right.
    """
    match = _QUIET.fullmatch(text.strip())
    if match is None:
        raise InputError("“{text}” is not a span of hours; write for example 23:00-07:30", text=text)
    h1, m1, h2, m2 = (int(part) for part in match.groups())
    if (h1, m1) == (h2, m2):
        raise InputError("“{text}” begins where it ends; to hear nothing at all, mute instead", text=text)
    return Quiet(time(h1, m1), time(h2, m2))


def quiet_text(quiet: Quiet) -> str:
    """The one normal text of quiet hours; `parse_quiet` reads it back."""
    return f"{quiet.start:%H:%M}-{quiet.end:%H:%M}"


def _quiet_end(recipient: Recipient, now: datetime) -> datetime | None:
    """When the quiet hours that hold `now` end; None outside of them.

    They are compared as instants, so a day of 23 or 25 hours needs no case of its own.
    """
    if recipient.quiet is None:
        return None
    zone, (start, end) = ZoneInfo(recipient.timezone), recipient.quiet
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        last_day = day if start < end else day + timedelta(days=1)
        start_at, end_at = instant(datetime.combine(day, start), zone), instant(datetime.combine(last_day, end), zone)
        if start_at <= now < end_at:
            return end_at
    return None


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a local time: the first of two where it comes twice, the first one after it where it is skipped."""
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    back = at.astimezone(zone).replace(tzinfo=None)
    if back == local:
        return at
    # Skipped: with fold=0 Python lands as far behind the gap's end as the time lies behind its start.
    before, after = at - (back - local), at
    while after - before > _MINUTE:
        middle = before + (after - before) / 2
        offset_moved = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
        before, after = (before, middle) if offset_moved else (middle, after)
    return after.replace(second=0, microsecond=0)
