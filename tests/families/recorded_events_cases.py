"""Log records that tell of a span or an event."""

from collector.model.readings import Role, Settled
from collector.model.spans import Kind
from tests.families.cases import Case


def _of_span(about: str, name: str, role: Role, settled: Settled = Settled.UNSAID, **more: str) -> Case:
    said = {"choreoscope.log_record": "span_event"} | {
        key.replace("__", "."): value for key, value in more.items()
    }
    read = {"role": role, "settled": settled, "event_type": None if role is Role.REPORT else name}
    return Case(about=about, name=name, attributes=said, read=read)


CASES = (
    _of_span("an exception", "exception", Role.REPORT),
    _of_span("a note of the application", "cache.miss", Role.REPORT),
    _of_span("a business word that is a settle elsewhere", "complete", Role.REPORT),
    _of_span("a settle", "ack", Role.SETTLE, Settled.ACKED),
    _of_span("a settle with a prefix", "messaging.nats.term", Role.SETTLE, Settled.TERMINATED),
    _of_span(
        "a settle by its verb",
        "messaging.settled",
        Role.SETTLE,
        Settled.NACKED,
        messaging__operation__name="nack",
    ),
    _of_span(
        "the exception of a settle, with the attributes of its span",
        "messaging.settle.exception",
        Role.REPORT,
        messaging__operation__type="settle",
        messaging__operation__name="ack",
    ),
    _of_span(
        "a note with the attributes of its span",
        "retry",
        Role.REPORT,
        messaging__operation__type="process",
        messaging__system="nats",
        messaging__destination__name="_INBOX.a",
    ),
    Case(
        about="an event without a span",
        name="ParcelSent",
        kind=Kind.PRODUCER,
        attributes={"choreoscope.log_record": "event_without_span", "choreoscope.event_name": "ParcelSent"},
        read={"role": Role.SEND, "event_type": "ParcelSent", "typed": True, "destination": None},
    ),
    Case(
        about="a settle without a span",
        name="ack",
        kind=Kind.PRODUCER,
        attributes={"choreoscope.log_record": "event_without_span", "choreoscope.event_name": "ack"},
        read={"role": Role.NONE},
    ),
    Case(
        about="an event within a span",
        name="ParcelSent",
        kind=Kind.PRODUCER,
        attributes={"choreoscope.log_record": "event_in_span", "cloudevents.event_type": "parcel.sent"},
        read={"role": Role.RECORDED, "event_type": "parcel.sent", "typed": True},
    ),
)
