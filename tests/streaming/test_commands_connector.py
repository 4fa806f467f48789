"""`ytwatcher stream connector` as a person types it, against a real worker; and the change between both deliveries."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from connect_stage import Stage, stage, token_reference
from served import CHAT, TOKEN, Home
from stack_parts import needs
from ytwatcher.errors import OutsideError
from ytwatcher.setting_keys import variable
from ytwatcher.streaming.connection import kafka_config
from ytwatcher.streaming.groups import delivering
from ytwatcher.streaming.handover import hand_over


def person(folder: Path, s: Stage, delivery: str = "connect") -> Home:
    streaming = {
        "bootstrap": s.streaming.bootstrap,
        "registry_url": s.streaming.registry_url,
        "connect_url": s.streaming.connect_url,
        "prefix": s.streaming.prefix,
        "engine": "flink",
        "flink_url": "http://127.0.0.1:1",
        "flink_gateway_url": "http://127.0.0.1:1",
        "delivery": delivery,
    }
    env = {variable(f"streaming.{name}"): str(value) for name, value in streaming.items()}
    telegram = {variable("telegram.base_url"): s.services.telegram_url, variable("telegram.bot_token"): TOKEN}
    return Home(folder, {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200", **env, **telegram})


@needs("broker", "registry", "connect")
def test_from_a_dry_run_to_the_end(tmp_path: Path) -> None:
    deploy = ("stream", "connector", "deploy", "--flavour", "camel", "--token-ref", token_reference(), "--set")
    with stage(deployed=False) as s:
        me = person(tmp_path, s)
        shown = me.run(*deploy, "camel.error.handler.redelivery.delay=300", "--dry-run")
        assert json.loads(shown.stdout)["camel.error.handler.redelivery.delay"] == "300"
        assert "Retry-After is not heeded" in shown.stderr
        assert "Every rule can go this way." in shown.stderr
        assert me.run("stream", "connector", "status").returncode == 1
        s.produce((CHAT, "told by us"), (CHAT, "told by Connect"))
        read_one_ourselves(s)
        refused = person(tmp_path, s, "ours").run(*deploy, "camel.error.handler.redelivery.delay=300")
        assert (refused.returncode, "told twice" in refused.stderr) == (2, True)
        assert me.ok(*deploy, "camel.error.handler.redelivery.delay=300").startswith("It runs; ")
        assert "nothing was to be done" in me.ok(*deploy, "camel.error.handler.redelivery.delay=300")
        s.until_told(["told by Connect"])
        assert [task["state"] for task in me.json("stream", "connector", "status")["tasks"]] == ["RUNNING"]
        assert me.ok("stream", "connector", "restart") == "It runs.\n"
        assert me.ok("stream", "connector", "status").split() == ["connector", "running", "task", "0", "running"]
        assert me.ok("stream", "connector", "remove") == "It is gone.\n"
        assert me.ok("stream", "connector", "remove") == "There is no connector.\n"
        assert s.told() == ["told by Connect"]
        assert committed(s) == 2
        me.assert_no_leaks()


def read_one_ourselves(s: Stage) -> None:
    """As our own delivery would before the change."""
    with closing(Consumer({**kafka_config(s.streaming), "group.id": delivering(s.streaming)[0]})) as consumer:
        consumer.commit(offsets=[TopicPartition(s.names.outbound, 0, 1)], asynchronous=False)


def committed(s: Stage) -> int:
    """Where our own delivery would begin."""
    with closing(Consumer({**kafka_config(s.streaming), "group.id": delivering(s.streaming)[0]})) as consumer:
        return consumer.committed([TopicPartition(s.names.outbound, 0)], 30)[0].offset


@needs("broker", "registry", "connect")
def test_nothing_is_handed_over_while_we_still_deliver_ourselves() -> None:
    with stage(deployed=False) as s:
        ours, theirs = delivering(s.streaming)
        s.produce((CHAT, "ours"))
        with closing(Consumer({**kafka_config(s.streaming), "group.id": ours, "auto.offset.reset": "earliest"})) as consumer:
            consumer.subscribe([s.names.outbound])
            assert consumer.consume(1, 30)
            with pytest.raises(OutsideError, match="is still being read") as refused:
                hand_over(s.streaming, ours, theirs, patience=0)
        assert refused.value.reason == "busy"
        hand_over(s.streaming, ours, theirs)


@needs("broker", "registry", "connect")
def test_a_mistyped_pair_and_a_worker_without_the_plugin(tmp_path: Path) -> None:
    with stage(deployed=False) as s:
        me = person(tmp_path, s)
        mistyped = me.run("stream", "connector", "deploy", "--flavour", "camel", "--set", "max.retries")
        assert (mistyped.returncode, "write KEY=VALUE" in mistyped.stderr) == (2, True)
        missing = me.run("stream", "connector", "deploy", "--flavour", "confluent")
        assert (missing.returncode, "has no connector io.confluent" in missing.stderr) == (5, True)
