"""Flink: statements go to its SQL Gateway, jobs are looked after at its JobManager; both speak REST.

Tables and views live in a gateway's session only, so that a deployment sends all statements; the job outlives session and gateway.
Nothing keeps a second copy of a job from starting: whether it is there is asked first, by its name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ytwatcher.core.model import from_ms
from ytwatcher.errors import OutsideError
from ytwatcher.streaming.engines.plan import Action, Deployment, Part, Plan, Statement, Step, job_prefix, quoted, statements
from ytwatcher.streaming.engines.rest import NOT_FOUND, Rest

T = TypeVar("T")
PATIENCE = 90.0
"""Seconds for a statement, a job's start or its end."""
LOOK_EVERY = 0.2
FILE = "flink/pipeline.sql"
_CAUSE = re.compile(r"(?:Caused by: |^)([\w.$]+(?:Exception|Error): [^\n]*)", re.MULTILINE)
_ON_PURPOSE = frozenset({"CANCELED", "FINISHED"})
_ENDED = _ON_PURPOSE | {"FAILED"}
_COPY = "it runs twice, as when whoever started it died on the way"
_NO_WORKER = (
    "no worker (TaskManager) is there to run it; start one. Flink ends a worker that cannot end its transactions while Kafka is away:"
    " keep it under something that starts it again"
)
_CHECKPOINTS = "execution.checkpointing.dir"


class Job(NamedTuple):
    """A line of the JobManager's overview."""

    id: str
    name: str
    state: str
    start_ms: int


class Flink:
    """One deployment on one Flink cluster."""

    def __init__(self, gateway: Rest, manager: Rest, deployment: Deployment) -> None:
        self._gateway = gateway
        self._manager = manager
        self._deployment = deployment

    async def plan(self, *, end: bool = False) -> Plan:
        """What has to be done so that the deployment runs, once; or with `end`, that nothing of its prefix does.

        Raises:
            OutsideError: a server does not answer, or (`newer`) a job of a newer version runs.
        """
        return plan_jobs(self._deployment, await self._jobs(), end=end)

    async def carry_out(self, plan: Plan) -> None:
        """Do what the plan says, and wait until its job runs.

        Raises:
            OutsideError: a statement was refused, or a job does not start or end; the text has the server's reason.
        """
        for step in plan:
            if step.action is Action.END:
                await self._cancel(step)
            elif step.action is Action.MAKE:
                await self._wait_running(await self._submit(step.statements))

    async def status(self) -> list[Part]:
        """The deployment's jobs; one that is missing is a part without a state."""
        running = _active(self._deployment, await self._jobs())
        if not running:
            return [Part(self._deployment.job, "missing", "the job is not there")]
        parts = [await self._part(job) for job in running]
        names = [part.name for part in parts]
        return [part if part.name not in names[:place] else replace(part, fault=_COPY) for place, part in enumerate(parts)]

    async def stop(self, folder: str = "") -> list[str]:
        """Stop the jobs with a savepoint each, and return where these lie; `folder` is for a cluster without a default one."""
        return [await self._stop(job, folder) for job in _active(self._deployment, await self._jobs())]

    async def recover(self) -> str:
        """Bring back a job that is gone, with its newest checkpoint, which is returned; of two copies of a job end the younger one.

        Empty when nothing was missing, or when the job was ended on purpose: cancelled, or stopped with a savepoint.

        Raises:
            OutsideError: `no state`: there is no checkpoint to begin with; a new deployment would judge anew.
        """
        jobs = await self._jobs()
        running = [job for job in _active(self._deployment, jobs) if job.name == self._deployment.job]
        for copy in running[1:]:
            await self._cancel(Step(Action.END, f"job {copy.name}", target=copy.id))
        if _active(self._deployment, jobs) or self._ended_on_purpose(jobs):
            return ""
        state = await self._newest_checkpoint(jobs)
        if not state:
            raise self._manager.fault("has no checkpoint", f"{self._deployment.job} cannot be brought back as it was", reason="no state")
        # The checkpoint knows which readings were judged.
        again = Flink(self._gateway, self._manager, replace(self._deployment, alerts_from=None, begin_with=state))
        await again.carry_out(await again.plan())
        return state

    async def ended_on_purpose(self) -> bool:
        """Whether the newest of its jobs was cancelled, or stopped with a savepoint."""
        return self._ended_on_purpose(await self._jobs())

    def _ended_on_purpose(self, jobs: Sequence[Job]) -> bool:
        last = max((job for job in jobs if job.name == self._deployment.job), key=lambda job: job.start_ms, default=None)
        return last is not None and last.state in _ON_PURPOSE

    async def _jobs(self) -> list[Job]:
        answer = await self._manager.call("GET", "/jobs/overview")
        if not isinstance(answer.body, dict) or answer.status == NOT_FOUND or (answer.ok and "jobs" not in answer.body):
            raise self._manager.stranger(answer)
        if not answer.ok:
            raise self._manager.fault("does not list its jobs", cause(_errors(answer.body)))
        return [Job(job["jid"], job["name"], job["state"], job["start-time"]) for job in answer.body["jobs"]]

    async def _part(self, job: Job) -> Part:
        newest = await self._completed(job.id)
        at = from_ms(newest["latest_ack_timestamp"]) if newest else None
        thrown = await self._exception(job.id, after_ms=newest["trigger_timestamp"] if newest else 0)
        tasks = await self._tasks(job.id)
        runs = job.state == "RUNNING" and tasks == {"RUNNING"}
        fault = thrown or ("" if runs else f"its tasks are {', '.join(sorted(tasks)).lower()}")
        if not runs and (await self._overview()).get("taskmanagers") == 0:
            fault = _NO_WORKER
        return Part(job.name, job.state, fault, newest["external_path"] if newest else "", at)

    async def _overview(self) -> dict[str, Any]:
        """How many workers and free slots the cluster has."""
        body = (await self._manager.call("GET", "/overview")).body
        return body if isinstance(body, dict) else {}

    async def _completed(self, job_id: str) -> dict[str, Any] | None:
        """The newest completed checkpoint."""
        body = (await self._manager.call("GET", f"/jobs/{job_id}/checkpoints")).body
        return (body.get("latest") or {}).get("completed") if isinstance(body, dict) else None

    async def _tasks(self, job_id: str) -> set[str]:
        body = (await self._manager.call("GET", f"/jobs/{job_id}")).body
        return {vertex["status"] for vertex in body.get("vertices", ())} if isinstance(body, dict) else set()

    async def _exception(self, job_id: str, after_ms: int = 0) -> str:
        """The newest exception, unless a checkpoint was completed since: then the job has got over it."""
        body = (await self._manager.call("GET", f"/jobs/{job_id}/exceptions?maxExceptions=1")).body
        entries = body.get("exceptionHistory", {}).get("entries", ()) if isinstance(body, dict) else ()
        return next((self._deployment.masked(cause([entry["stacktrace"]])) for entry in entries if entry["timestamp"] > after_ms), "")

    async def _submit(self, wanted: Sequence[Statement]) -> str:
        """Run the statements in a session of their own; returns the job's id."""
        state = quoted(self._deployment.begin_with)
        first = [Statement(f"SET 'execution.state-recovery.path' = '{state}';")] if state else []
        if root := await self._checkpoint_root():
            first.append(Statement(f"SET '{_CHECKPOINTS}' = '{root}/{self._deployment.job}';"))
        job_id = ""
        async with self._session() as session:
            for statement in (*first, *wanted):
                job_id = await self._run(session, statement.text) or job_id
        return job_id

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[str]:
        answer = await self._gateway.call("POST", "/v1/sessions", {"sessionName": self._deployment.job})
        if not isinstance(answer.body, dict) or answer.status == NOT_FOUND or (answer.ok and "sessionHandle" not in answer.body):
            raise self._gateway.stranger(answer)
        if not answer.ok:
            raise self._gateway.fault("opens no session", cause(_errors(answer.body)))
        path = f"/v1/sessions/{answer.body['sessionHandle']}"
        try:
            yield path
        finally:
            await self._gateway.call("DELETE", path)

    async def _run(self, session: str, text: str) -> str:
        """Run one statement to its end; returns the id of the job that it started, if it did."""
        answer = await self._gateway.call("POST", f"{session}/statements", {"statement": self._deployment.revealed(text)})
        if not answer.ok:
            raise self._refused(text, answer.body)
        operation = f"{session}/operations/{answer.body['operationHandle']}"

        async def ended() -> str | None:
            status = (await self._gateway.call("GET", f"{operation}/status")).body["status"]
            return None if status in ("INITIALIZED", "PENDING", "RUNNING") else str(status)

        status = await _until(ended)
        result = await self._gateway.call("GET", f"{operation}/result/0?rowFormat=JSON")
        if status != "FINISHED" or not result.ok:
            raise self._refused(text, result.body if status else {"errors": [f"no result within {PATIENCE:.0f} seconds"]})
        return str(result.body.get("jobID") or "")

    def _refused(self, text: str, body: Any) -> OutsideError:
        why = self._deployment.masked(cause(_errors(body)))
        return self._gateway.fault("refuses a statement", f"{why}\nThe statement begins: {text.splitlines()[0]}")

    async def _wait_running(self, job_id: str) -> None:
        """Until its first checkpoint: a job calls itself running before its sources have found their topics, and between two crashes."""

        async def fault_or_checkpoint() -> str | None:
            return await self._exception(job_id) or ("" if await self._completed(job_id) else None)

        fault = await _until(fault_or_checkpoint)
        if fault is None:
            free = (await self._overview()).get("slots-available", 0)
            fault = f"it has made no checkpoint within {PATIENCE:.0f} seconds; {free} task slots are free"
        if fault:
            raise self._manager.fault(f"does not keep {self._deployment.job} running", fault)

    async def _cancel(self, step: Step) -> None:
        await self._manager.call("PATCH", f"/jobs/{step.target}?mode=cancel")

        async def ended() -> bool | None:
            return next((True for job in await self._jobs() if job.id == step.target and job.state in _ENDED), None)

        if not await _until(ended):
            raise self._manager.fault(f"does not end the {step.what}", f"it still runs after {PATIENCE:.0f} seconds")

    async def _stop(self, job: Job, folder: str) -> str:
        asked = await self._manager.call(
            "POST", f"/jobs/{job.id}/stop", {"drain": False, **({"targetDirectory": folder} if folder else {})}
        )
        if not asked.ok:
            raise self._manager.fault(f"does not stop {job.name}", cause(_errors(asked.body)))

        async def done() -> dict[str, Any] | None:
            body = (await self._manager.call("GET", f"/jobs/{job.id}/savepoints/{asked.body['request-id']}")).body
            return dict(body["operation"]) if body["status"]["id"] == "COMPLETED" else None

        outcome = await _until(done) or {}
        if "location" not in outcome:
            trace = (outcome.get("failure-cause") or {}).get("stack-trace", f"no savepoint within {PATIENCE:.0f} seconds")
            raise self._manager.fault(f"makes no savepoint of {job.name}", cause([trace]))
        return str(outcome["location"])

    async def _newest_checkpoint(self, jobs: Sequence[Job]) -> str:
        """From the JobManager where it still knows the job, else from its folder, where that is on this machine."""
        for job in sorted((job for job in jobs if job.name == self._deployment.job), key=lambda job: -job.start_ms):
            if checkpoint := (await self._part(job)).checkpoint:
                return checkpoint
        root = urlsplit(await self._checkpoint_root())
        if root.scheme != "file":
            return ""
        folders = [file.parent for file in (Path(root.path) / self._deployment.job).glob("*/chk-*/_metadata")]
        return max(folders, key=lambda folder: (folder / "_metadata").stat().st_mtime).as_uri() if folders else ""

    async def _checkpoint_root(self) -> str:
        """Where the cluster keeps checkpoints; empty where it has no folder for them."""
        body = (await self._manager.call("GET", "/jobmanager/config")).body
        found = {entry["key"]: entry["value"] for entry in body} if isinstance(body, list) else {}
        return str(found.get(_CHECKPOINTS) or found.get("state.checkpoints.dir") or "").rstrip("/")


def plan_jobs(deployment: Deployment, jobs: Sequence[Job], *, end: bool = False) -> Plan:
    """The steps from the jobs that are there to the deployment's one job, or with `end` to none."""
    running = _active(deployment, jobs)
    same = [job for job in running if job.name == deployment.job and not end]
    newer = [job for job in running if not end and _version(job, deployment) > deployment.version]
    if newer:
        raise OutsideError(f"{newer[0].name} runs: it was deployed by a newer YT Watcher", reason="newer", permanent=True)
    ends = tuple(Step(Action.END, f"job {job.name}", target=job.id) for job in running if job not in same[:1])
    if end:
        return ends
    if same:
        return (*ends, Step(Action.KEEP, f"job {deployment.job}", target=same[0].id))
    return (*ends, Step(Action.MAKE, f"job {deployment.job}", statements(FILE, deployment.values())))


def cause(traces: Sequence[str]) -> str:
    """The innermost reason of a Java trace, in one line."""
    text = "\n".join(traces)
    causes = [found for found in _CAUSE.findall(text) if "SqlGatewayException" not in found]
    return (causes[-1] if causes else text.strip().split("\n")[0])[:500]


def _active(deployment: Deployment, jobs: Sequence[Job]) -> list[Job]:
    """Jobs of this prefix, of any version, that have not ended; the oldest first."""
    ours = [job for job in jobs if _version(job, deployment) and job.state not in _ENDED]
    return sorted(ours, key=lambda job: job.start_ms)


def _version(job: Job, deployment: Deployment) -> int:
    number = job.name.removeprefix(job_prefix(deployment.prefix))
    return int(number) if number.isdecimal() else 0


def _errors(body: Any) -> list[str]:
    return [str(error) for error in body.get("errors", [body])] if isinstance(body, dict) else [str(body)]


async def _until(look: Callable[[], Awaitable[T | None]]) -> T | None:
    """What `look` says once it says something, or None when it does not within the patience."""
    for _ in range(int(PATIENCE / LOOK_EVERY)):
        found = await look()
        if found is not None:
            return found
        await asyncio.sleep(LOOK_EVERY)
    return None
