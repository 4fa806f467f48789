"""The library that draws charts in the browser: made once by vl-convert, kept compressed in the data folder, served from there.

It is made in a process of its own: that needs some 180 MB, which the process that watches shall not keep.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ytwatcher.errors import OutsideError

FOLDER = "cache"
PATIENCE = 60.0
SNIPPET = "window.vegaEmbed = vegaEmbed;"


class Bundle:
    """The library's file in a folder; asked for several times at once it is made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._making = asyncio.Lock()

    @property
    def version(self) -> str:
        """Changes when another library would be made."""
        try:
            return version("vl-convert-python")
        except PackageNotFoundError:
            return "none"

    async def compressed(self) -> bytes:
        """The script, compressed by gzip.

        Raises:
            OutsideError: it cannot be made: vl-convert is not installed, or takes too long.
        """
        path = self._folder / f"vega-{self.version}.js.gz"
        async with self._making:
            if not await asyncio.to_thread(path.exists):
                await self._make(path)
            return await asyncio.to_thread(path.read_bytes)

    async def _make(self, path: Path) -> None:
        await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "ytwatcher.web.bundle", str(path))
        try:
            async with asyncio.timeout(PATIENCE):
                done = await child.wait()
        except TimeoutError:
            child.kill()
            done = await child.wait()
        if done:
            raise OutsideError("the charts' library cannot be made: vl-convert is missing, or took too long", reason="not made")


def make(path: Path) -> None:
    """The child: make the library; it is there whole or not at all."""
    import vl_convert

    temporary = path.with_suffix(".new")
    temporary.write_bytes(gzip.compress(vl_convert.javascript_bundle(SNIPPET).encode(), 9))
    temporary.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
