"""What does a store promise about what brokers reported? What fails raises `StoreError`."""

from typing import Protocol

import pyarrow as pa


class FactStore(Protocol):
    """What brokers reported, and when. Equal facts of one instant are one."""

    def write(self, facts: pa.Table) -> None:
        """Return once *facts* (FACTS) are durable. An empty table is not an error."""

    def between(self, since: int, until: int, limit: int) -> pa.Table:
        """At most *limit* FACTS of that time, oldest first; *until* is not part of it."""

    def forget(self, before: int) -> None:
        """Remove what was reported before then."""
