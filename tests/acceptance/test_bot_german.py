"""A German chat: all that it is told, in whatever corner of the program it is said, is said in German."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from string import Formatter

import pytest

from story import CHAT, OPERATOR, Story, played
from ytwatcher.condition import look, needs
from ytwatcher.core.model import TargetKind
from ytwatcher.core.rules import explain, parse_rule
from ytwatcher.errors import RuleError
from ytwatcher.simulator import make_video_id
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.store.access import Role
from ytwatcher.store.overview import Stuck
from ytwatcher.telegram.menu import COMMANDS
from ytwatcher.telegram.texts import Texts

BOT = [("TELEGRAM__BOT", "true")]
LIST = "PLaaaaaaaaaaaaaaaa"
OTHER = 1002
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
    assert "„evry“ ist keine Regel; meintest du „every“?" in shown(await s.writes("views evry 1000"))
    assert "Cooldown: „x“ ist keine Dauer" in shown(await s.writes("views change cooldown x"))
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
    assert str(Texts().of("de").fault(caught.value)).startswith("„&lt;b&gt;{n}“ ist keine Regel; bekannt sind change, every,")


@played(settings=BOT, burst=30)
async def test_what_needs_a_hand_is_said_in_german(s: Story) -> None:
    now, say = s.clock.now(), Texts().of("de")
    found = await s.app.db.read(look, s.app.settings, True, now)
    late = replace(found, unsent=Stuck(now - timedelta(days=3), "time {out}"), outbox={"dead": 1200})
    assert [say.plain(one) for one in needs(late, s.app.settings)] == [
        "was vor 3 Tagen entstand, ist noch nicht gesendet (time {out}): ytwatcher doctor sucht die Ursache",
        "1.200 Nachrichten ließen sich nicht zustellen: ytwatcher outbox list zeigt, warum",
    ]


# --- every command, every alert, what the operator is told ------------------------------------------------------------------

RULES = (
    "views every 100",
    "views reach 1k",
    "likes change",
    "likes rise 1%",
    "comments fall 5",
    "views faster 10/h",
    "views slower 5/h",
    "availability",
    "title",
)
NEEDED = {
    "add": "LINK",
    "top": "liste",
    "chart": "film",
    "charts": "on",
    "card": "film",
    "mute": "2h",
    "quiet": "23:00-07:30",
    "limits": f"{CHAT} 50 250 200",
    "dismiss": str(OTHER),
}
"""What each command is given besides being written alone; any other gets a word that means nothing."""
WORD = re.compile(
    r"(?<![/\w])(?:views|subscribers|comments|favorites|playlist|channel|lost|paused|ago|days|hours|Oct|passed|reached|now)\b"
)


def english() -> set[str]:
    """The English of every text between its values, where it is more than one word and does not stand in the German, too."""
    found = set()
    for text, german in Texts().catalogs["de"].items():
        for before, *_ in Formatter().parse(text):
            words = before.strip(" .,:;()“”\n")
            if " " in words and words not in german:
                found.add(words)
    return found


def not_german(s: Story, *chats: int) -> set[str]:
    """What of all that these chats were shown, on buttons and in pop-ups, too, is English; rules are shown as they are typed."""
    seen = [message for message in s.telegram.messages if message.chat_id in chats]
    said = "\n".join(
        [
            *(message.shown for message in seen),
            *(button.text for message in seen for row in message.keyboard for button in row),
            *(text for _, text, _ in s.telegram.conversation.answers),
        ]
    )
    for rule in (
        *RULES,
        "views milestones",
        "likes milestones",
        "views every 10k",
        "views slower",
        "views every 1k",
        "subscribers milestones",
    ):
        said = said.replace(rule, "")
    return {words for words in english() if words in said} | {said[max(0, m.start() - 30) : m.end() + 30] for m in WORD.finditer(said)}


async def german(s: Story, *chats: int) -> None:
    for chat in chats:
        await s.writes("/language de", chat=chat)
        await s.writes("/timezone Berlin", chat=chat)
    s.telegram.conversation.answers.clear()


@played(settings=BOT, burst=60)
async def test_every_command_answers_in_german(s: Story) -> None:
    await german(s, CHAT, OPERATOR)
    await s.let_in(OTHER)
    film = s.video(1, title="Film", views=900, likes=100, comments=50)
    s.world.add_playlist(LIST, "Liste", video_ids=[film.id])
    await s.writes(f"{LINK} https://www.youtube.com/playlist?list={LIST}")
    answered = {}
    for command in COMMANDS:
        chat = CHAT if command.role is Role.USER else OPERATOR
        for said in ("", NEEDED.get(command.name, "unsinn")):
            await s.until(s.clock.now() + timedelta(minutes=2))
            answered[command.name] = await s.writes(f"/{command.name} {said.replace('LINK', LINK)}".strip(), chat=chat)
            for message in answered[command.name][-1:]:
                for button in [one for row in message.keyboard[-1:] for one in row[:2]]:
                    s.telegram.conversation.query(message, button.data or "", chat, "Someone")
                    await s.clock.rest()
    assert not [name for name, messages in answered.items() if not messages]
    assert not not_german(s, CHAT, OPERATOR)


@played(settings=BOT, burst=60)
async def test_every_alert_and_its_buttons_are_german(s: Story) -> None:
    await german(s, CHAT)
    film = s.video(1, title="Film", views=900, likes=100, comments=50)
    for rule in RULES:
        await s.writes(f"/add {LINK} {rule}")
        await s.until(s.clock.now() + timedelta(minutes=5))
    for at, views, likes, comments in (
        ("19:00", 901, 100, 50),
        ("20:05", 925, 100, 50),
        ("20:20", 1010, 120, 40),
        ("23:30", 1011, 120, 40),
    ):
        await s.until(at)
        film.views, film.likes, film.comments = views, likes, comments
    await s.until("1 06:00")
    film.title = "Neuer Film"
    await s.until("1 18:00")
    del s.world.videos[film.id]
    await s.until("2 18:00")
    told = "\n".join(s.told(since="18:00"))
    assert "🎯 1.000 Aufrufe erreicht: 925 → 1.010 (+85 in " in told and " Min.) · Regeln: views reach 1k; views every 100" in told
    assert "📈 Likes gestiegen: 100 → 120 (+20 in " in told and " · Regeln: likes rise 1%; likes change" in told
    assert "📉 Kommentare gesunken: 50 → 40 (−10)" in told
    assert "🚀 Aufrufe wachsen schneller als 10/h:" in told
    assert "🐌 Aufrufe wachsen langsamer als 5/h:" in told
    assert "✏️ Neuer Titel: „Film“ → „Neuer Film“" in told
    assert "👁 Nicht mehr verfügbar: entfernt oder auf privat gestellt" in told
    for button in ("Warum?", "Diagramm", "Leiser", "8 h stumm", "Nicht mehr beobachten"):
        await s.presses(button)
    assert not not_german(s, CHAT)


@played(settings=BOT, burst=60)
async def test_the_operator_is_told_in_german_and_so_is_what_needs_a_hand(s: Story) -> None:
    await german(s, OPERATOR)
    await s.add(s.video(1, views=990).id, "views every 100")
    s.telegram.block(CHAT)
    s.youtube.fail("*", "quotaExceeded", until=s.at("21:30"))
    await s.until("1 12:00")
    told = "\n".join(s.told(OPERATOR))
    assert f"telegram:{CHAT} ist nicht mehr erreichbar: der Bot wurde blockiert. Was dort beobachtet wird, bleibt;" in told
    assert "YouTube sagt, dass das Kontingent für heute aufgebraucht ist (Topf" in told
    status = shown(await s.writes("/status", chat=OPERATOR))
    assert f"Da muss jemand ran: telegram:{CHAT} ist verloren (der Bot wurde blockiert): ytwatcher outbox test" in status
    assert not not_german(s, OPERATOR)
