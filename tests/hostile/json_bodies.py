"""Which bodies attack a JSON decoder? Depth, numbers, text, doubled names, and the wrong type in every place."""

import json
from collections.abc import Mapping
from itertools import product
from typing import Any

from tests.factories import as_json, request, span
from tests.hostile.protobuf_bodies import Case

_IDS = {"traceId": "1" * 32, "spanId": "2" * 16}


def body(**fields: Any) -> bytes:
    """A request with one span that has these *fields*."""
    return around(json.dumps({**_IDS, **fields}).encode())


def around(spans: bytes) -> bytes:
    """A request with *spans* as they are."""
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + spans + b"]}]}]}"


def written(name: str, value: str) -> bytes:
    """A span one of whose fields is written as *value*."""
    return around(f'{{"traceId":"{"1" * 32}","spanId":"{"2" * 16}","{name}":{value}}}'.encode())


_WRONG: Mapping[str, Any] = {
    "null": None,
    "a number": -5,
    "text": "x",
    "an object": {"a": {}},
    "a list": [[]],
}
_PLACES = ("resourceSpans", "resource", "scopeSpans", "scope", "spans", "name", "kind", "traceId", "attributes", "events", "links", "status", "startTimeUnixNano", "droppedAttributesCount", "traceState", "flags")  # fmt: skip


def of_types() -> Mapping[str, Case]:
    """Every field of a request with a value of every other type."""
    cases: dict[str, Case] = {}
    for place, (kind, value) in product(_PLACES, _WRONG.items()):
        sent = as_json(request(span(attributes={"a": 1}, links=[("t", "s")], error="e")))
        holder: dict[str, Any] = sent
        for name in ("resourceSpans", "scopeSpans", "spans"):
            if place in holder or (place in ("resource", "scope") and name != "resourceSpans"):
                break
            holder = holder[name][0]
        holder[place] = value
        cases[f"JSON {place} as {kind}"] = ("either", json.dumps(sent).encode())
    return cases


CASES: Mapping[str, Case] = {
    **of_types(),
    "JSON of nothing": ("refused", b""),
    "JSON null": ("refused", b"null"),
    "JSON list": ("refused", b"[]"),
    "JSON empty request": ("kept", b"{}"),
    "JSON cut off": ("refused", body(name="x")[:-5]),
    "JSON followed by more": ("refused", body() + b"{}"),
    "JSON twice": ("refused", body() + b"\n" + body()),
    "JSON comments": ("refused", b"/* */" + body()),
    "JSON lists 100,000 deep": ("refused", lambda: b"[" * 100_000),
    "JSON objects 100,000 deep": ("refused", lambda: b'{"a":' * 100_000),
    "JSON value 100,000 deep": ("either", lambda: written("attributes", '[{"key":"k","value":' + '{"arrayValue":{"values":[' * 100_000 + "]}}" * 100_000 + "}]")),
    "JSON value 1,000 deep": ("either", lambda: written("attributes", '[{"key":"k","value":' + '{"arrayValue":{"values":[' * 1_000 + "]}}" * 1_000 + "}]")),
    "JSON value 33 deep": ("either", lambda: written("attributes", '[{"key":"k","value":' + '{"arrayValue":{"values":[' * 33 + "]}}" * 33 + "}]")),
    "JSON unknown field 500 deep": ("either", lambda: written("future", "[" * 500 + "]" * 500)),
    "JSON number of 100,000 digits": ("either", lambda: written("startTimeUnixNano", "9" * 100_000)),
    "JSON text of 100,000 digits": ("either", lambda: written("startTimeUnixNano", '"' + "9" * 100_000 + '"')),
    "JSON number 1e400": ("either", written("startTimeUnixNano", "1e400")),
    "JSON number 1e-400": ("either", written("kind", "1e-400")),
    "JSON number of exponent 10^9": ("either", written("attributes", '[{"key":"k","value":{"doubleValue":1e999999999}}]')),
    "JSON NaN": ("either", written("attributes", '[{"key":"k","value":{"doubleValue":NaN}}]')),
    "JSON Infinity": ("either", written("startTimeUnixNano", "Infinity")),
    "JSON integer value 2^64": ("either", written("attributes", '[{"key":"k","value":{"intValue":18446744073709551616}}]')),
    "JSON integer value of text": ("either", written("attributes", '[{"key":"k","value":{"intValue":"many"}}]')),
    "JSON bytes that are no base64": ("either", written("attributes", '[{"key":"k","value":{"bytesValue":"%%%"}}]')),
    "JSON value of two types": ("either", written("attributes", '[{"key":"k","value":{"intValue":1,"stringValue":"x"}}]')),
    "JSON kind without a name": ("either", written("kind", '"SPAN_KIND_EVIL"')),
    "JSON doubled names": ("kept", around(b'{"traceId":"' + b"1" * 32 + b'","traceId":"' + b"3" * 32 + b'","spanId":"' + b"2" * 16 + b'","name":"a","name":"b"}')),
    "JSON __proto__": ("kept", written("__proto__", '{"isAdmin":true}')),
    "JSON constructor": ("kept", written("constructor", '{"prototype":{"x":1}}')),
    "JSON lone surrogate": ("kept", written("name", r'"\ud800 \udfff"')),
    "JSON half a surrogate pair": ("either", written("name", r'"\ud8"')),
    "JSON NUL in text": ("kept", written("name", r'"a\u0000b"')),
    "JSON raw NUL": ("refused", b"\x00" + body()),
    "JSON raw control characters": ("either", written("name", '"a\x01\x1b[31mb"')),
    "JSON no UTF-8": ("either", written("name", '"x"').replace(b'"x"', b'"\xff\xfe"')),
    "JSON byte order mark": ("either", b"\xef\xbb\xbf" + body()),
    "JSON UTF-16": ("either", body().decode().encode("utf-16")),
    "JSON ids of no hex": ("kept", around(b'{"traceId":"zz","spanId":"\'; DROP TABLE spans;--"}')),
    "JSON ids in base64": ("kept", around(b'{"traceId":"AAAAAAAAAAAAAAAAAAAAAQ==","spanId":"AAAAAAAAAAE="}')),
    "JSON ids of full-width digits": ("kept", around('{"traceId":"１１","spanId":"２２"}'.encode())),
    "JSON a million entries": ("refused", lambda: around(b"{}," * 1_000_000 + b"{}")),
    "JSON a million lists": ("refused", lambda: b'{"x":[' + b"[]," * 1_000_000 + b"[]]}"),
    "JSON a million numbers": ("either", lambda: written("attributes", "[" + "1," * 1_000_000 + "1]")),
    "JSON a million events": ("refused", lambda: written("events", "[" + "{}," * 1_000_000 + "{}]")),
    "JSON a million names": ("kept", lambda: around(b'{"traceId":"' + b"1" * 32 + b'","spanId":"' + b"2" * 16 + b'"' + b"".join(b',"x%d":1' % n for n in range(1_000_000)) + b"}")),
    "JSON a megabyte of escapes": ("kept", lambda: written("name", '"' + r"\u001b" * 170_000 + '"')),
    "JSON a megabyte of brackets in text": ("kept", lambda: written("name", '"' + "{" * 2**20 + '"')),
    "JSON a megabyte of spaces": ("kept", lambda: b" " * 2**20 + body()),
    "JSON unquoted": ("refused", b"{resourceSpans:[]}"),
    "JSON that is protobuf": ("refused", request(span()).SerializeToString()),
}  # fmt: skip
