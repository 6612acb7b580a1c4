"""NATS, with the attributes of our instrumentation of nats-py, which docs/conventions.md describes."""

from collector.conventions.lore import Lore
from collector.model.readings import Role, Settled

LORE = Lore(
    attributes={
        "destination": ("messaging.nats.message.subject",),
        "group": ("messaging.nats.consumer.group",),
        "settled": ("messaging.nats.outcome",),
        "deliveries": ("messaging.nats.delivery_count",),
        "kept_in": ("messaging.nats.stream",),
        "sequence": ("messaging.nats.sequence",),
    },
    operations={"nak": Role.SETTLE, "term": Role.SETTLE},
    settles={
        "nak": Settled.NACKED,
        "term": Settled.TERMINATED,
        "terminate": Settled.TERMINATED,
    },
    system="nats",
    verbs={"started": Role.STARTED, "fetch": Role.FETCH},
    delivers_once=True,  # core NATS does; a stream redelivers
    inboxes=("_INBOX.",),
    settle_subjects=("$JS.ACK.",),
    # `_R_.` is where a subject that one account exports to another is answered.
    generated=((r"^(_INBOX|_R_)\..*$", r"\1.*"),),
    broker_subjects=("$JS.", "$SYS.", "$SRV."),
    # <stream>.<consumer>.<delivery>.<sequence in the stream>.<sequence in the consumer>.<time>.<pending>; the
    # longer form begins with a domain and an account.
    deliveries_in=(
        r"^\$JS\.ACK(?:\.[^.]+){2}\.(?P<n>\d+)(?:\.\d+){4}$",
        r"^\$JS\.ACK(?:\.[^.]+){4}\.(?P<n>\d+)(?:\.\d+){4}(?:\..*)?$",
    ),
)
