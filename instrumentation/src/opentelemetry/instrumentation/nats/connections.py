"""What all messages of one connection, or of one subject, have in common: computed once."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from . import telemetry as telemetries
from .attributes import (
    CLIENT_ID,
    DEFAULT_PORT,
    DESTINATION,
    GROUP,
    NATS,
    OPERATION_NAME,
    OPERATION_TYPE,
    SERVER_ADDRESS,
    SERVER_PORT,
    SYSTEM,
    TEMPLATE,
    Attributes,
    with_old_names,
)
from .deliveries import Source, template_of
from .telemetry import Telemetry

_KEPT: Final = "_opentelemetry_connection"
_RESERVED: Final = ("$",)
# The reserved subjects when stores count as messages.
_RESERVED_BUT_STORES: Final = ("$JS.", "$SYS.", "$SRV.")
# Operation names and their types; every other name is a verb that settles a message.
_TYPES: Final = {"send": "send", "request": "send", "process": "process", "fetch": "receive"}
# There are few templates, unless a host's template function leaves ids in.
_MOST_OPERATIONS: Final = 256
# There may be as many subjects as orders; the cache serves those that recur.
_MOST_SUBJECTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation on the messages of one template: the name of its spans, and what they have in common.

    *group* holds the attributes of its metrics, *common* the initial attributes of
    its spans except the message's subject. Callers must not modify either.
    """

    name: str
    template: str | None
    group: Attributes
    common: Attributes
    old_names: bool

    def described(self, subject: str) -> Attributes:
        """The initial attributes of the span of a message of *subject*."""
        described = {**self.common, DESTINATION: subject}
        return with_old_names(described) if self.old_names else described


class Connection:
    """One connection of a client to one server, under one telemetry."""

    __slots__ = (
        "_client_id",
        "_inboxes",
        "_info",
        "_operation",
        "_server",
        "_shared",
        "_taking",
        "sending",
        "telemetry",
    )

    def __init__(self, client: Any, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self._info = client._server_info
        self._server = client._current_server
        prefix = client._inbox_prefix
        inbox = prefix.decode() if isinstance(prefix, bytes | bytearray) else str(prefix)
        reserved = _RESERVED_BUT_STORES if telemetry.options.stores else _RESERVED
        self._inboxes = (*reserved, inbox.rstrip(".") + ".", "_INBOX.")
        self._client_id: Attributes = {} if client.client_id is None else {CLIENT_ID: str(client.client_id)}
        self._shared: Attributes = {SYSTEM: NATS}
        if self._server is not None and self._server.uri.hostname:
            self._shared[SERVER_ADDRESS] = self._server.uri.hostname
            self._shared[SERVER_PORT] = self._server.uri.port or DEFAULT_PORT
        self._operation = lru_cache(_MOST_OPERATIONS)(self._new_operation)
        self.sending = lru_cache(_MOST_SUBJECTS)(self._sending)
        self._taking = lru_cache(_MOST_SUBJECTS)(self._taking_from)

    def holds(self, client: Any, telemetry: Telemetry) -> bool:
        """Whether this is still *client*'s connection under *telemetry*."""
        return (
            self._info is client._server_info
            and self._server is client._current_server
            and self.telemetry is telemetry
        )

    def _sending(self, verb: str, subject: str) -> Operation:
        """The operation that sends a message to *subject*."""
        template = self.telemetry.template(subject)
        return self._operation(verb, template, DESTINATION if template == subject else TEMPLATE, None)

    def taking(self, verb: str, subject: str, source: Source) -> Operation:
        """The operation *verb* on a message of *subject* from *source*."""
        subjects = source.subjects
        return self._taking(verb, subjects, source.group, subject if len(subjects) != 1 else subjects[0])

    def _taking_from(
        self, verb: str, subjects: tuple[str, ...], group: str | None, subject: str
    ) -> Operation:
        template = template_of(subjects, subject, self.telemetry.template)
        return self._operation(verb, template, TEMPLATE, group)

    def taking_many(self, verb: str, template: str | None, source: Source) -> Operation:
        """The operation *verb* on messages from *source*; *template* is None if they share none."""
        return self._operation(verb, template, TEMPLATE, source.group)

    def _new_operation(self, verb: str, template: str | None, named: str, consumers: str | None) -> Operation:
        group = {**self._shared, OPERATION_TYPE: _TYPES.get(verb, "settle"), OPERATION_NAME: verb}
        if template is not None:
            group[named] = template
        if consumers is not None:
            group[GROUP] = consumers
        name = verb if template is None else f"{verb} {template}"
        old_names = self.telemetry.options.old_names
        return Operation(name, template, group, group | self._client_id, old_names)

    def is_internal(self, subject: str) -> bool:
        """Whether *subject* belongs to the broker or to a client's plumbing.

        NATS reserves everything that begins with ``$``: ``$JS.`` (API calls and
        acknowledgements), ``$SYS.``, ``$SRV.``, and ``$KV.`` and ``$O.`` of the
        key-value and object stores. An inbox receives a reply.
        """
        return subject.startswith(self._inboxes)


def connection(client: Any) -> Connection | None:
    """The connection of *client* (a ``nats.aio.client.Client``), or None if no spans are wanted."""
    telemetry = telemetries.of(client)
    if telemetry is None:
        return None
    kept: Connection | None = client.__dict__.get(_KEPT)
    if kept is None or not kept.holds(client, telemetry):
        kept = Connection(client, telemetry)
        client.__dict__[_KEPT] = kept
    return kept
