"""What holds for every set of spans, and for every damage to a body?"""

from collections.abc import Sequence
from random import Random

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import Body, Encoding, decode
from collector.model.spans import SPANS
from tests.factories import NOW, json_body, protobuf, request, span
from tests.sending import spans
from tests.strategies import examples


def rows(table: pa.Table) -> list[str]:
    """The rows, sorted, so that their order does not matter."""
    return sorted(map(repr, table.to_pylist()))


@given(st.lists(spans(), max_size=8), st.randoms(use_true_random=False))
def test_how_spans_are_split_into_bodies_does_not_matter(sent: Sequence[Span], random: Random) -> None:
    """An exporter's batch size is arbitrary, and so is which requests share a commit."""
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


@settings(max_examples=examples(150))
@given(st.lists(spans(), min_size=1, max_size=3), st.sampled_from(Encoding), st.data())
def test_a_damaged_body_never_harms_its_neighbours(
    sent: Sequence[Span], encoding: Encoding, data: st.DataObject
) -> None:
    """Any bytes get a verdict, and the table holds valid rows, with every row of the neighbours."""
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
