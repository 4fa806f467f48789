"""Pictures, drawn by the real child process."""

from __future__ import annotations

import asyncio
import io
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from ytwatcher.charts import Chart, Point, Series, specification
from ytwatcher.drawing import SAMPLES, Pictures, serve
from ytwatcher.errors import OutsideError

AT = datetime(2026, 11, 24, tzinfo=UTC)
BOAT = specification(Chart("مرحبا 한국어 🎉", "views", [Series("a", [Point(AT, 1), Point(AT + timedelta(hours=1), 5)])]))


def drawing(work: Callable[[Pictures], Awaitable[None]], **more: timedelta) -> None:
    async def go() -> None:
        pictures = Pictures(**more)
        try:
            await work(pictures)
        finally:
            await pictures.close()

    asyncio.run(go())


def test_a_chart_becomes_a_png_of_twice_its_size_and_a_refused_one_harms_no_other() -> None:
    async def work(pictures: Pictures) -> None:
        first = await pictures.png(BOAT)
        assert first.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", first[16:24])
        assert (width, height) == (1280, 640)
        with pytest.raises(OutsideError, match="specification was refused"):
            await pictures.png({"mark": 7})
        assert await pictures.png(BOAT) == first

    drawing(work)


def test_scripts_without_a_font_are_named() -> None:
    async def work(pictures: Pictures) -> None:
        missing = await pictures.missing_scripts()
        assert set(missing) <= set(SAMPLES)

    drawing(work)


def test_the_child_ends_when_idle_and_is_started_anew() -> None:
    async def work(pictures: Pictures) -> None:
        await pictures.missing_scripts()
        child = pictures._child  # whether the child ended is what this test is about
        assert child is not None
        assert await asyncio.wait_for(child.wait(), 30) == 0
        assert await pictures.png(BOAT)

    drawing(work, idle=timedelta(milliseconds=1))


def test_who_takes_too_long_is_ended_with_a_word() -> None:
    async def work(pictures: Pictures) -> None:
        with pytest.raises(OutsideError, match="not drawn"):
            await pictures.png(BOAT)

    drawing(work, patience=timedelta(milliseconds=1))


def test_the_child_ends_with_its_input() -> None:
    answers = io.BytesIO()
    serve(io.BytesIO(b""), answers)
    assert answers.getvalue() == b""
