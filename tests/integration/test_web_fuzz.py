"""The API's own description, fuzzed against the running site: no fault of ours, and every answer is as the description says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from program_stage import HOSTILE, locked
from served import served
from ytwatcher.web.api.answers import PREFIX

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TITLES = (HOSTILE, "\u202egnihton", "'; DROP TABLE alert; --", "A" * 5_000, " ", "{{ 7 * 7 }}")


def test_answers_are_as_the_description_says_and_never_a_fault(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    with (
        served() as services,
        locked(tmp_path, videos=6, titles=TITLES, more_settings={"YOUTUBE__BASE_URL": f"{services.youtube_url}/youtube/v3"}) as (
            s,
            program,
        ),
    ):
        described = schemathesis.openapi.from_url(f"{s.url}{PREFIX}/openapi.json", headers=dict(program.headers))
        ending = described.exclude(path=f"{PREFIX}/stream")
        operations = [found.ok() for found in ending.get_all_operations() if isinstance(found, Ok)]
        assert len(operations) >= 24
        for operation in operations:

            @settings(
                max_examples=sized(6, 150),
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def answers(case: Case[Any]) -> None:
                case.call_and_validate(base_url=s.url, headers=dict(program.headers), checks=CHECKS)

            answers()
        assert program.get(f"{PREFIX}/status").status_code == 200
