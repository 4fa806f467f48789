"""What the commands share: settings, printing, the journal, and asking the process that holds the lease."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TextIO, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from ytwatcher import config
from ytwatcher.app import backup_folder, journal_path, open_app
from ytwatcher.clock import SystemClock
from ytwatcher.errors import LeaseError, YTWatcherError
from ytwatcher.log import Redactor, configure
from ytwatcher.setting_keys import hidden
from ytwatcher.settings import Settings
from ytwatcher.store import requests
from ytwatcher.store.db import Lease, open_journal, transaction

T = TypeVar("T")
PATIENCE = timedelta(seconds=10)
LOOK_EVERY = timedelta(milliseconds=100)


class RequestError(YTWatcherError):
    """The process that holds the lease refused a request; the text is its own."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass
class Context:
    """One call of a command. `out` is for results, `err` for progress and remarks; both without colour where nobody sees it."""

    settings: Settings
    out: Console
    err: Console
    console: TextIO | None = None
    """Where messages to the recipient `console` go when this call itself sends them; None: standard output."""

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    def print_json(self, value: object) -> None:
        """One JSON document on one line, for programs."""
        self.out.file.write(json.dumps(value, ensure_ascii=False) + "\n")

    def journal(self) -> AbstractContextManager[sqlite3.Connection]:
        """The journal for reading, one consistent snapshot; an empty one is made where there is none yet."""
        return self._opened("DEFERRED")

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """The journal in one transaction; a running process sees it with its next look."""
        return self._opened("IMMEDIATE")

    @contextmanager
    def _opened(self, mode: str) -> Iterator[sqlite3.Connection]:
        path = journal_path(self.settings)
        connection = open_journal(path)
        try:
            with transaction(connection, path, mode):
                yield connection
        finally:
            connection.close()

    def runs(self) -> bool:
        """Whether a process holds the lease at present."""
        lease = Lease(journal_path(self.settings))
        free = lease.take()
        lease.release()
        return not free

    def ask(self, kind: str, **payload: Any) -> Any:
        """Have it done by the process that holds the lease, or, without one, here and now.

        Raises:
            YTWatcherError: it was refused, or the process with the lease neither answered nor ended within 10 seconds.
        """
        lease = Lease(journal_path(self.settings))
        try:
            outcome = None if lease.take() else self._request(lease, kind, payload)
            if outcome is None:
                outcome = run(self._perform(kind, payload))
        finally:
            lease.release()
        if "error" in outcome:
            raise RequestError(outcome["error"], outcome["exit_code"])
        return outcome["ok"]

    async def _perform(self, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        async with open_app(self.settings, self.clock, out=self.console) as app:
            outcome = await app.perform(kind, payload)
            if kind.startswith("outbox"):
                await app.dispatcher.drain()
            return outcome

    def _request(self, lease: Lease, kind: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The answer of the process that holds the lease; None when it ended without one (it was a command, or died): the lease is ours."""
        path = journal_path(self.settings)
        connection = open_journal(path)
        try:
            with transaction(connection, path, "IMMEDIATE"):
                number = requests.put(connection, kind, payload, self.clock.now())
            return run(self._answer(connection, number, lease))
        finally:
            connection.close()

    async def _answer(self, connection: sqlite3.Connection, number: int, lease: Lease) -> dict[str, Any] | None:
        ends_at = self.clock.now() + PATIENCE
        while (now := self.clock.now()) < ends_at:
            ours = lease.take()
            if (outcome := requests.result(connection, number)) is not None:
                return outcome
            if ours:
                requests.withdraw(connection, number)
                return None
            await self.clock.wait(now + LOOK_EVERY)
        raise LeaseError("the process that works on this journal has not answered within 10 seconds; it is done as soon as one can")


def context(ctx: typer.Context, *, quiet: bool = False, to_file: bool = False) -> Context:
    """The context of the running command: the configuration read, the log set up.

    Args:
        quiet: the log holds errors only, unless the configuration asks for all of it: what a person shall know is printed.
        to_file: the log goes to `log.file` where that is set.

    Raises:
        ConfigError: the configuration has faults.
    """
    call = ctx.find_root().obj
    settings = config.load(call.config, call.data, os.environ)
    call.backups = backup_folder(settings)
    call.secrets.update(hidden(settings))
    level = "error" if quiet and settings.log.level != "debug" else settings.log.level
    configure(level, settings.log.format, Redactor(call.secrets), file=settings.log.file if to_file else None)
    err = Console(stderr=True)
    for warning in settings.warnings:
        err.print(Text(warning, style="yellow"))
    return Context(settings, Console(highlight=False), err)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end; Ctrl-C ends it with 130."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
