from __future__ import annotations

import asyncio
import io
import json
import os
from pathlib import Path

import pytest

from outbox_stage import MINUTE, START, Stage, stage
from ytwatcher.core.model import Metric, RuleKind
from ytwatcher.core.retry import UNPACED
from ytwatcher.notify.console import ConsoleSender
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing
from ytwatcher.store import recipients


async def some_news(s: Stage) -> None:
    await s.alert("console", "views change", metric=Metric.VIEWS, previous=998, current=1034)
    await s.alert("console", "views every 1000", kind=RuleKind.EVERY, metric=Metric.VIEWS, previous=998, current=1034, mark=1000)
    await s.db.write(recipients.add_notice, "key", "The key was refused.", "console", s.clock.now())
    await s.drain()


def test_a_person_reads_messages_as_plain_text(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            out = io.StringIO()
            s.senders["console"] = ConsoleSender(out)
            await some_news(s)
            assert out.getvalue() == (
                "A film\nhttps://youtu.be/jNQXAC9IVRw\n🎉 Views passed 1,000: 998 → 1,034 (+36 in 0 sec)"
                " · rules: views every 1000; views change\n\n🔧 The key was refused.\n\n"
            )

    asyncio.run(go())


def test_a_program_reads_every_alert_as_one_json_line_also_of_the_same_news(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            out = io.StringIO()
            s.senders["console"] = ConsoleSender(out, as_json=True)
            await some_news(s)
            found = [json.loads(line) for line in out.getvalue().splitlines()]
            common = {
                "video_id": "jNQXAC9IVRw",
                "metric": "views",
                "previous": 998,
                "current": 1034,
                "observed_at": "2026-11-24T10:00:00.000Z",
            }
            assert found[:2] == [
                {
                    "id": "r1:jNQXAC9IVRw:1795514400000",
                    "rule": "views change",
                    **common,
                    "text": "Video: A film | Views changed: 998 -> 1034 | https://youtu.be/jNQXAC9IVRw",
                },
                {
                    "id": "r2:jNQXAC9IVRw:1795514400000",
                    "rule": "views every 1000",
                    **common,
                    "text": "Video: A film | Views passed 1000: now 1034 | https://youtu.be/jNQXAC9IVRw",
                },
            ]
            assert found[2]["id"] == "notice:key"
            assert found[2]["text"] == "The key was refused."
            assert set(found[2]) == set(found[0])

    asyncio.run(go())


def test_a_closed_pipe_loses_the_console_until_the_next_process(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            reading, writing = os.pipe()
            os.close(reading)
            out = os.fdopen(writing, "w")
            s.senders["console"] = ConsoleSender(out)
            await s.alert("console")
            await s.drain()
            assert (await s.recipient("console")).state == "lost"
            with pytest.raises(BrokenPipeError):
                out.close()
            s.senders["console"] = ConsoleSender(fresh := io.StringIO())
            s.dispatcher = s.new_dispatcher()
            await s.alert("console", observed_at=START + MINUTE)
            await s.drain()
            assert s.told(99) == []  # whoever closed the pipe knows
            assert "Likes: 2 → 3" in fresh.getvalue()

    asyncio.run(go())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_an_output_that_cannot_be_written_for_now_is_tried_again() -> None:
    async def go(sender: ConsoleSender) -> None:
        with pytest.raises(DeliveryError) as caught:
            await sender.send("console", Outgoing("x", "x"))
        assert caught.value.failure is Failure.UNREACHABLE
        assert await sender.alive()
        assert sender.pace("console") == UNPACED

    with pytest.raises(OSError, match="No space"), Path("/dev/full").open("w") as out:  # closing tries once more
        asyncio.run(go(ConsoleSender(out)))


def test_the_console_waits_like_everyone_while_the_gate_is_shut(tmp_path: Path) -> None:
    async def go() -> None:
        async with stage(tmp_path) as s:
            out = io.StringIO()
            s.senders["console"] = ConsoleSender(out)
            s.dispatcher.hold()
            await s.alert("console")
            await s.run(MINUTE)
            assert out.getvalue() == ""

    asyncio.run(go())
