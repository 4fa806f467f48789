"""The bot: who may talk to it, and which handler answers what. Handlers parse, call a use case, and render; nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from telegram import LinkPreviewOptions, Update, error
from telegram.error import InvalidToken
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes, Defaults, ExtBot

from ytwatcher.core.phrases import Phrase
from ytwatcher.telegram import menu
from ytwatcher.telegram.desk import Desk, Handler, dead
from ytwatcher.telegram.handlers import access, alerts, answers, cards, charts, flood, greeting, policy, removing, rules, watching
from ytwatcher.telegram.request import AnswerRequest
from ytwatcher.telegram.setup import TelegramError
from ytwatcher.telegram.visit import Context

Room = Callable[[Desk], Sequence[Handler]]
"""What a module of `telegram/handlers` gives: its handlers, in the order in which they are tried."""
ROOMS: tuple[Room, ...] = (
    greeting.handlers,
    access.handlers,
    policy.handlers,
    alerts.handlers,
    charts.handlers,
    cards.handlers,
    rules.handlers,
    removing.handlers,
    watching.handlers,
)
GATE, FLOOD, ANSWERS = -3, -2, -1
"""The groups of handlers that come before all rooms: only chats that are served pass the gate, and nobody who floods; then questions get
their answers."""
log = structlog.get_logger(__name__)


class Bot:
    """Answers updates, those of different chats side by side. It is not connected before it is asked to; `close` ends it."""

    def __init__(self, base_url: str, token: str, request: AnswerRequest, desk: Desk, rooms: Sequence[Room] = ROOMS) -> None:
        url = f"{base_url.rstrip('/')}/bot"
        defaults = Defaults(parse_mode="HTML", link_preview_options=LinkPreviewOptions(is_disabled=True))
        bot = ExtBot(token, base_url=url, request=request, get_updates_request=request, defaults=defaults)
        contexts = ContextTypes(context=Context)
        self.application = Application.builder().bot(bot).context_types(contexts).updater(None).job_queue(None).build()
        self.application.add_handlers(list(access.gate(desk)), group=GATE)
        self.application.add_handler(flood.gate(desk), group=FLOOD)
        self.application.add_handler(answers.answers(desk), group=ANSWERS)
        handlers = [handler for room in rooms for handler in room(desk)]
        self.application.add_handlers([*handlers, CallbackQueryHandler(partial(dead, desk))])
        self.commands = frozenset(name for one in handlers if isinstance(one, CommandHandler) for name in one.commands)
        self.application.bot_data["commands"] = self.commands
        self._desk = desk
        self.application.add_error_handler(self._note)
        self._faults: dict[int, Exception] = {}
        self._ready = False

    async def handle(self, update: Mapping[str, Any]) -> None:
        """Answer one update as it came; `connect` was awaited before.

        Raises:
            Exception: what its handler raised, or what is wrong with the update.
        """
        read = Update.de_json(dict(update), self.application.bot)
        await self.application.process_update(read)
        if (fault := self._faults.pop(read.update_id, None)) is not None:
            raise fault

    async def show_menu(self) -> None:
        """Have Telegram show the commands; while it is away, the next start does."""
        try:
            await self.connect()
        except TelegramError as error:
            log.warning("menu_not_set", error=str(error))
            return
        chats = await self._desk.people.more_than_users()
        await menu.publish(self.application.bot, self._desk.db, self._desk.texts, self.commands, chats)

    async def close(self) -> None:
        if self._ready:
            await self.application.shutdown()
            self._ready = False

    async def connect(self) -> None:
        """Ask Telegram who the bot is, once.

        Raises:
            TelegramError: Telegram is away or refuses the token.
        """
        if self._ready:
            return
        try:
            await self.application.initialize()
        except InvalidToken:  # its own text has the token in it
            raise TelegramError(Phrase("Telegram refuses the bot token"), reason="refused", permanent=True) from None
        except error.TelegramError as fault:
            raise TelegramError(Phrase("Telegram does not answer ({fault})", fault=type(fault).__name__), reason="unreachable") from None
        self._ready = True

    async def _note(self, update: object, context: Context) -> None:
        """python-telegram-bot keeps to itself what handlers raise; the poller of updates has to know."""
        if isinstance(context.error, error.TelegramError):
            # What was asked for was done, only the answer is lost: to do it again would be worse.
            log.warning("answer_lost", error=str(context.error))
        elif context.error is not None and isinstance(update, Update):
            self._faults[update.update_id] = context.error
