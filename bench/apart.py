"""A benchmark in a process of its own: the memory of one is not another's."""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

import structlog

from bench.figures import Figures


def measured(name: str) -> Figures:
    """The figures of the benchmark `bench/NAME.py`. BENCH_FOLDER names a folder for its files, on a disk like that of the journal."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, name).result()


def _run(name: str) -> Figures:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        found: Figures = import_module(f"bench.{name}").run(Path(folder))
        return found
