"""./dev stack: the local parts from the command line."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from stack import PARTS, Failed, InstallFailed, MissingTool, Stack
from stack.parts import GROUPS, Part

HOME = Path(__file__).parents[1] / ".stack" / "local"


def main() -> int:
    asked = _arguments()
    stack = Stack(HOME, say=_say)
    try:
        if asked.verb == "up":
            stack.up(_named(asked.parts))
        elif asked.verb == "down":
            stack.down()
        elif asked.verb == "reset":
            stack.reset()
        if asked.verb in ("up", "status"):
            _print_status(stack)
    except (MissingTool, InstallFailed, Failed) as fault:
        _say(str(fault))
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev stack", description="Real Kafka, Schema Registry, Flink and Connect on this machine's loopback."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="install (once) and start")
    up.add_argument(
        "parts", nargs="*", choices=[*PARTS, *GROUPS, []], metavar="PART", help=f"{', '.join([*PARTS, *GROUPS])}; all when none is named"
    )
    verbs.add_parser("status", help="what runs, and where")
    verbs.add_parser("down", help="stop all; the data stay")
    verbs.add_parser("reset", help="stop all and delete the data")
    return parser.parse_args()


def _named(names: list[str]) -> list[Part]:
    wanted = {name for given in names for name in GROUPS.get(given, (given,))}
    return [part for part in PARTS if part in wanted or not wanted]


def _print_status(stack: Stack) -> None:
    running = stack.running()
    lines = [f"{part:12}{f'running, process {running[part]}' if part in running else 'stopped'}" for part in PARTS]
    lines += [f"{name:18}{address}" for name, address in asdict(stack.addresses()).items()]
    sys.stdout.write("\n".join(lines) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"./dev stack: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
