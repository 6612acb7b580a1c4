"""The fast path for common headers has the same result as the propagators."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.instrumentation.nats import headers, w3c
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

STOCK = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
# The speed of making examples depends on the machine's load, not on this package.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
USUAL = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture(autouse=True, scope="module")
def stock() -> Iterator[None]:
    """OpenTelemetry's default propagator, whatever the environment says."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(STOCK)
    yield
    propagate.set_global_textmap(before)


hexadecimal = st.text("0123456789abcdef", min_size=1, max_size=33)
parents = st.one_of(
    st.builds(
        "{}{}-{}-{}-{}".format,
        st.sampled_from(["", " ", "\t"]),
        st.sampled_from(["00", "01", "fe", "ff", "0", "0G"]),
        st.one_of(
            st.just("a" * 32),
            st.just("0" * 32),
            st.just("A" * 32),
            st.from_regex("[0-9a-f]{32}"),
            hexadecimal,
        ),
        st.one_of(
            st.just("b" * 16), st.just("0" * 16), st.from_regex("[0-9a-f]{16}", fullmatch=True), hexadecimal
        ),
        st.one_of(
            st.from_regex("[0-9a-f]{2}", fullmatch=True),
            st.sampled_from(["1", "0x", "01-", "01-more", "01 ", "01\n", "\u06601", "1_"]),
        ),
    ),
    st.text(max_size=60),
)
states = st.sampled_from(["a=1", "a=1,b=2", "", "=", "a", "congo=t61rcWkgMzE"])
words = st.text('aZ0_.-~%+ =;,\t"\\é\n', max_size=6)
entries = st.one_of(
    st.lists(st.one_of(st.builds("{}={}".format, words, words), words), max_size=4).map(",".join),
    st.just("order.id=A-17"),
    st.just("order.id=A-17,tenant=x,order.id=A-18"),
    st.integers(1, 300).map(lambda many: ",".join(f"k{n}=v" for n in range(many))),
)
carried = st.fixed_dictionaries(
    {},
    optional={
        "traceparent": parents,
        "Traceparent": parents,
        "tracestate": states,
        "TraceState": states,
        "baggage": entries,
        "Baggage": entries,
        "ce-id": st.just("1"),
    },
)


@UNTIMED
@given(carried)
@example({"traceparent": USUAL, "baggage": "order.id=A-17"})
@example({"Traceparent": USUAL, "Baggage": "order.id=A-17"})
@example({"traceparent": USUAL, "baggage": "a=,b=1"})
@example({"traceparent": f"00-{'0' * 32}-{'b' * 16}-01", "baggage": "a=1"})
def test_extract_agrees_with_the_propagators(given_headers: dict[str, str]) -> None:
    """A trace that starts anew because of a header that others accept cuts a flow in two."""
    folded = {name.lower(): value for name, value in given_headers.items()}
    folded |= {name: given_headers[name] for name in folded if name in given_headers}
    expected = STOCK.extract(folded, Context())
    context, origin = headers.extract(given_headers)
    assert origin == trace.get_current_span(expected).get_span_context()
    assert origin == trace.get_current_span(context).get_span_context()
    assert dict(baggage.get_all(context)) == dict(baggage.get_all(expected))


@UNTIMED
@given(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 255),
    st.sampled_from([None, TraceState(), TraceState([("a", "1")])]),
    st.dictionaries(words, st.one_of(words, st.integers(), st.just("v" * 300)), max_size=3),
)
@example(1, 2, 1, None, {"order.id": "A-17"})
def test_inject_agrees_with_the_propagators(
    trace_id: int, span_id: int, flags: int, state: TraceState | None, said: dict[str, Any]
) -> None:
    """All their versions must be able to read what this package writes."""
    span = NonRecordingSpan(SpanContext(trace_id, span_id, False, TraceFlags(flags), state))
    around = Context()
    for key, value in said.items():
        around = baggage.set_baggage(key, value, around)
    expected: dict[str, str] = {}
    STOCK.inject(expected, trace.set_span_in_context(span, around))
    assert (headers.inject(None, span, around, False) or {}) == expected


def test_any_other_propagator_does_its_own_work() -> None:
    """A host has a reason for setting another one, or for changing a part of the default one."""

    class Closed(TraceContextTextMapPropagator):
        def extract(self, carrier: Any, context: Context | None = None, getter: Any = None) -> Context:
            return context or Context()

    class Both(CompositePropagator):
        """Looks like the default one."""

    carrying = {"traceparent": USUAL}
    for other in (
        CompositePropagator([]),
        CompositePropagator([Closed(), W3CBaggagePropagator()]),
        CompositePropagator([W3CBaggagePropagator(), TraceContextTextMapPropagator()]),
        TraceContextTextMapPropagator(),
        Both([TraceContextTextMapPropagator(), W3CBaggagePropagator()]),
    ):
        propagate.set_global_textmap(other)
        try:
            assert not w3c.is_in_force()
            expected = trace.get_current_span(other.extract(carrying, Context())).get_span_context()
            assert headers.extract(carrying)[1] == expected
        finally:
            propagate.set_global_textmap(STOCK)
        assert w3c.is_in_force()
        assert headers.extract(carrying)[1].is_valid
