"""Does a collector stay as it is over a long life? `python -m benchmarks.long_life [--minutes 60]`

It gets what has no end by nature: ids in event types, services that are never seen again, and flows that
never end, with a small shop's flows among them. Printed over time: memory, threads, descriptors, how long a
tick takes, and what there was no room for. Afterwards all of them should be flat, and the shop's steps known.

A figure, not a test: `--rate` is what this machine has to spare, in spans a second.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.ingest import collector, memory

_SHOWN = (
    "choreoscope_live_spans",
    "choreoscope_tick_seconds",
    "choreoscope_expectations",
    "choreoscope_names_together_total",
    "choreoscope_names_forgotten_total",
    "choreoscope_steps_forgotten_total",
    "choreoscope_flows_put_early_total",
)


def main() -> None:
    """Send, and print a line now and then."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=4_000, help="spans a second")
    parser.add_argument("--every", type=float, default=30, help="seconds between two lines")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as (process, ports):
        http, api = ports["CHOREOSCOPE_HTTP_PORT"], ports["CHOREOSCOPE_API_PORT"]
        print("  min    MB  threads  fds", *(name.removeprefix("choreoscope_") for name in _SHOWN))
        asyncio.run(lived(http, api, process.pid, given.minutes * 60, given.rate, given.every))
        found = httpx.get(f"http://127.0.0.1:{api}/api/v1/expectations", trust_env=False, timeout=60).json()
        print("\n".join(note["text"] for note in found["rests_on"]["notes"]))
        shop = {one["service"] for one in found["expectations"] if one["state"] == "always"}
        print("known of the shop:", sorted(name for name in shop if name.startswith("shop-")))


async def lived(port: int, api: int, pid: int, seconds: float, rate: int, every: float) -> None:
    """Send *rate* spans a second for *seconds*, and print a line *every* so many."""
    begun = shown = time.monotonic()
    sent, bodies = 0, requests()
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        while (now := time.monotonic()) - begun < seconds:
            if now - shown >= every or not sent:
                shown = now
                await line(client, api, pid, (now - begun) / 60)
            spans, body = next(bodies)
            answer = await client.post(
                f"http://127.0.0.1:{port}/v1/traces",
                content=body,
                headers={"content-type": "application/x-protobuf"},
            )
            sent += spans if answer.status_code == 200 else 0
            await asyncio.sleep(max(begun + sent / rate - time.monotonic(), 0))
        await line(client, api, pid, (time.monotonic() - begun) / 60)


async def line(client: httpx.AsyncClient, api: int, pid: int, minutes: float) -> None:
    """Print how the process is doing."""
    text = (await client.get(f"http://127.0.0.1:{api}/metrics")).text
    values = dict(one.rsplit(" ", 1) for one in text.splitlines() if not one.startswith("#"))
    threads, files = (how_many(pid, what) for what in ("task", "fd"))
    told = (f"{float(values.get(name, 0)):.6g}" for name in _SHOWN)
    print(f"{minutes:5.1f} {memory(pid, 'VmRSS'):5} {threads:8} {files:4}", *told, flush=True)


def how_many(pid: int, what: str) -> int:
    """How many entries of a kind the system has for a process: its tasks, or its descriptors."""
    return len(list(Path(f"/proc/{pid}/{what}").iterdir()))


def requests() -> Iterator[tuple[int, bytes]]:
    """(spans, body) of one request after the other: 40 flows with ids in their names, and five of a shop."""
    for number in count():
        request = ExportTraceServiceRequest()
        for one in range(40):
            name = f"{number}-{one}"
            _flow(request, f"device-{name}", f"seen.{name}", f"worker-{name}", ends=one % 2 == 0)
        for one in range(5):
            _flow(request, "shop-order", "OrderPlaced", "shop-payment", key=f"S-{number}-{one}")
        yield 45 * 2 - 20, request.SerializeToString()


def _flow(
    request: ExportTraceServiceRequest, by: str, event: str, to: str, *, key: str = "", ends: bool = True
) -> None:
    """A message and, if the flow *ends*, the reaction to it."""
    key = key or f"{by}/{event}"
    now, trace = time.time_ns(), hash(key).to_bytes(8, "big", signed=True) * 2
    sides = ((by, Span.SPAN_KIND_PRODUCER, "send"), (to, Span.SPAN_KIND_CONSUMER, "process"))
    for place, (service, kind, does) in enumerate(sides[: 2 if ends else 1]):
        resource = request.resource_spans.add()
        _say(resource.resource.attributes, "service.name", service)
        span = resource.scope_spans.add().spans.add(
            trace_id=trace,
            span_id=(place + 1).to_bytes(8, "big"),
            parent_span_id=(1).to_bytes(8, "big") if place else b"",
            name=f"{does} {event}",
            kind=kind,
            start_time_unix_nano=now + place * 1_000_000,
            end_time_unix_nano=now + place * 1_000_000 + 500_000,
        )
        _say(span.attributes, "messaging.system", "nats")
        _say(span.attributes, "messaging.operation.type", does)
        _say(span.attributes, "messaging.destination.name", event)
        _say(span.attributes, "cloudevents.event_type", event)
        _say(span.attributes, "order.id", key)


def _say(attributes: "object", key: str, value: str) -> None:
    attributes.add(key=key).value.string_value = value  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
