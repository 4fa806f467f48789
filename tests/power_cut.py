"""A power cut, played on what a killed process had done to its files: what was synced stays, of all else only some.

`tests/power_cut.c` records every write, sync, truncation, renaming and deletion in one folder. `cut` then lays the folder's files
as a disk may have them when the power goes at the instant of the kill: each write since its file's last sync is there, lost or torn at
a sector of 512 bytes, each for itself, so in any order.

Not played: a disk that acknowledges a sync it did not do, one that damages sectors beside those it writes, and names that are lost
(creating, renaming and deleting count as done at once, as on a file system with a journal).
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parent / "power_cut.c"
SECTOR = 512
HEADER = struct.Struct("=IIqq")


class Record(NamedTuple):
    """One call: `what` is W(rite), S(ync), T(runcate), U(nlink) or R(ename); `data` what was written, or the new path."""

    what: str
    path: str
    offset: int
    data: bytes


@dataclass
class Disk:
    """What a disk holds for certain, and what it was told since and may or may not hold, by path."""

    certain: dict[str, bytearray] = field(default_factory=dict)
    told: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def take(self, record: Record) -> None:
        match record.what:
            case "S":
                for one in self.told.pop(record.path, []):
                    self._put(one)
            case "U":
                self.certain.pop(record.path, None)
                self.told.pop(record.path, None)
            case "R":
                new = record.data.decode()
                self.certain[new] = self.certain.pop(record.path, bytearray())
                self.told[new] = [one._replace(path=new) for one in self.told.pop(record.path, [])]
            case _:
                self.told[record.path].append(record)

    def lose_power(self, rng: random.Random) -> int:
        """The power goes; returns how many calls were not on the disk, or not wholly."""
        lost, kept_of_ten = 0, rng.choice((0, 3, 7, 9))
        for records in self.told.values():
            for record in records:
                if rng.randrange(10) < kept_of_ten:
                    self._put(record)
                    continue
                lost += 1
                if record.what == "W" and rng.random() < 0.5:
                    self._put(_torn(record, rng))
        self.told.clear()
        return lost

    def _put(self, record: Record) -> None:
        content = self.certain.setdefault(record.path, bytearray())
        end = record.offset + len(record.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        if record.what == "T":
            del content[record.offset :]
        else:
            content[record.offset : end] = record.data


def _torn(record: Record, rng: random.Random) -> Record:
    """Its beginning up to a sector's edge."""
    edges = range((record.offset // SECTOR + 1) * SECTOR - record.offset, len(record.data), SECTOR)
    return record._replace(data=record.data[: rng.choice(edges)] if edges else b"")


def library(folder: Path) -> Path | None:
    """The recording library, built; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    built = folder / "power_cut.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", built, SOURCE, "-ldl", "-lpthread"], check=True, timeout=120)
    return built


def records(log: Path) -> Iterator[Record]:
    """What one process did, in order; a record that the kill cut short is none."""
    content = log.read_bytes() if log.exists() else b""
    at = 0
    while at + HEADER.size <= len(content):
        what, length_of_path, offset, length = HEADER.unpack_from(content, at)
        at += HEADER.size
        path = content[at : at + length_of_path].decode()
        at += length_of_path
        size = length if chr(what) in "WR" else 0
        if at + size > len(content):
            return
        yield Record(chr(what), path, offset, content[at : at + size])
        at += size


def seen(folder: Path) -> Disk:
    """The folder's files as they are, all of them certain. SQLite's -shm is memory, not disk."""
    return Disk({str(file): bytearray(file.read_bytes()) for file in folder.iterdir() if file.is_file() and not file.name.endswith("-shm")})


def cut(folder: Path, before: Disk, log: Path, rng: random.Random) -> int:
    """Lay the folder's files as they may be after the power went; returns how many calls were lost or torn.

    Args:
        before: the files when the killed process began.
        log: what it did since.
    """
    for record in records(log):
        if not record.path.endswith("-shm"):
            before.take(record)
    lost = before.lose_power(rng)
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    for path, content in before.certain.items():
        Path(path).write_bytes(content)
    return lost
