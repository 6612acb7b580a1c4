"""How a table writes down one case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collector.model.spans import Kind
from tests.factories import Value


@dataclass(frozen=True, kw_only=True)
class Case:
    """A span as clients of the family write it, and what has to be read of it."""

    about: str
    read: Mapping[str, Any]  # columns of READINGS
    name: str = "work"
    kind: Kind = Kind.CONSUMER
    attributes: Mapping[str, Value] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Everything that it says, to be searched."""
        values = " ".join(map(str, self.attributes.values()))
        return f"{self.name} {self.kind.name} {' '.join(self.attributes)} {values}".lower()
