"""What is the same for all messages of one connection, and for those of one subject: computed once."""

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
# What is left of the reserved subjects when stores are messages too.
_RESERVED_BUT_STORES: Final = ("$JS.", "$SYS.", "$SRV.")
# The names of operations on messages, and their types; every other is the verb of a settling.
_TYPES: Final = {"send": "send", "request": "send", "process": "process", "fetch": "receive"}
# Templates are few; where they are not, somebody's template function is none.
_MOST_OPERATIONS: Final = 256
# Subjects may be as many as there are orders; those that come again are found at once.
_MOST_SUBJECTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done with the messages of one template: how its spans are called, and what is the same for all.

    *group* is what it is counted by, and *common* what a span begins with besides
    the message's subject. Neither is to be changed.
    """

    name: str
    template: str | None
    group: Attributes
    common: Attributes
    old_names: bool

    def described(self, subject: str) -> Attributes:
        """What the span of a message of *subject* begins with."""
        described = {**self.common, DESTINATION: subject}
        return with_old_names(described) if self.old_names else described


class Connection:
    """One connection of a client to one server, as one telemetry sees it."""

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
        """Whether it is still the connection that *client* has."""
        return (
            self._info is client._server_info
            and self._server is client._current_server
            and self.telemetry is telemetry
        )

    def _sending(self, verb: str, subject: str) -> Operation:
        """Sending a message to *subject*."""
        template = self.telemetry.template(subject)
        return self._operation(verb, template, DESTINATION if template == subject else TEMPLATE, None)

    def taking(self, verb: str, subject: str, source: Source) -> Operation:
        """Doing something with a message of *subject* that came from *source*."""
        subjects = source.subjects
        return self._taking(verb, subjects, source.group, subject if len(subjects) != 1 else subjects[0])

    def _taking_from(
        self, verb: str, subjects: tuple[str, ...], group: str | None, subject: str
    ) -> Operation:
        template = template_of(subjects, subject, self.telemetry.template)
        return self._operation(verb, template, TEMPLATE, group)

    def taking_many(self, verb: str, template: str | None, source: Source) -> Operation:
        """Doing something with messages from *source* that have *template* in common, or nothing."""
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

        Everything that begins with ``$`` is reserved by NATS: ``$JS.`` (API calls
        and acknowledgements), ``$SYS.``, ``$SRV.``, and the key-value and object
        stores' ``$KV.`` and ``$O.``. An inbox is where one reply goes.
        """
        return subject.startswith(self._inboxes)


def connection(client: Any) -> Connection | None:
    """The connection that *client* (a ``nats.aio.client.Client``) has, where spans are wanted, else None."""
    telemetry = telemetries.of(client)
    if telemetry is None:
        return None
    kept: Connection | None = client.__dict__.get(_KEPT)
    if kept is None or not kept.holds(client, telemetry):
        kept = Connection(client, telemetry)
        client.__dict__[_KEPT] = kept
    return kept
