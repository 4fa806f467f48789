"""An alert carries its chart where its recipient wants that; a picture is never in the alert's way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from outbox_stage import HOUR, SECOND, START, VIDEO, Stage, stage
from ytwatcher import pipeline
from ytwatcher.core.model import ChatId, Lane, Metric, Reading, RuleKind, SubjectId
from ytwatcher.drawing import Pictures
from ytwatcher.errors import OutsideError
from ytwatcher.notify.illustrator import Illustrator
from ytwatcher.pictures import Charts

ME, PNG = "telegram:1", b"\x89PNG picture"
OTHER = SubjectId("aaaaaaaaaaa")


class Drawn(Pictures):
    """Draws when `open` is set; `fault` is raised instead."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.asked = asyncio.Event(), 0
        self.open.set()
        self.fault: OutsideError | None = None

    async def png(self, specification: Mapping[str, Any], *, scale: float = 2.0) -> bytes:
        self.asked += 1
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        return PNG


def pictured(work: Callable[[Stage, Drawn], Awaitable[None]]) -> Callable[[Path], None]:
    """A stage on which `ME` wants pictures of a video that was read an hour ago."""

    def test(tmp_path: Path) -> None:
        async def go() -> None:
            async with stage(tmp_path) as s:
                drawn = Drawn()
                charts = Charts(s.db, s.clock, drawn)
                illustrator = Illustrator(charts, patience=timedelta(seconds=0.05 if work.__name__.startswith("test_late") else 5))
                s.dispatcher.illustrate = illustrator.picture
                await charts.wish(ME, with_alerts=True)
                await s.alert(ME)
                await s.run(5 * SECOND)  # the video is known from here on
                for at in (START - 2 * HOUR, START - HOUR):
                    reading = Reading(VIDEO, at, Lane.STATISTICS, {Metric.VIEWS: 900, Metric.LIKES: 10})
                    await s.db.write(pipeline.accept, [reading], at)
                s.telegram.messages.clear()
                await work(s, drawn)
                drawn.open.set()
                await illustrator.close()

        asyncio.run(go())

    test.__name__ = work.__name__
    return test


def photos(s: Stage) -> list[bytes | None]:
    return [message.photo for message in s.telegram.messages]


@pictured
async def test_an_alert_is_the_caption_of_its_chart(s: Stage, drawn: Drawn) -> None:
    await s.alert(ME)
    await s.run(5 * SECOND)
    assert photos(s) == [PNG]
    assert "A film" in s.told(1)[0]


@pictured
async def test_who_does_not_want_pictures_gets_none(s: Stage, drawn: Drawn) -> None:
    await s.alert("telegram:2")
    await s.run(5 * SECOND)
    assert (photos(s), drawn.asked) == ([None], 0)


@pictured
async def test_a_message_about_several_videos_or_about_no_number_has_no_picture(s: Stage, drawn: Drawn) -> None:
    await s.alert(ME)
    await s.alert(ME, subject=OTHER)
    await s.run(5 * SECOND)
    await s.alert(ME, kind=RuleKind.AVAILABILITY, metric=None, previous=None, current=None, facts=("vanished",))
    await s.run(5 * SECOND)
    assert (photos(s), drawn.asked) == ([None, None], 0)


@pictured
async def test_late_pictures_are_not_waited_for(s: Stage, drawn: Drawn) -> None:
    drawn.open.clear()
    await s.alert(ME)
    await s.run(5 * SECOND)
    assert photos(s) == [None]
    drawn.open.set()
    await s.alert(ME)
    await s.run(5 * SECOND)
    assert photos(s)[-1] == PNG


@pictured
async def test_a_chart_that_fails_costs_the_alert_nothing(s: Stage, drawn: Drawn) -> None:
    drawn.fault = OutsideError("the chart was not drawn", reason="not drawn")
    await s.alert(ME)
    await s.run(5 * SECOND)
    assert photos(s) == [None]


@pictured
async def test_a_chat_that_takes_no_pictures_gets_the_text(s: Stage, drawn: Drawn) -> None:
    drawn_one = await s.alert(ME)
    s.telegram.chats[ChatId(1)].may_send_photos = False
    await s.run(5 * SECOND)
    assert (photos(s), (await s.fate(drawn_one))[0]) == ([None], "sent")


@pictured
async def test_an_attempt_after_a_lost_answer_leaves_as_text(s: Stage, drawn: Drawn) -> None:
    s.telegram.fail("sendPhoto", "lostAnswer", times=1)
    await s.alert(ME)
    await s.run(5 * SECOND)
    assert photos(s) == [PNG, None]
    assert s.told(1)[1].startswith("↻")


@pictured
async def test_a_text_too_long_for_a_caption_leaves_without_its_picture(s: Stage, drawn: Drawn) -> None:
    for number in range(40):
        await s.alert(ME, f"likes every {number + 2}", kind=RuleKind.EVERY, mark=10, observed_at=START - number * SECOND)
    await s.run(5 * SECOND)
    assert [message.photo for message in s.telegram.messages if len(message.shown) > 1024] == [None]
