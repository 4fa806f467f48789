"""The one tree of errors. Adapters translate into it; what callers branch on is an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ytwatcher.core.phrases import Phrase


class YTWatcherError(Exception):
    """Anything a person is told in one sentence instead of a traceback; `exit_code` is what a command ends with."""

    exit_code = 1

    @property
    def phrase(self) -> str:
        """The sentence; where it was raised with a phrase, that one."""
        text: str = self.args[0]
        return text


class InputError(YTWatcherError):
    """Something a person typed is not right; the text names the thing and shows what would be.

    Args:
        text: a phrase, or what one is made of with the values.
    """

    exit_code = 2

    def __init__(self, text: str, /, **values: object) -> None:
        super().__init__(text if isinstance(text, Phrase) else Phrase(text, **values))

    @property
    def phrase(self) -> Phrase:
        phrase: Phrase = self.args[0]
        return phrase


class TargetError(InputError):
    """A link, id or handle that names nothing that can be watched."""


class RuleError(InputError):
    """A rule line that is not in the rule language; the text names the word and what would be right."""


class ConfigError(InputError):
    """The configuration has faults; all of them are in `faults`, one a line, by key."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class StorageError(YTWatcherError):
    """The journal cannot be opened, read or written; the text names the file."""

    exit_code = 3


class DamageError(StorageError):
    """The journal's file is damaged, empty or gone; nothing was written to it, and only a backup can take its place."""


class DiskFullError(StorageError):
    """There is no room for a write; nothing of it was stored."""


class LeaseError(YTWatcherError):
    """Another process holds the journal."""

    exit_code = 4


class OutsideError(YTWatcherError):
    """A neighbour (YouTube, Telegram) did not do what was asked.

    `reason` is a short stable word; `permanent` means that asking again changes nothing; `retry_after` is the
    pause the neighbour asked for.
    """

    exit_code = 5

    def __init__(self, message: str, *, reason: str, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after
