"""Alerts through Kafka Connect's HTTP Sink: Camel's on a real worker, against Telegram's double."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import httpx
import pytest

from connect_stage import BLOCKED, stage
from engine_stage import EngineStage, deployed, small_case
from served import CHAT, leaks, now
from stack_parts import needs, shared_stack
from ytwatcher.errors import OutsideError
from ytwatcher.streaming.codec import Decoder
from ytwatcher.streaming.connect import Flavour, configuration
from ytwatcher.streaming.vectors.bench import CANARIES, CANARY_CHAT
from ytwatcher.streaming.vectors.cases import Case
from ytwatcher.streaming.vectors.drive import send
from ytwatcher.streaming.verify import TITLE, verify


@needs("broker", "registry", "connect")
def test_every_alert_arrives_as_it_is_and_in_order() -> None:
    texts = [f"{number}: „Ümläut“ | \"quotes\" 'n' \\ <b>&amp;</b> 🎬🇩🇪\nviews 1 -> 2" for number in range(20)]
    with stage() as s:
        s.produce(*((CHAT, text) for text in texts))
        s.until_told(texts)
        assert s.told() == texts
        calls = s.services.do(lambda: list(s.services.telegram.calls))
    # The double reads a body as JSON only where its content type says so.
    assert [set(call.arguments) for call in calls] == [{"chat_id", "text"}] * 20


@needs("broker", "registry", "connect", "jobmanager", "taskmanager", "gateway")
def test_what_flink_finds_is_told_by_connect_in_the_embedded_judges_words() -> None:
    cases = [told_to(small_case(name), str(CHAT)) for name in TOLD]
    texts = [alert.text for case in cases for alert in case.expected]
    assert len(texts) > 12
    with stage(deployed=False) as s, EngineStage(s.streaming, canaries=CANARIES[:2]) as bench, deployed(s.streaming):
        s.services.do(lambda: s.services.telegram.add_chat(int(CANARY_CHAT)))
        s.connector(lambda connect: connect.deploy(s.config))
        send(bench, cases)
        s.until_told(texts)
        assert sorted(s.told()) == sorted(texts)
        with_engine = s.streaming.model_copy(update={"engine": "flink", "delivery": "connect"})
        stages = list(verify(with_engine, now, 60, str(CHAT)))
        assert [one.name for one in stages if one.seconds is not None] == ["yt_videos", "yt_changes", "telegram_outbound", "Connect"]
        [test] = s.told()[len(texts) :]
        assert test.startswith(f"Video: {TITLE} | Likes changed: ")
        s.connector(lambda connect: connect.remove())


TOLD = (
    "change: all four metrics in one reading",
    "every: several at once name the highest",
    "reach: beyond 32 bits",
    "milestones: a jump over several rungs names the highest",
    "milestones: large numbers, to the last digit",
    "title: emoji, quotes and pipes",
    "title: right to left",
    "title: changes in between",
)


def told_to(case: Case, chat: str) -> Case:
    """The same rules for another chat."""
    phases = [
        replace(phase, rules={video: [{**rule, "CHAT_ID": chat} for rule in rules] for video, rules in phase.rules.items()})
        for phase in case.phases
    ]
    return replace(case, phases=phases, expected=[replace(alert, chat_id=chat) for alert in case.expected])


@needs("broker", "registry", "connect")
def test_refusals_are_tried_again_then_buried_and_nothing_tells_the_token() -> None:
    with stage() as s:
        s.services.do(lambda: s.services.telegram.fail("sendMessage", "tooMany429", times=1, retry_after=1))
        s.services.do(lambda: s.services.telegram.block(BLOCKED))
        s.produce((CHAT, "first"), (BLOCKED, "refused"), (CHAT, "second"))
        s.until_told(["first", "second"])
        s.services.do(lambda: s.services.telegram.fail("sendMessage", "restart500", times=2))
        s.produce((CHAT, "third"))
        s.until_told(["third"])
        statuses = [call.status for call in s.services.do(lambda: list(s.services.telegram.calls))]
        buried = s.buried(1)
        with closing(Decoder(s.streaming, s.names.outbound)) as decoder:
            assert decoder.decode(buried[0].value())["text"] == "refused"
        status = s.connector(lambda connect: connect.status())
        rest = [
            httpx.get(f"{s.streaming.connect_url}/connectors/{s.streaming.prefix}telegram/{what}").text for what in ("config", "status")
        ]
    assert s.told() == ["first", "second", "third"]
    assert 429 in statuses
    assert statuses.count(403) == 6  # the limit that is told: a blocked chat is tried again as well
    assert statuses.count(500) == 2
    assert buried[0].headers() is None
    assert status is not None
    assert status.runs
    assert not leaks("".join(rest))
    assert not leaks(shared_stack().log("connect").read_text())


@needs("broker", "registry", "connect")
def test_a_killed_worker_goes_on_and_may_only_repeat() -> None:
    texts = [f"number {number}" for number in range(40)]
    with stage() as s:
        s.produce(*((CHAT, text) for text in texts[:20]))
        s.until_told(texts[:5])
        shared_stack().kill("connect")
        s.produce(*((CHAT, text) for text in texts[20:]))
        shared_stack().start("connect")
        s.until_told(texts)
        told = s.told()
    again = len(told) - len(texts)
    print(f"{again} of {len(texts)} were told twice")
    assert again <= 20
    assert list(dict.fromkeys(told)) == texts


@needs("broker", "registry", "connect")
def test_what_connect_cannot_run_is_said_before_anything_is_made() -> None:
    with stage() as s:
        unknown = s.config | {"camel.sink.url": "http://127.0.0.1:1/bot${env:TELEGRAM_UNSET}/sendMessage?httpMethod=POST"}
        with pytest.raises(OutsideError, match=r"\$\{env:TELEGRAM_UNSET\}"):
            s.connector(lambda connect: connect.deploy(unknown))
        aiven = configuration(s.streaming, Flavour.AIVEN, s.services.telegram_url)
        with pytest.raises(OutsideError, match=r"has no connector io\.aiven"):
            s.connector(lambda connect: connect.deploy(aiven))
        assert s.connector(lambda connect: connect.current()) == s.config
        s.connector(lambda connect: connect.restart())
        assert s.connector(lambda connect: connect.remove())
        assert s.connector(lambda connect: connect.status()) is None
        assert not s.connector(lambda connect: connect.remove())
        with pytest.raises(OutsideError, match="has no connector"):
            s.connector(lambda connect: connect.restart())
