"""FastStream: it opens the span around a batch as "create", on the consumer's side."""

from collector.conventions.lore import Lore
from collector.model.readings import Role
from collector.model.spans import Kind

LORE = Lore(corrections={(Role.CREATE, Kind.CONSUMER): Role.RECEIVE})
