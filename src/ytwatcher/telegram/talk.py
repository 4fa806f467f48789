"""The bot, wired: what people write reaches its handlers, and its answers leave in the budget that alerts have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ytwatcher.clock import Clock
from ytwatcher.notify.slots import Slots
from ytwatcher.people import People
from ytwatcher.pictures import Charts
from ytwatcher.reader import Notify
from ytwatcher.settings import Settings
from ytwatcher.store.access import Limits
from ytwatcher.store.db import Database
from ytwatcher.telegram.admins import Admins
from ytwatcher.telegram.bot import Bot
from ytwatcher.telegram.cards import Cards
from ytwatcher.telegram.desk import Desk
from ytwatcher.telegram.errands import Errands
from ytwatcher.telegram.request import AnswerRequest
from ytwatcher.telegram.setup import BotSetup
from ytwatcher.telegram.texts import Texts
from ytwatcher.telegram.updates import UpdatePoller
from ytwatcher.watches import Watches


@asynccontextmanager
async def open_talk(
    settings: Settings,
    db: Database,
    clock: Clock,
    watches: Watches,
    charts: Charts,
    slots: Slots,
    notify: Notify,
    told: Callable[[], None],
) -> AsyncIterator[Talk]:
    """The loop that answers people; the settings have a bot token."""
    telegram = settings.telegram
    assert telegram.bot_token is not None
    token = telegram.bot_token.reveal()
    people = People(db, clock, telegram.operator, Limits(**dict(settings.access)), telegram.language, telegram.timezone)
    errands, cards, texts = Errands(told), Cards(db, clock, slots), Texts()
    desk = Desk(db, clock, watches, texts, telegram.operator, people, Admins(clock), charts, settings, errands, cards)
    bot = Bot(telegram.base_url, token, AnswerRequest(clock, slots), desk)
    async with BotSetup(telegram.base_url, token) as setup:
        try:
            await bot.show_menu()
            poller = UpdatePoller(setup, db, clock, bot.connect, bot.handle, notify, told)
            yield Talk(poller, errands, partial(cards.run, bot.application.bot, texts))
        finally:
            await errands.close()
            await bot.close()


@dataclass(frozen=True, slots=True)
class Talk:
    """What goes on with people: their updates, what is done beside them, and the cards that are kept up to date."""

    poller: UpdatePoller
    errands: Errands
    keep_cards: Callable[[], Coroutine[Any, Any, None]]

    @property
    def newest(self) -> int:
        """The update that was taken last."""
        return self.poller.newest

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer, or for what is done beside it."""
        return self.poller.busy or self.errands.busy

    async def run(self) -> None:
        """For ever; the end of one loop is the end of both."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.poller.run(), name="updates")
            group.create_task(self.keep_cards(), name="cards")
