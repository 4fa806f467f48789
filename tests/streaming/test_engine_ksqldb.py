"""ksqlDB's client and its plans against the double of the server's REST interface; no real server is run here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ytwatcher.errors import InputError, OutsideError
from ytwatcher.simulator.ksqldb import KsqlDbDouble
from ytwatcher.simulator.server import serve
from ytwatcher.streaming.engines.ksqldb import MEDIA_TYPE, KsqlDb
from ytwatcher.streaming.engines.plan import Action, Deployment, Flavour, Plan, only, script, statements
from ytwatcher.streaming.engines.rest import Rest

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
OWN = Deployment(partitions=6, alerts_from=AT)
SEED = Deployment(flavour=Flavour.SEED, chat_id="-42")
OURS = ("yt_videos", "yt_rules", "yt_changes", "telegram_outbound")
PROPS = {
    "auto.offset.reset": "earliest",
    "cache.max.bytes.buffering": "0",
    "processing.guarantee": "exactly_once_v2",
    "commit.interval.ms": "100",
}

Talk = Callable[[Callable[[Deployment], KsqlDb]], Awaitable[None]]


@asynccontextmanager
async def engines(double: KsqlDbDouble, auth: tuple[str, str] | None = None) -> AsyncIterator[Callable[[Deployment], KsqlDb]]:
    async with serve(double.app()) as url, Rest("ksqlDB", url, auth, MEDIA_TYPE, setting="streaming.ksqldb_url") as rest:
        yield lambda deployment: KsqlDb(rest, deployment)


def with_double(talk: Talk, double: KsqlDbDouble | None = None, auth: tuple[str, str] | None = None) -> KsqlDbDouble:
    double = double or KsqlDbDouble(topics=dict.fromkeys(OURS, 6))

    async def go() -> None:
        async with engines(double, auth) as engine:
            await talk(engine)

    asyncio.run(go())
    return double


async def deploy(engine: KsqlDb) -> Plan:
    plan = await engine.plan()
    await engine.carry_out(plan)
    return plan


def test_a_deployment_makes_seven_things_and_its_queries_run_exactly_once() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        plan = await deploy(engine(OWN))
        assert [step.what for step in plan] == [
            "stream YT_READINGS",
            "table YT_RULES",
            "stream TELEGRAM_ALERTS",
            "table YT_CHANGES",
            "stream YT_CHANGES_STREAM",
            "stream YT_CHECKS",
            "query YT_ALERTS_V1",
        ]
        assert {part.name: part.state for part in await engine(OWN).status()} == dict.fromkeys(double.queries, "RUNNING")

    double = KsqlDbDouble(topics=dict.fromkeys(OURS, 6))
    with_double(talk, double)
    assert [re.sub(r"\d+$", "", name) for name in double.queries] == ["CTAS_YT_CHANGES_", "CSAS_YT_CHECKS_", "YT_ALERTS_V"]
    assert all(query.props == PROPS for query in double.queries.values())
    assert f"observed_at >= {int(AT.timestamp() * 1000)}" in double.queries["YT_ALERTS_V1"].text


def test_a_second_deployment_changes_nothing() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        await deploy(engine(OWN))
        taken = list(double.taken)
        assert {step.action for step in await deploy(engine(OWN))} == {Action.KEEP}
        assert double.taken == taken

    double = KsqlDbDouble(topics=dict.fromkeys(OURS, 6))
    with_double(talk, double)


def test_a_deployment_that_was_broken_off_is_completed() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        plan = await engine(OWN).plan()
        await engine(OWN).carry_out(plan[:4])
        rest = only(await deploy(engine(OWN)), Action.MAKE)
        assert [step.what for step in rest] == ["stream YT_CHANGES_STREAM", "stream YT_CHECKS", "query YT_ALERTS_V1"]

    with_double(talk)


def test_teardown_ends_queries_before_what_they_read_and_touches_nothing_else() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        other = Deployment(prefix="other_", partitions=6)
        await deploy(engine(OWN))
        await deploy(engine(other))
        del double.taken[:]
        await engine(OWN).carry_out(await engine(OWN).plan(end=True))
        assert double.taken == [
            "TERMINATE YT_ALERTS_V1;",
            "DROP STREAM YT_CHECKS DELETE TOPIC;",
            "DROP STREAM YT_CHANGES_STREAM;",
            "DROP TABLE YT_CHANGES DELETE TOPIC;",
            "DROP STREAM TELEGRAM_ALERTS;",
            "DROP TABLE YT_RULES;",
            "DROP STREAM YT_READINGS;",
        ]
        assert not double.hung
        assert all(name.startswith("OTHER_") for name in double.sources)
        assert {step.action for step in await engine(other).plan()} == {Action.KEEP}
        assert await engine(OWN).plan(end=True) == ()

    double = KsqlDbDouble(topics={**dict.fromkeys(OURS, 6), **{f"other_{topic}": 6 for topic in OURS}})
    with_double(talk, double)


def test_an_older_version_is_replaced_whole_and_a_newer_one_is_left_alone() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        newer = Deployment(partitions=6, version=2)
        await deploy(engine(OWN))
        plan = await engine(newer).plan()
        assert len(only(plan, Action.END)) == len(only(plan, Action.MAKE)) == 7
        await engine(newer).carry_out(only(plan, Action.END))
        double.topics |= dict.fromkeys(OURS, 6)  # as the command does between the two halves
        await engine(newer).carry_out(only(plan, Action.MAKE))
        assert "YT_ALERTS_V2" in double.queries
        with pytest.raises(OutsideError, match="newer YT Watcher") as caught:
            await engine(OWN).plan()
        assert caught.value.reason == "newer"

    double = KsqlDbDouble(topics=dict.fromkeys(OURS, 6))
    with_double(talk, double)


def test_the_tutorials_statements_are_deployed_in_its_order_and_ended_again() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        await deploy(engine(SEED))
        assert [source.name for source in double.sources.values()] == ["YT_VIDEOS", "YT_CHANGES", "TELEGRAM_OUTBOUND", "YT_CHANGES_STREAM"]
        assert {step.action for step in await deploy(engine(SEED))} == {Action.KEEP}
        assert [part.name for part in await engine(SEED).status()] == ["CTAS_YT_CHANGES_3", "INSERTQUERY_9"]
        await engine(SEED).carry_out(await engine(SEED).plan(end=True))
        assert not double.sources
        assert not double.hung

    double = KsqlDbDouble()
    with_double(talk, double)


def test_the_tutorials_statements_and_ours_exclude_each_other_without_a_prefix() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        await deploy(engine(SEED))
        with pytest.raises(OutsideError, match=r"the tutorial's own statements run.*YT_VIDEOS, TELEGRAM_OUTBOUND") as caught:
            await engine(OWN).plan()
        assert caught.value.reason == "conflict"
        assert await engine(OWN).plan(end=True) == ()  # not even yt_changes, which both have
        await deploy(engine(Deployment(prefix="mine_")))

    with_double(talk, KsqlDbDouble(topics={f"mine_{topic}": 1 for topic in OURS}))


def test_a_stranger_of_the_same_name_is_named() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        stranger = "CREATE STREAM yt_readings (a VARCHAR KEY) WITH (KAFKA_TOPIC='elsewhere', PARTITIONS=1, VALUE_FORMAT='avro');"
        double.topics["elsewhere"] = 1
        await put(double, stranger)
        with pytest.raises(OutsideError, match="YT_READINGS is there already, on the topic elsewhere"):
            await engine(OWN).plan()

    double = KsqlDbDouble(topics=dict.fromkeys(OURS, 6))
    with_double(talk, double)


def test_the_servers_reason_is_passed_on_with_the_statement() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        with pytest.raises(
            OutsideError, match=r"(?s)expects 6 partitions \(topic has 1\).*begins: CREATE STREAM IF NOT EXISTS yt_readings"
        ):
            await deploy(engine(OWN))

    with_double(talk, KsqlDbDouble(topics=dict.fromkeys(OURS, 1)))


def test_a_failed_query_is_shown_with_its_error_and_a_missing_one_as_missing() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        await deploy(engine(OWN))
        (changes,) = (name for name in double.queries if name.startswith("CTAS"))
        double.fail(changes, "Record is too large")
        await put(double, "TERMINATE yt_alerts_v1;")
        faults = {part.name: part.fault for part in await engine(OWN).status() if part.fault}
        assert faults == {changes: "Record is too large", "query YT_ALERTS_V1": "it is not there"}

    double = KsqlDbDouble(topics=dict.fromkeys(OURS, 6))
    with_double(talk, double)


def test_a_wrong_password_is_one_clear_sentence() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        with pytest.raises(OutsideError, match=r"^ksqlDB at http:\S+ refuses the name or password \(HTTP 401\)$"):
            await engine(OWN).plan()

    with_double(talk, KsqlDbDouble(password=("key", "right")), ("key", "wrong"))


def test_the_right_password_is_taken() -> None:
    async def talk(engine: Callable[[Deployment], KsqlDb]) -> None:
        await deploy(engine(OWN))

    with_double(talk, KsqlDbDouble(topics=dict.fromkeys(OURS, 6), password=("key", "right")), ("key", "right"))


def test_a_server_that_is_away_is_named() -> None:
    async def go() -> None:
        async with Rest("ksqlDB", "http://127.0.0.1:9", None, MEDIA_TYPE, setting="streaming.ksqldb_url") as rest:
            with pytest.raises(OutsideError, match=r"ksqlDB does not answer at http://127\.0\.0\.1:9 \(ConnectError\)"):
                await KsqlDb(rest, OWN).plan()

    asyncio.run(go())


@pytest.mark.parametrize("prefix", ["a-b_", "1_", "a.b", "x'; DROP"])
def test_a_prefix_that_sql_cannot_take_is_refused(prefix: str) -> None:
    with pytest.raises(InputError, match="cannot begin names in SQL"):
        Deployment(prefix=prefix)


@pytest.mark.parametrize("chat_id", ["", "me", "1' AS x", "-"])
def test_the_tutorials_statements_need_a_chats_number(chat_id: str) -> None:
    with pytest.raises(InputError, match="--chat-id"):
        Deployment(flavour=Flavour.SEED, chat_id=chat_id)


def test_the_tutorials_statements_are_unchanged() -> None:
    tutorial = Path(__file__).parents[3] / "shared" / "seed.md"
    if not tutorial.exists():
        pytest.skip("the tutorial's text is not here")
    text = flat(tutorial.read_text(encoding="utf-8"))
    for statement in statements("seed/tutorial.sql", Deployment(flavour=Flavour.SEED, chat_id="0").values()):
        assert flat(statement.text.replace("'0'", "'<chat_id>'")) in text


def test_a_script_reads_like_its_file() -> None:
    found = statements("ksqldb/pipeline.sql", OWN.values())
    assert script(found).count("-- @props {") == 3
    assert script(found).count(";\n") == len(found) == 7
    assert "${" not in script(found)


def flat(text: str) -> str:
    return " ".join(text.split())


async def put(double: KsqlDbDouble, statement: str) -> None:
    async with serve(double.app()) as url, httpx.AsyncClient() as client:
        response = await client.post(f"{url}/ksql", json={"ksql": statement})
        assert response.status_code == 200, response.text
