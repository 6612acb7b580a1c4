"""A ClickHouse server over HTTP, with the same SQL as the embedded engine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import clickhouse_connect

from collector.store.clickhouse.connections import SETTINGS, Database, Limits
from collector.store.contracts import AddressError

_SCHEMES = {"clickhouse": ("http", 8123), "clickhouses": ("https", 8443)}
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATIENCE_S = 30  # for one query or insert: a server that takes longer is considered down


@dataclass(frozen=True)
class Address:
    """Where a server is, and the user to log in as."""

    interface: str
    host: str
    port: int
    database: str
    user: str = "default"
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The address without the password."""
        scheme = next(name for name, (interface, _) in _SCHEMES.items() if interface == self.interface)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{quote(self.user)}@{host}:{self.port}/{self.database}"


def address(text: str) -> Address:
    """Parse *text*, which begins with one of `_SCHEMES`; raise `AddressError` if it is no address.

    The error shows only what follows the last '@': anything else may be part of a password.
    """
    scheme, _, rest = text.partition("://")
    login, at, place = rest.rpartition("@")
    if "/" in login or any(character in "?#" or not character.isprintable() for character in rest):
        raise AddressError(
            "it has characters that must be percent-encoded in a user or password, such as '/' as %2F,"
            " '?' as %3F and '#' as %23, or that are not allowed elsewhere"
        )
    where, _, database = place.partition("/")
    found = _PLACE.fullmatch(where)
    if not where:
        raise AddressError("it names no host")
    if found is None or not 0 < int(found["port"] or 1) < 65_536:
        raise AddressError(
            f"its host and port {_shown('are', where, at)}: expected a name or an IP address (IPv6 in"
            " brackets) and, after a colon, a number from 1 to 65,535"
        )
    database = database.rstrip("/")
    if not _NAME.fullmatch(database):
        shown = _shown("is", database, at)
        raise AddressError(f"its database {shown}: expected a name of letters, digits and _")
    interface, usual = _SCHEMES[scheme.lower()]
    user, _, password = login.partition(":")
    return Address(
        interface=interface,
        host=found["host"].strip("[]").lower(),
        port=int(found["port"] or usual),
        database=database,
        user=unquote(user) or "default",
        password=unquote(password),
    )


def _shown(verb: str, value: str, at: str) -> str:
    # Without an '@', it may be the password of an address that names no host.
    return f"{verb} '{value[:40]}'" if at else "cannot be read"


class Server:
    """The database at *where*; it is created if it does not exist."""

    def __init__(self, where: Address) -> None:
        self._where = where
        first = Database(partial(self.connect, "default"), readers=1, over_http=True)
        try:
            found = first.query(
                "SELECT count() AS n FROM system.databases WHERE name = {n:String}",
                {"n": where.database},
                ["n"],
            )
            if not found["n"][0].as_py():
                first.execute(f"CREATE DATABASE IF NOT EXISTS `{where.database}`")
        finally:
            first.close()

    def connect(self, database: str, settings: Mapping[str, Any] | None = None) -> Any:
        """Open a connection to *database*, which must exist; its queries have these *settings*."""
        return clickhouse_connect.get_client(
            interface=self._where.interface,
            host=self._where.host,
            port=self._where.port,
            username=self._where.user,
            password=self._where.password,
            database=database,
            settings={**SETTINGS, **(settings or {})},
            compress=False,
            # Queries of several threads must not share a session, and none of ours needs one.
            autogenerate_session_id=False,
            # Parameters go into the body: a URL has room for far fewer trace ids than we ask for.
            form_encode_query_params=True,
            connect_timeout=10,
            send_receive_timeout=_PATIENCE_S,
        )

    def database(self, limits: Limits | None = None) -> Database:
        """The database, over connections of its own."""
        return Database(partial(self.connect, self._where.database), over_http=True, limits=limits)
