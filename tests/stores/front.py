"""How does a test get a ClickHouse server? This one speaks HTTP to the driver, with chDB as its engine.

No package that tests can install has a ClickHouse server. This one understands only what the driver,
`clickhouse-connect`, sends: a statement in the body, the address or a form, parameters as `param_*`,
settings, and rows in Arrow. The engine, its SQL and its files are ClickHouse's own.
"""

import contextlib
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "reader", "s3cret"

# Names in a request that the server itself understands; all others, except parameters, are settings.
_OWN = {"query", "database", "wait_end_of_query", "session_id", "client_protocol_version", "query_id"}
_INSERT = re.compile(rb"\s*INSERT INTO (.+?) FORMAT (\w+)\s*$", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")


class Front:
    """The server, and what it was asked."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        """*connect* opens a connection to the engine; each connection answers one request at a time."""
        self.connect = connect
        self.idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self.statements: list[str] = []
        self.slow: Callable[[str], bool] = lambda statement: False  # which statements wait for `released`
        self.released = threading.Event()
        self.instead: bytes | None = None  # what a proxy in front of it answers
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.front = self  # type: ignore[attr-defined]  # for its handlers
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def address(self, database: str, password: str = PASSWORD) -> str:
        """The setting that makes a collector use this server."""
        return f"clickhouse://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Front"]:
        """Answer requests while the context lasts."""
        self._thread.start()
        yield self
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        while not self.idle.empty():
            self.idle.get_nowait().close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer's body waits 40 ms, until its head is acknowledged

    def log_message(self, *args: Any) -> None:
        """Drop the log line: nobody reads it."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._answer(b"".join(self._chunks()))
        else:
            self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, body: bytes) -> None:
        front: Front = self.server.front  # type: ignore[attr-defined]
        if front.instead is not None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(front.instead)))
            self.end_headers()
            self.wfile.write(front.instead)
            return
        asked = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            asked |= _form(kind, body)
            body = b""
        if not _is_known(self.headers.get("authorization")):
            self._send(
                403,
                b"Code: 516. DB::Exception: Authentication failed",
                {"X-ClickHouse-Exception-Code": "516"},
            )
            return
        try:
            answer = _carry_out(front, asked, body)
        except Exception as error:
            text = str(error)
            code = _CODE.search(text)
            self._send(500, text.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1"})
        else:
            self._send(200, answer, {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            **headers,
            "Content-Length": str(len(body)),
            "X-ClickHouse-Summary": "{}",
            "X-ClickHouse-Query-Id": "a query",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _is_known(authorization: str | None) -> bool:
    from base64 import b64encode

    return authorization == "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def _form(kind: str, body: bytes) -> dict[str, str]:
    message: Any = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    found = {}
    for part in message.get_payload():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = part.get_payload(decode=True).decode()
        assert len(found[str(name)].encode()) <= 131_072, f"a server takes no {name} of that size"
    return found


def _carry_out(front: Front, asked: dict[str, str], body: bytes) -> bytes:
    statement = asked.get("query", "").encode()
    data = body if statement else b""
    if not statement:
        first, _, rest = body.partition(b"\n")
        statement, data = (first, rest) if _INSERT.match(first) else (body, b"")
    text = statement.decode()
    front.statements.append(text)
    if front.slow(text):
        front.released.wait(30)
    try:
        connection = front.idle.get_nowait()
    except queue.Empty:
        connection = front.connect()
    try:
        if database := asked.get("database"):
            connection.query(f"USE `{database}`")
        settings = {name for name in asked if name not in _OWN and not name.startswith("param_")}
        for name in sorted(settings):
            connection.query(f"SET {name} = '{asked[name]}'")
        if (insert := _INSERT.match(statement)) and data:
            return _insert(connection, insert, data)
        values = {
            name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")
        }
        answer: bytes = connection.query(text, "TabSeparated", params=values).bytes()
        return answer
    finally:
        front.idle.put(connection)


def _insert(connection: Any, insert: re.Match[bytes], data: bytes) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        file.write_bytes(data)
        into, kind = insert[1].decode(), insert[2].decode()
        answer: bytes = connection.query(f"INSERT INTO {into} FROM INFILE '{file}' FORMAT {kind}").bytes()
        return answer


def summary(front: Front) -> str:
    """The latest statements, for a person who investigates a failure."""
    return json.dumps(front.statements[-20:], indent=1)
