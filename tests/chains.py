"""What do the services of a chain send for one run? Each takes an event and publishes the next."""

from collections.abc import Collection
from dataclasses import dataclass

from tests.factories import SECOND
from tests.scenes import MS, Sent, handling, publish, react


@dataclass(frozen=True)
class Link:
    """*service* takes *event* and publishes *then*, a time after it has taken it; "" for nothing."""

    service: str
    event: str
    then: str = ""
    after_s: float = 0.01


def chain(
    key: str,
    at: int,
    begin: tuple[str, str],
    *links: Link,
    down: Collection[str] = (),
    silent: Collection[str] = (),
) -> list[Sent]:
    """The spans of one run that *begin* starts, a service and its event; broken where a service is."""
    service, event = begin
    sent = [publish(service, event, key, at=at)]
    published = {event: at}
    for link in links:
        if link.event not in published or link.service in down:
            continue
        start = published[link.event] + 5 * MS
        sent.append(react(link.service, link.event, key, at=start))
        if link.then and link.service not in silent:
            published[link.then] = start + int(link.after_s * SECOND)
            by = handling(link.service, link.event, key)
            sent.append(publish(link.service, link.then, key, at=published[link.then], by=by))
    return sent


def until(sent: list[Sent], at: int) -> list[Sent]:
    """The part of *sent* that has ended by then."""
    return [one for one in sent if one[1].end_time_unix_nano <= at]


def since(sent: list[Sent], at: int) -> list[Sent]:
    """The rest of it."""
    return [one for one in sent if one[1].end_time_unix_nano > at]
