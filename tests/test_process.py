"""The collector as a process: how it starts, what it says when it can not, and how it stops."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collecting import Collector, free_ports
from tests.crashing import SPANS, Toll, load, stored


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One that runs."""
    running = Collector(tmp_path_factory.mktemp("collector")).start()
    yield running
    running.stop()


def refused(folder: Path, **settings: str) -> str:
    """What a collector says that can not start."""
    grpc, http, api = map(str, free_ports(3))
    own = {"CHOREOSCOPE_GRPC_PORT": grpc, "CHOREOSCOPE_HTTP_PORT": http, "CHOREOSCOPE_API_PORT": api}
    environment = {**os.environ, **own, "CHOREOSCOPE_DATA": str(folder), **settings}
    ended = subprocess.run(
        [sys.executable, "-m", "collector"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("name", ["GRPC", "HTTP", "API"])
def test_a_port_that_is_taken_is_named_with_the_setting_that_moves_ours(tmp_path: Path, name: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])

        line = refused(tmp_path, **{f"CHOREOSCOPE_{name}_PORT": port})

    assert port in line
    assert "collector" in line
    assert f"CHOREOSCOPE_{name}_PORT" in line


def test_a_folder_that_another_collector_holds_is_refused_untouched(collector: Collector) -> None:
    folder = Path(collector.environment["CHOREOSCOPE_DATA"])

    line = refused(folder)

    assert str(folder) in line
    assert "CHOREOSCOPE_DATA" in line
    assert collector.get("/healthz").status_code == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_needs_a_token(tmp_path: Path, address: str) -> None:
    assert "CHOREOSCOPE_TOKEN" in refused(tmp_path, CHOREOSCOPE_BIND=address)


def test_a_setting_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    line = refused(tmp_path, CHOREOSCOPE_HTTP_PORT="soon")

    assert "CHOREOSCOPE_HTTP_PORT is 'soon'" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_it_accepted(tmp_path: Path, number: signal.Signals) -> None:
    """Whoever was answered is stored; whoever was not can send again. It ends within ten seconds, with 0."""
    collector, toll = Collector(tmp_path).start(), Toll()
    with load(collector.http_port, "load", toll):
        time.sleep(1)
        started = time.monotonic()
        code = collector.stop(number)
        took = time.monotonic() - started

    assert code == 0
    assert took < 10
    assert toll.acknowledged
    assert stored(tmp_path, toll.acknowledged)[0] == SPANS * len(toll.acknowledged)


@pytest.mark.parametrize(
    ("words", "status", "said"), [("--help", 0, "docs/configuration.md"), ("4317", 2, "4317")]
)
def test_it_has_no_arguments_and_says_so(tmp_path: Path, words: str, status: int, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "collector", words],
        env={**os.environ, "CHOREOSCOPE_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == status
    assert said in ended.stdout + ended.stderr
    assert not (tmp_path / "data").exists()
