"""Where the settings come from: the environment over a TOML file over the defaults; every fault is reported at once, by key."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.errors import ConfigError
from ytwatcher.log import redact
from ytwatcher.secret import Secret
from ytwatcher.setting_keys import PREFIX, keys, secrets, variable
from ytwatcher.settings import SECTIONS, TABLES, Sections, Settings

FILE_NAME = "ytwatcher.toml"
LISTED = "docs/configuration.md lists all of them"

_Values = dict[str, dict[str, object]]
_Origins = dict[str, str]
"""Where a key's value comes from: the name of a variable or of the file."""


def load(config: Path | None, data: Path | None, env: Mapping[str, str]) -> Settings:
    """Read the settings: the environment over the TOML file over the defaults; `data` is the folder named on the command line.

    Raises:
        ConfigError: with every fault there is.
    """
    faults: list[str] = []
    file = config or _find(env)
    values = _read_file(file, faults) if file else {}
    origins = {f"{section}.{key}": str(file) for section, entries in values.items() if isinstance(entries, dict) for key in entries}
    _place_data(values, file, env)
    _overlay(values, origins, env, faults)
    if data is not None:
        _put(values, "data.dir", str(data))
    sections = _validate(values, origins, faults)
    if sections is None or faults:
        raise ConfigError([redact(fault) for fault in faults])
    parts = {section: getattr(sections, section) for section in Sections.model_fields}
    return Settings(**parts, file=file, warnings=_warnings(file, sections, origins))


def write_config(
    path: Path,
    values: Mapping[str, str | int | float | Secret],
    watches: Sequence[Mapping[str, str | list[str]]] = (),
    *,
    overwrite: bool = False,
) -> None:
    """Write a configuration file that only its owner can read; it is there whole or not at all.

    Args:
        values: by key (`telegram.bot_token`); they are checked before anything is written.
        watches: the `[[watch]]` of the file.

    Raises:
        ConfigError: a value is not right, the file exists and `overwrite` is not set, or it cannot be written.
    """
    faults: list[str] = []
    nested: _Values = {"data": {"dir": "."}}
    for key, value in values.items():
        _put(nested, key, value)
    _validate({**nested, "watch": list(watches)}, {}, faults)
    if path.exists() and not overwrite:
        faults.append(f"{path}: exists already, and nothing was written")
    if faults:
        raise ConfigError(faults)
    try:
        _write_privately(path, _toml(values, watches))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error


def checked(values: Mapping[str, str | int | float | Secret]) -> Sections:
    """The settings that these values make, by key.

    Raises:
        ConfigError: a value is not right, or lacks another.
    """
    faults: list[str] = []
    nested: _Values = {"data": {"dir": "."}}
    for key, value in values.items():
        _put(nested, key, value)
    sections = _validate(nested, {}, faults)
    if sections is None:
        raise ConfigError([redact(fault) for fault in faults])
    return sections


def _find(env: Mapping[str, str]) -> Path | None:
    folder = _xdg(env, "XDG_CONFIG_HOME", ".config")
    return next((file for file in (Path(FILE_NAME), folder / "ytwatcher" / FILE_NAME) if file.is_file()), None)


def _xdg(env: Mapping[str, str], name: str, default: str) -> Path:
    """The folder that the XDG base directory specification names; a relative one is to be ignored."""
    folder = Path(env.get(name, ""))
    return folder if folder.is_absolute() else _home(env) / default


def _home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def _read_file(file: Path, faults: list[str]) -> _Values:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        faults.append(f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        faults.append(f"{file}: is not a text in UTF-8")
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError is one, and so is a number of thousands of digits
        faults.append(f"{file}: is not TOML: {error}")
    return {}


def _place_data(values: _Values, file: Path | None, env: Mapping[str, str]) -> None:
    """The data folder's default; one that the file names is seen from the file's own folder."""
    section = values.setdefault("data", {})
    if not isinstance(section, dict):
        return
    named = section.setdefault("dir", str(_xdg(env, "XDG_DATA_HOME", ".local/share") / "ytwatcher"))
    if isinstance(named, str) and named.strip() and file is not None:
        section["dir"] = str(_home(env) / named[2:] if named.startswith("~/") else file.parent / named)


def _overlay(values: _Values, origins: _Origins, env: Mapping[str, str], faults: list[str]) -> None:
    """Lay the environment over the values. An empty variable counts as not set."""
    known = {variable(key).removeprefix(PREFIX): key for key in keys()}
    for name in sorted(name for name in env if name.startswith(PREFIX) and env[name]):
        short = name.removeprefix(PREFIX)
        # The name itself first: ca_file and its like are no files of a value.
        key = known.get(short) or known.get(short.removesuffix("_FILE")) or _key_in_table(short.removesuffix("_FILE"))
        if key is None:
            faults.append(f"{name}: there is no such setting; {did_you_mean(short, known, before=PREFIX) or LISTED}")
        elif short in known or not short.endswith("_FILE"):
            _put(values, key, env[name])
            origins[key] = name
        elif env.get(variable(key)):
            faults.append(f"{name}: {variable(key)} is set too; leave one of them out")
        elif (content := _read_value(name, Path(env[name]), faults)) is not None:
            _put(values, key, content)
            origins[key] = name


def _key_in_table(short: str) -> str | None:
    """`services.team` of `SERVICES__TEAM`."""
    table, _, name = short.lower().partition("__")
    return f"{table}.{name}" if table in TABLES and name else None


def _read_value(name: str, file: Path, faults: list[str]) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        faults.append(f"{name}: {file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        faults.append(f"{name}: {file}: is not a text in UTF-8")
    return None


def _put(values: _Values, key: str, value: object) -> None:
    section, name = key.split(".")
    entries = values.setdefault(section, {})
    if isinstance(entries, dict):  # a section that is none is a fault of its own
        entries[name] = value


def _validate(values: Mapping[str, object], origins: _Origins, faults: list[str]) -> Sections | None:
    try:
        return Sections.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
    faults += [_fault(detail, origins) for detail in details]
    return None


def _fault(detail: ErrorDetails, origins: _Origins) -> str:
    key = ".".join(str(part + 1 if isinstance(part, int) else part) for part in detail["loc"] if part != "[key]")
    if not key:
        return _reason(key, detail)  # it names the keys itself
    return f"{key} ({origins[key]}): {_reason(key, detail)}" if key in origins else f"{key}: {_reason(key, detail)}"


def _reason(key: str, detail: ErrorDetails) -> str:
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "extra_forbidden":
            hint = did_you_mean(key, keys() if "." in key else Sections.model_fields)
            return f"there is no such setting; {hint or LISTED}"
        case "missing":
            return "is missing"
        case "model_type" | "dict_type" if not key.startswith("watch"):
            return f"is a section, not a value; write [{key}] and its settings on the lines below"
        case "model_type" | "tuple_type" if not key.endswith(".rules"):
            return "is a list of sections; write [[watch]] and its settings on the lines below, once for each"
        case "tuple_type":
            return 'is not a list; write ["…", "…"]'
        case "literal_error":
            return f"{quoted(str(detail['input']))} is not known; write {detail['ctx']['expected']}"
        case _:
            return f"{quoted(str(detail['input']))} {detail['msg'].replace('Input should', 'should', 1)}"


def _warnings(file: Path | None, sections: Sections, origins: _Origins) -> tuple[str, ...]:
    open_keys = [key for key in secrets(sections) if file is not None and origins.get(key) == str(file)]
    if file is None or not open_keys or not file.stat().st_mode & stat.S_IROTH:
        return ()
    return (f"{file} holds {' and '.join(open_keys)} and can be read by everybody on this machine; make it yours alone: chmod 600 {file}",)


def _toml(values: Mapping[str, str | int | float | Secret], watches: Sequence[Mapping[str, str | list[str]]]) -> str:
    lines: list[str] = []
    ordered = sorted(values, key=(*keys(), *values).index)
    for section in (*SECTIONS, *TABLES):
        entries = [(key.partition(".")[2], values[key]) for key in ordered if key.startswith(f"{section}.")]
        if entries:
            lines += [f"[{section}]", *(f"{name} = {_toml_value(value)}" for name, value in entries), ""]
    for watch in watches:
        lines += ["[[watch]]", *(f"{name} = {_toml_value(value)}" for name, value in watch.items()), ""]
    return "\n".join(lines)


def _toml_value(value: str | int | float | Secret | list[str]) -> str:
    if isinstance(value, int | float):
        return str(value)
    text = value.reveal() if isinstance(value, Secret) else value
    # JSON's escapes are TOML's, except that TOML also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_privately(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
