"""How does a door answer an attack? Sends it, waits no longer than an honest sender would, notes what came."""

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx

from tests.collecting import Collector
from tests.factories import protobuf, request, span
from tests.hostile import http2_talk

PATIENCE_S = 2.0  # an attack that keeps us busy for longer has succeeded
_QUIET_S = 0.1
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Outcome:
    """The answer to one attack, and how long the collector worked on it.

    That is processor time: the machine may be busy with other tests.
    """

    status: int
    seconds: float
    text: str = ""


class Doors:
    """The doors of one collector, which all attacks of a session share."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{collector.grpc_port}",
            options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)],
        )
        self._export = self._channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        )
        self._honest = 0

    def close(self) -> None:
        """Close the connections that are kept."""
        self._http.close()
        self._channel.close()

    def http(self, body: bytes, headers: Mapping[str, str] = PROTOBUF) -> Outcome:
        """OTLP over HTTP."""
        return self._asked("POST", f"http://127.0.0.1:{self.collector.http_port}/v1/traces", body, headers)

    def api(
        self, path: str, body: bytes = b"", headers: Mapping[str, str] = {}, method: str = "POST"
    ) -> Outcome:
        """The API."""
        return self._asked(method, f"{self.collector.api}{path}", body, headers)

    def grpc(self, body: bytes) -> Outcome:
        """OTLP over gRPC: 200 for OK, 400 for INVALID_ARGUMENT, otherwise 500 and more."""
        started = self._used()
        try:
            self._export(body, timeout=30)
        except grpc.RpcError as error:
            code = error.code()
            kept = {grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.RESOURCE_EXHAUSTED: 413}
            return Outcome(kept.get(code, 500 + code.value[0]), self._used() - started, error.details() or "")
        return Outcome(200, self._used() - started)

    def honest(self) -> Outcome:
        """What an honest sender gets now."""
        self._honest += 1
        return self.http(
            protobuf(request(span(trace=f"honest {self._honest}", start=time.time_ns()), service="honest"))
        )

    def _asked(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        started = self._used()
        answer = self._http.request(method, url, content=body, headers=headers)
        return Outcome(answer.status_code, self._used() - started, answer.text)

    def _used(self) -> float:
        """The processor time of the collector, in seconds."""
        assert self.collector.process is not None
        return sum(processor_times(self.collector.process.pid))


def processor_times(pid: int) -> tuple[float, float]:
    """The user and system time of a process, in seconds."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    ticks = os.sysconf("SC_CLK_TCK")
    return int(user) / ticks, int(system) / ticks


def talk(port: int, octets: bytes) -> tuple[bytes, float]:
    """Say *octets* on a new connection; return what was answered, and after how long it was over.

    When no more comes, our side ends: a server that waits for the rest has to give up then. The time counts
    from there.
    """
    said = b""
    started = time.monotonic()
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as line,
    ):
        with contextlib.suppress(OSError):  # it may be closed before all is said
            line.sendall(octets)
        line.settimeout(_QUIET_S)
        with contextlib.suppress(TimeoutError):
            while part := line.recv(65_536):
                said += part
            return said, 0.0
        started = time.monotonic()
        line.shutdown(socket.SHUT_WR)
        line.settimeout(5 * PATIENCE_S)
        while part := line.recv(65_536):
            said += part
    return said, time.monotonic() - started


def statuses(said: bytes) -> list[int]:
    """The statuses in what an HTTP/1 server said."""
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] ([2-5]\d\d)", said, re.MULTILINE)]


def framed(made: bytes | Callable[[], bytes]) -> bytes:
    """An attack on HTTP/2, behind what every connection begins with."""
    octets = made() if callable(made) else made
    return http2_talk.PREFACE + http2_talk.frame(http2_talk.SETTINGS, 0, 0) + octets
