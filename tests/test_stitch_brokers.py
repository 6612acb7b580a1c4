"""Does stitching understand real clients of real brokers? It finds each delivery once and merges no orders.

The services logged what they published and handled, by ids in the message bodies and headers
(tests/recorded/brokers). Stitching reads none of that.
"""

import gzip
import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from collector import conventions
from collector.formats.otlp import Body, Encoding, decode
from collector.stitching import stitch
from tests.documents import Document, document

RECORDED = Path(__file__).parent / "recorded" / "brokers"
BROKERS = ["rabbitmq", "sqs", "kafka"]

Delivery = tuple[str, str]  # the id of a message and the service that handled it


def requests(broker: str) -> list[bytes]:
    return gzip.decompress((RECORDED / f"{broker}.jsonl.gz").read_bytes()).splitlines()


def truth(broker: str, what: str) -> list[dict[str, str]]:
    """What the services logged as `published` or as `handled`."""
    lines = (RECORDED / f"{broker}.truth.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if what in row]


def told(lines: list[bytes]) -> Document:
    decoded = decode([Body(line, Encoding.JSON) for line in lines], 0)
    assert {(verdict.error, verdict.rejected) for verdict in decoded.verdicts} == {(None, 0)}
    return document(stitch(conventions.read(decoded.spans)))


def sent(broker: str, answer: Document) -> dict[str, str]:
    """The id of each message in *answer*, by its ref: each handler logged which span had sent its message."""
    of_span = {span: message["ref"] for message in answer["messages"] for span in message["spans"]}
    return {of_span[row["sender"]]: row["handled"] for row in truth(broker, "handled")}


@pytest.mark.parametrize("broker", BROKERS)
def test_every_delivery_is_found_and_none_is_invented(broker: str) -> None:
    """Two queues of one service are two reactions; a redelivery from a queue is a second attempt."""
    answer = told(requests(broker))
    ids, reactions = sent(broker, answer), {one["ref"]: one for one in answer["reactions"]}
    deliveries = [edge for edge in answer["edges"] if edge["kind"] == "delivery"]
    attempts: Counter[tuple[str, str]] = Counter()
    for edge in deliveries:
        reaction = reactions[edge["to"]]
        attempts[ids[edge["from"]], reaction["service"]] += reaction["attempts"]

    handled = truth(broker, "handled")
    assert attempts == Counter((row["handled"], row["service"]) for row in handled)
    assert len(deliveries) == len({(row["handled"], row["service"], row["queue"]) for row in handled})
    assert {edge["certainty"] for edge in deliveries} == {"observed"}
    assert set(reactions) == {edge["to"] for edge in deliveries}  # no poll is a reaction of its own


@pytest.mark.parametrize("broker", BROKERS)
def test_every_message_is_counted_once_and_every_order_is_a_flow(broker: str) -> None:
    answer = told(requests(broker))
    ids, published = sent(broker, answer), truth(broker, "published")
    orders = {row["published"]: row["order"] for row in published}

    assert sorted(ids.values()) == sorted(orders)
    assert len(answer["messages"]) == len(orders)
    flows: dict[str, set[str]] = defaultdict(set)
    for message in answer["messages"]:
        flows[message["flow"]].add(orders[ids[message["ref"]]])
    assert sorted(map(sorted, flows.values())) == [[order] for order in sorted(set(orders.values()))]
    assert len(answer["flows"]) == len(flows)


@pytest.mark.parametrize("broker", BROKERS)
def test_spans_are_counted_once_in_whatever_order_they_came(broker: str) -> None:
    lines = requests(broker)
    ids = {
        (span["traceId"], span["spanId"])
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    answer, again = told(lines), [part for line in lines for part in parts(line)] * 2
    random.Random(3).shuffle(again)

    assert (answer["spans"], answer["traces"]) == (len(ids), len({trace for trace, _ in ids}))
    assert json.dumps(told(again)) == json.dumps(answer)


def parts(line: bytes) -> list[bytes]:
    """Split a request into requests of one span each."""

    def one(resource: Any, scope: Any, span: Any) -> bytes:
        within = {**scope, "spans": [span]}
        return json.dumps({"resourceSpans": [{**resource, "scopeSpans": [within]}]}).encode()

    return [
        one(resource, scope, span)
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
