"""What Telegram's answers mean, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ytwatcher.core.retry import TELEGRAM_GROUP, TELEGRAM_PRIVATE
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing
from ytwatcher.simulator import TelegramDouble, serve
from ytwatcher.telegram import sender as telegram_sender
from ytwatcher.telegram.sender import TelegramSender, classify, destination

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
CANARY = "123456789:AACanaryCanaryCanaryCanaryCanaryCan"
MESSAGE = Outgoing("<b>Hello</b>", "Hello")
RECORDED = Path(__file__).parents[3] / "shared" / "fixtures" / "telegram" / "transcribed" / "errors.json"


def bad(description: str, code: int = 400, **parameters: Any) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": description, "parameters": parameters}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (bad("Bad Request: can't parse entities: Unmatched end tag"), Failure.MARKUP),
        (bad("Bad Request: chat not found"), Failure.LOST),
        (bad("Bad Request: message is too long"), Failure.REFUSED),
        (bad("Bad Request: not enough rights to send text messages to the chat"), Failure.NEEDS_ADMIN),
        (bad("Bad Request: need administrator rights in the channel chat"), Failure.NEEDS_ADMIN),
        (bad("Bad Request: have no write access to the chat"), Failure.NEEDS_ADMIN),
        (bad("Bad Request: CHAT_ADMIN_REQUIRED"), Failure.NEEDS_ADMIN),
        (bad("Bad Request: TOPIC_CLOSED"), Failure.NEEDS_ADMIN),
        (bad("Bad Request: message thread not found"), Failure.NEEDS_ADMIN),
        (bad("Bad Request: group chat was upgraded", migrate_to_chat_id=-1001), Failure.MOVED),
        (bad("Unauthorized", 401), Failure.NO_ACCESS),
        (bad("Not Found", 404), Failure.NO_ACCESS),
        (bad("Forbidden: bot was kicked from the channel chat", 403), Failure.LOST),
        (bad("Too Many Requests: retry after 17", 429, retry_after=17), Failure.TOO_FAST),
        (bad("Too Many Requests", 429), Failure.TOO_FAST),
        (bad("Internal Server Error: restart", 500), Failure.UNREACHABLE),
        ({"ok": False, "parameters": None, "description": 5}, Failure.UNREACHABLE),
        ({"ok": False, "error_code": [400]}, Failure.UNREACHABLE),
        (bad("group chat was upgraded", migrate_to_chat_id=True), Failure.REFUSED),
        (bad("Too Many Requests", 429, retry_after=10**30), Failure.TOO_FAST),
    ],
)
def test_each_error_is_sorted_by_what_follows_from_it(answer: dict[str, Any], failure: Failure) -> None:
    code = answer.get("error_code")
    error = classify(code if isinstance(code, int) else 500, answer)
    assert error.failure is failure
    assert error.permanent is (failure in (Failure.LOST, Failure.REFUSED))
    assert error.unknown is False


def test_what_an_error_asks_for_is_kept() -> None:
    assert classify(429, bad("Too Many Requests", 429, retry_after=17)).retry_after == timedelta(seconds=17)
    assert classify(400, bad("upgraded", migrate_to_chat_id=-1001)).migrate_to == "telegram:-1001"


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded errors are not on this machine")
def test_every_recorded_error_that_sending_can_meet_is_known() -> None:
    expected = {"400": Failure.REFUSED, "401": Failure.NO_ACCESS, "403": Failure.LOST, "404": Failure.NO_ACCESS, "429": Failure.TOO_FAST}
    special = {
        "cant_parse_entities": Failure.MARKUP,
        "chat_not_found": Failure.LOST,
        "message_thread_not_found": Failure.NEEDS_ADMIN,
        "migrate_to_chat_id": Failure.MOVED,
        "not_enough_rights": Failure.NEEDS_ADMIN,
    }
    for name, entry in json.loads(RECORDED.read_text(encoding="utf-8")).items():
        _, code, what = name.split("_", 2)
        if code != "409":  # of getUpdates only
            assert classify(entry["http_status"], entry["body"]).failure is special.get(what, expected[code]), name


def test_addresses_name_a_chat_and_its_topic() -> None:
    assert destination("telegram:-5481438232") == (-5481438232, None)
    assert destination("telegram:-1001:7") == (-1001, 7)
    assert destination("telegram:-1001:1") == (-1001, None)


def against(app: Starlette, what: Callable[[TelegramSender], Awaitable[None]], token: str = CANARY) -> None:
    async def go() -> None:
        async with serve(app) as url, TelegramSender(url, token) as sender:
            await what(sender)

    asyncio.run(go())


def answering(status: int, body: bytes) -> Starlette:
    async def answer(_: Request) -> Response:
        return Response(body, status)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


async def fails(sender: TelegramSender) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sender.send("telegram:1", MESSAGE)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert "bot1" not in repr(caught.value) + repr(sender)
    return caught.value


@pytest.mark.parametrize(
    "body", [b'{"ok":true}', b'{"ok":true,"result":true}', b'{"ok":true,"result":{"message_id":7,"reactions":{"type":"unheard of"}}}']
)
def test_an_answer_that_says_ok_means_sent_whatever_its_shape(body: bytes) -> None:
    async def what(sender: TelegramSender) -> None:
        assert (await sender.send("telegram:1", MESSAGE)).remote_id in (None, "7")
        assert await sender.alive()

    against(answering(200, body), what)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (502, b"<html>Bad Gateway</html>", Failure.UNKNOWN),
        (502, b'{"ok":false,"error_code":502,"description":"Bad Gateway"}', Failure.UNKNOWN),
        (504, b'{"ok":false,"error_code":504,"description":"Gateway Timeout"}', Failure.UNKNOWN),
        (200, b'{"ok":tr', Failure.UNKNOWN),
        (200, b"[]", Failure.UNKNOWN),
        (429, b"slow down", Failure.TOO_FAST),
        (503, b'{"ok":false,"error_code":503,"description":"Service Unavailable"}', Failure.UNREACHABLE),
    ],
)
def test_only_telegrams_own_no_means_not_sent(status: int, body: bytes, failure: Failure) -> None:
    async def what(sender: TelegramSender) -> None:
        assert (await fails(sender)).failure is failure
        assert not await sender.alive()

    against(answering(status, body), what)


def test_a_server_that_is_not_there_was_not_reached() -> None:
    async def go() -> None:
        async with serve(answering(200, b"")) as url:
            pass
        async with TelegramSender(url, CANARY) as sender:
            assert (await fails(sender)).failure is Failure.UNREACHABLE

    asyncio.run(go())


def test_an_answer_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_sender, "LONGEST_CALL", 0.3)
    cut = asyncio.Event()

    async def drips(_: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            with contextlib.suppress(TimeoutError):
                while not cut.is_set():
                    yield b" "
                    await asyncio.wait_for(cut.wait(), 0.1)

        return StreamingResponse(pieces())

    async def what(sender: TelegramSender) -> None:
        assert (await fails(sender)).unknown
        cut.set()

    against(Starlette(routes=[Route("/{path:path}", drips, methods=["POST"])]), what)


def test_a_connection_that_breaks_after_the_request_leaves_the_outcome_unknown() -> None:
    telegram = TelegramDouble(lambda: NOW)
    telegram.add_chat(1)
    telegram.lose_answers()

    async def what(sender: TelegramSender) -> None:
        assert (await fails(sender)).unknown
        assert len(telegram.messages) == 1

    against(telegram.app, what, telegram.token)


def test_a_message_goes_as_markup_or_plain_to_its_topic_with_or_without_a_sound() -> None:
    telegram = TelegramDouble(lambda: NOW, burst=5)
    telegram.add_chat(-1001, "supergroup", topics={7: "News"})

    async def what(sender: TelegramSender) -> None:
        sent = [
            await sender.send("telegram:-1001:7", MESSAGE),
            await sender.send("telegram:-1001", Outgoing(None, "<plain>", silent=True)),
        ]
        assert [one.remote_id for one in sent] == [str(message.message_id) for message in telegram.messages]
        assert [(m.shown, m.thread, m.silent) for m in telegram.messages] == [("Hello", 7, False), ("<plain>", None, True)]

    against(telegram.app, what, telegram.token)


def test_groups_and_channels_have_a_slower_pace() -> None:
    async def what(sender: TelegramSender) -> None:
        assert sender.pace("telegram:5") == TELEGRAM_PRIVATE
        assert sender.pace("telegram:-1001:7") == TELEGRAM_GROUP

    against(answering(200, b""), what)
