"""What people write to the bot, fetched and handled: nothing is skipped, nothing is applied twice, and nothing that cannot be
read stops what comes behind it.

What comes is kept in the journal, a whole batch in one transaction, before Telegram is told that it may forget it: so a slow answer to
one chat holds up no other's (lanes.py). It leaves the journal when it was handled. A process that is killed in between
handles it again after the next start, at most the one update of each chat that was in hand; what handlers do is made so that doing it
again changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog

from ytwatcher.clock import Clock
from ytwatcher.core.model import BIGGEST
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.retry import backoff
from ytwatcher.errors import StorageError
from ytwatcher.reader import Notify
from ytwatcher.store import conversation
from ytwatcher.store.conversation import Handled
from ytwatcher.store.db import Database
from ytwatcher.telegram.lanes import Lanes
from ytwatcher.telegram.setup import BotSetup, TelegramError

POLL_SECONDS = 45
"""How long Telegram may wait for an update before it says that there is none; it allows 50."""
OTHER_POLLER_PAUSE = timedelta(seconds=30)
NO_ACCESS_PAUSE = timedelta(minutes=5)
MOST_WAITING = 200
"""Updates that were not handled yet; while there are more, no further ones are fetched."""
IDLE_ROUNDS = 3
AT_ONCE = timedelta(seconds=1)
"""After so many answers in a row without anything new that came at once, the server is taken for one that does not wait for news (or brings
again and again what has no number and cannot be confirmed), and is asked less often."""
Handle = Callable[[Mapping[str, Any]], Awaitable[None]]
log = structlog.get_logger(__name__)


class UpdatePoller:
    """The loop. `handle` is given each update as it came; what it raises is stored with the update, which is then done with.

    Args:
        prepare: awaited before updates are asked for; a TelegramError of it counts as one of Telegram's answer to that.
        told: called when an update was handled: it may have brought news to send.
        seconds: the longest wait for an update.
    """

    def __init__(
        self,
        setup: BotSetup,
        db: Database,
        clock: Clock,
        prepare: Callable[[], Awaitable[None]],
        handle: Handle,
        notify: Notify,
        told: Callable[[], None],
        *,
        seconds: int = POLL_SECONDS,
    ) -> None:
        self._setup, self._db, self._clock, self._prepare, self._handle = setup, db, clock, prepare, handle
        self._notify, self._seconds = notify, seconds
        self.newest = 0
        """The update that was taken last."""
        self._failures = self._idle = 0
        self._lanes = Lanes(self._do, told)
        self._handled: list[Handled] = []
        self._taking: asyncio.Task[None] | None = None
        self._one_note = asyncio.Lock()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._lanes.length > 0

    async def run(self) -> None:
        """Fetch and handle for ever. Cancelled, it finishes the updates in hand; the next start does what was taken beside them.

        Raises:
            StorageError: nothing can be noted.
        """
        fetching = asyncio.create_task(self._fetch())
        try:
            await asyncio.wait((fetching, self._lanes.failed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            fetching.cancel()
            await asyncio.wait((fetching,))
            await self._lanes.close()
            if self._taking is not None:
                await asyncio.wait((self._taking,))
        await (fetching if not fetching.cancelled() else self._lanes.failed)

    async def _fetch(self) -> None:
        left = await self._db.read(conversation.taken)
        while left and (pause := await self._unprepared()) is not None:
            await self._clock.wait(self._clock.now() + pause)
        for body in left:
            await self._begin(json.loads(body))
        while True:
            await self._lanes.fewer_than(MOST_WAITING)
            pause = await self._round()
            if pause is not None:
                await self._clock.wait(self._clock.now() + pause)

    async def _unprepared(self) -> timedelta | None:
        """A pause where nothing can be handled yet."""
        try:
            await self._prepare()
        except TelegramError as error:
            return await self._failed(error)
        return None

    async def _round(self) -> timedelta | None:
        """One batch; a pause after a failure, and where the server brings nothing new without waiting for it."""
        offset, asked_at = await self._db.read(conversation.offset), self._clock.now()
        try:
            await self._prepare()
            found = await self._setup.updates(offset, self._seconds)
        except TelegramError as error:
            return await self._failed(error)
        self._failures = 0
        new = await self._take(found) if found else 0
        self._idle = self._idle + 1 if not new and self._clock.now() - asked_at < AT_ONCE else 0
        return backoff(self._idle - IDLE_ROUNDS, 0.5) if self._idle > IDLE_ROUNDS else None

    async def _take(self, found: Sequence[Mapping[str, Any]]) -> int:
        """Keep the new ones, which lets Telegram forget them, and begin with them meanwhile; how many there are."""
        numbered = {update["update_id"]: update for update in found if _has_number(update)}
        if len(numbered) < len(found):
            log.warning("update_without_number")
        new = await self._db.read(conversation.new, numbered)
        if not new:
            return 0
        bodies = {number: _written(numbered[number]) for number in new}
        # In the writer's queue before anything that is noted of these updates, as its task is the older one.
        self._taking = asyncio.create_task(self._db.write(conversation.take, bodies, self._clock.now()))
        try:
            for number in new:
                await self._begin(numbered[number])
                self.newest = number
        finally:
            await asyncio.shield(self._taking)
        return len(new)

    async def _begin(self, update: Mapping[str, Any]) -> None:
        """Side by side with other chats', but for the news that the bot was let in or thrown out somewhere: what is written elsewhere
        may be about that chat, so that it comes behind all that was before it, and before all else."""
        alone = "my_chat_member" in update
        if alone:
            await self._lanes.fewer_than(1)
        self._lanes.put(update)
        if alone:
            await self._lanes.fewer_than(1)

    async def _do(self, update: Mapping[str, Any]) -> None:
        update_id, fault = int(update["update_id"]), None
        try:
            await self._handle(update)
        except StorageError:
            raise  # nothing can be noted: it is handled again
        except Exception as error:  # the edge of an update: a poisonous one must not stop those behind it
            log.exception("update_quarantined", update=update_id, kinds=sorted(ascii(kind) for kind in update if kind != "update_id"))
            fault = type(error).__name__
        self._handled.append(Handled(update_id, fault))
        await self._note()

    async def _note(self) -> None:
        """One transaction for all that ended while the one before was written."""
        async with self._one_note:
            if self._taking is not None and not self._taking.done():
                await asyncio.wait((self._taking,))  # a full disk may hold up its write, and let one through that only deletes
            handled, self._handled = self._handled, []
            if handled:
                await self._db.write(conversation.done, handled, self._clock.now())

    async def _failed(self, error: TelegramError) -> timedelta:
        self._failures += 1
        log.warning("no_updates", reason=error.reason, error=str(error))
        day = f"{self._clock.now():%Y-%m-%d}"
        if error.reason == "conflict":
            kind, text = await self._conflict(error)
            await self._notify(f"bot-{kind}:{day}", text)
            return OTHER_POLLER_PAUSE
        if error.permanent:
            text = Phrase("{error}. Nobody can talk to the bot; `ytwatcher init --force` takes a new token.", error=error.phrase)
            await self._notify(f"bot-refused:{day}", text)
            return NO_ACCESS_PAUSE
        if error.reason == "error":
            text = Phrase("{error}. Nobody can talk to the bot as long as Telegram answers this.", error=error.phrase)
            await self._notify(f"bot-error:{day}", text)
        return backoff(self._failures, 0.5)

    async def _conflict(self, error: TelegramError) -> tuple[str, str]:
        """Who else takes the bot's updates, as far as Telegram says it: the kind of incident, and the words."""
        try:
            host = (await self._setup.webhook_info()).host
        except TelegramError:
            host = None
        if host is None and "webhook" not in str(error):
            return "conflict", Phrase(
                "Another program asks for this bot's updates with the same token; what people write may reach either. End one of the two."
            )
        return "webhook", Phrase(
            "A webhook on {host} takes this bot's updates, so that nobody can talk to it here;"
            " `ytwatcher init --force` offers to remove it.",
            host=host or Phrase("another server"),
        )


def _has_number(update: Mapping[str, Any]) -> bool:
    number = update.get("update_id")
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= BIGGEST


def _written(update: Mapping[str, Any]) -> str:
    """As JSON; of what is nested too deeply only the number stays."""
    try:
        return json.dumps(update)
    except RecursionError:
        return json.dumps({"update_id": update["update_id"]})
