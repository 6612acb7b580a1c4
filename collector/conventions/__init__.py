"""Which span is a message, a reaction, a settle: spans -> readings."""

from collector.conventions.naming import DEFAULT_NAMING, Naming
from collector.conventions.read import read

__all__ = ["DEFAULT_NAMING", "Naming", "read"]
