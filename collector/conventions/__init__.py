"""Which spans are messages, reactions and settles? Spans -> readings."""

from collector.conventions.read import read
from collector.conventions.said import DEFAULT_NAMING, Naming

__all__ = ["DEFAULT_NAMING", "Naming", "read"]
