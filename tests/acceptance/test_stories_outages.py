"""Outages: ours, YouTube's, Telegram's, and chats that are lost or moved."""

from __future__ import annotations

import re
from datetime import timedelta

from story import CHAT, OPERATOR, Story, played
from ytwatcher.core.render import REPEAT
from ytwatcher.simulator import make_playlist_id, make_video_id
from ytwatcher.simulator.world import WITNESSES
from ytwatcher.store import recipients, requests

OTHER, GROUP, SUPERGROUP, FORUM = CHAT + 1, -4001, -1001234567890, -1009876543210


async def _videos(s: Story, count: int, rule: str = "views every 1000", to: str = f"telegram:{CHAT}") -> None:
    for n in range(count):
        s.video(n, views=10_300)
        await s.add(make_video_id(n), rule, to=to)
    await s.until("17:12")


def _grow(s: Story, views: int) -> None:
    for video in s.world.videos.values():
        if video.title.startswith("Video"):
            video.views = views


@played()
async def test_after_three_hours_without_us_a_chat_gets_one_catch_up_and_not_thirty(s: Story) -> None:
    await _videos(s, 30)
    await s.stop()
    s.world.at(s.at("19:00"), lambda _: _grow(s, 11_500))
    await s.until("20:12")
    await s.run()
    await s.until("21:30")
    assert 1 <= len(s.told()) <= 2, "as few as fit"
    assert len(re.findall("passed 11,000", "\n".join(s.told()))) == 30
    assert s.when()[-1] - s.at("20:12") < timedelta(seconds=5)
    assert s.told(OPERATOR) == [], "that we were away is no silence of YouTube's"


@played()
async def test_after_three_hours_without_youtube_there_is_one_notice_one_all_clear_and_one_catch_up(s: Story) -> None:
    await _videos(s, 20)
    s.youtube.fail("*", "html502", until=s.at("20:20"))
    await s.until("17:40")
    _grow(s, 11_500)
    await s.until("20:19")
    assert len(s.told(OPERATOR)) == 1
    assert "Nothing could be read from YouTube since 2026-10-05 17:1" in s.told(OPERATOR)[0]
    assert timedelta(minutes=59) < s.when(OPERATOR)[0] - s.at("17:11") < timedelta(minutes=62)
    await s.until("22:00")
    assert len(s.told(OPERATOR)) == 2
    assert "answers again" in s.told(OPERATOR)[1]
    assert len(s.told()) == 1
    assert len(re.findall("passed 11,000", s.told()[0])) == 20
    assert s.when()[0] < s.at("20:41"), "10 minutes of backing off, 10 of waiting for the others"


@played()
async def test_after_three_hours_of_error_pages_telegram_gets_everything_in_order(s: Story) -> None:
    await _videos(s, 1)
    s.telegram.fail("*", "html502", until=s.at("20:20"))
    for hour, views in enumerate((11_100, 12_100, 13_100)):
        await s.until(f"{17 + hour}:20")
        _grow(s, views)
    await s.until("20:50")
    assert [re.findall(r"passed ([\d,]+)", text) for text in s.told()] == [["11,000"], ["13,000"]]
    assert [text.startswith(REPEAT) for text in s.told()] == [True, False], "what may have arrived says so, and only that"
    assert "10,300 → 11,100" in s.told()[0]
    assert "11,100 → 13,100" in s.told()[1], "held alerts of one rule are one line"


@played()
async def test_a_telegram_that_cannot_be_connected_to_gets_it_later_unmarked(s: Story) -> None:
    await _videos(s, 1)
    await s.telegram_away()
    _grow(s, 11_100)
    await s.until("20:00")
    await s.telegram_back()
    await s.until("20:20")
    assert len(s.told()) == 1
    assert not s.told()[0].startswith(REPEAT)


@played()
async def test_a_lost_answer_is_sent_again_and_marked(s: Story) -> None:
    await _videos(s, 1)
    s.telegram.lose_answers(1)
    _grow(s, 11_100)
    await s.until("17:30")
    first, second = s.told()
    assert second == f"{REPEAT}\n\n{first}"


@played()
async def test_a_chat_that_blocks_us_keeps_its_watches_and_is_back_when_it_is_added_again(s: Story) -> None:
    s.telegram.add_chat(OTHER)
    await _videos(s, 2)
    for n in range(2):
        await s.add(make_video_id(n), "views every 1000", to=f"telegram:{OTHER}")
    s.telegram.block(CHAT)
    _grow(s, 11_100)
    await s.until("17:40")
    _grow(s, 12_100)
    await s.until("18:00")
    assert s.told() == []
    assert len(s.told(OTHER)) == 2
    assert len(s.told(OPERATOR)) == 1
    assert f"telegram:{CHAT} cannot be reached any more: Forbidden: bot was blocked by the user" in s.told(OPERATOR)[0]
    sendings = [call for call in s.telegram.calls if call.arguments.get("chat_id") == CHAT]
    assert len(sendings) == 1, "it is not tried again"
    s.telegram.unblock(CHAT)
    answer = await s.add(make_video_id(0), "views every 1000")
    assert not answer["new"], "the watch was kept"
    _grow(s, 13_100)
    await s.until("18:20")
    assert len(s.told()) == 1
    assert s.told()[0].count("passed 13,000") == 2


@played()
async def test_a_group_that_moves_is_followed_with_what_it_is_owed(s: Story) -> None:
    s.telegram.add_chat(GROUP, "group")
    await _videos(s, 1, to=f"telegram:{GROUP}")
    s.telegram.migrate(GROUP, SUPERGROUP)
    _grow(s, 11_100)
    await s.until("17:30")
    assert len(s.told(SUPERGROUP)) == 1
    answer = await s.add(make_video_id(0), "views every 1000", to=f"telegram:{GROUP}")
    assert not answer["new"], "the old address still names it"
    _grow(s, 12_100)
    await s.until("17:50")
    assert len(s.told(SUPERGROUP)) == 2
    assert s.told(OPERATOR) == []


@played()
async def test_a_topic_is_written_to_and_a_closed_one_waits_for_an_admin(s: Story) -> None:
    s.telegram.add_chat(FORUM, "supergroup", topics={7: "News"})
    await _videos(s, 1, to=f"telegram:{FORUM}:7")
    _grow(s, 11_100)
    await s.until("17:30")
    assert [(m.chat_id, m.thread) for m in s.telegram.messages] == [(FORUM, 7)]
    s.telegram.close_topic(FORUM, 7)
    _grow(s, 12_100)
    await s.until("18:10")
    _grow(s, 13_100)
    await s.until("18:20")
    assert len(s.told(FORUM)) == 1
    assert len(s.told(OPERATOR)) == 1
    assert "An admin of the chat can change that" in s.told(OPERATOR)[0]
    s.telegram.chats[s.telegram.messages[0].chat_id].closed.clear()
    await s.until("19:40")
    assert len(s.told(FORUM)) == 3, "all that it missed"
    assert len(s.told(OPERATOR)) == 1


@played()
async def test_a_refused_token_loses_nothing(s: Story) -> None:
    await _videos(s, 1)
    s.telegram.fail("*", "unauthorized401", until=s.at("18:00"))
    _grow(s, 11_100)
    await s.until("18:00")
    assert s.told() == []
    assert len(s.telegram.calls) < 15, "it is not hammered"
    await s.until("18:10")
    assert len(s.told()) == 1
    assert not s.told()[0].startswith(REPEAT)


@played()
async def test_a_restart_during_an_outage_starts_no_second_incident(s: Story) -> None:
    await _videos(s, 1)
    s.youtube.fail("*", "backend503", until=s.at("20:30"))
    await s.until("18:30")
    assert len(s.told(OPERATOR)) == 1
    await s.restart()
    await s.until("20:29")
    assert len(s.told(OPERATOR)) == 1
    await s.until("21:00")
    assert len(s.told(OPERATOR)) == 2


@played()
async def test_a_broken_request_of_a_command_ends_nothing(s: Story) -> None:
    await _videos(s, 1)
    assert "fault" in (await s.ask("add", nonsense=1))["error"]
    assert "version" in (await s.ask("dance"))["error"]
    _grow(s, 11_100)
    await s.until("17:30")
    assert len(s.told()) == 1
    assert len(await s.app.db.read(recipients.everyone)) == 2


@played()
async def test_an_add_is_answered_although_youtube_stumbles_and_the_rest_is_read_later(s: Story) -> None:
    s.video(1, views=10_300)
    s.youtube.fail("videos.batchGetStats", "backend503", times=1)
    answer = await s.add(make_video_id(1), "views every 1000")
    assert answer["numbers"]["views"] == 10_300, "through videos.list, since somebody waits"
    s.world.add_playlist(make_playlist_id(1), "A list", video_ids=[make_video_id(1)])
    s.youtube.fail("playlistItems.list", "backend503", until=s.at("17:01"))
    answer = await s.add(make_playlist_id(1), "likes every 10")
    assert answer["videos"] == 0, "its list could not be read yet"
    await s.until("17:12")
    s.world.videos[make_video_id(1)].likes = 10
    await s.until("17:20")
    assert len(s.told()) == 1


@played()
async def test_a_request_that_youtube_calls_wrong_is_repeated_hourly_and_videos_list_serves_meanwhile(s: Story) -> None:
    await _videos(s, 1)
    s.youtube.fail("videos.batchGetStats", "badRequest400", until=s.at("20:00"))
    await s.until("18:00")
    _grow(s, 11_100)
    await s.until("19:50")
    assert len(s.told()) == 1
    assert len(s.calls("videos.batchGetStats", "17:12", "19:50")) == 3, "hourly"
    assert len(s.told(OPERATOR)) == 1
    assert "statistics" in s.told(OPERATOR)[0]


@played()
async def test_an_empty_answer_about_both_standing_witnesses_proves_nothing(s: Story) -> None:
    for witness in WITNESSES:
        await s.add(witness, "availability")
    await s.until("17:12")
    s.youtube.fail("*", "empty200", until=s.at("18:10"))
    await s.until("19:00")
    assert s.told() == []
    assert s.told(OPERATOR) == []


@played()
async def test_a_dead_message_can_be_sent_again_or_dropped(s: Story) -> None:
    await _videos(s, 1)
    s.telegram.block(CHAT)
    _grow(s, 11_100)
    await s.until("17:30")
    dead = await s.app.db.read(lambda con: [row[0] for row in con.execute("SELECT pk FROM message WHERE state = 'dead'")])
    assert len(dead) == 1
    s.telegram.unblock(CHAT)
    assert (await s.ask("outbox retry", message=dead[0]))["ok"] == {"message": dead[0]}
    await s.until("17:31")
    assert len(s.told()) == 1
    for kind in ("outbox retry", "outbox drop"):
        assert (await s.ask(kind, message=dead[0]))["exit_code"] == 2, "it was sent"
    s.telegram.fail("sendMessage", "restart500", until=s.at("18:30"))
    _grow(s, 12_100)
    await s.until("17:50")
    assert (await s.ask("outbox drop", message=dead[0] + 2))["ok"], "the operator's notice is the one in between"
    await s.until("18:40")
    assert len(s.told()) == 1


@played()
async def test_what_a_command_wrote_down_while_we_were_away_is_done_and_answered(s: Story) -> None:
    s.video(1, views=10_300)
    wanted = {"text": make_video_id(1), "rules": ["views every 1000"], "to": f"telegram:{CHAT}"}
    numbers = [await s.app.db.write(requests.put, kind, wanted, s.clock.now()) for kind in ("add", "dance")]
    await s.restart()
    done, unknown = [await s.app.db.read(requests.result, number) for number in numbers]
    assert done is not None
    assert done["ok"]["numbers"]["views"] == 10_300
    assert unknown is not None
    assert "version" in unknown["error"]
    assert await s.app.db.read(requests.waiting) == []


@played(settings=[("TELEGRAM__OPERATOR", "console")])
async def test_the_console_hears_what_is_told_to_nobody_else(s: Story) -> None:
    video = s.video(1, views=10_300)
    await s.add(video.id, "views every 1000", to="console")
    await s.until("17:12")
    video.views = 11_100
    await s.until("17:20")
    assert s.console.getvalue() == f"Video 1\nhttps://youtu.be/{video.id}\n🎉 Views passed 11,000: 10,300 → 11,100 (+800 in 5 min)\n\n"
