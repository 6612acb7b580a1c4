"""What does a user see of the commands? What they print, on which stream, and how they exit."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from collector.commands import api_client
from collector.commands.demo import SERVICES
from collector.commands.failure import NoAnswerError
from sample_services import services as sample_services
from tests.collecting import Collector, until
from tests.factories import SECOND, as_json, protobuf, request
from tests.scenes import order
from tests.spawning import Fork, call, ended

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that learned from 30 orders and has one stuck order, whose name is a trap."""
    running = Collector(tmp_path_factory.mktemp("commands"), CHOREOSCOPE_DEADLINE_S="1").start()
    now = time.time_ns()
    running.send([one for number in range(30) for one in order(f"A-{number}", now - 3 * SECOND)])
    until(lambda: running.ask("/summary")["learning"]["flows"] == 30)
    running.send(order(STUCK, time.time_ns(), down={"payment"}))
    until(lambda: running.ask("/stuck")["total"] == 1)
    yield running
    assert running.stop(signal.SIGTERM) == 0


STUCK = "A-17\x1b[31m x"


def run(*words: str, environment: Mapping[str, str] | None = None, given: bytes = b"") -> Done:
    """Run `choreoscope` with *words*; its output is decoded."""
    return ended(call, *words, environment=environment, given=given)


def said(done: Done) -> str:
    """The one line that a command prints if it cannot do its work."""
    assert done.stdout == ""
    assert done.stderr.startswith("choreoscope: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_stuck_says_what_where_and_why(collector: Collector) -> None:
    done = run("stuck", environment=collector.environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 flow is stuck, the oldest for ")
    assert "payment has not taken StockReserved from inventory" in done.stdout
    assert "consumer_down" in done.stdout


@pytest.mark.parametrize("words", [["stuck"], ["flows"], ["flow", STUCK], ["why", STUCK], ["map"]])
def test_text_obeys_nobody_else_and_json_is_exact(collector: Collector, words: list[str]) -> None:
    """Names from spans may hold control characters: text disarms them, JSON keeps them."""
    shown = run(*words, environment=collector.environment)
    exact = run(*words, "--format", "json", environment=collector.environment)

    assert (shown.returncode, exact.returncode) == (0, 0)
    assert "\x1b" not in shown.stdout + exact.stdout
    document = json.loads(exact.stdout)
    if words[0] != "map":
        assert STUCK in json.dumps(document, ensure_ascii=False).replace("\\u001b", "\x1b")


def test_flows_are_found_and_counted(collector: Collector) -> None:
    listed = run("flows", "a-1", "--limit", "3", environment=collector.environment).stdout.splitlines()

    assert listed[0].split()[:2] == ["STATE", "FLOW"]
    assert listed[1].startswith("stuck")
    assert listed[-2:] == ["3 of 12 flows", "http://127.0.0.1:8501/flows?q=a-1"]
    none = run("flows", "A-999", environment=collector.environment).stdout
    assert none.startswith("No flow.\nNames like it: A-")


def test_a_search_line_is_read_where_it_is_answered(collector: Collector) -> None:
    """What cannot be read is said beside the answer, with its place; the rest counts."""
    place = {"CHOREOSCOPE_DASHBOARD": "https://pages.example/"}
    done = run(
        "flows",
        "state:stuck",
        "took:>tens",
        "--sort",
        "-took",
        environment={**collector.environment, **place},
    )

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[:2]] == ["STATE", "stuck"]
    assert done.stdout.endswith("\nhttps://pages.example/flows?q=state%3Astuck+took%3A%3Etens&sort=-took\n")
    sentence, line, marks = done.stderr.splitlines()
    assert sentence.startswith("took is '>tens': expected a duration with its unit")
    assert line[marks.index("^") : marks.index("^") + marks.count("^")] == ">tens"


def test_flows_are_written_as_a_table(collector: Collector) -> None:
    done = run(
        "flows",
        "state:stuck",
        "--format",
        "csv",
        "--columns",
        "flow,state",
        environment=collector.environment,
    )
    chosen = run("flows", "state:stuck", "--columns", "state,messages", environment=collector.environment)

    assert done.stdout == "flow,state\nA-17\ufffd[31m x,stuck\n"
    assert chosen.stdout.splitlines()[:2] == ["STATE  MESSAGES", "stuck  3"]


def test_stuck_fails_if_that_is_asked_for(collector: Collector) -> None:
    assert run("stuck", "--fail-if-stuck", environment=collector.environment).returncode == 1
    listed = run("stuck", "--flows", environment=collector.environment).stdout
    assert "A-17\ufffd[31m x  stuck for" in listed
    assert listed.endswith("http://127.0.0.1:8501/\n")


@pytest.mark.parametrize(
    ("settings", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_a_pipe_has_no_colours_unless_it_is_to_have_them(
    collector: Collector, settings: Mapping[str, str], coloured: bool
) -> None:
    shown = run("flows", "state:stuck", environment={**collector.environment, **settings}).stdout

    assert ("\x1b[31m\x1b[1mstuck\x1b[0m" in shown) == coloured
    assert ("\x1b" in shown) == coloured


def test_what_is_watched_is_asked_again(collector: Collector, tmp_path: Path) -> None:
    words = ["flows", "state:stuck", "--watch", "--every", "0.2", "--format", "csv", "--columns", "state"]
    out, errors = tmp_path / "out", tmp_path / "errors"
    watching = Fork(call, words, collector.environment, stdout=out, stderr=errors)
    until(lambda: out.read_text().count("state\nstuck\n") >= 3)
    watching.send_signal(signal.SIGTERM)  # Ctrl-C would be ignored if the tests run in the background
    assert watching.wait(20) == -signal.SIGTERM


def test_flow_is_drawn_with_what_is_missing(collector: Collector) -> None:
    drawn = run("flow", STUCK, environment=collector.environment).stdout

    assert "OrderPlaced  by order" in drawn
    assert "└╌ ? payment: PaymentCaptured is missing" in drawn


@pytest.mark.parametrize(
    ("style", "begin"),
    [("mermaid", "flowchart TD\n"), ("dot", "digraph flow {\n"), ("graphml", "<graphml "), ("svg", "<svg ")],
)
def test_flow_is_written_for_other_programs(collector: Collector, style: str, begin: str) -> None:
    """The picture shows what is missing and has no control characters; `stitch` draws files as well."""
    written = run("flow", STUCK, "--format", style, environment=collector.environment)
    spans = run("flow", STUCK, "--format", "otlp", environment=collector.environment).stdout
    stitched = run("stitch", "-", "--format", style, given=spans.encode())

    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout.startswith(begin)
    assert ("PaymentCaptured" in written.stdout, "PaymentCaptured" in stitched.stdout) == (True, False)
    assert "StockReserved" in stitched.stdout
    assert "\x1b" not in written.stdout + stitched.stdout


def test_spans_of_a_flow_are_one_line_that_stitch_reads(collector: Collector) -> None:
    """So a file can hold several flows, one per line."""
    flows = [
        run("flow", key, "--format", "otlp", environment=collector.environment) for key in (STUCK, "A-3")
    ]
    lines = "".join(done.stdout for done in flows)
    document = json.loads(run("stitch", "-", "--format", "json", given=lines.encode()).stdout)

    assert lines.count("\n") == 2
    assert [flow["key"] for flow in document["flows"]] == ["A-3", STUCK]


def test_unknown_flow_ends_with_one(collector: Collector) -> None:
    for command in ("flow", "why"):
        done = run(command, "B-1", environment=collector.environment)
        assert done.returncode == 1
        assert "no flow 'B-1'" in said(done)


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (
            ["flows", "--state", "asleep"],
            "state is 'asleep': expected done, running, late, stuck, failed, dismissed.",
        ),
        (["flows", "--limit", "0"], "'--limit'"),
        (["stuck", "--format", "xml"], "'--format'"),
        (["flow"], "'KEY'"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_bad_input_ends_with_two(collector: Collector, words: list[str], about: str) -> None:
    done = run(*words, environment=collector.environment)

    assert done.returncode == 2
    assert about in said(done)


def test_a_collector_that_takes_a_question_and_does_not_answer_is_not_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody who is told to start one beside it gets two."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CHOREOSCOPE_API", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(api_client, "_PATIENCE_S", 0.2)
        with pytest.raises(NoAnswerError) as told:
            api_client.ask("/stuck")

    assert "busy, or was stopped" in str(told.value)
    assert "start a collector" not in str(told.value)


def test_no_collector_is_told_with_what_to_do() -> None:
    done = run("stuck", environment={**os.environ, "CHOREOSCOPE_API": "http://127.0.0.1:9"})
    assert done.returncode == 2
    assert "No answer from http://127.0.0.1:9: start a collector with '" in said(done)


@pytest.mark.parametrize(
    ("given", "about"),
    [
        ("nonsense", "CHOREOSCOPE_API is 'nonsense': expected an address such as http://127.0.0.1:4319."),
        ("localhost:4319", "is 'localhost:4319': expected an address such as http://localhost:4319."),
        ("htp://ada:4319/x", "expected an address such as http://ada:4319."),
        ("http://[::1", "expected an address such as http://127.0.0.1:4319."),
        (
            "http://127.0.0.1:{http_port}",
            "the port that takes spans (OTLP/HTTP): expected that of the API, 4319",
        ),
        ("http://127.0.0.1:{grpc_port}", "is it the port for spans (OTLP/gRPC)?"),
        ("http://127.0.0.1:{api_port}/api/v1", "no API below '/api/v1': expected http://127.0.0.1:"),
        ("http://127.0.0.1:{api_port}/docs/", "no API below '/docs': expected http://127.0.0.1:"),
        ("https://127.0.0.1:{api_port}", "its address begins with http://"),
    ],
)
def test_another_door_than_the_api_is_told_apart(collector: Collector, given: str, about: str) -> None:
    """People name the port they know, or copy an address with its path."""
    where = given.format(**vars(collector)) if "{" in given else given
    done = run("stuck", environment={**os.environ, "CHOREOSCOPE_API": where})

    assert done.returncode == 2
    assert about in said(done)


@pytest.mark.parametrize("place", ["here", "elsewhere", "on the path"])
def test_command_that_is_shown_can_be_copied(tmp_path: Path, place: str) -> None:
    """A user who followed the README has `choreoscope` in .venv/bin and not on the PATH."""
    scripts = Path(sysconfig.get_path("scripts"))
    folder = {"here": scripts.parents[1], "elsewhere": tmp_path, "on the path": tmp_path}[place]
    path = os.pathsep.join([*([str(scripts)] if place == "on the path" else []), "/usr/bin", "/bin"])
    environment = {**os.environ, "CHOREOSCOPE_API": "http://127.0.0.1:9", "PATH": path}
    done = subprocess.run(
        [scripts / "choreoscope", "stuck"], cwd=folder, env=environment, capture_output=True, check=False
    )
    (shown,) = re.findall("start a collector with '(.*?)', or", done.stderr.decode())
    copied = subprocess.run(
        ["/bin/sh", "-c", f"{shown} --help"], cwd=folder, env=environment, capture_output=True, check=False
    )

    assert copied.returncode == 0
    assert b"Run the collector" in copied.stdout
    assert (
        shown
        == {
            "here": f"{scripts.relative_to(scripts.parents[1])}/choreoscope collector",
            "elsewhere": f"{scripts}/choreoscope collector",
            "on the path": "choreoscope collector",
        }[place]
    )


def test_services_that_can_be_broken_are_named() -> None:
    """A user cannot guess the names of the shop's services."""
    assert set(SERVICES) == set(sample_services.SERVICES)
    for command in ("break", "mend"):
        shown = run("demo", command, "--help").stdout
        assert all(service in shown for service in sample_services.SERVICES)


def test_reader_that_has_enough_is_no_error(collector: Collector) -> None:
    """As in `choreoscope flows --format json | head -1`."""
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-c",
        "from collector.commands import main; main()",
        "flows",
        "--format",
        "json",
    ]
    process = subprocess.Popen(command, env=collector.environment, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.close(reading)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize("form", ["json", "lines", "protobuf", "gzip"])
def test_files_are_stitched_without_a_collector(tmp_path: Path, form: str) -> None:
    sent = request(*(one for _, one in order("A-1", 10**18)))
    text = json.dumps(as_json(sent)).encode()
    octets = {
        "json": text,
        "lines": text + b"\n" + text,
        "protobuf": protobuf(sent),
        "gzip": gzip.compress(text),
    }
    file = tmp_path / "spans"
    file.write_bytes(octets[form])
    document = json.loads(run("stitch", str(file), "--format", "json").stdout)

    assert [flow["key"] for flow in document["flows"]] == ["A-1"]
    assert (document["spans"], len(document["messages"]), len(document["reactions"])) == (11, 5, 6)
    assert "OrderPlaced" in run("stitch", "-", given=octets[form]).stdout


@pytest.mark.parametrize("octets", [b"", b"{", b"\xff\xff\xff", b'{"resourceSpans": 1}'])
def test_file_that_is_no_trace_is_refused(tmp_path: Path, octets: bytes) -> None:
    file = tmp_path / "nonsense"
    file.write_bytes(octets)
    done = run("stitch", str(file))

    assert done.returncode == 2
    assert str(file) in said(done)
    assert run("stitch", str(tmp_path / "missing")).returncode == 2


def test_help_is_there_for_every_command() -> None:
    for words in ([], ["demo", "break"], ["flows"], ["stitch"]):
        done = run(*words, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: choreoscope")
        assert max(map(len, done.stdout.splitlines())) <= 100


def test_dashboard_says_in_one_line_that_its_port_is_taken() -> None:
    """Streamlit's word for it came after its banner, and did not say what to do."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = run("dashboard", "--port", str(port), environment=dict(os.environ))

    assert done.returncode == 2
    assert f"Port {port} for the dashboard is taken" in said(done)
    assert "choose another port with --port" in said(done)
