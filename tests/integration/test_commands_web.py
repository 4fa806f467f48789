"""`ytwatcher web token` and `ytwatcher web share` as a user runs them."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from served import Home
from ytwatcher.secret import Secret
from ytwatcher.store import tokens
from ytwatcher.store.db import open_journal
from ytwatcher.store.tokens import Scope, ShareKind
from ytwatcher.web.sessions import is_password

T = TypeVar("T")


def look(home: Home, see: Callable[[sqlite3.Connection], T]) -> T:
    """A look at the journal of its own, closed again."""
    with contextlib.closing(open_journal(home.folder / "data" / "ytwatcher.db")) as con:
        return see(con)


def at_home(folder: Path) -> Home:
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "TERM": "dumb", "COLUMNS": "80", "LANG": "C.UTF-8"}
    return Home(folder, env | {"YTWATCHER_DATA__DIR": str(folder / "data"), "YTWATCHER_WEB__PUBLIC_URL": "http://localhost:8470"})


def test_a_token_is_shown_once_works_and_ends(tmp_path: Path) -> None:
    home = at_home(tmp_path)
    made = home.run("web", "token", "add", "grafana", "--scope", "write")
    secret = made.stdout.strip()
    assert made.returncode == 0 and len(secret) >= 43
    assert look(home, lambda con: tokens.scope_of(con, secret)) is Scope.WRITE
    assert look(home, lambda con: tokens.scope_of(con, secret[:-1])) is None
    assert secret not in (tmp_path / "data" / "ytwatcher.db").read_bytes().decode("latin-1")
    assert [(one["name"], one["scope"]) for one in home.json("web", "token", "list")] == [("grafana", "write")]
    again = home.run("web", "token", "add", "grafana")
    assert again.returncode == 2 and "revoke grafana" in again.stderr
    home.ok("web", "token", "revoke", "grafana")
    assert look(home, lambda con: tokens.scope_of(con, secret)) is None
    assert home.run("web", "token", "revoke", "grafana").returncode == 2


def test_a_link_to_a_feed_is_made_listed_and_ended(tmp_path: Path) -> None:
    home = at_home(tmp_path)
    link = home.ok("web", "share", "add").strip()
    assert link.startswith("http://localhost:8470/feed/")
    secret = link.rpartition("/")[2]
    found = look(home, lambda con: tokens.find_share(con, secret, ShareKind.FEED))
    assert found is not None and found.address is None
    assert [(one["id"], one["kind"], one["to"]) for one in home.json("web", "share", "list")] == [(found.pk, "feed", None)]
    for wrong in (("web", "share", "add", "jNQXAC9IVRw"), ("web", "share", "add", "--to", "telegram:5"), ("web", "share", "revoke", "9")):
        assert home.run(*wrong).returncode == 2
    home.ok("web", "share", "revoke", str(found.pk))
    assert look(home, lambda con: tokens.find_share(con, secret, ShareKind.FEED)) is None


def test_a_password_becomes_a_hash_and_what_is_none_is_refused(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "ytwatcher", "web", "password", "--stdin"]
    for typed, code, said in (
        (b"a long enough password\n", 0, ""),
        (b"short\n", 2, "the password is too short"),
        (b"\xff\xfe\n", 2, "the password is not text in UTF-8"),
    ):
        done = subprocess.run(words, input=typed, env=at_home(tmp_path).env, capture_output=True, check=False)
        assert (done.returncode, said in done.stderr.decode()) == (code, True), done.stderr
        assert is_password(Secret(done.stdout.decode().strip() or "none"), "a long enough password") is (code == 0)
