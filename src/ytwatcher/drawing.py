"""Pictures of charts, drawn by vl-convert in a child process: it needs 180 MB, so it lives only while somebody wants pictures.

Parent and child speak over two pipes: a length of four bytes, then a JSON document in, or a PNG back (of length 0: the chart was refused).
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, BinaryIO

from ytwatcher.errors import OutsideError
from ytwatcher.lettering import with_fonts

IDLE = timedelta(minutes=2)
PATIENCE = timedelta(seconds=20)
SCALE = 2.0
"""Two pixels for each of the chart's: sharp on a phone."""
_LENGTH = struct.Struct(">I")
SAMPLES: Mapping[str, str] = {
    "Latin": "A",
    "Cyrillic": "Ж",
    "Arabic": "ب",
    "Hebrew": "ש",
    "Devanagari": "क",
    "Thai": "ก",
    "Japanese": "あ",
    "Chinese": "漢",
    "Korean": "한",
    "emoji": "😀",
}
"""A letter of each script that titles come in."""
_NO_LETTER = "\U000f8fff"
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48">'
    '<text x="4" y="36" font-size="28" font-family="sans-serif">{}</text></svg>'
)


class Pictures:
    """Draws charts, one at a time. `close` ends the child."""

    def __init__(self, *, idle: timedelta = IDLE, patience: timedelta = PATIENCE) -> None:
        self._idle, self._patience = idle, patience
        self._child: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None

    async def png(self, specification: Mapping[str, Any], *, scale: float = SCALE) -> bytes:
        """The picture of a Vega-Lite document.

        Raises:
            OutsideError: it cannot be drawn: vl-convert is not installed, refuses the document, or takes too long.
        """
        return await self._ask({"draw": specification, "scale": scale})

    async def missing_scripts(self) -> list[str]:
        """The scripts of `SAMPLES` for which no font is installed: their letters would be boxes, or nothing.

        Raises:
            OutsideError: as `png`.
        """
        found: list[str] = json.loads(await self._ask({"scripts": dict(SAMPLES)}))
        return found

    async def close(self) -> None:
        if self._end is not None:
            self._end.cancel()
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            child.kill()
            await child.wait()

    async def _ask(self, question: Mapping[str, Any]) -> bytes:
        async with self._one_at_a_time:
            if self._end is not None:
                self._end.cancel()
            try:
                async with asyncio.timeout(self._patience.total_seconds()):
                    answer = await self._exchange(json.dumps(question).encode())
            except asyncio.CancelledError:
                await self.close()  # half an answer would be taken for the next one
                raise
            except (OSError, EOFError, TimeoutError) as error:
                await self.close()
                raise OutsideError(f"the chart was not drawn ({type(error).__name__})", reason="not drawn") from error
            self._end = asyncio.get_running_loop().call_later(self._idle.total_seconds(), self._leave)
        if not answer:
            raise OutsideError("the chart was not drawn: its specification was refused, or vl-convert is missing", reason="not drawn")
        return answer

    async def _exchange(self, question: bytes) -> bytes:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ytwatcher.drawing", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        assert self._child.stdin is not None and self._child.stdout is not None  # both are pipes
        self._child.stdin.write(_LENGTH.pack(len(question)) + question)
        await self._child.stdin.drain()
        (length,) = _LENGTH.unpack(await self._child.stdout.readexactly(_LENGTH.size))
        return await self._child.stdout.readexactly(length)

    def _leave(self) -> None:
        """Nobody wanted a picture for a while: the child ends when its input does."""
        child, self._child = self._child, None
        if child is not None and child.stdin is not None:
            child.stdin.close()


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """The child: answer until the input ends."""
    while header := questions.read(_LENGTH.size):
        (length,) = _LENGTH.unpack(header)
        answer = _answer(json.loads(questions.read(length)))
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()


def _answer(question: Mapping[str, Any]) -> bytes:
    try:
        import vl_convert

        if "scripts" in question:
            return json.dumps(_without_font(question["scripts"])).encode()
        svg = vl_convert.vegalite_to_svg(question["draw"], allowed_base_urls=[])
        drawn: bytes = vl_convert.svg_to_png(with_fonts(svg), scale=question["scale"])
    except (ImportError, ValueError) as error:
        sys.stderr.write(f"ytwatcher.drawing: {type(error).__name__}: {str(error)[:500]}\n")
        return b""
    return drawn


def _without_font(scripts: Mapping[str, str]) -> list[str]:
    """The scripts whose letter no font has: it looks like one that there is not, or like nothing."""
    blank = (_letter(_NO_LETTER), _letter(" "))
    return [name for name, letter in scripts.items() if _letter(letter) in blank]


def _letter(text: str) -> bytes:
    import vl_convert

    drawn: bytes = vl_convert.svg_to_png(_SVG.format(text))
    return drawn


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
