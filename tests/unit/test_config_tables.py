"""The parts of the configuration with names of one's own: services, templates, watches."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.config import load, write_config
from ytwatcher.core.model import RuleKind
from ytwatcher.errors import ConfigError
from ytwatcher.secret import Secret
from ytwatcher.setting_keys import hidden, secrets, shown
from ytwatcher.settings import Settings

CANARY = "CANARYwebhook5f4e3d2c"
SOUND = """
[telegram]
operator = "apprise:team"
[services]
team = "discord://123456789/CANARYwebhook5f4e3d2c"
[templates]
milestones = "{{ title }} has {{ mark }}"
[[watch]]
target = "https://youtu.be/jNQXAC9IVRw"
rules = ["views milestones", "likes rise 5%"]
to = "telegram:1"
[[watch]]
target = "@YouTube"
"""


def read(folder: Path, text: str, **env: str) -> Settings:
    file = folder / "given.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return load(file, None, {"HOME": str(folder), **{f"YTWATCHER_{name}": value for name, value in env.items()}})


def faults(folder: Path, text: str, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **env)
    assert CANARY not in str(caught.value)
    return str(caught.value).replace(f" ({folder / 'given.toml'})", "")


def test_all_of_it_is_read_and_shown_without_secrets(tmp_path: Path) -> None:
    settings = read(tmp_path, SOUND)
    assert settings.services["team"].reveal() == f"discord://123456789/{CANARY}"
    assert settings.templates == {RuleKind.MILESTONES: "{{ title }} has {{ mark }}"}
    assert [(one.target, one.rules, one.to) for one in settings.watch] == [
        ("https://youtu.be/jNQXAC9IVRw", ("views milestones", "likes rise 5%"), "telegram:1"),
        ("@YouTube", (), None),
    ]
    values = shown(settings)
    assert values["services.team"] == "***" and values["templates.milestones"] == "{{ title }} has {{ mark }}"
    assert values["watch.1"] == "https://youtu.be/jNQXAC9IVRw → telegram:1: views milestones; likes rise 5%"
    assert values["watch.2"] == "@YouTube → the operator: the usual rules"
    assert CANARY not in repr(settings) + repr(values)


def test_each_part_of_an_address_that_may_be_a_token_is_hidden(tmp_path: Path) -> None:
    url = f"ntfys://user1:pass%20word@topic-of-mine/{CANARY}/?token=abcdefgh"
    settings = read(tmp_path, "", SERVICES__PHONE=url, DEADMAN__URL=f"https://example.com/{CANARY}-2")
    assert {url, CANARY, "user1", "pass word", "topic-of-mine", "abcdefgh", f"{CANARY}-2"} <= hidden(settings)
    assert "example.com" not in hidden(settings)
    assert set(secrets(settings)) == {"services.phone", "deadman.url"}


def test_the_environment_names_services_and_templates_too(tmp_path: Path) -> None:
    secret = tmp_path / "team.secret"
    secret.write_text(f"json://localhost/{CANARY}\n")
    settings = read(
        tmp_path, SOUND, SERVICES__TEAM_FILE=str(secret), TEMPLATES__NEW="{{ text }}!", SERVICES__MAIL="mailto://me:x@example.com"
    )
    assert settings.services["team"].reveal() == f"json://localhost/{CANARY}" and set(settings.services) == {"team", "mail"}
    assert settings.templates[RuleKind.NEW] == "{{ text }}!"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[services]\nTeam = "json://x"', "services.Team: is not a name for a service; write small letters"),
        ('[services]\na_file = "json://x"', "services.a_file: is not a name for a service"),
        (f'[services]\nteam = "{CANARY}"', "services.team: is not an address of a service; write it as Apprise has it"),
        ("[services]\nteam = 3", "services.team: is no text or an empty one"),
        (f'services = "json://{CANARY}"', "services: is a section, not a value; write [services]"),
        ('[templates]\nmilestone = "x"', "templates.milestone: is not a kind of alert; did you mean “milestones”?"),
        ('[templates]\nreach = "{{ titel }}"', "templates.reach: line 1: there is no value “titel”; did you mean “title”?"),
        ('[templates]\nreach = "{{ a }}"\nnew = "{{ b }}"', "templates.new: line 1: there is no value “b”"),
        ("[templates]\nreach = 3", "templates.reach: “3” is not a text"),
        (
            '[telegram]\noperator = "apprise:teem"\n[services]\nteam = "json://x"',
            "telegram.operator: there is no service “teem”; did you mean “team”?",
        ),
        (
            '[[watch]]\ntarget = "@a"\nto = "apprise:team"',
            "watch.1.to: there is no service “team”; write its address into [services], as team",
        ),
        ('[[watch]]\ntarget = "?"', "watch.1.target: “?” is no link, id or @handle"),
        ('[[watch]]\nrules = ["views change"]', "watch.1.target: is missing"),
        ('[[watch]]\ntarget = "@YouTube"\nrules = ["views soar"]', "watch.1.rules.1: “soar” is not a rule"),
        ('[[watch]]\ntarget = "@YouTube"\nrules = "views change"', 'watch.1.rules: is not a list; write ["…", "…"]'),
        ('[[watch]]\ntarget = "@YouTube"\nto = "nobody"', "watch.1.to: “nobody” is not an address"),
        ('[[watch]]\ntarget = "@YouTube"\nrule = "x"', "watch.1.rule: there is no such setting"),
        ('[watch]\ntarget = "@YouTube"', "watch: is a list of sections; write [[watch]]"),
        ("watch = 3", "watch: is a list of sections; write [[watch]]"),
        ("watch = [3]", "watch.1: is a list of sections; write [[watch]]"),
        (
            '[[watch]]\ntarget = "jNQXAC9IVRw"\n[[watch]]\ntarget = "https://youtu.be/jNQXAC9IVRw"',
            "watch.2.target: is watched by watch 1 already; put the rules of both into one",
        ),
        ('[deadman]\nurl = "ftp://x"', "deadman.url: is not a URL; write https://"),
    ],
)
def test_a_fault_names_its_place(tmp_path: Path, text: str, part: str) -> None:
    assert part in faults(tmp_path, text)


def test_a_misspelt_section_or_table_is_named(tmp_path: Path) -> None:
    assert "service: there is no such setting; did you mean “services”?" in faults(tmp_path, '[service]\nteam = "x"')
    assert "YTWATCHER_SERVICES: there is no such setting" in faults(tmp_path, "", SERVICES="x")


def test_a_file_that_is_written_anew_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    values: dict[str, str | int | float | Secret] = {
        "services.team": Secret("json://x"),
        "templates.new": 'say "{{ text }}"',
        "telegram.operator": "apprise:team",
    }
    write_config(file, values, [{"target": "@YouTube", "rules": ["new", "views every 10"]}])
    settings = load(file, None, {"HOME": str(tmp_path)})
    assert settings.templates == {RuleKind.NEW: 'say "{{ text }}"'} and settings.services["team"].reveal() == "json://x"
    assert settings.watch[0].rules == ("new", "views every 10")


_LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6).map(repr)
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=2).map(repr), max_leaves=4)
_SECTIONS = st.sampled_from(["services", "templates", "watch", "deadman"])


@given(st.lists(st.tuples(_SECTIONS, st.text("abx_.", max_size=4), _VALUES), max_size=4))
def test_no_file_makes_a_traceback(tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, object]]) -> None:
    lines = [f"[[{name}]]\n{key} = {value}" if name == "watch" else f"{name}.{key} = {value}" for name, key, value in entries]
    try:
        read(tmp_path_factory.getbasetemp(), "\n".join(lines))
    except ConfigError as error:
        assert all(error.faults)


@given(st.text("ab/:@?&=#[].%1", max_size=20))
def test_any_address_has_its_parts(tmp_path_factory: pytest.TempPathFactory, rest: str) -> None:
    assert f"json://x{rest}" in hidden(read(tmp_path_factory.getbasetemp(), "", SERVICES__TEAM=f"json://x{rest}"))
