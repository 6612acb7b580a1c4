"""What do senders that never end cost, and whom do they keep out? `python -m benchmarks.half_sent`

Forty of them announce 60 MiB each, over gRPC and then over HTTP, and send all but the last of it. Meanwhile,
another sender does nothing wrong. Printed are the collector's memory and how long that one waits.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import httpx

from tests.collecting import Collector
from tests.factories import protobuf, request, span
from tests.half_sending import HalfCall, connected, http_head

MIB = 1024 * 1024
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def resident_mib(process: int) -> int:
    """The memory of a process, as the system counts it."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 // MIB


async def over_grpc(collector: Collector, held: contextlib.AsyncExitStack, size: int) -> None:
    """Begin a call and do not end it."""
    call = HalfCall(await held.enter_async_context(connected(collector.grpc_port)), size, size - MIB)
    held.callback(asyncio.create_task(call.run()).cancel)


async def over_http(collector: Collector, held: contextlib.AsyncExitStack, size: int) -> None:
    """Begin a request and do not end it."""
    _, writer = await held.enter_async_context(connected(collector.http_port))

    async def send() -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(http_head(size))
            for _ in range(size // MIB - 1):
                writer.write(bytes(MIB))
                await writer.drain()

    held.callback(asyncio.create_task(send()).cancel)


async def honest_grpc(collector: Collector, body: bytes) -> None:
    """Send a request over a connection of its own."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{collector.grpc_port}") as channel:
        await channel.unary_unary(EXPORT)(body, timeout=30)


async def honest_http(collector: Collector, body: bytes) -> None:
    """Send a request, again if it is told to."""
    headers = {"content-type": "application/x-protobuf"}
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{collector.http_port}/v1/traces"
        for _ in range(100):
            if (await client.post(url, content=body, headers=headers, timeout=30)).status_code == 200:
                return
            await asyncio.sleep(0.2)
        raise AssertionError("nobody is let in any more")


async def attack(
    collector: Collector,
    half: Callable[[Collector, contextlib.AsyncExitStack, int], Awaitable[None]],
    honest: Callable[[Collector, bytes], Awaitable[None]],
    given: argparse.Namespace,
) -> tuple[int, float]:
    """The most memory, in MiB, and the longest wait of the honest sender, in seconds."""
    assert collector.process is not None
    most, longest = 0, 0.0
    async with contextlib.AsyncExitStack() as held:
        for _ in range(given.senders):
            await half(collector, held, given.mib * MIB)
        until = time.monotonic() + given.seconds
        while time.monotonic() < until:
            began = time.monotonic()
            await honest(collector, protobuf(request(span(id=f"{time.time_ns()}"))))
            longest = max(longest, time.monotonic() - began)
            most = max(most, resident_mib(collector.process.pid))
            await asyncio.sleep(0.2)
    return most, longest


def main() -> int:
    """Attack both doors, and print what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--senders", type=int, default=40)
    parser.add_argument("--mib", type=int, default=60, help="that each announces")
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    for name, half, honest in (
        ("OTLP/gRPC", over_grpc, honest_grpc),
        ("OTLP/HTTP", over_http, honest_http),
    ):
        with tempfile.TemporaryDirectory() as folder:
            collector = Collector(Path(folder)).start()
            assert collector.process is not None
            before = resident_mib(collector.process.pid)
            most, longest = asyncio.run(attack(collector, half, honest, given))
            print(
                f"{name}: {given.senders} senders of {given.mib} MiB that do not end: {before} MiB before,"
                f" {most} at most; somebody else waited {longest:.2f} s at worst"
            )
            collector.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
