"""outbox and recipients as a person and as a program sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from served import CHAT, KEY, TOKEN, Home, Served, home, served
from ytwatcher.core.model import Lane, Metric, Reading, SubjectId
from ytwatcher.store import recipients

V1 = "jNQXAC9IVRw"
ME = f"telegram:{CHAT}"


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, services: Served) -> Home:
    return home(tmp_path, services)


def flat(text: str) -> str:
    return " ".join(text.split())


def path_of(person: Home) -> Path:
    folder = person.folder / ".local/share/ytwatcher"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "ytwatcher.db"


@contextmanager
def journal(person: Home) -> Iterator[Journal]:
    opened = Journal(path_of(person), V1)
    try:
        yield opened
    finally:
        opened.con.close()


def news(person: Home, to: str, *rules: str) -> None:
    """One alert for each rule, waiting."""
    now = datetime.now(UTC)
    with journal(person) as opened:
        opened.add_target([], now)
        for rule in rules:
            opened.add_rule(rule, now, to=to)
        for hours, views in ((2, 900), (1, 1100)):
            reading = Reading(SubjectId(V1), now - timedelta(hours=hours), Lane.STATISTICS, {Metric.VIEWS: views}, title="A [red]film")
            opened.accept([reading], now)


def test_an_empty_outbox_says_so(person: Home) -> None:
    assert person.ok("outbox", "list").startswith("The outbox is empty")
    assert person.ok("outbox", "list", "--state", "dead") == "There is nothing like that.\n"
    assert person.json("outbox", "list") == {"alerts": [], "messages": []}


def test_a_test_message_arrives_by_the_real_path(person: Home, services: Served) -> None:
    before = services.do(lambda: len(services.telegram.messages))
    done = person.run("outbox", "test", ME)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"Sent: the test to {ME}\n")
    (told,) = services.do(lambda: services.telegram.messages[before:])
    assert "This is a test" in told.shown
    (message,) = person.json("outbox", "list", "--state", "sent")["messages"]
    assert (message["to"], message["attempts"], message["last_error"]) == (ME, 1, None)


def test_a_test_to_the_console_is_printed(person: Home) -> None:
    assert "This is a test" in person.ok("outbox", "test", "console")


def test_a_chat_that_cannot_be_reached_is_named_with_the_reason_and_retried_by_hand(person: Home, services: Served) -> None:
    done = person.run("outbox", "test", "telegram:999")
    assert done.returncode == 5
    assert "the test to telegram:999 has not arrived, it is dead: Bad Request: chat not found" in done.stderr
    assert "lost: Bad Request: chat not found" in flat(person.ok("recipients", "list"))
    said = flat(person.ok("outbox", "list"))
    assert "message 1 → telegram:999: dead, made just now, 1 attempt, last error: Bad Request: chat not found" in said
    services.do(lambda: services.telegram.add_chat(999))
    try:
        assert person.run("outbox", "retry", "1").stderr == "Sent: message 1\n"
    finally:
        services.do(lambda: services.telegram.chats.pop(services.telegram.messages[-1].chat_id))
    assert person.json("outbox", "list")["messages"] == []
    assert person.json("recipients", "list")[-1]["state"] == "active"


def test_a_dead_message_can_be_dropped_once(person: Home) -> None:
    person.run("outbox", "test", "telegram:998")
    assert person.ok("outbox", "drop", "1") == "Dropped: message 1\n"
    assert person.json("outbox", "list")["messages"] == []
    done = person.run("outbox", "retry", "1")
    assert done.returncode == 2
    assert "there is no dead message 1" in done.stderr


@pytest.mark.parametrize("arguments", [("test", "mail:ada"), ("list", "--state", "lost"), ("retry", "9" * 20), ("drop", "0")])
def test_wrong_input_ends_with_2(person: Home, arguments: tuple[str, ...]) -> None:
    assert person.run("outbox", *arguments).returncode == 2


def test_without_a_token_a_chat_cannot_be_tested(tmp_path: Path, services: Served) -> None:
    done = home(tmp_path, services, keys=False).run("outbox", "test", ME)
    assert done.returncode == 2
    assert "telegram.bot_token is not set" in done.stderr


def test_alerts_are_listed_with_their_reason_before_they_are_told_and_when_they_never_are(person: Home) -> None:
    news(person, "console", "views change", "views every 1000")
    waiting = person.json("outbox", "list")["alerts"]
    assert [(alert["state"], alert["rule"], alert["to"]) for alert in waiting] == [
        ("waiting", "views change", "console"),
        ("waiting", "views every 1000", "console"),
    ]
    said = flat(person.ok("outbox", "list"))
    assert "alert → console: waiting Video: A [red]film | Views changed: 900 -> 1100" in said
    assert person.run("recipients", "set", "console", "--mute", "8h").returncode == 0
    person.ok("outbox", "test", "console")  # what waits is decided on with it
    assert person.json("outbox", "list")["alerts"] == []
    assert "alert → console: suppressed, muted" in flat(person.ok("outbox", "list", "--suppressed"))


def test_held_alerts_say_until_when(person: Home) -> None:
    now = datetime.now(UTC)
    quiet = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    person.ok("recipients", "set", "console", "--quiet", quiet)
    news(person, "console", "views change")
    person.ok("outbox", "test", "console")
    (held,) = person.json("outbox", "list", "--state", "held")["alerts"]
    assert held["reason"] == "quiet hours"
    assert held["hold_until"] == f"{now + timedelta(hours=2):%Y-%m-%dT%H:%M}:00.000Z"
    assert "held until" in flat(person.ok("outbox", "list"))


def test_preferences_are_kept_and_what_is_not_named_stays(person: Home) -> None:
    given = ("--language", "pt-BR", "--timezone", "Europe/Lisbon", "--quiet", "23:00 - 7:30", "--mute", "1h30m")
    first = person.json("recipients", "set", ME, *given)
    assert (first["language"], first["timezone"], first["quiet"]) == ("pt_BR", "Europe/Lisbon", "23:00-07:30")
    assert first["muted_until"] is not None
    second = person.json("recipients", "set", ME, "--no-quiet", "--unmute")
    assert second == {**first, "quiet": None, "muted_until": None}
    said = flat(person.ok("recipients", "list"))
    assert f"{ME} pt_BR Europe/Lisbon none none active" in said


def test_a_recipient_that_watches_nothing_is_removed_with_what_is_open_for_it(person: Home) -> None:
    ada = "telegram:5"
    for address, named in ((ada, "is told nothing"), (ME, "is told nothing")):
        assert named in person.run("recipients", "remove", address).stderr
    news(person, ada, "views change", "views every 1000")
    person.ok("recipients", "set", ada, "--language", "de")
    person.ok("recipients", "set", ME)
    done = person.run("recipients", "remove", ada)
    assert (done.returncode, flat(done.stderr)) == (
        2,
        f"ytwatcher: {ada} has 1 watch; end them first: ytwatcher remove TARGET --from {ada}",
    )
    person.ok("remove", V1, "--from", ada)
    assert person.ok("recipients", "remove", ada) == f"Removed: {ada}; 2 alerts for it dropped\n"
    assert [one["address"] for one in person.json("recipients", "list")] == [ME]
    assert person.json("outbox", "list", "--suppressed") == {"alerts": [], "messages": []}
    assert person.run("recipients", "remove", ME).returncode == 2
    assert person.json("recipients", "set", ada)["language"] == "en"
    assert person.json("outbox", "list", "--suppressed")["alerts"] == []  # it begins anew


def test_nobody_to_tell_says_what_to_do_next(person: Home) -> None:
    assert person.ok("recipients", "list").startswith("Nobody is told anything yet. Begin with: ytwatcher add LINK --to ADDRESS")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((ME, "--language", "klingon"), "“klingon” is not a language"),
        ((ME, "--timezone", "Europe/Berlni"), "did you mean “Europe/Berlin”?"),
        ((ME, "--quiet", "at night"), "is not a span of hours"),
        ((ME, "--mute", "long"), "is not a duration"),
        ((ME, "--quiet", "22:00-6:00", "--no-quiet"), "contradict each other"),
    ],
)
def test_a_wrong_preference_changes_nothing(person: Home, arguments: tuple[str, ...], named: str) -> None:
    done = person.run("recipients", "set", *arguments)
    assert done.returncode == 2
    assert named in done.stderr
    with journal(person) as opened:
        assert recipients.everyone(opened.con) == []


def test_no_secret_is_printed_or_stored(person: Home) -> None:
    said = ""
    for arguments in (("test", "telegram:997"), ("retry", "1"), ("list",)):
        done = person.run("outbox", *arguments, env={"YTWATCHER_LOG__LEVEL": "debug"})
        said += done.stdout + done.stderr
    for secret in (KEY, TOKEN):
        assert secret not in said
        assert not [path for path in person.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
