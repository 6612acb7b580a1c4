"""Which format is a file in? Its content tells, and bad parts cost the rest nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from collector import conventions, formats
from collector.formats import FormatError
from collector.stitching import stitch
from tests.documents import Document, document
from tests.factories import NOW, as_json, json_body, request, span
from tests.filing import jaeger, read, trace, zipkin

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
TRACES = SHARED / "traces"
FACTS: dict[str, Any] = (
    json.loads((SHARED / "facts.json").read_text()) if (SHARED / "facts.json").is_file() else {}
)
ZIPKIN_EXPORTS = sorted((SHARED / "wire" / "exporters").glob("*zipkin*.bin"))

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")

GOOD = as_json(request(span("good")))


def test_lines_of_a_file_may_be_in_different_formats() -> None:
    """A person who collects traces in one file does not ask which tracer wrote them."""
    found = read(GOOD, trace(jaeger()), [zipkin()], b"")

    assert (found.spans.num_rows, found.problems) == (3, [])


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_text_may_begin_with_a_mark_of_its_encoding(mark: str) -> None:
    """A Windows shell writes piped output as UTF-16."""
    text = f"\ufeff{json.dumps(GOOD)}\n{json.dumps(GOOD)}"

    assert formats.read(text.encode(mark.removesuffix("-sig")), NOW).spans.num_rows == 2


def test_bad_lines_are_named_and_the_good_ones_used() -> None:
    """A log was cut off, or another program wrote a line: the traces around it are still worth seeing."""
    found = read(b'"cut off"}', GOOD, b"hello", b'{"unknown": 1}', b'{"resourceSpans": 7}', GOOD, b"{")

    assert found.spans.num_rows == 2
    assert [problem.text.split(" cannot")[0] for problem in found.problems] == [
        f"Line {line} of 7" for line in (1, 3, 4, 5, 7)
    ]
    assert {(problem.kind.value, problem.ref) for problem in found.problems} == {("unreadable", None)}


def test_a_file_without_a_good_line_is_refused_by_its_first_bad_one() -> None:
    with pytest.raises(FormatError) as refused:
        read(b"{}", b"hello", b"{}")

    assert (refused.value.line, refused.value.lines) == (2, 3)


def test_a_broken_document_of_many_lines_is_one_document() -> None:
    """A line number would not help: line 5 of a document says nothing by itself."""
    with pytest.raises(FormatError) as refused:
        formats.read(json.dumps(trace(jaeger()), indent=2).encode()[:-5], NOW)

    assert refused.value.line is None


def test_what_was_read_is_told_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar can then move while a long file is read."""
    monkeypatch.setattr(formats, "_AT_ONCE", 1000)
    lines = [json_body(GOOD)] * 10
    told: list[int] = []
    found = formats.read(b"\n".join(lines), NOW, told.append)

    assert found.spans.num_rows == 10
    assert len(told) > 2
    assert sum(told) == sum(map(len, lines))


def test_spellings_of_one_id_do_not_depend_on_their_order() -> None:
    short, long = trace(jaeger("a1", traceID="b1")), trace(jaeger("00a1", traceID="0b1"))

    assert read(short, long).spelled == read(long, short).spelled


# What other projects publish


def shared(name: str) -> tuple[Document, formats.Found]:
    found = formats.read((SHARED / name).read_bytes(), NOW)
    return document(stitch(conventions.read(found.spans)), spelled=found.spelled), found


@needs_shared
def test_the_sample_files_are_as_many_as_they_were() -> None:
    """If the files change, the tests below must not silently become empty."""
    assert len(FACTS) >= 30
    assert len(ZIPKIN_EXPORTS) == 2


@pytest.mark.parametrize("name", FACTS)
def test_sample_files_are_read_to_the_last_span(name: str) -> None:
    facts = FACTS[name]
    answer, found = shared(name)
    # Both sides of a call in Zipkin share an id in the file, and are two spans here.
    repeated = 0 if "zipkin" in name else facts["repeated_ids"]

    assert found.problems == []
    assert answer["spans"] == facts["span_records"] - repeated
    assert answer["traces"] == facts["traces"]
    assert sum(map(len, found.spans["link_span_ids"].to_pylist())) == facts["links"]
    named = {"unknown" if one == "unknown_service" else one for one in found.spans["service"].to_pylist()}
    assert named == set(facts["services"])
    roots = sum(not any(one) for one in found.spans["parent_span_id"].to_pylist())
    assert roots == facts["roots"]
    missing = [note["ref"] for note in answer["notes"] if note["kind"] == "missing_parent"]
    assert len(missing) == (1 if facts["orphans"] else 0)


@pytest.mark.parametrize("name", FACTS)
def test_sample_files_show_ids_as_they_were_written(name: str) -> None:
    """Base64 is the exception: a reader knows these ids in hex."""
    _, found = shared(name)
    text = (SHARED / name).read_text().lower()

    for octets, written in found.spelled.items():
        assert f'"{written}"' in text
        assert octets.hex() not in text


@needs_shared
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("traces/otlp/otlp2jaeger-in.json", "traces/jaeger/otlp2jaeger-out.json"),
        ("traces/otlp/otlp2jaeger-multi-in.jsonl", "traces/jaeger/otlp2jaeger-multi-out.json"),
        ("traces/otlp/pushbytes.json", "traces/jaeger/pushbytes.json"),
    ],
)
def test_the_same_spans_in_two_formats_are_the_same(one: str, other: str) -> None:
    """Jaeger itself converted them, and it keeps microseconds."""
    told, tables = zip(*(shared(name) for name in (one, other)), strict=True)

    assert told[0] == told[1]
    kept = ["trace_id", "span_id", "parent_span_id", "name", "kind", "service", "status_code"]
    rows = [table.spans.select(kept).sort_by("span_id") for table in tables]
    assert rows[0].equals(rows[1])
    starts = [sorted(time // 1000 for time in table.spans["start_unix_nano"].to_pylist()) for table in tables]
    assert starts[0] == starts[1]


@needs_shared
@pytest.mark.parametrize("file", ZIPKIN_EXPORTS, ids=lambda file: file.stem)
def test_opentelemetrys_zipkin_exporters_are_read(file: Path) -> None:
    """Each has a message and its reaction; the export lost the link of a second reaction."""
    answer, found = shared(str(file.relative_to(SHARED)))

    assert (answer["spans"], answer["traces"], found.problems) == (4, 2, [])
    (edge,) = answer["edges"]
    assert edge["kind"] == "delivery"
    assert sorted(reaction["status"] for reaction in answer["reactions"]) == ["error", "ok"]


@needs_shared
def test_zipkins_own_example_of_messaging_is_one_delivery() -> None:
    answer, _ = shared("traces/zipkin/messaging.json")

    assert [(edge["kind"], edge["because"]) for edge in answer["edges"]] == [("delivery", "parent")]
