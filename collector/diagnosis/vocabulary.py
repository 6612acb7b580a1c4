"""Small integers for names that keep recurring, so that records are columns of numbers."""

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.joins import Ints

_SHIFT = 24  # a step is (reactor << _SHIFT) + event type
OTHER = 0  # the code of all names beyond the limit

Steps = TypeVar("Steps", int, Ints)


@dataclass
class Vocabulary:
    """Small integers for the few names that keep recurring: services, groups, event types.

    A system has hundreds of them. If one puts ids into them, only `limit` are told apart, by their first 200
    characters, and the rest share the code OTHER.
    """

    limit: int = 20_000
    names: list[str] = field(default_factory=lambda: ["(other)"])
    _codes: dict[str, int] = field(default_factory=dict)

    def code(self, name: str) -> int:
        """The code of *name*, assigned if it is new."""
        name = name[:200]
        if name not in self._codes:
            if len(self.names) >= self.limit:
                return OTHER
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes[name]

    def codes(self, texts: pa.Array | pa.ChunkedArray) -> Ints:
        """The code of each text; -1 for null."""
        codes, names = coded(texts)
        return np.array([*map(self.code, names.to_pylist()), -1], np.int64)[codes]


@dataclass
class Names:
    """What the integers of records mean, for as long as the process lives."""

    event_types: Vocabulary = field(default_factory=Vocabulary)
    services: Vocabulary = field(default_factory=Vocabulary)
    groups: Vocabulary = field(default_factory=Vocabulary)

    def reactor(self, service: Ints, group: Ints) -> Ints:
        """A service and one of its groups as one number."""
        return service * self.groups.limit + group

    def of_reactor(self, reactor: int) -> tuple[str, str]:
        """(service, group)."""
        service, group = divmod(reactor, self.groups.limit)
        return self.services.names[service], self.groups.names[group]

    def service_of(self, step: Steps) -> Steps:
        """The service of a step."""
        return reactor_of(step) // self.groups.limit

    def group_of(self, step: Steps) -> Steps:
        """The group of a step. One group takes a message once, whichever services are its members."""
        return reactor_of(step) % self.groups.limit


def step_of(event_type: Ints, reactor: Ints) -> Ints:
    """One number for "this reactor handles this event type"; -1 where the type is unknown."""
    return np.where(event_type >= 0, (reactor << _SHIFT) + event_type, -1)


def type_of(step: Steps) -> Steps:
    """The event type of a step."""
    return step & ((1 << _SHIFT) - 1)


def reactor_of(step: Steps) -> Steps:
    """The reactor of a step."""
    return step >> _SHIFT
