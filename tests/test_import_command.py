"""Does `choreoscope import` bring files into the collector, and report what is refused?"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.commands import imports
from tests.collecting import Collector, until
from tests.factories import json_body, protobuf, ref, request, span
from tests.filing import jaeger, reference, trace
from tests.telling import consume, publish
from tests.test_commands import run

Answer = tuple[int, bytes]


class Taker:
    """A collector that answers as a test wants, and records how many spans each request had."""

    def __init__(self) -> None:
        self.answer: Callable[[int], Answer] = lambda _: (200, b"")
        self.sizes: list[int] = []
        self.tokens: set[str | None] = set()
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                sent = ExportTraceServiceRequest.FromString(data)
                size = sum(len(s.spans) for r in sent.resource_spans for s in r.scope_spans)
                taker.sizes.append(size)
                taker.tokens.add(self.headers.get("authorization"))
                code, body = taker.answer(size)
                self.send_response(code)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def taker() -> Iterator[Taker]:
    taker = Taker()
    thread = threading.Thread(target=taker.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield taker
    taker.server.shutdown()
    thread.join()
    taker.server.server_close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with five spans."""
    file = tmp_path / "file"
    file.write_bytes(protobuf(request(*(span(str(number)) for number in range(5)))))
    return file


def test_what_is_in_files_is_in_the_collector(tmp_path: Path) -> None:
    """From the bytes of two formats to the flows of a real collector."""
    placed = publish("placed", key="A-1")
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(gzip.compress(json_body(request(placed.span, service="order"))))
    second.write_bytes(
        json.dumps(
            trace(
                jaeger("1" * 16, ("span.kind", "string", "producer"), ("order.id", "string", "A-2")),
                jaeger(
                    "2" * 16,
                    ("span.kind", "string", "consumer"),
                    references=[reference("CHILD_OF", "1" * 16)],
                ),
            )
        ).encode()
        + b"\n"
        + json_body(request(consume("packing", placed).span, service="packing"))
    )
    collector = Collector(tmp_path).start()
    try:
        to = f"http://127.0.0.1:{collector.http_port}"
        done = run("import", str(first), str(second), "--to", to)
        assert (done.returncode, done.stdout, done.stderr) == (0, "4 spans read, 4 sent, 0 refused\n", "")
        until(lambda: [_edges(collector, key) for key in ("A-1", "A-2")] == [["delivery"]] * 2)
    finally:
        assert collector.stop() == 0


def _edges(collector: Collector, key: str) -> list[str]:
    answer = collector.get(f"/api/v1/flows/{key}").json()
    return [edge["kind"] for edge in answer.get("edges", [])]


def test_requests_are_small_enough(
    taker: Taker, file: Path, monkeypatch: pytest.MonkeyPatch, run_here: Callable[..., Any]
) -> None:
    """A collector limits the size of requests; if its limit is lower than assumed, send smaller ones."""
    monkeypatch.setattr(imports, "_MOST", 4)
    taker.answer = lambda size: (413, b"") if size > 2 else (200, b"")

    assert run_here(file, "--to", taker.address, "--format", "json") == (
        0,
        {"spans": 5, "sent": 5, "refused": 0, "unusable": 0},
        "",
    )
    assert taker.sizes == [4, 2, 2, 1]


def test_what_the_collector_refuses_is_counted_and_said(
    taker: Taker, file: Path, run_here: Callable[..., Any]
) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "2 span(s) refused.\nToo old."
    taker.answer = lambda _: (200, answer.SerializeToString())
    code, document, said = run_here(file, "--to", f"{taker.address}/", "--format", "json")

    assert (code, document["sent"], document["refused"]) == (1, 3, 2)
    assert said == f"choreoscope: {taker.address}/ refused 2 spans. 2 span(s) refused. Too old.\n"

    taker.answer = lambda _: (400, Status(message="no").SerializeToString())
    code, document, said = run_here(file, "--to", taker.address, "--format", "json")
    assert (code, document["sent"], document["refused"]) == (1, 0, 5)
    assert said.endswith("refused 5 spans. no\n")


def test_a_busy_collector_is_asked_again(
    taker: Taker, file: Path, monkeypatch: pytest.MonkeyPatch, run_here: Callable[..., Any]
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setenv("CHOREOSCOPE_TOKEN", "secret")
    taker.answer = lambda _: (503 if len(taker.sizes) < 3 else 200, b"")

    assert run_here(file, "--to", taker.address, "--format", "json")[1]["sent"] == 5
    assert taker.sizes == [5, 5, 5]
    assert taker.tokens == {"Bearer secret"}

    taker.answer = lambda _: (503, b"\xff")
    code, _, said = run_here(file, "--to", taker.address)
    assert (code, said.count("\n"), "503" in said) == (2, 1, True)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "nonsense", "http://[x"])
def test_nobody_there_is_one_line(file: Path, address: str, run_here: Callable[..., Any]) -> None:
    code, _, said = run_here(file, "--to", address)

    assert (code, said.count("\n")) == (2, 1)
    assert address in said
    assert "choreoscope collector" in said


def test_what_answers_but_is_no_collector_is_one_line(
    taker: Taker, file: Path, run_here: Callable[..., Any]
) -> None:
    taker.answer = lambda _: (200, b"<html>hello</html>")
    code, _, said = run_here(file, "--to", taker.address)

    assert (code, said.count("\n"), "no OTLP" in said) == (2, 1, True)


def test_records_that_cannot_be_used_are_counted(
    taker: Taker, tmp_path: Path, run_here: Callable[..., Any]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(protobuf(request(span("good"), span(id=b"short"))))
    code, document, said = run_here(file, "--to", taker.address, "--format", "json")

    assert (code, document) == (0, {"spans": 1, "sent": 1, "refused": 0, "unusable": 1})
    assert "1 record cannot be used" in said
    assert ref("trace", "good") not in said


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """A function that runs the command in this process and returns exit code, document and stderr."""
    from collector.commands import main

    def run_here(*arguments: str | Path) -> tuple[int, Any, str]:
        monkeypatch.setattr("sys.argv", ["choreoscope", "import", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        document = json.loads(written.out) if written.out.startswith("{") else written.out
        return int(ended.value.code or 0), document, written.err

    return run_here
