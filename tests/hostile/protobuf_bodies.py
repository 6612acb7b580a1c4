"""Which bodies attack a protobuf decoder? Lengths, varints, groups, nesting, types, and what is hardly text.

A name stands for a body, or for a function that makes it, as some are large. What may become of it: "refused"
(a 4xx of the whole), "kept" (200: it is data, however odd), "either".
"""

import random
from collections.abc import Callable, Mapping
from itertools import product

from tests.factories import field, pairs, protobuf, request, span

Case = tuple[str, bytes | Callable[[], bytes]]

RESOURCE_SPANS, SCOPE_SPANS, SPANS = (1,), (1, 2), (1, 2, 2)
# Where a length may lie: fields of fields, by their numbers.
PLACES = {
    "resource_spans": RESOURCE_SPANS,
    "scope_spans": SCOPE_SPANS,
    "span": SPANS,
    "name": (*SPANS, 5),
    "link": (*SPANS, 13),
    "link id": (*SPANS, 13, 1),
    "status message": (*SPANS, 15, 2),
    "unknown field": (*SPANS, 999),
}
LENGTHS = {"2^64-1": 2**64 - 1, "2^64-10": 2**64 - 10, "2^63": 2**63, "2^32": 2**32, "one too many": 1}


def inside(path: tuple[int, ...], octets: bytes) -> bytes:
    """*octets* as what fields of fields hold."""
    for number in reversed(path):
        octets = long_field(number, octets)
    return octets


def long_field(number: int, octets: bytes, said: int | None = None) -> bytes:
    """As `field`, for a *number* of any size."""
    tag = varint(number << 3 | 2)
    return tag + field(1, octets, said)[1:]


def varint(number: int) -> bytes:
    """*number* as protobuf writes it."""
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


def spanned(octets: bytes, name: str = "a") -> bytes:
    """A request with one sound span, behind whose fields *octets* follow."""
    return inside(SPANS, span(id=name).SerializeToString() + octets)


def nested_value(depth: int) -> bytes:
    """An `AnyValue` of lists in lists, written from the inside."""
    # The headers of all levels, innermost first; each needs the length of what is inside of it.
    parts, size = [], 0
    for _ in range(depth):
        for number in (1, 5):
            head = bytes([number << 3 | 2]) + varint(size)
            parts.append(head)
            size += len(head)
    return b"".join(reversed(parts))


def attribute(value: bytes, key: bytes = b"k") -> bytes:
    """A span's attribute with an encoded *value*."""
    return field(9, field(1, key) + field(2, value))


def of_lengths() -> Mapping[str, Case]:
    cases: dict[str, Case] = {}
    for (place, path), (length, size) in product(PLACES.items(), LENGTHS.items()):
        cut = inside(path[:-1], long_field(path[-1], b"", size))
        # What an unknown field holds inside of a span is not looked at, but it must end there as well.
        cases[f"length of {place} {length}"] = ("refused", cut)
    return cases


SOUND = protobuf(request(span(id="whole", links=[("t", "b")], error="e", attributes={"k": [1, "x"]})))
BROKEN_TEXT = b"\xff\xfe\xc0\x80\xed\xa0\x80\xf8"
EMPTY_SPAN = b"\x12\x00"


def _attributes(count: int) -> bytes:
    return spanned(b"".join(attribute(b"\x18\x01", b"k%d" % n) for n in range(count)))


CASES: Mapping[str, Case] = {
    **of_lengths(),
    "nothing at all": ("kept", b""),
    "zeros": ("refused", bytes(1_000)),
    "noise": ("refused", random.Random(1).randbytes(1_000)),
    "a page of HTML": ("refused", b"<!doctype html><script>alert(1)</script>" * 9),
    "a frame of gRPC": ("refused", b"\x00\x00\x00\x00\x05hello"),
    "field number 0": ("refused", spanned(b"\x02\x01x")),
    "field number beyond all": ("refused", inside(SPANS, b"\x82\x80\x80\x80\x80\x01\x00")),
    "field number that wraps to 2^32 + 1": ("refused", b"\x8a\x80\x80\x80\x80\x01\x00"),
    "tag of 11 bytes": ("refused", b"\x8a" + b"\x80" * 9 + b"\x00\x00"),
    "varint of 11 bytes": ("refused", spanned(b"\x30" + b"\xff" * 10 + b"\x01")),
    "overlong tag": ("either", b"\x8a\x80\x00\x00"),
    "overlong length": ("either", inside(SPANS, span().SerializeToString() + b"\x2a\x81\x80\x80\x80\x00x")),
    "wire type 6": ("refused", spanned(b"\x36\x00")),
    "wire type 7": ("refused", spanned(b"\x37\x00")),
    "group that ends": ("either", spanned(b"\xa3\x06\x08\x01\xa4\x06")),
    "group that does not end": ("refused", spanned(b"\xa3\x06\x08\x01")),
    "end of no group": ("refused", spanned(b"\xa4\x06")),
    "100,000 groups in each other": ("refused", lambda: spanned(b"\xa3\x06" * 100_000 + b"\xa4\x06" * 100_000)),
    "unknown fields of every type": ("kept", spanned(b"\xa0\x06\x01\xa1\x06" + b"x" * 8 + b"\xa2\x06\x01x\xa5\x06yyyy")),
    "10,000 unknown fields": ("kept", lambda: spanned(b"\xa0\x06\x01" * 10_000)),
    "each field twice": ("kept", inside(SPANS, span(id="first").SerializeToString() + span(id="last").SerializeToString())),
    "resource twice": ("kept", field(1, field(1, b"") + request(span()).resource_spans[0].SerializeToString())),
    "status 1,000 times": ("kept", spanned(field(15, b"\x18\x02") * 1_000)),
    "value of two types": ("kept", spanned(attribute(b"\x0a\x01x\x18\x01"))),
    "value of none": ("kept", spanned(attribute(b""))),
    "value of a type to come": ("either", spanned(attribute(b"\x4a\x01x"))),
    "pair of nothing": ("kept", spanned(b"\x4a\x00")),
    "pair without a key": ("kept", spanned(field(9, field(2, b"\x18\x01")))),
    "ids as numbers": ("either", inside(SPANS, b"\x08\x01\x10\x01")),
    "times as varints": ("either", spanned(b"\x38\x01\x40\x01")),
    "kind as text": ("either", spanned(b"\x32\x01\x03")),
    "kind -1": ("kept", spanned(b"\x30" + b"\xff" * 9 + b"\x01")),
    "kind 2^31": ("kept", spanned(b"\x30" + varint(2**31))),
    "spans as a number": ("either", inside(SCOPE_SPANS, b"\x10\x05")),
    "attributes as a number": ("either", spanned(b"\x48\x05")),
    "dropped count 2^64-1": ("kept", spanned(b"\x50" + varint(2**64 - 1))),
    "trace id of 15 bytes": ("kept", protobuf(request(span(trace=b"x" * 15)))),
    "trace id of 17 bytes": ("kept", protobuf(request(span(trace=b"x" * 17)))),
    "trace id of a megabyte": ("kept", lambda: protobuf(request(span(trace=b"x" * 2**20)))),
    "ids all zero": ("kept", protobuf(request(span(trace=bytes(16), id=bytes(8))))),
    "no ids": ("kept", inside(SPANS, field(5, b"nameless"))),
    "parent id of 7 bytes": ("kept", inside(SPANS, span().SerializeToString() + field(4, b"x" * 7))),
    "text that is no UTF-8": ("kept", spanned(field(5, BROKEN_TEXT) + field(3, BROKEN_TEXT) + attribute(field(1, BROKEN_TEXT), BROKEN_TEXT) + field(15, field(2, BROKEN_TEXT)))),
    "service that is no UTF-8": ("kept", field(1, field(1, field(1, field(1, b"service.name") + field(2, field(1, BROKEN_TEXT)))) + request(span()).resource_spans[0].SerializeToString())),
    "event that is none": ("kept", spanned(field(11, b"\xff" * 5))),
    "resource that is none": ("kept", field(1, field(1, b"\xff" * 5) + field(2, field(2, span().SerializeToString())))),
    "link with ids of 3 bytes": ("kept", spanned(field(13, field(1, b"abc") + field(2, b"abc")))),
    **{
        f"value nested {depth:,} deep in {where}": ("either", made)
        for depth in (33, 1_000, 100_000)
        for where, made in {
            "an attribute": lambda depth=depth: spanned(attribute(nested_value(depth))),
            "an event": lambda depth=depth: spanned(field(11, field(2, b"e") + field(3, field(1, b"k") + field(2, nested_value(depth))))),
            "a link": lambda depth=depth: spanned(field(13, field(1, b"l" * 16) + field(2, b"s" * 8) + field(4, field(2, nested_value(depth))))),
            "the resource": lambda depth=depth: field(1, field(1, field(1, field(1, b"k") + field(2, nested_value(depth)))) + field(2, field(2, span().SerializeToString()))),
        }.items()
    },
    "20,000 attributes": ("kept", lambda: _attributes(20_000)),
    "one key 10,000 times": ("kept", lambda: spanned(attribute(b"\x18\x01") * 10_000)),
    "100,000 events": ("kept", lambda: spanned(field(11, field(2, b"e")) * 100_000)),
    "10,000 links": ("kept", lambda: spanned(field(13, field(1, b"l" * 16) + field(2, b"s" * 8)) * 10_000)),
    "100,000 empty events": ("kept", lambda: spanned(b"\x5a\x00" * 100_000)),
    "1,000,000 empty spans": ("refused", lambda: inside(SCOPE_SPANS, EMPTY_SPAN * 1_000_000)),
    "1,000,000 empty resources": ("refused", lambda: b"\x0a\x00" * 1_000_000),
    "1,000,000 empty scopes": ("refused", lambda: field(1, b"\x12\x00" * 1_000_000)),
    "1,000,000 empty attributes": ("refused", lambda: spanned(b"\x4a\x00" * 1_000_000)),
    "1,000,000 empty links": ("refused", lambda: spanned(b"\x6a\x00" * 1_000_000)),
    "name of a megabyte": ("kept", lambda: protobuf(request(span(name="n" * 2**20)))),
    "key of a megabyte": ("kept", lambda: protobuf(request(span(attributes={"k" * 2**20: 1})))),
    "service of a megabyte": ("kept", lambda: protobuf(request(span(), service="s" * 2**20))),
    "attribute of a megabyte of zeros": ("kept", lambda: protobuf(request(span(attributes={"k": bytes(2**20)})))),
    "keys that are SQL and prototypes": ("kept", protobuf(request(span(attributes=dict.fromkeys(("__proto__", "constructor", "__class__", "'; DROP TABLE spans; --", "{0.__class__}", "%s%n"), "x"))))),
    "numbers at their ends": ("kept", spanned(b"".join(p.SerializeToString() and field(9, p.SerializeToString()) for p in pairs({"a": 2**63 - 1, "b": -(2**63), "c": float("nan"), "d": float("inf"), "e": -0.0, "f": 5e-324})))),
    "times at their ends": ("kept", protobuf(request(*(span(id=f"{s}.{e}", start=s, end=e) for s, e in product((0, 2**63, 2**64 - 1), repeat=2))))),
    "parent of itself": ("kept", protobuf(request(span(id="self", parent="self", links=[("trace", "self")])))),
    "links in a circle": ("kept", protobuf(request(*(span(id=f"c{n}", parent=f"c{(n + 1) % 9}", links=[("trace", f"c{(n + 2) % 9}")]) for n in range(9))))),
}  # fmt: skip
