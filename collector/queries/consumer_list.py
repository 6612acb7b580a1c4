"""Which consumers do brokers know, whose are they, and which flows wait for them? Pure."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from collector.brokers.contract import Facts, Spot
from collector.diagnosis import Debt
from collector.diagnosis.record import reactor_of
from collector.live.snapshot import Snapshot
from collector.model.answers import Broker, BrokerConsumer, Consumers
from collector.model.facts import Consumer
from collector.model.wording import counted

_MOST_LOOKED = 20_000  # overdue entries
_MOST_SAID = 50

_Name = tuple[str, str, str]  # broker, stream, consumer


def consumers(snapshot: Snapshot, facts: Facts, limit: int) -> Consumers:
    """The consumers that brokers know, at most *limit*."""
    services = _services(snapshot)
    waiting = _waiting(snapshot, facts)
    every = [one for known in facts.known for one in known.consumers]
    rows = [_row(one, services, len(waiting.get(_name(one), ())), facts.now) for one in every]
    rows.sort(key=lambda row: (-row.flows_waiting, -row.pending - row.in_flight, row.stream, row.consumer))
    return Consumers(
        brokers=[
            Broker(broker=known.broker, reached_unix_nano=known.reached or None, gaps=list(known.gaps))
            for known in facts.known
        ],
        consumers=rows[:limit],
        total=len(rows),
        unjoined=unjoined(snapshot, facts),
    )


def unjoined(snapshot: Snapshot, facts: Facts) -> list[str]:
    """A sentence for each thing of which spans and brokers both speak, without a name in common."""
    if not facts.known:
        return []
    return [*_without_spot(snapshot, facts), *_without_consumer(snapshot, facts)][:_MOST_SAID]


def _without_spot(snapshot: Snapshot, facts: Facts) -> Iterator[str]:
    """Messages that are kept in a stream, and whose spans do not say where in it."""
    counts: dict[str, int] = defaultdict(int)
    for _, _, _, destination, record in _overdue(snapshot):
        if Spot.of(record) is None:
            counts[destination] += 1
    for destination, count in sorted(counts.items()):
        for stream in facts.keeping(destination):
            yield (
                f"{counted(count, 'overdue message')} on {destination} name no place in the stream"
                f" {stream.name}: what became of each cannot be asked. Their spans need messaging.nats.stream"
                " and messaging.nats.sequence, which the publisher's answer (PubAck) has."
            )


def _without_consumer(snapshot: Snapshot, facts: Facts) -> Iterator[str]:
    """Groups that wait at a stream which has no consumer of that name."""
    asked = {(service, group, destination) for _, service, group, destination, _ in _overdue(snapshot)}
    for service, group, destination in sorted(asked):
        held = facts.held(group, destination, service)
        if held.streams and held.whole and not held.consumers and held.gone is None:
            streams = " or ".join(one.name for one in held.streams)
            others = ", ".join(sorted({one.name for one in held.others})[:5])
            yield (
                f"{service} takes {destination} as {group}, and {streams} has no consumer of that name"
                f"{f', but {others}' if others else ''}: how far it is cannot be asked. Its spans need the"
                " consumer's name as messaging.consumer.group.name."
            )


def _overdue(snapshot: Snapshot) -> Iterator[tuple[int, str, str, str, str | None]]:
    """(flow, service, group, destination, record) of each reaction that is overdue and has a destination."""
    expected, owed = snapshot.expected, snapshot.owed
    if expected is None:
        return
    rows = np.flatnonzero(owed.kind == Debt.REACTION)[:_MOST_LOOKED]
    places = snapshot.places.take(rows)
    said = zip(places["destination"].to_pylist(), places["record"].to_pylist(), strict=True)
    for row, (destination, record) in zip(rows.tolist(), said, strict=True):
        service, group = expected.names.of_reactor(reactor_of(int(owed.step[row])))
        if destination:
            yield int(owed.flow[row]), service, group, destination, record


def _waiting(snapshot: Snapshot, facts: Facts) -> dict[_Name, set[int]]:
    """The flows that wait for each consumer."""
    flows: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for flow, service, group, destination, _ in _overdue(snapshot):
        flows[service, group, destination].add(flow)
    found: dict[_Name, set[int]] = defaultdict(set)
    for (service, group, destination), waiting in flows.items():
        for one in facts.held(group, destination, service).consumers:
            found[_name(one)] |= waiting
    return found


def _services(snapshot: Snapshot) -> dict[str, str]:
    """The service of each group; where several have it, the first by name."""
    if snapshot.expected is None:
        return {}
    names = snapshot.expected.names
    pairs = sorted((names.of_reactor(reactor_of(step)) for step in snapshot.lives), reverse=True)
    return {service: service for service, _ in pairs} | {group: service for service, group in pairs}


def _name(one: Consumer) -> _Name:
    return one.broker, one.stream, one.name


def _row(one: Consumer, services: dict[str, str], waiting: int, now: int) -> BrokerConsumer:
    return BrokerConsumer(
        broker=one.broker,
        stream=one.stream,
        consumer=one.name,
        group=one.groups[0],
        service=next((services[name] for name in one.groups if name in services), None),
        pending=one.pending,
        in_flight=one.in_flight,
        most_in_flight=one.most_in_flight if one.most_in_flight > 0 else None,
        redelivered=one.redelivered,
        paused=one.paused,
        paused_until_unix_nano=one.paused_until,
        waiting_pulls=None if one.push else one.waiting,
        bound=one.bound,
        no_taker_since_unix_nano=one.no_taker_since,
        last_delivered_unix_nano=one.last_delivered,
        flows_waiting=waiting,
        as_of_unix_nano=one.as_of,
        fresh=one.valid_until >= now,
    )
