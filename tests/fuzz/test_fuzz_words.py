"""What people type and write into files, changed a little: taken rightly or refused in words that name the place, and never a traceback."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from fuzz.fuzzing import fuzz
from fuzz.mutations import HOSTILE_TEXTS, blob, text
from journal import Journal
from ytwatcher import config, moving, recorded, replay, watch_files
from ytwatcher.core.model import BIGGEST, RuleKind, TargetKind
from ytwatcher.core.rules import canonical, explain, parse_rule
from ytwatcher.core.targets import parse_target
from ytwatcher.core.templates import LONGEST_TEMPLATE, compile_template
from ytwatcher.core.words import FIELDS
from ytwatcher.errors import ConfigError, InputError, RuleError, TargetError
from ytwatcher.moving import Part
from ytwatcher.recorded import Refused
from ytwatcher.setting_keys import keys
from ytwatcher.settings import SECTIONS

pytestmark = pytest.mark.timeout(4 * 60 * 60)  # of the full form
BEFORE, AFTER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
VIDEO, CHANNEL, PLAYLIST = "jNQXAC9IVRw", "UC4QobU6STFB0P71PMvOGN5A", "PLbpi6ZahtOH6Ar_3GPy3workKKxELUu7G"
TARGETS = (
    f"https://www.youtube.com/watch?v={VIDEO}&list={PLAYLIST}&t=5s",
    f"look at this: <https://youtu.be/{VIDEO}?si=abc>!",
    f"youtube.com/shorts/{VIDEO}",
    f"https://www.youtube.com/attribution_link?u=%2Fwatch%3Fv%3D{VIDEO}",
    f"https://www.google.com/url?q=https%3A%2F%2Fwww.youtube.com%2Fplaylist%3Flist%3D{PLAYLIST}",
    f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}",
    f"https://consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2Fchannel%2F{CHANNEL}",
    f"https://m.youtube.com/c/Name/videos#{CHANNEL}",
    "https://www.youtube.com/@Händle/streams",
    *(VIDEO, CHANNEL, PLAYLIST, "@YouTube", "youtube.com/user/jawed", "WL", f"RD{VIDEO}"),
)
URL_PARTS = (
    "youtube.com",
    "youtu.be/",
    "https://",
    "//",
    "[",
    "]",
    "?",
    "&v=",
    "%",
    "%E0%A4",
    "#",
    "@",
    "/watch",
    ":99999",
    "&amp;",
    *HOSTILE_TEXTS,
)
RULES = (
    *("likes change", "views every 1_000", "views reach 2.5M once", "total views milestones", "likes rise 5% silent", "comments fall 2.5%"),
    *("views faster 5000/h cooldown 6h", "views slower 100 per h", "availability", "title once silent", "new", "subscribers reach 1B"),
)
RULE_WORDS = (
    "%",
    "/h",
    " per d",
    "k",
    "m",
    "0.0000001%",
    "100.1%",
    "1e3",
    "cooldown",
    "99999999d",
    "0s",
    "every",
    ".",
    ",",
    *HOSTILE_TEXTS,
)
TEMPLATES = (
    "🚀 {{ title }} has {{ mark }} {{ metric }}{% if previous %} ({{ difference }} in {{ span }}){% endif %}",
    "{{ text|upper|truncate(20) }}",
    "{% if current == '1,034' and not previous %}a{% elif metric in ['views', 'likes'] %}b{% else %}{{ 'c' ~ url }}{% endif %}",
    "{# no word #}{{ at|default('never') }}{% raw %}{{ }}{% endraw %}",
)
TEMPLATE_WORDS = (
    *("{{", "}}", "{%", "%}", "{#", "-%}", "|", "~", "(", "[", "not ", " is ", "|truncate(-1)", "|truncate('a')", "|default(1, x=2)", "."),
    *(
        "title.__class__",
        "{{ 9**9**9 }}",
        "{{ 'a' * 10**9 }}",
        "{% for x in text %}",
        "{% set a = 1 %}",
        "{{ (",
        "{{ [[",
        *FIELDS,
        *HOSTILE_TEXTS,
    ),
)
CONFIG = f"""
[data]
dir = "here"
[youtube]
api_key = "AIza-canary"
daily_units = 10000
[telegram]
bot_token = "7000000001:canary-token-canary-token-canary"
operator = "telegram:99"
timezone = "Europe/Berlin"
language = "de"
[poll]
min_interval = "2m"
[backup]
every = "6h"
[log]
level = "info"
[web]
listen = "127.0.0.1:8080"
[streaming]
bootstrap = "localhost:9092"
registry_url = "http://localhost:8081"
[services]
team = "discord://1/2"
[templates]
milestones = "{{{{ title }}}}"
[[watch]]
target = "https://youtu.be/{VIDEO}"
rules = ["views milestones", "likes every 100"]
to = "apprise:team"
[[watch]]
target = "@YouTube"
"""
SECRETS = (b'\napi_key = "AIza-canary"\n', b'\nbot_token = "7000000001:canary')
CONFIG_WORDS = (
    "[",
    "]",
    "[[watch]]",
    "=",
    '"',
    "'''",
    "true",
    "1.5",
    "{}",
    "[]",
    "{a = 1}",
    "inf",
    "1979-05-27",
    "-1",
    "99999999999999999999",
    "\n",
    *keys(),
    *HOSTILE_TEXTS,
)
READINGS = {
    "csv": "video_id,observed_at,views,likes,comments,title,published_at,comments_disabled,observed_until,raw\n"
    + f'{VIDEO},2026-10-05T17:00:00Z,100,7,,"a, title",2005-04-24T03:31:52Z,false,,\n'
    + f'{VIDEO},2026-10-05T18:00:00Z,120,8,3,,,true,2026-10-05T19:00:00Z,"{{""views"": 90, ""likes"": ""hidden""}}"\n',
    "jsonl": f'{{"video_id": "{VIDEO}", "observed_at": "2026-10-05T17:00:00Z", "views": 100, "title": "A \\ud83d\\ude00"}}\n'
    + f'{{"channel_id": "{CHANNEL}", "observed_at": "2026-10-05T17:00:00+02:00", "subscribers": "12300",'
    + ' "raw": {"videos": "not returned"}}\n',
}
WATCHES = {
    "csv": "target,to,language,timezone,quiet,rule\n"
    + f"{VIDEO},telegram:5,de,Europe/Berlin,22:00-07:00,views milestones\n{PLAYLIST},console,,,,none\n@YouTube,,,,,\n",
    "jsonl": f'{{"target": "{VIDEO}", "to": "telegram:5:6", "rules": [{{"rule": "views every 1k"}}, "title"], "quiet": "22-7"}}\n'
    + '{"url": "https://www.youtube.com/@YouTube", "rules": [], "timezone": "UTC"}\n',
}
FILE_WORDS = (
    ",",
    '"',
    "\n",
    "{",
    "}",
    ":",
    "null",
    "[1]",
    "true",
    "1.5",
    "observed_at",
    "\\ud800",
    "\\u0000",
    "2026-01-01",
    *HOSTILE_TEXTS,
)
_PLACES = re.compile("|".join([rf"\b{section}\b" for section in (*SECTIONS, "services", "templates", "watch")]))


def test_a_target_is_found_or_refused_in_a_sentence(sized: Callable[[int, int], int]) -> None:
    def check(typed: str) -> None:
        try:
            found = parse_target(typed)
        except TargetError as error:
            assert "“" in str(error) or "nothing was named" in str(error)
            str(error).encode()
        else:
            assert parse_target(found.url) is not None
            found.url.encode("ascii")

    fuzz(sized(1_500, 300_000), lambda dice: text(dice, dice.choice(TARGETS), URL_PARTS), check)


def test_a_rule_line_is_taken_and_written_back_the_same_or_its_word_is_named(sized: Callable[[int, int], int]) -> None:
    def check(line: str) -> None:
        try:
            spec = parse_rule(line)
        except RuleError as error:
            assert re.search("“|is empty|at most .* characters|cooldown", str(error)), error
            str(error).encode()
        else:
            assert parse_rule(canonical(spec)) == spec
            assert spec.n is None or 0 < spec.n <= BIGGEST
            assert explain(spec, TargetKind.CHANNEL)

    fuzz(sized(1_500, 250_000), lambda dice: text(dice, dice.choice(RULES), RULE_WORDS), check)


def test_a_template_says_something_within_its_bounds_or_is_refused(sized: Callable[[int, int], int]) -> None:
    values = dict.fromkeys(FIELDS, "x" * 100)

    def check(source: str) -> None:
        with suppress(ValueError):
            said = compile_template(RuleKind.MILESTONES, source)(values)
            assert isinstance(said, str)
            assert len(said) <= LONGEST_TEMPLATE * 100

    fuzz(sized(500, 60_000), lambda dice: text(dice, dice.choice(TEMPLATES), TEMPLATE_WORDS), check)


def test_a_configuration_file_is_taken_or_each_fault_names_its_place_and_no_secret(
    tmp_path: Path, sized: Callable[[int, int], int]
) -> None:
    file, env = tmp_path / "ytwatcher.toml", {"HOME": str(tmp_path)}

    def make(dice: Random) -> bytes:
        raw = text(dice, CONFIG, CONFIG_WORDS).encode("utf-8", "surrogatepass")
        return raw if dice.random() < 0.95 else blob(dice, raw)

    def check(raw: bytes) -> None:
        file.write_bytes(raw)
        try:
            config.load(file, None, env)
        except ConfigError as error:
            for fault in error.faults:
                assert str(file) in fault or _PLACES.search(fault) or "there is no such setting" in fault, fault
                fault.encode()
            if all(line in raw for line in SECRETS):
                assert "canary" not in str(error)

    fuzz(sized(200, 20_000), make, check)


def test_a_file_of_readings_is_taken_but_for_rows_that_are_named(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    def check(made: tuple[str, bytes]) -> None:
        file = tmp_path / f"readings.{made[0]}"
        file.write_bytes(made[1])
        try:
            rows = list(recorded.read_rows(file))
        except InputError as error:
            assert str(file) in str(error)
            return
        for row in rows:
            assert 1 <= row.row <= len(made[1]) + 1
            if isinstance(row, Refused):
                assert re.search(
                    "(?:_id|_at|_until|views|likes|comments|favorites|disabled|hidden|raw|subscribers|videos|JSON|more fields)", row.reason
                ), row
                row.reason.encode()
                continue
            for reading in row.readings:
                assert all(not isinstance(value, int) or 0 <= value <= BIGGEST for value in reading.values.values())
                repr((reading.title or "") + (reading.channel_title or "")).encode()
                ((reading.title or "") + (reading.channel_title or "") + (reading.channel_id or "")).encode()
        with suppress(InputError):
            replay.load(file)

    fuzz(sized(600, 60_000), lambda dice: _file(dice, READINGS), check)


def test_a_file_of_watches_is_taken_but_for_rows_that_are_named(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    def check(made: tuple[str, bytes]) -> None:
        file = tmp_path / f"watches.{made[0]}"
        file.write_bytes(made[1])
        try:
            rows = list(watch_files.read_watches(file, "console"))
        except InputError as error:
            assert str(file) in str(error)
            return
        for row in rows:
            assert 1 <= row.row <= len(made[1]) + 1
            if isinstance(row, Refused):
                assert row.reason
                row.reason.encode()
                continue
            parse_target(row.target)
            for line in row.lines:
                parse_rule(line).kind.encode()
            repr(row.preferences).encode()

    fuzz(sized(300, 30_000), lambda dice: _file(dice, WATCHES), check)


def test_an_import_of_readings_makes_no_alert_and_the_same_again_changes_nothing(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    journal = Journal(tmp_path / "journal.db", PLAYLIST, TargetKind.PLAYLIST)
    journal.add_target([VIDEO], BEFORE)
    for line in ("views change", "views every 1", "availability", "title"):
        journal.add_rule(line, BEFORE)
    taken: Counter[Part] = Counter()

    def check(made: tuple[str, bytes]) -> None:
        file = tmp_path / f"import.{made[0]}"
        file.write_bytes(made[1])
        refused: list[Refused] = []
        try:
            first = moving.import_file(journal.con, journal.path, file, AFTER, refused.append)
            again = moving.import_file(journal.con, journal.path, file, AFTER, refused.append)
        except InputError as error:
            assert str(file) in str(error)
        else:
            taken.update(first.parts)
            assert again.parts.keys() <= {Part.DUPLICATE}, (first, again)
            assert len(refused) == first.refused + again.refused
            "".join(f"{one.row} {one.reason}" for one in refused).encode()
        assert journal.con.execute("SELECT count(*) FROM alert").fetchone()[0] == 0
        empty.backup(journal.con)

    with closing(journal.con), closing(sqlite3.connect(":memory:")) as empty:
        journal.con.backup(empty)
        fuzz(sized(100, 20_000), lambda dice: _file(dice, READINGS), check)
    assert taken[Part.STATE]


def _file(dice: Random, files: dict[str, str]) -> tuple[str, bytes]:
    form = dice.choice(sorted(files))
    raw = text(dice, files[form], FILE_WORDS).encode("utf-8", "surrogatepass")
    return form, raw if dice.random() < 0.9 else blob(dice, raw)
