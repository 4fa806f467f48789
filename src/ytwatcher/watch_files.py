"""Watches in a file: CSV with one row a rule, or JSON lines with one object a watch."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ytwatcher.core.addresses import check_address
from ytwatcher.core.policy import digest_text, parse_digest, parse_quiet, quiet_text
from ytwatcher.core.rules import canonical, parse_rule
from ytwatcher.core.targets import parse_target, target_url
from ytwatcher.errors import InputError
from ytwatcher.recorded import SURPLUS, Refused, has_surplus
from ytwatcher.setting_types import check_language, check_timezone
from ytwatcher.store import recipients
from ytwatcher.store import watches as stored

COLUMNS = ("target", "kind", "title", "url", "to", "language", "timezone", "quiet", "digest", "rule", "rule_id", "since")
NO_RULE = "none"
"""How a watch without rules is written: an empty field asks for the usual rules."""
PREFERENCES = ("language", "timezone", "quiet", "digest")


@dataclass(slots=True)
class Wanted:
    """A watch that a file asks for. No `lines`: the usual rules. `preferences` are for a recipient that is new."""

    row: int
    target: str
    to: str
    lines: list[str] = field(default_factory=list)
    preferences: dict[str, str] = field(default_factory=dict)


def export_watches(con: sqlite3.Connection, target_ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Every watch, or those of some targets, with its rules and how its recipient is told; as values for JSON."""
    everyone = {one.recipient.address: one.recipient for one in recipients.everyone(con)}
    for target, address in stored.watches(con):
        if target_ids is not None and target.id not in target_ids:
            continue
        one = everyone[address]
        yield {
            "target": target.id,
            "kind": target.kind,
            "title": target.title,
            "url": target_url(target.id, target.kind),
            "to": address,
            "language": one.language,
            "timezone": one.timezone,
            "quiet": quiet_text(one.quiet) if one.quiet else None,
            "digest": digest_text(one.digest) if one.digest else None,
            "rules": [
                {"rule": rule.line, "id": rule.id, "since": rule.made_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
                for rule in stored.rules(con, target.id, address)
            ],
        }


def as_table(watch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a watch in a CSV file."""
    head = {name: value for name, value in watch.items() if name != "rules"}
    for rule in watch["rules"] or [{"rule": NO_RULE, "id": None, "since": None}]:
        yield {**head, "rule": rule["rule"], "rule_id": rule["id"], "since": rule["since"]}


def read_watches(file: Path, operator: str) -> Iterator[Wanted | Refused]:
    """What a file asks for; rows that are not right come first, each with its reason, and the rest of their watch is taken.

    Args:
        operator: who is told where a row names nobody.

    Raises:
        InputError: the file cannot be read.
    """
    wanted: dict[tuple[str, str], Wanted] = {}
    spoilt: set[tuple[str, str]] = set()
    for number, row in _rows(file):
        try:
            if not isinstance(row, dict):
                raise InputError("is not a JSON object")
            if has_surplus(row):
                raise InputError(SURPLUS)
            one = _wanted(number, row, operator)
        except InputError as error:
            yield Refused(number, str(error))
            continue
        key = (one.target, one.to)
        same = wanted.setdefault(key, one)
        for line in _lines(row):
            try:
                if line.casefold() == NO_RULE:
                    raise InputError("a watch without rules tells nothing, so it is not made")
                parse_rule(line)
                same.lines.append(line)
            except InputError as error:
                spoilt.add(key)
                yield Refused(number, str(error))
    # Without one good line a watch would get the usual rules, which nobody asked for.
    yield from (one for key, one in wanted.items() if one.lines or key not in spoilt)


def _rows(file: Path) -> Iterator[tuple[int, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            if file.suffix in (".json", ".jsonl", ".ndjson"):
                yield from _json_rows(text)
                return
            reader = csv.DictReader(text)
            if "target" not in (reader.fieldnames or ()):
                raise InputError(f"{file}: has no column target; the first line must name the columns")
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 text; save it as UTF-8 CSV or JSON lines") from error
    except csv.Error as error:
        raise InputError(f"{file}: is not a CSV file: {error}") from error


def _json_rows(text: Iterable[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _wanted(number: int, row: Mapping[str, Any], operator: str) -> Wanted:
    target = _text(row, "target") or _text(row, "url")
    if target is None:
        raise InputError("target is empty")
    parse_target(target)
    to = check_address(_text(row, "to") or operator)
    preferences = {name: text for name in PREFERENCES if (text := _text(row, name)) is not None}
    try:
        check_language(preferences.get("language", "en"))
        check_timezone(preferences.get("timezone", "UTC"))
    except ValueError as error:
        raise InputError(str(error)) from None
    if "quiet" in preferences:
        parse_quiet(preferences["quiet"])
    if "digest" in preferences:
        parse_digest(preferences["digest"])
    return Wanted(number, target, to, [], preferences)


def _lines(row: Mapping[str, Any]) -> list[str]:
    """The rule lines of a row: one in a table, any number in JSON, as texts or as objects of an export."""
    if "rules" not in row:
        line = _text(row, "rule")
        return [] if line is None else [line]
    rules = row["rules"] if isinstance(row["rules"], list) else [row["rules"]]
    return [_storable(rule.get("rule") if isinstance(rule, dict) else rule).strip() for rule in rules] or [NO_RULE]


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return _storable(value).strip() or None if value is not None else None


def _storable(value: object) -> str:
    """A text that can be stored and printed: JSON may hold half of a surrogate pair."""
    return str(value).encode("utf-8", "replace").decode()


def missing(con: sqlite3.Connection, wanted: Wanted) -> list[str] | None:
    """The lines of a watch that are not there yet, None where there is no such watch."""
    found = stored.named(con, wanted.target, parse_target(wanted.target))
    address = recipients.current(con, wanted.to)
    if not found or stored.find_watch(con, found[0].pk, address) is None:
        return None
    have = {canonical(rule.spec) for rule in stored.rules(con, found[0].id, address)}
    return [line for line in wanted.lines if canonical(parse_rule(line)) not in have]


def prepare_recipient(con: sqlite3.Connection, wanted: Wanted, language: str, timezone: str) -> None:
    """A recipient that is new begins with what the file says of it, else with these; one that is there keeps what it has."""
    said = wanted.preferences
    if not said or recipients.find(con, wanted.to) is not None:
        return
    pk = recipients.ensure(con, wanted.to, language=said.get("language", language), timezone=said.get("timezone", timezone))
    quiet = parse_quiet(said["quiet"]) if "quiet" in said else None
    digest = parse_digest(said["digest"]) if "digest" in said else None
    if quiet is not None or digest is not None:
        recipients.save_preferences(con, pk, replace(recipients.load(con, pk).recipient, quiet=quiet, digest=digest))
