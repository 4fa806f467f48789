"""All that programs ask."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from ytwatcher.web.api import sending, standing, subjects, watching

API: Sequence[APIRouter] = (
    watching.reading,
    watching.writing,
    subjects.reading,
    sending.reading,
    sending.writing,
    sending.administering,
    standing.reading,
    standing.administering,
)
