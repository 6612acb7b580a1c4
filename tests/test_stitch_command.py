"""What does `choreoscope stitch` make of files? A causal graph, or a sentence if a file is no trace file."""

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from collector.commands import files, main
from collector.model import answers as shapes
from tests.factories import json_body, protobuf, request, span
from tests.filing import jaeger, reference, trace, zipkin
from tests.telling import consume, publish, react, tell

RECORDED = Path(__file__).parent / "recorded"


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.out)
        return answer


Run = Callable[..., Answer]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs `choreoscope stitch` with the given arguments and standard input."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "argv", ["choreoscope", "stitch", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Answer(int(ended.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes an order's request to a file, in one of the forms that requests have."""
    sent = [publish("placed", key="A-1"), publish("lonely", at=1)]
    first = request(*(one.span for one in sent), service="order")
    second = request(consume("packing", sent[0]).span, service="packing")
    ways: dict[str, bytes] = {
        "protobuf": protobuf(first, second),
        "json": json_body(_together(first, second)),
        "pretty": json.dumps(json.loads(json_body(_together(first, second))), indent=2).encode(),
        "lines": json_body(first) + b"\n\n" + json_body(second) + b"\r\n",
        "marked": b"\xef\xbb\xbf \n" + json_body(_together(first, second)),
        "exported": _exported(protobuf(first), protobuf(second)),
        "packed": _exported(*map(_zstd, (protobuf(first), protobuf(second)))),
        "packed json": _exported(*map(_zstd, (json_body(first), json_body(second)))),
        "zstd": _zstd(protobuf(first, second)),
    }

    def write(way: str, *, zipped: bool = False) -> Path:
        file = tmp_path / f"{way}-{zipped}"
        file.write_bytes(gzip.compress(ways[way]) if zipped else ways[way])
        return file

    return write


def _exported(*messages: bytes) -> bytes:
    """As the Collector's file exporter writes them: each after its length."""
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


def _zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


def _together(*requests: Any) -> Any:
    whole = request()
    whole.Clear()
    for one in requests:
        whole.MergeFrom(one)
    return whole


def expected() -> dict[str, Any]:
    placed = publish("placed", key="A-1")
    return tell(placed, publish("lonely", at=1), consume("packing", placed)).document


PLAIN = ("protobuf", "json", "pretty", "lines", "marked", "exported")
PACKED = ("packed", "packed json", "zstd")


@pytest.mark.parametrize(
    ("way", "zipped"),
    [*((way, zipped) for way in PLAIN for zipped in (False, True)), *((way, False) for way in PACKED)],
)
def test_every_way_to_write_a_request_gives_the_same_graph(
    run: Run, shop: Callable[..., Path], way: str, zipped: bool
) -> None:
    """The content tells the format: nobody remembers what a file's name should end in."""
    answer = run(shop(way, zipped=zipped), "--format", "json")

    assert (answer.code, answer.err) == (0, "")
    assert answer.document == expected()


def test_a_packed_file_that_is_still_written_to_gives_what_is_whole(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "spans.zst"
    first, second = (protobuf(request(span(name))) for name in "ab")
    file.write_bytes(_exported(_zstd(first), _zstd(second))[:-3])
    answer = run(file, "--format", "json")

    assert (answer.code, answer.document["spans"]) == (0, 1)
    assert "Message 2 of 2 cannot be read" in answer.err


def test_several_files_are_one_set_of_spans(run: Run, shop: Callable[..., Path]) -> None:
    """A day's traces are spread over many files, and several of them may hold the same span."""
    answer = run(shop("protobuf"), shop("lines", zipped=True), shop("protobuf"), "--format", "json")

    assert answer.document == expected()


def test_standard_input_is_a_file(run: Run, shop: Callable[..., Path]) -> None:
    assert run("-", "--format", "json", stdin=shop("json").read_bytes()).document == expected()


def test_attribute_that_names_flows_can_be_chosen(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    placed = publish("placed", key="A-1", said={"basket": "B-7"})
    file.write_bytes(protobuf(request(placed.span)))

    def key(*options: str) -> str | None:
        return str(run(file, *options, "--format", "json").document["flows"][0]["key"])

    assert (key(), key("--flow-key", "basket")) == ("A-1", "B-7")
    assert key("--flow-key", "order.id", "--flow-key", "basket") == "A-1"


def test_attributes_that_name_conversations_and_causes_are_the_collectors_settings(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Axon 4 calls the cause a correlation id. Settings that the command does not use are not checked."""
    placed = publish("placed", said={"messaging.message.id": "m-1"})
    packing = react("packing", placed)
    said = {"axon.correlation_id": "m-1", "messaging.message.causation_id": "m-0"}
    packed = publish("packed", service="packing", said=said)
    file = tmp_path / "axon.json"
    bodies = [json_body(request(one.span, service=one.service)) for one in (placed, packing, packed)]
    file.write_bytes(b"\n".join(bodies))
    monkeypatch.setenv("CHOREOSCOPE_CAUSATION_IDS", "axon.correlation_id")
    monkeypatch.setenv("CHOREOSCOPE_HTTP_PORT", "none")

    edges = run(file, "--format", "json").document["edges"]
    because = {(edge["from"], edge["to"]): edge["because"] for edge in edges}
    assert because == {(placed.ref, packing.ref): "parent", (packing.ref, packed.ref): "causation_id"}


def test_text_says_who_reacted_to_what(run: Run, shop: Callable[..., Path]) -> None:
    answer = run(shop("json"))

    assert answer.code == 0
    assert "A-1" in answer.out
    assert "packing" in answer.out


@pytest.mark.parametrize("octets", [b"{}", b'{"resource_spans": [{}]}', b'{"batches": [{}]}'])
def test_request_without_spans_is_an_empty_graph(run: Run, tmp_path: Path, octets: bytes) -> None:
    """OTLP ignores names that it does not know; a reader who sees nothing wants to know why."""
    file = tmp_path / "file"
    file.write_bytes(octets)
    answer = run(file, "--format", "json")

    assert (answer.code, answer.document) == (0, tell().document)
    assert "no spans in it" in answer.err


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n\t", id="blank"),
        pytest.param(b"hello", id="text"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"resourceSpans": [', id="broken JSON"),
        pytest.param(b'{"resourceSpans": "no list"}', id="another document"),
        pytest.param(b"{}\n{}\nhello", id="broken line"),
        pytest.param(b"\x1f\x8b\x08\x00", id="broken gzip"),
        pytest.param(gzip.compress(b"hello" * 99)[:-9], id="gzip cut off"),
        pytest.param(b"\x0a\xff\xff", id="broken protobuf"),
        pytest.param(b"\x28\xb5\x2f\xfd\x00", id="broken zstd"),
        pytest.param(b"\x00\x00\x00\x09\x28\xb5\x2f\xfdhello", id="broken messages"),
        pytest.param(b"\xff\xfe\x00\x01", id="rubbish"),
    ],
)
def test_what_is_no_trace_file_is_refused_in_one_line(run: Run, tmp_path: Path, octets: bytes) -> None:
    """The line names the file and what was expected; the exit code says that the input was bad."""
    file = tmp_path / "the-file"
    file.write_bytes(octets)
    answer = run(file, "--format", "json")

    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1
    assert str(file) in answer.err
    assert "xpected" in answer.err


@pytest.mark.parametrize("text", ["<!DOCTYPE html>\n<p>404</p>", "spans:\n- 1", "null", "12", "a,b\n1,2"])
def test_other_text_is_shown_and_not_taken_for_protobuf(run: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "the-file"
    file.write_text(text)
    answer = run(file)

    assert answer.code == 2
    assert f"it is text of another kind: '{text.split(maxsplit=1)[0]}" in answer.err
    assert "ExportTraceServiceRequest" not in answer.err


def test_two_sides_of_a_call_meet_over_several_files(run: Run, tmp_path: Path) -> None:
    """Zipkin gives both sides the same id, and each service may have written its own file."""
    call = {"traceId": "a1", "id": "b1", "timestamp": 1_000_000, "duration": 10}
    client = [{**call, "kind": "CLIENT", "localEndpoint": {"serviceName": "shop"}}]
    server = [
        {**call, "kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "stock"}},
        {
            "traceId": "a1",
            "id": "b2",
            "parentId": "b1",
            "kind": "PRODUCER",
            "localEndpoint": {"serviceName": "stock"},
        },
    ]
    files = [tmp_path / name for name in ("client", "server", "both")]
    for file, spans in zip(files, (client, server, client + server), strict=True):
        file.write_text(json.dumps(spans))

    apart, turned = (
        run(*files[:2], "--format", "json").document,
        run(*files[1::-1], "--format", "json").document,
    )
    assert apart["spans"] == 3
    assert apart["notes"] == []
    assert apart == turned == run(files[2], "--format", "json").document


def test_broken_line_is_named(run: Run, tmp_path: Path) -> None:
    """In a file with a million lines, a reader wants to know which one."""
    file = tmp_path / "file"
    file.write_bytes(b"{}\n{}\nhello\n{}")

    assert "line 3 of 4" in run(file).err


def test_file_that_is_not_there_and_folders_are_refused(run: Run, tmp_path: Path) -> None:
    for name in (tmp_path / "nothing", tmp_path):
        answer = run(name)
        assert (answer.code, len(answer.err.splitlines())) == (2, 1)
        assert str(name) in answer.err


def test_spans_that_cannot_be_used_are_counted_and_the_others_stitched(run: Run, tmp_path: Path) -> None:
    """One span's broken id must not hide other orders."""
    file = tmp_path / "file"
    file.write_bytes(protobuf(request(publish("placed").span, span(id=b"short"))))
    answer = run(file, "--format", "json")

    assert (answer.code, len(answer.document["messages"])) == (0, 1)
    assert "1 record cannot be used" in answer.err


def test_bad_records_are_notes_beside_the_graph_of_the_good_ones(run: Run, tmp_path: Path) -> None:
    """Each note names its file, and one line counts them. Control characters must not reach a terminal."""
    file = tmp_path / "file"
    placed = publish("placed", key="A-1")
    file.write_bytes(json_body(request(placed.span, span(id=b"short"))) + b'\n{"hello\x1b": 1}\n\x1b[31m')
    answer = run(file, "--format", "json")

    assert len(answer.document["messages"]) == 1
    assert [(note["kind"], note["ref"]) for note in answer.document["notes"]] == [
        ("unreadable", None),
        ("unreadable", None),
    ]
    assert all(note["text"].startswith(f"{file}: Line ") for note in answer.document["notes"])
    assert answer.err.startswith(f"choreoscope: {file}: 2 records cannot be used.")
    assert len(answer.err.splitlines()) == 1
    assert "\x1b" not in answer.err + run(file).out


def test_ids_of_several_files_are_shown_as_they_were_written(run: Run, tmp_path: Path) -> None:
    """The message is in Zipkin's file and its reaction in Jaeger's."""
    zipkins, jaegers = tmp_path / "zipkins", tmp_path / "jaegers"
    zipkins.write_bytes(json.dumps([zipkin("1", "PRODUCER", traceId="ABC")]).encode())
    process = jaeger(
        "order-2",
        ("span.kind", "string", "consumer"),
        traceID="abc",
        references=[reference("CHILD_OF", "1" * 16, "abc")],
    )
    jaegers.write_bytes(gzip.compress(json.dumps(trace(process)).encode()))
    answer = run(jaegers, zipkins, "--format", "json")

    assert [(edge["from"], edge["to"]) for edge in answer.document["edges"]] == [
        (f"abc:{'1' * 16}", "abc:order-2")
    ]


def test_a_bar_is_shown_to_people_with_much_to_read(
    run: Run, shop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only to them: a script wants the output, with nothing drawn over it."""
    few, many = [shop("json")], [shop("json")] * files._MANY
    assert "reading" not in run(*many).err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    assert "reading" not in run(*few).err
    assert "100%" in run(*many).err
    monkeypatch.setattr(files, "_LONG", 1)
    assert "100%" in run(shop("lines", zipped=True)).err


def test_protobuf_is_not_taken_for_json_because_its_length_is_the_code_of_a_brace(
    run: Run, tmp_path: Path
) -> None:
    """A request begins with a line feed, as a JSON file may, followed by its length."""
    bodies = (protobuf(request(span("x" * size), service=None)) for size in range(100))
    file = tmp_path / "file"
    file.write_bytes(next(body for body in bodies if body.startswith(b"\n{")))

    assert run(file, "--format", "json").document["spans"] == 1


def test_recorded_shop_is_stitched_by_the_real_command() -> None:
    """Everything that a user's command runs, from the console script to the last byte."""
    script = Path(sys.executable).with_name("choreoscope")
    answer = subprocess.run(
        [script, "stitch", RECORDED / "shop.jsonl", "--format", "json"], capture_output=True, check=True
    )

    told = msgspec.json.decode(answer.stdout, type=shapes.Stitched)
    assert len(told.messages) > 10
    assert answer.stderr == b""
