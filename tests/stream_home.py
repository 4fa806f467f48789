"""A person who calls `ytwatcher stream`, and the double of ksqlDB served for that."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner, Result

from served import Home
from stack import Part
from stack_parts import shared_stack
from ytwatcher.cli import Call
from ytwatcher.cli import app as program
from ytwatcher.errors import InputError
from ytwatcher.setting_keys import variable
from ytwatcher.settings import Streaming
from ytwatcher.simulator.ksqldb import KsqlDbDouble
from ytwatcher.simulator.server import serve

KAFKA: tuple[Part, ...] = ("broker", "registry")
FLINK: tuple[Part, ...] = (*KAFKA, "jobmanager", "taskmanager", "gateway")


def person(folder: Path, **streaming: object) -> Home:
    env = {variable(f"streaming.{name}"): str(value) for name, value in streaming.items() if value is not None}
    return Home(folder, {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "160", **env})


def of(folder: Path, streaming: Streaming, **more: object) -> Home:
    addresses = shared_stack().addresses()
    return person(
        folder,
        bootstrap=streaming.bootstrap,
        registry_url=streaming.registry_url,
        prefix=streaming.prefix,
        partitions=streaming.partitions,
        flink_url=addresses.flink,
        flink_gateway_url=addresses.gateway,
        **more,
    )


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@contextmanager
def served(double: KsqlDbDouble) -> Iterator[str]:
    """The double in a thread, for commands that run in processes of their own."""
    ready, url = threading.Event(), ""

    async def go() -> None:
        nonlocal url
        async with serve(double.app()) as url:
            ready.set()
            await stop.wait()

    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(go()))
    thread.start()
    try:
        assert ready.wait(120)
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def called(me: Home, *args: str) -> Result:
    """The command in this process, for that is quick; its standard output is `stdout`, what it raises `exception`."""
    return CliRunner().invoke(program, ["stream", *args], env=me.env, obj=Call())


def refusal(me: Home, *args: str) -> str:
    """The InputError that the command ends with."""
    outcome = called(me, *args)
    assert isinstance(outcome.exception, InputError), outcome
    return str(outcome.exception)
