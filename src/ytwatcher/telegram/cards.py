"""Cards: one message with the numbers of a video as they are, edited in place when they change.

An edit counts in Telegram's limits as a message does, and alerts go first: a card takes a slot only where plenty of them are left.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog
from babel.dates import format_datetime
from babel.numbers import format_decimal
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Forbidden, TelegramError

from ytwatcher.clock import Clock
from ytwatcher.core import breaks
from ytwatcher.core.cleaning import clean, isolated
from ytwatcher.core.model import Metric, SubjectKind, from_ms
from ytwatcher.core.retry import Pace, backoff
from ytwatcher.core.sparkline import Stretch, in_force, sparkline
from ytwatcher.core.targets import channel_url, video_url
from ytwatcher.notify.slots import Slots
from ytwatcher.store import cards as stored
from ytwatcher.store.cards import Card
from ytwatcher.store.db import Database
from ytwatcher.telegram.sender import destination
from ytwatcher.telegram.texts import Say, Texts

EVERY = timedelta(minutes=5)
"""A card is edited at most so often."""
MOST_PER_CHAT = 10
AT_A_TIME = 50
AWAY = timedelta(hours=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WIDTH = 24
CHANNEL_ID = 24
PACE = Pace(timedelta(seconds=3), 10, 10)
"""Slower than alerts may be: a chat's card leaves room for its news."""
_METRICS = {
    SubjectKind.VIDEO: ((Metric.VIEWS, "👁"), (Metric.LIKES, "👍"), (Metric.COMMENTS, "💬")),
    SubjectKind.CHANNEL: ((Metric.SUBSCRIBERS, "👥"), (Metric.TOTAL_VIEWS, "👁"), (Metric.VIDEOS, "🎬")),
}
log = structlog.get_logger(__name__)


class Face(NamedTuple):
    """What a card says: `body` changes with the numbers, `text` has the time besides."""

    body: str
    text: str


class Cards:
    """Makes cards and keeps them. What goes wrong with one is retried later and later; it is never more than a card."""

    def __init__(self, db: Database, clock: Clock, slots: Slots) -> None:
        self.wake = asyncio.Event()
        self._db, self._clock, self._slots = db, clock, slots

    async def run(self, bot: Bot, texts: Texts) -> None:
        """Edit for ever what has changed."""
        while True:
            self.wake.clear()
            for card in await self._db.read(stored.due, self._clock.now(), AT_A_TIME):
                await self._refresh(card, bot, texts.of(card.language))
            await self._clock.wait(await self._db.read(stored.next_at), self.wake)

    async def keep(self, address: str, subject_id: str, message_id: int, face: Face) -> None:
        """The message is a card from now on."""
        await self._db.write(stored.put, address, subject_id, message_id, face.body, self._clock.now() + EVERY)
        self.wake.set()

    async def face(self, card: Card, say: Say) -> Face:
        return await self._db.read(face, card, say, self._clock.now())

    async def _refresh(self, card: Card, bot: Bot, say: Say) -> None:
        if not card.reachable:
            await self._db.write(stored.record, card, card.shown, self._clock.now() + AWAY)
            return
        if not card.watched:
            await self._part(card, bot, say)
            return
        looks = await self.face(card, say)
        if looks.body == card.shown:
            await self._db.write(stored.record, card, card.shown, self._clock.now() + EVERY)
            return
        await self._slot(card.address)
        try:
            await bot.edit_message_text(
                looks.text, destination(card.address)[0], card.message_id, reply_markup=buttons(card.subject_id, say)
            )
        except TelegramError as error:
            await self._failed(card, looks, error, bot, say)
        else:
            await self._db.write(stored.record, card, looks.body, self._clock.now() + EVERY)

    async def _failed(self, card: Card, looks: Face, error: TelegramError, bot: Bot, say: Say) -> None:
        now, text = self._clock.now(), str(error).lower()
        if "not modified" in text:  # an answer was lost: it is done
            await self._db.write(stored.record, card, looks.body, now + EVERY)
        elif isinstance(error, BadRequest) and ("to edit not found" in text or "can't be edited" in text or "message_id_invalid" in text):
            if await self._db.write(stored.end, card):
                gone = say("The card of {title} is gone, so I keep it up to date no longer. /card makes a new one.", title=name(card))
                chat, topic = destination(card.address)
                await _try(bot.send_message(chat, gone, message_thread_id=topic))
        else:
            pause = max(EVERY, AWAY if isinstance(error, Forbidden) else backoff(card.failures + 6, 1.0))
            log.warning("card_not_edited", to=card.address, error=type(error).__name__, pause=str(pause))
            await self._db.write(stored.record, card, card.shown, now + pause, card.failures + 1)

    async def _part(self, card: Card, bot: Bot, say: Say) -> None:
        """What it is about is watched no longer: the card says so, and stays as it is."""
        if await self._db.write(stored.end, card):
            await self._slot(card.address)
            ended = say("{title} is not watched any more; this card has ended.", title=name(card))
            await _try(bot.edit_message_text(ended, destination(card.address)[0], card.message_id))
            await _try(bot.unpin_chat_message(destination(card.address)[0], card.message_id))

    async def _slot(self, address: str) -> None:
        while (opens_at := self._slots.opens_at(address, PACE, self._clock.now())) > self._clock.now():
            await self._clock.wait(opens_at)


def face(con: sqlite3.Connection, card: Card, say: Say, now: datetime) -> Face:
    """What a card says now: each number, how it moved, and the curve of the first one."""
    metrics = _METRICS[card.kind]
    rows = stored.spans(con, card.subject_pk, [metric for metric, _ in metrics], now - DAY)
    url = video_url(card.subject_id) if card.kind is SubjectKind.VIDEO else channel_url(card.subject_id)  # type: ignore[arg-type]  # by its kind
    lines = [f'<b><a href="{escape(url)}">{escape(name(card), quote=False)}</a></b>']
    for place, (metric, sign) in enumerate(metrics):
        stretches = [Stretch(from_ms(row[0]), from_ms(row[1]), row[2 + place]) for row in rows]
        lines.append(f"{sign} {_number_line(stretches, metric, now, say)}")
        if place == 0 and stretches:
            clipped = [one._replace(from_at=max(one.from_at, now - DAY)) for one in stretches]
            curve = f"<code>{sparkline(clipped, metric, WIDTH)}</code>"
    body = "\n".join([*lines, *([curve] if rows else [])])
    at = format_datetime(now, "short", tzinfo=ZoneInfo(card.timezone), locale=card.language)
    return Face(body, f"{body}\n{say('as of {at}', at=at)}")


def _number_line(stretches: Sequence[Stretch], metric: Metric, now: datetime, say: Say) -> str:
    value = stretches[-1].value if stretches else None
    if value is None:
        return say("not known")
    moves = []
    for span, text in ((HOUR, say("1 h")), (DAY, say("24 h"))):
        before = in_force(stretches, now - span)
        if before is not None and not breaks.between(metric, now - span, now) and value != before:
            moves.append(f"{'+' if value > before else '−'}{_number(abs(value - before), say)} / {text}")
    return " · ".join([f"<b>{_number(value, say)}</b>", *moves])


def _number(value: int, say: Say) -> str:
    return format_decimal(value, locale=say.language)


def name(card: Card) -> str:
    return isolated(clean(card.title or "")) or card.subject_id


def buttons(subject_id: str, say: Say) -> InlineKeyboardMarkup:
    """What can be done from a card."""
    of_channel = subject_id.startswith("UC") and len(subject_id) == CHANNEL_ID
    chart = InlineKeyboardButton(say("Chart"), callback_data=f"chart:{subject_id}:24h:{'s' if of_channel else 'v'}")
    return InlineKeyboardMarkup([[chart, InlineKeyboardButton(say("End this card"), callback_data=f"card:end:{subject_id}")]])


async def _try(call: Awaitable[object]) -> None:
    """What is only said, or only tidies up, may fail."""
    with contextlib.suppress(TelegramError):
        await call
