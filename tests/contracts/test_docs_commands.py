"""docs/commands.md and the commands agree: every command, option and exit code; every help has its summary and an example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from ytwatcher import errors
from ytwatcher.cli import COMMANDS
from ytwatcher.cli import app as program

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def command(name: str) -> Any:
    return typer.main.get_command(import_module(f"ytwatcher.commands.{name.replace('-', '_')}").app)


def section(name: str) -> str:
    """What the page says of a command."""
    match = re.search(rf"^### `ytwatcher {re.escape(name)}`$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"docs/commands.md has no section for {name}"
    return match[1]


def leaves(found: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A command, or all that a group holds, with what is typed for each."""
    inside = getattr(found, "commands", None)
    if not inside:
        yield path, found
        return
    for name, one in inside.items():
        yield from leaves(one, f"{path} {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_the_same_everywhere(name: str) -> None:
    assert (command(name).help or "").splitlines()[0].rstrip(".") == COMMANDS[name]
    assert COMMANDS[name] in " ".join(section(name).split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_subcommand_is_documented(name: str) -> None:
    text = section(name)
    for path, one in leaves(command(name), name):
        if path != name:
            assert f"`{path.removeprefix(name).strip()}" in text or path in text, f"{path} is not documented"
        options = [option for parameter in one.params for option in (*parameter.opts, *parameter.secondary_opts)]
        missing = [option for option in options if option.startswith("--") and option != "--help" and option not in text]
        assert not missing, f"{path}: {missing}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example(name: str) -> None:
    for path, one in leaves(command(name), name):
        words = " ".join(f"{one.help} {one.epilog or ''}".split())
        assert re.search(rf"Examples?:.*ytwatcher .*{path.split()[0]}", words), f"{path} has no example"


def test_the_programs_own_options_are_documented() -> None:
    options = [option for parameter in typer.main.get_command(program).params for option in parameter.opts]
    assert [option for option in options if f"`{option}" not in PAGE] == []


def test_every_exit_code_is_documented() -> None:
    def codes(kind: type[errors.YTWatcherError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(one) for one in kind.__subclasses__()))

    table = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert codes(errors.YTWatcherError) | {0, 70, 130, 141} == table


def test_no_section_is_about_a_command_that_is_not_there() -> None:
    assert set(re.findall(r"^### `ytwatcher ([a-z-]+)`$", PAGE, re.MULTILINE)) == set(COMMANDS)
