"""Small integers for names that keep recurring, so that records are columns of numbers."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from collector.columns.dictionary import coded
from collector.columns.joins import Ints, Mask, once

_SHIFT = 24  # a step is (reactor << _SHIFT) + event type
OTHER = 0  # the code of all names beyond the limit
OTHER_NAME = "__other__"
MOST_SERVICES = 2_000  # each has delays and silences of its own

Steps = TypeVar("Steps", int, Ints)


@dataclass
class Vocabulary:
    """Small integers for the few names that keep recurring: services, groups, event types.

    A system has hundreds of them. If one puts ids into them, only `limit` are told apart, by their first 200
    characters, and the rest share the code OTHER, until names that are used no more are forgotten.
    """

    limit: int = 20_000
    names: list[str] = field(default_factory=lambda: [OTHER_NAME])
    turn: int = 0  # grows with time, so that it is known which names were used last
    refused: int = 0  # how often a name got the code OTHER
    _codes: dict[str, int] = field(default_factory=dict)
    _used: Ints = field(default_factory=lambda: np.zeros(1, np.int64))  # by code: the turn of its last use
    _free: list[int] = field(default_factory=list)
    _resting: list[int] = field(default_factory=list)  # of names that were forgotten last

    def code(self, name: str) -> int:
        """The code of *name*, assigned if it is new."""
        found = self._code(name)
        self._used[found] = self.turn
        return found

    def codes(self, texts: pa.Array | pa.ChunkedArray) -> Ints:
        """The code of each text; -1 for null."""
        codes, names = coded(texts)
        found = np.array([*map(self._code, names.to_pylist()), -1], np.int64)
        self._used[found[:-1]] = self.turn
        return found[codes]

    @property
    def count(self) -> int:
        """How many names have a code of their own."""
        return len(self._codes)

    def unused(self, kept: Ints, most: int) -> Ints:
        """The codes, at most *most*, that were used longest ago, without those *kept*; ascending."""
        mine = np.array(sorted(self._codes.values()), np.int64)
        mine = mine[~np.isin(mine, kept)]
        return np.sort(mine[np.argsort(self._used[mine], kind="stable")[:most]])

    def forget(self, codes: Ints) -> None:
        """Take the names of *codes* away; nothing may refer to them any more.

        The codes are given to other names only after `release`: until then, a reader of an older snapshot may
        ask for their names.
        """
        self._resting += codes.tolist()
        for code in codes.tolist():
            del self._codes[self.names[code]]

    def release(self) -> None:
        """Give the codes of forgotten names to others from now on: nobody has a snapshot as old as them."""
        self._free += self._resting
        self._resting = []

    def _code(self, name: str) -> int:
        name = name[:200]
        if (known := self._codes.get(name)) is not None:
            return known
        if self._free:
            code = self._free.pop()
            self.names[code] = name
        elif len(self.names) < self.limit:
            code = len(self.names)
            self.names.append(name)
            if code >= len(self._used):
                self._used = np.append(self._used, np.zeros(code, np.int64))
        else:
            self.refused += 1
            return OTHER
        self._codes[name] = code
        return code


@dataclass
class Names:
    """What the integers of records mean, for as long as the process lives."""

    event_types: Vocabulary = field(default_factory=Vocabulary)
    services: Vocabulary = field(default_factory=lambda: Vocabulary(MOST_SERVICES))
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


@dataclass(frozen=True)
class Codes:
    """Codes of event types, services and groups, each ascending."""

    types: Ints
    services: Ints
    groups: Ints

    def __bool__(self) -> bool:
        return bool(len(self.types) or len(self.services) or len(self.groups))

    def in_steps(self, names: Names, steps: Ints) -> Mask:
        """Which of *steps* have one of these codes."""
        reactor = reactor_of(steps)
        mask: Mask = np.isin(type_of(steps), self.types)
        mask |= np.isin(reactor // names.groups.limit, self.services)
        return mask | np.isin(reactor % names.groups.limit, self.groups)

    def drop_steps(self, names: Names, of: dict[int, Any]) -> None:
        """Remove the entries of *of*, which is keyed by step, that have one of these codes."""
        steps = np.fromiter(of, np.int64, len(of))
        for step in steps[self.in_steps(names, steps)].tolist():
            del of[step]

    def drop_pairs(self, of: dict[int, Any]) -> None:
        """Remove the entries of *of*, which is keyed by (service << 24) + event type, with one of these."""
        pairs = np.fromiter(of, np.int64, len(of))
        gone = np.isin(type_of(pairs), self.types) | np.isin(reactor_of(pairs), self.services)
        for pair in pairs[gone].tolist():
            del of[pair]


def codes_of_steps(names: Names, steps: Ints) -> Codes:
    """The codes that *steps* are made of."""
    steps = once(steps[steps >= 0])
    reactor = reactor_of(steps)
    return Codes(
        once(type_of(steps)), once(reactor // names.groups.limit), once(reactor % names.groups.limit)
    )


def step_of(event_type: Ints, reactor: Ints) -> Ints:
    """One number for "this reactor handles this event type"; -1 where the type is unknown."""
    return np.where(event_type >= 0, (reactor << _SHIFT) + event_type, -1)


def type_of(step: Steps) -> Steps:
    """The event type of a step."""
    return step & ((1 << _SHIFT) - 1)


def reactor_of(step: Steps) -> Steps:
    """The reactor of a step."""
    return step >> _SHIFT
