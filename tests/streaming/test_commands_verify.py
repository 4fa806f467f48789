"""`ytwatcher stream verify` and `stream vectors`, on a real broker and Flink, and on the double of ksqlDB."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient

from engine_stage import EngineStage, deployed, settings
from served import Home
from stack_parts import needs, shared_stack
from stream_home import FLINK, KAFKA, called, lines, of, person, refusal, served
from ytwatcher.clock import SystemClock
from ytwatcher.errors import OutsideError
from ytwatcher.settings import Streaming
from ytwatcher.simulator.ksqldb import KsqlDbDouble
from ytwatcher.store.db import Database, open_journal
from ytwatcher.streaming.connection import kafka_config
from ytwatcher.streaming.outbound import Outbound
from ytwatcher.streaming.tail import tail


@contextmanager
def delivering(streaming: Streaming, path: Path) -> Iterator[list[str]]:
    """Our consumer of alerts, in a thread of its own; the list has an entry for every time that somebody would have been told."""
    told: list[str] = []
    loop, db = asyncio.new_event_loop(), Database(path)
    consumer = loop.create_task(Outbound(db, SystemClock(), streaming, lambda: told.append("alerts")).run())

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(consumer)
        loop.run_until_complete(loop.shutdown_default_executor())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told
    finally:
        loop.call_soon_threadsafe(consumer.cancel)
        thread.join()
        loop.close()
        db.close()


@needs(*FLINK)
def test_a_canary_goes_through_every_stage_or_the_stage_is_named(tmp_path: Path) -> None:
    streaming = settings(shared_stack().addresses(), "canary_", 2)
    me = of(tmp_path, streaming, engine="flink")
    with EngineStage(streaming):
        with deployed(streaming):
            with delivering(streaming, tmp_path / "journal.db") as told:
                found = me.json("stream", "verify")
                assert [stage["name"] for stage in found["stages"]] == ["yt_videos", "yt_changes", "telegram_outbound", "our delivery"]
                assert all(0 < stage["seconds"] < 60 for stage in found["stages"])
                assert (found["came_through"], found["remark"]) == (True, "")
            assert told == []
            nobody_takes_it = called(me, "verify", "--timeout", "20s")
            assert nobody_takes_it.exit_code == 1
            assert [line.split(" ")[0] for line in lines(nobody_takes_it.stdout)[:3]] == ["yt_videos", "yt_changes", "telegram_outbound"]
            assert "did not come through our delivery within 20s: `ytwatcher run` does not run here" in nobody_takes_it.stdout
            with_connect = of(tmp_path, streaming, engine="flink", delivery="connect", connect_url="http://127.0.0.1:9")
            kept_back = lines(called(with_connect, "verify").stdout)
            assert kept_back[-1].startswith("No alert was made, for Connect would send it: --to CHAT")
            assert len(kept_back) == 3
        stopped = called(me, "verify", "--timeout", "2s")
        assert stopped.exit_code == 1
        assert "did not come through yt_changes within 2s: canary_yt-alerts-v1: the job is not there" in stopped.stdout
        alone = called(of(tmp_path, streaming), "verify")
        assert lines(alone.stdout)[-1] == "No engine is configured (streaming.engine): there is nothing behind yt_videos."
        assert rules_left(streaming) == []
    con = open_journal(tmp_path / "journal.db")
    with closing(con):
        assert con.execute("SELECT count(*) FROM alert").fetchone()[0] == 0


def rules_left(streaming: Streaming) -> object:
    """The canary's rules after all that was written about them: one record gives them, the next takes them away."""
    records = tail(streaming, f"{streaming.prefix}yt_rules", from_beginning=True)
    with closing(records):
        newest = [next(records) for _ in range(6)][-1]
    assert newest.value is not None
    return newest.value["RULES"]


@needs(*KAFKA)
def test_without_topics_the_canary_is_not_sent(tmp_path: Path) -> None:
    outcome = called(of(tmp_path, settings(shared_stack().addresses(), "nothing_"), engine="flink"), "verify")
    assert isinstance(outcome.exception, OutsideError)
    assert str(outcome.exception) == "there is no topic nothing_yt_videos; `ytwatcher stream deploy` makes the topics"


def test_whom_a_test_may_tell_is_checked(tmp_path: Path) -> None:
    me = person(tmp_path, bootstrap="127.0.0.1:9", registry_url="http://127.0.0.1:9")
    assert "--to is for delivery by Connect" in refusal(me, "verify", "--to", "5")
    assert "“5 minutes” is not a duration" in refusal(me, "verify", "--timeout", "5 minutes")


@needs(*FLINK)
def test_the_vectors_are_judged_by_flink_and_nothing_of_them_stays(tmp_path: Path) -> None:
    at = shared_stack().addresses()
    me = of(tmp_path, settings(at, ""))
    done = patiently(me, "--engine", "flink", "--url", at.gateway, "--jobmanager", at.flink, "--partitions", "1", "--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found = json.loads(done.stdout)
    assert [one for one in found["situations"] if not one["passed"]] == []
    assert len(found["situations"]) == 150
    assert found["late"] == ""
    assert left_behind(at.bootstrap) == []


@needs(*KAFKA)
def test_what_a_server_does_not_find_is_reported(tmp_path: Path) -> None:
    """The double of ksqlDB runs no query: everything is brought to it and taken away, and every alert is missing."""
    at = shared_stack().addresses()
    double = KsqlDbDouble(topics=AnyTopic())
    with served(double) as url:
        me = of(tmp_path, settings(at, ""), ksqldb_url=url)
        done = patiently(me, "--engine", "ksqldb", "--timeout", "2s")
    assert done.returncode == 1
    shown = lines(done.stdout)
    assert "differs change: up, level and down" in shown
    assert any(line.startswith("missing 0r1:v000-------:") and "Likes changed: 10 -> 12" in line for line in shown)
    assert "same change: never from a first reading" in shown
    assert any(line.startswith("Not all was judged: the engine is not done after 2 s") for line in shown)
    assert any("YT_ALERTS_V1" in text for text in double.taken)
    assert not double.sources
    assert left_behind(at.bootstrap) == []


def patiently(me: Home, *args: str) -> subprocess.CompletedProcess[str]:
    """Call `stream vectors`; on a busy machine it takes its time."""
    command = me.command("stream", "vectors", *args)
    return subprocess.run(command, env=me.env, cwd=me.folder, capture_output=True, text=True, timeout=200)


class AnyTopic(dict[str, int]):
    """The prefix is random: whatever is named is there."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> int:
        return 1

    def get(self, key: str, default: object = None) -> int:
        return 1


def left_behind(bootstrap: str) -> list[str]:
    admin = AdminClient(kafka_config(Streaming(bootstrap=bootstrap, registry_url="http://127.0.0.1:9")))
    return [name for name in admin.list_topics(timeout=10).topics if name.startswith("vectors_")]
