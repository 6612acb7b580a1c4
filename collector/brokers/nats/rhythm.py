"""What is asked of NATS, and how often? Pure: from what is known and what is wanted.

Quick for what findings are about, slow for the rest, nothing while nobody needs anything.
"""

from enum import IntEnum
from typing import NamedTuple

from collector.brokers.contract import Known, Wanted
from collector.brokers.nats.jetstream import PAGE
from collector.model.subjects import meets

QUICK_S, BRISK_S, SLOW_S = 1.0, 3.0, 30.0
_FEW = 8  # consumers that are asked one by one; more are listed
_GRACE_S = 5.0


class What(IntEnum):
    """Kinds of questions, the most urgent first."""

    CONSUMER = 0
    MESSAGES = 1
    CONSUMERS = 2
    STREAMS = 3
    CONNECTIONS = 4


class Target(NamedTuple):
    """One thing to ask about."""

    what: What
    stream: str = ""
    consumer: str = ""


def holds_ns(pause_s: float) -> int:
    """How long an answer holds that is asked for every *pause_s* seconds: one may be lost on the way."""
    return int((2.5 * pause_s + _GRACE_S) * 1e9)


def targets(known: Known, wanted: Wanted, requests_s: float) -> dict[Target, float]:
    """What to ask, and every how many seconds, by urgency; empty if nobody needs anything."""
    if not wanted:
        return {}
    sought = bool(wanted.destinations or wanted.spots or wanted.groups)
    every = {Target(What.STREAMS): BRISK_S if sought else SLOW_S}
    every[Target(What.CONNECTIONS)] = BRISK_S if wanted.destinations else SLOW_S
    members: dict[str, list[str]] = {}
    count: dict[str, int] = {}
    for one in known.consumers:
        count[one.stream] = count.get(one.stream, 0) + 1
        if wanted.groups.intersection(one.groups):
            members.setdefault(one.stream, []).append(one.name)
    spots = {spot.stream for spot in wanted.spots}
    for stream in known.streams:
        about = stream.name in spots or any(
            meets(pattern, one) for one in wanted.destinations for pattern in stream.subjects
        )
        listed = Target(What.CONSUMERS, stream.name)
        if not about:
            every[listed] = SLOW_S
            continue
        mine = members.get(stream.name, [])
        if 0 < len(mine) <= _FEW:
            every |= {Target(What.CONSUMER, stream.name, name): QUICK_S for name in mine}
            every[listed] = 3 * BRISK_S
        else:
            pages = count.get(stream.name, 0) // PAGE + 1
            every[listed] = max(BRISK_S, pages * BRISK_S, 4 * pages / requests_s)
        if stream.name in spots:
            every[Target(What.MESSAGES, stream.name)] = BRISK_S
    return within(every, requests_s)


def within(every: dict[Target, float], requests_s: float) -> dict[Target, float]:
    """*every*, slowed down evenly so that it leaves a fifth of the allowed requests free; urgent first."""
    rate = sum(1 / pause for pause in every.values())
    slower = max(1.0, rate / (0.8 * requests_s))
    return {target: every[target] * slower for target in sorted(every)}
