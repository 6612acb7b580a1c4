"""What is the same for all messages of one connection, looked up once and kept with the client."""

from typing import Any, Final

from .attributes import (
    CLIENT_ID,
    DEFAULT_PORT,
    DESTINATION,
    NATS,
    OPERATION_NAME,
    OPERATION_TYPE,
    SERVER_ADDRESS,
    SERVER_PORT,
    SYSTEM,
    TEMPLATE,
    Attributes,
)
from .telemetry import Telemetry

_KEPT: Final = "_opentelemetry_connection"
_MOST_TEMPLATES: Final = 256
_RESERVED: Final = ("$",)
# What is left of the reserved subjects when stores are messages too.
_RESERVED_BUT_STORES: Final = ("$JS.", "$SYS.", "$SRV.")


class Connection:
    """One connection of a client to one server, as one telemetry sees it."""

    __slots__ = ("_inboxes", "_info", "_sends", "_server", "_telemetry", "client_id", "shared")

    def __init__(self, client: Any, telemetry: Telemetry) -> None:
        self._info = client._server_info
        self._server = client._current_server
        self._telemetry = telemetry
        self._sends: dict[tuple[str, str], Attributes] = {}
        prefix = client._inbox_prefix
        inbox = prefix.decode() if isinstance(prefix, bytes | bytearray) else str(prefix)
        reserved = _RESERVED_BUT_STORES if telemetry.options.stores else _RESERVED
        self._inboxes = (*reserved, inbox.rstrip(".") + ".", "_INBOX.")
        self.client_id: Attributes = {} if client.client_id is None else {CLIENT_ID: str(client.client_id)}
        self.shared: Attributes = {SYSTEM: NATS}
        if self._server is not None and self._server.uri.hostname:
            self.shared[SERVER_ADDRESS] = self._server.uri.hostname
            self.shared[SERVER_PORT] = self._server.uri.port or DEFAULT_PORT

    def holds(self, client: Any, telemetry: Telemetry) -> bool:
        """Whether it is still the connection that *client* has."""
        return (
            self._info is client._server_info
            and self._server is client._current_server
            and self._telemetry is telemetry
        )

    def sends(self, operation: str, subject: str, template: str) -> Attributes:
        """What is the same for all messages sent to subjects of one *template*. Not to be changed."""
        known = self._sends.get((operation, template))
        if known is None:
            known = {**self.shared, OPERATION_TYPE: "send", OPERATION_NAME: operation}
            known[DESTINATION if template == subject else TEMPLATE] = template
            # Templates are few; where they are not, somebody's template function is none.
            if len(self._sends) > _MOST_TEMPLATES:
                self._sends.clear()
            self._sends[operation, template] = known
        return known

    def is_internal(self, subject: str) -> bool:
        """Whether *subject* belongs to the broker or to a client's plumbing.

        Everything that begins with ``$`` is reserved by NATS: ``$JS.`` (API calls
        and acknowledgements), ``$SYS.``, ``$SRV.``, and the key-value and object
        stores' ``$KV.`` and ``$O.``. An inbox is where one reply goes.
        """
        return subject.startswith(self._inboxes)


def connection(client: Any, telemetry: Telemetry) -> Connection:
    """The connection that *client* (a ``nats.aio.client.Client``) has now."""
    kept: Connection | None = client.__dict__.get(_KEPT)
    if kept is None or not kept.holds(client, telemetry):
        kept = Connection(client, telemetry)
        client.__dict__[_KEPT] = kept
    return kept
