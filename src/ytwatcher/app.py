"""Builds everything in one straight line and runs the loops; one of them serves what commands beside it want."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import httpx
import structlog

from ytwatcher import backups, upkeep
from ytwatcher.clock import Clock
from ytwatcher.config import load as load_settings
from ytwatcher.core.addresses import SERVICE
from ytwatcher.core.model import RuleKind
from ytwatcher.core.phrases import Phrase, Spoken, in_english
from ytwatcher.core.render import Limits
from ytwatcher.core.schedule import Settings as PollSettings
from ytwatcher.core.words import USUAL, Text
from ytwatcher.deadman import Deadman
from ytwatcher.declared import Declared
from ytwatcher.drawing import Pictures
from ytwatcher.errors import ConfigError, DamageError
from ytwatcher.notify.console import ConsoleSender
from ytwatcher.notify.delivery import DeliveryError, Outgoing, Sender
from ytwatcher.notify.dispatcher import Dispatcher
from ytwatcher.notify.illustrator import Illustrator
from ytwatcher.notify.slots import scheme_of
from ytwatcher.outlook import terms
from ytwatcher.pictures import Charts
from ytwatcher.poller import Poller
from ytwatcher.reader import Reader
from ytwatcher.requested import Requested, know_recipient
from ytwatcher.settings import Settings
from ytwatcher.silence import SILENCE, Silence
from ytwatcher.store import mirror, readings, rebase, recipients, requests, subjects
from ytwatcher.store.db import Database
from ytwatcher.telegram.sender import TelegramSender
from ytwatcher.telegram.texts import Texts
from ytwatcher.watches import Defaults, Watches
from ytwatcher.youtube.client import YouTubeClient

JOURNAL = "ytwatcher.db"
LOOK_FOR_REQUESTS = timedelta(seconds=0.5)
HOUSEKEEPING = timedelta(days=1)
NO_KEY = "unset"
Loop = Callable[[], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)


def journal_path(settings: Settings) -> Path:
    """Where the journal is; its folder is made.

    Raises:
        ConfigError: the folder cannot be made.
        DamageError: there is no journal, or an empty file in its place, although there are backups of one.
    """
    path = journal_place(settings)
    if (not path.exists() or not path.stat().st_size) and backups.newest(backup_folder(settings)) is not None:
        what = "is empty" if path.exists() else "is not there"
        raise DamageError(f"{path}: the journal {what}, though there are backups; to begin without them, move them away")
    return path


def backup_folder(settings: Settings) -> Path:
    """Where backups go that nobody gave another place."""
    return settings.data.dir / (settings.backup.dir or Path("backups")).expanduser()


def journal_place(settings: Settings) -> Path:
    """Where the journal is or will be, whatever is there now; its folder is made.

    Raises:
        ConfigError: the folder cannot be made.
    """
    folder = settings.data.dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError([f"data.dir: {folder} cannot be made: {error.strerror}; name another with --data DIR"]) from error
    return folder / JOURNAL


def require_key(settings: Settings) -> None:
    """See that there is an API key to read with.

    Raises:
        ConfigError: there is none.
    """
    if settings.youtube.api_key is None:
        raise ConfigError(["youtube.api_key: is not set; `ytwatcher init` asks for it, `ytwatcher demo` shows everything without one"])


@dataclass(slots=True)
class App:
    """Everything that works on one journal; made by `open_app`."""

    settings: Settings
    clock: Clock
    db: Database
    reader: Reader
    poller: Poller
    dispatcher: Dispatcher
    watches: Watches
    charts: Charts
    senders: Mapping[str, Sender]
    requested: Requested
    look_every: timedelta | None = LOOK_FOR_REQUESTS
    spoken: Spoken = in_english
    beside: Sequence[Loop] = ()
    talk: Any = None
    """What answers people (telegram/talk.py), while `run` runs."""
    listener: socket.socket | None = None
    """Where the pages are served, as long as `run` runs; None: nowhere."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """Finish the jobs in hand, record them, and leave."""
        self._stopping.set()
        self.poller.stop()

    async def run(self) -> None:
        """Run all loops until `stop`; a loop that dies ends them all, loudly."""
        self.db.when_full = upkeep.Room(self.clock, self._say_to_operator, self.tell_operator, self._stopping).wait
        await know_recipient(self.db, self.settings, self.settings.telegram.operator)
        await self._pull_back_the_future()
        await self.db.write(mirror.set_engine, self.settings.streaming.engine if self.settings.streaming.bootstrap else "embedded")
        async with asyncio.TaskGroup() as group:
            poller = group.create_task(self.poller.run(), name="poller")
            loops = (self.dispatcher.run, self._serve, self._keep_house, *self._backups(), *self._bot(), *self._pages(), *self.beside)
            others = [group.create_task(loop(), name=loop.__qualname__) for loop in loops]
            log.info("running", journal=str(self.db.path))
            await self._stopping.wait()
            await poller
            for task in others:
                task.cancel()
        log.info("stopped")

    def _backups(self) -> Sequence[Loop]:
        every = self.settings.backup.every
        if every is None:
            return ()
        schedule = upkeep.Schedule(backup_folder(self.settings), every, self.settings.backup.keep)

        async def keep_backups() -> None:
            await upkeep.keep_backups(self.db.path, schedule, self.clock, self.tell_operator)

        return (keep_backups,)

    async def _pull_back_the_future(self) -> None:
        """State that lies ahead of the clock (it was wrong once) would make every reading late."""
        pulled = await self.db.write(rebase.rebase_future, self.clock.now())
        if pulled:
            now = self.clock.now()
            text = Phrase(
                "{n} subjects had readings in the future: the clock was wrong once. They were pulled back to now; check the clock.",
                n=pulled,
            )
            await self.tell_operator(f"future:{now:%Y-%m-%dT%H:%M}", text)

    async def tell_operator(self, key: str, text: str) -> None:
        """A notice about the service itself, once per incident."""
        if await self.db.write(recipients.add_notice, key, text, self.settings.telegram.operator, self.clock.now()):
            log.warning("operator_told", incident=key)
            self.dispatcher.wake.set()

    async def _say_to_operator(self, text: str) -> None:
        """Past the journal, when nothing can be written there: once, and as well as it goes."""
        operator = self.settings.telegram.operator
        try:
            if (sender := self.senders.get(scheme_of(operator))) is not None:
                found = await self.db.read(recipients.find, operator)
                speak = self.spoken(found.recipient.language if found else self.settings.telegram.language)
                await sender.send(operator, Outgoing(None, speak(text)))
        except DeliveryError as error:
            log.warning("operator_not_reached", error=str(error))

    async def _serve(self) -> None:
        """Answer the requests of commands that run beside this process."""
        while True:
            for request in await self.db.read(requests.waiting):
                result = await self.perform(request.kind, request.payload)
                await self.db.write(requests.answer, request.pk, result, self.clock.now())
            await self.clock.wait(self.clock.now() + self.look_every if self.look_every else None, asyncio.Event())

    async def _keep_house(self) -> None:
        """Once a day: forget what is older than the retention."""
        while True:
            deleted = await self.db.write(readings.prune, self.clock.now(), self.settings.storage.retention)
            released = await self.db.write(subjects.release_unwatched)
            log.info("kept_house", readings_deleted=deleted, subjects_released=released)
            await self.clock.wait(self.clock.now() + HOUSEKEEPING, asyncio.Event())

    def _bot(self) -> Sequence[Loop]:
        telegram = self.settings.telegram
        return (self._talk,) if telegram.bot and telegram.bot_token is not None else ()

    async def _talk(self) -> None:
        """Answer what people write to the bot. It takes 0.4 s to load, which a command that only asks need not wait for."""
        talk = import_module("ytwatcher.telegram.talk")
        told = self.dispatcher.wake.set
        opened = talk.open_talk(
            self.settings, self.db, self.clock, self.watches, self.charts, self.dispatcher.slots, self.tell_operator, told
        )
        async with opened as self.talk:
            await self.talk.run()

    def _pages(self) -> Sequence[Loop]:
        return (self._show,) if self.listener is not None else ()

    async def _show(self) -> None:
        """Serve the pages and the API."""
        pulses = {"poller": self.poller.pulse, "dispatcher": self.dispatcher.pulse}
        opening = _extra("ytwatcher.web.opening", "web", "web.listen: the web server")
        await opening.show(self.settings, self.db, self.clock, self.watches, self.perform, pulses, self.listener)

    async def perform(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Do what a command wants: `{"ok": …}`, or `{"error": text, "exit_code": n}`."""
        return await self.requested.perform(kind, payload)


@asynccontextmanager
async def open_delivery(
    settings: Settings,
    clock: Clock,
    path: Path,
    out: TextIO,
    *,
    as_json: bool = False,
    limits: Limits | None = None,
    buttons: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[tuple[Database, Dispatcher, Mapping[str, Sender]]]:
    """The journal and what sends from it: the part that a replay and a test message need."""
    async with AsyncExitStack() as stack:
        db = Database(path)
        stack.callback(db.close)
        senders: dict[str, Sender] = {"console": ConsoleSender(out, as_json=as_json)}
        token = settings.telegram.bot_token
        if token is not None:
            senders["telegram"] = await stack.enter_async_context(
                TelegramSender(settings.telegram.base_url, token.reveal(), Texts() if buttons else None, transport=transport)
            )
        senders |= open_services(settings)
        operator, texts = settings.telegram.operator, _texts(settings)
        yield db, Dispatcher(db, clock, senders, operator, limits=limits, texts=texts, spoken=Texts().spoken), senders


@asynccontextmanager
async def open_app(
    settings: Settings,
    clock: Clock,
    *,
    out: TextIO | None = None,
    look_every: timedelta | None = LOOK_FOR_REQUESTS,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[App]:
    """Everything, wired. The caller holds the lease.

    Args:
        out: where the console recipient's messages go; None: standard output.
        look_every: how often requests of other processes are looked for; None: never (a test without them).
        transport: what carries readings and messages; None: the network.
    """
    async with AsyncExitStack() as stack:
        delivery = open_delivery(
            settings, clock, journal_path(settings), out or sys.stdout, buttons=settings.telegram.bot, transport=transport
        )
        db, dispatcher, senders = await stack.enter_async_context(delivery)
        youtube = settings.youtube
        key = youtube.api_key.reveal() if youtube.api_key else NO_KEY
        client = await stack.enter_async_context(YouTubeClient(youtube.base_url, key, key_in=youtube.key_in, transport=transport))

        async def tell_operator(incident: str, text: str) -> None:
            await app.tell_operator(incident, text)

        reader = Reader(db, client, clock, terms(settings), tell_operator)
        poll = PollSettings(settings.poll.min_interval, settings.poll.max_interval)
        told, silence = dispatcher.wake.set, Silence(clock, dispatcher, tell_operator)
        way = None
        if settings.streaming.bootstrap:
            build = _extra("ytwatcher.streaming.way", "kafka", "streaming.bootstrap: Kafka's client").build
            way = build(db, clock, settings.streaming, tell_operator, told)
        poller = Poller(db, reader, clock, poll, silence, told, tell_operator, published=way.published if way else None)
        defaults = Defaults(settings.telegram.language, settings.telegram.timezone)
        watches = Watches(db, reader, clock, poller.read_now, defaults)
        drawing = Pictures()
        stack.push_async_callback(drawing.close)
        spoken = Texts().spoken
        charts = Charts(db, clock, drawing, spoken)
        illustrator = Illustrator(charts)
        stack.push_async_callback(illustrator.close)
        dispatcher.illustrate = illustrator.picture
        requested = Requested(settings, clock, db, poller, dispatcher, watches, senders, way.handlers if way else {})
        app = App(settings, clock, db, reader, poller, dispatcher, watches, charts, senders, requested, look_every, spoken)
        app.beside = (*(way.loops if way else ()), *_operating(app))
        yield app


def _operating(app: App) -> Iterator[Loop]:
    """What follows the configuration file, and who is called while all is well."""
    settings = app.settings
    if (file := settings.file) is not None:
        reload = partial(load_settings, file, settings.data.dir, os.environ)
        yield Declared(settings, file, reload, app.db, app.watches, app.clock, app.requested.check_reachable, app.tell_operator).run
    if settings.deadman.url is not None:
        fresh = max(SILENCE, 2 * settings.poll.min_interval)
        yield Deadman(settings.deadman.url, fresh, app.db, app.clock).run


def open_services(settings: Settings) -> dict[str, Sender]:
    """What sends to the services of the configuration. Apprise is loaded only where there are any.

    Raises:
        ConfigError: Apprise is not installed, or does not take an address.
    """
    if not settings.services:
        return {}
    return {SERVICE: _extra("ytwatcher.notify.services", "channels", "services: Apprise").ServiceSender(settings.services)}


def _texts(settings: Settings) -> Mapping[RuleKind, Text]:
    """The operator's own words. Jinja2 is loaded only where there are any."""
    if not settings.templates:
        return USUAL
    templates = import_module("ytwatcher.core.templates")
    return {kind: templates.compile_template(kind, source) for kind, source in settings.templates.items()}


def _extra(module: str, extra: str, what: str) -> Any:
    """A part whose libraries are an extra, and weigh something: it is loaded only where it is configured.

    Raises:
        ConfigError: they are not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError([f"{what} is not installed ({error.name} is missing); install ytwatcher[{extra}]"]) from error
