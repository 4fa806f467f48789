"""What is asked of Telegram before anything is sent, against the double over real HTTP; and whom an update is from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from ytwatcher.simulator import TelegramDouble, serve
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.telegram.setup import Bot, BotSetup, TelegramError, Webhook, find_chats

T = TypeVar("T")


def ask(
    call: Callable[[BotSetup], Awaitable[T]], arrange: Callable[[TelegramDouble], object] = lambda _: None, token: str = BOT_TOKEN
) -> T:
    async def go() -> T:
        double = TelegramDouble(lambda: datetime.now(UTC))
        arrange(double)
        async with serve(double.app) as url, BotSetup(url, token) as api:
            return await call(api)

    return asyncio.run(go())


def refusal(
    call: Callable[[BotSetup], Awaitable[Any]], arrange: Callable[[TelegramDouble], object] = lambda _: None, token: str = BOT_TOKEN
) -> TelegramError:
    with pytest.raises(TelegramError) as caught:
        ask(call, arrange, token)
    assert token not in str(caught.value)
    return caught.value


def test_a_token_tells_which_bot_it_is() -> None:
    bot = ask(BotSetup.get_me)
    assert bot == Bot("ytwatcher_sim_bot", "YT Watcher (simulated)")
    assert bot.link == "https://t.me/ytwatcher_sim_bot"


def test_the_setup_shows_no_token() -> None:
    assert repr(BotSetup("http://127.0.0.1:9", BOT_TOKEN)) == "BotSetup(***)"


@pytest.mark.parametrize("token", ["1:wrong", "misshapen"])
def test_a_wrong_token_is_refused_for_good(token: str) -> None:
    error = refusal(BotSetup.get_me, token=token)
    assert (error.reason, error.permanent) == ("refused", True)


@pytest.mark.parametrize("kind", ["html502", "restart500", "tooMany429"])
def test_a_bad_moment_of_telegram_passes(kind: str) -> None:
    error = refusal(BotSetup.get_me, lambda double: double.fail("getMe", kind))
    assert (error.reason, error.permanent) == ("unreachable", False)


def test_nobody_there_is_said_as_such() -> None:
    async def go() -> None:
        async with BotSetup("http://127.0.0.1:9", BOT_TOKEN) as api:
            await api.get_me()

    with pytest.raises(TelegramError, match="cannot be reached"):
        asyncio.run(go())


def test_a_webhook_is_named_by_its_host_and_can_be_removed() -> None:
    def set_webhook(double: TelegramDouble) -> None:
        double.webhook = {"url": "https://example.org/a-secret-path"}

    async def remove(api: BotSetup) -> tuple[Webhook, Webhook]:
        before = await api.webhook_info()
        await api.delete_webhook()
        return before, await api.webhook_info()

    assert ask(remove, set_webhook) == (Webhook("example.org", 0, None), Webhook(None, 0, None))
    assert refusal(lambda api: api.updates(0, 0), set_webhook).reason == "conflict"


def test_updates_are_fetched_until_they_are_confirmed() -> None:
    def write(double: TelegramDouble) -> None:
        double.add_chat(7, title="Ada")
        double.user_writes(7, "hello")

    async def twice(api: BotSetup) -> tuple[int, int]:
        first = await api.updates(0, 0)
        return len(first), len(await api.updates(first[-1]["update_id"] + 1, 0))

    assert ask(twice, write) == (1, 0)


def message(chat: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": chat, "from": {"id": 5, "first_name": "Ada"}, **content}}


PRIVATE = {"id": 5, "type": "private", "first_name": "Ada", "last_name": "L.", "username": "ada"}
FORUM = {"id": -1005, "type": "supergroup", "title": "Our [videos]", "is_forum": True}


def test_a_private_chat_is_found_with_who_wrote_what() -> None:
    chat = find_chats([message(PRIVATE, text="hi\nthere")])[0]
    assert (chat.address, chat.described, chat.said) == ("telegram:5", "private chat with Ada L. (@ada)", "hi there")


def test_a_topic_has_an_address_of_its_own_and_the_general_one_has_not() -> None:
    found = find_chats(
        [
            message(FORUM, is_topic_message=True, message_thread_id=9, text="x"),
            message(FORUM, is_topic_message=True, message_thread_id=1, text="x"),
            message(FORUM, message_thread_id=77, text="a reply, not a topic"),
        ]
    )
    assert [chat.address for chat in found] == ["telegram:-1005:9", "telegram:-1005"]
    assert found[0].described == "supergroup “Our [videos]”, where Ada wrote"


def test_a_channel_post_and_an_invitation_count_and_being_thrown_out_does_not() -> None:
    channel = {"id": -1009, "type": "channel", "title": "News"}
    group = {"id": -44, "type": "group", "title": "Family"}
    joined: dict[str, Any] = {"my_chat_member": {"chat": group, "new_chat_member": {"status": "member"}}}
    left: dict[str, Any] = {"my_chat_member": {"chat": group, "new_chat_member": {"status": "kicked"}}}
    assert [chat.address for chat in find_chats([{"channel_post": {"chat": channel}}, joined])] == ["telegram:-1009", "telegram:-44"]
    assert find_chats([joined, left]) == []


def test_the_chat_that_was_written_in_last_comes_last() -> None:
    found = find_chats([message(PRIVATE), message(FORUM), message(PRIVATE)])
    assert [chat.address for chat in found] == ["telegram:-1005", "telegram:5"]


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"poll": {"id": "1"}},
        {"message": None},
        {"message": {"chat": 5}},
        {"message": {"chat": {"id": "5"}}},
        {"my_chat_member": {"chat": {"id": "5"}, "new_chat_member": {"status": ["kicked"]}}},
        message(PRIVATE, migrate_to_chat_id=-1),
    ],
)
def test_an_update_of_another_shape_is_passed_over(update: dict[str, Any]) -> None:
    assert find_chats([update]) == []
