"""What holds for every set of spans? Stitching is a function of the set and agrees with a plain reference."""

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.formats.otlp import Body, Encoding, decode
from collector.model import answers as shapes
from collector.model.readings import READINGS
from collector.model.spans import SPANS
from collector.stitching import Keying, Stitched, parts, stitch
from tests import reference
from tests.documents import document, fields
from tests.factories import Value, protobuf, request, secret_keys, span
from tests.reference.columns import story_of
from tests.strategies import Row, believed, examples, span_sets, stories, table

randoms = st.randoms(use_true_random=False)
EXAMPLES = settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
FEWER = settings(EXAMPLES, max_examples=examples(40))


def written(stitched: Stitched) -> str:
    """The document, byte for byte."""
    return json.dumps(document(stitched))


@EXAMPLES
@given(span_sets, believed)
def test_columns_say_what_a_person_would_say(rows: list[Row], keying: Keying) -> None:
    """The columnar code must agree with `tests/reference`, span by span, edge by edge and flow by flow."""
    assert story_of(stitch(table(rows), keying)) == reference.stitch(rows, keying=keying)


@FEWER
@given(stories, st.integers(1, 3))
def test_batches_of_too_many_flows_begin_their_own(rows: list[Row], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "MOST_SHARED", most)
        assert story_of(stitch(table(rows))) == reference.stitch(rows, most)


@EXAMPLES
@given(span_sets, believed, st.integers(0, 2**64 - 1))
def test_secret_of_the_keys_changes_nothing(rows: list[Row], keying: Keying, secret: int) -> None:
    """Two collectors that receive the same spans must give the same answer, as must the offline command."""
    public = written(stitch(table(rows), keying))
    with secret_keys(secret):
        assert written(stitch(table(rows), keying)) == public


@FEWER
@given(span_sets, believed, randoms)
def test_order_and_copies_and_pieces_change_nothing(rows: list[Row], keying: Keying, random: Random) -> None:
    """Spans arrive in any order, and each may arrive twice."""
    again = rows + [{**row, "received": row["received"] + 7} for row in rows if random.random() < 0.5]
    random.shuffle(again)
    cut = random.randint(0, len(again))
    pieces = pa.concat_tables([table(again[:cut]), table(again[cut:])])

    assert written(stitch(pieces, keying)) == written(stitch(table(rows), keying))


@FEWER
@given(span_sets, believed, st.integers(0, 20))
def test_late_spans_leave_no_trace_of_their_lateness(rows: list[Row], keying: Keying, first: int) -> None:
    """Stitched again with later spans, a flow is what it would be if all had come at once."""
    # The earlier stitching keeps one of an id's two contents, so the later one cannot note that there were
    # two.
    rows = list({(row["trace_id"], row["span_id"]): row for row in rows}.values())
    early = stitch(table(rows[:first]), keying)
    together = pa.concat_tables([early.graph.read, table(rows[first:])])
    # A refused key is remembered: later spans never make it a flow key again.
    remembered = replace(keying, refused=keying.refused | set(early.flows.refused))

    assert written(stitch(together, remembered)) == written(stitch(table(rows), keying))


words = st.text(max_size=6)
ids = (
    st.sampled_from([bytes(16), b"\xff" * 16, b"a" * 16]),
    st.sampled_from([bytes(8), b"\xff" * 8, b"b" * 8]),
)
int64 = st.integers(-(2**63), 2**63 - 1)
anything: dict[str, st.SearchStrategy[Any]] = {
    "trace_id": ids[0],
    "span_id": ids[1],
    "parent_span_id": ids[1],
    "role": st.integers(0, 255),
    **dict.fromkeys(("start", "end", "received"), int64),
    **dict.fromkeys(
        ("remote", "failed", "well", "final", "request", "several", "typed", "serves"), st.booleans()
    ),
    **dict.fromkeys(
        (
            "error",
            "group",
            "handler",
            "event_type",
            "destination",
            "system",
            "message_id",
            "event_id",
            "record",
            "delivery_tag",
            "conversation",
            "causation",
            "flow_key",
            "instance",
        ),
        st.none() | words,
    ),
    "service": words,
    "dropped_links": st.integers(0, 2**32 - 1),
    "settled": st.integers(0, 3),
    "quotable": st.booleans(),
    "general": st.booleans(),
    "deliveries": st.integers(0, 2**16 - 1),
}


@st.composite
def rubbish(draw: st.DrawFn) -> Row:
    """A row of READINGS that no decoder would produce."""
    links = draw(st.lists(st.tuples(*ids), max_size=3))
    row = draw(st.fixed_dictionaries(anything))
    return row | {"link_trace_ids": [t for t, _ in links], "link_span_ids": [s for _, s in links]}


@FEWER
@given(st.lists(rubbish(), max_size=8), randoms)
def test_nothing_breaks_on_rubbish(rows: list[Row], random: Random) -> None:
    """Negative times, unknown roles, ids of zero: there is an answer, and it is the same in any order."""
    shuffled = random.sample(rows, len(rows))

    assert written(stitch(table(shuffled))) == written(stitch(table(rows)))


said: st.SearchStrategy[dict[str, Value]] = st.dictionaries(
    st.sampled_from(
        [
            "messaging.operation.type",
            "messaging.operation",
            "messaging.system",
            "messaging.destination.name",
            "messaging.destination.template",
            "messaging.consumer.group.name",
            "cloudevents.event_type",
            "order.id",
        ]
    ),
    st.sampled_from(
        ["send", "create", "process", "receive", "orders", "", 7, True, b"\xff", None, ["a"], 0.5]
    ),
)
names = st.sampled_from("abcdef")


@st.composite
def sent_spans(draw: st.DrawFn) -> Span:
    made = span(
        draw(st.sampled_from(["", "publish orders", "orders process", "orders create", "\x00<b>"])),
        id=draw(names),
        trace=draw(names),
        parent=draw(st.just("") | names),
        kind=draw(st.integers(0, 6)),
        start=draw(st.integers(0, 2**64 - 1)),
        end=draw(st.integers(0, 2**64 - 1)),
        links=draw(st.lists(st.tuples(names, names), max_size=2)),
        error=draw(st.none() | words),
        attributes=draw(said),
    )
    made.flags = draw(st.sampled_from([0, 0x100, 0x300]))
    return made


@FEWER
@given(st.lists(st.tuples(names, sent_spans()), max_size=10), randoms)
def test_document_of_any_requests_has_its_promised_shape_in_any_batching(
    sent: Sequence[tuple[str, Span]], random: Random
) -> None:
    """An exporter may batch as it likes; scripts rely on the document's shape."""
    bodies = [protobuf(request(one, service=service)) for service, one in sent]
    shuffled = random.sample(bodies, len(bodies))

    told = written(stitch(conventions.read(_decoded(bodies))))
    assert written(stitch(conventions.read(_decoded([b"".join(shuffled)])))) == told
    fields(shapes.Stitched, json.loads(told))


def _decoded(bodies: Sequence[bytes]) -> pa.Table:
    if not bodies:
        return SPANS.empty_table()
    return decode([Body(body, Encoding.PROTOBUF) for body in bodies], 0).spans


assert set(anything) | {"link_trace_ids", "link_span_ids"} == set(READINGS.names)
