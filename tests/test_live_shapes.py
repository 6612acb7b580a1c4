"""Does the live part make of known shapes what stitching makes of them, if effects come before causes?"""

from collections.abc import Callable, Sequence

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.store.clickhouse.connections import Database
from tests.factories import Value
from tests.scenes import Watch
from tests.telling import Sent, consume, create, publish, react, receive, tell, work

JOB = {"messaging.system": "sidekiq", "messaging.destination.name": "low", "messaging.message.id": "j-4"}


def scheduled(how: str) -> list[Sent]:
    """A job that is scheduled, sent by a poller when it is due, and handled."""
    first = create("scheduled", said=JOB, service="shop")
    poll = work("poll", service="worker", at=60_000)
    if how == "link":
        sent = publish("sent", parent=poll, links=[first], said=JOB, service="worker", at=60_001)
    else:
        sent = publish("sent", parent=first, said=JOB, service="worker", at=60_001)
    return [first, poll, sent, consume("handled", sent, service="worker", said=JOB, at=60_010)]


def answered(how: str) -> list[Sent]:
    """A request, its handling, and the answer to a queue with a generated name."""
    asked = publish("asked", subject="prices", service="web")
    pricing = react("pricing", asked, service="pricer", at=5)
    answer = publish("answer", parent=pricing, subject="amq.gen-Qm81", service="pricer", at=7)
    said = {"messaging.destination.name": "amq.gen-Qm81"}
    took = react if how == "parent" else consume
    return [asked, pricing, answer, took("heard", answer, service="web", said=said, at=9)]


def batched(how: str) -> list[Sent]:
    """A batch that links to the spans that received its messages."""
    placed = [publish("first"), publish("second", at=1)]
    if how == "parent":
        polls = [receive(f"poll of {one}", parent=one, service="packing", at=5) for one in placed]
    else:
        polls = [receive(f"poll of {one}", one, service="packing", at=5) for one in placed]
    packing = consume("packing", *polls, at=9)
    return [*placed, *polls, packing, publish("packed", parent=packing, service="packing", at=9)]


def handed_on(spelled: tuple[str, str]) -> list[Sent]:
    """A topic's message in a queue: only its id connects the traces, and each call names its own system."""

    def call(name: str, method: str, system: str, **more: object) -> Sent:
        said: dict[str, Value] = {"rpc.method": method.partition(".")[2], "messaging.system": system}
        said |= {"messaging.message_id": "m-1"}
        return work(name, called=method, kind=Span.SPAN_KIND_CLIENT, said=said, **more)  # type: ignore[arg-type]

    loop = work("loop", service="packing", took=900)
    sent = call("sent", "SNS.Publish", spelled[0], service="shop")
    return [sent, loop, call("taken", "SQS.ReceiveMessage", spelled[1], service="packing", parent=loop, at=5)]


def retried(how: str) -> list[Sent]:
    """A worker whose trace lasts: it fails with one message, handles another, tries the first again."""
    said = {"messaging.system": "kafka", "messaging.destination.name": "orders"}
    first, other = (publish(name, said=said, service="web") for name in ("first", "other"))
    loop = work("loop", service="mailer", took=9_000)
    ways = {"first": first, "other": other}

    def handle(name: str, of: str, at: int, error: str | None = None) -> Sent:
        links = [ways[of]] if how == "link" else []
        ids = said | {"messaging.message.id": of}
        return work(
            name,
            called="process orders",
            parent=loop,
            links=links,
            service="mailer",
            kind=Span.SPAN_KIND_CONSUMER,
            at=at,
            took=5,
            error=error,
            said=ids,
        )

    handled = [
        handle("one", "first", 10, "no connection"),
        handle("two", "other", 20),
        handle("three", "first", 90),
    ]
    mail = publish("mail", parent=handled[2], service="mailer", subject="mails", at=92)
    return [*([first, other] if how == "link" else []), loop, *handled, mail]


SHAPES = [
    pytest.param(lambda: scheduled("link"), (1, 1), id="scheduled, by link"),
    pytest.param(lambda: scheduled("parent"), (1, 1), id="scheduled, by parent"),
    pytest.param(lambda: answered("link"), (1, 1), id="answered, by link"),
    pytest.param(lambda: answered("parent"), (1, 1), id="answered, by parent"),
    pytest.param(lambda: batched("link"), (4, 2), id="batch links, by link"),
    pytest.param(lambda: batched("parent"), (4, 2), id="batch links, by parent"),
    pytest.param(lambda: handed_on(("aws.sns", "aws.sqs")), (1, 1), id="SNS to SQS"),
    pytest.param(lambda: handed_on(("aws_sns", "AmazonSQS")), (1, 1), id="SNS to SQS, spelled in two ways"),
    pytest.param(lambda: handed_on(("aws.sqs", "aws_sqs")), (1, 1), id="SQS, spelled in two ways"),
    pytest.param(lambda: retried("link"), (3, 2), id="retried in a worker's trace, by link"),
    pytest.param(lambda: retried("id"), (1, 2), id="retried in a worker's trace, by id"),
]


@pytest.mark.parametrize(("shape", "counts"), SHAPES)
def test_live_flows_are_those_of_all_spans_at_once(
    database: Database, shape: Callable[[], Sequence[Sent]], counts: tuple[int, int]
) -> None:
    """Spans come one by one, the last first, as from services of their own."""
    watch, sent = Watch(database), shape()
    for one in reversed(sent):
        watch.receive([(one.service, one.span)])

    told = tell(*sent)
    flows = watch.snapshot.flows.to_pylist()
    messages, reactions = (sum(flow[name] for flow in flows) for name in ("messages", "reactions"))
    assert len(flows) == len(told.flows)
    assert (messages, reactions) == counts
    for name in ("messages", "reactions"):
        offline = sorted(len([one for one in flow if one in getattr(told, name)]) for flow in told.flows)
        assert sorted(flow[name] for flow in flows) == offline
