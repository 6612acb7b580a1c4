"""The conventions' metrics: how long sending and handling take, and how many messages there were."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.metrics import Meter
from opentelemetry.util.types import AttributeValue

# The boundaries that the conventions advise, in seconds.
_BOUNDARIES: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

Group = dict[str, AttributeValue]


class Instruments:
    """The four instruments of one meter. Durations are in seconds."""

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

    def sent(self, group: Mapping[str, AttributeValue], seconds: float, error: str | None) -> None:
        """One send that took *seconds*, whether it failed with *error* or not."""
        attributes = group if error is None else {**group, "error.type": error}
        self._operation.record(seconds, attributes)
        self._sent.add(1, attributes)

    def received(self, group: Mapping[str, AttributeValue], count: int, seconds: float | None = None) -> None:
        """*count* messages were handed over, after a call of *seconds* where there was one."""
        self._consumed.add(count, group)
        if seconds is not None:
            self._operation.record(seconds, group)

    def processed(self, group: Mapping[str, AttributeValue], seconds: float, error: str | None) -> None:
        """One handling that took *seconds*, whether it failed with *error* or not."""
        self._process.record(seconds, group if error is None else {**group, "error.type": error})
