"""Does the main job work on real input? The broker, collector and shop of the demo, broken and mended."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.collecting import free_ports
from tests.test_commands import run

RATE = 5
MARK = "CHOREOSCOPE_E2E_MARK"


@dataclass
class Demo:
    """A running demo and the environment that its commands need."""

    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    api: str

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `choreoscope` with *words*."""
        return run(*words, environment=self.environment)

    def answer(self, *words: str) -> Any:
        """The JSON that a command prints."""
        done = self.run(*words, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(self, path: str) -> Any:
        """The API's answer."""
        return httpx.get(f"{self.api}/api/v1{path}", timeout=10, trust_env=False).raise_for_status().json()

    def state(self) -> str:
        """What the collector knows, for whoever reads of a failure."""
        return json.dumps([self.ask(path) for path in ("/summary", "/expectations", "/flows?limit=20")])


def until(
    condition: Callable[[], Any], within_s: float, what: str, known: Callable[[], Any] = lambda: ""
) -> Any:
    """The first true result of *condition*; fail if there is none in time, and say what is *known* then."""
    end = time.monotonic() + within_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            pytest.fail(f"within {within_s} s it did not come to pass that {what} {known()}")
        time.sleep(0.5)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    nats, grpc, http, api, shop = free_ports(5)
    environment = {
        **os.environ,
        MARK: str(folder),
        "CHOREOSCOPE_GRPC_PORT": str(grpc),
        "CHOREOSCOPE_HTTP_PORT": str(http),
        "CHOREOSCOPE_API_PORT": str(api),
        "CHOREOSCOPE_API": f"http://127.0.0.1:{api}",
        "CHOREOSCOPE_SHOP": f"http://127.0.0.1:{shop}",
    }
    words = [
        "demo",
        "--without-dashboard",
        "--rate",
        str(RATE),
        "--nats-port",
        str(nats),
        "--folder",
        str(folder / "d"),
    ]
    command = [sys.executable, "-c", "from collector.commands import main; main()", *words]
    log = folder / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    running = Demo(process, environment, f"http://127.0.0.1:{api}")
    try:
        until(
            lambda: b"Orders are flowing" in log.read_bytes() or process.poll() is not None, 60, "orders flow"
        )
        assert process.poll() is None, log.read_text()
        until(lambda: running.ask("/summary")["learning"]["flows"] >= 40, 60, "forty orders taught")
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        code = process.wait(30)
    assert code == 0, log.read_text()
    assert marked_processes(str(folder)) == {}, "a process was left behind"


def marked_processes(mark: str) -> dict[int, str]:
    """The command lines, by process id, of the processes that inherited our mark."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                    said = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[int(entry.name)] = said
            except OSError:
                continue
    return found


def owed_by(demo: Demo, service: str) -> list[Any]:
    """The findings in which *service* is missing; of the API, because starting a command takes a second."""
    return [finding for finding in demo.ask("/stuck")["stuck"] if finding["missing"]["service"] == service]


def told_of(demo: Demo, service: str) -> list[Any]:
    """The same as people ask for them, by a command."""
    return [finding for finding in demo.answer("stuck")["stuck"] if finding["missing"]["service"] == service]


def test_broken_payment_is_named_and_mended_payment_empties_the_list(demo: Demo) -> None:
    """This is why the product exists, in the words of its users."""
    broken = time.time_ns()
    assert demo.run("demo", "break", "payment").returncode == 0

    found = until(lambda: owed_by(demo, "payment"), 60, "an order is stuck", demo.state)
    deadline_s = found[0]["expectation"]["deadline_ms"] / 1000
    time.sleep(10)
    asked = time.time_ns()
    # Another test may have silenced a service for a while: flows that stopped then stay stopped.
    listed = [finding for finding in demo.answer("stuck")["stuck"] if finding["since_unix_nano"] > broken]
    flows = demo.ask("/flows?limit=10000&window_s=600")["flows"]

    assert {finding["cause"] for finding in listed} == {"consumer_down"}
    assert {finding["missing"]["service"] for finding in listed} == {"payment"}
    assert {finding["stopped_at"]["event_type"] for finding in listed} == {"StockReserved"}
    # Every flow that has waited for a payment ten seconds longer than the deadline is listed.
    overdue = {
        flow["key"]
        for flow in flows
        if flow["outcome"] is None
        and flow["last_event_type"] in {"StockReserved", "OrderCleared"}
        and flow["started_unix_nano"] > broken
        and (asked - flow["last_unix_nano"]) / 1e9 > deadline_s + 10
    }
    assert overdue <= {finding["key"] for finding in listed}
    assert len(listed) >= RATE * 5

    sentence = demo.run("why", listed[0]["key"]).stdout
    assert "payment has not taken StockReserved" in sentence
    assert "consumer_down" in sentence

    assert demo.run("demo", "mend", "payment").returncode == 0
    until(lambda: not owed_by(demo, "payment"), 60, "the list is empty")
    until(lambda: not told_of(demo, "payment"), 60, "the command tells of none")
    first = listed[0]["key"]
    until(lambda: demo.ask(f"/flows/{first}")["flows"][0]["state"] == "done", 60, f"{first} is done")
    assert demo.answer("flow", first)["flows"][0]["state"] == "done"


def test_silent_service_is_told_from_a_dead_one(demo: Demo) -> None:
    assert demo.run("demo", "break", "fraud", "--how", "silent").returncode == 0
    until(lambda: owed_by(demo, "fraud"), 60, "an order is stuck", demo.state)
    found = told_of(demo, "fraud")
    assert demo.run("demo", "mend", "fraud").returncode == 0

    assert found
    assert {(f["cause"], f["missing"]["next_event_type"]) for f in found} == {
        ("handler_silent", "OrderCleared")
    }


@pytest.mark.parametrize(
    "how", [("slow", "--delay-ms", "600000"), ("crashing",)], ids=["hangs and is killed", "crashes"]
)
def test_handler_that_never_ends_is_told_from_one_that_never_began(demo: Demo, how: Sequence[str]) -> None:
    """Its service is up, or up again, and takes messages: only the message at hand is in trouble."""
    assert demo.run("demo", "break", "payment", "--how", *how).returncode == 0

    def begun() -> list[Any]:
        return [finding for finding in owed_by(demo, "payment") if finding["cause"] == "not_acknowledged"]

    found = until(begun, 40, "a handling that began is stuck")[0]
    assert found["stopped_at"]["event_type"] == "StockReserved"
    assert re.search(
        r"payment \(payment-[12]\) took StockReserved .* and has not finished", found["sentence"]
    )
    word = next(fact["ref"] for fact in found["evidence"] if "began to handle" in fact["text"])
    spans = json.dumps(demo.ask(f"/spans/{found['key']}"))
    assert word.split(":")[1] in spans

    assert demo.run("demo", "mend", "payment").returncode == 0
    if how[0] == "slow":  # mending does not free a handler that hangs already
        for process, command in marked_processes(demo.environment[MARK]).items():
            if "sample_services payment" in command:
                os.kill(process, signal.SIGKILL)
    until(lambda: not owed_by(demo, "payment"), 60, "the list is empty")
    flow = until(
        lambda: (item := demo.ask(f"/flows/{found['key']}")["flows"][0])["state"] == "done" and item,
        60,
        "the flow is done",
    )
    assert not flow["incomplete"]


def test_shop_is_drawn_as_it_is(demo: Demo) -> None:
    """Fan-out, choice, join, compensation and batch, all from real spans."""
    drawn = demo.answer("map")
    reacts: dict[str, set[str]] = {}
    for row in drawn["reactions"]:
        reacts.setdefault(row["event_type"], set()).add(row["service"])
    emits = {(row["service"], row["event_type"], row["emits"]) for row in drawn["emits"]}

    assert reacts["OrderPlaced"] == {"inventory", "fraud", "analytics", "notification"}
    assert reacts["score.order"] == {"score"}
    assert ("fraud", "OrderPlaced", "score.order") in emits
    assert {"shipping", "analytics"} == reacts["PaymentCaptured"] == reacts["OrderCleared"]
    assert ("payment", "StockReserved", "PaymentCaptured") in emits
    assert ("warehouse", "ShipmentPrepared", "ParcelPicked") in emits
    assert ("order", "ParcelPicked", "OrderShipped") in emits


def test_unknown_service_is_refused_with_those_there_are(demo: Demo) -> None:
    done = demo.run("demo", "break", "nobody")

    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert "payment" in done.stderr


def test_second_demo_says_which_port_is_taken(demo: Demo) -> None:
    done = demo.run("demo", "--without-dashboard")

    assert done.returncode == 2
    assert done.stderr.startswith("choreoscope: Port ")
    assert done.stderr.count("\n") == 1
