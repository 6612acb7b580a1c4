"""What happened, by the advisories that a server sends to whoever listens?"""

import msgspec

from collector.brokers.nats.jetstream import BROKER, nanoseconds
from collector.model.facts import FactKind, Happening

# Not `$JS.EVENT.>`: that has an audit of every call of the API, our own among them.
SUBJECTS = (
    "$JS.EVENT.ADVISORY.CONSUMER.>",
    "$JS.EVENT.METRIC.CONSUMER.ACK.>",
    "$JS.EVENT.ADVISORY.STREAM.QUORUM_LOST.>",
    "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>",
)
_LONGEST = 200  # characters of a reason

_KINDS = {
    "max_deliver": FactKind.GIVEN_UP,
    "terminated": FactKind.TERMINATED,
    "nak": FactKind.REFUSED,
    "consumer_ack": FactKind.ACKNOWLEDGED,
    "consumer_pause": FactKind.PAUSED,
    "consumer_quorum_lost": FactKind.QUORUM_LOST,
    "stream_quorum_lost": FactKind.QUORUM_LOST,
    "consumer_leader_elected": FactKind.LEADER_ELECTED,
    "stream_leader_elected": FactKind.LEADER_ELECTED,
}
_ACTIONS = {"create": FactKind.CREATED, "delete": FactKind.DELETED}


class _Advisory(msgspec.Struct):
    type: str = ""
    timestamp: str = ""
    stream: str = ""
    consumer: str = ""
    stream_seq: int = 0
    deliveries: int = 0
    reason: str = ""
    action: str = ""
    paused: bool = False
    pause_until: str = ""


_DECODER = msgspec.json.Decoder(_Advisory)


def happening_of(body: bytes, now: int) -> Happening | None:
    """What *body* reports; None if it is nothing that is kept here, or no advisory at all."""
    try:
        said = _DECODER.decode(body)
    except msgspec.MsgspecError:
        return None
    word = said.type.rpartition(".")[2]
    kind = _ACTIONS.get(said.action) if word == "consumer_action" else _KINDS.get(word)
    if kind is None or not said.stream:
        return None
    until = None
    if kind is FactKind.PAUSED:
        until = nanoseconds(said.pause_until)
        kind = FactKind.PAUSED if said.paused else FactKind.RESUMED
    return Happening(
        BROKER,
        kind,
        nanoseconds(said.timestamp) or now,
        said.stream,
        said.consumer,
        said.stream_seq,
        said.deliveries,
        said.reason[:_LONGEST],
        until,
    )
