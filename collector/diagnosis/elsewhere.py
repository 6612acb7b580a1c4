"""Which ways may a flow take instead of one that leads to an event? By what is declared."""

from collector.diagnosis.declared import Declared
from collector.diagnosis.record import Names


class Elsewhere:
    """The alternatives among all that is *declared*: a payment is captured or declined."""

    def __init__(self, declared: Declared, names: Names) -> None:
        code = names.event_types.code
        self._ends = frozenset(map(code, declared.ends))
        self._emits: list[tuple[str, frozenset[int]]] = []
        self._before: dict[int, set[int]] = {}  # by event type: after which ones it is published
        for one in declared.reactions:
            emits = frozenset(map(code, one.publishes or ()))
            self._emits.append((one.service, emits))
            for event_type in emits:
                self._before.setdefault(event_type, set()).add(code(one.event_type))

    def of(self, event_type: int) -> frozenset[int]:
        """Event types of flows in which *event_type* does not come: ends, and choices that lead away."""
        leading, new = {event_type}, {event_type}
        while new:
            new = {before for one in new for before in self._before.get(one, ())} - leading
            leading |= new
        chosen = {one for _, emits in self._emits if emits & leading for one in emits}
        return frozenset((chosen | self._ends) - leading)

    def publisher(self, event_type: int) -> str | None:
        """The service that is declared to publish *event_type*, the first one if several are."""
        return next((service for service, emits in self._emits if event_type in emits), None)
