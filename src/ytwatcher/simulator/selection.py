"""The `fields` parameter of Google APIs: which parts of an answer are wanted.

`items(id,statistics,snippet(title)),nextPageToken`, also `items/id` and `*`.
"""

from __future__ import annotations

import re
from typing import Any

from ytwatcher.simulator.google_errors import invalid_parameter

Selection = dict[str, "Selection"]
"""Wanted names; under each what is wanted of it, {} for everything."""
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9]*|[*/(),]")


def parse(text: str) -> Selection:
    """Read a `fields` parameter.

    Raises:
        GoogleError: 400, as for anything that is not in its grammar.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text:
        raise _invalid(text)
    selection, rest = _list(tokens, text)
    if rest:
        raise _invalid(text)
    return selection


def _list(tokens: list[str], text: str) -> tuple[Selection, list[str]]:
    selection: Selection = {}
    while True:
        name, inner, tokens = _path(tokens, text)
        selection[name] = {**selection.get(name, {}), **inner}
        if not tokens or tokens[0] != ",":
            return selection, tokens
        tokens = tokens[1:]


def _path(tokens: list[str], text: str) -> tuple[str, Selection, list[str]]:
    if not tokens or tokens[0] in "/(),":
        raise _invalid(text)
    name, rest = tokens[0], tokens[1:]
    if rest and rest[0] == "/":
        child, inner, rest = _path(rest[1:], text)
        return name, {child: inner}, rest
    if rest and rest[0] == "(":
        inner, rest = _list(rest[1:], text)
        if not rest or rest[0] != ")":
            raise _invalid(text)
        return name, inner, rest[1:]
    return name, {}, rest


def select(value: Any, selection: Selection) -> Any:
    """What is wanted of a JSON value; a name that is not there is simply missing."""
    if not selection or "*" in selection:
        return value
    if isinstance(value, list):
        return [select(one, selection) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: select(one, selection[name]) for name, one in value.items() if name in selection}


def _invalid(text: str) -> Exception:
    return invalid_parameter(f"Invalid field selection {text}", "fields")
