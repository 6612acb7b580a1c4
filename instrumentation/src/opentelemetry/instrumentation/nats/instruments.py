"""The metrics of the conventions: durations of sending and handling, and message counts."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.metrics import Meter
from opentelemetry.util.types import AttributeValue

# Bucket boundaries that the conventions advise, in seconds.
_BOUNDARIES: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

Group = dict[str, AttributeValue]


class Instruments:
    """The five instruments of one meter. Durations are in seconds."""

    def __init__(self, meter: Meter) -> None:
        self._operation = meter.create_histogram(
            "messaging.client.operation.duration",
            unit="s",
            description="Duration of a send, or of a fetch that brought messages",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._process = meter.create_histogram(
            "messaging.process.duration",
            unit="s",
            description="Duration of handling a message",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._sent = meter.create_counter(
            "messaging.client.sent.messages", unit="{message}", description="Messages that were to be sent"
        )
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages",
            unit="{message}",
            description="Messages that were handed to the application",
        )
        self._dropped = meter.create_counter(
            "messaging.client.dropped.messages",
            unit="{message}",
            description="Messages that the client dropped because the application was too slow",
        )

    def sent(self, group: Mapping[str, AttributeValue], seconds: float, error: str | None) -> None:
        """Record one send that took *seconds*; *error* is the error type if it failed."""
        attributes = group if error is None else {**group, "error.type": error}
        self._operation.record(seconds, attributes)
        self._sent.add(1, attributes)

    def received(self, group: Mapping[str, AttributeValue], count: int, seconds: float | None = None) -> None:
        """Record that *count* messages were handed over; *seconds* is the duration of a fetch."""
        self._consumed.add(count, group)
        if seconds is not None:
            self._operation.record(seconds, group)

    def dropped(self, group: Mapping[str, AttributeValue]) -> None:
        """Record that the client dropped one message."""
        self._dropped.add(1, group)

    def processed(self, group: Mapping[str, AttributeValue], seconds: float, error: str | None) -> None:
        """Record one handling that took *seconds*; *error* is the error type if it failed."""
        self._process.record(seconds, group if error is None else {**group, "error.type": error})
