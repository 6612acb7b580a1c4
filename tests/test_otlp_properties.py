"""What holds for every set of spans, and for every damage to a body."""

from collections.abc import Sequence
from random import Random

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.otlp import Body, Encoding, decode
from collector.spans import SPANS
from tests.factories import NOW, Value, json_body, protobuf, request, span

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=4),
    st.none(),
)
values: st.SearchStrategy[Value] = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
names = st.text("abcdef", min_size=1, max_size=3)
uint64 = st.integers(0, 2**64 - 1)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    one = span(
        draw(texts),
        id=draw(names),
        trace=draw(names),
        parent=draw(st.one_of(st.just(""), names, st.binary(max_size=9))),
        kind=draw(st.integers(0, 7)),
        start=draw(uint64),
        end=draw(uint64),
        links=draw(st.lists(st.tuples(names, names), max_size=3)),
        error=draw(st.one_of(st.none(), texts)),
        attributes=draw(st.dictionaries(texts, values, max_size=4)),
    )
    one.flags = draw(st.integers(0, 2**32 - 1))
    for name in draw(st.lists(texts, max_size=2)):
        one.events.add(name=name, time_unix_nano=draw(uint64))
    return one


def rows(table: pa.Table) -> list[str]:
    """The rows in an order of their own."""
    return sorted(map(repr, table.to_pylist()))


@given(st.lists(spans(), max_size=8), st.randoms(use_true_random=False))
def test_how_spans_are_split_into_bodies_does_not_matter(sent: Sequence[Span], random: Random) -> None:
    """An exporter's batch size, and what happens to wait for the same commit, are accidents."""
    shuffled = random.sample(sent, len(sent))
    bodies: list[bytes] = []
    while shuffled:
        cut = random.randint(1, len(shuffled))
        bodies.append(protobuf(request(*shuffled[:cut])))
        shuffled = shuffled[cut:]

    together = decode([Body(protobuf(request(*sent)), Encoding.PROTOBUF)], NOW)
    split = decode([Body(body, Encoding.PROTOBUF) for body in bodies], NOW)

    assert rows(split.spans) == rows(together.spans)
    assert sum(verdict.spans for verdict in split.verdicts) == len(sent)


@given(st.lists(spans(), max_size=5))
def test_json_says_the_same_as_protobuf(sent: Sequence[Span]) -> None:
    shop = request(*sent)

    by_json = decode([Body(json_body(shop), Encoding.JSON)], NOW)
    by_protobuf = decode([Body(protobuf(shop), Encoding.PROTOBUF)], NOW)

    assert rows(by_json.spans) == rows(by_protobuf.spans)
    assert by_json.verdicts == by_protobuf.verdicts


@settings(max_examples=300)
@given(st.lists(spans(), min_size=1, max_size=3), st.sampled_from(Encoding), st.data())
def test_a_damaged_body_never_harms_its_neighbours(
    sent: Sequence[Span], encoding: Encoding, data: st.DataObject
) -> None:
    """Whatever bytes come: a verdict and a table of valid rows, with every row of the others in it."""
    written = protobuf if encoding is Encoding.PROTOBUF else json_body
    body = bytearray(written(request(*sent)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body)))
        width = data.draw(st.integers(0, 3))
        body[place : place + width] = data.draw(st.binary(max_size=3))
    neighbour = Body(written(request(span("neighbour"))), encoding)

    decoded = decode([neighbour, Body(bytes(body), encoding), neighbour], NOW)

    first, damaged, last = decoded.verdicts
    assert first == last
    assert (first.spans, first.error) == (1, None)
    assert decoded.spans.num_rows == 2 + damaged.spans
    assert decoded.spans.schema == SPANS
    decoded.spans.validate(full=True)
    if damaged.error is not None:
        assert damaged.spans == 0


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(Encoding))
def test_noise_never_crashes(noise: bytes, encoding: Encoding) -> None:
    decode([Body(noise, encoding)], NOW).spans.validate(full=True)
