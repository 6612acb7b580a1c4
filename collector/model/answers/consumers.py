"""What brokers know of consumers."""

from typing import Annotated

from collector.model.answers.base import Answer, says


class BrokerConsumer(Answer, frozen=True, kw_only=True):
    """One group's place in a stream, as its broker last described it."""

    broker: str
    stream: str
    consumer: str
    group: Annotated[str, says("as spans call it: the deliver group, or else the consumer's name")]
    service: Annotated[str | None, says("whose spans name the group; null if none do")]
    pending: Annotated[int, says("messages that it was not given yet")]
    in_flight: Annotated[int, says("given and not settled")]
    most_in_flight: Annotated[int | None, says("no more are given while so many are in flight")]
    redelivered: int
    paused: bool
    paused_until_unix_nano: int | None
    waiting_pulls: Annotated[int | None, says("open requests for messages; null if it is pushed to")]
    bound: Annotated[bool | None, says("whether somebody subscribes to it; null if it is pulled")]
    no_taker_since_unix_nano: Annotated[int | None, says("since when each look found nobody who takes")]
    last_delivered_unix_nano: int | None
    flows_waiting: Annotated[int, says("flows in which a message that it takes is overdue")]
    as_of_unix_nano: Annotated[int, says("when the broker was asked")]
    fresh: Annotated[bool, says("false: too old to prove anything")]


class Broker(Answer, frozen=True, kw_only=True):
    """A broker that is read."""

    broker: str
    reached_unix_nano: Annotated[int | None, says("when it last answered")]
    gaps: Annotated[list[str], says("what it does not let us know, why, and what to do")]


class Consumers(Answer, frozen=True, kw_only=True):
    """What brokers know of consumers: those for which most flows wait come first."""

    brokers: Annotated[list[Broker], says("empty: none is read, as no setting names one")]
    consumers: list[BrokerConsumer]
    total: int
    unjoined: Annotated[list[str], says("what spans and broker say of one thing without a common name")]
