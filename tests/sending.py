"""What may a sender write? Random spans with every field and every type of value, and with repeated ids."""

from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories import Value, pairs, span

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
uint32 = st.integers(0, 2**32 - 1)
counts = st.tuples(uint32, uint32, uint32)
attributes = st.dictionaries(texts, values, max_size=4)


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
        attributes=draw(attributes),
    )
    one.flags = draw(uint32)
    one.trace_state = draw(texts)
    one.dropped_attributes_count, one.dropped_events_count, one.dropped_links_count = draw(counts)
    for link in one.links:
        link.attributes.extend(pairs(draw(attributes)))
    for name in draw(st.lists(texts, max_size=2)):
        one.events.add(name=name, time_unix_nano=draw(uint64), attributes=pairs(draw(attributes)))
    return one
