"""A ClickHouse server over HTTP, with the same SQL as the embedded engine."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect

from collector.store.clickhouse.connections import SETTINGS, Database
from collector.store.contracts import AddressError

_SCHEMES = {"clickhouse": ("http", 8123), "clickhouses": ("https", 8443)}
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
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}"


def address(text: str) -> Address:
    """Parse *text*, which begins with one of `_SCHEMES`; raise `AddressError` if it is no address."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"its host or port cannot be read ({error})") from error
    if not parts.hostname:
        raise AddressError("it names no host")
    database = parts.path.strip("/")
    if not _NAME.fullmatch(database):
        raise AddressError(f"its database is '{database[:40]}': expected a name of letters, digits and _")
    interface, usual = _SCHEMES[parts.scheme]
    return Address(
        interface=interface,
        host=parts.hostname,
        port=port or usual,
        database=database,
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
    )


class Server:
    """The database at *where*; it is created if it does not exist."""

    def __init__(self, where: Address) -> None:
        self._where = where
        first = Database(lambda: self.connect("default"), readers=1)
        try:
            found = first.query(
                "SELECT count() AS n FROM system.databases WHERE name = {n:String}", {"n": where.database}
            )
            if not found["n"][0].as_py():
                first.execute(f"CREATE DATABASE IF NOT EXISTS `{where.database}`")
        finally:
            first.close()

    def connect(self, database: str) -> Any:
        """Open a connection to *database*, which must exist."""
        return clickhouse_connect.get_client(
            interface=self._where.interface,
            host=self._where.host,
            port=self._where.port,
            username=self._where.user,
            password=self._where.password,
            database=database,
            settings=SETTINGS,
            compress=False,
            # Queries of several threads must not share a session, and none of ours needs one.
            autogenerate_session_id=False,
            # Parameters go into the body: a URL has room for far fewer trace ids than we ask for.
            form_encode_query_params=True,
            connect_timeout=10,
            send_receive_timeout=_PATIENCE_S,
        )

    def database(self) -> Database:
        """The database, over connections of its own."""
        return Database(lambda: self.connect(self._where.database))
