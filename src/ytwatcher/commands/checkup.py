"""What `ytwatcher doctor` looks at, one function for each part; every finding says what to do."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ytwatcher.app import journal_path
from ytwatcher.commands.keys import meaning
from ytwatcher.commands.words import counted
from ytwatcher.drawing import Pictures
from ytwatcher.errors import OutsideError, YTWatcherError
from ytwatcher.settings import Settings
from ytwatcher.store import overview
from ytwatcher.store.db import open_journal
from ytwatcher.telegram.setup import BotSetup, TelegramError
from ytwatcher.youtube.client import Raw
from ytwatcher.youtube.faults import Act, YouTubeError, classify

OFF_BY, FAR_OFF_BY = timedelta(seconds=5), timedelta(minutes=5)
LITTLE_SPACE, NO_SPACE = 500_000_000, 20_000_000
"""Bytes."""


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `todo` says what to do where it is not ok."""

    name: str
    state: State
    text: str
    todo: str | None = None


def settings_findings(settings: Settings) -> Iterator[Finding]:
    """The configuration; that it was read at all is half of it."""
    where = str(settings.file) if settings.file else "no file, the environment and defaults"
    if settings.warnings:
        yield Finding("configuration", State.WARNING, " ".join(settings.warnings))
    else:
        yield Finding("configuration", State.OK, where)
    if settings.youtube.api_key is None:
        yield Finding("API key", State.FAILED, "youtube.api_key is not set", "ytwatcher init asks for it")
    if settings.telegram.bot_token is None:
        if settings.telegram.operator == "console":
            yield Finding("bot token", State.OK, "none: messages are printed in the terminal")
        else:
            yield Finding(
                "bot token", State.FAILED, "telegram.bot_token is not set, but the operator is a chat", "ytwatcher init asks for it"
            )


async def fonts_finding() -> Finding:
    """Whether pictures can be drawn, with the letters of the titles there are."""
    pictures = Pictures()
    try:
        missing = await pictures.missing_scripts()
    except OutsideError:
        return Finding("pictures", State.WARNING, "charts cannot be drawn", "install ytwatcher[charts]")
    finally:
        await pictures.close()
    if missing:
        todo = "on Debian: apt install fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
        return Finding("pictures", State.WARNING, f"no font has the letters of: {', '.join(missing)}", todo)
    return Finding("pictures", State.OK, "charts can be drawn, with the letters of all scripts")


def zone_finding() -> Finding:
    """Whether the time zone database is there and knows of daylight saving time: quota days depend on it."""
    try:
        zone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return Finding("time zones", State.FAILED, "there is no time zone database", "install the package tzdata")
    winter, summer = (datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
    if winter == summer:
        return Finding("time zones", State.FAILED, "the time zone database has no daylight saving time", "install the package tzdata anew")
    return Finding("time zones", State.OK, "the database is there; quota days end at midnight Pacific time")


def clock_finding(headers: Mapping[str, str] | None, before: datetime, after: datetime) -> Finding:
    """Our clock beside the date of an answer that came between two instants of it."""
    try:
        theirs = parsedate_to_datetime((headers or {}).get("date", ""))
    except ValueError:
        return Finding("clock", State.WARNING, "could not be compared: no answer said what time it is")
    middle = before + (after - before) / 2
    off = abs(middle - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)))
    text = f"{off.total_seconds():.0f} s beside that of the answer"
    if off > FAR_OFF_BY:
        return Finding("clock", State.FAILED, text, "set this machine's clock, and let it be kept by NTP")
    if off > OFF_BY:
        return Finding("clock", State.WARNING, text, "let this machine's clock be kept by NTP")
    return Finding("clock", State.OK, text)


def journal_findings(settings: Settings) -> Iterator[Finding]:
    """The journal: it opens, its schema is known, it is sound; its folder has room and is private."""
    try:
        path = journal_path(settings)
        with closing(open_journal(path)) as connection:
            seen = overview.inspect(connection)
    except YTWatcherError as error:
        yield Finding(
            "journal", State.FAILED, str(error), "name another folder with --data DIR, or put a backup in its place: ytwatcher restore FILE"
        )
        return
    if seen.faults:
        yield Finding(
            "journal",
            State.FAILED,
            f"{path} is damaged: {'; '.join(seen.faults)}",
            "stop every ytwatcher and put a backup in its place: ytwatcher restore FILE",
        )
    else:
        yield Finding("journal", State.OK, f"{path} is sound; schema {seen.schema} of {seen.newest_schema}, {seen.mode.upper()}")
    if seen.mode != "wal":
        yield Finding(
            "journal", State.WARNING, f"its mode is {seen.mode}, not WAL", "move it to a local disk: WAL does not work on a network's"
        )
    yield _space(path)
    others = stat.S_IRWXG | stat.S_IRWXO
    if path.stat().st_mode & others:
        yield Finding("permissions", State.WARNING, f"others on this machine may read {path}", f"chmod 600 {path}")


def _space(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    text = f"{free / 1e6:,.0f} MB free"
    if free < NO_SPACE:
        return Finding("disk", State.FAILED, text, "make room: without any, nothing can be recorded")
    if free < LITTLE_SPACE:
        return Finding("disk", State.WARNING, text, "make room soon")
    return Finding("disk", State.OK, text)


def key_finding(raw: Raw | YouTubeError) -> Finding:
    """Whether YouTube is there and takes the key."""
    error = raw if isinstance(raw, YouTubeError) else None
    if isinstance(raw, Raw):
        if raw.status == 200:
            return Finding("YouTube", State.OK, "answers, and takes the key")
        error = classify(raw.status, raw.body, raw.headers)
    assert error is not None  # it is one or the other
    if error.act is Act.CLOSE_BUCKET:
        return Finding("YouTube", State.WARNING, meaning(error), "nothing: it goes on by itself, and nothing is lost")
    return Finding("YouTube", State.FAILED, str(error), meaning(error))


async def telegram_findings(settings: Settings) -> Iterator[Finding]:
    """Whether Telegram is there and takes the token, and whether a webhook is in the way."""
    token = settings.telegram.bot_token
    if token is None:
        return iter(())
    try:
        async with BotSetup(settings.telegram.base_url, token.reveal()) as api:
            bot, webhook = await api.get_me(), await api.webhook_info()
    except TelegramError as error:
        todo = "ytwatcher init --force takes a new token" if error.permanent else "check the connection, and telegram.base_url"
        return iter([Finding("Telegram", State.FAILED, str(error), todo)])
    found = [Finding("Telegram", State.OK, f"answers, and takes the token of @{bot.username}")]
    if webhook.host is None:
        found.append(Finding("webhook", State.OK, f"none is set; {counted(webhook.waiting, 'update')} to be fetched"))
    else:
        failing = f"; its last failure: {webhook.last_error}" if webhook.last_error else ""
        text = f"what people write to the bot goes to {webhook.host}{failing}. Sending is not touched by that"
        found.append(Finding("webhook", State.WARNING, text, "ytwatcher init --force offers to remove it"))
    return iter(found)
