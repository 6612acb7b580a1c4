"""Does the scanner return what the decoder returns without it, whatever the bytes, and touch nothing else?"""

import platform
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import Body, Encoding, decode, scanning
from collector.formats.otlp.scanning import Area, Count
from collector.model.spans import ValueType
from collector.upkeep import compiling
from collector.upkeep.compiling import Compiling
from tests.collecting import until
from tests.factories import NOW, field, json_body, protobuf, request, span
from tests.hostile.protobuf_bodies import CASES, SPANS, attribute, inside, spanned, varint
from tests.mutating import mutated
from tests.scans import (
    Harness,
    contradiction,
    difference,
    expected,
    padded,
    random_request,
    read,
    sound_span,
    taken,
)
from tests.sending import spans

SOUND = inside(SPANS, sound_span())


@pytest.fixture(scope="module", autouse=True)
def scan() -> None:
    """The scanner, compiled."""
    if (sys.platform, platform.machine()) == ("darwin", "x86_64"):
        pytest.skip("numba has no wheel for this platform")
    scanning.prepare()
    assert scanning.ready(), "numba is missing: run make install"


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


@settings(max_examples=50)
@given(st.lists(spans(), max_size=8))
def test_usual_requests_are_taken_and_say_the_same(sent: Sequence[Span]) -> None:
    body = protobuf(request(*sent))

    assert difference([body, padded(body)]) == ""
    assert contradiction([body]) == ""


def test_it_knows_what_others_know() -> None:
    """What is compiled names the places of `Count` and `Area` by numbers of its own."""
    from collector.formats.otlp import filling, part_walk

    for name in ("RESOURCES", "SPANS", "LINK_ATTRIBUTES", "DOUBLES", "NAME", "SCOPE", "WRONG"):
        assert getattr(filling, name) == getattr(Count, name)
    for name in ("BODY_OF", "SCOPE_OF"):
        assert getattr(filling, name) == getattr(Area, name)
    for name in ("ATTRIBUTES", "LINK_ATTRIBUTES"):
        assert getattr(filling, f"OF_{name}") == getattr(Area, name)
    assert filling.FIRST_OFFSETS == Area.NAME
    assert [ValueType(number) for number in range(8)] == list(ValueType)
    assert (part_walk.EMPTY, part_walk.BYTES) == (ValueType.EMPTY, ValueType.BYTES)


def test_all_fields_are_taken() -> None:
    """Else the suite might compare the decoder with itself."""
    assert taken([SOUND, padded(SOUND), b"", protobuf(request())]) == [True] * 4
    assert difference([SOUND, padded(SOUND)]) == ""
    assert expected(SOUND)
    assert contradiction([SOUND]) == ""


def test_any_request_says_the_same() -> None:
    rng = random.Random(1)
    bodies = [random_request(rng).SerializeToString() for _ in range(400)]

    assert sum(taken(bodies)) > 200
    assert difference(bodies) == ""
    assert contradiction(bodies) == ""


def test_mutations_say_the_same_and_stay_within_bounds(harness: Harness) -> None:
    rng = random.Random(2)
    seeds = [random_request(rng).SerializeToString() for _ in range(30)]
    seeds += map(padded, seeds[:10])
    bodies = [mutated(rng, rng.choice(seeds), seeds) for _ in range(1_000)]

    assert 0 < sum(map(harness.scan, bodies)) < len(bodies)
    assert not list(filter(None, (difference(bodies[at : at + 100]) for at in range(0, len(bodies), 100))))
    assert contradiction(bodies) == ""


def test_truncated_at_every_byte(harness: Harness) -> None:
    cuts = [body[:at] for body in (SOUND, padded(SOUND)) for at in range(len(body))]

    assert [len(body) for body in cuts if harness.scan(body)] == [0, 0]
    assert difference(cuts) == ""


def test_truncated_at_every_byte_inside_of_what_says_it_is_shorter(harness: Harness) -> None:
    """The lengths outside are right: only what is inside ends too early."""
    whole = sound_span()
    cuts = [inside(SPANS, whole[:at]) for at in range(len(whole))]

    assert difference(cuts) == ""
    assert {harness.scan(body) for body in cuts} == {True, False}


def test_every_byte_changed_in_every_bit(harness: Harness) -> None:
    """That all judge them the same is asked about a bit of each byte: the others would take a minute."""
    bodies = []
    for place in range(len(SOUND)):
        for bit in range(8):
            changed = bytearray(SOUND)
            changed[place] ^= 1 << bit
            harness.scan(bytes(changed))
            if bit == place % 8:
                bodies.append(bytes(changed))

    assert difference(bodies) == ""


@pytest.mark.parametrize(
    "name",
    [name for name in CASES if "megabyte" not in name and "000,000" not in name and "100,000" not in name],
)
def test_attacks_are_judged_the_same(name: str, harness: Harness) -> None:
    _, made = CASES[name]
    body = made if isinstance(made, bytes) else made()

    assert difference([body]) == ""
    assert difference([SOUND, body, SOUND]) == ""
    if len(body) < 2**20:
        harness.scan(body)


ODD = {
    "a field twice": spanned(field(5, b"again")),
    "ids of another size": inside(SPANS, span(trace=b"\x01" * 15).SerializeToString()),
    "ids of zeros": inside(SPANS, span(id=bytes(8)).SerializeToString()),
    "a link without ids": spanned(field(13, b"")),
    "two states": spanned(field(15, b"\x18\x02") * 2),
    "a group": spanned(b"\xa3\x06\x08\x01\xa4\x06"),
    "another wire type": spanned(b"\x4d" + bytes(4)),
    "a value of two types": spanned(attribute(b"\x0a\x01x\x18\x01")),
    "a value of an unknown type": spanned(attribute(b"\x4a\x01x")),
    "a length too long": spanned(attribute(b"\x0a\x81\x00x")),
    "a truth of two": spanned(attribute(b"\x10\x02")),
    "a value before its key": spanned(field(9, field(2, b"\x18\x01") + field(1, b"k"))),
    "a kind below zero": spanned(b"\x30" + varint(2**64 - 1)),
    "a count above 32 bits": spanned(b"\x50" + varint(2**32)),
    "a tag with a digit too many": inside(SPANS, span().SerializeToString() + b"\xaa\x00\x01x"),
    "a resource twice": field(1, field(1, b"") * 2),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_left_to_protobuf(name: str) -> None:
    assert taken([ODD[name]]) == [False]
    assert difference([SOUND, ODD[name], SOUND]) == ""


KEPT = {
    "unknown fields": spanned(b"\xa0\x06\x01\xa1\x06" + b"x" * 8 + b"\xa2\x06\x01x\xa5\x06yyyy"),
    "a parent of 7 bytes": inside(
        SPANS, sound_span().replace(field(4, sound_span()[29:37]), field(4, b"x" * 7))
    ),
    "text that is no UTF-8": spanned(field(3, b"\xff") + attribute(field(1, b"\xc3\x28"), b"\xff")),
    "bytes that are no UTF-8": spanned(attribute(field(7, b"\xff\x00"))),
    "no value, no key": spanned(field(9, b"") + field(9, field(1, b"k")) + field(9, field(2, b"\x18\x01"))),
    "a varint longer than it must be": spanned(attribute(b"\x18\x81\x80\x00")),
    "an event that is none": spanned(field(11, b"\xff" * 5)),
    "a resource that is none": field(1, field(1, b"\xff" * 5) + field(2, field(2, sound_span()))),
    "a resource behind its spans": field(1, field(2, field(2, sound_span())) + field(1, b"\xff")),
    "schema addresses": field(1, field(2, field(2, sound_span()) + field(3, b"u")) + field(3, b"v")),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_rare_is_taken(name: str) -> None:
    assert taken([KEPT[name]]) == [True]
    assert difference([SOUND, KEPT[name], SOUND]) == ""


@pytest.mark.parametrize("number", [0, 1, 9, 10, 99, 100, 2**31, 2**63 - 1, 2**63, 2**64 - 10, 2**64 - 1])
def test_numbers_are_written_in_decimal(number: int) -> None:
    body = spanned(attribute(b"\x18" + varint(number)))

    (values,) = read([body]).spans["attribute_values"].to_pylist()
    assert values == [str(number - 2**64 if number >= 2**63 else number).encode()]
    assert taken([body]) == [True]


def test_bodies_keep_their_order() -> None:
    """Of two copies of a span in a group, the later one may count."""
    odd = ODD["a field twice"]
    named = [protobuf(request(span(name))) for name in "abcd"]
    bodies = [named[0], odd, named[1], named[2], odd, ODD["a group"], named[3]]

    names = read(bodies).spans["name"].to_pylist()

    assert names == ["a", "again", "b", "c", "again", "work", "d"]
    assert difference(bodies) == ""


def test_json_beside_it_is_read_as_ever() -> None:
    decoded = decode(
        [
            Body(json_body(request(span("json"))), Encoding.JSON),
            Body(protobuf(request(span("a"), span("b"))), Encoding.PROTOBUF),
            Body(ODD["a field twice"], Encoding.PROTOBUF),
        ],
        NOW,
    )

    assert decoded.spans["name"].to_pylist() == ["a", "b", "again", "json"]
    assert [verdict.spans for verdict in decoded.verdicts] == [1, 2, 1]


def test_a_span_with_more_attributes_than_are_kept_is_left() -> None:
    body = protobuf(request(span(attributes=dict.fromkeys("abc", 1))))

    assert taken([body], 3) == [True]
    assert taken([body], 2) == [False]
    assert difference([body, SOUND], 2) == ""


def test_bodies_of_nothing_are_left() -> None:
    """Thousands of parts in a few bytes would fill our memory."""
    hollow = [spanned(b"\x4a\x00" * 40_000), field(1, b"\x12\x00" * 40_000), b"\x0a\x00" * 40_000]

    assert taken(hollow) == [False] * 3
    assert difference([SOUND, *hollow, SOUND]) == ""


def test_what_does_not_fit_into_offsets_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_MOST", 20)

    assert taken([SOUND, b""]) == [False, False]
    assert difference([SOUND]) == ""


@given(st.binary(max_size=200))
def test_noise(noise: bytes) -> None:
    assert difference([noise]) == ""
    assert difference([inside(SPANS, sound_span() + noise)]) == ""


def test_a_scanner_that_miscounts_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot. If it did, nothing that it filled might be stored."""
    scan, calls = scanning.ready(), []
    assert scan is not None

    def miscounting(*given: Any) -> None:
        scan(*given)
        calls.append(given)
        if len(calls) % 2 == 0:  # filled: as if one array had been too short
            scan(*given)

    monkeypatch.setattr(scanning, "ready", lambda: miscounting)

    assert taken([SOUND]) == [False]
    assert read([SOUND]).verdicts[0].spans == 1


def test_without_a_compiled_form_it_is_compiled_apart(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Compiling takes seconds of Python's lock, and requests come meanwhile."""
    compiled = tmp_path / "compiled"
    monkeypatch.setattr(scanning, "load", compiled.exists)
    monkeypatch.setattr(compiling, "_COMPILE", f"import pathlib; pathlib.Path({str(compiled)!r}).touch()")

    _run_it()

    assert compiled.exists()
    assert caplog.messages == []


def test_what_cannot_be_compiled_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scanning, "load", lambda: False)
    monkeypatch.setattr(compiling, "_COMPILE", "raise RuntimeError('no locator')")

    _run_it()

    (said,) = caplog.messages
    assert "RuntimeError: no locator" in said
    assert "NUMBA_CACHE_DIR" in said


def test_a_collector_that_stops_leaves_no_compiler_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scanning, "load", lambda: False)
    monkeypatch.setattr(compiling, "_COMPILE", "import time; time.sleep(600)")
    running = Compiling()
    running.begin()
    until(lambda: running.process is not None)
    running.end()

    assert running.process is not None
    assert running.process.poll() is not None
    assert caplog.messages == []


def _run_it() -> None:
    running = Compiling()
    running.begin()
    running.wait()
