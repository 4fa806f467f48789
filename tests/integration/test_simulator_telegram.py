"""The Telegram double, item by item as docs/simulator.md lists them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ytwatcher.simulator import TelegramDouble, serve
from ytwatcher.tls import trusted

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PERSON, GROUP, FORUM, CHANNEL = 1001, -5481438232, -1001234567890, -1009876543210


@dataclass
class Stage:
    """A bot's server under a clock that a test sets, with a chat of each kind, and a client of it."""

    at: datetime
    double: TelegramDouble
    http: httpx.AsyncClient

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        response = await self.http.post(method, json=arguments)
        body: dict[str, Any] = response.json()
        assert response.status_code == (200 if body["ok"] else body["error_code"])
        return body

    async def send(self, chat_id: int = PERSON, text: str = "Hello", **arguments: Any) -> dict[str, Any]:
        return await self.call("sendMessage", chat_id=chat_id, text=text, **arguments)

    async def refusal(self, chat_id: int = PERSON, text: str = "Hello", **arguments: Any) -> str:
        body = await self.send(chat_id, text, **arguments)
        assert not body["ok"]
        return str(body["description"])

    async def html(self, text: str) -> str:
        return await self.refusal(text=text, parse_mode="HTML")


def staged(scene: Callable[[Stage], Awaitable[None]]) -> Callable[[], None]:
    async def play() -> None:
        hands: list[Stage] = []
        double = TelegramDouble(lambda: hands[0].at)
        async with (
            serve(double.app) as url,
            httpx.AsyncClient(base_url=f"{url}/bot{double.token}", trust_env=False, timeout=60, verify=trusted()) as http,
        ):
            hands.append(Stage(NOON, double, http))
            double.add_chat(PERSON, "private", "Someone")
            double.add_chat(GROUP, "group", "A group")
            double.add_chat(FORUM, "supergroup", "A forum", {7: "News"})
            double.add_chat(CHANNEL, "channel", "A channel")
            await scene(hands[0])

    def test() -> None:
        asyncio.run(play())

    return test


# 1: the wire


@staged
async def test_arguments_come_by_query_urlencoded_multipart_or_json(s: Stage) -> None:
    arguments = {"chat_id": str(PERSON), "text": "Grüße & 🎈"}
    requests = [
        s.http.build_request("GET", "sendMessage", params=arguments),
        s.http.build_request("POST", "sendMessage", data=arguments),
        s.http.build_request("POST", "sendMessage", files={name: (None, value) for name, value in arguments.items()}),
        s.http.build_request("POST", "sendMessage", json=arguments),
        s.http.build_request("POST", "SENDmessage", params={"chat_id": str(PERSON)}, json={"text": arguments["text"]}),
    ]
    for request in requests:
        s.later(1)
        response = await s.http.send(request)
        assert response.status_code == 200, response.text
    assert [message.text for message in s.double.messages] == [arguments["text"]] * len(requests)
    broken = await s.http.post("sendMessage", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.json()["description"] == "Bad Request: can't parse JSON object"
    listed = await s.http.post("sendMessage", json=["chat_id"])
    assert listed.status_code == 400
    ignored = await s.http.post("sendMessage", content=b"text=x", headers={"Content-Type": "text/plain"})
    assert ignored.json()["description"] == "Bad Request: message text is empty"


@staged
async def test_wrong_tokens_paths_and_methods_have_their_own_answers(s: Stage) -> None:
    base = str(s.http.base_url).partition("/bot")[0]
    forms = [
        (f"{base}/bot1:other/getMe", 401, "Unauthorized"),
        (f"{base}/botnonsense/getMe", 401, "Unauthorized: invalid token specified"),
        (f"{base}/{s.double.token}/getMe", 404, "Not Found"),
        (f"{base}/bot{s.double.token}/danceForMe", 404, "Not Found: method not found"),
    ]
    for url, status, description in forms:
        response = await s.http.get(url)
        assert (response.status_code, response.json()) == (status, {"ok": False, "error_code": status, "description": description})
    assert (await s.call("getMe"))["result"]["username"] == "ytwatcher_sim_bot"
    assert [call.method for call in s.double.calls] == ["getMe"]


@staged
async def test_a_delivered_message_is_described_as_telegram_does(s: Stage) -> None:
    result = (await s.send(text="<b>Hé 🎈</b> &amp; <a href='https://youtu.be/x'>link</a>", parse_mode="HTML"))["result"]
    assert result["text"] == "Hé 🎈 & link"
    assert result["entities"] == [
        {"type": "bold", "offset": 0, "length": 5},
        {"type": "text_link", "offset": 8, "length": 4, "url": "https://youtu.be/x"},
    ]
    message = s.double.messages[0]
    assert (message.chat_id, message.shown, len(message.entities), message.at, message.silent) == (PERSON, "Hé 🎈 & link", 2, NOON, False)
    topic = (await s.send(FORUM, message_thread_id=7, disable_notification=True))["result"]
    assert (topic["message_thread_id"], s.double.messages[1].thread, s.double.messages[1].silent) == (7, 7, True)
    assert (await s.send(CHANNEL))["result"]["sender_chat"]["type"] == "channel"


# 2: rates


@staged
async def test_one_chat_takes_one_message_a_second(s: Stage) -> None:
    assert (await s.send())["ok"]
    s.later(0.4)
    response = await s.http.post("sendMessage", json={"chat_id": PERSON, "text": "Too soon"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    s.later(0.6)
    assert (await s.send())["ok"]
    assert s.double.violations == 1


@staged
async def test_a_burst_may_be_allowed(s: Stage) -> None:
    s.double.rates.burst = 3
    assert [(await s.send())["ok"] for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("chat_id", [GROUP, FORUM, CHANNEL])
def test_groups_and_channels_take_twenty_messages_a_minute(chat_id: int) -> None:
    @staged
    async def scene(s: Stage) -> None:
        for _ in range(20):
            assert (await s.send(chat_id))["ok"]
            s.later(1)
        assert (await s.send(chat_id))["parameters"] == {"retry_after": 40}
        s.later(40)
        assert (await s.send(chat_id))["ok"]

    scene()


@staged
async def test_all_chats_together_take_thirty_messages_a_second(s: Stage) -> None:
    for n in range(31):
        s.double.add_chat(2000 + n)
    answers = [(await s.send(2000 + n))["ok"] for n in range(31)]
    assert answers == [True] * 30 + [False]


# 2: chats that are lost, moved or closed


@staged
async def test_a_lost_chat_says_how_it_was_lost(s: Stage) -> None:
    s.double.block(PERSON)
    assert await s.refusal() == "Forbidden: bot was blocked by the user"
    s.double.unblock(PERSON)
    assert (await s.send())["ok"]
    s.double.deactivate(PERSON)
    assert await s.refusal() == "Forbidden: user is deactivated"
    for chat_id, kind in ((GROUP, "group"), (FORUM, "supergroup"), (CHANNEL, "channel")):
        s.double.kick(chat_id)
        assert await s.refusal(chat_id) == f"Forbidden: bot was kicked from the {kind} chat"
        assert not (await s.call("getChat", chat_id=chat_id))["ok"]
    s.double.chats[s.double.add_chat(5).id].state = "stranger"
    assert await s.refusal(5) == "Forbidden: bot can't initiate conversation with a user"
    s.double.user_writes(5, "/start")
    assert (await s.send(5))["ok"]
    assert await s.refusal(404) == "Bad Request: chat not found"
    assert await s.refusal(chat_id="") == "Bad Request: chat_id is empty"  # type: ignore[arg-type]  # what a careless client sends


@staged
async def test_a_group_that_became_a_supergroup_names_its_new_id(s: Stage) -> None:
    s.double.migrate(GROUP, -1005550000000)
    body = await s.send(GROUP)
    assert (body["error_code"], body["parameters"]) == (400, {"migrate_to_chat_id": -1005550000000})
    assert (await s.send(-1005550000000))["ok"]
    updates = (await s.call("getUpdates"))["result"]
    assert updates[0]["message"]["migrate_to_chat_id"] == -1005550000000
    assert updates[1]["message"]["migrate_from_chat_id"] == GROUP


@staged
async def test_topics_may_be_closed_or_gone_and_rights_taken(s: Stage) -> None:
    assert await s.refusal(FORUM, message_thread_id=1) == "Bad Request: message thread not found"
    s.double.close_topic(FORUM, 7)
    assert await s.refusal(FORUM, message_thread_id=7) == "Bad Request: TOPIC_CLOSED"
    s.double.delete_topic(FORUM, 7)
    assert await s.refusal(FORUM, message_thread_id=7) == "Bad Request: message thread not found"
    s.double.revoke_rights(FORUM)
    assert await s.refusal(FORUM) == "Bad Request: not enough rights to send text messages to the chat"
    s.double.grant_rights(FORUM)
    assert (await s.send(FORUM))["ok"]


# 2: texts


@staged
async def test_markup_is_checked_as_the_server_checks_it(s: Stage) -> None:
    faults = {
        "é<x>": 'Unsupported start tag "x" at byte offset 2',
        "<b>é</i>": 'Unmatched end tag at byte offset 5, expected "</b>", found "</i>"',
        "a<b>b": 'Can\'t find end tag corresponding to start tag "b"',
        "a</b>": "Unexpected end tag at byte offset 1",
        "<b": "Unclosed start tag at byte offset 0",
        "<b>x</b": "Unclosed end tag at byte offset 4",
        "<a href": 'Unclosed start tag "a" at byte offset 0',
        "<a href='x": 'Unclosed start tag "a" at byte offset 0',
        "<a =x>": 'Empty attribute name in the tag "a" at byte offset 0',
        "<a href=x/y>": "Unexpected end of name token at byte offset 8",
        "<span>x</span>": 'Tag "span" must have class "tg-spoiler" at byte offset 0',
        "I <3 it": 'Unsupported start tag "3" at byte offset 2',
        "1 < 2": 'Unsupported start tag "" at byte offset 2',
    }
    for text, fault in faults.items():
        assert await s.html(text) == f"Bad Request: can't parse entities: {fault}"


@staged
async def test_every_tag_and_entity_that_is_known_passes(s: Stage) -> None:
    text = (
        "<b>b</b><strong>s</strong><i>i</i><em>e</em><u>u</u><ins>n</ins><s>s</s><strike>k</strike><del>d</del>"
        '<span class="tg-spoiler">p</span><tg-spoiler>t</tg-spoiler><code>c</code><pre><code class="language-x">r</code></pre>'
        '<blockquote expandable>q</blockquote><A href=example.com >a</a><a href="nonsense">plain</>'
        "&lt;&gt;&amp;&quot;&#65;&#x1F388;&nbsp;&#0; & &copy;<i></i>"
    )
    result = (await s.send(text=text, parse_mode="HTML"))["result"]
    assert result["text"] == 'bsieunskdptcrqaplain<>&"A🎈&nbsp;&#0; & &copy;'
    kinds = [entity["type"] for entity in result["entities"]]
    assert kinds == (
        ["bold"] * 2
        + ["italic"] * 2
        + ["underline"] * 2
        + ["strikethrough"] * 3
        + ["spoiler"] * 2
        + ["code", "code", "pre", "blockquote", "text_link"]
    )


@staged
async def test_length_counts_after_parsing(s: Stage) -> None:
    assert (await s.send(text="<b>" + "&amp;" * 4096 + "</b>", parse_mode="HTML"))["ok"]
    s.later(1)
    assert await s.refusal(text="x" * 4097) == "Bad Request: message is too long"
    assert await s.refusal(text="x" * 32_769) == "Bad Request: text is too long"
    for empty in ("", "  \n", "<b></b>"):
        assert await s.html(empty) == "Bad Request: message text is empty"
    assert await s.refusal(parse_mode="Morse") == "Bad Request: unsupported parse_mode"
    assert (await s.send(text="<not markup>"))["result"]["text"] == "<not markup>"


@staged
async def test_a_button_carries_at_most_64_bytes(s: Stage) -> None:
    def keyboard(data: str) -> dict[str, Any]:
        return {"inline_keyboard": [[{"text": "Go", "callback_data": data}, {"text": "See", "url": "https://youtu.be/x"}]]}

    assert (await s.send(reply_markup=keyboard("é" * 32)))["ok"]
    assert await s.refusal(reply_markup=keyboard("é" * 32 + "x")) == "Bad Request: BUTTON_DATA_INVALID"


# 3: updates


@staged
async def test_an_offset_confirms_what_is_before_it(s: Stage) -> None:
    first = s.double.user_writes(PERSON, "one")
    for text in ("two", "three"):
        s.double.user_writes(PERSON, text, thread=3)
    assert [update["update_id"] for update in (await s.call("getUpdates", limit=2))["result"]] == [first, first + 1]
    assert [update["message"]["text"] for update in (await s.call("getUpdates", offset=first + 1))["result"]] == ["two", "three"]
    assert [update["message"]["text"] for update in (await s.call("getUpdates", offset=-1))["result"]] == ["three"]
    s.later(24 * 3600)
    assert (await s.call("getUpdates"))["result"] == []


@staged
async def test_a_long_poll_ends_with_the_first_update_or_its_time(s: Stage) -> None:
    poll = asyncio.create_task(s.call("getUpdates", timeout=50))
    await _polling(s)
    s.double.user_writes(CHANNEL, "a post")
    result = (await poll)["result"]
    assert result[0]["channel_post"]["text"] == "a post"
    assert (await s.call("getUpdates", offset=result[0]["update_id"] + 1, timeout=1))["result"] == []


async def _polling(s: Stage) -> None:
    """Return once a long poll is under way: another call was answered after it was sent."""
    while not s.double.updates.polled:
        await s.call("getMe")


@staged
async def test_the_newer_poll_ends_the_older_with_a_409(s: Stage) -> None:
    older = asyncio.create_task(s.call("getUpdates", timeout=50))
    await _polling(s)
    assert (await s.call("getUpdates"))["result"] == []
    body = await older
    assert (body["error_code"], body["description"].split(";")[0]) == (409, "Conflict: terminated by other getUpdates request")


@staged
async def test_rare_kinds_come_only_when_named_and_unknown_ones_come_too(s: Stage) -> None:
    s.double.push({"message_reaction": {"new_reaction": [{"type": "never_seen"}]}})
    s.double.push({"a_kind_of_the_future": {"x": 1}})
    await s.call("getUpdates", allowed_updates=["message", "message_reaction"])
    s.double.push({"message_reaction": {"new_reaction": [{"type": "never_seen"}]}})
    s.double.block(PERSON)
    kinds = [set(update) - {"update_id"} for update in (await s.call("getUpdates"))["result"]]
    assert kinds == [{"a_kind_of_the_future"}, {"message_reaction"}]
    await s.call("getUpdates", allowed_updates="[]")
    s.double.unblock(PERSON)
    assert (await s.call("getUpdates"))["result"][-1]["my_chat_member"]["new_chat_member"]["status"] == "member"


@staged
async def test_a_webhook_stands_in_the_way_of_polling(s: Stage) -> None:
    assert not (await s.call("setWebhook", url="http://plain.example"))["ok"]
    await s.call("setWebhook", url="https://hook.example")
    s.double.user_writes(PERSON, "hello")
    assert (await s.call("getWebhookInfo"))["result"]["pending_update_count"] == 1
    body = await s.call("getUpdates")
    assert (body["error_code"], "webhook is active" in body["description"]) == (409, True)
    await s.call("deleteWebhook", drop_pending_updates=True)
    assert (await s.call("getUpdates"))["result"] == []
    assert (await s.call("getWebhookInfo"))["result"]["url"] == ""


@staged
async def test_a_chat_can_be_looked_up(s: Stage) -> None:
    result = (await s.call("getChat", chat_id=FORUM))["result"]
    assert (result["title"], result["type"], result["is_forum"]) == ("A forum", "supergroup", True)
    assert (await s.call("getChat", chat_id=1))["description"] == "Bad Request: chat not found"


# 4: what goes wrong


@staged
async def test_a_lost_answer_leaves_a_delivered_message_behind(s: Stage) -> None:
    s.double.lose_answers()
    with pytest.raises(httpx.RemoteProtocolError):
        await s.send()
    assert [message.text for message in s.double.messages] == ["Hello"]
    s.later(1)
    assert (await s.send())["ok"]


@staged
async def test_each_fault_answers_in_its_form(s: Stage) -> None:
    s.double.fail("sendMessage", "html502", times=1)
    response = await s.http.post("sendMessage", json={"chat_id": PERSON, "text": "x"})
    assert (response.status_code, response.headers["content-type"].split(";")[0], s.double.messages) == (502, "text/html", [])
    s.double.fail("sendMessage", "html502", times=1, delivered=True)
    await s.http.post("sendMessage", json={"chat_id": PERSON, "text": "x"})
    assert len(s.double.messages) == 1
    s.later(1)
    s.double.fail("*", "restart500", times=1)
    assert await s.refusal() == "Internal Server Error: restart"
    s.double.fail("getMe", "unauthorized401")
    assert (await s.call("getMe"))["error_code"] == 401
    s.double.clear()
    assert (await s.call("getMe"))["ok"]
    s.double.fail("getMe", "slow", times=1, seconds=0.01)
    assert (await s.call("getMe"))["ok"]


@staged
async def test_a_chat_that_asked_for_a_pause_refuses_until_it_is_over(s: Stage) -> None:
    s.double.fail("sendMessage", "tooMany429", times=1, retry_after=17)
    assert (await s.send())["parameters"] == {"retry_after": 17}
    s.later(7)
    assert (await s.send())["parameters"] == {"retry_after": 10}
    assert s.double.violations == 1
    s.later(10)
    assert (await s.send())["ok"]
