"""docs/configuration.md names every setting with its default, and no setting that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from ytwatcher.config import load
from ytwatcher.setting_keys import keys, shown

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| `?([^|`]*)`? \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def test_the_page_lists_every_setting_in_order_with_its_default(tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    defaults = shown(load(empty, None, {"HOME": "~"}))
    assert documented() == defaults
    assert tuple(documented()) == keys()
