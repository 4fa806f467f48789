"""From alerts that wait to messages that are there."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outbox_stage import HOUR, MINUTE, OPERATOR, SECOND, START, VIDEO, Stage, stage
from ytwatcher.core.model import Metric, RuleKind, SubjectId, to_ms
from ytwatcher.core.policy import parse_quiet
from ytwatcher.core.render import REPEAT, Limits
from ytwatcher.core.retry import UNPACED, Pace
from ytwatcher.notify.delivery import Outgoing, Sender, Sent
from ytwatcher.notify.slots import Slots
from ytwatcher.store import outbox, outbox_list, recipients, watches


def play(folder: Path, scene: Callable[[Stage], Awaitable[None]]) -> None:
    async def go() -> None:
        async with stage(folder) as s:
            await scene(s)
            assert s.telegram.violations == 0

    asyncio.run(go())


def test_a_free_slot_sends_at_once(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.run(12 * MINUTE)
        alert_id = await s.alert()
        await s.clock.rest()
        assert s.told(1) == ["A film\n🔄 Likes: 1 → 2 (+1 in 12 min)"]
        assert s.telegram.messages[0].at == START + 12 * MINUTE
        assert await s.fate(alert_id) == ("sent", None)
        assert s.telegram.calls[0].arguments["link_preview_options"] == {"is_disabled": True}

    play(tmp_path, scene)


def test_what_waits_for_the_slot_leaves_as_one_message(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.alert()
        await s.run(SECOND / 10)
        for _ in range(5):
            await s.alert()
            await s.run(SECOND / 10)
        await s.run(SECOND)
        first, second = s.telegram.messages
        assert second.at - first.at == 1.05 * SECOND
        assert second.shown == "A film\n🔄 Likes: 2 → 7 (+5 in 0 sec)"

    play(tmp_path, scene)


def test_a_hundred_chats_are_told_at_once_within_the_limit_of_all(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        for chat in range(100, 200):
            s.telegram.add_chat(chat)
            await s.alert(f"telegram:{chat}")
        await s.run(5 * SECOND)
        assert len({message.chat_id for message in s.telegram.messages}) == 100
        assert s.telegram.messages[-1].at - START == 3 * 1.005 * SECOND

    play(tmp_path, scene)


def test_a_group_gets_twenty_a_minute_across_restarts_and_topics_count_together(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.add_chat(-100, "supergroup", topics={7: "News"})
        for n in range(60):
            await s.alert(f"telegram:-100{':7' if n % 2 else ''}", observed_at=s.clock.now())
            await s.run(2 * SECOND)
            if n in (15, 25):
                await s.restart()
        await s.run(2 * MINUTE)
        assert {message.thread for message in s.telegram.messages} == {None, 7}
        assert await s.rows("SELECT * FROM alert WHERE state <> 'message'") == []

    play(tmp_path, scene)


def test_a_pause_that_telegram_asks_for_is_kept_for_the_chat(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "tooMany429", times=1, retry_after=40)
        await s.alert("telegram:1")
        await s.run(SECOND)
        await s.alert("telegram:2")
        await s.alert("telegram:1")
        await s.run(MINUTE)
        assert [(message.chat_id, message.at - START) for message in s.telegram.messages] == [
            (2, SECOND),
            (1, 40 * SECOND),
            (1, 41.05 * SECOND),
        ]
        assert REPEAT not in s.told(1)[0]

    play(tmp_path, scene)


def test_a_pause_that_begins_between_two_milliseconds_is_kept_to_its_end(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "tooMany429", times=1, retry_after=40)
        await s.run(timedelta(microseconds=1_700))
        await s.alert("telegram:1")
        await s.run(MINUTE)
        assert [message.at - START for message in s.telegram.messages] == [40 * SECOND + timedelta(milliseconds=2)]
        assert s.telegram.violations == 0

    play(tmp_path, scene)


def test_pauses_asked_for_two_chats_are_kept_for_all(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "tooMany429", times=2, retry_after=30)
        for chat in (1, 2):
            await s.alert(f"telegram:{chat}")
            await s.run(SECOND)
        await s.alert("telegram:3")
        await s.run(MINUTE)
        assert min(message.at for message in s.telegram.messages) == START + 31 * SECOND
        assert [message.at - START for message in s.telegram.messages if message.chat_id == 3] == [31 * SECOND]

    play(tmp_path, scene)


def test_a_recipient_that_is_gone_is_lost_and_the_operator_told_once(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.block(1)
        await s.alert()
        await s.run(MINUTE)
        later = await s.alert()
        await s.run(HOUR)
        assert s.told(99) == [
            "🔧 telegram:1 cannot be reached any more: Forbidden: bot was blocked by the user. Its watches are kept;"
            " “ytwatcher outbox test telegram:1” tries it again."
        ]
        assert (await s.recipient("telegram:1")).state == "lost"
        assert await s.fate(later) == ("suppressed", "recipient lost")
        assert len(await s.rows("SELECT * FROM watch")) == 1
        assert len([call for call in s.telegram.calls if call.arguments["chat_id"] == 1]) == 1
        s.telegram.unblock(1)
        dead = await s.db.read(outbox_list.messages, ("dead",))
        assert await s.db.write(outbox.retry, dead[0].pk, s.clock.now())
        s.dispatcher.wake.set()
        await s.run(MINUTE)
        assert len(s.told(1)) == 1
        assert (await s.recipient("telegram:1")).state == "active"

    play(tmp_path, scene)


def test_a_lost_operator_is_not_told_of_itself(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.deactivate(99)
        assert await s.notice("quota", "The quota is spent.")
        assert not await s.notice("quota", "The quota is spent.")
        await s.run(HOUR)
        assert (await s.recipient(OPERATOR)).state == "lost"
        assert len(await s.rows("SELECT * FROM alert")) == 1

    play(tmp_path, scene)


def test_a_group_that_becomes_a_supergroup_keeps_everything(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.add_chat(-5, "group")
        s.telegram.migrate(-5, -1001)
        await s.alert("telegram:-1001", "likes change")
        await s.alert("telegram:-5", "likes change")
        await s.alert("telegram:-5", "views milestones", subject=SubjectId("9bZkp7q19f0"))
        await s.run(MINUTE)
        assert len(s.told(-1001)) == 2
        everyone = await s.db.read(recipients.everyone)
        assert [stored.recipient.address for stored in everyone] == ["telegram:-1001"]
        owners = await s.rows("SELECT DISTINCT recipient_pk FROM (SELECT recipient_pk FROM rule UNION SELECT recipient_pk FROM watch)")
        assert owners == [{"recipient_pk": everyone[0].pk}]
        assert len(await s.rows("SELECT * FROM watch")) == 2
        assert await s.rows("SELECT * FROM rule WHERE watch_pk NOT IN (SELECT pk FROM watch)") == []
        assert await s.db.write(recipients.ensure, "telegram:-5") == everyone[0].pk

    play(tmp_path, scene)


def test_refused_markup_is_sent_once_more_as_plain_text(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.db.write(recipients.ensure, "telegram:1")
        for text, plain in (("<x>", "Plain & simple"), ("<x>", "")):
            await s.db.write(
                lambda con, t=text, p=plain: con.execute(  # type: ignore[misc]  # a lambda's defaults have no types
                    "INSERT INTO message (recipient_pk, text, plain, made_at, next_at) VALUES (1, ?, ?, 0, 0)", (t, p)
                )
            )
        await s.run(MINUTE)
        assert s.told(1)[0] == "Plain & simple"
        dead = await s.db.read(outbox_list.messages, ("dead",))
        assert [message.plain for message in dead] == [""]
        assert [text.partition(":")[0] for text in s.told(99)] == ["🔧 Message 2 to telegram"]

    play(tmp_path, scene)


def test_a_lost_answer_is_sent_again_marked(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.lose_answers(1)
        await s.alert()
        await s.run(MINUTE)
        first, second = s.told(1)
        assert second == f"{REPEAT}\n\n{first}"

    play(tmp_path, scene)


def test_after_a_second_lost_answer_another_call_must_be_answered_first(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.lose_answers(2)
        s.telegram.fail("getMe", "html502", until=START + 10 * MINUTE)
        await s.alert()
        await s.run(10 * MINUTE)
        assert len(s.told(1)) == 2
        await s.run(2 * MINUTE)
        assert len(s.told(1)) == 3

    play(tmp_path, scene)


def test_an_answer_from_something_in_between_is_unknown_but_telegrams_own_is_not(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "restart500", times=1)
        await s.alert()
        await s.run(MINUTE)
        s.telegram.fail("sendMessage", "html502", times=1, delivered=True)
        await s.alert()
        await s.run(MINUTE)
        assert [text.startswith(REPEAT) for text in s.told(1)] == [False, False, True]

    play(tmp_path, scene)


def test_a_refused_token_stops_the_sender_for_a_while(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("*", "unauthorized401", until=START + 12 * MINUTE)
        for chat in (1, 2):
            await s.alert(f"telegram:{chat}")
            await s.run(SECOND)
        await s.run(14 * MINUTE)
        assert len(s.telegram.calls) == 5  # at 0, 5 and 10 minutes
        await s.run(2 * MINUTE)
        assert [len(s.told(chat)) for chat in (1, 2)] == [1, 1]

    play(tmp_path, scene)


@pytest.mark.parametrize("address", ["telegram:-100", "telegram:-100:7"])
def test_a_chat_that_needs_an_admin_is_tried_hourly_and_told_of_once(tmp_path: Path, address: str) -> None:
    async def scene(s: Stage) -> None:
        chat = s.telegram.add_chat(-100, "supergroup", topics={7: "News"})
        s.telegram.revoke_rights(-100)
        chat.closed.add(7)
        for _ in range(4):
            await s.alert(address, observed_at=s.clock.now())
            await s.run(HOUR)
        assert len(s.told(99)) == 1
        assert (await s.recipient(address)).state == "paused"
        s.telegram.grant_rights(-100)
        chat.closed.clear()
        await s.run(HOUR + MINUTE)
        assert [text.split("\n")[1] for text in s.told(-100)] == [
            "🔄 Likes: 1 → 2 (+1 in 0 sec)",
            "🔄 Likes: 2 → 5 (+3 in 3 hr, at 1:00\u202fPM)",
        ]
        assert (await s.recipient(address)).state == "active"

    play(tmp_path, scene)


def test_the_general_topic_is_addressed_without_its_number(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.add_chat(-100, "supergroup", topics={7: "News"})
        await s.alert("telegram:-100:1")
        await s.run(SECOND)
        assert s.telegram.messages[0].thread is None

    play(tmp_path, scene)


def test_after_an_outage_slots_open_when_released_or_ten_minutes_later(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.dispatcher.hold()
        for _ in range(3):
            await s.alert()
            await s.run(MINUTE)
        assert s.told(1) == []
        s.dispatcher.release()
        await s.clock.rest()
        assert s.told(1) == ["A film\n🔄 Likes: 1 → 4 (+3 in 2 min)"]
        s.dispatcher.hold(s.clock.now() + HOUR)
        await s.alert()
        await s.run(10 * MINUTE - SECOND)
        assert len(s.told(1)) == 1
        await s.run(SECOND)
        assert len(s.told(1)) == 2

    play(tmp_path, scene)


def test_quiet_hours_hold_what_is_found_and_leave_one_line_at_their_end(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.prefer("telegram:1", quiet=parse_quiet("10:30-13:00"), timezone="Europe/Berlin")
        held = await s.alert(line="views every 10", kind=RuleKind.EVERY, metric=Metric.VIEWS, mark=10)
        await s.run(MINUTE)
        assert await s.fate(held) == ("held", "quiet hours")
        await s.alert(line="views every 10", kind=RuleKind.EVERY, metric=Metric.VIEWS, mark=20, previous=19, current=25)
        await s.run(2 * HOUR - 2 * MINUTE)
        assert s.told(1) == []
        await s.run(MINUTE)
        assert s.told(1) == ["A film\n🎉 Views passed 20: 1 → 25 (+24 in 1 min, at 11:01\u202fAM)"]

    play(tmp_path, scene)


def test_what_is_held_is_decided_anew_when_the_preferences_change(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.prefer("telegram:1", quiet=parse_quiet("09:00-13:00"))
        await s.alert()
        await s.run(MINUTE)
        await s.prefer("telegram:1", quiet=None)
        await s.clock.rest()
        assert len(s.told(1)) == 1

    play(tmp_path, scene)


def test_once_tells_once_also_of_what_waited_together_or_was_named_in_another_line(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        first = await s.alert(line="likes change once")
        also = await s.alert(line="views change", observed_at=START, metric=Metric.VIEWS)
        second = await s.alert(line="likes change once", observed_at=START + SECOND)
        await s.run(MINUTE)
        assert [await s.fate(alert_id) for alert_id in (first, also, second)] == [
            ("sent", None),
            ("sent", None),
            ("suppressed", "once: told before"),
        ]
        await s.alert("telegram:2", "likes change", previous=5, current=6)
        named = await s.alert("telegram:2", "likes change once", previous=5, current=6)
        await s.run(MINUTE)
        assert await s.fate(named) == ("suppressed", "same news")
        later = await s.alert("telegram:2", "likes change once")
        await s.run(MINUTE)
        assert await s.fate(later) == ("suppressed", "once: told before")

    play(tmp_path, scene)


def test_cooldown_holds_until_it_ends_and_silent_makes_no_sound(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        for _ in range(4):
            await s.alert(line="likes change silent cooldown 1h")
            await s.run(10 * MINUTE)
        await s.run(HOUR)
        assert [message.at - START for message in s.telegram.messages] == [timedelta(0), HOUR]
        assert s.told(1)[1].startswith("A film\n🔄 Likes: 2 → 5 (+3 in")
        assert all(message.silent for message in s.telegram.messages)

    play(tmp_path, scene)


def test_mute_suppresses_news_but_not_notices(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.prefer(OPERATOR, muted_until=datetime(2027, 1, 1, tzinfo=UTC))
        muted = await s.alert(OPERATOR)
        await s.notice("key", "The key was refused.")
        await s.run(MINUTE)
        assert await s.fate(muted) == ("suppressed", "muted")
        assert s.told(99) == ["🔧 The key was refused."]

    play(tmp_path, scene)


async def _a_hundred_attempts_in(span: timedelta, s: Stage) -> None:
    """Most of them in the first day: the rest of the time the machine is suspended."""
    await s.run(timedelta(days=1))
    s.clock._jump(s.clock.now() + span - timedelta(days=1))
    await s.run(timedelta(minutes=30))


def test_a_message_is_dead_after_days_of_failing_and_does_not_block_the_next(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "restart500", until=START + timedelta(days=13))
        await s.alert()
        await _a_hundred_attempts_in(timedelta(days=13), s)
        assert len(s.told(1)) == 1  # an outage of nearly a fortnight loses nothing
        s.telegram.clear()
        fault = s.telegram.fail("sendMessage", "restart500")
        await s.alert()
        await _a_hundred_attempts_in(timedelta(days=14), s)
        fault.until = s.clock.now()
        s.telegram.clear()
        await s.alert()
        await s.run(20 * MINUTE)
        dead = await s.db.read(outbox_list.messages, ("dead",))
        assert [message.last_error for message in dead] == ["Internal Server Error: restart"]
        assert len(s.told(1)) == 2
        assert s.told(99)[0].startswith("🔧 Message 2 to telegram:1 could not be delivered")

    play(tmp_path, scene)


class Announced:
    """A real sender that says when it begins."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.begun = asyncio.Event()

    async def send(self, address: str, message: Outgoing) -> Sent:
        self.begun.set()
        return await self._sender.send(address, message)

    async def alive(self) -> bool:
        return await self._sender.alive()

    def pace(self, address: str) -> Pace:
        return self._sender.pace(address)


def test_stopping_finishes_and_records_the_message_in_hand(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "slow", times=1, seconds=0.2)
        alert_id = await s.alert()
        announced = s.senders["telegram"] = Announced(s.sender)
        s.start()
        await announced.begun.wait()
        await s.stop()
        assert await s.fate(alert_id) == ("sent", None)

    play(tmp_path, scene)


class Faulty:
    """A sender with a programming error in it."""

    async def send(self, address: str, message: Outgoing) -> Sent:
        raise KeyError(address)

    async def alive(self) -> bool:
        return True

    def pace(self, address: str) -> Pace:
        return UNPACED


def test_a_fault_in_one_sender_does_not_stop_the_others_and_what_has_no_sender_waits(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.senders["faulty"] = Faulty()
        await s.alert("faulty:1")
        await s.alert("pigeon:1")
        await s.alert("telegram:1")
        await s.run(MINUTE)
        assert len(s.told(1)) == 1
        errors = await s.rows("SELECT last_error FROM message WHERE state = 'pending'")
        assert errors == [{"last_error": "a fault in the sender (KeyError)"}]
        assert len(await s.rows("SELECT * FROM alert WHERE state = 'waiting'")) == 1

    play(tmp_path, scene)


def test_a_journal_that_fails_ends_the_loop_loudly(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.alert()
        await s.db.write(lambda con: con.execute("DROP TABLE fact"))
        await s.db.write(lambda con: con.execute("CREATE TRIGGER full BEFORE UPDATE ON message BEGIN SELECT raise(ABORT, 'full'); END"))
        with pytest.raises(Exception, match="full"):
            await s.dispatcher.run()

    play(tmp_path, scene)


def test_draining_waits_for_slots_but_not_for_what_is_held(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.prefer("telegram:2", quiet=parse_quiet("09:00-13:00"))
        for n in range(150):
            await s.alert(subject=SubjectId(f"video{n:05d}A"))
        held = await s.alert("telegram:2")
        await s.drain()
        assert len(s.told(1)) == 3
        assert sum(text.count("A film") for text in s.told(1)) == 150
        assert await s.fate(held) == ("held", "quiet hours")
        assert s.clock.now() < START + 5 * SECOND

    play(tmp_path, scene)


def test_a_test_message_takes_the_real_way(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        alert_id = await s.db.write(recipients.add_test, "telegram:1", s.clock.now())
        assert await s.fate(alert_id) == ("waiting", None)
        await s.drain()
        assert s.told(1) == ["🔧 This is a test: messages from YT Watcher arrive here."]
        assert await s.fate(alert_id) == ("sent", None)
        assert VIDEO not in s.told(1)[0]

    play(tmp_path, scene)


def test_an_operators_group_that_moves_is_told_at_its_new_address(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.add_chat(-5, "group")
        s.telegram.migrate(-5, -1001)
        s.operator = "telegram:-5"
        s.dispatcher = s.new_dispatcher()
        for key in ("one", "two"):
            await s.notice(key, f"Notice {key}.")
            await s.run(MINUTE)
        assert s.told(-1001) == ["🔧 Notice one.", "🔧 Notice two."]
        assert [stored.recipient.address for stored in await s.db.read(recipients.everyone)] == ["telegram:-1001"]
        assert len([call for call in s.telegram.calls if call.arguments["chat_id"] == -5]) == 1

    play(tmp_path, scene)


def test_a_chat_that_is_said_to_have_moved_to_itself_stays(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.alert("telegram:1")
        await s.db.write(recipients.migrate, "telegram:1", "telegram:1")
        await s.run(MINUTE)
        assert len(s.told(1)) == 1
        assert await s.db.read(recipients.current, "telegram:1") == "telegram:1"

    play(tmp_path, scene)


def test_a_copy_after_a_gateways_refusal_in_json_says_that_it_may_be_one(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "json502", times=1, delivered=True)
        await s.alert("telegram:1")
        await s.run(HOUR)
        first, second = s.told(1)
        assert "May be a repeat" not in first
        assert "May be a repeat" in second

    play(tmp_path, scene)


def test_a_channel_without_the_right_to_post_pauses_and_loses_nothing(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.add_chat(-1007, "channel")
        s.telegram.revoke_rights(-1007)
        await s.alert("telegram:-1007")
        await s.run(MINUTE)
        assert (await s.recipient("telegram:-1007")).state == "paused"
        s.telegram.grant_rights(-1007)
        await s.run(2 * HOUR)
        assert len(s.told(-1007)) == 1

    play(tmp_path, scene)


def test_what_was_sent_is_forgotten_when_no_limit_looks_back_so_far() -> None:
    slots = Slots()
    for second in range(10_000):
        slots.note("telegram:1", START + timedelta(seconds=second))
    assert {len(sent) for kept in (slots._chats, slots._schemes) for sent in kept.values()} == {121}


def test_what_is_open_can_be_counted_and_given_up(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        s.telegram.fail("sendMessage", "restart500", until=START + MINUTE)
        await s.prefer("telegram:2", quiet=parse_quiet("09:00-13:00"))
        for address in ("telegram:1", "telegram:2"):
            await s.alert(address)
        await s.run(20 * SECOND)
        await s.alert("telegram:1", observed_at=s.clock.now())
        await s.run(SECOND)
        assert await s.db.read(outbox_list.counts) == {"held": 1, "pending": 1, "waiting": 1}
        assert [message.last_error for message in await s.db.read(outbox_list.messages)] == ["Internal Server Error: restart"]
        assert await s.db.write(outbox.drop, 1)
        assert not await s.db.write(outbox.retry, 1, s.clock.now())
        await s.run(2 * MINUTE)
        assert await s.db.read(outbox_list.counts) == {"held": 1, "dropped": 1, "sent": 1}

    play(tmp_path, scene)


def test_a_recipient_that_is_removed_takes_the_message_in_hand_with_it(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        alert = await s.alert()
        pk = (await s.recipient("telegram:1")).pk
        job = await s.db.write(outbox.take, pk, s.clock.now(), Limits())
        assert job is not None
        assert await s.db.write(watches.remove_watch, 1, pk, s.clock.now())
        assert await s.db.write(recipients.remove, pk) == (1, 0)
        await s.db.write(outbox.record_retry, job.pk, s.clock.now(), "busy")
        await s.db.write(outbox.record_dead, job.pk, "Bad Request", OPERATOR, s.clock.now())
        assert await s.fate(alert) == ("dropped", None)
        assert await s.db.write(outbox.take, pk, s.clock.now(), Limits()) is None
        await s.run(HOUR)
        assert (s.told(1), s.told(99)) == ([], [])

    play(tmp_path, scene)


def test_where_very_many_chats_wait_what_comes_new_is_still_told(tmp_path: Path) -> None:
    async def scene(s: Stage) -> None:
        await s.alert()  # of chat 1, whose alert all the others get as well
        await s.db.write(_hold_for_many_chats, outbox.AT_ONCE + 1)
        await s.run(SECOND)
        assert len(s.told(1)) == 1
        await s.alert("telegram:2")
        await s.run(SECOND / 10)
        assert s.told(2) == []  # the page that was read a moment ago is full
        await s.run(SECOND)
        assert len(s.told(2)) == 1
        await s.stop()
        await s.drain()
        assert (await s.db.read(outbox_list.counts))["held"] == outbox.AT_ONCE + 1

    play(tmp_path, scene)


def _hold_for_many_chats(con: sqlite3.Connection, chats: int) -> None:
    numbers = range(1000, 1000 + chats)
    con.executemany("INSERT INTO recipient (pk, address) VALUES (?, ?)", [(n, f"telegram:{n}") for n in numbers])
    con.executemany(
        "INSERT INTO alert (id, recipient_pk, kind, observed_at, made_at, state, hold_until) VALUES (?, ?, 'change', 0, 0, 'held', ?)",
        [(str(n), n, to_ms(START + HOUR)) for n in numbers],
    )
