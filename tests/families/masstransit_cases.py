"""MassTransit, versions 8 and later."""

from collector.model.spans import Kind
from tests.families.cases import Case

TYPES = "messaging.masstransit.message_types"


def typed(said: str, event_type: str) -> Case:
    """A message that lists its types."""
    attributes = {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": "billing",
        "messaging.rabbitmq.destination.routing_key": "billing",
        TYPES: said,
    }
    return Case(about=said, kind=Kind.PRODUCER, attributes=attributes, read={"event_type": event_type})


CASES = (
    typed("urn:message:Shop.Contracts:InvoiceSent", "Shop.Contracts:InvoiceSent"),
    typed("urn:message:Shop:InvoiceSent,urn:message:Shop:Event", "Shop:InvoiceSent"),
    typed("urn:message:Shop:InvoiceSent; urn:message:Shop:Event", "Shop:InvoiceSent"),
    typed("urn:message:MassTransit:Fault[[Shop:InvoiceSent]]", "MassTransit:Fault[[Shop:InvoiceSent]]"),
    Case(
        about="what is answered to one process",
        kind=Kind.PRODUCER,
        attributes={"messaging.destination.name": "host1_billing_bus_yyynoyyyqckyqyyqbdjq8ymnbd"},
        read={"event_type": "host1_billing_bus_*", "general": True},
    ),
)
