"""What is loaded only by who needs it: a command that starts fast, and an installation without the extras."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "apprise",
    "confluent_kafka",
    "fastapi",
    "fastavro",
    "jinja2",
    "prometheus_client",
    "starlette",
    "telegram",
    "uvicorn",
    "vl_convert",
)


@pytest.mark.parametrize(
    ("module", "lighter"),
    [
        ("ytwatcher.cli", (*HEAVY, "httpx", "pydantic", "sqlite3", "structlog", "babel")),
        ("ytwatcher.commands.run", HEAVY),
        ("ytwatcher.telegram.talk", ("fastapi", "jinja2", "uvicorn", "vl_convert", "confluent_kafka")),
        ("ytwatcher.web.opening", ("telegram", "vl_convert", "confluent_kafka", "ytwatcher.web.api.shapes")),
    ],
)
def test_nothing_is_loaded_that_only_others_need(module: str, lighter: tuple[str, ...]) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"], check=True, capture_output=True, text=True, timeout=120
    )
    assert not set(lighter) & set(said.stdout.split())
