"""Do spans that are sent on arrive as they were?"""

from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import Body, Encoding, decode
from collector.formats.otlp.to_protobuf import body
from tests.factories import NOW, field, request, span, table
from tests.sending import spans
from tests.test_otlp_properties import rows


def again(*sent: pa.Table) -> pa.Table:
    """*sent*, encoded and then read as a collector reads it."""
    decoded = decode([Body(body(one), Encoding.PROTOBUF) for one in sent], NOW)
    assert [(verdict.error, verdict.rejected) for verdict in decoded.verdicts] == [(None, 0)] * len(sent)
    return decoded.spans


@given(st.lists(spans(), max_size=8), st.sampled_from(["order", "payment", None]), st.integers(0, 5))
def test_spans_that_are_sent_on_arrive_as_they_were(
    sent: Sequence[Span], service: str | None, most: int
) -> None:
    """Every column survives: an imported file must look the same in the collector."""
    received = table(request(*sent, service=service), request(*sent[:2], resource={"host": ["a", 1.5]}))

    assert rows(again(received.slice(0, most), received.slice(most))) == rows(received)


def test_values_nested_too_deeply_to_be_opened_are_sent_on() -> None:
    """They are stored as bytes, and sent on as bytes."""
    value = b""
    for _ in range(500):
        value = field(5, field(1, value))
    attribute = field(9, field(1, b"deep") + field(2, value))
    deep = span("x").SerializeToString() + attribute
    sent = decode([Body(field(1, field(2, field(2, deep))), Encoding.PROTOBUF)], NOW).spans

    assert sent["attribute_keys"].to_pylist() == [["deep"]]
    assert again(sent).equals(sent)
