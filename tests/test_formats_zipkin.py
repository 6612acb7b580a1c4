"""Do we read Zipkin's JSON, version 2 and version 1? Both sides of a call share an id; much is in tags."""

import json
from typing import Any

import pytest

from collector.formats.otlp import opened as details
from collector.formats.otlp.opened import Row
from collector.model.hiding import NOTHING_HIDDEN
from collector.model.spans import Kind, Status
from tests.factories import NOW
from tests.filing import MICROS, SHORT_TRACE, at, edges, read, said, span_of, told, v1, zipkin

OTHER = "b" * 32


def by_name(*documents: Any) -> dict[str, Row]:
    found = read(*documents)
    assert found.problems == []
    return {row["name"]: row for row in details.rows(found.spans, NOTHING_HIDDEN).values()}


def test_a_span_keeps_what_its_sender_said() -> None:
    row = span_of(
        [
            zipkin(
                kind="PRODUCER",
                parentId="d" * 16,
                tags={"order.id": "A-1", "otel.scope.name": "shop", "w3c.tracestate": "a=b"},
                annotations=[{"timestamp": MICROS + 5, "value": "acked"}],
                localEndpoint={"serviceName": "order", "ipv4": "10.0.0.1", "port": 80},
                remoteEndpoint={"serviceName": "nats", "port": 4222},
                debug=True,
            )
        ]
    )

    assert (row["name"], row["kind"], row["service"]) == ("work", Kind.PRODUCER, "order")
    assert row["trace_id"].hex() == SHORT_TRACE.zfill(32)
    assert row["parent_span_id"].hex() == "d" * 16
    assert (row["start_unix_nano"], row["end_unix_nano"]) == (NOW, NOW + 250_000)
    assert (row["trace_state"], details.scope(row)["name"]) == ("a=b", "shop")
    assert details.attributes(row) == {"order.id": "A-1", "peer.service": "nats", "net.peer.port": 4222}
    assert details.resource(row) == {"service.name": "order", "net.host.ip": "10.0.0.1", "net.host.port": 80}
    assert [(event["name"], event["time_unix_nano"]) for event in details.events(row)] == [
        ("acked", NOW + 5000)
    ]


@pytest.mark.parametrize(
    ("tags", "code", "message"),
    [
        ({}, Status.UNSET, ""),
        ({"error": "card declined"}, Status.ERROR, "card declined"),
        ({"error": ""}, Status.ERROR, ""),
        ({"error": "true"}, Status.ERROR, ""),
        ({"error": "false"}, Status.UNSET, ""),
        ({"otel.status_code": "ERROR", "error": "late"}, Status.ERROR, "late"),
        ({"otel.status_code": "OK"}, Status.OK, ""),
    ],
)
def test_tags_tell_how_a_span_ended(tags: dict[str, str], code: Status, message: str) -> None:
    row = span_of([zipkin(tags=tags)])

    assert (row["status_code"], row["status_message"]) == (code, message)


def test_two_sides_of_a_call_are_two_spans() -> None:
    """The server's work belongs below its half, the client's other work below the client's half."""
    rows = by_name(
        [
            zipkin("2", "SERVER", "stock", name="server", parentId="1" * 16, shared=True),
            zipkin("2", "CLIENT", "order", name="client", parentId="1" * 16),
            zipkin("3", "CLIENT", "stock", name="query", parentId="2" * 16),
            zipkin("4", None, "order", name="wait", parentId="2" * 16),
        ]
    )

    assert rows["client"]["span_id"].hex() == "2" * 16
    assert rows["client"]["parent_span_id"].hex() == "1" * 16
    assert rows["server"]["span_id"] != rows["client"]["span_id"]
    assert rows["server"]["parent_span_id"] == rows["client"]["span_id"]
    assert rows["query"]["parent_span_id"] == rows["server"]["span_id"]
    assert rows["wait"]["parent_span_id"] == rows["client"]["span_id"]


def test_halves_meet_wherever_they_stand_in_a_file() -> None:
    """One service's spans are in one line, the other's in another, and a retry repeats them."""
    client, server = zipkin("2", "CLIENT", name="client"), zipkin("2", "SERVER", "stock", name="server")
    lists = [[[client]], [[server]], [[server]]]

    assert len(set(read(*lists).spans["span_id"].to_pylist())) == 2
    assert by_name(*lists) == by_name(*reversed(lists)) == by_name([[client], [server]])


def test_a_server_whose_client_is_not_here_keeps_its_id() -> None:
    row = span_of([zipkin("2", "SERVER", "stock", parentId="1" * 16, shared=True)])

    assert (row["span_id"].hex(), row["parent_span_id"].hex()) == ("2" * 16, "1" * 16)


def test_messages_are_delivered_to_children_and_along_links() -> None:
    """Zipkin has no links: OpenTelemetry's Collector puts them into tags."""
    link = f"{SHORT_TRACE}|{'1' * 16}|a=b|{json.dumps({'k': 'x|y'})}|0"
    answer = told(
        [
            zipkin("1", "PRODUCER", tags={"messaging.destination.name": "orders"}),
            zipkin("2", "CONSUMER", "packing", parentId="1" * 16),
            zipkin("3", "CONSUMER", "audit", traceId=OTHER, tags={"otlp.link.0": link}),
        ]
    )

    assert edges(answer) == {("delivery", "1" * 16, "2" * 16), ("delivery", "1" * 16, "3" * 16)}
    assert {edge["because"] for edge in answer["edges"]} == {"link", "parent"}
    assert answer["messages"][0]["ref"] == f"{SHORT_TRACE}:{'1' * 16}"
    assert answer["messages"][0]["event_type"] == "orders"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (f"{OTHER}|{'1' * 16}|||", {}),
        (f"{OTHER}|{'1' * 16}", {}),
        (f"{OTHER}|{'1' * 16}|a=b|{{}}|0", {}),
        (f'{OTHER}|{"1" * 16}||{{"n": 2, "t": "a|b"}}|3', {"n": 2, "t": "a|b"}),
    ],
)
def test_links_keep_what_is_said_of_them(value: str, said: dict[str, Any]) -> None:
    row = span_of([zipkin(tags={"otlp.link.0": value})])

    assert details.links(row) == [{"ref": f"{OTHER}:{'1' * 16}", "attributes": said}]
    assert details.attributes(row) == {}


@pytest.mark.parametrize("value", ["", "|", "x", f"{OTHER}|", f"{OTHER}|{'1' * 16}||{{broken|0"])
def test_what_is_no_link_stays_a_tag(value: str) -> None:
    row = span_of([zipkin(tags={"otlp.link.0": value})])

    assert details.links(row) == []
    assert details.attributes(row) == {"otlp.link.0": value}


def test_a_record_of_version_1_may_hold_both_sides() -> None:
    """Each side has its own times, tags and annotations."""
    found = read(
        [
            v1(
                parentId="1" * 16,
                timestamp=MICROS,
                duration=100,
                annotations=[
                    at("order", "cs", 0),
                    at("stock", "sr", 20),
                    at("stock", "cache miss", 30),
                    at("stock", "ss", 80),
                    at("order", "cr", 100),
                ],
                binaryAnnotations=[
                    said("order", "http.path", "/stock"),
                    said("stock", "sql", "select"),
                    said("stock", "sa", True),
                ],
            )
        ]
    )
    client, server = sorted(
        details.rows(found.spans, NOTHING_HIDDEN).values(), key=lambda row: int(row["start_unix_nano"])
    )

    assert [(row["kind"], row["service"]) for row in (client, server)] == [
        (Kind.CLIENT, "order"),
        (Kind.SERVER, "stock"),
    ]
    assert client["end_unix_nano"] - client["start_unix_nano"] == 100_000
    assert (server["start_unix_nano"], server["end_unix_nano"]) == (NOW + 20_000, NOW + 80_000)
    assert server["parent_span_id"] == client["span_id"]
    assert details.attributes(client) == {"http.path": "/stock", "peer.service": "stock"}
    assert details.attributes(server) == {"sql": "select"}
    assert [event["name"] for event in details.events(server)] == ["cache miss"]
    assert details.events(client) == []


def test_messages_of_version_1_are_delivered() -> None:
    answer = told(
        [
            v1("1", annotations=[at("order", "ms", 0)]),
            v1("2", annotations=[at("packing", "mr", 10)], parentId="1" * 16),
        ]
    )

    assert edges(answer) == {("delivery", "1" * 16, "2" * 16)}
    assert answer["messages"][0]["time_unix_nano"] == NOW
    assert answer["reactions"][0]["service"] == "packing"


def test_a_local_component_of_version_1_names_its_service() -> None:
    row = span_of([v1(binaryAnnotations=[said("order", "lc", "worker")], timestamp=MICROS, duration=5)])

    assert (row["service"], row["kind"]) == ("order", Kind.UNSPECIFIED)
    assert row["end_unix_nano"] - row["start_unix_nano"] == 5000


@pytest.mark.parametrize(
    "damage",
    [
        {"id": None},
        {"id": "0" * 16},
        {"traceId": {}},
        {"timestamp": "x"},
        {"tags": [1]},
        {"annotations": "x"},
        {"annotations": [{"timestamp": []}]},
        {"localEndpoint": 7},
        {"binaryAnnotations": 7},
        {"binaryAnnotations": [{"key": ["x"]}], "annotations": [{"value": "cs", "endpoint": 7}]},
    ],
)
def test_a_bad_span_is_named_and_costs_no_other(damage: dict[str, Any]) -> None:
    found = read([zipkin("1"), zipkin("2", **damage), zipkin("3")])

    assert [one.hex()[0] for one in found.spans["span_id"].to_pylist()] == ["1", "3"]
    (problem,) = found.problems
    assert "xpected" in problem.text
    assert problem.ref in {None, f"{SHORT_TRACE}:{'2' * 16}", f"{SHORT_TRACE}:{'0' * 16}"}
