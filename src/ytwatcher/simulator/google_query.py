"""The query of a call to the API, checked as strictly as the real one checks it."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from ytwatcher.simulator import google_errors as errors

COMMON = frozenset({"fields", "key", "prettyPrint", "alt", "quotaUser", "$.xgafv", "access_token", "oauth_token", "callback", "hl"})
_NEED_LOGIN = frozenset({"mine", "myRating", "managedByMe", "mySubscribers"})
_ID_LETTERS = re.compile(r"[A-Za-z0-9_@.-]*")
MOST = 50


@dataclass(frozen=True, slots=True)
class Query:
    """One call's parameters.

    Every method raises GoogleError (400 as a rule) for what the real API refuses.
    """

    params: QueryParams

    def listed(self, name: str) -> list[str]:
        """A parameter that holds a list, separated by commas or repeated."""
        return [one for value in self.params.getlist(name) for one in value.split(",") if one]

    def one(self, name: str) -> str:
        return self.params.get(name, "")

    def known(self, names: frozenset[str]) -> None:
        for name in self.params:
            if name not in names | COMMON:
                raise errors.unknown_parameter(name)

    def parts(self, allowed: frozenset[str], owners: frozenset[str]) -> frozenset[str]:
        parts = frozenset(self.listed("part"))
        if not parts:
            raise errors.missing_part()
        for part in sorted(parts):
            if part in owners:
                raise errors.owners_part()
            if part not in allowed | {"id"}:
                raise errors.unknown_part(part)
        return parts

    def filter(self, filters: tuple[str, ...]) -> str:
        """The one filter that is used; an empty one counts as none."""
        used = [name for name in filters if self.one(name)]
        if not used:
            raise errors.no_filter(filters)
        if len(used) > 1:
            raise errors.two_filters(used)
        if used[0] in _NEED_LOGIN:
            raise errors.needs_login()
        if used[0] == "chart":
            raise errors.not_implemented("The simulator has no charts.")
        return used[0]

    def ids(self) -> list[str]:
        """The ids asked for, each once. More than 50, or a letter that no id has, fails the whole call."""
        ids = self.listed("id")
        if len(ids) > MOST or not all(_ID_LETTERS.fullmatch(one) for one in ids):
            raise errors.invalid_filters()
        return list(dict.fromkeys(ids))

    def max_results(self, least: int) -> int:
        text = self.one("maxResults")
        if not text:
            return 5
        if not text.isdecimal():
            raise errors.invalid_parameter(f"Invalid unsigned integer value: '{text}'.", "maxResults")
        if not least <= int(text) <= MOST:
            raise errors.invalid_parameter(f"Invalid value '{text}'. Values must be within the range: [{least}, {MOST}]", "maxResults")
        return int(text)

    def offset(self, list_key: str) -> int:
        """Where the page starts that `pageToken` names; a token belongs to one list."""
        token = self.one("pageToken")
        if not token:
            return 0
        try:
            head, offset, check = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split(":")
        except (ValueError, binascii.Error):
            raise errors.invalid_page_token() from None
        if head != "PT" or check != _check(list_key) or not offset.isdecimal():
            raise errors.invalid_page_token()
        return int(offset)


def page_token(list_key: str, offset: int) -> str:
    """The opaque token of a page. It names a place, so a list that changes in between repeats or skips entries."""
    return base64.urlsafe_b64encode(f"PT:{offset}:{_check(list_key)}".encode()).decode().rstrip("=")


def _check(list_key: str) -> str:
    return f"{zlib.crc32(list_key.encode()):x}"
