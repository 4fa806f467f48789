"""How people want to hear it: quiet hours, cooldown, once, silent, mute, language and time zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from story import CHAT, OPERATOR, Story, played
from ytwatcher.core.policy import parse_quiet
from ytwatcher.store import recipients

TO_CHAT = f"telegram:{CHAT}"
QUIET = parse_quiet("23:00-07:00")


async def _prefer(s: Story, address: str = TO_CHAT, **wanted: Any) -> None:
    stored = next(one for one in await s.app.db.read(recipients.everyone) if one.recipient.address == address)
    await s.app.db.write(recipients.save_preferences, stored.pk, replace(stored.recipient, **wanted))
    await s.ask("poke")


async def _fates(s: Story) -> list[tuple[str, str | None]]:
    return await s.app.db.read(lambda con: [tuple(row) for row in con.execute("SELECT state, reason FROM alert ORDER BY pk")])


@played(start=datetime(2026, 10, 24, 20, tzinfo=UTC))
async def test_quiet_hours_hold_until_the_morning_of_a_night_that_is_an_hour_longer(s: Story) -> None:
    video = s.video(1, views=10_300)
    await s.add(video.id, "views every 1000")
    await _prefer(s, timezone="Europe/Berlin", quiet=QUIET)
    await s.until("20:52")
    video.views = 11_100
    await s.until("20:59")
    assert len(s.told()) == 1, "22:59 in Berlin is not quiet"
    for at, views in (("21:30", 12_100), ("+1 00:30", 13_100), ("+1 01:30", 14_100)):
        await s.until(at)
        video.views = views
    await s.until("+1 05:59")
    assert len(s.told()) == 1
    assert {why for state, why in await _fates(s) if state == "held"} == {"quiet hours"}
    await s.until("+1 06:10")
    assert s.told()[1:] == ["Video 1\n🎉 Views passed 14,000: 11,100 → 14,100 (+3,000 in 4 hr, at 2:30\u202fAM)"]
    assert f"{s.when()[1]:%H:%M}" == "06:00", "07:00 in Berlin, where the clock went back at night"


@played()
async def test_a_cooldown_joins_what_it_held_into_one_line_from_first_to_last(s: Story) -> None:
    video = s.video(1, views=10_300)
    await s.add(video.id, "views every 1000 cooldown 2h")
    for at, views in (("17:22", 11_100), ("17:42", 12_200), ("18:12", 13_300), ("18:42", 14_400)):
        await s.until(at)
        video.views = views
    await s.until("19:20")
    assert len(s.told()) == 1
    assert (await _fates(s))[1:] == [("held", "cooldown")] * 3
    await s.restart()
    await s.until("19:40")
    assert len(s.told()) == 2
    assert "passed 14,000: 11,100 → 14,400 (+3,300 in " in s.told()[1]
    assert 0 <= (s.when()[1] - s.when()[0]).total_seconds() - 7200 < 5
    video.views = 15_100
    await s.until("21:00")
    assert len(s.told()) == 2, "and it cools down again"


@played()
async def test_once_is_once_silent_is_silent_and_mute_is_never_told_later(s: Story) -> None:
    video = s.video(1, views=10_300, likes=100)
    await s.add(video.id, "views every 1000 once", "likes change silent")
    await s.until("17:22")
    video.views = 11_100
    await s.until("17:42")
    video.views = 12_100
    await s.until("18:02")
    assert len(s.told()) == 1
    assert (await _fates(s))[1] == ("suppressed", "once: told before")
    video.likes = 120
    await s.until("18:22")
    assert [(m.chat_id, m.silent) for m in s.telegram.messages] == [(CHAT, False), (CHAT, True)]
    await _prefer(s, muted_until=s.at("19:00"))
    video.likes = 140
    await s.until("18:42")
    await _prefer(s, muted_until=None)
    await s.until("19:22")
    assert (await _fates(s))[-1] == ("suppressed", "muted")
    video.likes = 150
    await s.until("19:42")
    assert s.told()[2:] == ["Video 1\n🔄 Likes: 140 → 150 (+10 in 5 min)"]


@played(settings=[("TELEGRAM__LANGUAGE", "fr"), ("TELEGRAM__TIMEZONE", "Asia/Tokyo")])
async def test_numbers_and_times_are_the_recipients_own(s: Story) -> None:
    video = s.video(1, views=1_234_000)
    for language, chat in (("de", 2001), ("ar_EG", 2002), ("fr", 2003)):
        s.telegram.add_chat(chat)
        await s.add(video.id, "views reach 1235000", to=f"telegram:{chat}")
        if chat != 2003:
            await _prefer(s, f"telegram:{chat}", language=language)
    await s.until("17:22")
    video.views = 1_235_678
    await s.until("17:30")
    assert "1.235.000" in s.told(2001)[0]
    assert "1.235.678" in s.told(2001)[0]
    assert "1,235,678 (+1,678 in 5 د)" in s.told(2002)[0]
    assert "1\u202f235\u202f678" in s.told(2003)[0], "the configured language is that of new recipients"


@played(settings=[("TELEGRAM__LANGUAGE", "de"), ("TELEGRAM__TIMEZONE", "Europe/Berlin")])
async def test_the_operator_has_the_configured_language_from_its_first_notice_on(s: Story) -> None:
    video = s.video(1, views=10_300)
    await s.ask("outbox test", recipient=TO_CHAT)
    await s.until("17:01")
    assert len(s.told()) == 1
    assert "Das ist ein Test" in s.told()[0]
    await s.add(video.id, "views every 1000")
    await s.until("17:22")
    s.youtube.fail("*", "keyInvalid", times=2)
    await s.until("17:50")
    assert len(s.told(OPERATOR)) == 1
    await s.add(video.id, "views every 1000", to=f"telegram:{OPERATOR}")
    await s.until("18:02")
    video.views = 11_100
    await s.until("18:20")
    assert "10.300 → 11.100" in s.told(OPERATOR)[-1]
    assert "10.300 → 11.100" in s.told()[-1]
