"""Which words of brokers can name a flow? Kafka's key, RabbitMQ's correlation id, a CloudEvent's subject."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.conventions.said import Naming
from collector.stitching import Keying, stitch
from tests.documents import document
from tests.factories import NOW as BEGIN
from tests.factories import SECOND, request, span, table

# As docs/configuration.md lists them.
NAMES = {
    "kafka": "messaging.kafka.message.key",
    "rabbitmq": "messaging.message.conversation_id",
    "pubsub": "cloudevents.event_subject",
}


def orders(system: str, attribute: str, keys: list[str]) -> list[dict[str, object]]:
    """The flows of two unrelated messages for each of *keys*, if *attribute* is configured as a flow key."""
    spans = [
        span(
            f"send {place} {number}",
            trace=f"{place} {number}",
            kind=Span.SPAN_KIND_PRODUCER,
            start=BEGIN + number * SECOND,
            attributes={
                "messaging.system": system,
                "messaging.operation.type": "send",
                "messaging.destination.name": place,
                attribute: key,
            },
        )
        for number, key in enumerate(keys)
        for place in ("placed", "paid")
    ]
    naming = Naming(("order.id", attribute))
    return list(document(stitch(conventions.read(table(request(*spans)), naming), Keying(3)))["flows"])


@pytest.mark.parametrize(("system", "attribute"), NAMES.items())
def test_configured_word_of_a_broker_names_flows_that_few_share(system: str, attribute: str) -> None:
    """A key that only spreads messages over partitions, or names a tenant, is no business key."""
    assert [flow["key"] for flow in orders(system, attribute, ["A-1", "A-2"])] == ["A-1", "A-2"]
    assert {flow["key"] for flow in orders(system, attribute, ["EU", "EU"])} == {None}


def test_they_name_nothing_unless_configured() -> None:
    said = Naming()
    assert not set(NAMES.values()) & set(said.flow_key)
