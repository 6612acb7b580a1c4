"""Does any input break a decoder? Mutations of sound inputs, and what protobuf's own parser says of the same.

Each decoder is tried by as many processes as there are processors, each with mutations of its own; one that
ends is a finding. No input may raise anything but the decoder's own errors, or take longer than a tenth of a
second of processor time. What protobuf takes, we take; where we take more (text that is not UTF-8, what stays
encoded), each length in it is still right.
"""

import asyncio
import codecs
import gzip
import json
import os
import random
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.torture import http_requests
from benchmarks.torture.mutants import Mutants
from benchmarks.torture.outcomes import Outcome
from collector import formats
from collector.commands.processes import end_with_parent
from collector.formats.otlp import Body, Encoding, OtlpError, bounds, decode, scanning
from collector.web.bodies import BodyError, inflate
from tests.factories import NOW, as_json, protobuf, request, span
from tests.scans import Harness, contradiction, difference, padded, random_request, without_scanner

_LONG_S = 0.1
_ROUNDS = 100  # of mutations, for each that is compared
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

# What is wrong with the first of these bodies with which anything is; empty if nothing is.
Check = Callable[[Sequence[bytes]], str]


@dataclass(frozen=True)
class Tally:
    """What one process tried, and what is wrong, if anything is."""

    executions: int
    wrong: str = ""
    slowest_s: float = 0.0
    compared: int = 0  # with what others say of the same


def _protobuf(bodies: Sequence[bytes]) -> str:
    """The decoder behind the scanner, which alone refuses."""
    with without_scanner():
        verdicts = decode([Body(body, Encoding.PROTOBUF) for body in bodies], NOW).verdicts
    for body, verdict in zip(bodies, verdicts, strict=True):
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
        wrong = ""
        if sound and not framed:
            wrong = "" if b"empty" in body else "protobuf takes it, and we do not"
        elif not framed:
            wrong = "" if verdict.error else "it was taken unframed"
        elif "decoder failed" in str(verdict.error):
            wrong = "the decoder panicked"
        if wrong:
            return _told(wrong, body)
    return ""


def _json(bodies: Sequence[bytes]) -> str:
    verdicts = decode([Body(body, Encoding.JSON) for body in bodies], NOW).verdicts
    for body, verdict in zip(bodies, verdicts, strict=True):
        if verdict.error is None:
            try:
                # As lenient as our decoder about the text of names that it skips.
                json.loads(body.removeprefix(codecs.BOM_UTF8).decode(errors="replace"), strict=False)
            except (ValueError, RecursionError):
                return _told("it was taken, and is no JSON", body)
    return ""


def _packed(coding: str, bodies: Sequence[bytes]) -> str:
    for body in bodies:
        try:
            out = inflate(body, coding, 2**20)
        except BodyError:
            continue
        if len(out) > 2**20:
            return _told("more came out than is allowed", body)
    return ""


def _file(bodies: Sequence[bytes]) -> str:
    for body in bodies:
        try:
            formats.read(body, NOW)
        except formats.FormatError as error:
            if len(str(error)) >= 1_000:
                return _told("its error is a page long", body)
    return ""


def _told(wrong: str, body: bytes) -> str:
    return f"{wrong}: {body.hex()}"


def _fuzz(check: Check, seeds: list[bytes], minutes: float, seed: int) -> Tally:
    mutants = _mutants(seeds, minutes, seed)
    until, count, slowest, usual = time.monotonic() + minutes * 60, 0, 0.0, float("inf")
    while time.monotonic() < until or not count:
        bodies = mutants.bodies()
        wrong, took = _tried(check, bodies)
        count, usual = count + len(bodies), min(usual, took)
        if wrong or took > 2 * usual + _LONG_S:  # which of them is it?
            for body in bodies:
                alone, took = _tried(check, [body])
                if took > _LONG_S:  # a collection of garbage, or is it the body?
                    took = min(took, *(_tried(check, [body])[1] for _ in range(3)))
                slowest = max(slowest, took)
                if alone or took > _LONG_S:
                    return Tally(count, alone or _told(f"it took {took:.2f} s", body), slowest)
        if wrong:
            return Tally(count, f"only together with others: {wrong}", slowest)
    return Tally(count, "", slowest)


def _tried(check: Check, bodies: Sequence[bytes]) -> tuple[str, float]:
    """What is wrong, and how long it took all of them."""
    started = time.thread_time()
    try:
        wrong = check(bodies)
    except BaseException as error:  # a panic of compiled code is no Exception
        wrong = _told(f"{type(error).__name__}: {error}", bodies[0])
    return wrong, time.thread_time() - started


def _fuzz_http(minutes: float, seed: int) -> Tally:
    mutants = _mutants(http_requests.requests(_PROTOBUF, _JSON[0]), minutes, seed)
    rng = random.Random(seed)

    async def run() -> Tally:
        until, count = time.monotonic() + minutes * 60, 0
        with http_requests.connections() as connections:
            while time.monotonic() < until or not count:
                for body in mutants.bodies():
                    count += 1
                    if wrong := await connections.send(http_requests.in_pieces(rng, body)):
                        return Tally(count, _told(wrong, body))
        return Tally(count)

    return asyncio.run(run())


def _fuzz_scanner(minutes: float, seed: int) -> Tally:
    """Is what the scanner returns what is returned without it, and what protobuf's own parser says?

    Bodies and columns end at pages that nobody may touch: a read or write out of bounds ends the process.
    """
    scanning.prepare()
    if scanning.ready() is None:
        return Tally(0)
    rng, harness = random.Random(seed), Harness()
    mutants = _mutants([b""], minutes, seed)
    until, count, compared = time.monotonic() + minutes * 60, 0, 0
    while time.monotonic() < until or not count:
        seeds = [random_request(rng).SerializeToString() for _ in range(120)]
        seeds += map(padded, seeds[:20])
        mutants.use(seeds)
        for group in (seeds, mutants.bodies()):
            if wrong := difference(group) or contradiction(group):
                return Tally(count, wrong, compared=compared)
            compared += len(group)
        for _ in range(_ROUNDS if minutes else 1):
            harness.scan_all(mutants.draw(), mutants.lengths)
            count += len(mutants.lengths)
    return Tally(count, compared=compared)


def _mutants(seeds: list[bytes], minutes: float, seed: int) -> Mutants:
    """Without a time there are few, which are not worth a compiler's."""
    return Mutants(seeds, seed, compiled=minutes > 0)


def _by_all(name: str, minutes: float, seed: int) -> Outcome:
    """What becomes of a decoder that as many processes try as there are processors."""
    if not minutes:
        return _outcome([TRIED[name](minutes, seed)])
    many = os.cpu_count() or 1
    with ProcessPoolExecutor(many, get_context("spawn"), initializer=end_with_parent) as pool:
        running = [pool.submit(_one, name, minutes, seed * 1_000 + number) for number in range(many)]
        try:
            return _outcome([one.result() for one in running])
        except BrokenProcessPool:
            return Outcome(False, "a process died of what it was given")


def _one(name: str, minutes: float, seed: int) -> Tally:
    return TRIED[name](minutes, seed)


def _outcome(tallies: Sequence[Tally]) -> Outcome:
    count = sum(one.executions for one in tallies)
    for one in tallies:
        if one.wrong:
            return Outcome(False, f"execution {one.executions:,}: {one.wrong[:2_000]}")
    if not count:
        return Outcome(True, "left out: there is no compiler here")
    said = f"{count:,} executions"
    if compared := sum(one.compared for one in tallies):
        said += f", {compared:,} more compared with the other decoders"
    if slowest := max(one.slowest_s for one in tallies):
        said += f", the longest {slowest * 1000:.0f} ms"
    return Outcome(True, said)


def _zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


TRIED: dict[str, Callable[[float, int], Tally]] = {
    "fuzz-protobuf": partial(_fuzz, _protobuf, _PROTOBUF),
    "fuzz-scanner": _fuzz_scanner,
    "fuzz-json": partial(_fuzz, _json, _JSON),
    "fuzz-gzip": partial(_fuzz, partial(_packed, "gzip"), [gzip.compress(one) for one in _PROTOBUF]),
    "fuzz-zstd": partial(_fuzz, partial(_packed, "zstd"), [_zstd(one) for one in _PROTOBUF]),
    "fuzz-deflate": partial(_fuzz, partial(_packed, "deflate"), [zlib.compress(one) for one in _PROTOBUF]),
    "fuzz-files": partial(_fuzz, _file, [*_PROTOBUF, *_JSON, _JAEGER, _ZIPKIN, b"\n".join(_JSON)]),
    "fuzz-http": _fuzz_http,
}

PARTS: dict[str, Callable[[float, int], Outcome]] = {name: partial(_by_all, name) for name in TRIED}
