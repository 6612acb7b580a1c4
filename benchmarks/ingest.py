"""How fast does the collector accept spans durably? `python benchmarks/ingest.py [--seconds 60]`

Starts its own collector on free ports with an empty folder. 32 connections (one per service) post requests of
512 spans with 11 attributes, each connection waiting for the answer before it sends the next request. They
run in this process, on the same cores as the collector. The bodies are built beforehand; only ids and order
keys change from request to request, so that the generator's work is not what is measured. `--connections 1`
is a single exporter.

A figure, not a test: a busy machine lowers spans/s, but hardly changes CPU-microseconds a span.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS = 512
TRACE_SPANS = 8  # an order: four messages and the reactions to them
KEY_DIGITS = 12


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=32, help="services that send at once")
    parser.add_argument("--threads", action="store_true", help="print each thread's share as well")
    given = parser.parse_args()
    templates = [template(seed) for seed in range(given.connections)]  # takes seconds and is not measured
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as (process, ports):
        port = ports["CHOREOSCOPE_HTTP_PORT"]
        time.sleep(2)
        idle = memory(process.pid, "VmRSS")
        before = cpu_seconds(process.pid)
        started, generated = time.monotonic(), time.process_time()
        sent = asyncio.run(load(port, templates, given.seconds))
        took = time.monotonic() - started
        used = cpu_seconds(process.pid) - before
        if given.threads:
            print_threads(process.pid, sent)
        ours = time.process_time() - generated
        print(f"{sent / took:,.0f} acknowledged-durable spans/s ({sent:,} in {took:.1f} s)")
        print(f"{used / sent * 1e6:.1f} CPU-us a span in the collector, {ours / sent * 1e6:.1f} in ours")
        print(f"peak memory {memory(process.pid, 'VmHWM'):,} MB, idle before {idle:,} MB")


@dataclass(slots=True)
class Template:
    """A request body, and where in it the ids are."""

    body: np.ndarray[tuple[int], np.dtype[np.uint8]]
    places: np.ndarray[tuple[int, int], np.dtype[np.int64]]  # of each span's trace, span, parent id and key
    order: int = TRACE_SPANS  # this many consecutive spans are one order
    hexadecimal: bool = False  # ids are digits, as in JSON

    def fresh(self, random: np.random.Generator) -> bytes:
        """The body with fresh ids; each span is the child of the one before it in its order."""
        spans, orders = len(self.places), len(self.places) // self.order
        traces = np.repeat(random.integers(0, 256, (orders, 16), np.uint8), self.order, axis=0)
        ids = random.integers(0, 256, (spans, 8), np.uint8)
        parents = np.roll(ids, 1, axis=0)
        parents[:: self.order] = 0
        # Every order is new: if an id were reused, all spans that have it would be one flow.
        digits = random.integers(ord("0"), ord("9") + 1, (orders, KEY_DIGITS), np.uint8)
        keys = np.repeat(digits, self.order, axis=0)
        written = (traces, ids, parents)
        if self.hexadecimal:
            written = tuple(_digits(octets) for octets in written)
        for column, octets in enumerate((*written, keys)):
            self.body[self.places[:, column, None] + np.arange(octets.shape[1])] = octets
        return self.body.tobytes()


def _digits(octets: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> Any:
    """*octets* in hexadecimal, row by row."""
    halves = np.stack([octets >> 4, octets & 15], axis=-1).reshape(len(octets), -1)
    return np.frombuffer(b"0123456789abcdef", np.uint8)[halves]


def template(seed: int, spans: int = SPANS) -> Template:
    """A body of so many *spans* of orders that go through a shop: messages and reactions alternately."""
    request = ExportTraceServiceRequest()
    by_resource = request.resource_spans.add()
    for key, value in (
        ("service.name", "payment"),
        ("service.instance.id", "payment-1"),
        ("host.name", "here"),
    ):
        attribute = by_resource.resource.attributes.add()
        attribute.key, attribute.value.string_value = key, value
    by_scope = by_resource.scope_spans.add()
    by_scope.scope.name = "opentelemetry.instrumentation.nats"
    now = time.time_ns()
    marks = []
    for number in range(spans):
        consumes = number % 2 == 1
        span = by_scope.spans.add(
            trace_id=mark(seed, number, 0, 16),
            span_id=mark(seed, number, 1, 8),
            parent_span_id=mark(seed, number, 2, 8),
            name="process shop.order.placed" if consumes else "send shop.order.placed",
            kind=Span.SPAN_KIND_CONSUMER if consumes else Span.SPAN_KIND_PRODUCER,
            start_time_unix_nano=now + number,
            end_time_unix_nano=now + number + 1_000_000,
        )
        key = f"{seed:02d}{number:0{KEY_DIGITS - 2}d}"
        marks.append((span.trace_id, span.span_id, span.parent_span_id, key.encode()))
        for name, said in attributes(number, consumes, key):
            kind = "int_value" if isinstance(said, int) else "string_value"
            setattr(span.attributes.add(key=name).value, kind, said)
    body = request.SerializeToString()
    places = np.array([[body.index(found) for found in ids] for ids in marks])
    order = TRACE_SPANS if spans % TRACE_SPANS == 0 else 2
    return Template(np.frombuffer(bytearray(body), np.uint8), places, order)


def attributes(number: int, consumes: bool, key: str) -> list[tuple[str, str | int]]:
    """The 11 attributes of a span, as the shop's instrumentation writes them."""
    return [
        ("messaging.system", "nats"),
        ("messaging.operation.type", "process" if consumes else "send"),
        ("messaging.operation.name", "process" if consumes else "publish"),
        ("messaging.destination.name", f"shop.order.placed.{number % 3}"),
        ("messaging.destination.template", "shop.order.placed"),
        ("messaging.consumer.group.name", "payment"),
        ("messaging.message.id", f"{number:08d}-4bf9-2f35"),
        ("messaging.message.body.size", 200 + number),
        ("messaging.client.id", "payment-1"),
        ("server.address", "127.0.0.1"),
        ("order.id", f"A-{key}"),
    ]


def mark(seed: int, number: int, column: int, size: int) -> bytes:
    """Bytes that occur nowhere else in a body."""
    return np.random.default_rng((seed, number, column)).bytes(size)


async def load(port: int, templates: Sequence[Template], seconds: float) -> int:
    """Post for *seconds*, one connection per template; return how many spans were acknowledged."""
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(post(port, one, until, seed) for seed, one in enumerate(templates))))


async def post(port: int, one: Template, until: float, seed: int) -> int:
    """Act as one exporter: send a request, wait for the answer, send the next one; return the spans sent."""
    random = np.random.Generator(np.random.SFC64(seed))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    while time.monotonic() < until:
        await exchange(reader, writer, one.fresh(random))
        sent += SPANS
    writer.close()
    return sent


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
    """Send a request and wait for its answer."""
    writer.write(
        b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
        b"content-length: %d\r\n\r\n" % len(body)
    )
    writer.write(body)
    await writer.drain()
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the collector answered {answer!r}")


@contextlib.contextmanager
def collector(
    folder: Path, within: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """A collector on free ports, and these ports by the names of their settings.

    *within* is where the number of a process is written to put it into a control group.
    """
    names = ("CHOREOSCOPE_HTTP_PORT", "CHOREOSCOPE_GRPC_PORT", "CHOREOSCOPE_API_PORT")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    environment = {
        **os.environ,
        **{name: str(port) for name, port in ports.items()},
        "CHOREOSCOPE_DATA": str(folder),
    }
    command = [sys.executable, "-m", "collector"]
    if within is not None:  # from its first byte on
        command = ["sh", "-c", f'echo $$ > {within} && exec "$@"', "sh", *command]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process, ports
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, over all its threads."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def print_threads(pid: int, spans: int) -> None:
    """Print the CPU-microseconds a span of the busiest threads, by name."""
    used: Counter[str] = Counter()
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        head, tail = stat.read_text().rsplit(") ", 1)
        used[head.partition("(")[2]] += sum(map(int, tail.split()[11:13]))
    for name, ticks in used.most_common(8):
        print(f"  {ticks / os.sysconf('SC_CLK_TCK') / spans * 1e6:6.2f}  {name}")


def memory(pid: int, field: str) -> int:
    """A field of the process's status, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) // 1024


if __name__ == "__main__":
    main()
