"""The types of the settings' values: what each text has to look like, and what is said when it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, BeforeValidator, Field

from ytwatcher.core.addresses import SERVICE_NAME, check_address
from ytwatcher.core.durations import duration_text, parse_duration
from ytwatcher.core.model import RuleKind
from ytwatcher.core.rules import parse_rule
from ytwatcher.core.targets import parse_target
from ytwatcher.core.wording import did_you_mean, quoted
from ytwatcher.errors import InputError
from ytwatcher.secret import Secret

SHORTEST_PASSWORD = 10

_BOT_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]{30,}")
_API_KEY = re.compile(r"[!-~]+")
_BOOTSTRAP = re.compile(r"[^\s,:/@]+:[0-9]+(,[^\s,:/@]+:[0-9]+)*|\[[0-9a-fA-F:]+\]:[0-9]+")
_EXTENSIONS = re.compile(r"[A-Za-z]+=[^\s,='\"]+(,[A-Za-z]+=[^\s,='\"]+)*")
"""SASL's extensions of a token (RFC 7628): names are letters."""
_TOPIC_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,30})?")


def _bot_token(secret: Secret) -> Secret:
    if not _BOT_TOKEN.fullmatch(secret.reveal()):
        raise ValueError("is not a bot token; @BotFather gives one as digits, a colon and at least 30 letters, digits, “_” or “-”")
    return secret


def _api_key(secret: Secret) -> Secret:
    if not _API_KEY.fullmatch(secret.reveal()):
        raise ValueError("is not an API key; one has letters, digits and signs, without blanks")
    return secret


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{quoted(str(value))} is not a text; write it in quotes")
    return value.strip()


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"{quoted(str(value).lower())} is not a number")
    return value


def _path(value: object) -> str:
    text = _text(value)
    if "\0" in text:
        raise ValueError("is not the name of a file: it holds a NUL")
    return text


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(str(value))


def at_most(longest: timedelta) -> Callable[[timedelta], timedelta]:
    def check(value: timedelta) -> timedelta:
        if value > longest:
            raise ValueError(f"{duration_text(value)} is too long; write at most {duration_text(longest)}")
        return value

    return check


def at_least(shortest: timedelta) -> Callable[[timedelta], timedelta]:
    def check(value: timedelta) -> timedelta:
        if value < shortest:
            raise ValueError(f"{duration_text(value)} is too short; write at least {duration_text(shortest)}")
        return value

    return check


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        raise ValueError("is not a URL") from None
    # The value is not shown: whatever makes it unusable may be a password.
    if not usable or "@" in parts.netloc or ":" in parts.path:
        raise ValueError("is not a base URL; write https:// and a host, without a name, a password, a token or parameters")
    return text.rstrip("/")


def _bootstrap(text: str) -> str:
    compact = text.replace(" ", "")
    if not _BOOTSTRAP.fullmatch(compact):
        raise ValueError("is no list of brokers; write host:port, several with commas between them")
    return compact


def _extensions(text: str) -> str:
    if not _EXTENSIONS.fullmatch(text):
        raise ValueError(f"{quoted(text)} are no extensions; write name=value, several with commas between them")
    return text


def _topic_prefix(value: object) -> str:
    if not isinstance(value, str) or not _TOPIC_PREFIX.fullmatch(value):
        raise ValueError(f"{quoted(str(value))} cannot begin a topic's name; write a letter, then letters, digits or “_”")
    return value


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host: `localhost`, or an address of the loopback."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def split_listen(text: str) -> tuple[str, int]:
    """The host, without brackets, and the port of `web.listen`."""
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    inner = host.removeprefix("[").removesuffix("]")
    try:
        # Names other than localhost could be anywhere; IPv6 stands in brackets.
        right = 1 <= int(port) <= 65535 and (host == "localhost" or (ip_address(inner).version == 6) == (host != inner))
    except ValueError:
        right = False
    if not right:
        raise ValueError(f"{quoted(text)} is not an address to listen on; write 127.0.0.1:8470, [::1]:8470 or 0.0.0.0:8470")
    return text


def _password(secret: Secret) -> Secret:
    text = secret.reveal()
    if not text.startswith("$argon2") and len(text) < SHORTEST_PASSWORD:
        raise ValueError(f"is too short; write at least {SHORTEST_PASSWORD} characters, or what `ytwatcher web password` prints")
    return secret


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", text):
        raise ValueError(f"{quoted(text)} is not the name of a header; write for example X-Forwarded-User")
    return text.lower()


def _networks(text: str) -> str:
    for part in text.split(","):
        try:
            ip_network(part.strip())
        except ValueError:
            raise ValueError(f"{quoted(part.strip())} is not an address; write 127.0.0.1 or 10.0.0.0/8, several with commas") from None
    return text


def _base_url_or_off(text: str) -> str:
    return text if text == "off" else _base_url(text)


def _address(text: str) -> str:
    try:
        return check_address(text)
    except InputError as error:
        raise ValueError(str(error)) from None


def _address_of_service(secret: Secret) -> Secret:
    # The value is not shown: it is a secret as a whole.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*://\S+", secret.reveal()):
        raise ValueError("is not an address of a service; write it as Apprise has it: ntfy://…, discord://…, mailtos://…")
    return secret


def _ping_url(secret: Secret) -> Secret:
    parts = urlsplit(secret.reveal())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not a URL; write https:// and where to call")
    return secret


def _service_name(name: str) -> str:
    if not SERVICE_NAME.fullmatch(name) or name.endswith("_file"):
        raise ValueError("is not a name for a service; write small letters, digits and “_”, a letter first, without “_file” at its end")
    return name


def _kind(name: object) -> RuleKind:
    try:
        return RuleKind(str(name))
    except ValueError:
        hint = did_you_mean(str(name), RuleKind) or f"write one of {', '.join(RuleKind)}"
        raise ValueError(f"is not a kind of alert; {hint}") from None


def _target(text: str) -> str:
    try:
        parse_target(text)
    except InputError as error:
        raise ValueError(str(error)) from None
    return text


def _rule_line(text: str) -> str:
    try:
        parse_rule(text)
    except InputError as error:
        raise ValueError(str(error)) from None
    return text


def check_language(text: str) -> str:
    """The Babel locale that the text names.

    Raises:
        ValueError: there is none.
    """
    try:
        return str(Locale.parse(text.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        raise ValueError(f"{quoted(text)} is not a language; write for example en, de or pt_BR") from None


def check_timezone(text: str) -> str:
    """The IANA name of a time zone.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(text, available_timezones()) or "write for example UTC or Europe/Berlin"
        raise ValueError(f"{quoted(text)} is not a time zone; {hint}") from None


LOWER = BeforeValidator(_lower)
"""Beside a `Literal`: it may be written in any case."""
NUMBER = BeforeValidator(_number)
"""Beside a number: `true` is none."""
Text = Annotated[str, BeforeValidator(_text)]
BaseUrl = Annotated[Text, AfterValidator(_base_url)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Count = Annotated[int, Field(ge=1, le=10**9), NUMBER]
PathText = Annotated[Path, BeforeValidator(_path)]
Language = Annotated[Text, AfterValidator(check_language)]
Timezone = Annotated[Text, AfterValidator(check_timezone)]
ApiKey = Annotated[Secret, AfterValidator(_api_key)]
BotToken = Annotated[Secret, AfterValidator(_bot_token)]
Password = Annotated[Secret, AfterValidator(_password)]
PingUrl = Annotated[Secret, AfterValidator(_ping_url)]
ServiceAddress = Annotated[Secret, AfterValidator(_address_of_service)]
ServiceName = Annotated[str, AfterValidator(_service_name)]
Address = Annotated[Text, AfterValidator(_address)]
Bootstrap = Annotated[Text, AfterValidator(_bootstrap)]
Extensions = Annotated[Text, AfterValidator(_extensions)]
TopicPrefix = Annotated[str, BeforeValidator(_topic_prefix)]
Listen = Annotated[Text, AfterValidator(_listen)]
Header = Annotated[Text, AfterValidator(_header)]
Networks = Annotated[Text, AfterValidator(_networks)]
BaseUrlOrOff = Annotated[Text, AfterValidator(_base_url_or_off)]
Kind = Annotated[RuleKind, BeforeValidator(_kind)]
Target = Annotated[Text, AfterValidator(_target)]
RuleLine = Annotated[Text, AfterValidator(_rule_line)]
