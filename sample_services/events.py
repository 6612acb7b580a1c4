"""The facts of the shop, as CloudEvents in NATS headers (binary mode).

An event says what happened, to which order (`subject`), as part of which
conversation (`correlationid`) and because of which other event (`causationid`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

STREAM: Final = "SHOP"
STREAM_SUBJECTS: Final = "shop.>"

# The stream keeps everything under shop.; an e-mail that nobody receives is lost.
SUBJECTS: Final[Mapping[str, str]] = {
    "OrderPlaced": "shop.order.placed",
    "StockReserved": "shop.stock.reserved",
    "OrderCleared": "shop.order.cleared",
    "PaymentCaptured": "shop.payment.captured",
    "PaymentDeclined": "shop.payment.declined",
    "ShipmentPrepared": "shop.shipment.prepared",
    "ParcelPicked": "shop.parcel.picked",
    "StockReleased": "shop.stock.released",
    "OrderShipped": "shop.order.shipped",
    "OrderCancelled": "shop.order.cancelled",
    "EmailComposed": "notify.email",
}

_REQUIRED: Final = ("ce-id", "ce-type", "ce-source", "ce-subject", "correlationid")
# Printable ASCII without the three characters that the NATS binding of CloudEvents escapes.
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class NotAnEvent(ValueError):  # noqa: N818 -- it says what the message is
    """A message that is not one of the shop's events; the text says what is wrong with it."""


@dataclass(frozen=True)
class Event:
    """One fact. `id` is unique per source; `data` must fit into a JSON object."""

    type: str
    order_id: str
    id: str
    source: str
    correlation_id: str
    causation_id: str | None = None
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The NATS subject on which this fact is published."""
        return SUBJECTS[self.type]

    @property
    def stored(self) -> bool:
        """Whether the stream keeps it; otherwise it is fire-and-forget."""
        return self.subject.startswith("shop.")

    def then(self, kind: str, service: str, **data: Any) -> "Event":
        """The fact of type *kind* that *service* publishes because of this one.

        Its id is derived from the order and the type: a handler that runs twice
        publishes the same event twice, and the stream keeps one of them.
        """
        return Event(
            type=kind,
            order_id=self.order_id,
            id=f"{kind}/{self.order_id}",
            source=f"/shop/{service}",
            correlation_id=self.correlation_id,
            causation_id=self.id,
            data={**self.data, **data},
        )

    def headers(self) -> dict[str, str]:
        """Everything but the data, as NATS headers."""
        plain = {
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-type": self.type,
            "ce-source": self.source,
            "ce-subject": self.order_id,
            "ce-time": self.time,
            "ce-datacontenttype": "application/json",
            "correlationid": self.correlation_id,
        }
        if self.causation_id is not None:
            plain["causationid"] = self.causation_id
        if self.stored:
            plain["Nats-Msg-Id"] = self.id
        return {name: quote(value, safe=_SAFE) for name, value in plain.items()}

    def body(self) -> bytes:
        """The data, as JSON."""
        return json.dumps(dict(self.data), separators=(",", ":")).encode()


def read(headers: Mapping[str, str] | None, body: bytes) -> Event:
    """The event in a message with *headers* and *body*; raise `NotAnEvent` if there is none."""
    found = {name.lower(): unquote(value) for name, value in (headers or {}).items()}
    missing = [name for name in _REQUIRED if not found.get(name)]
    if missing:
        raise NotAnEvent(f"no {', '.join(missing)} in the headers: expected a CloudEvent in binary mode")
    if found["ce-type"] not in SUBJECTS:
        raise NotAnEvent(f"ce-type is {found['ce-type']!r}: expected one of {', '.join(SUBJECTS)}")
    try:
        data = json.loads(body)
    except ValueError as error:
        raise NotAnEvent(f"the body is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise NotAnEvent(f"the body is a JSON {type(data).__name__}: expected an object")
    return Event(
        type=found["ce-type"],
        order_id=found["ce-subject"],
        id=found["ce-id"],
        source=found["ce-source"],
        correlation_id=found["correlationid"],
        causation_id=found.get("causationid"),
        time=found.get("ce-time", ""),
        data=data,
    )
