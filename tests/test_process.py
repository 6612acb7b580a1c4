"""How does the collector's process start, what does it say if it cannot, and how does it stop?"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import grpc
import httpx
import pytest

from collector.config import Config, variable
from tests.collecting import Collector, Program, free_ports, until
from tests.crashing import SPANS, Toll, load, stored
from tests.factories import protobuf, request, span
from tests.scenes import order
from tests.spawning import collect, ended


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A running collector, told of its data folder by a relative path."""
    folder = tmp_path_factory.mktemp("collector")
    running = Program(folder, CHOREOSCOPE_DATA=os.path.relpath(folder / "data")).start()
    yield running
    running.stop()


def test_data_folder_is_named_in_full(collector: Collector) -> None:
    """It was named as it was given, and the folder that it was given in is not known later."""
    given = collector.environment["CHOREOSCOPE_DATA"]

    assert not Path(given).is_absolute()
    assert f"data in {Path.cwd() / given}" in collector.log.read_text()


def refused(folder: Path, **settings: str) -> str:
    """The message of a collector that cannot start."""
    grpc, http, api = map(str, free_ports(3))
    own = {"CHOREOSCOPE_GRPC_PORT": grpc, "CHOREOSCOPE_HTTP_PORT": http, "CHOREOSCOPE_API_PORT": api}
    environment = {**os.environ, **own, "CHOREOSCOPE_DATA": str(folder), **settings}
    done = ended(collect, environment=environment, within_s=30)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
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


@pytest.mark.parametrize("address", ["127.0.0.2", "[::1]"])
def test_any_loopback_address_can_be_asked(tmp_path: Path, address: str) -> None:
    """An address that needs no token must be one that readers can name, too."""
    running = Collector(tmp_path, CHOREOSCOPE_BIND=address.strip("[]"))
    running.api = f"http://{address}:{running.api_port}"
    if not can_listen(address.strip("[]")):
        pytest.skip(f"this machine has no {address}")
    running.start()
    try:
        summary = running.ask("/summary")
        assert summary["otlp"]["http"] == f"http://{address}:{running.http_port}"
    finally:
        running.stop()


def can_listen(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


@pytest.mark.parametrize(
    "name", ["testserver", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", ""]
)
def test_other_names_of_this_machine_are_refused(collector: Collector, name: str) -> None:
    """A page from elsewhere that reaches us by a name of its own would read business data."""
    answer = httpx.get(f"{collector.api}/api/v1/summary", headers={"host": name}, trust_env=False)

    assert answer.status_code == 400
    assert "expected localhost, a loopback address" in answer.text


def test_the_largest_settings_can_be_used(tmp_path: Path) -> None:
    """A bound that is accepted at start must not fail when it is used."""
    bounds = {
        variable(setting.name): f"{setting.metadata['most']:.0f}"
        for setting in fields(Config)
        if "most" in setting.metadata and not setting.name.endswith(("_port", "memory_bytes", "free_bytes"))
    }
    running = Collector(tmp_path, trusted=None, **bounds).start()
    try:
        running.send(order("A-1", time.time_ns(), down={"payment"}))
        until(lambda: running.ask("/flows", q="A-1")["total"] == 1)
        assert running.ask("/why/A-1")["stuck"] == []
        deaths = re.findall(
            r"^choreoscope_task_deaths_total{.*} (.*)$", running.get("/metrics").text, re.MULTILINE
        )
        assert set(deaths) == {"0.0"}
    finally:
        assert running.stop() == 0


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    line = refused(tmp_path, CHOREOSCOPE_HTTP_PORT="soon")

    assert "CHOREOSCOPE_HTTP_PORT is 'soon'" in line


OVERFLOWING = b"\x0a" + b"\xff" * 9 + b"\x01"  # eleven bytes: a field with a length of 2^64 - 1


def test_a_request_on_which_the_decoder_panics_costs_no_other(collector: Collector, tmp_path: Path) -> None:
    """The panic once ended the decoding task: later requests hung, while readyz said that all is well."""
    traces = f"http://127.0.0.1:{collector.http_port}/v1/traces"
    for _ in range(6):
        answer = httpx.post(
            traces, content=OVERFLOWING, headers={"content-type": "application/x-protobuf"}, timeout=10
        )
        assert answer.status_code == 400
    with grpc.insecure_channel(f"127.0.0.1:{collector.grpc_port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as refused:
            export(OVERFLOWING, timeout=10)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    file = tmp_path / "panic.binpb"
    file.write_bytes(OVERFLOWING)
    stitched = httpx.post(f"{collector.api}/api/v1/stitch", content=OVERFLOWING, timeout=10)
    command = [str(Path(sys.executable).with_name("choreoscope")), "stitch", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert stitched.status_code == 400
    assert said.returncode == 2
    assert "no trace file" in said.stderr
    assert "Traceback" not in said.stderr
    collector.post(protobuf(request(span(id="after"))))
    assert collector.get("/readyz").status_code == 200


@pytest.mark.parametrize("how", ["moved", "removed", "replaced"])
def test_nothing_is_acknowledged_in_a_folder_that_is_gone(tmp_path: Path, how: str) -> None:
    """It was seen only when the engine needed a new file: 43 requests had been answered, and were lost."""
    collector = Collector(tmp_path).start()
    data, aside = tmp_path / "data", tmp_path / "aside"
    collector.post(protobuf(request(span(id="before"))))
    assert collector.get("/readyz").status_code == 200
    data.rename(aside)
    if how == "replaced":
        shutil.copytree(aside, data)
    for number in range(5):
        body = protobuf(request(span(id=f"gone {number}")))
        traces = f"http://127.0.0.1:{collector.http_port}/v1/traces"
        answer = httpx.post(traces, content=body, headers={"content-type": "application/x-protobuf"})
        assert answer.status_code == 503
    until(lambda: collector.get("/readyz").status_code == 503, within_s=5)
    # That no span of its own can be stored may be told as well.
    (trouble,) = [one for one in collector.ask("/summary")["troubles"] if one["refuses"]]
    assert trouble["kind"] == "folder_gone"
    assert "moved or removed" in trouble["text"]
    assert 'choreoscope_trouble{kind="folder_gone"} 1.0' in collector.get("/metrics").text
    if how == "removed":
        shutil.rmtree(aside)
    if how == "moved":
        shutil.rmtree(data, ignore_errors=True)  # what the engine may have made anew
        aside.rename(data)
        until(lambda: collector.get("/readyz").status_code == 200, within_s=90)
        collector.post(protobuf(request(span(id="after"))))
    assert collector.stop() in {0, 1}
    assert "Traceback" not in (tmp_path / "collector.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_it_accepted(tmp_path: Path, number: signal.Signals) -> None:
    """Answered requests are stored, the others can be resent. It exits within ten seconds, with 0."""
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
