"""A double of ksqlDB's REST interface, for the deployment of statements: strict in what it takes, and it runs no query.

It knows the statements that make, show, explain and end things, one to a request, and answers in the forms of a 0.28 server. Names are
upper-cased as there, command numbers go up by 2, and a query that was given no id is named after the number. Whatever a real server is
known to refuse is refused in its words. Rows come from no query: a /query-stream of a known source gives its header only.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

_COLUMNS = r"(?P<columns>\([^;]*?\))?\s*"
_WITH = r"WITH\s*\((?P<with>[^()]*)\)\s*"
_CREATE = re.compile(
    rf"CREATE\s+(?P<kind>STREAM|TABLE)\s+(?P<lenient>IF NOT EXISTS\s+)?(?P<name>\w+)\s*{_COLUMNS}{_WITH}(?:AS\s+(?P<select>SELECT\b.*?))?;",
    re.IGNORECASE | re.DOTALL,
)
_INSERT = re.compile(
    r"INSERT INTO\s+(?P<name>\w+)\s*(?:WITH\s*\(QUERY_ID\s*=\s*'(?P<id>\w+)'\)\s*)?(?P<select>SELECT\b.*?);", re.IGNORECASE | re.DOTALL
)
_DROP = re.compile(r"DROP\s+(?P<kind>STREAM|TABLE)\s+(?P<name>\w+)(?P<topic>\s+DELETE TOPIC)?\s*;", re.IGNORECASE)
_TERMINATE = re.compile(r"TERMINATE\s+(?P<id>\w+)\s*;", re.IGNORECASE)
_SHOW = re.compile(r"(?:SHOW|LIST)\s+(?P<what>STREAMS|TABLES|QUERIES|TOPICS)\s*;", re.IGNORECASE)
_EXPLAIN = re.compile(r"EXPLAIN\s+(?P<id>\w+)\s*;", re.IGNORECASE)
_READ = re.compile(r"(?:SELECT|PRINT)\b.*;", re.IGNORECASE | re.DOTALL)
_SOURCES = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)
_PROPERTY = re.compile(r"(\w+)\s*=\s*(?:'([^']*)'|(\w+))")
_PROPS = frozenset(
    {"auto.offset.reset", "cache.max.bytes.buffering", "processing.guarantee", "commit.interval.ms", "ksql.streams.auto.offset.reset"}
)
_MEDIA_TYPES = ("application/json", "application/vnd.ksql.v1+json")


class Refused(Exception):
    """What the server answers with status 400."""

    def __init__(self, message: str, code: int = 40001) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass
class Source:
    """A stream or table."""

    kind: str
    name: str
    topic: str
    partitions: int


@dataclass
class Query:
    """A persistent query: what it reads and writes."""

    id: str
    text: str
    sink: Source
    reads: tuple[str, ...]
    made_sink: bool
    props: dict[str, str]
    state: str = "RUNNING"
    errors: list[str] = field(default_factory=list)


@dataclass
class KsqlDbDouble:
    """The server's state, open for tests to look at and to change. `topics` holds those on the broker, with their partitions."""

    topics: dict[str, int] = field(default_factory=dict)
    """A topic that is here has its schema in the registry."""
    sources: dict[str, Source] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    """Every statement that changed something."""
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    hung: bool = False
    """A topic was deleted under a running query: from then on nothing that changes something is carried out."""
    password: tuple[str, str] | None = None
    number: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", lambda request: RedirectResponse("/info", 307), methods=["GET"]),
                Route("/info", self._info, methods=["GET"]),
                Route("/healthcheck", lambda request: JSONResponse({"isHealthy": True, "details": {}}), methods=["GET"]),
                Route("/status/{id:path}", self._status, methods=["GET"]),
                Route("/ksql", self._ksql, methods=["POST"]),
                Route("/query-stream", self._query_stream, methods=["POST"]),
            ]
        )

    def fail(self, query_id: str, message: str) -> None:
        """A query fails, as a user's error makes it."""
        self.queries[query_id].state = "ERROR"
        self.queries[query_id].errors.append(message)

    def delete_topic(self, topic: str) -> None:
        """Delete a topic on the broker, past the server."""
        self.topics.pop(topic, None)
        self.hung |= any(topic in self._topics_of(query) for query in self.queries.values())

    def _topics_of(self, query: Query) -> set[str]:
        return {query.sink.topic, *(self.sources[name].topic for name in query.reads)}

    def _info(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(status_code=405)
        info = {"version": "7.3.3", "kafkaClusterId": "double", "ksqlServiceId": "default_", "serverStatus": "RUNNING"}
        return JSONResponse({"KsqlServerInfo": info})

    def _status(self, request: Request) -> Response:
        status = self.statuses.get(request.path_params["id"])
        return JSONResponse(status) if status else JSONResponse(_error("Command not found", 40400), 404)

    async def _ksql(self, request: Request) -> Response:
        if refusal := self._unauthorised(request):
            return refusal
        if request.headers.get("content-type", "").split(";")[0] not in _MEDIA_TYPES:
            return PlainTextResponse("", 415)
        body = json.loads(await request.body())
        text, props = body["ksql"], body.get("streamsProperties", {})
        try:
            if self.hung and not _SHOW.fullmatch(text) and not _EXPLAIN.fullmatch(text):
                message = "Timeout while waiting for command topic consumer to process command topic"
                return JSONResponse(_error(message, 50000), 500)
            return JSONResponse([self._take(text.strip(), props)] if text.strip() else [])
        except Refused as refused:
            answer = {"@type": "statement_error", "error_code": refused.code, "message": refused.message, "statementText": text}
            return JSONResponse({**answer, "entities": []}, 400)

    async def _query_stream(self, request: Request) -> Response:
        body = json.loads(await request.body())
        names = [name.upper() for name in _SOURCES.findall(body["sql"])]
        unknown = next((name for name in names if name not in self.sources), None)
        if unknown:
            message = f"Exception while preparing statement: {unknown} does not exist."
            answer = {"@type": "statement_error", "error_code": 40001, "message": message, "statementText": body["sql"], "entities": []}
            return JSONResponse(answer, 400)
        return PlainTextResponse(json.dumps({"queryId": "query_1", "columnNames": [], "columnTypes": []}) + "\n")

    def _unauthorised(self, request: Request) -> Response | None:
        if self.password is None:
            return None
        expected = "Basic " + base64.b64encode(":".join(self.password).encode()).decode()
        return None if request.headers.get("authorization") == expected else JSONResponse(_error("Unauthorized", 40100), 401)

    def _take(self, text: str, props: dict[str, str]) -> dict[str, Any]:
        unknown = sorted(set(props) - _PROPS)
        if unknown:
            raise Refused(f"Not recognizable as ksql, streams, consumer, or producer property: '{unknown[0]}'", 40000)
        takers: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str, dict[str, str]], dict[str, Any]]], ...] = (
            (_CREATE, self._create),
            (_INSERT, self._insert),
            (_DROP, self._drop),
            (_TERMINATE, self._terminate),
            (_SHOW, self._show),
            (_EXPLAIN, self._explain),
        )
        for pattern, taker in takers:
            if match := pattern.fullmatch(text):
                return taker(match, text, props)
        if _READ.fullmatch(text):
            raise Refused(
                "The following statement types should be issued to the websocket endpoint '/query':\n\t* PRINT\n\t* SELECT", 40002
            )
        raise Refused(f"line 1:1: no viable alternative at input '{text.split()[0]}'")

    def _create(self, match: re.Match[str], text: str, props: dict[str, str]) -> dict[str, Any]:
        kind, name = match["kind"].upper(), match["name"].upper()
        if name in self.sources:
            word = self.sources[name].kind.lower()
            if match["lenient"]:
                message = f"Cannot add {kind.lower()} `{name}`: A {word} with the same name already exists."
                return {"@type": "warning_entity", "statementText": text, "message": message, "warnings": []}
            raise Refused(f"Cannot add {kind.lower()} '{name}': A {word} with the same name already exists")
        options = {key.upper(): quoted or bare for key, quoted, bare in _PROPERTY.findall(match["with"])}
        topic = options.get("KAFKA_TOPIC", name)
        partitions = int(options.get("PARTITIONS", self.topics.get(topic, 1)))
        self._check_topic(match, topic, partitions, options)
        source = Source(kind, name, topic, partitions)
        reads = self._reads(match["select"] or "")
        self.topics.setdefault(topic, partitions)
        self.sources[name] = source
        number = self._next()
        if not match["select"]:
            return self._done(text, f"{kind.lower()}/`{name}`/create", f"{kind.capitalize()} created", None)
        query_id = f"C{kind[0]}AS_{name}_{number - 1}"
        self.queries[query_id] = Query(query_id, text, source, reads, True, props)
        return self._done(text, f"{kind.lower()}/`{name}`/create", f"Created query with ID {query_id}", query_id)

    def _check_topic(self, match: re.Match[str], topic: str, partitions: int, options: dict[str, str | Any]) -> None:
        there = self.topics.get(topic)
        if there is None and not match["select"] and ("PARTITIONS" not in options or not match["columns"]):
            raise Refused(
                f"Schema for message values on topic '{topic}' does not exist in the Schema Registry.\nSubject: {topic}-value"
                if not match["columns"]
                else f"Topic '{topic}' does not exist. If you want to create a new topic for the stream/table please re-run the statement"
                " providing the required 'PARTITIONS' configuration in the WITH clause"
            )
        if there is not None and there != partitions:
            raise Refused(
                f"A Kafka topic with the name '{topic}' already exists, with different partition/replica configuration than required."
                f" KSQL expects {partitions} partitions (topic has {there})"
            )

    def _insert(self, match: re.Match[str], text: str, props: dict[str, str]) -> dict[str, Any]:
        name = match["name"].upper()
        if name not in self.sources:
            raise Refused(f"Exception while preparing statement: {name} does not exist.")
        reads = self._reads(match["select"])
        query_id = (match["id"] or "").upper()
        if query_id in self.queries:
            raise Refused(f"Query ID '{query_id}' already exists.")
        number = self._next()
        query_id = query_id or f"INSERTQUERY_{number - 1}"
        self.queries[query_id] = Query(query_id, text, self.sources[name], reads, False, props)
        return self._done(text, f"stream/`{name}`/create", f"Created query with ID {query_id}", query_id)

    def _reads(self, select: str) -> tuple[str, ...]:
        names = tuple(name.upper() for name in _SOURCES.findall(select))
        for name in names:
            if name not in self.sources:
                raise Refused(f"Exception while preparing statement: {name} does not exist.")
        if len({self.sources[name].partitions for name in names}) > 1:
            counted = ", ".join(f"{name} = {self.sources[name].partitions}" for name in names)
            raise Refused(
                f"Can't join {' with '.join(f'`{name}`' for name in names)} since the number of partitions don't match. {counted}."
            )
        return names

    def _drop(self, match: re.Match[str], text: str, props: dict[str, str]) -> dict[str, Any]:
        kind, name = match["kind"].upper(), match["name"].upper()
        source = self.sources.get(name)
        if source is None:
            raise Refused(f"{kind.capitalize()} {name} does not exist.")
        if source.kind != kind:
            raise Refused(f"Incompatible data source type is {source.kind}, but statement was DROP {kind}")
        readers = [query.id for query in self.queries.values() if name in query.reads]
        writers = [query.id for query in self.queries.values() if query.sink is source and not query.made_sink]
        for word, ids in (("read from", readers), ("write into", writers)):
            if ids:
                raise Refused(
                    f"Cannot drop {name}.\nThe following queries {word} this source: [{', '.join(ids)}].\n"
                    f"You need to terminate them before dropping {name}."
                )
        del self.sources[name]
        self.queries = {query.id: query for query in self.queries.values() if query.sink is not source}
        self._next()
        if match["topic"]:
            self.delete_topic(source.topic)
        return self._done(text, f"{kind.lower()}/{name}/drop", f"Source `{name}` (topic: {source.topic}) was dropped.", None)

    def _terminate(self, match: re.Match[str], text: str, props: dict[str, str]) -> dict[str, Any]:
        query_id = match["id"].upper()
        if query_id not in self.queries:
            raise Refused(f"Unknown queryId: {query_id}")
        del self.queries[query_id]
        self._next()
        return self._done(text, f"terminate/{query_id}/execute", "Query terminated.", None)

    def _show(self, match: re.Match[str], text: str, props: dict[str, str]) -> dict[str, Any]:
        what = match["what"].lower()
        if what == "topics":
            topics = [{"name": name, "replicaInfo": [1] * count} for name, count in sorted(self.topics.items())]
            return {"@type": "kafka_topics", "statementText": text, "topics": topics, "warnings": []}
        if what == "queries":
            return {"@type": what, "statementText": text, "queries": [_shown(query) for query in self.queries.values()], "warnings": []}
        kind = what.removesuffix("s").upper()
        formats = {"keyFormat": "KAFKA", "valueFormat": "AVRO", "isWindowed": False}
        listed = [{"type": kind, "name": one.name, "topic": one.topic, **formats} for one in self.sources.values() if one.kind == kind]
        return {"@type": what, "statementText": text, what: listed, "warnings": []}

    def _explain(self, match: re.Match[str], text: str, props: dict[str, str]) -> dict[str, Any]:
        query = self.queries.get(match["id"].upper())
        if query is None:
            raise Refused(f"Query with id:{match['id'].upper()} does not exist, use SHOW QUERIES to view the full set of queries.")
        errors = [{"timestamp": 0, "errorMessage": message, "type": "USER"} for message in query.errors]
        described = {"id": query.id, "statementText": query.text, "queryType": "PERSISTENT", "queryErrors": errors, "state": query.state}
        return {"@type": "queryDescription", "statementText": text, "queryDescription": described, "warnings": []}

    def _next(self) -> int:
        self.number += 2
        return self.number

    def _done(self, text: str, command_id: str, message: str, query_id: str | None) -> dict[str, Any]:
        self.taken.append(text)
        status = {"status": "SUCCESS", "message": message, "queryId": query_id}
        self.statuses[command_id] = status
        answer = {"@type": "currentStatus", "statementText": text, "commandId": command_id, "commandStatus": status}
        return {**answer, "commandSequenceNumber": self.number, "warnings": []}


def _shown(query: Query) -> dict[str, Any]:
    return {
        "queryString": query.text,
        "sinks": [query.sink.name],
        "sinkKafkaTopics": [query.sink.topic],
        "id": query.id,
        "statusCount": {query.state: 1},
        "queryType": "PERSISTENT",
        "state": query.state,
    }


def _error(message: str, code: int) -> dict[str, Any]:
    return {"@type": "generic_error", "error_code": code, "message": message}
