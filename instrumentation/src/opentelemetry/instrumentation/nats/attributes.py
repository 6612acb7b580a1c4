"""What a connection and a message say about themselves, as span attributes.

Names are those of the messaging and CloudEvents conventions 1.44. NATS has no
page there, so what only NATS has is under ``messaging.nats.*``.
"""

from typing import Any, Final
from urllib.parse import unquote

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from .headers import Folded

Attributes = dict[str, AttributeValue]

SYSTEM: Final = "messaging.system"
OPERATION_TYPE: Final = "messaging.operation.type"
OPERATION_NAME: Final = "messaging.operation.name"
DESTINATION: Final = "messaging.destination.name"
TEMPLATE: Final = "messaging.destination.template"
GROUP: Final = "messaging.consumer.group.name"
CLIENT_ID: Final = "messaging.client.id"
MESSAGE_ID: Final = "messaging.message.id"
BODY_SIZE: Final = "messaging.message.body.size"
CONVERSATION_ID: Final = "messaging.message.conversation_id"
CAUSATION_ID: Final = "messaging.message.causation_id"
BATCH_COUNT: Final = "messaging.batch.message_count"
STREAM: Final = "messaging.nats.stream"
SEQUENCE: Final = "messaging.nats.sequence"
CONSUMER: Final = "messaging.nats.consumer"
DELIVERY_COUNT: Final = "messaging.nats.delivery_count"
SETTLED: Final = "messaging.nats.settled"
DUPLICATE: Final = "messaging.nats.publish.duplicate"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

NATS: Final = "nats"
DEFAULT_PORT: Final = 4222

# CloudEvents in binary mode (one header for each attribute), and its
# correlation extension, which also occurs without the rest of CloudEvents.
_FROM_HEADERS: Final = (
    ("ce-id", "cloudevents.event_id"),
    ("ce-source", "cloudevents.event_source"),
    ("ce-specversion", "cloudevents.event_spec_version"),
    ("ce-subject", "cloudevents.event_subject"),
    ("ce-type", "cloudevents.event_type"),
    ("ce-correlationid", CONVERSATION_ID),
    ("correlationid", CONVERSATION_ID),
    ("ce-causationid", CAUSATION_ID),
    ("causationid", CAUSATION_ID),
)

_ACK_PREFIX: Final = "$JS.ACK."
_ACK_TOKENS_SHORT: Final = 9
_ACK_TOKENS_LONG: Final = 11


def of_client(client: Any) -> Attributes:
    """Which server *client* (a ``nats.aio.client.Client``) talks to, and as which client."""
    found: Attributes = {}
    if client.client_id is not None:
        found[CLIENT_ID] = str(client.client_id)
    server = client._current_server
    if server is not None and server.uri.hostname:
        found[SERVER_ADDRESS] = server.uri.hostname
        found[SERVER_PORT] = server.uri.port or DEFAULT_PORT
    return found


def of_headers(folded: Folded) -> Attributes:
    """Identity, cause and CloudEvents attributes, as far as the headers have them."""
    found: Attributes = {}
    for header, attribute in _FROM_HEADERS:
        value = folded.get(header)
        if value:
            # The NATS binding percent-encodes what is not printable ASCII.
            found[attribute] = unquote(value) if "%" in value else value
    identity = folded.get("nats-msg-id") or found.get("cloudevents.event_id")
    if identity:
        found[MESSAGE_ID] = identity
    return found


def of_delivery(reply: str) -> Attributes:
    """What JetStream wrote into a message's acknowledgement subject; nothing for core NATS.

    ``$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>``,
    in its longer form with a domain and an account before the stream.
    """
    if not reply.startswith(_ACK_PREFIX):
        return {}
    tokens = reply.split(".")
    if len(tokens) == _ACK_TOKENS_SHORT:
        stream, consumer, delivered, sequence = tokens[2:6]
    elif len(tokens) >= _ACK_TOKENS_LONG:
        stream, consumer, delivered, sequence = tokens[4:8]
    else:
        return {}
    return {STREAM: stream, CONSUMER: consumer, DELIVERY_COUNT: int(delivered), SEQUENCE: int(sequence)}


def of_message(message: Any, folded: Folded) -> Attributes:
    """Everything about one received message (a ``nats.aio.msg.Msg``) that may differ within a batch."""
    found: Attributes = {DESTINATION: message.subject, BODY_SIZE: len(message.data)}
    found |= of_headers(folded)
    found |= of_delivery(message.reply)
    if MESSAGE_ID not in found and STREAM in found:
        found[MESSAGE_ID] = stream_position(str(found[STREAM]), found[SEQUENCE])
    return found


def stream_position(stream: str, sequence: object) -> str:
    """The id of a message that has no other: where it lies in its stream."""
    return f"{stream}:{sequence}"


def of_baggage(context: Context, keys: tuple[str, ...]) -> Attributes:
    """The baggage entries named in *keys* that *context* carries."""
    if not keys:
        return {}
    carried = baggage.get_all(context)
    return {key: str(carried[key]) for key in keys if key in carried}
