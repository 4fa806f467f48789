"""The parts: how each is configured and started, and when it is ready. Everything listens on loopback only."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Literal, get_args

import httpx

from stack import certificates
from stack.kits import KITS, Kit, java

Part = Literal["broker", "registry", "jobmanager", "taskmanager", "gateway", "connect"]
PARTS: tuple[Part, ...] = get_args(Part)
GROUPS: dict[str, tuple[Part, ...]] = {"flink": ("jobmanager", "taskmanager", "gateway")}

KITS_OF: dict[Part, tuple[Kit, ...]] = {
    "broker": ("kafka",),
    "registry": ("registry",),
    "jobmanager": ("flink",),
    "taskmanager": ("flink",),
    "gateway": ("flink",),
    "connect": ("kafka", "sink", "converter"),
}
NEEDS: dict[Part, tuple[Part, ...]] = {
    "broker": (),
    "registry": (),
    "jobmanager": (),
    "taskmanager": ("jobmanager",),
    "gateway": ("jobmanager",),
    "connect": ("broker", "registry"),
}

CONF = Path(__file__).parent / "conf"
PORT_NAMES = ("broker", "secure", "controller", "registry", "connect", "flink", "flink_rpc", "gateway", "tokens")
"""At `tokens` nothing of ours listens: it is where Kafka's clients in Flink may ask for a token."""
JVM = ["-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
"""Small and quick to start: the parts share a developer's machine with the tests."""
FLINK_OPENS = {
    "exports": (
        "java.management/sun.management",
        "java.base/sun.net.util",
        "java.rmi/sun.rmi.registry",
        "java.security.jgss/sun.security.krb5",
    ),
    "opens": tuple(
        f"java.base/{package}"
        for package in (
            "java.io",
            "java.lang",
            "java.lang.reflect",
            "java.net",
            "java.nio",
            "java.text",
            "java.time",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "java.util.concurrent.locks",
            "sun.nio.ch",
        )
    ),
}
"""What Flink's own start scripts open of the JDK (its distribution's conf/config.yaml, env.java.opts.all)."""


@dataclass(frozen=True)
class Addresses:
    """Where the parts of one stack listen. `registry` is Confluent's API, `registry_native` is what Connect's converter speaks."""

    bootstrap: str
    bootstrap_secure: str
    registry: str
    registry_native: str
    connect: str
    flink: str
    gateway: str
    tokens: str


@dataclass(frozen=True)
class Login:
    """What `bootstrap_secure` asks for (PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 over TLS). In the folder of `ca_file` lie client.pem, for
    a client that shows a certificate as well, and tokens.pem, by which tokens for OAUTHBEARER are signed."""

    user: str
    password: str
    ca_file: Path


@dataclass(frozen=True)
class Place:
    """One stack's folder, ports and login."""

    home: Path
    ports: dict[str, int]
    login: Login

    @property
    def addresses(self) -> Addresses:
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return Addresses(
            bootstrap=at["broker"],
            bootstrap_secure=at["secure"],
            registry=f"http://{at['registry']}/apis/ccompat/v7",
            registry_native=f"http://{at['registry']}/apis/registry/v2",
            connect=f"http://{at['connect']}",
            flink=f"http://{at['flink']}",
            gateway=f"http://{at['gateway']}",
            tokens=f"http://{at['tokens']}",
        )

    def data(self, name: str) -> Path:
        folder = self.home / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def configured(self, name: str) -> Path:
        """The configuration file of that name with this stack's folder and ports filled in."""
        text = (CONF / name).read_text()
        values = {f"port_{key}": str(port) for key, port in self.ports.items()}
        written = self.home / "conf" / name
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(
            Template(text).substitute(values, home=str(self.home), kits=str(KITS), user=self.login.user, password=self.login.password)
        )
        return written


@dataclass(frozen=True)
class Launch:
    """What starts a part, and the question whether it is ready (which may fail by httpx.HTTPError while it is not)."""

    command: list[str]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)


def launch(part: Part, place: Place) -> Launch:
    return {
        "broker": _broker,
        "registry": _registry,
        "jobmanager": _jobmanager,
        "taskmanager": _taskmanager,
        "gateway": _gateway,
        "connect": _connect,
    }[part](place)


def _java(place: Place, heap: str, *options: str) -> list[str]:
    return [str(java()), *JVM, f"-Xmx{heap}", f"-Dlog4j2.configurationFile={place.configured('log4j2.properties')}", *options]


def _answers(url: str) -> bool:
    return httpx.get(url, timeout=5).status_code == httpx.codes.OK


def _broker(place: Place) -> Launch:
    folder = place.data("certificates")
    certificates.make(folder)
    # Kafka asks only those for keys and tokens whom the machine's owner allows.
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{folder}/jwks.json"
    command = [*_java(place, "256m", allowed), "-cp", f"{KITS}/kafka/*", "kafka.Kafka", str(place.configured("broker.properties"))]
    return Launch(command, lambda: _broker_answers(place.ports["broker"]))


def format_command(place: Place, cluster_id: str) -> list[str]:
    """What prepares an empty folder for the broker; nothing is done to one that holds data already."""
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster_id, "-c", str(place.configured("broker.properties"))]
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        tool += ["--add-scram", f"{mechanism}=[name={place.login.user},password={place.login.password}]"]
    return [*_java(place, "96m"), "-cp", f"{KITS}/kafka/*", *tool]


def _broker_answers(port: int) -> bool:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    try:
        return bool(client.list_topics(timeout=5).brokers)
    except KafkaException:
        return False


def _registry(place: Place) -> Launch:
    """The registry's store is H2: in a file it survives a restart, which the in-memory default would not."""
    options = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": str(place.ports["registry"]),
        "quarkus.log.level": "WARN",
        "quarkus.datasource.jdbc.url": f"jdbc:h2:file:{place.data('registry')}/registry;WRITE_DELAY=0",
        "quarkus.datasource.jdbc.initial-size": "1",
        "quarkus.datasource.jdbc.min-size": "1",
    }
    jar = next((KITS / "registry").glob("*-runner.jar"))
    command = [*_java(place, "192m", *(f"-D{key}={value}" for key, value in options.items())), "-jar", str(jar)]
    return Launch(command, lambda: _be_backward_compatible(place.addresses.registry))


def _be_backward_compatible(registry: str) -> bool:
    """Confluent's registry checks BACKWARD from the start, this one checks nothing until it is told to."""
    return httpx.put(f"{registry}/config", json={"compatibility": "BACKWARD"}, timeout=5).status_code == httpx.codes.OK


def _flink(place: Place, program: str, heap: str, *options: str, ready: Callable[[], bool]) -> Launch:
    """The distribution's shell scripts are not in the wheel; its programs are started by class."""
    opened = [f"--add-{how}={package}=ALL-UNNAMED" for how, packages in FLINK_OPENS.items() for package in packages]
    config = place.configured("flink/config.yaml").parent
    place.data("flink/tmp")
    allowed = f"-Dorg.apache.flink.kafka.shaded.org.apache.kafka.sasl.oauthbearer.allowed.urls={place.addresses.tokens}/token"
    # Kafka's clients read tokens with these, which Flink's connector does not bring along.
    tokens = [
        str(jar)
        for name in ("jose4j", "jackson-core", "jackson-databind", "jackson-annotations")
        for jar in (KITS / "kafka").glob(f"{name}-*.jar")
    ]
    path = ":".join([f"{KITS}/flink/*", *tokens])
    command = [*_java(place, heap, *opened, allowed), "-cp", path, f"org.apache.flink.{program}", *options]
    return Launch(command, ready, {"FLINK_CONF_DIR": str(config)})


def _jobmanager(place: Place) -> Launch:
    program = "runtime.entrypoint.StandaloneSessionClusterEntrypoint"
    options = ["--configDir", str(place.home / "conf" / "flink")]
    return _flink(place, program, "512m", *options, ready=lambda: _answers(f"{place.addresses.flink}/overview"))


def _taskmanager(place: Place) -> Launch:
    """Under a name of its own at each start: the JobManager lists a killed one for some seconds more."""
    name = f"worker-{time.time_ns()}"
    options = ["--configDir", str(place.home / "conf" / "flink"), "-D", f"taskmanager.resource-id={name}"]
    workers = f"{place.addresses.flink}/taskmanagers"
    return _flink(
        place, "runtime.taskexecutor.TaskManagerRunner", "512m", *options, ready=lambda: name in httpx.get(workers, timeout=5).text
    )


def _gateway(place: Place) -> Launch:
    return _flink(place, "table.gateway.SqlGateway", "384m", ready=lambda: _answers(f"{place.addresses.gateway}/v1/info"))


def _connect(place: Place) -> Launch:
    place.data("secrets")
    command = [*_java(place, "192m"), "-cp", f"{KITS}/kafka/*", "org.apache.kafka.connect.cli.ConnectDistributed"]
    command.append(str(place.configured("connect.properties")))
    return Launch(command, lambda: _answers(f"{place.addresses.connect}/connector-plugins"))


def free_ports(seed: int) -> dict[str, int]:
    """One port for each name, from 20000 to 31999: the system gives none of these to an outgoing connection while a part is down."""
    found: list[int] = []
    port = 20_000 + seed % 12_000
    while len(found) < len(PORT_NAMES):
        if _is_free(port):
            found.append(port)
        port = 20_000 + (port + 1) % 12_000
    return dict(zip(PORT_NAMES, found, strict=True))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
