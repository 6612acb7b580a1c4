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
from .deliveries import Source
from .telemetry import Telemetry

_KEPT: Final = "_opentelemetry_connection"
_RESERVED: Final = ("$",)
# What is left of the reserved subjects when stores are messages too.
_RESERVED_BUT_STORES: Final = ("$JS.", "$SYS.", "$SRV.")
# The names of operations on messages, and their types; every other is the verb of a settling.
_TYPES: Final = {"send": "send", "request": "send", "process": "process", "fetch": "receive"}
# Subjects are few; where ids are in them the latest are as good as any.
_MOST_SUBJECTS: Final = 512


@dataclass(frozen=True, slots=True)
class Operation:
    """What is the same for every message of one subject that one thing is done with. Not to be changed.

    The span's *name*, what it begins with (*described*), and the *group* that it is counted in.
    """

    name: str
    template: str
    described: Attributes
    group: Attributes


class Connection:
    """One connection of a client to one server, as one telemetry sees it."""

    __slots__ = ("_inboxes", "_info", "_server", "_shared", "client_id", "operation", "telemetry")

    def __init__(self, client: Any, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self._info = client._server_info
        self._server = client._current_server
        prefix = client._inbox_prefix
        inbox = prefix.decode() if isinstance(prefix, bytes | bytearray) else str(prefix)
        reserved = _RESERVED_BUT_STORES if telemetry.options.stores else _RESERVED
        self._inboxes = (*reserved, inbox.rstrip(".") + ".", "_INBOX.")
        self.client_id: Attributes = {} if client.client_id is None else {CLIENT_ID: str(client.client_id)}
        self._shared: Attributes = {SYSTEM: NATS}
        if self._server is not None and self._server.uri.hostname:
            self._shared[SERVER_ADDRESS] = self._server.uri.hostname
            self._shared[SERVER_PORT] = self._server.uri.port or DEFAULT_PORT
        self.operation = lru_cache(_MOST_SUBJECTS)(self._operation)

    def holds(self, client: Any, telemetry: Telemetry) -> bool:
        """Whether it is still the connection that *client* has."""
        return (
            self._info is client._server_info
            and self._server is client._current_server
            and self.telemetry is telemetry
        )

    def _operation(self, verb: str, subject: str, source: Source | None = None) -> Operation:
        """What to call what is done with a message of *subject*, which came from *source* or goes out."""
        if source is None:
            template = self.telemetry.template(subject)
            group = self.group(verb, None if template == subject else template)
            if template == subject:
                group[DESTINATION] = subject
        else:
            template = source.template(subject, self.telemetry.template)
            group = self.group(verb, template, source)
        described = {**group, DESTINATION: subject, **self.client_id}
        if self.telemetry.options.old_names:
            described = with_old_names(described)
        return Operation(f"{verb} {template}", template, described, group)

    def group(self, verb: str, template: str | None, source: Source | None = None) -> Attributes:
        """What tells one kind of operation from another, on spans and metrics."""
        group = {**self._shared, OPERATION_TYPE: _TYPES.get(verb, "settle"), OPERATION_NAME: verb}
        if template is not None:
            group[TEMPLATE] = template
        if source is not None and source.group is not None:
            group[GROUP] = source.group
        return group

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
