"""invite, log and the digest of recipients, as they are typed: the real program against the double."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from served import Served, home, served


@pytest.fixture(scope="module")
def services() -> Iterator[Served]:
    with served() as running:
        yield running


def test_an_invitation_is_a_link_of_its_role_whose_code_is_nowhere(tmp_path: Path, services: Served) -> None:
    at = home(tmp_path, services)
    said = at.json("invite", "--role", "manager")
    assert said["role"] == "manager"
    code = said["link"].partition("?start=")[2]
    assert said["group_link"].endswith(f"?startgroup={code}")
    assert len(code) >= 32
    assert all(code.encode() not in file.read_bytes() for file in tmp_path.rglob("*.db*"))
    assert "Into a group" in at.ok("invite")


def test_a_role_that_is_none_and_a_log_without_changes_are_said_plainly(tmp_path: Path, services: Served) -> None:
    at = home(tmp_path, services)
    refused = at.run("invite", "--role", "king")
    assert (refused.returncode, "write user, manager or owner" in refused.stderr) == (2, True)
    assert "Nobody has changed anything" in at.ok("log")
    assert at.json("log") == []


def test_a_digest_is_set_shown_and_ended(tmp_path: Path, services: Served) -> None:
    at = home(tmp_path, services)
    assert "weekly mon 09:00" in at.ok("recipients", "set", "console", "--digest", "weekly mon 9:00")
    assert at.json("recipients", "list")[0]["digest"] == "weekly mon 09:00"
    assert at.json("recipients", "set", "console", "--digest", "off")["digest"] is None
