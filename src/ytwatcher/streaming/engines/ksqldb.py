"""ksqlDB: statements, queries and their health over its REST interface.

A statement that makes something is repeated by the server's command log for ever, so that nothing is sent twice: what is there is asked
first. Ending goes backwards, queries before what they read, topics last: a query whose topic is gone hangs, and with it the server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ytwatcher.errors import OutsideError
from ytwatcher.streaming.engines.plan import Action, Deployment, Flavour, Part, Plan, Statement, Step, only, statements
from ytwatcher.streaming.engines.rest import NOT_FOUND, Answer, Rest

MEDIA_TYPE = "application/vnd.ksql.v1+json"
PATIENCE = 90.0
"""Seconds for a statement, and for a query to run."""
LOOK_EVERY = 0.2
FILES: Mapping[Flavour, str] = {Flavour.OWN: "ksqldb/pipeline.sql", Flavour.SEED: "seed/tutorial.sql"}
_CREATE = re.compile(r"CREATE (STREAM|TABLE) (?:IF NOT EXISTS )?(\w+)")
_TOPIC = re.compile(r"KAFKA_TOPIC ?= ?'([^']+)'")
_QUERY_MAKES = re.compile(r"\) AS\s")
_INSERT = re.compile(r"INSERT INTO (\w+)(?: WITH \(QUERY_ID='(\w+?)(\d+)'\))?")
_SOON = ("QUEUED", "PARSING", "EXECUTING", "RUNNING")


@dataclass(frozen=True, slots=True)
class Query:
    """A persistent query: the name of the stream or table it writes, and its state."""

    id: str
    sink: str
    state: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is on the server: topics by stream or table name, and the persistent queries."""

    sources: Mapping[str, str]
    queries: Sequence[Query]


@dataclass(frozen=True, slots=True)
class Thing:
    """What one statement makes: a stream or table, or with `query` a query that writes into one.

    `query` is the query's id without its version; empty where the server chooses the id.
    """

    statement: Statement
    kind: str
    name: str
    topic: str = ""
    writes: bool = False
    query: str | None = None
    version: int = 0

    @property
    def what(self) -> str:
        if self.query is None:
            return f"{self.kind} {self.name}"
        return f"query {self.query}{self.version}" if self.query else f"query into {self.name}"

    def queries(self, found: Found) -> list[Query]:
        """The running queries that this statement made, in any version."""
        if self.query:
            return [one for one in found.queries if one.id.removeprefix(self.query).isdecimal()]
        return [one for one in found.queries if one.sink == self.name and one.id.startswith("INSERTQUERY_")]


class KsqlDb:
    """One deployment on one ksqlDB server or cluster."""

    def __init__(self, rest: Rest, deployment: Deployment) -> None:
        self._rest = rest
        self._deployment = deployment

    async def plan(self, *, end: bool = False) -> Plan:
        """What has to be done so that the deployment runs, or with `end`, that nothing of it is left.

        Raises:
            OutsideError: the server does not answer; `conflict`: what runs there excludes this; `newer`.
        """
        return plan_statements(self._deployment, await self._look(), end=end)

    async def carry_out(self, plan: Plan) -> None:
        """Do what the plan says, and wait until its queries run.

        Raises:
            OutsideError: a statement was refused; the text has the server's reason.
        """
        for step in plan:
            for statement in step.statements if step.action is not Action.KEEP else ():
                await self._run(statement)
        if only(plan, Action.MAKE):
            await self._wait_running()

    async def status(self) -> list[Part]:
        """The deployment's queries; what is missing is a part without a state."""
        found = await self._look()
        missing = [Part(step.what, "missing", "it is not there") for step in only(plan_statements(self._deployment, found), Action.MAKE)]
        return [*missing, *[await self._part(query) for query in _queries(self._deployment, found)]]

    async def _look(self) -> Found:
        listed = [(await self._ask(f"SHOW {kind};"))[0] for kind in ("STREAMS", "TABLES", "QUERIES")]
        streams, tables, queries = listed
        return Found(
            {one["name"]: one["topic"] for one in (*streams["streams"], *tables["tables"])},
            [Query(one["id"], one["sinks"][0], one["state"]) for one in queries["queries"] if one["queryType"] == "PERSISTENT"],
        )

    async def _part(self, query: Query) -> Part:
        if query.state == "RUNNING":
            return Part(query.id, query.state)
        said = (await self._ask(f"EXPLAIN {query.id};"))[0]["queryDescription"]["queryErrors"]
        return Part(query.id, query.state, said[-1]["errorMessage"] if said else f"the query is {query.state.lower()}")

    async def _run(self, statement: Statement) -> None:
        """Run one statement to its end: a cluster answers before the statement is carried out."""
        for entity in await self._ask(statement.text, statement.props):
            status = entity.get("commandStatus", {"status": "SUCCESS"})
            for _ in range(int(PATIENCE / LOOK_EVERY)):
                if status["status"] not in _SOON:
                    break
                await asyncio.sleep(LOOK_EVERY)
                status = (await self._rest.call("GET", f"/status/{quote(entity['commandId'])}")).body
            if status["status"] not in ("SUCCESS", "TERMINATED"):
                raise self._refused(statement.text, f"{status['status']}: {status.get('message', '')}")

    async def _ask(self, text: str, props: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        answer = await self._rest.call("POST", "/ksql", {"ksql": text, "streamsProperties": dict(props or {})})
        refuses = isinstance(answer.body, dict) and "message" in answer.body and answer.status != NOT_FOUND
        if not isinstance(answer.body, list) and not refuses:
            raise self._rest.stranger(answer)
        if not answer.ok or not isinstance(answer.body, list):
            raise self._refused(text, _message(answer))
        return answer.body

    def _refused(self, text: str, why: str) -> OutsideError:
        return self._rest.fault("refuses a statement", f"{why}\nThe statement begins: {text.splitlines()[0]}")

    async def _wait_running(self) -> None:
        for _ in range(int(PATIENCE / LOOK_EVERY)):
            late = [query for query in _queries(self._deployment, await self._look()) if query.state != "RUNNING"]
            if not late:
                return
            await asyncio.sleep(LOOK_EVERY)
        raise self._rest.fault(f"does not run {late[0].id}", f"it is {late[0].state.lower()} after {PATIENCE:.0f} seconds")


def plan_statements(deployment: Deployment, found: Found, *, end: bool = False) -> Plan:
    """The steps from what is on the server to the deployment, or with `end` to nothing of it.

    An older version is replaced whole, because only its last query carries the number.
    """
    things = _things(deployment)
    rival = _rival(deployment, found)
    if end:
        shared = {thing.name for thing in _things(_other(deployment))} if rival else set()
        return _ends([thing for thing in things if thing.name not in shared], found)
    if rival:
        raise OutsideError(rival, reason="conflict", permanent=True)
    _check_topics(things, found)
    versions = [int(query.id.removeprefix(thing.query)) for thing in things if thing.query for query in thing.queries(found)]
    if any(version > deployment.version for version in versions):
        raise OutsideError("the alerts' query was deployed by a newer YT Watcher", reason="newer", permanent=True)
    if any(version < deployment.version for version in versions):
        return (*_ends(things, found), *(Step(Action.MAKE, thing.what, (thing.statement,)) for thing in things))
    return tuple(Step(Action.KEEP if _there(thing, found) else Action.MAKE, thing.what, (thing.statement,)) for thing in things)


def _ends(things: Sequence[Thing], found: Found) -> Plan:
    """Backwards, so that nothing is dropped that is still read; a topic that a query of its own wrote goes with it."""
    steps: list[Step] = []
    for thing in reversed(things):
        if thing.query is not None:
            steps += [Step(Action.END, f"query {one.id}", (Statement(f"TERMINATE {one.id};"),)) for one in thing.queries(found)]
        elif thing.name in found.sources:
            text = f"DROP {thing.kind.upper()} {thing.name}{' DELETE TOPIC' if thing.writes else ''};"
            steps.append(Step(Action.END, thing.what, (Statement(text),)))
    return tuple(steps)


def _there(thing: Thing, found: Found) -> bool:
    return thing.name in found.sources if thing.query is None else bool(thing.queries(found))


def _things(deployment: Deployment) -> list[Thing]:
    return [_thing(statement) for statement in statements(FILES[deployment.flavour], deployment.values())]


def _thing(statement: Statement) -> Thing:
    if created := _CREATE.match(statement.text):
        topic = _TOPIC.search(statement.text)
        assert topic is not None  # every file names the topics of what it makes
        return Thing(statement, created[1].lower(), created[2].upper(), topic[1], bool(_QUERY_MAKES.search(statement.text)))
    inserted = _INSERT.match(statement.text)
    assert inserted is not None  # the files hold these two kinds only
    return Thing(statement, "query", inserted[1].upper(), query=(inserted[2] or "").upper(), version=int(inserted[3] or 0))


def _other(deployment: Deployment) -> Deployment:
    other = Flavour.OWN if deployment.flavour is Flavour.SEED else Flavour.SEED
    return Deployment(deployment.prefix, deployment.partitions, flavour=other, chat_id="0")


def _rival(deployment: Deployment, found: Found) -> str:
    """Both flavours use the names yt_changes and yt_changes_stream: one of them at a time."""
    ours = {thing.name for thing in _things(deployment)}
    theirs = [thing.name for thing in _things(_other(deployment)) if thing.name not in ours and thing.name in found.sources]
    if not theirs:
        return ""
    whose = "the tutorial's own statements run" if deployment.flavour is Flavour.OWN else "YT Watcher's own statements run"
    return f"{whose} on this server ({', '.join(theirs)}); end them with `ytwatcher stream teardown`, or set streaming.prefix"


def _check_topics(things: Sequence[Thing], found: Found) -> None:
    for thing in things:
        topic = found.sources.get(thing.name, thing.topic)
        if thing.query is None and topic != thing.topic:
            text = f"{thing.name} is there already, on the topic {topic}: not what YT Watcher makes; set streaming.prefix"
            raise OutsideError(text, reason="conflict", permanent=True)


def _queries(deployment: Deployment, found: Found) -> list[Query]:
    """The persistent queries of the deployment: those that write what it made."""
    things = _things(deployment)
    return [
        query for query in found.queries if any(query.sink == thing.name and (thing.writes or thing.query is not None) for thing in things)
    ]


def _message(answer: Answer) -> str:
    return str(answer.body.get("message", answer.body)) if isinstance(answer.body, dict) else str(answer.body)[:300]
