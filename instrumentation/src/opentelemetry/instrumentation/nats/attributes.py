"""Span attributes that describe a connection and a message.

Names follow the messaging and CloudEvents conventions 1.44. NATS has no page
there, so attributes that only NATS has are under ``messaging.nats.*``.
"""

from collections.abc import Callable, ItemsView, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from . import headers

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
PENDING: Final = "messaging.nats.pending"
DUPLICATE: Final = "messaging.nats.publish.duplicate"
REPLY_TO: Final = "messaging.nats.reply_to"
OUTCOME: Final = "messaging.nats.outcome"
DELAY: Final = "messaging.nats.nak.delay"
SLOW_CONSUMER: Final = "slow_consumer"
DROPPED: Final = "messaging.nats.dropped_count"
FLOW_KEY: Final = "order.id"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

NATS: Final = "nats"
DEFAULT_PORT: Final = 4222

EVENT_ID: Final = "cloudevents.event_id"
OLD_OPERATION: Final = "messaging.operation"
# The names of these attributes up to 1.24, written as well where
# OTEL_SEMCONV_STABILITY_OPT_IN asks for both.
_OLD_NAMES: Final = {
    DESTINATION: "messaging.destination",
    CLIENT_ID: "messaging.client_id",
    MESSAGE_ID: "messaging.message_id",
    CONVERSATION_ID: "messaging.conversation_id",
    BODY_SIZE: "messaging.message_payload_size_bytes",
    OPERATION_TYPE: OLD_OPERATION,
}
_OLD_OPERATIONS: Final = {"send": "publish"}

# CloudEvents in binary mode (one header per attribute), and its correlation
# extension, which is also used without the rest of CloudEvents.
_FROM_HEADERS: Final = (
    ("ce-id", EVENT_ID),
    ("ce-source", "cloudevents.event_source"),
    ("ce-specversion", "cloudevents.event_spec_version"),
    ("ce-subject", "cloudevents.event_subject"),
    ("ce-type", "cloudevents.event_type"),
    ("ce-correlationid", CONVERSATION_ID),
    ("correlationid", CONVERSATION_ID),
    ("ce-causationid", CAUSATION_ID),
    ("causationid", CAUSATION_ID),
)

_MESSAGE_ID_HEADER: Final = "nats-msg-id"
# Few senders means few sets of header names; with many, the cache merely does not help.
_MOST_SETS_OF_NAMES: Final = 256

_ACK_PREFIX: Final = "$JS.ACK."
_ACK_TOKENS_SHORT: Final = 9
_ACK_TOKENS_LONG: Final = 11


class Deferred(Mapping[str, AttributeValue]):
    """Attributes that are computed when they are first read.

    A sampler may read them, and the SDK does if it records the span: a span
    that is not recorded costs nothing.
    """

    __slots__ = ("_details", "_found", "_work_out")

    def __init__(self, work_out: Callable[..., Attributes], *details: Any) -> None:
        self._work_out = work_out
        self._details = details
        self._found: Attributes | None = None

    def found(self) -> Attributes:
        """All attributes; the caller must not modify the dict."""
        found = self._found
        if found is None:
            found = self._found = self._work_out(*self._details)
        return found

    def __getitem__(self, name: str) -> AttributeValue:
        return self.found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found())

    def __len__(self) -> int:
        return len(self._found or self.found())

    def items(self) -> ItemsView[str, AttributeValue]:
        """The dict's own view: the inherited one would look up each item."""
        return self.found().items()


def with_old_names(described: Attributes) -> Attributes:
    """*described*, with the same values also under the names of the conventions up to 1.24."""
    old = {_OLD_NAMES[name]: value for name, value in described.items() if name in _OLD_NAMES}
    operation = old.get(OLD_OPERATION)
    if isinstance(operation, str):
        old[OLD_OPERATION] = _OLD_OPERATIONS.get(operation, operation)
    return old | described


@lru_cache(_MOST_SETS_OF_NAMES)
def _known_headers(names: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """(name, attribute) for each of *names* that becomes an attribute, and the name of the id header."""
    lower = headers.lower_case(names)
    pairs = tuple((lower[header], attribute) for header, attribute in _FROM_HEADERS if header in lower)
    return pairs, lower.get(_MESSAGE_ID_HEADER)


def add_headers(found: Attributes, given: Mapping[str, Any]) -> None:
    """Add the identity, cause and CloudEvents attributes that the headers *given* contain to *found*."""
    pairs, identity = _known_headers(tuple(given))
    for name, attribute in pairs:
        value = given[name]
        if value and isinstance(value, str):
            # The NATS binding percent-encodes everything except printable ASCII.
            found[attribute] = unquote(value) if "%" in value else value
    known = (identity and given[identity]) or found.get(EVENT_ID)
    if known:
        found[MESSAGE_ID] = known


def is_from_stream(reply: str | None) -> bool:
    """Whether a message with the reply subject *reply* came from JetStream and can be settled."""
    return reply is not None and reply.startswith(_ACK_PREFIX)


def of_delivery(reply: str) -> Attributes:
    """The attributes in a JetStream message's acknowledgement subject; none for core NATS."""
    found: Attributes = {}
    add_delivery(found, reply)
    return found


def add_delivery(found: Attributes, reply: str) -> bool:
    """Add the attributes of `of_delivery` to *found*; return whether there are any.

    ``$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>``;
    the longer form has a domain and an account before the stream.
    """
    if not reply.startswith(_ACK_PREFIX):
        return False
    tokens = reply.split(".")
    if len(tokens) == _ACK_TOKENS_SHORT:
        first = 2
    elif len(tokens) >= _ACK_TOKENS_LONG:
        first = 4
    else:
        return False
    found[STREAM] = stream = tokens[first]
    found[CONSUMER] = tokens[first + 1]
    found[DELIVERY_COUNT] = int(tokens[first + 2])
    found[SEQUENCE] = sequence = int(tokens[first + 3])
    found[PENDING] = int(tokens[first + 6])
    if MESSAGE_ID not in found:
        found[MESSAGE_ID] = stream_position(stream, sequence)
    return True


def of_message(message: Any) -> Attributes:
    """Attributes of a received message (a ``nats.aio.msg.Msg``) that vary in a batch, except its subject."""
    found: Attributes = {}
    add_message(found, message)
    return found


def add_message(found: Attributes, message: Any) -> None:
    """Add the attributes of `of_message` to *found*."""
    found[BODY_SIZE] = len(message.data)
    given = message.headers
    if given:
        add_headers(found, given)
    reply = message.reply
    if reply and not add_delivery(found, reply):
        found[REPLY_TO] = reply


def stream_position(stream: str, sequence: object) -> str:
    """The id of a message that has no other: its position in its stream."""
    return f"{stream}:{sequence}"


def of_baggage(context: Context | None, keys: tuple[str, ...]) -> Attributes:
    """The baggage entries named in *keys* that *context* carries, by default the current one.

    An entry counts as ``order.id`` if it is called ``order_id``, ``orderId`` or
    ``Order-Id`` too: each language has its own way to write a name.
    """
    if not keys:
        return {}
    carried = baggage.get_all(context)
    if not carried:
        return {}
    found: Attributes = {key: str(carried[key]) for key in keys if key in carried}
    if len(found) < len(keys):
        found |= {key: str(carried[name]) for key, name in _named(keys, tuple(carried))}
    return found


@lru_cache(_MOST_SETS_OF_NAMES)
def _named(keys: tuple[str, ...], names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """(key, name) for each of *keys* that is among *names*, exactly or in another spelling."""
    alike = {_spelled_plainly(name): name for name in reversed(names)}
    pairs = ((key, key if key in names else alike.get(_spelled_plainly(key))) for key in keys)
    return tuple((key, name) for key, name in pairs if name is not None)


def _spelled_plainly(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
