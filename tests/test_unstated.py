"""Which handlings failed, although their status does not say so?"""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import conventions
from collector.conventions import Naming
from collector.model.hiding import Hiding
from collector.model.spans import Kind
from collector.stitching import stitch
from tests.documents import document
from tests.factories import Value, pairs, request, span, table

TYPE: dict[str, Value] = {"error.type": "Shop.BankTimeout"}
CAUGHT: dict[str, Value] = {"exception.type": "Shop.BankTimeout", "exception.message": "no answer"}


def handling(
    said: dict[str, Value],
    event: dict[str, Value] | None = None,
    status: Status | None = None,
    kind: Kind = Kind.CONSUMER,
) -> Span:
    one = span("invoices process", id="taken", parent="sent", kind=kind, attributes=said)
    if event is not None:
        one.events.add(name="exception", attributes=pairs(event))
    if status is not None:
        one.status.CopyFrom(status)
    return one


OK, ERROR = Status(code=Status.STATUS_CODE_OK), Status(code=Status.STATUS_CODE_ERROR, message="said")


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (handling(TYPE, CAUGHT), "Shop.BankTimeout"),
        (handling(TYPE), "Shop.BankTimeout"),
        (handling({}, CAUGHT | {"exception.escaped": True}), ""),
        (handling({}, CAUGHT | {"exception.escaped": "True"}), ""),
        (handling({}, CAUGHT | {"exception.escaped": "true"}), ""),
        (handling(TYPE, status=ERROR), "said"),
        (handling(TYPE, kind=Kind.PRODUCER), "Shop.BankTimeout"),
        (handling({}, CAUGHT), None),  # it was dealt with, as far as is said
        (handling({}, CAUGHT | {"exception.escaped": False}), None),
        (handling(TYPE, CAUGHT | {"exception.escaped": True}, OK), None),
        (handling({"error.type": ""}), None),
        (handling(TYPE, kind=Kind.SERVER), None),  # only messages fail in this way
    ],
)
def test_an_error_without_a_status_is_one(one: Span, error: str | None) -> None:
    """The order stops there, and nobody would see why."""
    (row,) = conventions.read(table(request(one))).to_pylist()

    assert (row["failed"], row["error"]) == (error is not None, error)


def test_a_settle_that_failed_in_this_way_settled_nothing() -> None:
    said: dict[str, Value] = {"messaging.system": "servicebus", "messaging.operation": "settle"}
    read = conventions.read(
        table(
            request(
                span("ServiceBusReceiver.Complete", id="a", kind=Kind.CLIENT, attributes=said),
                span("ServiceBusReceiver.Complete", id="b", kind=Kind.CLIENT, attributes=said | TYPE),
            )
        )
    )

    assert read["settled"].to_pylist() == [1, 0]


def test_the_reaction_shows_it_and_rules_hide_its_words() -> None:
    """What a rule may hide is quoted nowhere: the type of an error may repeat it."""
    sent = span("invoices publish", id="sent", kind=Kind.PRODUCER)
    spans = table(request(sent, handling(TYPE, CAUGHT)))
    (reaction,) = document(stitch(conventions.read(spans)))["reactions"]

    assert reaction["status"] == "error"
    hidden = conventions.read(spans, Naming(hiding=Hiding(("card",))))
    assert hidden["quotable"].to_pylist() == [True, False]
