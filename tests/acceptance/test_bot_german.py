"""A German chat: what the core says of rules, links and mistakes is said in German, too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from story import Story, played
from ytwatcher.condition import look, needs
from ytwatcher.core.model import TargetKind
from ytwatcher.core.rules import explain, parse_rule
from ytwatcher.errors import RuleError
from ytwatcher.simulator import make_video_id
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store.overview import Stuck
from ytwatcher.telegram.texts import Texts

BOT = [("TELEGRAM__BOT", "true")]
LINK = f"https://youtu.be/{make_video_id(1)}"


def shown(messages: list[Delivered]) -> str:
    return "\n".join(message.shown for message in messages)


@played(settings=BOT, burst=30)
async def test_mistakes_are_explained_in_german(s: Story) -> None:
    await s.writes("/language de")
    s.video(1, title="Film", views=1500)
    await s.writes(f"/add {LINK} views change")
    await s.writes("/rules film")
    await s.presses("Neue Regel")
    assert "“evry” ist keine Regel; meintest du “every”?" in shown(await s.writes("views evry 1000"))
    assert "Cooldown: “x” ist keine Dauer" in shown(await s.writes("views change cooldown x"))
    assert "ist kein Link zu YouTube; schreib einen Link wie" in shown(await s.writes("/add https://example.org/{film}"))
    assert "ist ein Clip" in shown(await s.writes("https://youtube.com/clip/<b>x"))
    assert "„9-5“" in shown(await s.writes("/quiet 9-5"))
    assert "wird abgelehnt, schon überschritten: die höchste bekannte Zahl ist 1.500" in shown(
        await s.writes(f"/add {LINK} views reach 1k")
    )


@played(settings=BOT, burst=30)
async def test_a_rule_is_explained_and_rehearsed_in_german(s: Story) -> None:
    await s.writes("/language de")
    s.video(1, title="Film", views=1500)
    added = shown(await s.writes(f"/add {LINK} views every 1k once; title"))
    assert (
        "Meldet, wenn die Zahl der Aufrufe des Videos zum ersten Mal ein Vielfaches von 1.000 überschreitet, nur beim ersten Mal." in added
    )
    assert "Meldet, wenn sich der Titel des Videos ändert." in shown(await s.writes("/rules film"))
    await s.presses("Neue Regel")
    tried = shown(await s.writes("availability"))
    assert "Meldet, wenn das Video verschwindet oder wiederkommt" in tried
    assert "lässt sich nicht sagen" in tried


def test_every_kind_of_rule_is_german_from_its_first_word_to_its_last() -> None:
    say = Texts().of("de")

    def german(line: str, kind: TargetKind = TargetKind.CHANNEL) -> str:
        return say.plain(explain(parse_rule(line), kind))

    assert german("likes rise 2.5% cooldown 1h30m") == (
        "Meldet, wenn die Zahl der Likes eines Videos des Kanals um 2,5 % gewachsen ist, seit die Regel entstand oder zuletzt meldete, "
        "danach frühestens nach 1 Stunde 30 Minuten wieder."
    )
    assert german("subscribers milestones silent") == (
        "Meldet, wenn die Zahl der Abonnenten des Kanals 10, 20, 50, 100 und so weiter überschreitet, jeweils zum ersten Mal, ohne Ton."
    )
    assert german("views faster 5000/h", TargetKind.PLAYLIST) == (
        "Meldet, wenn die Zahl der Aufrufe eines Videos der Playlist schneller als um 5.000 pro Stunde zu wachsen beginnt, "
        "gemessen über etwa eine Stunde."
    )
    assert german("new", TargetKind.PLAYLIST) == "Meldet, wenn ein neues Video in die Playlist kommt."


def test_what_somebody_typed_is_no_markup_in_what_is_said_of_it() -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule("views <b>{n} 5")
    assert str(Texts().of("de").fault(caught.value)).startswith("“&lt;b&gt;{n}” ist keine Regel; bekannt sind change, every,")


@played(settings=BOT, burst=30)
async def test_what_needs_a_hand_is_said_in_german(s: Story) -> None:
    now, say = s.clock.now(), Texts().of("de")
    found = await s.app.db.read(look, s.app.settings, True, now)
    late = replace(found, unsent=Stuck(now - timedelta(days=3), "time {out}"), outbox={"dead": 1200})
    assert [say.plain(one) for one in needs(late, s.app.settings)] == [
        "was vor 3 Tagen entstand, ist noch nicht gesendet (time {out}): ytwatcher doctor sucht die Ursache",
        "1.200 Nachrichten ließen sich nicht zustellen: ytwatcher outbox list zeigt, warum",
    ]
