"""What does reading NATS cost? A collector's reader beside a real server with many consumers.

CPU seconds are those of the kernel (/proc), so that the figures hold on a busy machine; the reader has a
process of its own. `python -m benchmarks.broker_reader --consumers 200 --seconds 60`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nats
import uvloop

from collector.brokers.contract import Spot, Wanted
from collector.brokers.nats.nats_reader import NatsReader
from collector.brokers.nats.sign_in import SignIn
from tests.sample_services.harness import NatsServer

_MB = 1024


def cpu_s(pid: int | str = "self") -> float:
    """Processor seconds that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb() -> int:
    """Resident memory of this process."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1])


async def make(url: str, consumers: int, streams: int) -> None:
    """*consumers* durable consumers, evenly on *streams* streams, and a few messages."""
    client = await nats.connect(url)
    for stream in range(streams):
        config: dict[str, Any] = {"name": f"S{stream}", "subjects": [f"s{stream}.>"], "storage": "memory"}
        config |= {"retention": "limits", "max_consumers": -1, "num_replicas": 1}
        await client.request(f"$JS.API.STREAM.CREATE.S{stream}", json.dumps(config).encode(), timeout=30)
        await client.publish(f"s{stream}.placed", b"x")
    for number in range(consumers):
        name, stream = f"c{number:05}", number % streams
        config = {"durable_name": name, "ack_policy": "explicit", "filter_subject": f"s{stream}.placed"}
        body = json.dumps({"stream_name": f"S{stream}", "config": config}).encode()
        made = f"$JS.API.CONSUMER.DURABLE.CREATE.S{stream}.{name}"
        said = json.loads((await client.request(made, body, timeout=30)).data)
        assert "error" not in said, said
    await client.close()


def read(url: str, seconds: float, streams: int, findings: bool, told: Any) -> None:
    """Read for *seconds*, and tell what that took."""

    async def run() -> None:
        reader = NatsReader(SignIn((url,)))
        before = memory_kb()
        if findings:
            wanted = Wanted(
                frozenset(f"s{number}.placed" for number in range(min(streams, 4))),
                frozenset({"c00000", "c00001", "c00002"}),
                frozenset({Spot("S0", 1)}),
                anything=True,
            )
        else:
            wanted = Wanted(anything=True)
        reader.want(wanted)
        task = asyncio.create_task(reader.run())
        while reader.known.consumers_whole_until == 0:  # noqa: ASYNC110  # it belongs to no event
            await asyncio.sleep(0.1)
        begun, first, asked = time.monotonic(), cpu_s(), reader.requests
        await asyncio.sleep(seconds)
        took = time.monotonic() - begun
        told.put(
            {
                "consumers": len(reader.known.consumers),
                "core_percent": round(100 * (cpu_s() - first) / took, 2),
                "requests_s": round((reader.requests - asked) / took, 2),
                "memory_mb": round((memory_kb() - before) / _MB, 1),
                "peak_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / _MB, 1),
            }
        )
        task.cancel()

    uvloop.run(run())


def main() -> None:
    """Print a line for quiet times, and one for findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--consumers", type=int, default=200)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        server.start()
        try:
            asyncio.run(make(server.url, given.consumers, given.streams))
            spawn = multiprocessing.get_context("spawn")
            for findings in (False, True):
                told = spawn.SimpleQueue()
                process = spawn.Process(
                    target=read, args=(server.url, given.seconds, given.streams, findings, told)
                )
                process.start()
                print(json.dumps({"findings": findings, **told.get()}), flush=True)
                process.join()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
