"""What may a file of declared expectations say? Reader, errors and JSON schema are made from this table."""

from collector.declaring.containers import ByName, Key, ListOf, Record
from collector.declaring.kinds import Address, Duration, Flag, Name, Names, Schema

_EVENT = Name("an event type, such as OrderPlaced")
_EVENTS = Names("an event type, such as OrderPlaced, or a list of them", _EVENT)
_SERVICE = Name("the name of a service, such as payment")
_SERVICES = Names("the name of a service, such as payment, or a list of them", _SERVICE)
_GROUP = Name("the name of a consumer group, such as payment-workers")
_WITHIN = Duration("a duration such as 90s, 15m, 2d")
_FLAG = Flag("true or false")

_REACTION = Record(
    "a reaction, such as {after: OrderPlaced, service: inventory}",
    "a reaction",
    {
        "after": Key(_EVENT, "The event type that the service reacts to.", required=True),
        "service": Key(_SERVICE, "The service that reacts.", required=True),
        "group": Key(_GROUP, "Its consumer group, if several services share one or it has several."),
        "publishes": Key(
            Names("an event type, such as StockReserved, a list of them, or [] for none", _EVENT, 0),
            "What it then publishes: one of these; [] if nothing follows. Else as learned.",
        ),
        "within": Key(_WITHIN, "How long it may take, such as 500ms, 90s, 15m, 12h, 2d. Else as learned."),
        "optional": Key(_FLAG, "true if it does not react to every such event."),
    },
)
_JOIN = Record(
    "a join, such as {service: shipping, needs: [Paid, Cleared], publishes: Prepared}",
    "a join",
    {
        "service": Key(_SERVICE, "The service that waits for several events.", required=True),
        "needs": Key(
            Names("a list of two event types or more, such as [PaymentCaptured, OrderCleared]", _EVENT, 2),
            "The events that it needs, all of them. For a single one, declare a reaction.",
            required=True,
        ),
        "publishes": Key(_EVENTS, "What it then publishes: one of these.", required=True),
        "within": Key(_WITHIN, "How long it may take from the first of them. Else as learned."),
    },
)
_IGNORE = Record(
    "a mapping with events, services or both",
    "ignore",
    {
        "events": Key(_EVENTS, "Event types after which nothing is expected."),
        "services": Key(_SERVICES, "Services of which nothing is expected."),
    },
)
_RESPONSIBLE = Record(
    "a mapping with owner, runbook or both",
    "a service",
    {
        "owner": Key(Name("a text, such as Team Payments"), "Who looks after the service."),
        "runbook": Key(
            Address("an http or https address, such as https://wiki.example.com/payment"),
            "Where it is written what to do when the service stops.",
        ),
    },
)
FILE = Record(
    "reactions, joins, ends, ignore or services, such as 'ends: [OrderShipped]'",
    "the file",
    {
        "reactions": Key(ListOf("a list of reactions", _REACTION), "Who reacts to what."),
        "joins": Key(ListOf("a list of joins", _JOIN), "Who needs several events before it publishes."),
        "ends": Key(_EVENTS, "Event types that end flows: nothing learned is owed after them."),
        "ignore": Key(_IGNORE, "Of what nothing is expected."),
        "services": Key(
            ByName("a mapping from names of services to owner and runbook", _SERVICE, _RESPONSIBLE),
            "Who looks after which service.",
        ),
    },
)


def json_schema() -> Schema:
    """What the file may say, as JSON Schema: for editors, and for checks before a file is rolled out."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Expectations declared to Choreoscope",
        "description": "The file that CHOREOSCOPE_EXPECTATIONS names.",
        **FILE.schema(),
        "minProperties": 1,
    }
