"""The publisher on a real broker and registry: order, completeness, and what becomes of both in trouble."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import Schema

from publishing_stage import START, Stage, expected, first_client_lost, pairs, streaming
from stack_parts import needs, shared_stack
from ytwatcher.clock import SystemClock
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.streaming import names, publisher, schemas, topics
from ytwatcher.streaming.connection import kafka_config, registry_client

KILLED = Path(__file__).parents[1] / "killed_publisher.py"


def many(readings: int, videos: int = 7) -> list[tuple[str, int]]:
    return [(f"video{number % videos}", number * 3) for number in range(readings)]


@needs("broker", "registry")
def test_a_thousand_readings_arrive_in_order_and_are_acknowledged(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())
    stage.put(many(1000))
    stage.publish_all()
    arrived = stage.arrived(1000)
    assert [(a.key, a.value["VIEWS"]) for a in arrived] == many(1000)
    assert arrived[0].value["TITLE"] == "“video0” 🎬" and arrived[0].value["OBSERVED_AT"] == START
    assert stage.told == [] and stage.anew == 0


@needs("broker", "registry")
def test_six_partitions_keep_the_order_of_each_video(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming(partitions=6))
    stage.put(many(3000, videos=60))
    stage.publish_all()
    arrived = stage.arrived(3000)
    assert pairs(arrived) == expected(many(3000, videos=60))
    partitions: dict[str, set[int]] = {}
    for one in arrived:
        partitions.setdefault(one.key, set()).add(one.partition)
    assert all(len(found) == 1 for found in partitions.values()) and len(set.union(*partitions.values())) == 6


@needs("broker", "registry")
def test_counts_of_64_bits_arrive_whole_beside_small_ones(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())
    values = [("v", n) for n in (0, 2**31 - 1, 2**31, 2**63 - 1, 5)]
    stage.put(values)
    stage.publish_all()
    assert [(a.key, a.value["VIEWS"]) for a in stage.arrived(5)] == values


@needs("broker", "registry")
def test_a_reading_that_comes_later_is_sent_when_it_wakes_us(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())

    async def go() -> None:
        async with stage.publishing() as publisher:
            for number in range(3):
                stage.put([("v", number)], first=number)
                publisher.wake.set()
                await stage.until(lambda: stage.waiting() == 0)

    asyncio.run(go())
    assert [a.value["VIEWS"] for a in stage.arrived(3)] == [0, 1, 2]


@needs("broker", "registry")
def test_a_broker_that_is_away_costs_only_time(tmp_path: Path) -> None:
    stage, stack = Stage(tmp_path / "journal.db", streaming()), shared_stack()
    readings = many(4000)

    async def go() -> None:
        async with stage.publishing() as publisher:
            stage.put(readings[:2000])
            publisher.wake.set()
            await stage.until(lambda: stage.waiting() < 2000)
            await asyncio.to_thread(stack.stop, "broker")
            stage.put(readings[2000:], first=2000)
            publisher.wake.set()
            await asyncio.to_thread(stack.start, "broker")
            await stage.until(lambda: stage.waiting() == 0)

    asyncio.run(go())
    assert pairs(stage.arrived(4000)) == expected(readings)


@needs("broker", "registry")
def test_a_producer_that_forgot_all_brokers_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, readings = Stage(tmp_path / "journal.db", streaming()), many(100)

    async def go() -> None:
        async with stage.publishing():
            stage.put(readings)
            await stage.until(lambda: stage.waiting() == 0)

    with first_client_lost(publisher, monkeypatch):
        asyncio.run(go())
    assert pairs(stage.arrived(100)) == expected(readings)


@needs("broker", "registry")
def test_a_registry_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    stage, stack = Stage(tmp_path / "journal.db", streaming()), shared_stack()
    stage.put(many(10))

    async def go() -> None:
        async with stage.publishing():
            await stage.until(
                lambda: all(there for there, _ in topics.plan(stage.settings))
            )  # the broker is done with: the registry is asked next
            assert stage.waiting() == 10
            await asyncio.to_thread(stack.start, "registry")
            await stage.until(lambda: stage.waiting() == 0)

    stack.stop("registry")
    try:
        asyncio.run(go())
    finally:
        stack.start("registry")
    assert pairs(stage.arrived(10)) == expected(many(10))


@needs("broker", "registry")
def test_a_registry_that_goes_away_stops_nothing(tmp_path: Path) -> None:
    stage, stack = Stage(tmp_path / "journal.db", streaming()), shared_stack()

    async def go() -> None:
        async with stage.publishing() as publisher:
            stage.put(many(10))
            publisher.wake.set()
            await stage.until(lambda: stage.waiting() == 0)
            await asyncio.to_thread(stack.stop, "registry")
            stage.put([("v", 5)], first=10)
            publisher.wake.set()
            await stage.until(lambda: stage.waiting() == 0)

    try:
        asyncio.run(go())
    finally:
        stack.start("registry")


@needs("broker", "registry")
def test_a_lost_topic_is_made_anew_and_filled_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())
    stage.put(many(300))
    stage.publish_all()
    ours = names.topics(stage.settings.prefix)
    admin = AdminClient(kafka_config(stage.settings))
    for deleted in admin.delete_topics([ours.videos, ours.rules]).values():
        deleted.result(30)
    stage.put([("video0", 1)], first=300)
    assert stage.begun == [] and stage.anew == 0
    stage.publish_all()
    assert pairs(stage.arrived(301)) == expected([*many(300), ("video0", 1)])
    assert stage.anew == 1
    assert stage.begun == [301, 301], "the engine begins before a reading is there, and is waited for"


@needs("broker", "registry")
def test_what_is_kept_is_sent_again_on_demand(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())
    stage.put(many(100))

    async def go() -> None:
        async with stage.publishing() as publisher:
            await stage.until(lambda: stage.waiting() == 0)
            publisher.resend(START + timedelta(seconds=90))
            arrived = await asyncio.to_thread(stage.arrived, 110)
            assert [a.value["VIEWS"] for a in arrived] == [views for _, views in (*many(100), *many(100)[90:])]

    asyncio.run(go())


@needs("broker", "registry")
def test_a_publisher_that_is_killed_at_any_moment_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming(partitions=3))
    readings, moments = many(20_000, videos=50), random.Random(5)
    topics.ensure(stage.settings)
    schemas.ensure(stage.settings)
    stage.put(readings)
    kills, arguments = 0, (stage.settings.bootstrap or "", stage.settings.registry_url or "", stage.settings.prefix)
    while stage.waiting():
        process = subprocess.Popen([sys.executable, str(KILLED), str(stage.path), *arguments], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.3, 0.8 + 0.2 * kills))  # a busy machine gets further, too
            assert process.poll() is None
            process.kill()
        kills += 1
    arrived = stage.arrived(20_000)
    assert pairs(arrived) == expected(readings)
    assert kills > 1


def secure(**values: Any) -> Streaming:
    """The listener with TLS and a password."""
    login, at = shared_stack().login(), shared_stack().addresses()
    named = {"sasl_mechanism": "scram-sha-256", "sasl_username": login.user, "sasl_password": login.password, "ca_file": str(login.ca_file)}
    return streaming(bootstrap=at.bootstrap_secure, security_protocol="sasl_ssl", **{**named, **values})


@needs("broker", "registry")
def test_readings_go_through_a_listener_with_a_certificate_and_a_password(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", secure())
    stage.put(many(20))
    stage.publish_all()
    assert pairs(stage.arrived(20)) == expected(many(20))


@needs("broker")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"sasl_password": "CANARY-wrong"}, "Authentication failed"), ({"ca_file": None}, "certificate verify failed")],
    ids=["password", "certificate"],
)
def test_a_wrong_password_or_certificate_is_one_clear_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(OutsideError, match=r"Kafka refuses us \(making the topics at ") as caught:
        topics.ensure(secure(**wrong))
    assert (caught.value.reason, caught.value.permanent) == ("not authorised", True)
    assert said in str(caught.value) and "\n" not in str(caught.value) and "CANARY" not in str(caught.value)


@needs("broker", "registry")
def test_topics_are_made_as_asked_and_then_compared() -> None:
    settings = streaming(partitions=3, retention=timedelta(days=2))
    own = names.topics(settings.prefix)
    report = topics.ensure(settings)
    assert set(report.made) == set(own) and report.differences == ()
    again = topics.ensure(settings.model_copy(update={"partitions": 4, "retention": timedelta(days=3)}))
    assert again.made == () and again.ids == report.ids
    assert f"{own.videos}: partitions is 3, the settings ask for 4" in again.differences
    assert f"{own.changes}: retention.ms is 172800000, the settings ask for 259200000" in again.differences
    assert f"{own.rules}: partitions is 3, the settings ask for 4" in again.differences and len(again.differences) == 9
    assert not topics.lost(settings, report.ids)
    assert topics.lost(settings, {**report.ids, own.rules: "another"})
    assert topics.lost(settings, {**report.ids, "nowhere": "an id"})


@needs("broker")
def test_a_broker_that_cannot_do_it_is_named() -> None:
    with pytest.raises(OutsideError, match="Kafka did not do it") as caught:
        topics.ensure(streaming(replication=3))
    assert (caught.value.reason, caught.value.permanent) == ("refused", False)
    with pytest.raises(OutsideError, match="Kafka does not answer") as caught:
        topics.ensure(streaming(bootstrap="127.0.0.1:1"))
    assert caught.value.reason == "unreachable"


def tutorial() -> str:
    """What the tutorial's CREATE STREAM yt_videos registers."""
    kinds = ("string", "string", "string", "int", "int", "int", "int")
    fields = zip(("VIDEO_TIMESTAMP", "TITLE", "DESCRIPTION", "VIEWS", "LIKES", "FAVORITES", "COMMENTS"), kinds, strict=True)
    record: dict[str, Any] = {"type": "record", "name": "KsqlDataSourceSchema", "namespace": "io.confluent.ksql.avro_schemas"}
    record["fields"] = [{"name": name, "type": ["null", kind], "default": None} for name, kind in fields]
    return json.dumps({**record, "connect.name": schemas.KSQL_RECORD})


@needs("broker", "registry")
def test_the_tutorials_subject_may_be_there_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())
    subject = names.subject(names.topics(stage.settings.prefix).videos)
    with registry_client(stage.settings) as client:
        client.register_schema(subject, Schema(tutorial(), "AVRO"))
        stage.put([("v", 5), ("v", 2**40)])
        stage.publish_all()
        assert [a.value["VIEWS"] for a in stage.arrived(2)] == [5, 2**40]
        assert schemas.ensure(stage.settings) == schemas.ensure(stage.settings)
        assert client.get_versions(subject) == [1, 2, 3]


@needs("broker", "registry")
def test_a_strangers_subject_is_explained_and_nothing_is_sent_before_it_is_gone(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming())
    theirs = json.loads(tutorial())
    theirs["fields"][3]["type"] = ["null", "string"]
    theirs["fields"][4]["type"] = ["null", "long"]
    subject = names.subject(names.topics(stage.settings.prefix).videos)
    stage.put([("v", 5)])

    async def go() -> None:
        async with stage.publishing():
            await stage.until(lambda: bool(stage.told))
            assert stage.waiting() == 1
            client.delete_subject(subject)
            await stage.until(lambda: len(stage.told) == 2 and stage.waiting() == 0)

    with registry_client(stage.settings) as client:
        client.register_schema(subject, Schema(json.dumps(theirs), "AVRO"))
        asyncio.run(go())
    assert "VIEWS is null or string there, null or int here; LIKES is null or long there, null or int here" in stage.told[0]
    assert "set streaming.prefix" in stage.told[0]
    assert stage.told[1] == "Readings are published again; nothing was lost."
    assert [one.value["VIEWS"] for one in stage.arrived(1)] == [5]


@needs("registry")
def test_a_registry_that_is_away_or_no_registry_is_named() -> None:
    with pytest.raises(OutsideError, match="the Schema Registry does not answer") as caught:
        schemas.ensure(streaming(registry_url="http://127.0.0.1:1"))
    assert (caught.value.reason, caught.value.permanent) == ("unreachable", False)


@needs("broker")
def test_the_operator_is_told_once_when_nothing_could_be_published_for_an_hour(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "journal.db", streaming(registry_url="http://127.0.0.1:1"))
    stage.put([("v", 5)])
    clock = SystemClock(speed=3600)

    async def go() -> None:
        async with stage.publishing(clock):
            await stage.until(lambda: bool(stage.told))
            told_at = clock.now()
            await stage.until(lambda: clock.now() - told_at > timedelta(hours=2))

    asyncio.run(go())
    assert len(stage.told) == 1 and stage.waiting() == 1
    assert stage.told[0].startswith("Nothing could be published since") and "it waits in the journal" in stage.told[0]
    assert "the Schema Registry does not answer" in stage.told[0]
