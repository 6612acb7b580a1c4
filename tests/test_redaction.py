"""Does anything that a rule hides leave a collector? Every way out, with a value in every place of a span."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector import conventions
from collector.config import Config, ConfigError
from collector.conventions import Naming, still_shown
from collector.formats.otlp import opened, quoting, redacting, to_json
from collector.model.hiding import HIDDEN, NOTHING_HIDDEN, Hiding
from collector.stitching import stitch
from tests.collecting import Collector, until
from tests.documents import document
from tests.factories import SECOND, Value, pairs, protobuf, ref, request, span, table
from tests.scenes import order, publish
from tests.sending import attributes, spans
from tests.test_commands import run

MARKER = "4929-7731-0042"
TRACES = (MARKER, b64encode(MARKER.encode()).decode())  # bytes leave as base64
RULES = "*.card_number,AUTHORIZATION,exception.message,*secret?"
HIDING = Hiding(tuple(RULES.split(",")))
AT = ref("A-1", "A-1/OrderPlaced")

# Every place in which a span can hold a value that one of RULES names.
ATTRIBUTES: dict[str, Value] = {
    "payment.card_number": MARKER,
    "Authorization": MARKER.encode(),
    "list.secrets": [MARKER, {"k": MARKER}],
    "payment": {"card_number": MARKER, "within": [{"deeper": {"authorization": MARKER}}]},
    "messaging.message.body": json.dumps(
        {"items": [{"card_number": MARKER}], "text": f'{{"card_number":"{MARKER}"}}'}
    ),
    "cut.body": f'{{"n": 1, "card_number": "{MARKER}", "rest": "cu',
    "cut.escaped": f'{{\\"card_number\\": \\"{MARKER}',
    "twice": f'{{"x": {{"card_number": "{MARKER}"}}, "x": 1}}',
    "octets": json.dumps({"authorization": MARKER}).encode(),
    "baggage": f"tenant=7,authorization={MARKER.replace('-', '%2D')}",
    "header": f"Authorization: Bearer {MARKER}",
    "url.query": f"a=1&pay%2Ecard_number={MARKER}&b=2",
    "encoded": f"authorization%3D{MARKER}",
    "xml": f"<order><card_number>{MARKER}</card_number></order>",
    "repeats": f"the card {MARKER} again",
    "nested.repeats": [{"text": f"and {MARKER} again"}],
}
PLAIN: dict[str, Value] = {"order.note": "as it is", "n": 12, "many": ["a", 1], "note": '{"k": 1}'}


def laden(one: Span, said: Mapping[str, Value] = ATTRIBUTES) -> Span:
    """*one*, with the marker in every place."""
    one.attributes.extend(pairs({**said, **PLAIN}))
    one.status.message = f"card {MARKER} declined"
    one.trace_state = f"authorization={MARKER}"
    one.events.add(name="exception", attributes=pairs({"exception.message": MARKER, "exception.type": "No"}))
    if one.links:
        one.links[0].attributes.extend(pairs({"x.card_number": MARKER}))
    return one


def sent(*spans: Span, service: str = "payment") -> bytes:
    """A request of *spans*, whose resource and scope have the marker as well."""
    body = request(*spans, service=service, resource={"authorization": MARKER, "command": f"run {MARKER}"})
    body.resource_spans[0].scope_spans[0].scope.attributes.extend(pairs({"my.secret1": MARKER}))
    return protobuf(body)


def long_chain(count: int) -> Iterable[Span]:
    """A flow of *count* messages, too large to be answered as a whole, or in the collector's own process."""
    for number in range(count):
        by = f"L/e{number - 1}" if number else ""
        _, one = publish("payment", f"e{number}", "L", at=time.time_ns() - SECOND, by=by)
        one.attributes.extend(pairs({"payment.card_number": MARKER, "authorization": MARKER}))
        one.status.message = f"card {MARKER} declined"
        yield one


class Way(NamedTuple):
    """How something leaves; with *whole*, the marker leaves by it if there is no rule."""

    name: str
    taken: Callable[[Collector, Path], bytes]
    whole: bool = False


def asking(path: str, *, whole: bool = False) -> Way:
    return Way(f"GET {path}", lambda collector, _: collector.get(path).raise_for_status().content, whole)


def commanding(*words: str, whole: bool = False) -> Way:
    def taken(collector: Collector, folder: Path) -> bytes:
        file = folder / "sent.json"
        said = [str(file) if word == "FILE" else word for word in words]
        done = run(*said, environment=collector.environment)
        assert done.returncode == 0, done.stderr
        return (done.stdout + done.stderr).encode()

    return Way(f"choreoscope {' '.join(words)}", taken, whole)


def posting(collector: Collector, folder: Path) -> bytes:
    body = (folder / "sent.json").read_bytes()
    return httpx.post(f"{collector.api}/api/v1/stitch", content=body, timeout=30).raise_for_status().content


def log_of(collector: Collector, folder: Path) -> bytes:
    return (folder / "collector.log").read_bytes()


WAYS = [
    asking("/api/v1/flows/A-1", whole=True),
    asking("/api/v1/flows/L", whole=True),  # a part, made in a process of its own
    asking("/api/v1/spans/A-1", whole=True),
    asking("/api/v1/spans/L", whole=True),  # read while it is sent
    asking(f"/api/v1/span/{AT}", whole=True),
    asking("/api/v1/why/A-1", whole=True),
    asking("/api/v1/stuck?late=true", whole=True),
    asking("/api/v1/flows"),
    asking(f"/api/v1/flows?q={MARKER[:-2]}&state=done"),  # the answer repeats what was asked
    asking("/api/v1/map"),
    asking("/api/v1/expectations"),
    asking("/api/v1/summary"),
    asking("/metrics"),
    asking("/readyz"),
    Way("POST /api/v1/stitch", posting, whole=True),
    Way("the log", log_of),
    # The other commands show the same answers.
    *(commanding("flow", "A-1", "--format", style) for style in ("json", "otlp", "text", "svg")),
    *(commanding("stitch", "FILE", "--format", style) for style in ("json", "text", "graphml")),
    commanding("stuck"),
]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Mapping[bool, Mapping[str, bytes]]:
    """What left by each way, with the rules (True), and by some after a restart without them (False)."""
    folder = tmp_path_factory.mktemp("redaction")
    (folder / "sent.json").write_text(json.dumps(_of_a_file()))
    collector = Collector(folder, CHOREOSCOPE_DEADLINE_S="1", CHOREOSCOPE_HIDE=RULES).start()
    try:
        at = time.time_ns() - 3 * SECOND
        collector.send([one for number in range(30) for one in order(f"O-{number}", at)])
        until(lambda: collector.ask("/summary")["learning"]["flows"] == 30)
        for service, one in order("A-1", time.time_ns(), failing={"payment"}):
            collector.post(sent(laden(one), service=service))
        collector.post(sent(*long_chain(5_200)))
        until(lambda: collector.ask("/stuck")["total"] > 0)
        ruled = {way.name: way.taken(collector, folder) for way in WAYS}
    finally:
        collector.stop()
    (folder / "collector.log").unlink()
    collector = Collector(folder, CHOREOSCOPE_DEADLINE_S="1").start()
    try:
        until(lambda: collector.ask("/stuck")["total"] > 0)
        return {True: ruled, False: {way.name: way.taken(collector, folder) for way in WAYS if way.whole}}
    finally:
        collector.stop()


def _of_a_file() -> Any:
    """What a person may have saved before there was a rule; one record of it cannot be used."""
    _, one = publish("payment", "Paid", "F-1", at=time.time_ns())
    document = to_json(table(request(laden(one))), NOTHING_HIDDEN)
    (broken,) = json.loads(json.dumps(document["resourceSpans"][0]["scopeSpans"][0]["spans"]))
    wrong = {"key": "x.card_number", "value": {"intValue": MARKER}}
    broken |= {"spanId": "1" * 16, "events": [{"name": "n", "attributes": [wrong]}]}
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].append(broken)
    return document


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_what_a_rule_hides_leaves_by_no_way(left: Mapping[bool, Mapping[str, bytes]], way: Way) -> None:
    """And what is stored is whole: without the rules it is there again, so a rule can be taken back."""
    assert [trace for trace in TRACES if trace.encode() in left[True][way.name]] == []
    assert not way.whole or MARKER.encode() in left[False][way.name]


def test_what_is_hidden_says_so_and_the_rest_is_as_it_was(left: Mapping[bool, Mapping[str, bytes]]) -> None:
    """A value that is empty, or gone, would be taken for what the sender wrote."""
    nodes = [
        next(one for one in json.loads(left[ruled]["GET /api/v1/flows/A-1"])["messages"] if one["ref"] == AT)
        for ruled in (True, False)
    ]

    assert nodes[0]["attributes"].keys() == nodes[1]["attributes"].keys()
    assert nodes[0]["attributes"]["payment.card_number"] == HIDDEN
    assert nodes[0]["attributes"]["payment"] == {
        "card_number": HIDDEN,
        "within": [{"deeper": {"authorization": HIDDEN}}],
    }
    assert nodes[0]["status_message"] == f"card {HIDDEN} declined"
    for name in (*PLAIN, "order.id", "messaging.destination.name"):
        assert nodes[0]["attributes"][name] == nodes[1]["attributes"][name]


RULE_NAMES = ("*.card_number", "authorization", "e?", "a*", "*")
alphabet = st.text("ab.e*", max_size=4)


@settings(max_examples=30)
@given(st.lists(st.tuples(spans(), attributes), min_size=1, max_size=4), st.sampled_from(RULE_NAMES))
def test_a_rule_hides_what_it_names_and_changes_no_graph(
    written: list[tuple[Span, dict[str, Value]]], rule: str
) -> None:
    """Of any spans: nothing at a hidden name stays, and flows are the same."""
    stored = table(*(request(one, resource=of_sender) for one, of_sender in written))
    hiding = Hiding((rule,))

    for before, after in zip(stored.to_pylist(), redacting.rows(stored, hiding), strict=True):
        shown = opened.attributes(after)
        assert shown.keys() == opened.attributes(before).keys()
        assert all(value == HIDDEN for name, value in shown.items() if hiding.hides(name))
        assert [e["name"] for e in opened.events(after)] == [e["name"] for e in opened.events(before)]
    assert document(stitch(conventions.read(stored, Naming(hiding=hiding)))) == document(
        stitch(conventions.read(stored))
    )


@given(st.text("ab.*?", max_size=8), st.text("abAB.", max_size=10))
def test_a_pattern_matches_as_its_letters_say(pattern: str, name: str) -> None:
    """By a definition of its own: one step at a time, without regular expressions."""

    def matches(rest: str, text: str) -> bool:
        if not rest:
            return not text
        if rest[0] == "*":
            return any(matches(rest[1:], text[start:]) for start in range(len(text) + 1))
        return bool(text) and rest[0] in {"?", text[0].lower()} and matches(rest[1:], text[1:])

    assert Hiding((pattern,)).hides(name) == matches(pattern, name)


def test_many_stars_take_no_time() -> None:
    began = time.monotonic()

    assert not Hiding(("*a" * 60 + "b",)).hides("a" * 1_000)
    assert time.monotonic() - began < 1


@settings(max_examples=30)
@given(st.lists(spans(), min_size=1, max_size=6), st.sampled_from(RULE_NAMES))
def test_findings_quote_no_more_than_a_span_shows(written: list[Span], rule: str) -> None:
    """They decide by columns and may hide more, but never less."""
    stored, hiding = table(request(*written)), Hiding((rule,))
    quotable = quoting.quotable(stored, np.ones(stored.num_rows, np.bool_), hiding).tolist()

    for may, before, after in zip(quotable, stored.to_pylist(), redacting.rows(stored, hiding), strict=True):
        assert not may or after["status_message"] == before["status_message"]


def test_findings_go_on_quoting_what_no_rule_is_about() -> None:
    """A rule that hid every error would cost more than it saves."""
    plain = {"http.request.header.authorization": "a token", "card": "1", "note": '{"k": 1}', "u": "a=b"}
    stored = table(request(span(error="no connection to bank", attributes=plain)))

    assert quoting.quotable(stored, np.ones(1, np.bool_), Hiding(("*.authorization", "*.pin"))).all()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[a-z]*", r"has the pattern '\[a-z\]\*', with '\[' in it: expected the name of an attribute"),
        ("^auth$", r"has the pattern '\^auth\$', with '\^'"),
        ("a b", "has the pattern 'a b', with ' '"),
        ("x" * 201, r"has the pattern 'x{80}\.\.\.' of 201 characters: expected at most 200"),
        (",".join("abc" for _ in range(101)), "has 101 patterns: expected at most 100"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^CHOREOSCOPE_HIDE {said}"):
        Config.from_env({"CHOREOSCOPE_HIDE": pattern})


def test_what_a_rule_cannot_hide_is_said_at_start() -> None:
    """Its value names flows: whoever hides the attribute would think that it is hidden."""
    said = list(still_shown(Naming(("order.id", "x"), hiding=Hiding(("*.ID", "service.*")))))

    assert len(said) == 2
    assert said[0].startswith("CHOREOSCOPE_HIDE hides order.id, which is still shown as flow key. Lists,")
    assert "CHOREOSCOPE_FLOW_KEYS" in said[0]
    assert said[1].startswith("CHOREOSCOPE_HIDE hides service.name, which is still shown as service.")
    assert list(still_shown(Naming(hiding=HIDING))) == []


def test_a_long_name_is_hidden_as_its_end_may_be_cut_off() -> None:
    assert Hiding(("*.pin",)).hides("x" * 2_000)
    assert not NOTHING_HIDDEN.hides("x" * 2_000)


def test_a_row_that_is_damaged_hides_what_can_be_read() -> None:
    row = {**table(request(span(attributes={"pin": MARKER}))).to_pylist()[0]}
    row |= {"events": [b"\xff"], "resource": b"\xff", "link_attributes": [[b"\xff"]]}

    left = redacting.redacted(row, Hiding(("pin",)))

    assert left["attribute_values"] == [HIDDEN.encode()]
    assert opened.events(left) == []
    assert pa.array([left["resource"]]).to_pylist() == [b"\xff"]
