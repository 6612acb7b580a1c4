"""FastStream: on the consumer's side, the span around a batch is wrongly called "create"."""

from collector.conventions.lore import Lore
from collector.model.readings import Role
from collector.model.spans import Kind

LORE = Lore(corrections={(Role.CREATE, Kind.CONSUMER): Role.RECEIVE})
