"""How do facts become rows of the table `facts`? The same for every broker."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from collector.model.facts import FACTS, FOREVER, Connection, Consumer, FactKind, Happening

# Of a consumer, what its columns do not have already.
_STATE = (
    *("pending", "in_flight", "redelivered", "delivered", "floor", "deliver_group", "bound", "waiting"),
    *("paused", "paused_until", "most_in_flight", "most_deliveries", "last_delivered", "leader"),
)


def rows_of(facts: Sequence[Happening | Consumer | Connection]) -> pa.Table:
    """FACTS of these."""
    rows = [_row(one) for one in facts]
    return pa.table({field.name: pa.array([row[field.name] for row in rows], field.type) for field in FACTS})


def _row(one: Happening | Consumer | Connection) -> dict[str, Any]:
    empty = {
        "stream": "",
        "consumer": "",
        "subject": "",
        "sequence": 0,
        "connection": "",
        "broker": one.broker,
    }
    match one:
        case Happening():
            said = {"deliveries": one.deliveries, "reason": one.reason, "until": one.until, "seen": one.seen}
            about = {"stream": one.stream, "consumer": one.consumer, "sequence": one.sequence}
            return {**empty, **about, **_times(one.at, FOREVER), "kind": one.kind.value, "said": _json(said)}
        case Consumer():
            said = {name: getattr(one, name) for name in _STATE}
            about = {"stream": one.stream, "consumer": one.name, "subject": " ".join(one.filters)}
            times = _times(one.as_of, one.valid_until)
            return {**empty, **about, **times, "kind": FactKind.CONSUMER.value, "said": _json(said)}
        case Connection():
            said = {"name": one.name, "reason": one.reason, "server": one.server, "opened": one.opened}
            times = _times(one.closed or one.as_of, FOREVER if one.closed else one.valid_until)
            subjects = " ".join(sorted({sub.subject for sub in one.subscriptions}))[:1000]
            about = {"connection": one.id, "subject": subjects}
            kind = FactKind.CLOSED if one.closed else FactKind.CONNECTION
            return {**empty, **about, **times, "kind": kind.value, "said": _json(said)}


def _times(at: int, until: int) -> dict[str, int]:
    return {"at": at, "valid_from": at, "valid_until": until}


def _json(said: dict[str, object]) -> str:
    return msgspec.json.encode(
        {name: value for name, value in said.items() if value not in {None, ""}}
    ).decode()
