"""Does a collector keep what it acknowledged? Kills one under load repeatedly, then checks the store."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collecting import Collector, until
from tests.factories import protobuf, request, span

SPANS = 100  # per request; each is in its own trace
_SENDERS = 4


@dataclass
class Toll:
    """What the kills did. Lists of names are lists of requests; a request's traces are named after it."""

    acknowledged: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    ready_after_s: list[float] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)  # senders end

    def has(self, count: int) -> bool:
        """Whether so many requests were acknowledged."""
        return len(self.acknowledged) >= count

    def send_one(self, port: int, name: str) -> bool:
        """Send one request; return whether it was acknowledged."""
        with httpx.Client(timeout=30, trust_env=False) as client:
            if name in self.unanswered:
                self.unanswered.remove(name)
            self.unanswered.append(name)
            if _post(client, port, name).status_code != 200:
                return False
        self.unanswered.remove(name)
        self.acknowledged.append(name)
        return True


def kill_again_and_again(folder: Path, rounds: int, load_s: float, least: int = 0) -> Toll:
    """Start, load, kill -9, repeat; at the end resend what got no answer, as exporters do, and stop.

    Each time it is killed after *load_s* seconds of load, but not before it acknowledged *least* requests.
    """
    toll = Toll()
    collector = Collector(folder)
    for number in range(rounds):
        started = time.monotonic()
        collector.start()
        toll.ready_after_s.append(time.monotonic() - started)
        enough = len(toll.acknowledged) + least
        with load(collector.http_port, f"{number}", toll):
            time.sleep(load_s)
            until(partial(toll.has, enough))
            collector.stop(signal.SIGKILL)
    collector.start()
    post_again(collector.http_port, toll)
    assert collector.stop() == 0
    return toll


def post_again(port: int, toll: Toll) -> None:
    """Send again what got no answer, as exporters do."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        for name in toll.unanswered:
            _post(client, port, name).raise_for_status()


@contextlib.contextmanager
def load(port: int, name: str, toll: Toll) -> Iterator[None]:
    """Send from several threads while the context runs; they end when the collector does."""
    senders = [
        threading.Thread(target=_send, args=(port, f"{name}.{number}", toll)) for number in range(_SENDERS)
    ]
    for sender in senders:
        sender.start()
    yield
    for sender in senders:
        sender.join()


def stored(folder: Path, requests: list[str]) -> tuple[int, int]:
    """How many spans of these requests are stored, and how many spans in total.

    A separate process looks them up: this one may already have an engine on another folder.
    """
    script = (
        "import sys; from pathlib import Path; from collector.store.open import open_store;"
        " from tests.crashing import traces;"
        " store = open_store(Path(sys.argv[1]), 2**29).stores().spans;"
        " names = [name for name in sys.stdin.read().split()];"
        " print(store.spans_of(traces(names)).num_rows, store.span_count())"
    )
    command = [sys.executable, "-c", script, str(folder / "data")]
    answer = subprocess.run(command, input=" ".join(requests), check=True, capture_output=True, text=True)
    found, total = answer.stdout.split()
    return int(found), int(total)


def traces(requests: list[str]) -> list[bytes]:
    """The trace ids of the spans in these requests."""
    return [one.trace_id for name in requests for one in _spans(name)]


def _send(port: int, name: str, toll: Toll) -> None:
    with httpx.Client(timeout=30, trust_env=False) as client:
        number = 0
        while not toll.stopped.is_set():
            one = f"{name}.{number}"
            try:
                answer = _post(client, port, one)
            except httpx.HTTPError:
                toll.unanswered.append(one)
                return
            (toll.acknowledged if answer.status_code == 200 else toll.unanswered).append(one)
            number += 1
            if answer.status_code != 200:
                time.sleep(0.05)


def _post(client: httpx.Client, port: int, name: str) -> httpx.Response:
    return client.post(
        f"http://127.0.0.1:{port}/v1/traces",
        content=protobuf(request(*_spans(name))),
        headers={"content-type": "application/x-protobuf"},
    )


def _spans(name: str) -> list[Span]:
    return [span(trace=f"{name}.{number}", start=time.time_ns()) for number in range(SPANS)]
