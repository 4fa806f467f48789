"""What breaks, breaks while readings flow: nothing is lost, and nobody is told twice without being told so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from random import Random

import pytest
from confluent_kafka import Producer

from fault_stage import Stage, check, lose_topic, stage, value_of
from served import leaks
from stack import PARTS, Part
from stack_parts import require, shared_stack
from ytwatcher.streaming.codec import Decoder
from ytwatcher.streaming.connection import kafka_config

pytestmark = pytest.mark.timeout(1800)  # for the random faults in their full form
SEED = 7
STRANGERS = (b"no Avro at all", b"\x00\x00\x00\x27\x0f\x02")
"""The second is in the wire format, with the number of a schema that nobody has."""


@pytest.fixture(scope="module")
def s(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    require(*PARTS)
    with stage(tmp_path_factory.mktemp("faults"), SEED) as made:
        yield made


def test_the_second_process_goes_on_when_the_first_is_killed_and_each_videos_order_stays(s: Stage) -> None:
    s.growing = True
    s.until_alerts(20)
    kill_process(s, Random(SEED))
    s.until_alerts(20)
    check(s)


def test_a_broker_that_was_away_for_long_is_caught_up_with_in_few_messages(s: Stage) -> None:
    s.growing = True
    s.until_alerts(1)
    shared_stack().stop("broker")
    s.until("many readings wait", lambda: s.waiting() >= 40)
    alerts, messages = len(s.alerts()), s.messages()
    shared_stack().start("broker")
    check(s)
    alerts, messages = len(s.alerts()) - alerts, s.messages() - messages
    print(f"{alerts} alerts in {messages} messages")
    assert messages < alerts / 4


@pytest.mark.timeout(1800)  # in its full form
def test_faults_at_random_moments_lose_nothing_and_what_is_told_twice_says_so(s: Stage, sized: Callable[[int, int], int]) -> None:
    """With Connect every record arrives or is buried, and how often one arrives again is counted."""
    rng, rounds = Random(SEED), sized(4, 20)
    s.growing = True
    victims = deck(rng, rounds)
    for number, fault in enumerate(victims):
        s.pause(rng.uniform(0.5, 3))
        s.note(fault.__name__)
        print(s.told[-1], flush=True)
        fault(s, rng)
        if number == rounds // 2:
            send_strangers(s)
            lose_topic(s)
    check(s)
    check_connect(s)
    check_secrets(s)


# --- what can break: each leaves everything running again ------------------------------------------------------------

Fault = Callable[[Stage, Random], None]


def stop_broker(s: Stage, rng: Random) -> None:
    stop(s, rng, "broker")


def stop_registry(s: Stage, rng: Random) -> None:
    stop(s, rng, "registry")


def kill_process(s: Stage, _: Random) -> None:
    """The publisher, the mirror, the consumer of alerts and the dispatcher at once."""
    s.kill_leader()


def kill_worker(s: Stage, rng: Random) -> None:
    kill(s, rng, "taskmanager")


def kill_manager(s: Stage, rng: Random) -> None:
    kill(s, rng, "jobmanager")


def kill_manager_and_process(s: Stage, rng: Random) -> None:
    """Flink's job is gone, and so is who knew that it ran."""
    shared_stack().kill("jobmanager")
    kill_process(s, rng)
    shared_stack().start("jobmanager")


def cut_power(s: Stage, rng: Random) -> None:
    for part in rng.sample(PARTS, len(PARTS)):
        shared_stack().kill(part)
    s.kill_processes()
    shared_stack().up(PARTS)
    s.start_processes()


def kill_connect(s: Stage, rng: Random) -> None:
    kill(s, rng, "connect")


def fill_disk(s: Stage, rng: Random) -> None:
    s.limit_files(room=4096)
    s.pause(rng.uniform(1, 4))
    s.limit_files(room=None)


FIRST: Sequence[Fault] = (kill_process, kill_worker, kill_connect, kill_manager_and_process)
OTHERS: Sequence[Fault] = (stop_broker, stop_registry, kill_manager, fill_disk, cut_power)


def deck(rng: Random, rounds: int) -> list[Fault]:
    """So many faults in a random order, each about as often."""
    found = rng.sample(FIRST, len(FIRST))
    while len(found) < rounds:
        found += rng.sample((*FIRST, *OTHERS), len(FIRST) + len(OTHERS))
    return found[:rounds]


def stop(s: Stage, rng: Random, part: Part) -> None:
    shared_stack().stop(part)
    s.pause(rng.uniform(0.5, 5))
    shared_stack().start(part)


def kill(s: Stage, rng: Random, part: Part) -> None:
    shared_stack().kill(part)
    s.pause(rng.uniform(0, 3))
    shared_stack().start(part)


def send_strangers(s: Stage) -> None:
    s.note("strangers")
    producer = Producer(kafka_config(s.streaming))
    for value in STRANGERS:
        producer.produce(s.names.outbound, value, "stranger")
    assert producer.flush(30) == 0


# --- what must be so at the end --------------------------------------------------------------------------------------


def check_connect(s: Stage) -> None:
    """Every record of the topic has arrived, or is in the dead-letter topic."""
    s.until("Connect has delivered", lambda: not s.outbound().texts - s.told_by_connect() - buried(s))
    told, dead, records = s.told_by_connect(), buried(s), s.outbound()
    assert records.strangers == len(STRANGERS)
    assert not told.keys() - records.texts.keys(), "nothing else was told"
    with_reason = [headers for message in s.committed(s.names.dlq) if (headers := dict(message.headers() or []))]
    assert len({str(headers["from"]) for headers in with_reason}) == len(STRANGERS), "a death before it is noted buries one again"
    assert all("not Avro of ours" in str(headers["reason"]) for headers in with_reason)
    print(
        f"Connect: {records.texts.total()} records of {len(records.ids)} alerts, {told.total()} messages, {dead.total()} buried;"
        f" {(told - records.texts).total()} messages were repeated by Connect"
    )


def buried(s: Stage) -> Counter[tuple[str, str]]:
    """What Connect has given up, by chat and text."""
    found = Counter[tuple[str, str]]()
    with closing(Decoder(s.streaming, s.names.outbound)) as decoder:
        for message in s.committed(s.names.dlq):
            value = value_of(message)
            if value not in STRANGERS:
                record = decoder.decode(value)
                found[record["chat_id"], record["text"]] += 1
    return found


def check_secrets(s: Stage) -> None:
    for part in PARTS:
        assert not leaks(shared_stack().log(part).read_text()), part
    assert not leaks(s.printed())
    for message in s.committed(s.names.dlq):
        assert not leaks(repr((message.headers(), message.value())))
