"""Flink's SQL on a real cluster, with a real broker and registry: the vectors, deployments, recovery."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine_stage import EngineStage, deploy, deployed, deployment, end, flink, send_phase, settings, small_case, with_flink
from stack import Part
from stack_parts import needs, shared_stack
from ytwatcher.core.model import from_ms
from ytwatcher.errors import OutsideError
from ytwatcher.streaming.engines.flink import FILE, Flink, Job, cause, plan_jobs
from ytwatcher.streaming.engines.plan import Action, Deployment, statements
from ytwatcher.streaming.vectors.cases import Case, in_order
from ytwatcher.streaming.vectors.drive import all_cases, compare, judge

REAL: tuple[Part, ...] = ("broker", "registry", "jobmanager", "taskmanager", "gateway")


@needs(*REAL)
def test_flink_finds_what_the_embedded_judge_finds() -> None:
    """On one partition the same is shown by the command that does it (test_commands_verify.py)."""
    streaming = settings(shared_stack().addresses(), "six_", 6)
    found = all_cases()

    async def go(stage: EngineStage) -> str:
        async with flink(deployment(streaming)) as engine:
            return await judge(stage, engine, found)

    with EngineStage(streaming) as stage:
        assert asyncio.run(go(stage)) == ""
    assert [result for result in compare(found, stage.found()) if not result.passed] == []
    assert stage.found() == in_order({alert for case in found for alert in case.expected}), "and nothing else"
    assert all(key == value["chat_id"] for key, value in stage.alerts)
    assert follow(stage), "one video's alerts for one rule come in the order of its readings"


def follow(stage: EngineStage) -> bool:
    """But for runs that were sent again: so each alert's first coming counts."""
    newest: dict[str, int] = {}
    seen: set[str] = set()
    for _, value in stage.alerts:
        if value["alert_id"] not in seen:
            if value["observed_at"] <= newest.get(place := f"{value['rule_id']}:{value['video_id']}", 0):
                return False
            newest[place] = value["observed_at"]
            seen.add(value["alert_id"])
    return True


@needs(*REAL)
def test_the_life_of_a_deployment() -> None:
    """One after the other on one deployment: each start of a job takes seconds."""
    streaming = settings(shared_stack().addresses(), "life_", 2)
    saved, lost, replaced = (small_case("rules: one is added in between", tag) for tag in ("save", "lost", "new"))
    with EngineStage(streaming) as stage, deployed(streaming) as first:
        restored = a_savepoint_carries_the_state_to_a_new_job(stage, first, saved)
        a_job_that_is_gone_with_its_cluster_is_brought_back_from_its_newest_checkpoint(stage, restored, lost)
        assert len(stage.alerts) == len(stage.found()), "no reading was judged twice"
        second = a_second_deployment_changes_nothing_and_an_older_version_is_replaced(stage, first, replaced)
        a_job_that_was_ended_on_purpose_stays_ended(second)
    assert stage.found() == in_order({alert for case in (saved, lost, replaced) for alert in case.expected})
    again = Counter(value["alert_id"] for _, value in stage.alerts if value["video_id"] in replaced.videos)
    assert set(again.values()) == {1}, "no old reading has alerted again"


def a_second_deployment_changes_nothing_and_an_older_version_is_replaced(stage: EngineStage, first: Deployment, case: Case) -> Deployment:
    send_phase(stage, case)
    assert actions(first) == {Action.KEEP: 1}
    with_flink(first, deploy)
    (part,) = with_flink(first, lambda engine: engine.status())
    assert (part.name, part.state, part.fault) == ("life_yt-alerts-v1", "RUNNING", "")
    assert part.checkpoint
    second = replace(first, version=2, alerts_from=from_ms(case.phases[1].records[0][1]["OBSERVED_AT"]))
    assert actions(second) == {Action.END: 1, Action.MAKE: 1}
    with_flink(second, deploy)
    with pytest.raises(OutsideError, match="newer YT Watcher"):
        with_flink(first, deploy)
    send_phase(stage, case, 1)
    return second


def a_savepoint_carries_the_state_to_a_new_job(stage: EngineStage, wanted: Deployment, case: Case) -> Deployment:
    send_phase(stage, case)
    (savepoint,) = with_flink(wanted, lambda engine: engine.stop())
    saved = replace(wanted, begin_with=savepoint)
    with_flink(saved, deploy)
    send_phase(stage, case, 1)
    return saved


def a_job_that_is_gone_with_its_cluster_is_brought_back_from_its_newest_checkpoint(
    stage: EngineStage, wanted: Deployment, case: Case
) -> None:
    send_phase(stage, case)
    assert with_flink(wanted, lambda engine: engine.recover()) == "", "it runs"
    shared_stack().kill("taskmanager")
    assert with_flink(wanted, misses_its_worker)
    shared_stack().kill("jobmanager")
    with pytest.raises(OutsideError, match=r"Flink does not answer at http://127\.0\.0\.1:\d+ \(ConnectError\)"):
        with_flink(wanted, deploy)
    shared_stack().up(REAL)
    assert "/life_yt-alerts-v1/" in with_flink(wanted, lambda engine: engine.recover())
    a_second_copy_is_ended(wanted)
    send_phase(stage, case, 1)


async def misses_its_worker(engine: Flink) -> bool:
    """Whether that is said, soon after the manager has noticed."""
    for _ in range(300):
        (part,) = await engine.status()
        if part.fault.startswith("no worker (TaskManager) is there to run it"):
            return True
        await asyncio.sleep(0.2)
    return False


def a_second_copy_is_ended(wanted: Deployment) -> None:
    """As when the process that brought a job back died on the way, and the next one did it again."""
    copy = replace(wanted, begin_with="", alerts_from=datetime(2100, 1, 1, tzinfo=UTC))  # one that finds nothing by itself
    with contextlib.suppress(OutsideError):  # on one worker the two may be in each other's way
        with_flink(copy, lambda engine: engine.carry_out(plan_jobs(copy, [])))
    older, younger = with_flink(wanted, lambda engine: engine.status())
    assert "it runs twice" in younger.fault
    assert with_flink(wanted, lambda engine: engine.recover()) == ""
    (left,) = with_flink(wanted, lambda engine: engine.status())
    assert left.name == older.name


def a_job_that_was_ended_on_purpose_stays_ended(wanted: Deployment) -> None:
    with_flink(wanted, end)
    assert with_flink(wanted, lambda engine: engine.plan(end=True)) == ()
    (part,) = with_flink(wanted, lambda engine: engine.status())
    assert (part.state, part.fault) == ("missing", "the job is not there")
    assert with_flink(wanted, lambda engine: engine.recover()) == ""


def actions(wanted: Deployment) -> dict[Action, int]:
    return Counter(step.action for step in with_flink(wanted, lambda engine: engine.plan()))


@needs(*REAL)
def test_without_a_checkpoint_nothing_is_brought_back() -> None:
    wanted = deployment(settings(shared_stack().addresses(), "never_"))
    with pytest.raises(OutsideError, match="has no checkpoint") as caught:
        with_flink(wanted, lambda engine: engine.recover())
    assert caught.value.reason == "no state"


@needs(*REAL)
def test_a_savepoint_that_is_not_there_is_named() -> None:
    wanted = replace(deployment(settings(shared_stack().addresses(), "nothing_")), begin_with="file:///nowhere/chk-1")
    with pytest.raises(OutsideError, match="Cannot find checkpoint or savepoint file/directory 'file:///nowhere/chk-1'"):
        with_flink(wanted, deploy)


@needs(*REAL)
def test_the_gateways_reason_is_passed_on_with_the_statement() -> None:
    wanted = replace(deployment(settings(shared_stack().addresses(), "broken_")), changes_schema="{")
    with pytest.raises(OutsideError, match=r"(?s)Flink's gateway refuses a statement: .+\nThe statement begins: EXECUTE STATEMENT SET"):
        with_flink(wanted, deploy)


@needs(*REAL)
def test_a_job_that_fails_at_once_is_told_with_its_reason_and_can_be_ended() -> None:
    wanted = deployment(settings(shared_stack().addresses(), "nowhere_"))  # whose topics nobody has made
    with pytest.raises(OutsideError, match="does not keep nowhere_yt-alerts-v1 running"):
        with_flink(wanted, deploy)
    with_flink(wanted, end)
    assert with_flink(wanted, lambda engine: engine.plan(end=True)) == ()


def test_only_jobs_of_ones_own_prefix_that_have_not_ended_count() -> None:
    jobs = [
        Job("a", "yt-alerts-v1", "RUNNING", 2),
        Job("b", "yt-alerts-v1", "RUNNING", 1),
        Job("c", "yt-alerts-v1", "FAILED", 3),
        Job("d", "yt-alerts-v1-of-somebody", "RUNNING", 1),
        Job("e", "other_yt-alerts-v1", "RUNNING", 1),
        Job("f", "yt-alerts-v0", "RESTARTING", 1),
    ]
    plan = plan_jobs(Deployment(), jobs)
    assert [(step.action, step.target) for step in plan] == [(Action.END, "a"), (Action.KEEP, "b")], "of two copies the older one stays"
    assert [step.target for step in plan_jobs(Deployment(), jobs, end=True)] == ["b", "a"]
    assert [step.target for step in plan_jobs(Deployment(prefix="other_"), jobs)] == ["e"]


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("Internal server error.", "Internal server error."),
        ("a.SqlGatewayException: x\n\tat b\nCaused by: c.ValidationException: y\nCaused by: d.ParseError: z", "d.ParseError: z"),
        ("", ""),
    ],
)
def test_the_innermost_reason_is_told(trace: str, said: str) -> None:
    assert cause([trace]) == said


def test_the_statements_name_what_is_theirs_after_the_prefix() -> None:
    wanted = Deployment(prefix="mine_", bootstrap="b:1", registry_url="http://r", changes_schema="{}", outbound_schema="it's")
    texts = [one.text for one in statements(FILE, wanted.values())]
    assert texts[0] == "SET 'pipeline.name' = 'mine_yt-alerts-v1';"
    assert texts[-1].startswith("EXECUTE STATEMENT SET BEGIN") and texts[-1].endswith("END;")
    assert sum("'topic' = 'mine_" in text for text in texts) == 4
    assert any("'it''s'" in text for text in texts)
