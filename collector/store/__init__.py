"""The store: everything that outlives the process, and the only SQL."""

from collector.store.engine import Database, Engine, FolderError, StoreError
from collector.store.spans import SpanStore

__all__ = ["Database", "Engine", "FolderError", "SpanStore", "StoreError"]
