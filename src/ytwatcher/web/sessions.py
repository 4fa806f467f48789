"""Who is visiting: signed sessions, the tokens of forms, the password, and how often it may be guessed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from itsdangerous import BadSignature, URLSafeTimedSerializer

from ytwatcher.errors import ConfigError
from ytwatcher.secret import Secret
from ytwatcher.web.access import STAYS

KEY_FILE = "web.key"
FREE, FREE_IN_ALL = 5, 30
"""So many wrong passwords cost no wait: of one peer, and of all together."""
LONGEST_WAIT = timedelta(minutes=15)
PEERS = 1_000


class Session(NamedTuple):
    """One browser. `inside`: it has given the password."""

    id: str
    inside: bool


class Sessions:
    """Signs sessions, and makes the tokens that forms carry; another password or key ends all of them.

    Args:
        key: a secret of this installation (`load_key`).
    """

    def __init__(self, key: bytes, password: Secret | None) -> None:
        salt = hashlib.sha256((password.reveal() if password else "").encode()).hexdigest()
        self._signer = URLSafeTimedSerializer(key, salt=salt)
        self._key = hmac.digest(key, b"form", "sha256")

    def new(self, *, inside: bool) -> Session:
        return Session(secrets.token_urlsafe(16), inside)

    def sealed(self, session: Session) -> str:
        """The cookie's value."""
        return str(self._signer.dumps([session.id, session.inside]))

    def opened(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it is not ours, or too old."""
        try:
            found, inside = self._signer.loads(cookie, max_age=int(STAYS.total_seconds()))
        except (BadSignature, ValueError, TypeError):
            return None
        return Session(str(found), bool(inside))

    def form_token(self, session: Session) -> str:
        """What a form of this session must carry."""
        return hmac.new(self._key, session.id.encode(), "sha256").hexdigest()

    def is_form_token(self, session: Session, text: str) -> bool:
        return hmac.compare_digest(self.form_token(session).encode(), text.encode())


def load_key(folder: Path) -> bytes:
    """This installation's key, kept beside the journal; made where there is none.

    Raises:
        ConfigError: it can be neither read nor made.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_bytes(32))
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([f"data.dir: {path} can be neither read nor made: {error.strerror}"]) from error


def hashed(password: str) -> str:
    """What the configuration may hold instead of the password."""
    return PasswordHasher().hash(password)


def is_password(wanted: Secret, given: str) -> bool:
    """Whether it is the password; takes a twentieth of a second on purpose, also where the configuration has it in clear."""
    hasher, text = PasswordHasher(), wanted.reveal()
    try:
        return hasher.verify(text if text.startswith("$argon2") else hasher.hash(text), given)
    except (Argon2Error, InvalidHashError):
        return False


@dataclass(slots=True)
class _Count:
    failures: int = 0
    until: datetime | None = None


@dataclass(slots=True)
class Attempts:
    """Wrong passwords, by peer and in all. Past some free ones each doubles the wait before the next is looked at."""

    _peers: dict[str, _Count] = field(default_factory=dict)
    _all: _Count = field(default_factory=_Count)

    def wait(self, peer: str, now: datetime) -> timedelta | None:
        """How long this peer has to wait; None: it may try."""
        ends = [count.until for count in (self._peers.get(peer), self._all) if count is not None and count.until is not None]
        last = max(ends, default=now)
        return last - now if last > now else None

    def failed(self, peer: str, now: datetime) -> None:
        if len(self._peers) >= PEERS and peer not in self._peers:
            self._peers.pop(next(iter(self._peers)))  # the wait of all together still holds
        for count, free in ((self._peers.setdefault(peer, _Count()), FREE), (self._all, FREE_IN_ALL)):
            if count.until is not None and now - count.until > LONGEST_WAIT:
                count.failures = 0
            count.failures += 1
            count.until = now + min(timedelta(seconds=2 ** min(count.failures - free, 20)), LONGEST_WAIT) if count.failures >= free else now

    def succeeded(self, peer: str) -> None:
        self._peers.pop(peer, None)
