"""`ytwatcher stream init`, `status` and `resend` beside a real broker and registry, without an engine."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

from typer.testing import CliRunner, Result

from journal import Journal
from publishing_stage import START, Stage, streaming
from served import Home
from stack_parts import needs, shared_stack
from ytwatcher.cli import Call
from ytwatcher.cli import app as program
from ytwatcher.errors import ConfigError, InputError, OutsideError
from ytwatcher.setting_keys import variable
from ytwatcher.streaming import schemas, topics


def _init(folder: Path, *args: str, typed: str = "") -> Result:
    env = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    return CliRunner().invoke(program, ["--config", str(folder / "me.toml"), "stream", "init", *args], env=env, obj=Call(), input=typed)


@needs("broker", "registry")
def test_init_asks_again_until_an_answer_works_and_keeps_what_the_file_holds(tmp_path: Path) -> None:
    at = shared_stack().addresses()
    (tmp_path / "me.toml").write_text('[telegram]\ntimezone = "Europe/Vienna"\n')
    answers = ["nonsense", "", at.bootstrap, "", "http://127.0.0.1:9", "", at.registry, ""]
    done = _init(tmp_path, typed="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "✗ streaming.bootstrap: is no list of brokers" in done.output
    assert "✗ the Schema Registry does not answer" in done.output
    assert "✓ Kafka answers: cluster " in done.output
    written = tomllib.loads((tmp_path / "me.toml").read_text())
    assert written["streaming"] == {"bootstrap": at.bootstrap, "registry_url": at.registry}
    assert written["telegram"] == {"timezone": "Europe/Vienna"}
    assert (tmp_path / "me.toml").stat().st_mode & 0o77 == 0
    again = _init(tmp_path, "--yes", "--bootstrap", at.bootstrap, "--registry-url", at.registry)
    assert isinstance(again.exception, ConfigError)
    assert "has streaming.bootstrap already" in str(again.exception)


@needs("broker", "registry")
def test_init_asks_for_the_login_also_where_other_things_were_named(tmp_path: Path) -> None:
    at, login = shared_stack().addresses(), shared_stack().login()
    answers = [at.bootstrap_secure, login.user, "wrong", at.bootstrap_secure, login.user, login.password, at.registry, ""]
    done = _init(tmp_path, "--protocol", "sasl_ssl", "--ca-file", str(login.ca_file), typed="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "✗ Kafka refuses us" in done.output
    assert login.password not in done.output
    assert tomllib.loads((tmp_path / "me.toml").read_text())["streaming"]["sasl_username"] == login.user


@needs("broker", "registry", "jobmanager", "gateway")
def test_init_asks_nothing_when_all_is_named(tmp_path: Path) -> None:
    at = shared_stack().addresses()
    named = ("--yes", "--bootstrap", at.bootstrap, "--registry-url", at.registry, "--engine", "flink")
    done = _init(tmp_path, *named, "--flink-url", at.flink, "--flink-gateway-url", at.gateway)
    assert done.exit_code == 0, done.output
    assert "and its SQL Gateway answer" in done.output
    assert tomllib.loads((tmp_path / "me.toml").read_text())["streaming"]["engine"] == "flink"


@needs("broker", "registry")
def test_init_writes_nothing_when_what_is_named_does_not_work(tmp_path: Path) -> None:
    at = shared_stack().addresses()
    done = _init(tmp_path, "--yes", "--bootstrap", at.bootstrap, "--registry-url", "http://127.0.0.1:9")
    assert isinstance(done.exception, OutsideError)
    lacking = _init(tmp_path, "--yes", "--registry-url", at.registry)
    assert isinstance(lacking.exception, InputError)
    nowhere = _init(tmp_path, "--yes", "--bootstrap", at.bootstrap, "--registry-url", at.registry, "--engine", "flink")
    assert "engine flink needs flink_gateway_url and flink_url" in str(nowhere.exception)
    assert not (tmp_path / "me.toml").exists()


@needs("broker", "registry")
def test_status_shows_what_waits_who_reads_and_who_judges_and_resend_sends_it_again(tmp_path: Path) -> None:
    settings = streaming()
    topics.ensure(settings)
    schemas.ensure(settings)
    values = {"bootstrap": settings.bootstrap, "registry_url": settings.registry_url, "prefix": settings.prefix}
    env = {variable(f"streaming.{name}"): str(value) for name, value in values.items()}
    me = Home(tmp_path, {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "160", **env})
    data = tmp_path / ".local/share/ytwatcher"
    data.mkdir(parents=True)
    journal = Journal(data / "ytwatcher.db", target="v1")
    journal.add_target(["v1"], START)
    journal.add_rule("views change", START)
    journal.con.close()
    stage = Stage(data / "ytwatcher.db", settings)
    well = me.json("stream", "status")
    assert (well["needs_a_hand"], well["publisher"]) == ([], {"waiting": 0, "oldest_at": None})
    assert well["readers"] == [
        {
            "group": f"{settings.prefix}ytwatcher-outbound",
            "topic": f"{settings.prefix}telegram_outbound",
            "behind": 0,
            "worst": 0,
            "most": 0,
            "open_since": None,
        }
    ]
    assert well["rules"] == [{"judge": "embedded", "why": "no engine is configured", "rules": 1}]
    assert set(well["stages"].values()) == {None}
    stage.put([("v1", 1), ("v1", 2)])
    stage.publish_all()
    assert me.ok("stream", "resend").startswith("2 readings will be published again.")
    assert stage.waiting() == 2
    stuck = me.run("stream", "status", "--json")
    assert stuck.returncode == 1
    found = json.loads(stuck.stdout)
    assert found["publisher"]["waiting"] == 2
    assert found["stages"][f"{settings.prefix}yt_videos"]
    assert "`ytwatcher run` is not running" in found["needs_a_hand"][0]
    shown = me.run("stream", "status").stdout
    assert "2 readings to publish" in shown
    assert "1 rule judged by the embedded judge: no engine is configured" in shown
