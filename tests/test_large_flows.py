"""What is answered about a flow that is too large to be shown as a whole?"""

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.one_flow import Form, spans_of
from collector.conventions import DEFAULT_NAMING, read
from collector.counters import Counters
from collector.live.snapshot import EMPTY
from collector.model import answers as shapes
from collector.model.answers import Otlp
from collector.model.flows import FLOWS, SET_ASIDE
from collector.model.spans import SPANS
from collector.queries import Errand, GivenUpError, Part, Reader, flow_parts, part
from collector.queries import flow as flow_queries
from collector.queries.causal_graph import causal_graph
from collector.queries.sources import LiveView, Sources
from collector.stitching import BELIEVED, stitch
from collector.store.clickhouse.connections import Database, Limits
from collector.store.clickhouse.decision_store import ClickHouseDecisions
from collector.store.clickhouse.deletion_store import ClickHouseDeletions
from collector.store.clickhouse.dismissal_store import ClickHouseDismissals
from collector.store.clickhouse.flow_store import ClickHouseFlows
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import TooMuchError
from tests.conftest import Engines, new_database
from tests.documents import fields, plain
from tests.factories import ref, request, span, table, trace_id

LARGE = 36_000  # more than is stitched at once,
COUNT = 5_200  # and more than is stitched at once where these tests set a lower limit
PART = 1_000
AT = 1_800_000_000 * 10**9
FLOWS_HERE: dict[str, tuple[Form, int]] = {
    "large": ("chain", LARGE),
    "chain": ("chain", COUNT),
    "star": ("star", COUNT),
    "attempts": ("attempts", COUNT),
    "random": ("random", COUNT),
}


PUBLISHED = {
    "messaging.system": "nats",
    "messaging.destination.name": "shop.pick",
    "cloudevents.event_type": "PickPlanned",
}


class Stored:
    """A store with large flows, and a reader of it."""

    def __init__(self, database: Database) -> None:
        self.spans = ClickHouseSpans(database)
        self.flows = ClickHouseFlows(database, self.spans)
        live = SimpleNamespace(
            snapshot=EMPTY,
            keying=BELIEVED,
            tick_s=0.0,
            replayed=threading.Event(),
            replay_share=1.0,
            expectations=0,
            decide=lambda decision: None,
        )
        self.sources = Sources(
            self.spans,
            self.flows,
            ClickHouseDecisions(database),
            cast("LiveView", live),
            Counters(),
            DEFAULT_NAMING,
            Otlp(grpc="", http=""),
            dismissals=ClickHouseDismissals(database),
            deletions=ClickHouseDeletions(database),
        )
        self.reader = Reader(self.sources)

    def put(self, key: str, spans: pa.Table, traces: list[bytes] | None = None) -> None:
        """Store *spans* as the flow *key*, which was set aside."""
        self.spans.write(spans)
        nothing = {field.name: None for field in FLOWS}
        row = nothing | {"id": key, "key": key, "traces": traces or spans["trace_id"].unique().to_pylist()}
        row |= dict.fromkeys(("started", "last", "received", "messages", "reactions"), 1)
        row |= {"wait_ms": 0.0, "work_ms": 0.0, "incomplete": False, "names": ""}
        flows = pa.Table.from_pylist([row], FLOWS)
        aside, no = np.array([SET_ASIDE]), np.array([False])
        self.flows.put(flows, np.array([1]), no, aside, only_new=False)

    def ask(self, key: str, wanted: Part | None = None) -> dict[str, Any]:
        """The document about the flow *key*."""
        answer = self.reader.flow(key, wanted)
        assert answer is not None
        return plain(answer)


@pytest.fixture(scope="module")
def stored(engines: Engines) -> Iterator[Stored]:
    """A store with a large flow of each form."""
    with new_database(engines.on_folder()) as database:
        one = Stored(database)
        for number, (key, (form, count)) in enumerate(FLOWS_HERE.items()):
            one.put(key, spans_of(count, form, key=key, at=AT, trace=bytes([number + 1]) * 16))
        yield one


@pytest.fixture(autouse=True)
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower limits, so that a flow of some thousand spans is a large one."""
    if "large" not in request.node.name:
        monkeypatch.setattr(flow_parts, "_WHOLE", 2 * PART)
        monkeypatch.setattr(flow_parts, "_AROUND", PART)


@pytest.mark.parametrize("key", FLOWS_HERE)
def test_last_part_is_shown_first_and_says_how_much_there_is(stored: Stored, key: str) -> None:
    """What stopped a flow is at its end; a part that looked like all of it would mislead."""
    _, count = FLOWS_HERE[key]
    wanted = Part(PART) if count == COUNT else Part()

    answer = stored.ask(key, wanted)

    fields(shapes.Flow, answer)
    shown = wanted.limit
    assert (answer["spans"], answer["shown"], answer["before"]) == (count, shown, count - shown)
    assert answer["later_cursor"] is None
    assert answer["next_cursor"] == answer["earlier_cursor"] is not None
    assert answer["flows"][0]["set_aside"]
    assert {flow for node in answer["reactions"] for flow in node.get("flows", [node["flow"]])} == {key}
    assert len(json.dumps(answer)) < 8_000_000
    assert "missing_parent" not in {note["kind"] for note in answer["notes"]}


@pytest.mark.parametrize("key", ["chain", "star"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_all_parts_together_are_the_flow(stored: Stored, key: str, order: Any) -> None:
    """A person who turns pages sees each message, reaction and edge once, as if all had been stitched."""
    together = spans_of(COUNT, cast("Form", key), key=key, at=AT, trace=b"\x01" * 16)
    graph = plain(causal_graph(stitch(read(together))))
    trace = bytes([list(FLOWS_HERE).index(key) + 1]) * 16
    seen: dict[str, list[Any]] = {"messages": [], "reactions": [], "edges": []}
    befores, cursor = [], None
    while True:
        answer = stored.ask(key, part(2 * PART, cursor, order))
        for name in seen:
            seen[name] += answer[name]
        befores.append(answer["before"])
        cursor = answer["next_cursor"]
        if cursor is None:
            break

    assert befores == (sorted(befores) if order == "oldest" else sorted(befores, reverse=True))
    mine, its = f"{trace.hex()}:", f"{'01' * 16}:"
    for name in ("messages", "reactions"):
        assert sorted(node["ref"].removeprefix(mine) for node in seen[name]) == sorted(
            node["ref"].removeprefix(its) for node in graph[name]
        )
    assert sorted(
        (e["from"].removeprefix(mine), e["to"].removeprefix(mine)) for e in seen["edges"]
    ) == sorted((e["from"].removeprefix(its), e["to"].removeprefix(its)) for e in graph["edges"])
    if key == "star":  # the message that all of them handled lies in another part
        assert {reaction["wait_ms"] for reaction in seen["reactions"]} != {None}


def test_parts_on_both_sides_lead_to_each_other(stored: Stored) -> None:
    last = stored.ask("chain", Part(PART))
    before = stored.ask("chain", part(PART, last["earlier_cursor"]))
    again = stored.ask("chain", part(PART, before["later_cursor"]))

    assert before["before"] + before["shown"] == last["before"]
    assert [node["ref"] for node in again["messages"]] == [node["ref"] for node in last["messages"]]


def test_nothing_is_said_to_be_well_with_a_flow_that_nobody_judges(stored: Stored) -> None:
    why = stored.reader.why("chain")

    assert why is not None
    assert (why.stuck, why.set_aside) == ([], True)


def test_spans_are_exported_in_pieces_and_whole(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_queries, "_EXPORTED", 2 * PART)
    pieces = stored.reader.spans_json("star", Errand())
    assert pieces is not None
    sizes, texts = [], []
    for piece in pieces:
        sizes.append(len(piece))
        texts.append(piece)

    document = json.loads(b"".join(texts))
    ids = [
        one["spanId"]
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for one in scope["spans"]
    ]
    assert len(ids) == len(set(ids)) == COUNT
    assert len(sizes) == 4  # and the end


def test_spans_that_came_twice_count_once(stored: Stored) -> None:
    """A flow's size, and the place of a part in it, are told in spans, not in copies."""
    spans = spans_of(3_000, "chain", key="twice", at=AT, trace=b"\x51" * 16)
    later = spans.set_column(
        SPANS.get_field_index("received_unix_nano"),
        SPANS.field("received_unix_nano"),
        pa.array(np.arange(3_000, dtype=np.uint64) + np.uint64(AT + 10**12)),
    )
    stored.put("twice", spans)
    stored.spans.write(later)

    answer = stored.ask("twice", Part(PART))

    assert (answer["spans"], answer["before"] + answer["shown"]) == (3_000, 3_000)


def test_bytes_of_an_answer_are_bounded_and_what_was_cut_is_said(stored: Stored) -> None:
    """5,000 items of a megabyte each are five gigabytes."""
    text = "x" * 300_000
    many = {f"name-{number}": "v" * 20 for number in range(16_000)}
    said = {**PUBLISHED, "order.id": "fat"}
    kind = Span.SPAN_KIND_PRODUCER
    sent = [span(id=f"s{n}", trace="fat", kind=kind, attributes={**said, "text": text}) for n in range(60)]
    sent.append(span(id="many", trace="fat", kind=kind, attributes={**many, **said}))
    many_ref = ref("fat", "many")
    stored.put("fat", table(request(*sent, service="order")))
    began = time.process_time()

    answer = stored.ask("fat")

    assert len(json.dumps(answer)) < 20_000_000
    assert answer["shown"] == 61
    cut = [note for note in answer["notes"] if note["kind"] == "shortened"]
    assert len(cut) == 61
    assert len(answer["messages"]) == 61  # what they are is known, although most of their attributes are not
    shown = [message["attributes"]["text"] for message in answer["messages"] if message["ref"] != many_ref]
    assert all(one.endswith("... (cut: 300000 bytes)") for one in shown)
    assert "/api/v1/spans" in cut[0]["text"]
    assert time.process_time() - began < 20
    pieces = stored.reader.spans_json("fat", Errand())
    assert pieces is not None
    assert sum(piece.count(text.encode()) for piece in pieces) == 60


def test_span_that_links_to_a_hundred_thousand_others_is_shown(stored: Stored) -> None:
    """A sender may link to what it likes: what is fetched and shown of that is bounded."""
    handled = span(
        id="a", trace="linking", kind=Span.SPAN_KIND_CONSUMER, attributes=PUBLISHED | {"order.id": "linking"}
    )
    links = pa.array([f"{number:016d}".encode() for number in range(100_000)], pa.binary(16))
    one = table(request(handled, service="order"))
    columns = {
        "link_trace_ids": pa.ListArray.from_arrays(pa.array([0, 100_000], pa.int32()), links),
        "link_span_ids": pa.ListArray.from_arrays(
            pa.array([0, 100_000], pa.int32()), pa.array([b"\x01" * 8] * 100_000, pa.binary(8))
        ),
        "link_attributes": pa.array([[[]] * 100_000], pa.list_(pa.list_(pa.binary()))),
    }
    for name, column in columns.items():
        place = SPANS.get_field_index(name)
        one = one.set_column(place, SPANS.field(place), column)
    stored.put("linking", one)

    answer = stored.ask("linking")

    assert len(json.dumps(answer)) < 30_000_000


def test_work_stops_once_nobody_waits(stored: Stored) -> None:
    errand = Errand()
    errand.give_up()

    with pytest.raises(GivenUpError):
        stored.reader.flow_json("chain", Part(), errand)


def test_flow_of_many_traces_lists_some_of_them(stored: Stored) -> None:
    said = PUBLISHED | {"order.id": "wide"}
    sent = [span(id="s", trace="t0", kind=Span.SPAN_KIND_PRODUCER, attributes=said)]
    for number in range(1, 3_000):
        group = {"messaging.consumer.group.name": f"group-{number}"}
        consumer = Span.SPAN_KIND_CONSUMER
        links = [("t0", "s")]
        sent.append(span(id="s", trace=f"t{number}", kind=consumer, links=links, attributes=said | group))
    stored.put("wide", table(request(*sent, service="order")), [trace_id(f"t{n}") for n in range(3_000)])

    answer = stored.ask("wide")

    assert (answer["traces"], len(answer["flows"][0]["traces"])) == (3_000, 1_000)
    assert len(answer["reactions"]) == 2_999


def test_query_of_a_reader_is_stopped_when_it_takes_too_long(engines: Engines) -> None:
    """A question that costs minutes is answered with one line, and costs seconds."""
    engine = engines.on_folder()
    with new_database(engine) as database:
        database.execute("CREATE TABLE numbers_here (n UInt64) ENGINE = Memory")
        hasty = Database(partial(engine.connect, "default"), limits=Limits(seconds=0.5))
        began = time.monotonic()
        with pytest.raises(TooMuchError, match="ask for less"):
            hasty.query("SELECT count() AS n FROM numbers(1000000000000)")
        assert time.monotonic() - began < 10
        small = Database(partial(engine.connect, "default"), limits=Limits(memory=20_000_000))
        with pytest.raises(TooMuchError, match="ask for less"):
            small.query("SELECT uniqExact(number) AS n FROM numbers(10000000)")
        hasty.close()
        small.close()
