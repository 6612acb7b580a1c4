"""Starts what the pages need as real processes: a collector, and the dashboard as people start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.sample_services.harness import free_port, until
from tests.spawning import Fork, Running, collect

ROOT = Path(__file__).parents[2]


class Process:
    """One of our programs in a process of its own, with its output in a file."""

    def __init__(self, command: list[str], folder: Path, settings: dict[str, str]) -> None:
        self._command = [sys.executable, *command]
        self._folder = folder
        self._settings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", **settings}
        self.log = folder / f"{command[1]}.log"
        self._process: Running | None = None

    def start(self, alive: str, within_s: float = 60.0) -> None:
        """Start it and wait until the address *alive* answers."""
        self._process = self._started()
        try:
            until(lambda: self._answers(alive), within_s, f"an answer of {alive} ({self.log.read_text()})")
        except BaseException:
            self.stop()  # the caller has nothing yet that it could stop
            raise

    def _started(self) -> Running:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command, cwd=self._folder, env=self._settings, stdout=log, stderr=log
            )

    def _answers(self, address: str) -> bool:
        assert self._process is None or self._process.poll() is None, self.log.read_text()
        try:
            return httpx.get(address, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop it, as a service manager would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=20)
            self._process = None


class Collector(Process):
    """A collector on free ports, with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.api_port, self.http_port = free_port(), free_port()
        self.api = f"http://127.0.0.1:{self.api_port}"
        self.otlp = f"http://127.0.0.1:{self.http_port}"
        ports = {"API": self.api_port, "HTTP": self.http_port, "GRPC": free_port()}
        settings = {f"CHOREOSCOPE_{name}_PORT": str(port) for name, port in ports.items()}
        super().__init__(["-m", "collector"], folder, {**settings, "CHOREOSCOPE_DATA": str(folder / "data")})

    def _started(self) -> Running:
        return Fork(collect, (), self._settings, stdout=self.log, stderr=self.log)

    def run(self) -> None:
        """Start it and wait until it answers questions."""
        self.start(f"{self.api}/readyz")

    def ask(self, question: str) -> dict[str, object]:
        """Return the API's answer to *question*."""
        answer = httpx.get(f"{self.api}/api/v1/{question}", trust_env=False, timeout=10)
        answer.raise_for_status()
        document: dict[str, object] = answer.json()
        return document


class Dashboard(Process):
    """`streamlit run dashboard`, from a folder that is not the repository."""

    def __init__(self, folder: Path, api: str, shop: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            ["-m", "streamlit", "run", str(ROOT / "dashboard"), "--server.port", str(self.port)],
            folder,
            {"CHOREOSCOPE_API": api, "CHOREOSCOPE_SHOP": shop, "HOME": str(folder), **settings},
        )

    def run(self) -> None:
        """Start it and wait until it serves."""
        self.start(f"{self.url}/_stcore/health")
