"""`ytwatcher stream` as a person and as a program sees it: on a real broker, registry and Flink, and on the double of ksqlDB."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import pytest

from engine_stage import EngineStage, send_phase, settings, small_case
from served import Home
from stack_parts import needs, shared_stack
from stream_home import FLINK, KAFKA, lines, of, person, refusal, served
from ytwatcher.clock import SystemClock
from ytwatcher.simulator.ksqldb import KsqlDbDouble
from ytwatcher.streaming import schemas, topics
from ytwatcher.streaming.lookout import Lookout

CASE = small_case("change: up, level and down")
(VIDEO,) = CASE.videos


@needs(*FLINK)
def test_flink_from_a_dry_run_to_the_end(tmp_path: Path) -> None:
    streaming = settings(shared_stack().addresses(), "command_", 2)
    me = of(tmp_path, streaming, engine="flink")
    with EngineStage(streaming) as stage:
        assert lines(me.ok("stream", "deploy", "--dry-run"))[-1] == "to be made job command_yt-alerts-v1"
        missing = me.run("stream", "status")
        assert missing.returncode == 1
        assert "the job is not there" in missing.stdout
        assert lines(me.ok("stream", "deploy", "--alerts-from", "all"))[-1] == "made job command_yt-alerts-v1"
        assert lines(me.ok("stream", "deploy"))[-2:] == ["there already job command_yt-alerts-v1", "All is there, nothing was to be done."]
        assert "nothing is to be skipped" in refusal(me, "deploy", "--skip-unreadable")
        send_phase(stage, CASE)
        shown = json.loads(me.run("stream", "status", "--json").stdout)
        assert shown["needs_a_hand"] == ["alerts wait in the topic: `ytwatcher run` is not running"]
        assert [one["topic"] for one in shown["readers"]] == ["command_telegram_outbound", "command_yt_videos", "command_yt_rules"]
        assert [part["state"] for part in shown["engine"]] == ["RUNNING"]
        assert {topic["topic"]: topic["partitions"] for topic in shown["topics"]} == dict.fromkeys(stage.names, 2)
        assert_tails(me)
        assert lines(me.ok("stream", "teardown")) == ["ended job command_yt-alerts-v1"]
        assert lines(me.ok("stream", "teardown")) == ["There is nothing to end."]


def assert_tails(me: Home) -> None:
    """Each topic shows the case's records among those of the canaries."""
    tail = ("stream", "tail")
    assert seen(me, *tail, "yt_changes", "--changed", "likes", "--from-beginning").endswith(f"{VIDEO} “Alpha” likes 10 -> 12")
    assert seen(me, *tail, "yt_rules", "--from-beginning").endswith(f"{VIDEO} likes change for 100")
    alert = json.loads(seen(me, *tail, "telegram_outbound", "--from-beginning", "--json"))
    assert alert["value"]["text"] == f"Video: Alpha | Likes changed: 10 -> 12 | https://youtu.be/{VIDEO}"
    assert len(lines(me.ok(*tail, "yt_videos", "--from-beginning", "--limit", "3"))) == 3


def seen(me: Home, *args: str) -> str:
    """The first line of a command without end that is about the case."""
    process = subprocess.Popen(me.command(*args), env=me.env, cwd=me.folder, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if VIDEO in line)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    return " ".join(line.split())


@needs(*KAFKA)
def test_ksqldb_from_a_dry_run_to_the_end(tmp_path: Path) -> None:
    streaming = settings(shared_stack().addresses(), "ksql_")
    double = KsqlDbDouble(topics={f"ksql_{name}": 1 for name in ("yt_videos", "yt_rules", "yt_changes", "telegram_outbound")})
    with EngineStage(streaming), served(double) as url:
        me = of(tmp_path, streaming, engine="ksqldb", ksqldb_url=url)
        assert lines(me.ok("stream", "deploy", "--dry-run"))[-1] == "to be made query KSQL_YT_ALERTS_V1"
        assert not double.sources
        assert "made stream KSQL_YT_READINGS" in lines(me.ok("stream", "deploy"))
        assert "ksql_yt_alerts_v1" in me.ok("stream", "sql").lower()
        assert me.run("stream", "status").returncode == 0
        looked = asyncio.run(Lookout(SystemClock(), streaming.model_copy(update={"engine": "ksqldb", "ksqldb_url": url})).look(60))
        assert not looked["asking"]
        assert looked["known"]["engine"] == json.loads(me.ok("stream", "status", "--json"))["engine"]
        assert [topic["partitions"] > 0 for topic in looked["known"]["topics"]] == [True] * len(looked["known"]["topics"])
        double.fail("KSQL_YT_ALERTS_V1", "Record is too large")
        failed = me.run("stream", "status")
        assert failed.returncode == 1
        assert "KSQL_YT_ALERTS_V1: Record is too large" in failed.stdout
        me.ok("stream", "teardown")
        assert not double.sources


def test_the_tutorials_statements_can_be_read_without_any_server(tmp_path: Path) -> None:
    me = person(tmp_path, bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9")
    shown = me.ok("stream", "sql", "--engine", "ksqldb", "--flavour", "seed", "--chat-id", "-42")
    assert shown.startswith("CREATE STREAM yt_videos (")
    assert "SELECT '-42' AS `chat_id`" in shown


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("deploy",), "streaming.engine is embedded: name an engine"),
        (("deploy", "--engine", "flink"), "streaming.flink_gateway_url and streaming.flink_url have to name"),
        (("deploy", "--engine", "ksqldb"), "streaming.ksqldb_url has to name"),
        (("deploy", "--engine", "flink", "--flavour", "seed", "--chat-id", "1"), "the tutorial's statements are ksqlDB's"),
        (("deploy", "--engine", "ksqldb", "--flavour", "seed"), "name it by its number: --chat-id"),
        (("deploy", "--engine", "ksqldb", "--begin-with", "x"), "--begin-with is for Flink"),
        (("deploy", "--engine", "ksqldb", "--skip-unreadable"), "--skip-unreadable is for Flink"),
        (("sql", "--engine", "flink", "--alerts-from", "2026-11-24"), "is not a time; write now, all, or a time with its zone"),
        (("tail", "yt_videos", "--changed", "likes"), "--changed is for yt_changes"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_one_sentence(tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    me = person(tmp_path, bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9")
    assert said in refusal(me, *args)


def test_without_a_broker_in_the_settings_the_way_is_off(tmp_path: Path) -> None:
    assert "streaming.bootstrap is not set" in refusal(person(tmp_path), "status")


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    me = person(tmp_path, bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9")
    done = me.run("stream", "status")
    assert done.returncode == 5
    assert "Kafka does not answer (looking at the topics at 127.0.0.1:9)" in done.stderr


@needs(*KAFKA)
def test_a_topic_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    me = of(tmp_path, settings(shared_stack().addresses(), "absent_"))
    done = me.run("stream", "tail", "yt_videos")
    assert done.returncode == 5
    assert "there is no topic absent_yt_videos" in done.stderr


@needs(*KAFKA)
def test_the_plan_names_topics_and_schemas_and_what_is_made_is_there(tmp_path: Path) -> None:
    streaming = settings(shared_stack().addresses(), "plan_", 2)
    me = of(tmp_path, streaming, engine="ksqldb")
    with served(KsqlDbDouble(topics={})) as url:
        me.env["YTWATCHER_STREAMING__KSQLDB_URL"] = url
        planned = lines(me.ok("stream", "deploy", "--dry-run"))
        assert planned[:2] == [
            "to be made topic plan_yt_videos: partitions 2, replication 1, kept for 7 days",
            "to be made topic plan_yt_rules: partitions 2, replication 1, compacted",
        ]
        assert [line for line in planned if "schema plan_yt_videos-value" in line] == [
            "to be made schema plan_yt_videos-value, version 1",
            "to be made schema plan_yt_videos-value, version 2",
        ]
        missing = me.run("stream", "status").stdout
        assert missing.count("make topics") == 1, "advice is given once"
        topics.ensure(streaming)
        schemas.ensure(streaming)
        me.env["YTWATCHER_STREAMING__PARTITIONS"] = "3"
        there = lines(me.ok("stream", "deploy", "--dry-run"))
        assert there[0] == "there already topic plan_yt_videos: partitions is 2, the settings ask for 3"
        assert [line.replace("to be made", "there already") for line in planned if "schema" in line] == [
            line for line in there if "schema" in line
        ]


@needs(*KAFKA)
@pytest.mark.parametrize(("engine", "setting"), [("flink", "flink_url"), ("ksqldb", "ksqldb_url")])
def test_a_wrong_address_of_the_engine_is_named_with_its_setting(tmp_path: Path, engine: str, setting: str) -> None:
    streaming = settings(shared_stack().addresses(), "wrong_")
    me = of(tmp_path, streaming, engine=engine)
    me.env[f"YTWATCHER_STREAMING__{setting.upper()}"] = wrong = str(streaming.registry_url)
    me.env.setdefault("YTWATCHER_STREAMING__FLINK_GATEWAY_URL", wrong)
    done = me.run("stream", "deploy", "--dry-run")
    assert done.returncode == 5
    assert f"what answers at {wrong} is not " in done.stderr
    assert f"(HTTP 404, other JSON); look at streaming.{setting}" in done.stderr
