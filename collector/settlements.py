"""What was said to a broker of a message that it had delivered, and how often it had delivered it.

A settle is its consumer's last word on a delivery: done with, to be delivered again, or never to be
delivered again. Each broker has its own verb for each of the three.
"""

from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.joins import Ints

MOST_DELIVERIES = 2**16 - 1  # a higher count is shown as this one


class Settled(IntEnum):
    """How a message was settled."""

    UNSAID = 0  # not settled or, of a settle, nobody says how
    ACKED = 1
    NACKED = 2
    TERMINATED = 3


# Attributes that have the number of a delivery: 1, and one more each time.
DELIVERY_COUNTS = (
    "messaging.nats.delivery_count",
    "messaging.servicebus.message.delivery_count",
    "messaging.gcp_pubsub.message.delivery_attempt",
)

_WORDS = {
    "ack": Settled.ACKED,
    "acknowledge": Settled.ACKED,
    "commit": Settled.ACKED,
    "complete": Settled.ACKED,
    "delete": Settled.ACKED,
    "nack": Settled.NACKED,
    "nak": Settled.NACKED,
    "abandon": Settled.NACKED,
    "reject": Settled.NACKED,
    "release": Settled.NACKED,
    "term": Settled.TERMINATED,
    "terminate": Settled.TERMINATED,
    "dead_letter": Settled.TERMINATED,
    "deadletter": Settled.TERMINATED,
}

_VERBS = pa.array(list(_WORDS))
_MEANINGS = np.array([*_WORDS.values(), Settled.UNSAID], np.int64)

# The subject that a JetStream message is settled on: <stream>.<consumer>.<delivery>.<sequence in the stream>.
# <sequence in the consumer>.<time>.<pending>, in its longer form with a domain and an account before these.
_SHORT = r"^\$JS\.ACK(?:\.[^.]+){2}\.(?P<n>\d+)(?:\.\d+){4}$"
_LONG = r"^\$JS\.ACK(?:\.[^.]+){4}\.(?P<n>\d+)(?:\.\d+){4}(?:\..*)?$"


def settled_by(words: pa.Array) -> Ints:
    """`Settled`, as each text says it: a verb, or the name of a span with one at either end."""
    lower = pc.utf8_lower(words)  # names may be all different, so that none is looked at in Python
    first, last = (pc.replace_substring_regex(lower, end, "") for end in (" .*$", "^.* "))
    verb = pc.coalesce(pc.index_in(first, value_set=_VERBS), pc.index_in(last, value_set=_VERBS))
    meanings: Ints = _MEANINGS[np.asarray(pc.fill_null(verb, -1))]
    return meanings


def deliveries_of(counts: pa.Array) -> Ints:
    """Which delivery of a message each of *counts* says it is, 0 where it is no number."""
    found = np.zeros(len(counts), np.int64)
    if counts.null_count < len(counts):
        rows = np.flatnonzero(pc.fill_null(pc.match_substring_regex(counts, r"^\d{1,9}$"), fill_value=False))
        found[rows] = counts.take(pa.array(rows)).cast(pa.int64()).to_numpy()
    return np.minimum(found, MOST_DELIVERIES)


def deliveries_in(subjects: pa.Array) -> Ints:
    """The same of the subjects that messages are settled on, 0 where it is none."""
    short, long = (
        deliveries_of(pc.struct_field(pc.extract_regex(subjects, form), "n")) for form in (_SHORT, _LONG)
    )
    return np.maximum(short, long)
