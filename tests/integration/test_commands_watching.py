"""add, remove, list, rules, now and history as a person and as a program sees them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal import Journal
from served import CHAT, KEY, TOKEN, Home, Served, home, served
from ytwatcher.core.model import Absent, Lane, Metric, Reading, SubjectId, Value
from ytwatcher.simulator import make_channel_id, make_playlist_id, make_video_id

VIDEO, OTHER, CHANNEL, PLAYLIST = make_video_id(1), make_video_id(2), make_channel_id(1), make_playlist_id(1)
TITLE = "A [bold]film[/bold] of the \u202esea\x1b[31m"
SHOWN = "A [bold]film[/bold] of the sea [31m"
ME = f"telegram:{CHAT}"


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        old = datetime.now(UTC) - timedelta(days=9)

        def fill() -> None:
            world = running.world
            world.add_channel(CHANNEL, "Harbour TV", handle="@harbour", subscribers=12_300, published_at=old)
            world.add_video(VIDEO, title=TITLE, views=50_120, likes=2000, comments=30, published_at=old, channel_id=CHANNEL)
            world.add_video(OTHER, title="Another film", views=900, likes=None, comments=None, published_at=old, channel_id=CHANNEL)
            world.add_playlist(PLAYLIST, "Best of", video_ids=[VIDEO, OTHER])

        running.do(fill)
        yield running


@pytest.fixture
def person(tmp_path: Path, services: Served) -> Home:
    return home(tmp_path, services)


def flat(text: str) -> str:
    """A person's reading of it, however it was wrapped."""
    return " ".join(text.split())


@contextmanager
def journal(person: Home) -> Iterator[Journal]:
    """The person's journal, with a video in it that was read before."""
    folder = person.folder / ".local/share/ytwatcher"
    folder.mkdir(parents=True, exist_ok=True)
    opened = Journal(folder / "ytwatcher.db", VIDEO)
    try:
        yield opened
    finally:
        opened.con.close()


def read_before(person: Home, *readings: tuple[timedelta, dict[Metric, Value]], rule: str = "views change") -> None:
    """Readings of the video so long ago; it is watched for the console."""
    now = datetime.now(UTC)
    with journal(person) as opened:
        opened.add_target([], now)
        opened.add_rule(rule, now, to="console")
        for ago, values in readings:
            at = now - ago
            opened.accept([Reading(SubjectId(VIDEO), at, Lane.STATISTICS, values, title=TITLE, published_at=now - timedelta(days=30))], now)


def counts(views: int) -> dict[Metric, Value]:
    return {Metric.VIEWS: views}


HOURS: Callable[[float], timedelta] = lambda n: timedelta(hours=n)  # noqa: E731 - a short name


def test_add_says_what_it_is_what_it_costs_and_which_rules_apply(person: Home) -> None:
    done = person.run("add", f"look at this: https://youtu.be/{VIDEO}?list={PLAYLIST} !")
    assert done.returncode == 0
    said = flat(done.stdout)
    for part in (
        f"Watching: {SHOWN} (video)",
        f"https://www.youtube.com/watch?v={VIDEO}",
        f"Told to: {ME}",
        "Today: views 50,120 · likes 2,000 · comments 30",
        "Costs about 288 of 10,000 units (2.9%) a day for statistics and 4 of 10,000 units (less than 0.1%) for everything else",
        "r1 views milestones Tells when the number of views of the video passes 1,000, 2,000, 5,000",
        "The next number told is 100,000.",
        "r3 availability",
        f"To watch all of it: ytwatcher add {PLAYLIST}",
    ):
        assert part in said
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert done.stderr == "Nothing is read at present: start it with `ytwatcher run`.\n"


def test_add_for_a_program_is_one_document(person: Home) -> None:
    added = person.json("add", "@harbour", "--rule", "favorites change", "--rule", "views reach 1k", "--to", "console")
    assert (added["id"], added["kind"], added["title"], added["to"]) == (CHANNEL, "channel", "Harbour TV", "console")
    assert (added["videos"], added["new"], added["numbers"]["subscribers"]) == (2, True, 12_300)
    assert set(added["units_a_day"]) == {"statistics", "default"}
    assert [(rule["rule"], rule["skipped"], rule["refused"]) for rule in added["rules"]] == [
        ("favorites change", 0, None),
        ("views reach 1k", 1, None),
    ]
    assert "0 favorites" in added["rules"][0]["note"]


def test_rules_that_ask_the_same_are_one(person: Home) -> None:
    added = person.json("add", VIDEO, "--rule", "views change", "--rule", "views  change", "--rule", "VIEW change", "--rule", "title")
    assert [rule["rule"] for rule in added["rules"]] == ["views change", "title"]
    assert len(person.json("rules", "list", VIDEO)) == 2


def test_a_second_add_says_so_and_a_refused_rule_beside_a_good_one_is_shown(person: Home) -> None:
    person.ok("add", VIDEO)
    said = flat(person.ok("add", VIDEO, "--rule", "views reach 1k", "--rule", "title"))
    assert said.startswith("Watched already")
    assert "views reach 1k" in said
    assert "Refused, passed already: the highest number known is 50,120." in said


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("add", "nothing at all"), 2, "no link, id or @handle"),
        (("add", VIDEO, "--rule", "views rech 5"), 2, "did you mean “reach”?"),
        (("add", VIDEO, "--to", "mail:ada"), 2, "is not an address"),
        (("add", VIDEO, "--rule", "views reach 1k"), 2, "is refused, passed already"),
        (("remove", VIDEO), 2, "is not watched"),
        (("rules", "list", VIDEO), 2, "is not watched"),
        (("rules", "explain", "likes change twice"), 2, "does not belong behind"),
        (("now", "@harbour"), 2, "name the channel by its title or id"),
        (("history", VIDEO), 2, "is not watched"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_changes_nothing(person: Home, arguments: tuple[str, ...], code: int, named: str) -> None:
    done = person.run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert named in flat(done.stderr)
    assert "Traceback" not in done.stderr
    with journal(person) as opened:
        assert opened.con.execute("SELECT count(*) FROM watch").fetchone()[0] == 0


def test_wrong_input_is_found_before_anything_is_asked(person: Home, services: Served) -> None:
    before = services.do(lambda: len(services.youtube.calls))
    person.run("add", VIDEO, "--rule", "views rech 5")
    assert services.do(lambda: len(services.youtube.calls)) == before


def test_without_a_key_what_needs_one_says_so_and_the_rest_works(tmp_path: Path, services: Served) -> None:
    person = home(tmp_path, services, keys=False)
    read_before(person, (HOURS(1), {Metric.VIEWS: 5}))
    for arguments in (("add", VIDEO), ("rules", "add", VIDEO, "title"), ("remove", "@harbour")):
        done = person.run(*arguments)
        assert done.returncode == 2
        assert "youtube.api_key: is not set" in done.stderr
    done = person.run("rules", "remove", "r1")
    assert done.returncode == 0
    assert "no rule: `ytwatcher rules add` makes one" in person.ok("list")
    assert "Not watched any longer" in person.ok("remove", VIDEO)


def test_a_refusal_of_youtube_ends_with_5_and_shows_no_key(person: Home, services: Served) -> None:
    services.do(lambda: services.youtube.fail("videos.list", "backend503"))
    try:
        done = person.run("add", VIDEO)
    finally:
        services.do(services.youtube.clear)
    assert done.returncode == 5
    assert "YouTube answered 503" in done.stderr
    done = person.run("add", VIDEO, env={"YTWATCHER_YOUTUBE__API_KEY": "WRONG-key-0123456789"})
    assert done.returncode == 5
    assert "WRONG-key" not in done.stdout + done.stderr


def test_nothing_watched_says_what_to_do_next(person: Home) -> None:
    for command in ("list", "now"):
        assert person.ok(command) == "Nothing is watched yet. Begin with: ytwatcher add LINK\n"
    assert "ytwatcher rules add" in person.ok("rules", "list")


def test_list_shows_every_watch_and_since_when_youtube_has_not_changed_a_count(person: Home) -> None:
    person.ok("add", PLAYLIST, "--rule", "title")
    read_before(
        person,
        (HOURS(5), {Metric.VIEWS: 100, Metric.LIKES: 7}),
        (HOURS(3), {Metric.VIEWS: 150, Metric.LIKES: 7}),
        (HOURS(0), {Metric.VIEWS: 150, Metric.LIKES: 9}),
    )
    said = flat(person.ok("list"))
    assert f"Best of (playlist, 2 videos) → {ME}" in said
    assert f"{VIDEO} (video) → console" in said  # its title is not known yet
    listed = {(watch["id"], watch["to"]): watch for watch in person.json("list")}
    assert listed[PLAYLIST, ME]["numbers"] == {}
    assert [rule["rule"] for rule in listed[PLAYLIST, ME]["rules"]] == ["title"]
    assert listed[VIDEO, "console"]["rules"][0]["explained"] == "Tells when the number of views of the video changes."


def test_a_count_that_stands_still_says_since_when_and_one_that_moves_does_not(person: Home) -> None:
    read_before(
        person,
        (HOURS(5), {Metric.VIEWS: 100, Metric.LIKES: 7}),
        (HOURS(3), {Metric.VIEWS: 150, Metric.LIKES: 7}),
        (HOURS(0), {Metric.VIEWS: 150, Metric.LIKES: 9}),
    )
    said = flat(person.ok("list"))
    assert "views 150 · likes 9 · comments not returned" in said
    assert "views: not changed by YouTube since" in said
    assert "(3 h ago)" in said
    assert "likes: not changed" not in said
    (watch,) = person.json("list")
    assert watch["numbers"]["views"]["unchanged_since"] < watch["read_at"]
    shown = flat(person.ok("now", VIDEO))
    assert "views 150 – – not changed by YouTube since" in shown  # nobody had read it about an hour or a day before
    assert "CE" in shown  # the zone's name, CET or CEST


def test_now_gives_reasons_differences_and_what_waits(person: Home) -> None:
    read_before(
        person,
        (HOURS(24), {Metric.VIEWS: 49_000, Metric.LIKES: 10, Metric.COMMENTS: 5}),
        (HOURS(1), {Metric.VIEWS: 50_000, Metric.LIKES: Absent.HIDDEN, Metric.COMMENTS: 5}),
        (HOURS(0.5), {Metric.VIEWS: 50_500, Metric.LIKES: Absent.HIDDEN, Metric.COMMENTS: 4}),
        (HOURS(0), {Metric.VIEWS: 49_990, Metric.LIKES: Absent.HIDDEN, Metric.COMMENTS: 6}),
    )
    said = flat(person.ok("now", VIDEO))
    assert "views 50,500 +500 +1,500 waits for a second reading (raw 49,990)" in said
    assert "likes hidden – –" in said
    assert "comments 6 +1 +1" in said
    (found,) = person.json("now", f"https://youtu.be/{VIDEO}")
    views, likes = found["numbers"]["views"], found["numbers"]["likes"]
    assert (views["value"], views["raw"], views["hour_ago"], views["day_ago"]) == (50_500, 49_990, 50_000, 49_000)
    assert views["waiting_since"] is not None
    assert (likes["value"], likes["absent"], likes["raw"]) == (None, "hidden", "hidden")


def test_now_shows_many_videos_in_one_table(person: Home) -> None:
    person.ok("add", PLAYLIST)
    person.ok("add", CHANNEL)
    said = person.ok("now")
    assert "subscribers  12,300" in said
    assert [line[:14] for line in said.splitlines() if line.rstrip().endswith("just now")] == ["A [bold]film[/", "Another film  "]
    assert "? waits for a second reading" in said
    assert "subscribers" not in person.ok("now", "Best of")
    assert len(person.json("now")) == 3
    assert max(len(line.rstrip()) for line in said.splitlines()) <= 80


def test_history_draws_the_readings_with_gaps_and_counting_breaks(person: Home) -> None:
    start = datetime(2026, 8, 20, tzinfo=UTC)
    with journal(person) as opened:
        opened.add_target([], start)
        opened.add_rule("views change", start, to="console")
        for day, views in ((0, 100), (1, 300), (2, 800), (5, 900), (9, 5000), (10, 6000)):
            values: dict[Metric, Value] = {Metric.VIEWS: views, Metric.LIKES: 5}
            opened.accept([Reading(SubjectId(VIDEO), start + timedelta(days=day), Lane.STATISTICS, values)], start + timedelta(days=11))
    said = person.ok("history", VIDEO, "--metric", "views")
    curve = next(line for line in said.splitlines() if line.startswith("views  "))
    assert all(level in curve for level in "▁█┊")
    assert curve.endswith("100 → 6,000")
    assert "  " in curve.removeprefix("views").strip().split("100")[0]  # the days of the break
    assert "counting break" in said
    assert "recounted" in said
    assert "+500" in said
    assert "+4,100" not in said  # nothing is compared across the break
    found = person.json("history", VIDEO)
    assert [point["values"]["views"] for point in found["points"]] == [100, 300, 800, None, 5000, 6000]
    assert found["breaks"][0]["start_at"] == "2026-08-24T00:00:00.000Z"


def test_history_can_be_cut_and_says_what_is_not_shown(person: Home) -> None:
    read_before(person, *[(HOURS(30 - n), counts(views=1000 + n)) for n in range(30)])
    done = person.run("history", VIDEO)
    assert "The newest 20 of 30 rows; --limit shows more." in done.stderr
    assert len(person.json("history", VIDEO)["points"]) == 30
    assert [p["values"] for p in person.json("history", VIDEO, "--limit", "1", "--metric", "VIEWS")["points"]] == [{"views": 1029}]
    assert len(person.json("history", VIDEO, "--since", "5h")["points"]) == 4
    for arguments, named in (
        (("--metric", "veiws"), "did you mean “views”?"),
        (("--since", "soon"), "is not a duration"),
    ):
        done = person.run("history", VIDEO, *arguments)
        assert done.returncode == 2
        assert named in done.stderr


def test_history_of_a_list_asks_for_one_of_its_videos(person: Home) -> None:
    person.ok("add", PLAYLIST)
    person.ok("add", CHANNEL)
    assert "is 2 videos; name one of them" in person.run("history", "Best of").stderr
    assert "subscribers" in person.ok("history", "Harbour TV")
    assert "Another film" in person.ok("history", "Another film")


def test_a_watched_channel_is_found_by_its_handle_without_asking_youtube(person: Home, services: Served) -> None:
    person.ok("add", "@harbour", "--rule", "title")
    before = services.do(lambda: len(services.youtube.calls))
    assert len(person.json("now", "@Harbour")) == 3
    assert "subscribers" in person.ok("history", "@harbour")
    assert [rule["target"] for rule in person.json("rules", "list", "youtube.com/@HARBOUR")] == [CHANNEL]
    keyless = {"YTWATCHER_YOUTUBE__API_KEY": ""}
    assert person.run("remove", "@harbour", env=keyless).returncode == 0
    assert services.do(lambda: len(services.youtube.calls)) == before


def test_rules_are_listed_added_and_removed_each_explained_back(person: Home) -> None:
    person.ok("add", VIDEO, "--rule", "title")
    made = person.json("rules", "add", VIDEO, "views every 10k")
    assert (made["next_number"], made["explained"]) == (
        60_000,
        "Tells when the number of views of the video passes a multiple of 10,000 for the first time.",
    )
    said = flat(person.ok("rules", "list", VIDEO))
    assert f"{SHOWN} (video) → {ME}" in said
    assert "Tells when the title of the video changes." in said
    assert [rule["rule"] for rule in person.json("rules", "list")] == ["title", "views every 10k"]
    assert person.ok("rules", "remove", made["id"]) == f"Ended: {made['id']}\n"
    assert [rule["rule"] for rule in person.json("rules", "list")] == ["title"]
    done = person.run("rules", "add", VIDEO, "views reach 1k")
    assert done.returncode == 2
    assert "is refused, passed already" in done.stderr
    assert "The next number told is 51,000." in flat(person.ok("rules", "add", VIDEO, "views every 1000"))


def test_a_reach_that_turns_out_to_be_passed_already_says_so(person: Home, services: Served) -> None:
    services.do(lambda: (services.youtube.fail("videos.batchGetStats", "backend503"), services.youtube.fail("videos.list", "backend503")))
    try:
        person.ok("add", PLAYLIST, "--rule", "views reach 500", "--rule", "views reach 1M")
    finally:
        services.do(services.youtube.clear)
    assert [rule["passed"] for rule in person.json("rules", "list")] == [None, None]
    with journal(person) as opened:
        now = datetime.now(UTC)
        opened.accept([Reading(SubjectId(OTHER), now, Lane.STATISTICS, counts(900))], now)
    read_before(person, (HOURS(0), counts(900)), rule="views reach 900")
    assert "r1 views reach 500 (passed already by 2 videos) r2 views reach 1M" in flat(person.ok("list"))
    (first, _), (second,) = (watch["rules"] for watch in person.json("list"))
    assert (first["passed"], second["passed"]) == ("passed already by 2 videos", "passed already")
    said = flat(person.ok("rules", "list"))
    assert "passes 900 for the first time. Passed already." in said
    assert "passes 500 for the first time. Passed already by 2 videos." in said


def test_a_rule_is_explained_without_a_watch(person: Home) -> None:
    assert "has grown by 5% since the rule was made or last told" in flat(person.ok("rules", "explain", "Likes rise 5%"))
    assert person.json("rules", "explain", "favourites CHANGE  once") == {
        "rule": "favorites change once",
        "explained": "Tells when the number of favorites of the video changes, only the first time.",
        "note": "YouTube has returned 0 favorites for every video since 2015, so this rule will hardly ever tell anything.",
    }


def test_remove_ends_a_watch_of_one_recipient(person: Home) -> None:
    person.ok("add", VIDEO)
    person.ok("add", VIDEO, "--to", "console")
    assert flat(person.ok("remove", VIDEO)) == f"Not watched any longer: {SHOWN} (video) → {ME}"
    assert [watch["to"] for watch in person.json("list")] == ["console"]
    assert "Not watched any longer" in person.ok("remove", TITLE, "--from", "console")
    assert person.json("list") == []


def test_beside_a_running_process_it_is_that_one_that_adds(person: Home, services: Served) -> None:
    running = person.start("run")
    try:
        running.wait_for("running")
        done = person.run("add", VIDEO, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["numbers"]["views"] == 50_120
        before = services.do(lambda: len(services.telegram.messages))
        done = person.run("outbox", "test", ME)
        assert (done.returncode, done.stderr) == (0, f"Sent: the test to {ME}\n")
        assert services.do(lambda: len(services.telegram.messages)) == before + 1
        assert person.run("recipients", "set", ME, "--mute", "8h").returncode == 0
        assert person.run("remove", VIDEO).returncode == 0
    finally:
        assert running.end() == 0


def test_no_secret_is_printed_or_stored(person: Home) -> None:
    said = ""
    for arguments in (("add", VIDEO), ("add", "@nobody"), ("remove", VIDEO)):
        done = person.run(*arguments, env={"YTWATCHER_LOG__LEVEL": "debug"})
        said += done.stdout + done.stderr
    for secret in (KEY, TOKEN):
        assert secret not in said
        assert not [path for path in person.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_fault_of_the_program_is_written_down_without_the_secrets(person: Home) -> None:
    read_before(person, (HOURS(1), counts(5)))
    with journal(person) as opened:
        opened.con.execute("UPDATE subject SET state = ?", (json.dumps({KEY: []}),))
    folder = person.folder / "faults"
    folder.mkdir()
    done = person.run("now", env={"TMPDIR": str(folder)})
    (file,) = folder.iterdir()
    assert (done.returncode, done.stderr) == (
        70,
        f"ytwatcher: a fault in YT Watcher itself (ValueError); {file} has the details for a report\n",
    )
    assert "ValueError: '***' is not a valid Metric" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
