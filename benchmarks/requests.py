"""What do small requests cost, and other ways to send? `python -m benchmarks.requests [--seconds 5]`

One collector on free ports takes one kind of load after another: requests of few and of many spans, over HTTP
and gRPC, as protobuf and JSON, plain, gzip and zstd, over 1, 32 and 500 connections, each of which waits for
its answer before it sends again. Printed for each are spans a second, the collector's processor time for a
span, and how long a sender waits. Senders run in this process, on the same cores.
"""

import argparse
import asyncio
import json
import tempfile
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.ingest import Template, collector, cpu_seconds, template
from tests.factories import as_json

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_AGAIN_S = 0.1
_RESTING = 0.15  # of a processor
_BUILT = 8  # bodies for each load; more connections share them
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "gzip": lambda body: zlib.compress(body, 1, zlib.MAX_WBITS | 16),
    "zstd": lambda body: pa.compress(body, "zstd", asbytes=True),
}

Send = Callable[[bytes], Awaitable[bool]]  # whether it was taken


@dataclass(frozen=True)
class Load:
    """One kind of senders."""

    spans: int = 512
    way: str = "HTTP"
    form: str = "protobuf"
    coding: str = ""
    connections: int = 32


LOADS = [
    Load(10, connections=1),
    Load(10),
    Load(100),
    Load(512, connections=1),
    Load(512),
    Load(8_192, connections=4),
    Load(100, connections=500),
    Load(512, "gRPC"),
    Load(10, "gRPC", connections=1),
    Load(512, coding="gzip"),
    Load(512, coding="zstd"),
    Load(512, "gRPC", coding="gzip"),
    Load(100, form="JSON"),
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5, help="for each kind of load")
    given = parser.parse_args()
    print("| spans a request | over | as | connections | spans/s | CPU-us a span | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as (process, ports):
        time.sleep(5)  # the scanner is loaded meanwhile
        for one in LOADS:
            makers = [_maker(one, seed) for seed in range(min(one.connections, _BUILT))]
            _rest(process.pid)
            before = cpu_seconds(process.pid)
            took, requests = asyncio.run(_sent(one, makers, ports, given.seconds))
            _rest(process.pid)  # what it does behind the answers counts, too
            used = (cpu_seconds(process.pid) - before) / (requests * one.spans) * 1e6
            p50, p99 = np.percentile(took, [50, 99]) * 1e3
            rate = requests * one.spans / given.seconds
            kind = f"{one.form}{f', {one.coding}' if one.coding else ''}"
            print(
                f"| {one.spans:,} | {one.way} | {kind} | {one.connections} | {rate:,.0f} | {used:.1f}"
                f" | {p50:.1f} | {p99:.1f} |",
                flush=True,
            )


def _rest(pid: int) -> None:
    """Return once the process has little to do, or after half a minute."""
    for _ in range(30):
        before = cpu_seconds(pid)
        time.sleep(1)
        if cpu_seconds(pid) - before < _RESTING:
            return


def _maker(load: Load, seed: int) -> Callable[[np.random.Generator], bytes]:
    """What makes bodies with fresh ids."""
    made = template(seed, load.spans)
    pack = _PACK[load.coding if load.way == "HTTP" else ""]  # gRPC packs by itself
    if load.form == "JSON":
        return _in_json(made).fresh
    return lambda random: pack(made.fresh(random))


def _in_json(made: Template) -> Template:
    """The same body as JSON, in which ids are hexadecimal digits."""
    request = ExportTraceServiceRequest.FromString(made.body.tobytes())
    spans = [one for group in request.resource_spans for scope in group.scope_spans for one in scope.spans]
    body = json.dumps(as_json(request)).encode()
    places, begin = [], 0
    for one, row in zip(spans, made.places, strict=True):
        key = made.body[row[3] : row[3] + 12].tobytes()
        ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
        found = [body.index(text.encode(), begin) for text in ids]
        places.append([*found, body.index(key, begin)])
        begin = min(found)
    return Template(np.frombuffer(bytearray(body), np.uint8), np.array(places), made.order, hexadecimal=True)


async def _sent(
    load: Load,
    makers: list[Callable[[np.random.Generator], bytes]],
    ports: dict[str, int],
    seconds: float,
) -> tuple[list[float], int]:
    """How long each answer took, in seconds, and how many there were."""
    took: list[float] = []
    until = time.monotonic() + seconds

    async def one(number: int) -> None:
        random = np.random.Generator(np.random.SFC64((number, load.spans)))
        send, close = await (_grpc if load.way == "gRPC" else _http)(load, ports)
        while time.monotonic() < until:
            body = makers[number % len(makers)](random)
            begun = time.monotonic()
            while not await send(body):  # noqa: ASYNC110  # refused: as exporters do, it is sent again
                await asyncio.sleep(_AGAIN_S)
            took.append(time.monotonic() - begun)
        await close()

    await asyncio.gather(*map(one, range(load.connections)))
    return took, len(took)


async def _http(load: Load, ports: dict[str, int]) -> tuple[Send, Callable[[], Awaitable[None]]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", ports["CHOREOSCOPE_HTTP_PORT"])
    kind = "application/json" if load.form == "JSON" else "application/x-protobuf"
    coding = f"content-encoding: {load.coding}\r\n" if load.coding else ""
    head = f"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n{coding}content-length: "

    async def send(body: bytes) -> bool:
        writer.write(b"%b%d\r\n\r\n%b" % (head.encode(), len(body), body))
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not answer.startswith((b"http/1.1 200", b"http/1.1 503")):
            raise SystemExit(f"the collector answered {answer!r}")
        length = answer.partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length or 0))
        return answer.startswith(b"http/1.1 200")

    async def close() -> None:
        writer.close()

    return send, close


async def _grpc(load: Load, ports: dict[str, int]) -> tuple[Send, Callable[[], Awaitable[None]]]:
    channel = grpc.aio.insecure_channel(
        f"127.0.0.1:{ports['CHOREOSCOPE_GRPC_PORT']}", options=[("grpc.use_local_subchannel_pool", 1)]
    )
    export = channel.unary_unary(_EXPORT)
    coding = grpc.Compression.Gzip if load.coding == "gzip" else None

    async def send(body: bytes) -> bool:
        try:
            await export(body, compression=coding)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    return send, channel.close


if __name__ == "__main__":
    main()
