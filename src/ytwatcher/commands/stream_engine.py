"""Which engine a `stream` command is about, and what shall run there: the options, and what they mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from ytwatcher.commands.context import Context
from ytwatcher.errors import InputError
from ytwatcher.settings import Streaming
from ytwatcher.streaming.engines import deployment, open_flink, open_ksqldb
from ytwatcher.streaming.engines.plan import Deployment, Flavour
from ytwatcher.streaming.upgrade import Engine

T = TypeVar("T")


class EngineName(StrEnum):
    FLINK = "flink"
    KSQLDB = "ksqldb"


EngineOption = Annotated[EngineName | None, typer.Option("--engine", help="Which engine.", show_default="streaming.engine")]
FlavourOption = Annotated[Flavour, typer.Option("--flavour", help="Our statements, or the tutorial's unchanged (ksqlDB only).")]


def streaming_of(here: Context) -> Streaming:
    """The settings of the streaming way.

    Raises:
        InputError: it is off.
    """
    streaming = here.settings.streaming
    if streaming.bootstrap is None:
        raise InputError("streaming.bootstrap is not set; `ytwatcher stream init` asks for it, docs/streaming.md shows how to begin")
    return streaming


def chosen(here: Context, engine: EngineName | None) -> tuple[Streaming, EngineName]:
    """The settings, and the engine that was named or is configured.

    Raises:
        InputError: none is.
    """
    streaming = streaming_of(here)
    if engine is None and streaming.engine == "embedded":
        raise InputError("streaming.engine is embedded: name an engine, --engine flink or --engine ksqldb")
    return streaming, engine or EngineName(streaming.engine)


def wanted_on(
    streaming: Streaming,
    engine: EngineName,
    flavour: Flavour,
    chat_id: str,
    alerts_from: datetime | None = None,
    begin_with: str = "",
) -> Deployment:
    """What shall run.

    Raises:
        InputError: the options do not fit the engine.
    """
    if engine is EngineName.FLINK and flavour is Flavour.SEED:
        raise InputError("the tutorial's statements are ksqlDB's: --engine ksqldb --flavour seed")
    if engine is not EngineName.FLINK and begin_with:
        raise InputError("--begin-with is for Flink; ksqlDB keeps its state itself")
    return replace(deployment(streaming), alerts_from=alerts_from, flavour=flavour, chat_id=chat_id, begin_with=begin_with)


def opened(streaming: Streaming, which: EngineName, wanted: Deployment) -> AbstractAsyncContextManager[Engine]:
    """The engine with the deployment on it."""
    return open_flink(streaming, wanted) if which is EngineName.FLINK else open_ksqldb(streaming, wanted)


async def with_engine(streaming: Streaming, which: EngineName, wanted: Deployment, work: Callable[[Engine], Awaitable[T]]) -> T:
    async with opened(streaming, which, wanted) as engine:
        return await work(engine)


def time_of(text: str, now: datetime) -> datetime | None:
    """`now`, `all` (None), or the time that is meant.

    Raises:
        InputError: it is none, or has no zone.
    """
    if text in ("now", "all"):
        return now if text == "now" else None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InputError(f"“{text}” is not a time; write now, all, or a time with its zone like 2026-11-24T12:00Z")
    return found
