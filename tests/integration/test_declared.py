"""Watches of the configuration file: taken up, changed and ended while the program runs; a bad edit changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from story import OLD, OPERATOR, Story, story
from ytwatcher.simulator import make_video_id
from ytwatcher.store import watches

A, B, C = (make_video_id(n) for n in (1, 2, 3))


class File:
    """The configuration file where the program finds it, and what is in the journal."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".config" / "ytwatcher" / "ytwatcher.toml"
        self.path.parent.mkdir(parents=True)

    def write(self, *entries: str, more: str = "") -> None:
        self.path.write_text(more + "".join(f"[[watch]]\n{entry}\n" for entry in entries), encoding="utf-8")


def told_from_file(tell: Callable[[Story, File], Awaitable[None]]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        file = File(tmp_path)
        file.write()

        async def go() -> None:
            async with story(tmp_path) as s:
                for n in (1, 2, 3):
                    s.video(n, views=900)
                s.clock.loops += 1  # the one that looks at the file
                file.write(f'target = "{A}"\nrules = ["views change"]\nto = "telegram:1001"')
                await passed(s)
                await tell(s, file)

        asyncio.run(go())

    test.__name__ = tell.__name__
    return test


async def passed(s: Story, span: timedelta = timedelta(minutes=11)) -> None:
    await s.until(s.clock.now() + span)


async def held(s: Story) -> dict[str, list[str]]:
    """Rule lines by target and address."""
    found: dict[str, list[str]] = {f"{target.id} {address}": [] for target, address in await s.app.db.read(watches.watches)}
    for rule in await s.app.db.read(watches.rules):
        found[f"{rule.target_id} {rule.address}"].append(rule.line)
    return found


async def refused(s: Story, kind: str, **payload: Any) -> str:
    outcome = await s.ask(kind, **payload)
    assert outcome["exit_code"] == 2, outcome
    return str(outcome["error"])


@told_from_file
async def test_a_watch_of_the_file_is_taken_up_changed_and_ended_without_a_restart(s: Story, file: File) -> None:
    assert await held(s) == {f"{A} telegram:1001": ["views change"]}
    file.write(f'target = "https://youtu.be/{A}"\nrules = ["likes change", "views change"]\nto = "telegram:1001"', f'target = "{B}"')
    await passed(s)
    first, second = (await held(s)).items()
    assert first == (f"{A} telegram:1001", ["views change", "likes change"])
    assert second[0] == f"{B} telegram:{OPERATOR}" and second[1]  # the usual rules
    s.world.videos[A].views = 1000
    await passed(s, timedelta(hours=1))
    assert "1,000" in s.told()[0]
    file.write(f'target = "{B}"')
    await passed(s)
    assert list(await held(s)) == [f"{B} telegram:{OPERATOR}"]


@told_from_file
async def test_a_bad_edit_changes_nothing_and_is_told_once(s: Story, file: File) -> None:
    for _ in range(2):
        file.write('target = "nonsense"\nrules = ["views soar"]', more="[poll]\nmin_interval = 'never'\n")
        await passed(s)
    assert list(await held(s)) == [f"{A} telegram:1001"]
    [notice] = s.told(OPERATOR)
    assert "has faults; what was read from it before goes on" in notice and "watch.1.rules.1" in notice and "poll.min_interval" in notice
    file.path.write_text("[[watch", encoding="utf-8")
    await passed(s)
    file.path.unlink()
    await passed(s)
    assert list(await held(s)) == [f"{A} telegram:1001"] and len("\n".join(s.told(OPERATOR)).split("🔧")) == 4
    file.write(f'target = "{B}"\nto = "telegram:1001"')
    await passed(s)
    assert list(await held(s)) == [f"{B} telegram:1001"]


@told_from_file
async def test_commands_leave_it_alone_and_name_the_file(s: Story, file: File) -> None:
    [rule] = await s.app.db.read(watches.rules)
    for said in (
        await refused(s, "add", text=A, rules=["likes change"], to="telegram:1001"),
        await refused(s, "rules add", target=A, rule="likes change", to="telegram:1001"),
        await refused(s, "rules remove", rule_id=rule.id),
        await refused(s, "remove", target=A, to="telegram:1001"),
    ):
        assert said == f"telegram:1001 watches “{A}” by a [[watch]] in {file.path}; change it there"
    await s.add(A, "likes change", to=f"telegram:{OPERATOR}")
    await s.ask("remove", target=A, to=f"telegram:{OPERATOR}")
    assert await held(s) == {f"{A} telegram:1001": ["views change"]}


@told_from_file
async def test_a_watch_made_by_a_command_is_the_commands_again_when_the_file_lets_it_go(s: Story, file: File) -> None:
    await s.add(C, "likes change", "comments change")
    file.write(f'target = "{C}"\nrules = ["likes change", "views change"]\nto = "telegram:1001"')
    await passed(s)
    assert await held(s) == {f"{C} telegram:1001": ["likes change", "views change"]}
    file.write()
    await passed(s)
    assert await held(s) == {f"{C} telegram:1001": ["likes change", "views change"]}
    await s.add(C, "comments change")
    assert "ok" in await s.ask("remove", target=C, to="telegram:1001")


@told_from_file
async def test_nothing_is_ended_while_an_entry_cannot_be_taken_up(s: Story, file: File) -> None:
    unknown, unreachable = f'target = "{make_video_id(9)}"\nto = "telegram:1001"', f'target = "{B}"\nto = "apprise:team"'
    file.write(unknown, unreachable, more="[services]\nteam = 'json://localhost'\n")
    await passed(s)
    assert list(await held(s)) == [f"{A} telegram:1001"]
    notices = "\n".join(s.told(OPERATOR))
    assert "YouTube has no public video" in notices and "there is no service “team”" in notices
    s.world.add_video(make_video_id(9), views=5, title="Late", published_at=OLD)
    file.write(f'target = "{make_video_id(9)}"\nto = "telegram:1001"')
    await passed(s, timedelta(minutes=30))
    assert list(await held(s)) == [f"{make_video_id(9)} telegram:1001"]


@told_from_file
async def test_an_outage_of_youtube_is_waited_for(s: Story, file: File) -> None:
    s.youtube.fail("*", "html502", times=1000)
    file.write(f'target = "{B}"\nto = "telegram:1001"')
    await passed(s, timedelta(minutes=25))
    assert list(await held(s)) == [f"{A} telegram:1001"]
    s.youtube.clear()
    await passed(s, timedelta(hours=2))
    assert list(await held(s)) == [f"{B} telegram:1001"]


@told_from_file
async def test_a_rule_that_can_tell_nothing_is_said_once_and_a_restart_asks_nothing(s: Story, file: File) -> None:
    file.write(f'target = "{B}"\nrules = ["views reach 100", "likes change"]\nto = "telegram:1001"')
    await passed(s)
    assert await held(s) == {f"{B} telegram:1001": ["likes change"]}
    assert len(s.told(OPERATOR)) == 1 and "“views reach 100”: passed already" in s.told(OPERATOR)[0]
    await s.restart()
    s.clock.loops += 1
    calls = len(s.calls("videos"))
    await passed(s, timedelta(seconds=30))
    assert len(s.calls("videos")) == calls and len(s.told(OPERATOR)) == 1
