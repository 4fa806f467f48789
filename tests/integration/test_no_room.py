"""`run` on a disk that really has no room for it: the system refuses its writes, and takes them again later."""

from __future__ import annotations

import resource
from pathlib import Path

from served import CHAT, home, served
from ytwatcher.simulator import make_video_id

VIDEO = make_video_id(1)


def test_run_waits_for_room_says_so_and_loses_nothing(tmp_path: Path) -> None:
    with served() as services:
        video = services.do(lambda: services.world.add_video(VIDEO, views=900))
        person = home(tmp_path, services)
        person.env["YTWATCHER_POLL__MIN_INTERVAL"] = "10s"
        person.env["YTWATCHER_POLL__MAX_INTERVAL"] = "10s"
        person.ok("add", VIDEO, "--rule", "views change")
        running = person.start("run")
        running.wait_for("Watching 1 target")
        _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (0, hard))

        def told(words: str) -> bool:
            return any(words in message.shown for message in services.telegram.messages if message.chat_id == CHAT)

        def grow() -> None:
            video.views = 1_050

        services.do(grow)
        services.until(lambda: told("the disk is full"))
        assert not services.do(lambda: told("1,050"))
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        services.until(lambda: told("room on the disk again") and told("1,050"))
        assert services.do(lambda: sum("1,050" in message.shown for message in services.telegram.messages)) == 1
        assert running.end() == 0
