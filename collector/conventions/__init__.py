"""Which spans are messages, reactions and settles? Spans -> readings."""

from collector.conventions.exposed import still_shown
from collector.conventions.read import names_of, read
from collector.conventions.said import DEFAULT_NAMING, Naming

__all__ = ["DEFAULT_NAMING", "Naming", "names_of", "read", "still_shown"]
