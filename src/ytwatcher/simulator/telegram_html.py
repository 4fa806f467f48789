"""`parse_mode` HTML as the Bot API server reads it: the tags it knows, its entities, its complaints with byte offsets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

KINDS = {
    "a": "text_link",
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-time": "date_time",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_ENTITY = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z]+));?")
_SPACE = " \t\r\n\0\v"
_NAME_END = re.compile(r"[\s=>/\"']")
_LINK = re.compile(r"(?:https?://|tg://)?[^\s/.]+\.\S+|tg://\S+")
_START_TAG_END = re.compile(r"[\s>]")
_END_TAG = re.compile(r"</([^\s>]*)\s*>")
_NAME_TOKEN = re.compile(r"[A-Za-z0-9.-]*")


class ParseError(Exception):
    """What the server says after “can't parse entities: ”."""


class Entity(NamedTuple):
    """A span of the parsed text, in UTF-16 units; `url` of a link."""

    kind: str
    offset: int
    length: int
    url: str | None = None


class Parsed(NamedTuple):
    """The text that is shown, and its entities in the order of their ends."""

    text: str
    entities: tuple[Entity, ...]


class _Open(NamedTuple):
    tag: str
    offset: int
    attributes: dict[str, str]


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0
    shown: list[str] = field(default_factory=list)
    length: int = 0
    open: list[_Open] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)

    def byte(self, position: int) -> int:
        return len(self.source[:position].encode())

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def skip_space(self) -> None:
        while self.peek() and self.peek() in _SPACE:
            self.at += 1

    def show(self, text: str) -> None:
        self.shown.append(text)
        self.length += utf16(text)


def parse(source: str) -> Parsed:
    """Parse a text with HTML markup.

    Raises:
        ParseError: the first thing that is wrong.
    """
    reader = _Reader(source)
    while reader.at < len(source):
        char = reader.peek()
        if char == "<":
            (_end_tag if source[reader.at + 1 : reader.at + 2] == "/" else _start_tag)(reader)
        elif char == "&" and (entity := decoded(source, reader.at)):
            reader.show(entity[0])
            reader.at = entity[1]
        else:
            reader.show(char)
            reader.at += 1
    if reader.open:
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{reader.open[-1].tag}"')
    return Parsed("".join(reader.shown), tuple(reader.entities))


def decoded(source: str, at: int) -> tuple[str, int] | None:
    """The character that an `&…;` stands for and the position after it; None: it stands for itself."""
    match = _ENTITY.match(source, at)
    if match is None:
        return None
    hexadecimal, decimal, name = match.groups()
    if name:
        return (_NAMED[name], match.end()) if name in _NAMED else None
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if code == 0 or code >= 0x10FFFF or 0xD800 <= code < 0xE000 or match.end() - at > 10:
        return None
    return chr(code), match.end()


def utf16(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def _start_tag(reader: _Reader) -> None:
    begin, source = reader.at, reader.source
    match = _START_TAG_END.search(source, begin + 1)
    if match is None:
        raise ParseError(f"Unclosed start tag at byte offset {reader.byte(begin)}")
    tag = source[begin + 1 : match.start()].lower()
    if tag not in KINDS:
        raise ParseError(f'Unsupported start tag "{tag}" at byte offset {reader.byte(begin)}')
    reader.at = match.start()
    attributes: dict[str, str] = {}
    while True:
        reader.skip_space()
        if reader.peek() == ">":
            break
        name, value = _attribute(reader, tag, begin)
        attributes[name] = value
    reader.at += 1
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {reader.byte(begin)}')
    reader.open.append(_Open(tag, reader.length, attributes))


def _attribute(reader: _Reader, tag: str, begin: int) -> tuple[str, str]:
    match = _NAME_END.search(reader.source, reader.at)
    if match is None:
        raise ParseError(f'Unclosed start tag "{tag}" at byte offset {reader.byte(begin)}')
    name = reader.source[reader.at : match.start()]
    if not name:
        raise ParseError(f'Empty attribute name in the tag "{tag}" at byte offset {reader.byte(begin)}')
    reader.at = match.start()
    reader.skip_space()
    if reader.peek() != "=":
        return name, ""
    reader.at += 1
    reader.skip_space()
    value = _quoted(reader) if reader.peek() in ("'", '"') else _token(reader)
    if not reader.peek():
        raise ParseError(f'Unclosed start tag "{tag}" at byte offset {reader.byte(begin)}')
    return name, value


def _token(reader: _Reader) -> str:
    begin = reader.at
    match = _NAME_TOKEN.match(reader.source, begin)
    assert match is not None
    reader.at = match.end()
    if reader.peek() and reader.peek() not in _SPACE + ">":
        raise ParseError(f"Unexpected end of name token at byte offset {reader.byte(begin)}")
    return match.group().lower()


def _quoted(reader: _Reader) -> str:
    quote, value = reader.peek(), ""
    reader.at += 1
    while reader.peek() and reader.peek() != quote:
        char, reader.at = decoded(reader.source, reader.at) or (reader.peek(), reader.at + 1)
        value += char
    reader.at += 1
    return value


def _end_tag(reader: _Reader) -> None:
    begin, source = reader.at, reader.source
    offset = reader.byte(begin)
    if not reader.open:
        raise ParseError(f"Unexpected end tag at byte offset {offset}")
    match = _END_TAG.match(source, begin)
    if match is None:
        raise ParseError(f"Unclosed end tag at byte offset {offset}")
    started = reader.open.pop()
    found = match.group(1)
    if found and found != started.tag:
        raise ParseError(f'Unmatched end tag at byte offset {offset}, expected "</{started.tag}>", found "</{found}>"')
    reader.at = match.end()
    length = reader.length - started.offset
    url = started.attributes.get("href", "") if started.tag == "a" else None
    if length and (url is None or _LINK.fullmatch(url)):  # what is not a link is shown as plain text, without a complaint
        reader.entities.append(Entity(KINDS[started.tag], started.offset, length, url))
