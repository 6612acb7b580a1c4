"""Does any input break a decoder? Mutations of sound inputs, and what protobuf's own parser says of the same.

No input may raise anything but the decoder's own errors, or take longer than a tenth of a second of processor
time. What protobuf takes, we take; where we take more (text that is not UTF-8, what stays encoded), each
length in it is still right.
"""

import asyncio
import codecs
import gzip
import json
import random
import time
import zlib
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import httpx
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette

from benchmarks.torture.outcomes import Outcome
from collector import formats
from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Body, Encoding, OtlpError, bounds, decode, scanning
from collector.ingest.intake import Accepted
from collector.ingest.receivers.http import http_app
from collector.web.bodies import BodyError, inflate
from collector.web.budget import Budget, Share
from tests.factories import NOW, as_json, protobuf, request, span
from tests.mutating import mutated
from tests.scans import Harness, contradiction, difference, padded, random_request

_LONG_S = 0.1
_SPANS = (
    span(
        id="a", parent="p", links=[("t", "b")], error="no", attributes={"n": -1, "s": "x", "l": [1, {"k": 2}]}
    ),
    span(id="b", attributes={"order.id": "A-1", "b": b"\x00\xff", "f": 1.5, "t": True}),
)
_REQUESTS = [request(_SPANS[0]), request(*_SPANS, service="other", resource={"host": "h"}), request()]
_PROTOBUF = [protobuf(one) for one in _REQUESTS]
_JSON = [json.dumps(as_json(one)).encode() for one in _REQUESTS]
_JAEGER = b'{"data":[{"traceID":"1","spans":[{"traceID":"1","spanID":"2","operationName":"x","references":[{"refType":"CHILD_OF","traceID":"1","spanID":"3"}],"startTime":1,"duration":2,"tags":[{"key":"a","type":"string","value":"b"}],"processID":"p1"}],"processes":{"p1":{"serviceName":"s","tags":[]}}}]}'  # noqa: E501
_ZIPKIN = b'[{"traceId":"1","id":"2","parentId":"3","name":"x","timestamp":1,"duration":2,"kind":"CLIENT","localEndpoint":{"serviceName":"s"},"tags":{"a":"b"},"annotations":[{"timestamp":1,"value":"v"}]}]'  # noqa: E501

Check = Callable[[bytes], str]  # what is wrong; empty if nothing is


def _protobuf(body: bytes) -> str:
    try:
        bounds.require_framed(body)
        framed = True
    except OtlpError:
        framed = False
    try:
        ExportTraceServiceRequest.FromString(body)
        sound = True
    except DecodeError:
        sound = False
    if sound and not framed:
        return "protobuf takes it, and we do not" if b"empty" not in body else ""
    (verdict,) = decode([Body(body, Encoding.PROTOBUF)], NOW).verdicts
    if not framed:
        return "" if verdict.error else "it was taken unframed"
    return "the decoder panicked" if "decoder failed" in str(verdict.error) else ""


def _json(body: bytes) -> str:
    (verdict,) = decode([Body(body, Encoding.JSON)], NOW).verdicts
    try:
        # As lenient as our decoder about the text of names that it skips.
        json.loads(body.removeprefix(codecs.BOM_UTF8).decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        return "" if verdict.error else "it was taken, and is no JSON"
    return ""


def _packed(coding: str, body: bytes) -> str:
    try:
        out = inflate(body, coding, 2**20)
    except BodyError:
        return ""
    return "" if len(out) <= 2**20 else "more came out than is allowed"


def _file(body: bytes) -> str:
    try:
        formats.read(body, NOW)
    except formats.FormatError as error:
        return "" if len(str(error)) < 1_000 else "its error is a page long"
    return ""


class _Taking:
    """An intake that takes everything: what is tried is what comes before it."""

    def __init__(self) -> None:
        self.budget = Budget(2**30)

    def refuse_early(self) -> None:
        """Refuse nothing."""

    async def accept(self, data: bytes, encoding: Encoding, share: Share) -> Accepted:
        """Say that all is kept."""
        return Accepted()


async def _http(client: httpx.AsyncClient, rng: random.Random) -> str:
    headers = {
        "content-type": "application/x-protobuf",
        "content-encoding": rng.choice(["gzip", "zstd", "", "deflate"]),
    }
    name = rng.choice([*headers, "authorization", "content-length", "origin", "host", "x-other"])
    value = mutated(rng, headers.get(name, "value").encode()).replace(b"\r", b"").replace(b"\n", b"")
    path = mutated(rng, b"/v1/traces") if rng.random() < 0.3 else b"/v1/traces"
    path = quote(path, safe="/%").encode()
    body = mutated(rng, rng.choice(_PROTOBUF))
    url = httpx.URL("http://localhost/").copy_with(raw_path=b"/" + path.lstrip(b"/"))
    sent = [(key.encode(), text.encode()) for key, text in headers.items() if key != name] + [
        (name.encode(), value)
    ]
    answer = await client.send(
        client.build_request(rng.choice(["POST", "POST", "PUT", "GET"]), url, content=body, headers=sent)
    )
    return "" if answer.status_code < 500 else f"{answer.status_code}: {answer.text[:100]}"


def _fuzz(check: Check, seeds: list[bytes], minutes: float, seed: int) -> Outcome:
    rng = random.Random(seed)
    until, count, slowest = time.monotonic() + minutes * 60, 0, 0.0
    while time.monotonic() < until or count < 500:
        body = mutated(rng, rng.choice(seeds), seeds)
        started = time.thread_time()
        try:
            wrong = check(body)
        except BaseException as error:  # a panic of compiled code is no Exception
            wrong = f"{type(error).__name__}: {error}"
        took = time.thread_time() - started
        slowest = max(slowest, took)
        count += 1
        if not wrong and took > _LONG_S:
            wrong = f"it took {took:.2f} s"
        if wrong:
            return Outcome(False, f"execution {count:,}, {wrong[:200]}: {body[:200]!r}")
    return Outcome(True, f"{count:,} executions, the longest {slowest * 1000:.0f} ms")


def _fuzz_http(minutes: float, seed: int) -> Outcome:
    app: Starlette = http_app(_Taking(), Config(), Counters())  # type: ignore[arg-type]
    rng = random.Random(seed)

    async def run() -> Outcome:
        until, count = time.monotonic() + minutes * 60, 0
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            while time.monotonic() < until or count < 200:
                count += 1
                if wrong := await _http(client, rng):
                    return Outcome(False, f"execution {count:,}, {wrong}")
        return Outcome(True, f"{count:,} requests")

    return asyncio.run(run())


def _fuzz_scanner(minutes: float, seed: int) -> Outcome:
    """Is what the scanner returns what is returned without it, and what protobuf's own parser says?

    Bodies and columns end at pages that nobody may touch: a read or write out of bounds ends the process.
    """
    scanning.prepare()
    if scanning.ready() is None:
        return Outcome(True, "left out: there is no compiler here")
    rng, harness = random.Random(seed), Harness()
    until, sound, damaged, taken = time.monotonic() + minutes * 60, 0, 0, 0
    while time.monotonic() < until or not damaged:
        seeds = [random_request(rng).SerializeToString() for _ in range(40)]
        seeds += map(padded, seeds[:10])
        bodies = [mutated(rng, rng.choice(seeds), seeds) for _ in range(400)]
        taken += sum(map(harness.scan, bodies))
        for group in (seeds, bodies[:100]):
            if wrong := difference(group) or next(filter(None, map(contradiction, group)), ""):
                return Outcome(False, f"after {sound + damaged:,}, {wrong[:2_000]}")
        sound, damaged = sound + len(seeds), damaged + len(bodies)
    return Outcome(
        True, f"{sound:,} requests, {damaged:,} mutations ({taken:,} of them taken); a quarter was compared"
    )


def _zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


PARTS: dict[str, Callable[[float, int], Outcome]] = {
    "fuzz-protobuf": partial(_fuzz, _protobuf, _PROTOBUF),
    "fuzz-scanner": _fuzz_scanner,
    "fuzz-json": partial(_fuzz, _json, _JSON),
    "fuzz-gzip": partial(_fuzz, partial(_packed, "gzip"), [gzip.compress(one) for one in _PROTOBUF]),
    "fuzz-zstd": partial(_fuzz, partial(_packed, "zstd"), [_zstd(one) for one in _PROTOBUF]),
    "fuzz-deflate": partial(_fuzz, partial(_packed, "deflate"), [zlib.compress(one) for one in _PROTOBUF]),
    "fuzz-files": partial(_fuzz, _file, [*_PROTOBUF, *_JSON, _JAEGER, _ZIPKIN, b"\n".join(_JSON)]),
    "fuzz-http": _fuzz_http,
}
