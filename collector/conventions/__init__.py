"""Which spans are messages, reactions and settles? Spans -> readings."""

from collector.conventions.naming import DEFAULT_NAMING, Naming
from collector.conventions.read import read

__all__ = ["DEFAULT_NAMING", "Naming", "read"]
