"""How does a test ask a collector from outside? A real one, in its own process, on free ports."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.factories import protobuf, request
from tests.scenes import Sent
from tests.spawning import Fork, Running, collect

_READY_S = 60  # allows for a machine that is busy with other tests


def until(condition: Callable[[], Any], within_s: float = 30) -> None:
    """Return once *condition* holds: the live part knows of stored spans only after its next tick."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Distinct ports that are free now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Collector:
    """A collector on *folder*, from `start` to `stop`."""

    def __init__(self, folder: Path, *, trusted: ssl.SSLContext | None = None, **settings: str) -> None:
        self.grpc_port, self.http_port, self.api_port = free_ports(3)
        scheme = "https" if trusted else "http"
        self.api = f"{scheme}://127.0.0.1:{self.api_port}"
        self.otlp = f"{scheme}://127.0.0.1:{self.http_port}"
        self.connecting: Mapping[str, Any] = {"trust_env": False, "verify": trusted or False}
        self.environment: Mapping[str, str] = {
            **os.environ,
            "CHOREOSCOPE_DATA": str(folder / "data"),
            "CHOREOSCOPE_GRPC_PORT": str(self.grpc_port),
            "CHOREOSCOPE_HTTP_PORT": str(self.http_port),
            "CHOREOSCOPE_API_PORT": str(self.api_port),
            "CHOREOSCOPE_API": self.api,
            **settings,
        }
        self.log = folder / "collector.log"
        self.process: Running | None = None

    def start(self) -> "Collector":
        """Return once the collector answers and has replayed."""
        self.process = self._process()
        until = time.monotonic() + _READY_S
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.api}/readyz", timeout=1, **self.connecting).json()["replayed"]:
                    return self
            time.sleep(0.05)
        self.process.kill()  # the caller does not have it yet, so it cannot stop it
        self.process.wait()
        raise AssertionError(f"the collector is not ready after {_READY_S} s: {self.log.read_text()}")

    def _process(self) -> Running:
        return Fork(collect, (), self.environment, stdout=self.log, stderr=self.log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the process a signal and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(15)

    def send(self, sent: Iterable[Sent]) -> None:
        """Post spans as their services would; they are durable when this returns."""
        by_service: dict[str, list[Any]] = {}
        for service, one in sent:
            by_service.setdefault(service, []).append(one)
        self.post(protobuf(*(request(*spans, service=service) for service, spans in by_service.items())))

    def post(self, body: bytes) -> None:
        """Post a request in protobuf; its spans are durable when this returns."""
        answer = httpx.post(
            f"{self.otlp}/v1/traces",
            content=body,
            headers={"content-type": "application/x-protobuf"},
            **self.connecting,
        )
        answer.raise_for_status()

    def ask(self, path: str, **parameters: Any) -> Any:
        """The API's answer for `/api/v1` + *path*."""
        return self.get(f"/api/v1{path}", **parameters).raise_for_status().json()

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """The API's response, whatever its status."""
        return httpx.get(f"{self.api}{path}", params=parameters or None, timeout=30, **self.connecting)


class Program(Collector):
    """`python -m collector`, as people start it."""

    def _process(self) -> Running:
        command = [sys.executable, "-m", "collector"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
