"""What do unfinished flows cost the collector? `python -m benchmarks.unfinished [--flows 1000000]`

The collector first learns a shop of seven services. Then that many orders of ten spans stop at a message that
the sixth service never takes. Prints how soon all of them are stuck, the peak memory, and how long it takes
until the first one is done once the rest of its spans arrives late: by then it is only in the store.
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.ingest import KEY_DIGITS, Template, collector, exchange, mark, memory

SERVICES = ("order", "stock", "payment", "shipping", "parcels", "invoices", "archive")
ORDER = 2 * len(SERVICES) - 1  # spans: the one that began it, and each message with the reaction to it
STOPPED = 10  # spans of an order that stops
ORDERS = 50  # orders in a request
TAUGHT = 2_000
SENDERS = 8

Stopped = tuple[bytes, bytes, str]  # an order: its trace, its last span and its key


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flows", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as (process, ports):
        port = ports["CHOREOSCOPE_HTTP_PORT"]
        api = httpx.Client(base_url=f"http://127.0.0.1:{ports['CHOREOSCOPE_API_PORT']}/api/v1", timeout=60)
        asyncio.run(send(port, ORDER, TAUGHT))
        wait("what to expect", lambda: summary(api)["learning"]["expectations"] >= len(SERVICES) - 1)
        before = memory(process.pid, "VmRSS")
        began = time.monotonic()
        first = asyncio.run(send(port, STOPPED, given.flows))
        took = time.monotonic() - began
        waited = wait("all of them to be stuck", lambda: summary(api)["states"]["stuck"] >= given.flows)
        print(f"{given.flows:,} flows came in within {took:.0f} s; all were stuck {waited:.0f} s after that")
        print(f"peak memory {memory(process.pid, 'VmHWM'):,} MB, before {before:,} MB")
        httpx.post(f"http://127.0.0.1:{port}/v1/traces", content=the_rest_of(first), headers=PROTOBUF)
        late = wait("the first one to be done", lambda: state(api, first[2]) == ("done", ORDER // 2))
        print(f"late spans brought the first of them back and finished it after {late:.1f} s")


PROTOBUF = {"content-type": "application/x-protobuf"}


def summary(api: httpx.Client) -> Any:
    """The figures of the first page."""
    return api.get("/summary").json()


def state(api: httpx.Client, key: str) -> tuple[str, int]:
    """The state of a flow, and how many reactions it has."""
    (flow,) = api.get(f"/flows/{key}").json()["flows"]
    return flow["state"], flow["reactions"]


def wait(what: str, there: Callable[[], bool], most: float = 60.0) -> float:
    """Wait for *what* until it is *there*; return how many seconds that took."""
    began = time.monotonic()
    while not there():
        if time.monotonic() - began > most:
            raise SystemExit(f"waited {most:.0f} s for {what} in vain")
        time.sleep(0.2)
    return time.monotonic() - began


async def send(port: int, spans: int, orders: int) -> Stopped:
    """Send *orders* orders of *spans* spans each; return the ids of the first one."""
    numbers, found = itertools.count(), []

    async def post(seed: int) -> None:
        one, random = template(spans, seed), np.random.Generator(np.random.SFC64(spans * SENDERS + seed))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (number := next(numbers)) * ORDERS < orders:
            body = one.fresh(random)
            if number == 0:
                trace, last, _, key = one.places[spans - 1].tolist()
                found.append(
                    (body[trace : trace + 16], body[last : last + 8], f"A-{body[key:][:KEY_DIGITS].decode()}")
                )
            await exchange(reader, writer, body)
        writer.close()

    await asyncio.gather(*(post(seed) for seed in range(SENDERS)))
    return found[0]


def template(spans: int, seed: int) -> Template:
    """A body of `ORDERS` orders of *spans* spans each."""
    request = ExportTraceServiceRequest()
    said: list[list[tuple[bytes, ...]]] = [[] for _ in range(ORDERS)]
    by_service = {service: scope_of(request, service) for service in SERVICES}
    for step in range(spans):
        for order in range(ORDERS):
            number = order * spans + step
            ids = mark(seed, number, 0, 16), mark(seed, number, 1, 8), mark(seed, number, 2, 8)
            key = f"{seed:02d}{number:0{KEY_DIGITS - 2}d}"
            add(by_service[SERVICES[step // 2]], step, ids, f"A-{key}")
            said[order].append((*ids, key.encode()))
    body = request.SerializeToString()
    places = np.array([[body.index(found) for found in ids] for order in said for ids in order])
    return Template(np.frombuffer(bytearray(body), np.uint8), places, spans)


def the_rest_of(stopped: Stopped) -> bytes:
    """A request with the spans that an order did not reach before it stopped."""
    request = ExportTraceServiceRequest()
    trace, parent, key = stopped
    for step in range(STOPPED, ORDER):
        ids = trace, mark(0, step, 4, 8), parent
        add(scope_of(request, SERVICES[step // 2]), step, ids, key)
        parent = ids[1]
    return request.SerializeToString()


def scope_of(request: ExportTraceServiceRequest, service: str) -> Any:
    """The scope of *request* that the spans of *service* go into."""
    found = request.resource_spans.add()
    found.resource.attributes.add(key="service.name").value.string_value = service
    return found.scope_spans.add()


def add(scope: Any, step: int, ids: tuple[bytes, bytes, bytes], key: str) -> None:
    """Add a span: first the one that began the order, then alternately a message and the reaction to it."""
    operation = ("process", "send")[step % 2]
    event = f"shop.step.{(step - 1) // 2}"
    now = time.time_ns() + step
    span = scope.spans.add(
        trace_id=ids[0],
        span_id=ids[1],
        parent_span_id=ids[2],
        name=f"{operation} {event}" if step else "place order",
        kind=(Span.SPAN_KIND_CONSUMER, Span.SPAN_KIND_PRODUCER)[step % 2] if step else Span.SPAN_KIND_SERVER,
        start_time_unix_nano=now,
        end_time_unix_nano=now + 1,
    )
    said = {"order.id": key}
    if step:
        said |= {
            "messaging.system": "nats",
            "messaging.operation.type": operation,
            "messaging.destination.name": event,
        }
    for name, value in said.items():
        span.attributes.add(key=name).value.string_value = value


if __name__ == "__main__":
    main()
