"""What of NATS cannot be known, why, and what to do about it? One sentence for each."""

from collections.abc import Collection

from collector.brokers.nats import connz
from collector.brokers.nats.rhythm import What

_NEEDS = {
    What.STREAMS: ("$JS.API.STREAM.LIST", "which streams keep a message"),
    What.CONSUMERS: ("$JS.API.CONSUMER.LIST.>", "which consumers are paused, behind, or gone"),
    What.CONSUMER: ("$JS.API.CONSUMER.INFO.>", "how a consumer is doing, within a second"),
    What.MESSAGES: ("$JS.API.STREAM.INFO.>", "whether a message is still stored"),
    What.CONNECTIONS: (connz.SUBJECT, "who is connected, and whether anybody subscribes to a subject"),
}
NO_JETSTREAM = (
    "NATS has no JetStream for this user: nothing is known of streams and consumers."
    " If services use it, sign in to their account, and start the server with JetStream."
)
NO_SYSTEM = (
    "NATS does not say who is connected: no server answers $SYS.REQ.ACCOUNT.PING.CONNZ, for which they need a"
    " system account. Give them one, or set CHOREOSCOPE_NATS_MONITOR to the monitoring port."
)


def not_reached(where: str, why: str) -> str:
    """The broker does not answer at all."""
    return f"NATS at {where} cannot be reached ({why}): findings rest on spans alone until it can."


def refused(what: What) -> str:
    """The user may not ask this."""
    subject, use = _NEEDS[what]
    return f"The collector's user may not publish to {subject}: it cannot be known {use}. Allow it to."


def unheard(subjects: Collection[str]) -> str:
    """The user may not listen to these."""
    names = ", ".join(sorted(subjects))
    return (
        f"The collector's user may not subscribe to {names}: it does not hear which messages are given up or"
        " terminated. Allow it to."
    )


def unanswered(what: What) -> str:
    """No answer in time, for a while."""
    subject, use = _NEEDS[what]
    return f"NATS does not answer {subject} in time: at present it cannot be known {use}."
